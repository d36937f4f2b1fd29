/** Statements that other databases need for their upkeep: accepted where doing nothing is right, refused otherwise. */

import type { UtilityStatement } from '../../sql/statements.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse } from '../session-state.ts';

/** Tags of what needs no work here. */
const NOTHING_TO_DO: ReadonlySet<string> = new Set([
  'VACUUM',
  'ANALYZE',
  'UNLISTEN',
  'CLUSTER',
  'REINDEX',
]);

export function planUtility(ast: UtilityStatement, { session }: HandlerContext): StatementPlan {
  if (ast.command === 'CHECKPOINT') {
    return command(async () => {
      await session.database.engine.checkpoint();
      return 'CHECKPOINT';
    });
  }
  if (NOTHING_TO_DO.has(ast.command)) return command(async () => ast.command);
  return refuse(ast.command, ast.position);
}
