/** One Nexmark query running on the server: its sources, its view or sink, waiting for its end, what it holds. */

import type pg from 'pg';
import { textRows, waitUntil } from './measured-server.ts';
import {
  FILL_SIDE_INPUT,
  type NexmarkQuery,
  queryText,
  streamsOf,
  type Volume,
} from './nexmark-cases.ts';
import type { NexmarkInput } from './nexmark-input.ts';

/** The name of the view or sink. */
export const JOB = 'bench_job';

/** Makes the sources; nothing is read before something reads them. */
export async function createSources(
  client: pg.Client,
  query: NexmarkQuery,
  input: NexmarkInput,
  volume: Volume,
): Promise<void> {
  for (const statement of await input.schema(volume)) await client.query(statement);
  if (query === 'q13') await client.query(FILL_SIDE_INPUT);
}

/** Drops the sources with all that reads them. */
export async function dropSources(client: pg.Client, { source }: NexmarkInput): Promise<void> {
  for (const name of source === null ? ['person', 'auction', 'bid'] : [source])
    await client.query(`DROP SOURCE ${name} CASCADE`);
  await client.query('DROP TABLE side_input CASCADE');
}

/** Starts the query: events are read from here on. */
export async function startJob(
  client: pg.Client,
  query: NexmarkQuery,
  sink: 'view' | 'discard',
): Promise<void> {
  await client.query(
    sink === 'view'
      ? `CREATE MATERIALIZED VIEW ${JOB} AS ${queryText(query)}`
      : `CREATE SINK ${JOB} AS ${queryText(query)} WITH (connector = 'blackhole')`,
  );
}

/** Waits until the last rows of the query's sources are published: they have ended, or all events were read. */
export async function waitForEnd(
  client: pg.Client,
  query: NexmarkQuery,
  { source }: NexmarkInput,
  volume: Volume,
): Promise<void> {
  const names = streamsOf(query).map((name) => `'${name}'`);
  await waitUntil(
    client,
    source === null
      ? `SELECT count(*) FILTER (WHERE is_ended) = ${names.length} FROM millrace.sources
         WHERE name IN (${names.join(', ')})`
      : `SELECT coalesce(max(rows_read), 0) = ${volume.events} FROM millrace.sources WHERE name = '${source}'`,
  );
  const [row] = await textRows(
    client,
    `SELECT state, error, withheld FROM millrace.jobs WHERE name = '${JOB}'`,
  );
  const [state, error, withheld] = row ?? [];
  if (error !== null && error !== undefined) throw new Error(`${query} is ${state}: ${error}`);
  if (Number(withheld ?? 0) > 0) throw new Error(`${query} withholds ${withheld} rows`);
}

/** Bytes of its operators' state. */
export async function stateBytes(client: pg.Client): Promise<number> {
  const [row] = await textRows(
    client,
    `SELECT coalesce(sum(state_bytes), 0) FROM millrace.operators WHERE job = '${JOB}'`,
  );
  return Number(row?.[0] ?? 0);
}

/** Rows that the job gave out: those of a view, or those that went to the blackhole. */
export async function resultRowCount(client: pg.Client): Promise<number | null> {
  const [row] = await textRows(client, `SELECT row_count FROM millrace.jobs WHERE name = '${JOB}'`);
  return row?.[0] === null || row?.[0] === undefined ? null : Number(row[0]);
}
