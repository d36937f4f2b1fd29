/** The process from outside (interfaces.md): ready line, exit codes with their one line, signals, locks, ports. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

const LAUNCHER = fileURLToPath(new URL('../launch.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The user nobody, whom permissions hold back; root may write everywhere. */
const NOBODY = 65_534;

/** Runs the launcher to its end. */
function millrace(...args: readonly string[]): Promise<Ended> {
  return millraceAs({}, ...args);
}

function millraceAs(
  user: { readonly uid?: number; readonly gid?: number },
  ...args: readonly string[]
): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
    execFile(
      process.execPath,
      [LAUNCHER, ...args],
      { timeout: 30_000, env, ...user },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
      },
    );
  });
}

/** The refusal: one line without a stack (log lines of the start may stand before it). */
function assertRefused(ended: Ended, code: number, line: RegExp): void {
  assert.equal(ended.code, code, ended.stderr);
  const lines = ended.stderr.split('\n').filter((text) => text !== '' && !text.startsWith('{'));
  assert.equal(lines.length, 1, ended.stderr);
  assert.match(lines[0]!, line);
  assert.equal(ended.stdout, '');
}

test('--version and --help', async () => {
  assert.match((await millrace('--version')).stdout, /^millrace \d+\.\d+\.\d+\n$/);
  assert.match((await millrace('--help')).stdout, /--data-dir/);
  const shell = await millrace('sql', '--help');
  assert.equal(shell.code, 0, shell.stderr);
  assert.match(shell.stdout, /millrace sql \[-c text\] \[-f file\] \[url\]/);
});

test('unknown flags and bad values: one line, exit 2', async () => {
  assertRefused(await millrace('--prot', '1'), 2, /did you mean --port/);
  assertRefused(await millrace('--port', 'x'), 2, /--port/);
  assertRefused(await millrace('--workers', '0'), 2, /--workers/);
  assertRefused(await millrace('--file-root', '/nosuch'), 2, /--file-root: \/nosuch is not a/);
  assertRefused(await millrace('--host', '0.0.0.0'), 2, /password/);
  assertRefused(await millrace('serves'), 2, /serves/);
});

test('a port that is taken: one line, exit 1', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  after(() => holder.close());
  const { port } = holder.address() as { port: number };
  const flags = ['--data-dir', ':memory:', '--log-level', 'error'];
  assertRefused(
    await millrace('--port', `${port}`, '--http-port', 'off', ...flags),
    1,
    /taken|in use/,
  );
  assertRefused(
    await millrace('--port', '0', '--http-port', `${port}`, ...flags),
    1,
    /taken|in use/,
  );
});

test('a second server on one data directory: one line, exit 1; the first goes on', async () => {
  const server = await ServerProcess.start({ args: ['--log-level', 'error'] });
  after(() => server.dispose());
  const flags = ['--port', '0', '--http-port', 'off', '--log-level', 'error'];
  assertRefused(await millrace(...flags, '--data-dir', server.dataDir), 1, /data directory|in use/);
  const client = await SqlClient.connect(server.url);
  assert.equal(await client.value('SELECT 1'), '1');
  await client.close();
});

test('a directory that cannot be used, or of a newer format: one line, exit 1, nothing touched', async () => {
  const flags = ['--port', '0', '--http-port', 'off', '--log-level', 'error', '--data-dir'];
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  assertRefused(await millrace(...flags, file), 1, /a-file is a file; choose another --data-dir$/);
  const newer = await ServerProcess.start({
    dataDir: join(folder, 'newer'),
    args: ['--log-level', 'error'],
  });
  await newer.stop();
  const before = readdirSync(newer.dataDir).sort();
  writeFileSync(join(newer.dataDir, 'millrace.json'), '{"format": 999, "incarnation": "x"}\n');
  assertRefused(await millrace(...flags, newer.dataDir), 1, /format|newer/);
  assert.deepEqual(readdirSync(newer.dataDir).sort(), before);
});

