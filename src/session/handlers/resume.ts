/** RESUME: a source or sink that has failed tries again, from where it stands. */

import { SqlError } from '../../base/sql-error.ts';
import type { JobControl } from '../../sql/statements.ts';
import { changeOf, findObject, notFound } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';

const RESUMED: ReadonlySet<string> = new Set(['source', 'sink', 'table']);

export function planJobControl(ast: JobControl, { session }: HandlerContext): StatementPlan {
  const { action, object, position } = ast;
  if (action === 'pause' || !RESUMED.has(object)) {
    refuse(`${action.toUpperCase()} of a job`, position);
  }
  return command(async () => {
    await resume(ast, session);
    return 'RESUME';
  });
}

async function resume({ object, name }: JobControl, session: SessionState): Promise<void> {
  const transaction = session.running;
  transaction.requireWritable('RESUME');
  await transaction.lockCatalog(session.lockWait);
  const found = findObject(object, name, session, 'RESUME');
  if (found === null) throw notFound(object, name);
  if (!('connector' in found) || found.connector === null) {
    throw new SqlError('42809', `"${found.name}" has no connector`, { position: name.position });
  }
  // It connects again, as with another secret.
  const reconnect = { kind: 'alter_options', id: found.id, texts: [] } as const;
  transaction.addDdl(changeOf(session.catalog, []), [reconnect]);
}
