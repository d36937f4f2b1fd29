/** EMIT PERIODIC from outside: what a file sink and SUBSCRIBE are sent, through kill -9 (semantics.md rule 22). */

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { polled } from './polled.ts';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

const PERIOD_MS = 400;

interface Line {
  readonly weight: number;
  readonly epoch: number;
  readonly time: string;
  readonly k: number;
  readonly n: number;
}

function temporaryDirectory(context: TestContext): string {
  const directory = fs.mkdtempSync(join(tmpdir(), 'millrace-periodic-'));
  context.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Whole lines of a sink's file. */
function linesOf(file: string): Line[] {
  const text = fs.readFileSync(file, 'utf8');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

/** The rows that the changes add up to. */
function folded(lines: readonly Line[]): string[] {
  const rows = new Map<string, number>();
  for (const { k, n, weight } of lines) {
    const row = `${k} ${n}`;
    const count = (rows.get(row) ?? 0) + weight;
    assert.ok(count === 0 || count === 1, `row ${row} is there ${count} times`);
    rows.set(row, count);
  }
  return [...rows].filter(([, count]) => count !== 0).map(([row]) => row);
}

/** Each change is net, in order, and a period after the one before. */
function assertThrottled(lines: readonly Line[]): void {
  let beforeMs = Number.NEGATIVE_INFINITY;
  for (const [epoch, change] of Map.groupBy(lines, (line) => line.epoch)) {
    const signs = change.map(({ weight }) => Math.sign(weight));
    assert.deepEqual(signs, signs.toSorted(), `epoch ${epoch}: retractions come first`);
    const rows = change.map(({ k, n }) => `${k} ${n}`);
    assert.equal(new Set(rows).size, rows.length, `epoch ${epoch}: a row comes once`);
    const atMs = Date.parse(change[0]!.time);
    assert.ok(atMs - beforeMs >= PERIOD_MS, `epoch ${epoch} came ${atMs - beforeMs} ms later`);
    beforeMs = atMs;
  }
}

test('a file sink has each period once, through kill -9, and the last change by itself', async (context) => {
  const directory = temporaryDirectory(context);
  const server = await ServerProcess.start({
    args: ['--file-root', directory],
    tuning: { checkpointIntervalMs: 150 },
  });
  context.after(() => server.dispose());
  const sql = await SqlClient.connect(server.url);
  await sql.query('CREATE TABLE t (k int, v int)');
  await sql.query(
    `CREATE MATERIALIZED VIEW m AS SELECT k, count(*) AS n FROM t GROUP BY k EMIT PERIODIC INTERVAL '${PERIOD_MS} milliseconds'`,
  );
  const file = join(directory, 'out.ndjson');
  await sql.query(
    `CREATE SINK s FROM m WITH (connector = 'file', path = '${file}') FORMAT PLAIN ENCODE JSON`,
  );
  for (let kill = 0; kill < 3; kill++) {
    const before = linesOf(file).length;
    for (let i = 0; linesOf(file).length < before + 6; i++) {
      await sql.query(`INSERT INTO t VALUES (${i % 3}, ${i}), (${kill}, ${i})`);
    }
    // Something is held back here as a rule.
    await sql.query('INSERT INTO t VALUES (7, 7)');
    await server.killAndRestart(sql);
  }
  const { rows } = await sql.query('SELECT k, n FROM m');
  const expected = rows.map((row) => row.join(' ')).sort();
  const shown = await polled(
    () => folded(linesOf(file)).sort(),
    (found) => found.join() === expected.join(),
  );
  assert.deepEqual(shown, expected);
  assertThrottled(linesOf(file));
  await sql.close();
});

test('SUBSCRIBE gives one net change a period, and the last one by itself', async (context) => {
  const server = await ServerProcess.start({ dataDir: ':memory:' });
  context.after(() => server.dispose());
  const sql = await SqlClient.connect(server.url);
  const subscriber = await SqlClient.connect(server.url);
  await sql.query('CREATE TABLE t (k int, v int)');
  await sql.query(
    "CREATE MATERIALIZED VIEW m AS SELECT k, count(*) AS n FROM t GROUP BY k EMIT PERIODIC INTERVAL '1 second'",
  );
  await sql.query('INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)');
  await subscriber.query('BEGIN; DECLARE c CURSOR FOR SUBSCRIBE m');
  const snapshot = await subscriber.query('FETCH 3 FROM c');
  assert.deepEqual(snapshot.rows.map(([, ...row]) => row.join(' ')).sort(), [
    '1 1 1',
    '1 2 1',
    '1 3 1',
  ]);
  const startMs = performance.now();
  for (let i = 0; i < 20; i++) await sql.query('INSERT INTO t VALUES (3, 0), (1, 0), (9, 0)');
  await sql.query('DELETE FROM t WHERE k = 9');
  await sql.query('UPDATE t SET k = 2 WHERE k = 2');
  const { rows } = await subscriber.query('FETCH 4 FROM c');
  assert.ok(performance.now() - startMs >= 900, 'the period was waited for');
  assert.equal(new Set(rows.map(([epoch]) => epoch)).size, 1, 'one change');
  assert.deepEqual(
    rows.map(([, ...row]) => row.join(' ')),
    ['-1 1 1', '-1 3 1', '1 1 21', '1 3 21'],
  );
  await subscriber.query('ROLLBACK');
  await subscriber.close();
  await sql.close();
});
