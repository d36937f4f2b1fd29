/** A full disk: writes fail with 53100, reads go on, it heals when space returns, and nothing that was acknowledged is lost. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ServerProcess } from './server-process.ts';
import { SqlClient, serverError } from './sql-client.ts';

const VOLUME_MB = 64;
const HEAL_MS_MAX = 5000;

/** A small volume of its own; null, with the reason printed, where none can be had. */
function smallVolume(context: TestContext): string | null {
  const directory = fs.mkdtempSync(join(tmpdir(), 'millrace-full-'));
  context.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  try {
    const options = ['-t', 'tmpfs', '-o', `size=${VOLUME_MB}m`, 'tmpfs', directory];
    execFileSync('mount', options, { stdio: 'pipe' });
  } catch (error) {
    context.skip(`no small volume can be mounted here: ${String(error).split('\n')[0]}`);
    return null;
  }
  context.after(() => execFileSync('umount', ['-l', directory]));
  return directory;
}

/** Takes all the space there is. */
function fill(file: string): void {
  const fd = fs.openSync(file, 'a');
  try {
    for (let size = 2 ** 20; size >= 512; size /= 2) writeUntilFull(fd, Buffer.alloc(size, 1));
  } finally {
    fs.closeSync(fd);
  }
}

function writeUntilFull(fd: number, bytes: Buffer): void {
  for (;;) {
    try {
      fs.writeSync(fd, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return;
      throw error;
    }
  }
}

/** Inserts rows, and knows which were acknowledged. */
class Writer {
  readonly #sql: SqlClient;
  count = 0;

  constructor(sql: SqlClient) {
    this.#sql = sql;
  }

  async insert(rows: number): Promise<void> {
    const first = this.count + 1;
    const query = `SELECT i, repeat('x', 200) FROM generate_series(${first}, ${first + rows - 1}) AS s(i)`;
    await this.#sql.query(`INSERT INTO t ${query}`);
    this.count += rows;
  }

  /** The SQLSTATE that the insert fails with. */
  async refusal(rows: number): Promise<string | null> {
    try {
      await this.insert(rows);
      return null;
    } catch (error) {
      return serverError(error)?.code ?? String(error);
    }
  }

  async check(): Promise<void> {
    const { rows } = await this.#sql.query('SELECT count(*), sum(id) FROM t');
    const { count } = this;
    assert.deepEqual(rows, [[String(count), String((count * (count + 1)) / 2)]]);
    assert.deepEqual((await this.#sql.query('SELECT n, s FROM v')).rows, rows);
  }

  /** Tries until it works. */
  async heal(): Promise<number> {
    const startMs = performance.now();
    for (;;) {
      const code = await this.refusal(1);
      if (code === null) return performance.now() - startMs;
      assert.equal(code, '53100');
      assert.ok(performance.now() - startMs < HEAL_MS_MAX, 'it heals without a restart');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

test('a full disk refuses writes and nothing else', async (context) => {
  const volume = smallVolume(context);
  if (volume === null) return;
  const filler = join(volume, 'filler');
  const server = await ServerProcess.start({
    dataDir: join(volume, 'data'),
    args: ['--log-level', 'warn'],
    tuning: { checkpointIntervalMs: 500 },
  });
  context.after(() => server.dispose());
  let sql = await SqlClient.connect(server.url);
  const writer = new Writer(sql);
  await sql.query('CREATE TABLE t (id int PRIMARY KEY, v text)');
  await sql.query('CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(id) AS s FROM t');
  await writer.insert(100);

  for (let round = 0; round < 3; round++) {
    fill(filler);
    // Some bytes may still fit into the last page of the log.
    const codes: (string | null)[] = [];
    for (let i = 0; i < 10; i++) codes.push(await writer.refusal(100));
    assert.equal(codes.at(-1), '53100', `answers: ${codes}`);
    assert.deepEqual(
      codes.filter((code) => code !== null && code !== '53100'),
      [],
    );
    await writer.check();
    const ddl = await sql.query('CREATE TABLE other (a int)').catch((error) => serverError(error));
    assert.equal((ddl as { code?: string }).code, '53100');
    // Checkpoints are due meanwhile, and fail.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await writer.check();
    fs.rmSync(filler);
    context.diagnostic(`heals after ${(await writer.heal()).toFixed()} ms`);
    await writer.insert(100);
    await writer.check();
    await sql.query('CHECKPOINT');
  }

  // Killed while it is full: what was acknowledged is there, also while there is no space.
  fill(filler);
  while ((await writer.refusal(50)) === null);
  await server.kill();
  const { count } = writer;
  fs.rmSync(filler);
  await server.restart();
  await sql.close();
  sql = await SqlClient.connect(server.url);
  const after = new Writer(sql);
  after.count = count;
  await after.check();
  await after.insert(10);
  await after.check();
  await sql.close();
  await server.stop();
});
