/** CREATE VIEW: the bound query is kept and stands for the name. */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { CatalogColumn, Json, ViewObject } from '../../catalog/objects.ts';
import { planPlainView } from '../../plan/planner.ts';
import type { CreateView } from '../../sql/statements.ts';
import { typeName } from '../../types/value.ts';
import { alreadyExists, changeOf, frozenSettings, objectBase, placeNew } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';

export function planCreateView(ast: CreateView, { session }: HandlerContext): StatementPlan {
  if (ast.isTemporary) refuse('CREATE TEMPORARY VIEW', ast.position);
  const option = ast.options[0];
  if (option !== undefined) refuse(`view option "${option.name}"`, option.position);
  return command(async () => {
    await createView(ast, session);
    return 'CREATE VIEW';
  });
}

async function createView(ast: CreateView, session: SessionState): Promise<void> {
  const transaction = session.running;
  transaction.requireWritable('CREATE VIEW');
  await transaction.lockCatalog(session.lockWait);
  const { catalog } = session;
  const placement = placeNew(catalog, ast.name, session);
  const { existing } = placement;
  if (existing !== null && !ast.orReplace) throw alreadyExists(placement.name);
  if (existing !== null && existing.kind !== 'view')
    throw new SqlError('42809', `"${placement.name}" is not a view`);
  const planned = planPlainView(ast.query, ast.columns, session.plannerContext());
  if (existing !== null) checkReplaceable(existing, planned.columns, session);
  const view: ViewObject = {
    kind: 'view',
    ...objectBase(existing?.id ?? catalog.nextId, placement.name),
    schemaId: placement.schema.id,
    columns: planned.columns,
    sql: ast.queryText,
    plan: planned.plan as unknown as Json,
    dependsOn: planned.relationIds,
    settings: frozenSettings(session),
  };
  transaction.addDdl(changeOf(catalog, [view]), []);
}

/** PostgreSQL's rule: columns may be added behind, not changed. What reads the view has its query built in already. */
function checkReplaceable(
  view: ViewObject,
  columns: readonly CatalogColumn[],
  { catalog }: SessionState,
): void {
  if (columns.length < view.columns.length)
    throw new SqlError('42P16', 'cannot drop columns from view');
  for (const [index, old] of view.columns.entries()) {
    const now = must(columns[index]);
    if (now.name !== old.name) {
      throw new SqlError(
        '42P16',
        `cannot change name of view column "${old.name}" to "${now.name}"`,
        {
          hint: 'Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.',
        },
      );
    }
    const [from, to] = [typeName(old.type), typeName(now.type)];
    if (from !== to) {
      throw new SqlError(
        '42P16',
        `cannot change data type of view column "${old.name}" from ${from} to ${to}`,
      );
    }
  }
  if (catalog.directDependents(view.id).length > 0) {
    throw new SqlError(
      '0A000',
      `replacing view "${view.name}" while others depend on it is not supported`,
      {
        hint: 'DROP VIEW ... CASCADE and create them again.',
      },
    );
  }
}