test('what is kept can only be read by its owner, also in a directory that is open to all', async () => {
  const open = join(folder, 'open');
  mkdirSync(open);
  chmodSync(open, 0o755);
  const server = await ServerProcess.start({ dataDir: open, args: ['--log-level', 'error'] });
  after(() => server.dispose());
  const client = await SqlClient.connect(server.url);
  await client.query('CREATE TABLE t (id int)');
  await client.query('CHECKPOINT');
  await client.close();
  const readable = readdirSync(open).filter(
    (name) =>
      (statSync(join(open, name)).mode & 0o044) !== 0 && statSync(join(open, name)).size > 0,
  );
  assert.deepEqual(
    readable.filter((name) => !name.startsWith('lock')),
    [],
  );
  assert.ok(readdirSync(open).includes('catalog.db-wal'));
});

/** Everybody may go through every folder above the file. */
function isReachable(path: string): boolean {
  for (let at = dirname(path); at !== dirname(at); at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
  }
  return true;
}

const isRoot = process.getuid?.() === 0;

test('a data directory that is only to be read: one line, exit 1, nothing touched', {
  skip: isRoot && !isReachable(LAUNCHER) && 'as root, in a checkout that only root may read',
}, async () => {
  const flags = ['--port', '0', '--http-port', 'off', '--log-level', 'error', '--data-dir'];
  const user = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const refused = /^millrace: data directory \S+ cannot be used: permission denied; choose another/;
  const used = await ServerProcess.start({
    dataDir: join(folder, 'used'),
    args: ['--log-level', 'error'],
  });
  await used.stop();
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  const files = readdirSync(used.dataDir, { recursive: true, encoding: 'utf8' }).sort();
  for (const path of [...files.map((name) => join(used.dataDir, name)), used.dataDir, empty])
    chmodSync(path, statSync(path).isDirectory() ? 0o555 : 0o444);
  chmodSync(folder, 0o755);
  const catalog = readFileSync(join(used.dataDir, 'catalog.db'));
  const paths = [empty, join(empty, 'new'), used.dataDir];
  const ended = await Promise.all(paths.map((path) => millraceAs(user, ...flags, path)));
  for (const one of ended) assertRefused(one, 1, refused);
  assert.deepEqual(readdirSync(empty), []);
  const after = readdirSync(used.dataDir, { recursive: true, encoding: 'utf8' }).sort();
  assert.deepEqual(after, files);
  assert.deepEqual(readFileSync(join(used.dataDir, 'catalog.db')), catalog);
  for (const path of [used.dataDir, join(used.dataDir, 'log')]) chmodSync(path, 0o700);
});

test('HTTP: health, readiness, metrics', async () => {
  const server = await ServerProcess.start({ dataDir: ':memory:', isHttpOn: true });
  after(() => server.dispose());
  assert.notEqual(server.httpUrl, null);
  assert.equal((await fetch(`${server.httpUrl}/healthz`)).status, 200);
  assert.equal((await fetch(`${server.httpUrl}/readyz`)).status, 200);
  const metrics = await (await fetch(`${server.httpUrl}/metrics`)).text();
  assert.match(metrics, /^# TYPE millrace_/m);
  assert.equal((await fetch(`${server.httpUrl}/nosuch`)).status, 404);
});

test('SIGTERM: what was acknowledged is there at the next start; exit 0', async () => {
  const server = await ServerProcess.start({ args: ['--log-level', 'error'] });
  after(() => server.dispose());
  const client = await SqlClient.connect(server.url);
  await client.query('CREATE TABLE t (id int PRIMARY KEY)');
  await client.query('INSERT INTO t SELECT generate_series(1, 1000)');
  await server.stop();
  await server.restart();
  const again = await SqlClient.connect(server.url);
  assert.equal(await again.value('SELECT count(*) FROM t'), '1000');
  await again.close();
});

test('with a password everybody must give it', async () => {
  const server = await ServerProcess.start({
    dataDir: ':memory:',
    environment: { MILLRACE_PASSWORD: 'secret words' },
  });
  after(() => server.dispose());
  const withPassword = server.url.replace('millrace@', 'millrace:secret%20words@');
  const client = await SqlClient.connect(withPassword);
  assert.equal(await client.value('SELECT current_user'), 'millrace');
  await client.close();
  const wrong = server.url.replace('millrace@', 'millrace:wrong@');
  await assert.rejects(SqlClient.connect(wrong), { code: '28P01' });
});
