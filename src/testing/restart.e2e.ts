/** Starting, stopping, starting again: what a restart keeps, and each start that must be refused, with its one line. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ServerOptions, ServerProcess } from './server-process.ts';
import { SqlClient, serverError } from './sql-client.ts';

const LAUNCHER = fileURLToPath(new URL('../launch.mjs', import.meta.url));
const START_FLAGS = ['--port', '0', '--http-port', 'off'];

async function started(context: TestContext, options: ServerOptions = {}): Promise<ServerProcess> {
  const server = await ServerProcess.start(options);
  context.after(() => server.dispose());
  return server;
}

async function connected<T>(server: ServerProcess, work: (sql: SqlClient) => Promise<T>) {
  const connection = await SqlClient.connect(server.url);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

interface Refusal {
  readonly code: number | null;
  readonly stdout: string;
  /** Lines on stderr that are no log lines. */
  readonly lines: readonly string[];
}

/** Runs the launcher until it ends by itself. */
function run(flags: readonly string[], user?: number): Promise<Refusal> {
  return new Promise((resolve, reject) => {
    const identity = user === undefined ? {} : { uid: user, gid: user };
    const child = spawn(process.execPath, [LAUNCHER, ...flags], { ...identity, timeout: 60_000 });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (bytes) => {
      stdout += bytes;
    });
    child.stderr.on('data', (bytes) => {
      stderr += bytes;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{"level'));
      resolve({ code, stdout, lines });
    });
  });
}

async function assertRefused(flags: readonly string[], code: number, line: RegExp): Promise<void> {
  const refusal = await run(flags);
  assert.equal(refusal.stdout, '');
  assert.equal(refusal.lines.length, 1, refusal.lines.join('\n'));
  assert.match(refusal.lines[0] ?? '', line);
  assert.equal(refusal.code, code);
}

/** Hashes of all files but the lock, to see that a refusal touched nothing. */
function contentsOf(directory: string): Record<string, string> {
  const names = fs.readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => fs.statSync(join(directory, name)).isFile());
  const hash = (name: string) => fs.readFileSync(join(directory, name)).toString('latin1');
  return Object.fromEntries(
    files
      .filter((name) => !name.startsWith('lock'))
      .map((name) => [name, createHash('sha256').update(hash(name), 'latin1').digest('hex')]),
  );
}

/** A stopped server's directory with a table of 1000 rows and a view over it. */
async function stoppedDirectory(
  context: TestContext,
  end: 'stop' | 'kill',
): Promise<ServerProcess> {
  const server = await started(context);
  await connected(server, async (sql) => {
    await sql.query('CREATE TABLE t (id int PRIMARY KEY, v text)');
    await sql.query('CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM t');
    for (let i = 0; i < 10; i++) {
      await sql.query(
        `INSERT INTO t SELECT i, repeat('x', 20) FROM generate_series(${i * 100}, ${i * 100 + 99}) AS s(i)`,
      );
    }
  });
  await server[end]();
  return server;
}

function directoryFlags(server: ServerProcess): string[] {
  return [...START_FLAGS, '--data-dir', server.dataDir];
}

/** Flips one bit. */
function flip(file: string, offset: number): void {
  const bytes = fs.readFileSync(file);
  bytes[offset] = bytes[offset]! ^ 0x10;
  fs.writeFileSync(file, bytes);
}

function logFiles(server: ServerProcess): string[] {
  const directory = join(server.dataDir, 'log');
  return fs
    .readdirSync(directory)
    .sort()
    .map((name) => join(directory, name));
}

test('SIGTERM: exit 0, a checkpoint, a quick start with everything there', async (context) => {
  const server = await started(context);
  await connected(server, async (sql) => {
    await sql.query('CREATE TABLE t (g int, v int)');
    await sql.query(
      'CREATE MATERIALIZED VIEW v AS SELECT g, count(*) AS n, sum(v) AS s FROM t GROUP BY g',
    );
    await sql.query('INSERT INTO t SELECT i, i FROM generate_series(1, 100000) AS s(i)');
    assert.equal(await sql.value('SELECT count(*) FROM v'), '100000');
  });
  const stopMs = performance.now();
  await server.stop();
  assert.ok(performance.now() - stopMs < 10_000, 'stopped within 10 s');
  const startMs = performance.now();
  await server.restart();
  const elapsedMs = performance.now() - startMs;
  context.diagnostic(`start with 100,000 groups: ${elapsedMs.toFixed()} ms`);
  assert.ok(elapsedMs < 15_000, `took ${elapsedMs} ms`);
  assert.doesNotMatch(server.log, /replayed/, 'the checkpoint holds everything');
  await connected(server, async (sql) => {
    assert.deepEqual((await sql.query('SELECT count(*), sum(n), sum(s) FROM v')).rows, [
      ['100000', '100000', '5000050000'],
    ]);
    await sql.query('INSERT INTO t VALUES (7, 1)');
    assert.deepEqual((await sql.query('SELECT n, s FROM v WHERE g = 7')).rows, [['2', '8']]);
  });
});

