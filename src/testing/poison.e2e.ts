/** Dead letters of a file full of poison: all are there, exactly as they came, and the same after kill -9 and DROP. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

const RECORDS = 20_000;
const KEPT_BYTES = 1024;
const SOURCES =
  "SELECT rows_read, rows_rejected, rows_decoded FROM millrace.sources WHERE name = 's'";
const LETTERS = `SELECT id, at, split, position, reason, sqlstate, record_offset, encode(raw, 'hex'), is_cut
  FROM millrace.dead_letters WHERE source = 's' AND kind = 'rejected' ORDER BY id`;

/** Every 50th record is poison, of four sorts by turns; one of them is longer than what is kept. */
function record(n: number): string {
  if (n % 50 !== 0) return `{"k":${n},"s":"record ${n}"}`;
  const sort = (n / 50) % 4;
  if (sort === 0) return `{"k":${n},"s":"record ${n}"`;
  if (sort === 1) return `{"k":"x${n}"}`;
  return sort === 2 ? `nothing ${n}` : `{"k":${n},"s":"${'long '.repeat(400)}`;
}

test('letters are exact, many in an epoch, the same after kill -9, and without their source', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-poison-'));
  const records = Array.from({ length: RECORDS }, (_, n) => record(n));
  writeFileSync(join(directory, 'a.ndjson'), `${records.join('\n')}\n`);
  const args = ['--file-root', directory, '--dead-letter-record-size', '1KB'];
  const tuning = { checkpointIntervalMs: 3_600_000 };
  const server = await ServerProcess.start({ args, tuning });
  try {
    let sql = await SqlClient.connect(server.url);
    await sql.query(`CREATE SOURCE s (k int, s text)
      WITH (connector = 'file', path = '${join(directory, 'a.ndjson')}')`);
    await sql.query('CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(k) AS k FROM s');
    await sql.awaitValue("SELECT is_ended FROM millrace.sources WHERE name = 's'", 't');
    const counters = (await sql.query(SOURCES)).rows;
    const poison = RECORDS / 50;
    assert.deepEqual(counters, [[RECORDS, poison, RECORDS - poison].map(String)]);
    const letters = (await sql.query(LETTERS)).rows;
    assert.equal(letters.length, poison);
    for (const [i, letter] of letters.entries()) {
      const bytes = Buffer.from(record(50 * i));
      const [hex, isCut] = letter.slice(-2);
      assert.equal(Buffer.from(hex!, 'hex').toString(), bytes.subarray(0, KEPT_BYTES).toString());
      assert.equal(isCut, bytes.length > KEPT_BYTES ? 't' : 'f');
    }
    const view = (await sql.query('SELECT n, k FROM v')).rows;
    await sql.close();
    await server.kill();
    await server.restart();
    sql = await SqlClient.connect(server.url);
    assert.deepEqual((await sql.query(LETTERS)).rows, letters);
    assert.deepEqual((await sql.query(SOURCES)).rows, counters);
    assert.deepEqual((await sql.query('SELECT n, k FROM v')).rows, view);
    // They outlive their source, whose records are gone.
    await sql.query('DROP SOURCE s CASCADE');
    await sql.awaitValue('SELECT last_checkpoint_epoch > 0 FROM millrace.epochs', 't');
    await sql.close();
    rmSync(join(directory, 'a.ndjson'));
    await server.kill();
    await server.restart();
    sql = await SqlClient.connect(server.url);
    const kept = LETTERS.replace("source = 's' AND", '');
    assert.deepEqual((await sql.query(kept)).rows, letters);
    await sql.close();
  } finally {
    await server.dispose();
    rmSync(directory, { recursive: true, force: true });
  }
});
