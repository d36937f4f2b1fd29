/** A full disk: writes fail with 53100, reads go on, it heals when space returns, and nothing that was acknowledged is lost. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { polled } from './polled.ts';
import { ServerProcess } from './server-process.ts';
import { SqlClient, serverError } from './sql-client.ts';

const VOLUME_MB = 64;
const HEAL_MS_MAX = 5000;

/** A small volume of its own; null, with the reason printed, where none can be had. */
function smallVolume(context: TestContext): string | null {
  const directory = fs.mkdtempSync(join(tmpdir(), 'millrace-full-'));
  try {
    const options = ['-t', 'tmpfs', '-o', `size=${VOLUME_MB}m`, 'tmpfs', directory];
    execFileSync('mount', options, { stdio: 'pipe' });
  } catch (error) {
    fs.rmdirSync(directory);
    context.skip(`no small volume can be mounted here: ${String(error).split('\n')[0]}`);
    return null;
  }
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
    const code = await polled(
      () => this.refusal(1),
      (answer) => answer !== '53100',
      HEAL_MS_MAX,
    );
    assert.equal(code, null, `it heals without a restart: ${code}`);
    return performance.now() - startMs;
  }
}

/** DDL, until one is refused: a small one may still fit. */
async function ddlRefusal(sql: SqlClient, round: number): Promise<string | null> {
  for (let i = 0; i < 20; i++) {
    try {
      await sql.query(`CREATE TABLE other_${round}_${i} (a int)`);
    } catch (error) {
      return serverError(error)?.code ?? String(error);
    }
  }
  return null;
}

/** Full, refused, emptied, healed. */
async function fillAndHeal(sql: SqlClient, writer: Writer, filler: string, round: number) {
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
  assert.equal(await ddlRefusal(sql, round), '53100');
  // Checkpoints are due meanwhile, and fail.
  await new Promise((resolve) => setTimeout(resolve, 1200));
  await writer.check();
  fs.rmSync(filler);
  const healMs = await writer.heal();
  await writer.insert(100);
  await writer.check();
  await sql.query('CHECKPOINT');
  return healMs;
}

/** Killed while it is full: what was acknowledged is there. */
async function killWhileFull(server: ServerProcess, writer: Writer, filler: string) {
  fill(filler);
  for (let code: string | null = null; code === null; ) code = await writer.refusal(50);
  await server.kill();
  fs.rmSync(filler);
  await server.restart();
  const sql = await SqlClient.connect(server.url);
  const after = new Writer(sql);
  after.count = writer.count;
  await after.check();
  await after.insert(10);
  await after.check();
  await sql.close();
  await server.stop();
}

test('a full disk refuses writes and nothing else', async (context) => {
  const volume = smallVolume(context);
  if (volume === null) return;
  const filler = join(volume, 'filler');
  const server = ServerProcess.prepare({
    dataDir: join(volume, 'data'),
    args: ['--log-level', 'warn'],
    tuning: { checkpointIntervalMs: 500 },
  });
  try {
    await server.restart();
    const sql = await SqlClient.connect(server.url);
    const writer = new Writer(sql);
    await sql.query('CREATE TABLE t (id int PRIMARY KEY, v text)');
    await sql.query('CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(id) AS s FROM t');
    await writer.insert(100);
    for (let round = 0; round < 3; round++) {
      const healMs = await fillAndHeal(sql, writer, filler, round);
      context.diagnostic(`heals after ${healMs.toFixed()} ms`);
    }
    await killWhileFull(server, writer, filler);
  } finally {
    await server.dispose();
    execFileSync('umount', ['-l', volume]);
    fs.rmdirSync(volume);
  }
});
