/** SELECT, VALUES, TABLE: planned once, run over the statement's snapshot. */

import { planQuery, withParameters } from '../../plan/planner.ts';
import { PointLookup } from '../../serve/point-lookup.ts';
import type { SelectStatement } from '../../sql/statements.ts';
import type { HandlerContext } from '../dispatch.ts';
import { fieldOf, literals, type StatementPlan } from '../prepared-statement.ts';
import { openPoint, openQuery } from '../read-context.ts';
import { withNames } from '../reg-types.ts';
import { refuse } from '../session-state.ts';

export function planSelect(
  ast: SelectStatement,
  { session, declaredTypes }: HandlerContext,
): StatementPlan {
  if (ast.query.isLocking) {
    refuse('FOR UPDATE or FOR SHARE', ast.position);
  }
  const plan = planQuery(ast.query, session.plannerContext(declaredTypes));
  const shown = withNames(plan);
  const { queries } = session.database;
  const point = PointLookup.of(shown, session.valueSettings, (id) => queries.handle(id)?.schema);
  return {
    parameterTypes: plan.parameterTypes,
    fields: plan.columns.map(fieldOf),
    run: async (parameters) => {
      const found = point === null ? null : openPoint(point, shown, parameters, session);
      if (found !== null) return { kind: 'rows', rows: found, tag: selectTag };
      const bound = withParameters(shown, literals(plan.parameterTypes, parameters));
      return { kind: 'rows', rows: await openQuery(bound, session), tag: selectTag };
    },
  };
}

function selectTag(count: number): string {
  return `SELECT ${count}`;
}
