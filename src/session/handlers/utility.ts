/** Statements that other databases need for their upkeep: accepted where doing nothing is right, refused otherwise. */

import type { UtilityStatement } from '../../sql/statements.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse } from '../session-state.ts';

/** Tags of what needs no work here, and what is said where somebody may wait for an effect. */
const NOTHING_TO_DO: ReadonlyMap<string, string | null> = new Map([
  ['VACUUM', null],
  ['ANALYZE', null],
  ['UNLISTEN', null],
  ['CLUSTER', 'CLUSTER does nothing: rows have no order on disk'],
  ['REINDEX', 'REINDEX does nothing: indexes change with every row and need no rebuilding'],
]);

export function planUtility(ast: UtilityStatement, { session }: HandlerContext): StatementPlan {
  if (ast.command === 'CHECKPOINT') {
    return command(async () => {
      await session.database.engine.checkpoint();
      return 'CHECKPOINT';
    });
  }
  const said = NOTHING_TO_DO.get(ast.command);
  if (said === undefined) return refuse(ast.command, ast.position);
  return command(async () => {
    if (said !== null) session.notice(said);
    return ast.command;
  });
}
