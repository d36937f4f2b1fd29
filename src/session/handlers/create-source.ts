/** CREATE SOURCE. */

import type { CreateSource } from '../../sql/statements.ts';
import { withOptionPlaces } from '../connector-options.ts';
import { createSource } from '../connector-relation.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';

export function planCreateSource(ast: CreateSource, { session }: HandlerContext): StatementPlan {
  return command(async () => {
    await withOptionPlaces(ast, () => createSource(ast, session));
    return 'CREATE SOURCE';
  });
}
