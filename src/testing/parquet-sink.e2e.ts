/** Parquet files of a sink whose server is killed: another reader finds each change once, in files that are whole. */

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { parquetReadObjects } from 'hyparquet';
import { Random, systemRandom } from '../base/random.ts';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

const SEED = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());
const KILLS = 2;
const CHECKPOINT_MS = 150;

/** Net weights of the changes, by group and count. */
async function folded(directory: string): Promise<Map<string, number>> {
  const net = new Map<string, number>();
  for (const name of readdirSync(directory).sort()) {
    if (!name.endsWith('.parquet')) continue;
    const bytes = readFileSync(join(directory, name));
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    for (const { weight, g, n } of await parquetReadObjects({ file })) {
      const row = `${g} ${n}`;
      const sum = (net.get(row) ?? 0) + Number(weight);
      if (sum === 0) net.delete(row);
      else net.set(row, sum);
    }
  }
  return net;
}

test('kill -9 while files are written: their changes add up to the view', async (t) => {
  t.diagnostic(`MILLRACE_TEST_SEED=${SEED}`);
  const random = new Random(SEED);
  const root = mkdtempSync(join(tmpdir(), 'millrace-parquet-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const server = await ServerProcess.start({
    args: ['--file-root', root],
    tuning: { checkpointIntervalMs: CHECKPOINT_MS },
  });
  t.after(() => server.dispose());
  const sql = await SqlClient.connect(server.url);
  await sql.query('CREATE TABLE facts (id int)');
  await sql.query(
    'CREATE MATERIALIZED VIEW groups AS SELECT id % 50 AS g, count(*) AS n FROM facts GROUP BY 1',
  );
  await sql.query(
    "CREATE SINK files FROM groups WITH (connector = 'file', path = 'out') FORMAT PLAIN ENCODE PARQUET",
  );
  for (let kill = 0; kill < KILLS; kill += 1) {
    for (let i = 0; i < 8; i += 1) {
      await sql.query(
        `INSERT INTO facts SELECT g FROM generate_series(1, ${random.between(1, 200)}) AS g`,
      );
      await sql.query(`DELETE FROM facts WHERE id = ${random.between(1, 50)}`);
      await delay(random.below(60));
    }
    await server.killAndRestart(sql);
  }
  const { rows } = await sql.query('SELECT g, n FROM groups ORDER BY g');
  await sql.close();
  // The last checkpoint is that of the stop.
  await server.stop();
  const expected = new Map(rows.map(([g, n]) => [`${g} ${n}`, 1]));
  const net = await folded(join(root, 'out'));
  assert.deepEqual([...net].sort(), [...expected].sort());
  assert.ok(readdirSync(join(root, 'out')).length > 2, 'several files were written');
});
