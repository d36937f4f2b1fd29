/** What CREATE SINK asks the PostgreSQL server, once. */

import type { Json } from '../source.ts';
import { PostgresClient } from './client.ts';
import { PostgresError } from './postgres-error.ts';
import type { PostgresSinkOptions } from './postgres-sink.ts';
import { ensureProgressTable } from './progress-table.ts';
import { checkTarget } from './target-table.ts';
import { columnArrays, deleteStatement, insertStatement } from './write-statements.ts';

/** The login is right, the table takes the rows, the progress can be kept. */
export async function probePostgresSink(checked: Json): Promise<Json> {
  const options = checked as unknown as PostgresSinkOptions;
  const { config, table, progressTable, columns, type, key } = options;
  let client: PostgresClient | null = null;
  try {
    client = await PostgresClient.connect(config);
    const ownKey = type === 'upsert' ? key : null;
    const targets = await checkTarget(client, table, columns, ownKey);
    const statements = {
      insert: insertStatement(table, targets, ownKey),
      delete:
        ownKey === null
          ? null
          : deleteStatement(
              table,
              key.map((index) => targets[index]!),
            ),
    };
    await tryStatements(client, statements, columns.length, key.length);
    await ensureProgressTable(client, progressTable);
    return { ...options, statements } as unknown as Json;
  } catch (error) {
    if (!(error instanceof PostgresError)) throw error;
    throw error.toSqlError(`PostgreSQL at ${config.host}:${config.port}`);
  } finally {
    client?.close();
  }
}

/** Without rows: privileges, generated columns and the like show. */
async function tryStatements(
  client: PostgresClient,
  statements: NonNullable<PostgresSinkOptions['statements']>,
  columnCount: number,
  keyCount: number,
): Promise<void> {
  await client.query('BEGIN');
  if (statements.delete !== null) await client.query(statements.delete, columnArrays([], keyCount));
  await client.query(statements.insert, columnArrays([], columnCount));
  await client.query('ROLLBACK');
}
