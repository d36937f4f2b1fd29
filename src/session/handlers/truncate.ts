/** TRUNCATE. */

import { SqlError } from '../../base/sql-error.ts';
import type { Truncate } from '../../sql/statements.ts';
import { findObject, missingRelation } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { lockForWrite, openWrites } from '../table-access.ts';

export function planTruncate(ast: Truncate, { session }: HandlerContext): StatementPlan {
  return command(async () => {
    session.running.requireWritable('TRUNCATE TABLE');
    const { memories } = session.database.queries;
    for (const name of ast.tables) {
      const table = findObject('table', name, session, 'ALTER');
      if (table === null) throw missingRelation(name);
      if (table.kind !== 'table') continue;
      if (table.isAppendOnly) {
        throw new SqlError(
          '0A000',
          `TRUNCATE of the append-only table "${table.name}" is not supported`,
        );
      }
      await lockForWrite(table.id, session);
      const memory = memories.acquire();
      openWrites(table, session, memory).truncate();
      memories.release(memory);
      session.running.touch(table.id, 'statement');
    }
    return 'TRUNCATE TABLE';
  });
}