test('SIGTERM under load: clients get 57P01 or an answer, and answers hold', async (context) => {
  const server = await started(context);
  await connected(server, (sql) => sql.query('CREATE TABLE t (client int, n int)'));
  const acknowledged = [0, 0, 0, 0];
  const clients = acknowledged.map(async (_, client) => {
    const sql = await SqlClient.connect(server.url);
    for (;;) {
      try {
        await sql.query(`INSERT INTO t VALUES (${client}, ${acknowledged[client]! + 1})`);
      } catch (error) {
        const code = serverError(error)?.code ?? 'lost';
        assert.ok(code === '57P01' || code === 'lost', String(error));
        return;
      }
      acknowledged[client]! += 1;
    }
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  await server.stop();
  await Promise.all(clients);
  await server.restart();
  await connected(server, async (sql) => {
    for (const [client, count] of acknowledged.entries()) {
      const rows = await sql.value(`SELECT count(*) FROM t WHERE client = ${client}`);
      assert.ok(
        Number(rows) === count || Number(rows) === count + 1,
        `${rows} rows of client ${client}, ${count} acknowledged`,
      );
    }
  });
});

test('a second signal stops at once', async (context) => {
  const server = await started(context);
  process.kill(server.pid, 'SIGTERM');
  process.kill(server.pid, 'SIGTERM');
  const startMs = performance.now();
  await server.exit();
  assert.ok(performance.now() - startMs < 5000);
});

test('a second server on one data directory: one line, exit 1', async (context) => {
  const server = await started(context);
  await assertRefused(
    directoryFlags(server),
    1,
    /^millrace: data directory .* is in use by another/,
  );
  await connected(server, (sql) => sql.query('CREATE TABLE t (a int)'));
});

test('a newer and an older format are refused, and nothing is touched', async (context) => {
  const server = await stoppedDirectory(context, 'stop');
  const file = join(server.dataDir, 'millrace.json');
  const format = JSON.parse(fs.readFileSync(file, 'utf8'));
  const refusals = [
    [99, /has format 99, this build reads 4; use a newer/],
    [2, /has format 2, this build reads 4; use the millrace that made it/],
  ] as const;
  for (const [number, line] of refusals) {
    fs.writeFileSync(file, JSON.stringify({ ...format, format: number }));
    const before = contentsOf(server.dataDir);
    await assertRefused(directoryFlags(server), 1, line);
    assert.deepEqual(contentsOf(server.dataDir), before);
  }
});

test('a damaged log is refused, and nothing is touched', async (context) => {
  const server = await stoppedDirectory(context, 'kill');
  const file = logFiles(server).at(-1)!;
  const whole = fs.readFileSync(file);
  const used = whole.findLastIndex((byte) => byte !== 0);
  for (const offset of [40, Math.floor(used / 2)]) {
    flip(file, offset);
    const before = contentsOf(server.dataDir);
    await assertRefused(directoryFlags(server), 1, /^millrace: the input log is damaged: /);
    assert.deepEqual(contentsOf(server.dataDir), before);
    fs.writeFileSync(file, whole);
  }
  await server.restart();
  await connected(server, async (sql) => assert.equal(await sql.value('SELECT n FROM n'), '1000'));
});

test('a damaged checkpoint is refused, and nothing is touched', async (context) => {
  const server = await stoppedDirectory(context, 'stop');
  const file = join(server.dataDir, 'catalog.db');
  const whole = fs.readFileSync(file);
  // Where rows are: pages of a memory, not SQLite's free space.
  for (const offset of [whole.indexOf('xxxxxxxxxxxx'), whole.lastIndexOf('xxxxxxxxxxxx')]) {
    assert.ok(offset > 0);
    flip(file, offset);
    const before = contentsOf(server.dataDir);
    await assertRefused(directoryFlags(server), 1, /^millrace: .*(damaged|malformed|checksum)/);
    assert.deepEqual(contentsOf(server.dataDir), before);
    fs.writeFileSync(file, whole);
  }
  fs.writeFileSync(file, whole.subarray(0, Math.floor(whole.length / 2)));
  await assertRefused(directoryFlags(server), 1, /^millrace: /);
  fs.writeFileSync(file, whole);
  await server.restart();
  await connected(server, async (sql) => assert.equal(await sql.value('SELECT n FROM n'), '1000'));
});

test('a torn tail of the log is cut: acknowledged rows stay', async (context) => {
  const server = await stoppedDirectory(context, 'kill');
  const file = logFiles(server).at(-1)!;
  const whole = fs.readFileSync(file);
  const torn = [
    Buffer.from('some bytes of a record that was not finished'),
    Buffer.alloc(4096),
    whole.subarray(64, 64 + 100),
  ];
  for (const tail of torn) {
    fs.appendFileSync(file, tail);
    await server.restart();
    await connected(server, async (sql) => {
      assert.equal(await sql.value('SELECT n FROM n'), '1000');
      assert.equal(await sql.value('SELECT count(*) FROM t'), '1000');
    });
    await server.kill();
  }
});

test('a port that is taken: one line, exit 1', async (context) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  context.after(() => other.close());
  const address = other.address();
  assert.ok(address !== null && typeof address === 'object');
  const memory = ['--data-dir', ':memory:'];
  const taken = new RegExp(`^millrace: .*${address.port} is (taken|in use): `);
  await assertRefused(['--port', String(address.port), '--http-port', 'off', ...memory], 1, taken);
  await assertRefused(['--port', '0', '--http-port', String(address.port), ...memory], 1, taken);
});

test('bad flags and values: one line, exit 2', async () => {
  const cases: [string[], RegExp][] = [
    [['--nosuch'], /--nosuch/],
    [['--port', 'abc'], /--port/],
    [['--memory-limit', 'lots'], /--memory-limit/],
    [['nosuch'], /nosuch/],
    [['--host', '0.0.0.0', '--data-dir', ':memory:'], /password|--insecure/],
  ];
  for (const [flags, line] of cases) await assertRefused(flags, 2, line);
});

test('a data directory that is a file, or may not be written: one line, exit 1', async (context) => {
  const home = fs.mkdtempSync(join(tmpdir(), 'millrace-test-'));
  context.after(() => fs.rmSync(home, { recursive: true, force: true }));
  const file = join(home, 'file');
  fs.writeFileSync(file, '');
  await assertRefused([...START_FLAGS, '--data-dir', file], 1, /^millrace: data directory .*file/);
  const readOnly = join(home, 'read-only');
  fs.mkdirSync(readOnly, { mode: 0o555 });
  fs.chmodSync(home, 0o755);
  const flags = [...START_FLAGS, '--data-dir', readOnly];
  if (process.getuid?.() !== 0) {
    await assertRefused(
      flags,
      1,
      /^millrace: data directory .* cannot be used: permission denied; choose/,
    );
    return;
  }
  // Root may write everywhere: run as nobody, where that user can read the checkout.
  const refusal = await run(flags, 65_534).catch(() => null);
  if (refusal === null || /cannot find module|EACCES.*launch/i.test(refusal.lines.join())) {
    context.diagnostic('read-only directory as another user: not tried, the checkout is private');
    return;
  }
  assert.match(
    refusal.lines.join('\n'),
    /^millrace: data directory .* cannot be used: permission denied; choose/,
  );
  assert.equal(refusal.code, 1);
});

test('--data-dir :memory: says that it keeps nothing, and keeps nothing', async (context) => {
  const server = await started(context, { dataDir: ':memory:' });
  assert.match(server.log, /:memory: keeps nothing/);
  await connected(server, (sql) => sql.query('CREATE TABLE t (a int)'));
  await server.stop();
  await server.restart();
  await connected(server, (sql) => assert.rejects(sql.query('SELECT * FROM t'), { code: '42P01' }));
  assert.equal(fs.existsSync(':memory:'), false);
});
