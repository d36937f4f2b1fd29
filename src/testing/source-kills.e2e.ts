/**
 * Sources whose end is known, killed with -9 while they are read: after every restart they go on where the last epoch that
 * was answered left them, and in the end each record has counted once.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { polled } from './polled.ts';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

const ROWS = 2_000_000;
const POLL_MS = 2;
const WITHIN_MS = 120_000;
/** Shares of the rows at which the server is killed. */
const KILLS_AT = [0.1, 0.5];

/** How the source is made; `root` holds the files. */
const SOURCES: readonly (readonly [name: string, options: string])[] = [
  ['a bounded file', "connector = 'file', path = 'rows.csv'"],
  ['a gzip file', "connector = 'file', path = 'rows.csv.gz'"],
  [
    'datagen',
    `connector = 'datagen', rows.per.second = 500000, number.of.rows = ${ROWS}, fields.id.kind = 'sequence', fields.id.start = 1`,
  ],
];

for (const [name, options] of SOURCES) {
  test(`${name} that is killed midway counts every record once`, async () => {
    const root = mkdtempSync(join(tmpdir(), 'millrace-source-'));
    if (name !== 'datagen') writeRows(root);
    const server = await ServerProcess.start({ args: ['--file-root', root] });
    try {
      const format = name === 'datagen' ? '' : 'FORMAT PLAIN ENCODE CSV (header = false)';
      const client = await SqlClient.connect(server.url);
      await client.query(`CREATE SOURCE s (id bigint) WITH (${options}) ${format}`);
      await client.query(
        'CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(id) AS s, max(id) AS last FROM s',
      );
      let killsMidway = 0;
      for (const share of KILLS_AT) {
        // However fast the machine is, one kill at least comes before the end.
        if ((await reached(client, share * ROWS)) < ROWS) killsMidway += 1;
        await server.killAndRestart(client);
      }
      assert.ok(killsMidway > 0, 'all rows had come before the first kill');
      assert.equal(await reached(client, ROWS), ROWS);
      const sum = (ROWS * (ROWS + 1)) / 2;
      const { rows } = await client.query('SELECT * FROM v');
      assert.deepEqual(rows, [[String(ROWS), String(sum), String(ROWS)]]);
      const told = await client.query(
        'SELECT rows_read, rows_rejected, is_ended FROM millrace.sources',
      );
      assert.deepEqual(told.rows, [[String(ROWS), '0', 't']]);
      await client.close();
    } finally {
      await server.dispose();
      rmSync(root, { recursive: true, force: true });
    }
  });
}

function writeRows(root: string): void {
  const lines: string[] = [];
  for (let id = 1; id <= ROWS; id++) lines.push(`${id}\n`);
  const text = lines.join('');
  writeFileSync(join(root, 'rows.csv'), text);
  writeFileSync(join(root, 'rows.csv.gz'), gzipSync(text, { level: 1 }));
}

/** Waits until at least so many rows are in the view; gives how many. */
async function reached(client: SqlClient, rows: number): Promise<number> {
  const count = async () => Number(await client.value('SELECT n FROM v'));
  const n = await polled(count, (found) => found >= rows, WITHIN_MS, POLL_MS);
  assert.ok(n >= rows, `only ${n} of ${rows} rows came`);
  return n;
}
