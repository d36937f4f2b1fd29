/** BEGIN, COMMIT, ROLLBACK. Savepoints and two-phase commit are refused. */

import type { TransactionStatement } from '../../sql/statements.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse } from '../session-state.ts';

const UNSUPPORTED: Readonly<Partial<Record<TransactionStatement['action'], string>>> = {
  savepoint: 'SAVEPOINT',
  release: 'RELEASE SAVEPOINT',
  rollback_to: 'ROLLBACK TO SAVEPOINT',
  prepare: 'PREPARE TRANSACTION',
  commit_prepared: 'COMMIT PREPARED',
  rollback_prepared: 'ROLLBACK PREPARED',
};

export function planTransaction(
  ast: TransactionStatement,
  { block, statement }: HandlerContext,
): StatementPlan {
  const feature = UNSUPPORTED[ast.action];
  if (feature !== undefined) refuse(feature, ast.position);
  if (ast.isChain) refuse('AND CHAIN', ast.position);
  switch (ast.action) {
    case 'begin':
      return command(async () => {
        block.begin(ast);
        return /^\s*start/i.test(statement.text) ? 'START TRANSACTION' : 'BEGIN';
      });
    case 'commit':
      return command(() => block.commit());
    default:
      return command(async () => {
        block.rollback();
        return 'ROLLBACK';
      });
  }
}
