/** SELECT, VALUES, TABLE: planned once, run over the statement's snapshot. */

import { planQuery, withParameters } from '../../plan/planner.ts';
import type { SelectStatement } from '../../sql/statements.ts';
import type { HandlerContext } from '../dispatch.ts';
import { fieldOf, type StatementPlan } from '../prepared-statement.ts';
import { openQuery } from '../read-context.ts';
import { withNames } from '../reg-types.ts';
import { refuse } from '../session-state.ts';

export function planSelect(
  ast: SelectStatement,
  { session, declaredTypes }: HandlerContext,
): StatementPlan {
  if (ast.query.isLocking) {
    refuse(
      'SELECT ... FOR UPDATE/SHARE',
      ast.position,
      'Writers take their locks at the first INSERT, UPDATE or DELETE.',
    );
  }
  const plan = planQuery(ast.query, session.plannerContext(declaredTypes));
  const shown = withNames(plan);
  return {
    parameterTypes: plan.parameterTypes,
    fields: plan.columns.map(fieldOf),
    run: async (parameters) => ({
      kind: 'rows',
      rows: await openQuery(withParameters(shown, parameters), session),
      tag: (count) => `SELECT ${count}`,
    }),
  };
}
