/** TRUNCATE. */

import { SqlError } from '../../base/sql-error.ts';
import { checkWritable, type TableObject } from '../../catalog/objects.ts';
import type { QualifiedName } from '../../sql/ast.ts';
import type { Truncate } from '../../sql/statements.ts';
import { missingRelation, splitName } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import type { SessionState } from '../session-state.ts';
import { lockForWrite, openWrites } from '../table-access.ts';

export function planTruncate(ast: Truncate, { session }: HandlerContext): StatementPlan {
  return command(async () => {
    session.running.requireWritable('TRUNCATE TABLE');
    const { memories } = session.database.queries;
    for (const name of ast.tables) {
      const table = findTable(name, session);
      checkWritable(table, 'truncate', name.position);
      if (table.isAppendOnly) {
        throw new SqlError(
          '0A000',
          `TRUNCATE of the append-only table "${table.name}" is not supported`,
        );
      }
      await lockForWrite(table.id, session);
      const memory = memories.acquire();
      openWrites(table, 'statement', session, memory).truncate();
      memories.release(memory);
    }
    return 'TRUNCATE TABLE';
  });
}

function findTable(name: QualifiedName, session: SessionState): TableObject {
  const found = session.catalog.findRelation(splitName(name), session.searchPath);
  if (found === undefined) throw missingRelation(name);
  if (found.kind === 'table') return found;
  if (found.kind === 'system')
    throw new SqlError('42501', `permission denied: "${found.name}" is a system catalog`);
  throw new SqlError('42809', `"${found.name}" is not a table`);
}
