/**
 * Is the incremental answer right? A small run is compared with a batch answer before anything is timed: PostgreSQL's
 * (PGlite), or the server's own SELECT over tables that hold the same rows.
 */

import type pg from 'pg';
import { textRows } from './measured-server.ts';
import {
  type EventKind,
  FILL_SIDE_INPUT,
  type NexmarkQuery,
  queryText,
  schemaStatements,
  streamsOf,
  type Volume,
} from './nexmark-cases.ts';
import type { NexmarkInput } from './nexmark-input.ts';
import { createSources, dropSources, JOB, startJob, waitForEnd } from './nexmark-job.ts';
import { type NexmarkOracle, oracleText } from './nexmark-oracle.ts';
import { hashOfQuery, type ResultHash } from './result-hash.ts';

/** q12 windows by the time of processing: its counts summed up per bidder do not depend on it. */
const SUMS_OF_Q12 = `SELECT bidder, sum(bid_count)::bigint FROM ${JOB} GROUP BY bidder`;
const SUMS_OF_BIDS = 'SELECT bidder, count(*) FROM bid GROUP BY bidder';

/** Throws where the view differs from the batch answer; tells who gave that. */
export async function checkQuery(
  client: pg.Client,
  query: NexmarkQuery,
  oracle: NexmarkOracle | null,
  input: NexmarkInput,
  volume: Volume,
): Promise<'batch' | 'pglite'> {
  await createSources(client, query, input, volume);
  await startJob(client, query, 'view');
  const streams = streamsOf(query);
  for (const stream of streams) {
    await client.query(`CREATE MATERIALIZED VIEW ${stream}_rows AS SELECT * FROM ${stream}`);
  }
  await waitForEnd(client, query, input, volume);
  const view = await hashOfQuery(client, query === 'q12' ? SUMS_OF_Q12 : `SELECT * FROM ${JOB}`);
  const expected = oracle === null ? null : oracleText(query);
  const batch =
    oracle === null || (expected === null && query !== 'q12')
      ? await batchAnswer(client, query, streams, volume)
      : await oracleAnswer(client, oracle, expected ?? SUMS_OF_BIDS, streams);
  await dropSources(client, input);
  const by = oracle === null ? 'batch' : 'pglite';
  if (view.toString() !== batch.toString()) {
    throw new Error(
      `${query}: the view differs from the answer of ${by}: ${view.rowCount} rows, hash ${view}, instead of ${batch.rowCount} rows, hash ${batch}`,
    );
  }
  return by;
}

/** The query as an ordinary SELECT over tables of the same names, in a schema of their own. */
async function batchAnswer(
  client: pg.Client,
  query: NexmarkQuery,
  streams: readonly EventKind[],
  volume: Volume,
): Promise<ResultHash> {
  await client.query('CREATE SCHEMA batch');
  await client.query('SET search_path = batch');
  for (const statement of schemaStatements(volume)) {
    const table = statement
      .replace('CREATE SOURCE', 'CREATE TABLE')
      .replace(/,\s*WATERMARK FOR .*$/s, ')');
    await client.query(table);
  }
  if (query === 'q13') await client.query(FILL_SIDE_INPUT);
  for (const stream of streams) {
    await client.query(`INSERT INTO ${stream} SELECT * FROM public.${stream}_rows`);
  }
  const result = await hashOfQuery(client, query === 'q12' ? SUMS_OF_BIDS : queryText(query));
  await client.query('RESET search_path');
  await client.query('DROP SCHEMA batch CASCADE');
  return result;
}

async function oracleAnswer(
  client: pg.Client,
  oracle: NexmarkOracle,
  text: string,
  streams: readonly EventKind[],
): Promise<ResultHash> {
  for (const stream of streams) {
    await oracle.fill(stream, await textRows(client, `SELECT * FROM ${stream}_rows`));
  }
  return oracle.hash(text);
}
