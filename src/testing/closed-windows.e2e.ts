/** State of closed windows is freed: over 1,000 windows the operators hold no more rows and bytes than over the first 200. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

const WINDOWS_FIRST = 200;
const WINDOWS_ALL = 1200;
/** What may differ by the moment at which one looks. */
const ROWS_SLACK = 40;
const BYTES_SLACK = 64 * 1024;

const GROUPED = 'SELECT window_start, window_end, k, count(*) AS n, sum(v) AS s';
const VIEWS: Readonly<Record<string, string>> = {
  tumble: `${GROUPED} FROM TUMBLE(ticks, ts, INTERVAL '10 seconds') GROUP BY window_start, window_end, k`,
  hop: `${GROUPED} FROM HOP(ticks, ts, INTERVAL '5 seconds', INTERVAL '20 seconds') GROUP BY window_start, window_end, k`,
  session: `${GROUPED} FROM SESSION(ticks PARTITION BY k, ts, INTERVAL '2 seconds') GROUP BY window_start, window_end, k`,
  closing: `${GROUPED} FROM TUMBLE(ticks, ts, INTERVAL '10 seconds') GROUP BY window_start, window_end, k EMIT ON WINDOW CLOSE`,
  closing_session: `${GROUPED} FROM SESSION(ticks PARTITION BY k, ts, INTERVAL '2 seconds') GROUP BY window_start, window_end, k EMIT ON WINDOW CLOSE`,
};

interface State {
  readonly rows: number;
  readonly bytes: number;
}

/** A window's rows: ten keys, one after the other, then a second of silence that ends every session. */
async function fill(sql: SqlClient, from: number, to: number): Promise<void> {
  for (let window = from; window < to; window += 1) {
    await sql.query(
      `INSERT INTO ticks SELECT TIMESTAMP '2024-01-01' + (${window} * 10 + n / 10.0) * INTERVAL '1 second', n % 10, n FROM generate_series(0, 29) AS s(n)`,
    );
  }
}

async function states(sql: SqlClient): Promise<Map<string, State>> {
  const { rows } = await sql.query(
    'SELECT job, sum(rows), sum(state_bytes) FROM millrace.operators GROUP BY job',
  );
  return new Map(
    rows.map(([job, count, bytes]) => [job!, { rows: Number(count), bytes: Number(bytes) }]),
  );
}

test('the state of closed windows is freed', async (context) => {
  const server = await ServerProcess.start();
  context.after(() => server.dispose());
  const sql = await SqlClient.connect(server.url);
  context.after(() => sql.close());
  await sql.query(
    "CREATE TABLE ticks (ts timestamp, k int, v bigint, WATERMARK FOR ts AS ts - INTERVAL '1 second')",
  );
  for (const [name, query] of Object.entries(VIEWS)) {
    await sql.query(`CREATE MATERIALIZED VIEW ${name} AS ${query}`);
  }
  await fill(sql, 0, WINDOWS_FIRST);
  const before = await states(sql);
  await fill(sql, WINDOWS_FIRST, WINDOWS_ALL);
  const after = await states(sql);
  for (const name of Object.keys(VIEWS)) {
    const first = before.get(name)!;
    const last = after.get(name)!;
    context.diagnostic(
      `${name}: ${first.rows} rows, ${first.bytes} bytes; then ${last.rows} rows, ${last.bytes} bytes`,
    );
    assert.ok(first.bytes > 0, `${name} has state`);
    assert.ok(
      last.rows <= first.rows + ROWS_SLACK,
      `${name} holds ${last.rows} rows, ${first.rows} before`,
    );
    assert.ok(
      last.bytes <= first.bytes + BYTES_SLACK,
      `${name} holds ${last.bytes} bytes, ${first.bytes} before`,
    );
  }
  const windows = await sql.query('SELECT count(DISTINCT window_start), sum(n) FROM tumble');
  assert.deepEqual(windows.rows, [[String(WINDOWS_ALL), String(30 * WINDOWS_ALL)]]);
});
