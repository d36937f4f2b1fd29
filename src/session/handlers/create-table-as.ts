/** CREATE TABLE ... AS: refused with the way to do it. */

import type { CreateTableAs } from '../../sql/statements.ts';
import type { HandlerContext } from '../dispatch.ts';
import type { StatementPlan } from '../prepared-statement.ts';
import { refuse } from '../session-state.ts';

export function planCreateTableAs(ast: CreateTableAs, _context: HandlerContext): StatementPlan {
  return refuse('CREATE TABLE AS', ast.position);
}
