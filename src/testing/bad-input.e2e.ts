/**
 * Bad input that SQL text alone cannot show, each with what holds afterwards: clients that die in the middle of
 * COPY, broken bytes, broken frames, and a full disk, where this machine can make one.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { polled } from './polled.ts';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

let server: ServerProcess;
let client: SqlClient;

before(async () => {
  server = await ServerProcess.start({ dataDir: ':memory:', args: ['--log-level', 'error'] });
  client = await SqlClient.connect(server.url);
  await client.query('CREATE TABLE t (id int PRIMARY KEY, s text)');
  await client.query('CREATE MATERIALIZED VIEW m AS SELECT count(*) AS c FROM t');
});
after(async () => {
  await client.close();
  await server.dispose();
});

async function assertWell(rowCount: number): Promise<void> {
  const other = await SqlClient.connect(server.url);
  assert.equal(await other.value('SELECT c FROM m'), String(rowCount));
  assert.equal(await other.value('SELECT count(*) FROM t'), String(rowCount));
  await other.close();
}

function rawSocket(): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => resolve(socket));
    socket.once('error', reject);
  });
}

test('a client that is killed in the middle of COPY leaves nothing', async () => {
  const dying = new pg.Client({ connectionString: server.url });
  dying.on('error', () => undefined);
  await dying.connect();
  const started = new Promise<void>((resolve) => {
    dying.query({
      submit: (connection: pg.Connection) =>
        (connection as unknown as { query(text: string): void }).query('COPY t FROM STDIN'),
      handleCopyInResponse: (connection: { sendCopyFromChunk(chunk: Buffer): void }) => {
        connection.sendCopyFromChunk(Buffer.from('1\tone\n2\ttwo\n3\tth'));
        resolve();
      },
      handleError: () => undefined,
    } as unknown as pg.Submittable);
  });
  await started;
  (dying as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
  await assertWell(0);
  // Its lock is gone, too.
  await client.query(`INSERT INTO t VALUES (1, 'x')`);
  await client.query('DELETE FROM t');
});

test('a bad line of COPY refuses all of it, with its line', async () => {
  await assert.rejects(client.copyIn('COPY t FROM STDIN', '1\ta\nx\tb\n'), {
    code: '22P02',
    message: 'invalid input syntax for type integer: "x"',
    where: /COPY t, line 2/,
  });
  await assert.rejects(client.copyIn('COPY t FROM STDIN', '1\ta\tb\n'), {
    code: '22P04',
    message: 'extra data after last expected column',
  });
  await assert.rejects(client.copyIn('COPY t FROM STDIN', '1\n'), {
    code: '22P04',
    message: 'missing data for column "s"',
  });
  await assert.rejects(client.copyIn('COPY t FROM STDIN', '1\ta\n1\tb\n'), { code: '23505' });
  await assertWell(0);
  assert.equal(await client.copyIn('COPY t FROM STDIN', '1\ta\\tb\n2\t\\N\n'), 2);
  assert.deepEqual((await client.query('SELECT * FROM t ORDER BY id')).rows, [
    ['1', 'a\tb'],
    ['2', null],
  ]);
  await client.query('DELETE FROM t');
});

test('NUL and invalid UTF-8 are refused', async () => {
  await assert.rejects(client.copyIn('COPY t FROM STDIN', '1\ta\0b\n'), { code: '22021' });
  await assert.rejects(client.query(`SELECT 'a' || chr(0)`), { code: '54000' });
  const parameters = new pg.Client({ connectionString: server.url });
  await parameters.connect();
  await assert.rejects(parameters.query('SELECT $1::text', ['a\0b']), { code: '22021' });
  assert.deepEqual((await parameters.query('SELECT $1::text AS x', ['a'])).rows, [{ x: 'a' }]);
  await parameters.end();
  await assertWell(0);
});

test('broken frames and silence cost only their own connection', async () => {
  for (const bytes of [
    Buffer.from([0x7f, 0xff, 0xff, 0xff]),
    Buffer.from([0, 0, 0, 9, 0, 3, 0, 0, 1]),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.from([0, 0]),
  ]) {
    const socket = await rawSocket();
    socket.on('error', () => undefined);
    socket.write(bytes);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await assertWell(0);
    socket.destroy();
  }
});

test('statements nested too deeply and very long ones', async () => {
  const deep = `SELECT ${'('.repeat(5000)}1${')'.repeat(5000)}`;
  const answer = await client.query(deep).catch((error) => error.code);
  assert.ok(answer === '54001' || answer.rows?.[0]?.[0] === '1', String(answer));
  const long = `SELECT '${'x'.repeat(1024 * 1024)}' AS x`;
  assert.equal((await client.value(long))?.length, 1024 * 1024);
  const rows = Array.from({ length: 5000 }, (_, i) => `(${i}, 'row ${i}')`).join(', ');
  assert.equal((await client.query(`INSERT INTO t VALUES ${rows}`)).rowCount, 5000);
  await assertWell(5000);
  await client.query('DELETE FROM t');
});

/** A file system of 16 MB of our own, or null where this process may not mount one. */
function smallDisk(): string | null {
  const path = mkdtempSync(join(tmpdir(), 'millrace-full-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', path]);
  if (mounted.status === 0) return path;
  rmSync(path, { recursive: true, force: true });
  return null;
}

const disk = smallDisk();
after(() => {
  if (disk === null) return;
  spawnSync('umount', [disk]);
  rmSync(disk, { recursive: true, force: true });
});

test('a full disk: writes fail with 53100, reads go on, and it heals', {
  skip: disk === null ? 'this process may not mount a small file system' : false,
  timeout: 120_000,
}, async () => {
  const small = await ServerProcess.start({ dataDir: join(disk!, 'data') });
  after(() => small.dispose());
  const writer = await SqlClient.connect(small.url);
  await writer.query('CREATE TABLE t (id int PRIMARY KEY, s text)');
  await writer.query('CREATE MATERIALIZED VIEW m AS SELECT count(*) AS c FROM t');
  await writer.query(`INSERT INTO t VALUES (1, 'before')`);
  const ballast = join(disk!, 'ballast');
  const left = 512 * 1024;
  const free = Number(
    spawnSync('df', ['--output=avail', '-B1', disk!]).stdout.toString().split('\n')[1],
  );
  writeFileSync(ballast, Buffer.alloc(Math.max(0, free - left)));
  let known = 1;
  let failure: unknown = null;
  while (failure === null && known < 1000) {
    await writer
      .query(`INSERT INTO t VALUES (${known + 1}, repeat('x', 65536))`)
      .then(() => void known++)
      .catch((error) => {
        failure = error;
      });
  }
  assert.equal((failure as { code?: string }).code, '53100', String(failure));
  assert.equal(await writer.value('SELECT c FROM m'), String(known));
  rmSync(ballast);
  const insert = () =>
    writer.query(`INSERT INTO t VALUES (0, 'after')`).then(
      () => true,
      () => false,
    );
  const healed = await polled(insert, Boolean);
  assert.ok(healed, 'writes go on once there is space');
  assert.equal(await writer.value('SELECT c FROM m'), String(known + 1));
  await small.kill();
  await small.restart();
  const again = await SqlClient.connect(small.url);
  assert.equal(await again.value('SELECT count(*) FROM t'), String(known + 1));
  await again.close();
});
