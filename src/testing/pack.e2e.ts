/** The published package: built, packed, installed into an empty folder, started, asked something; and an old Node's one line. */

import assert from 'node:assert/strict';
import { type ExecFileOptions, execFile, execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { buildDist } from '../build.ts';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

const ROOT = join(import.meta.dirname, '../..');
const PACKED_BYTES_MAX = 5 * 2 ** 20;
const NODE_MAJOR = 24;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[], options: ExecFileOptions): Promise<Ended> {
  return new Promise((resolve) => {
    const all = { maxBuffer: 64 * 2 ** 20, encoding: 'utf8' as const, ...options };
    execFile(command, args, all, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, stdout: String(stdout), stderr: String(stderr) });
    });
  });
}

async function npm(args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run('npm', args, { cwd });
  assert.equal(code, 0, `npm ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

/** Bytes of all files. */
function sizeOf(directory: string): number {
  const names = fs.readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return names.reduce((sum, name) => {
    const stat = fs.lstatSync(join(directory, name));
    return sum + (stat.isFile() ? stat.size : 0);
  }, 0);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** A Node that is too old, where the machine has one. */
function oldNode(): string | null {
  for (const directory of [...(process.env.PATH ?? '').split(delimiter), '/usr/bin']) {
    const node = join(directory, 'node');
    if (directory === '' || !fs.existsSync(node)) continue;
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' });
    if (Number(/^v(\d+)/.exec(version)?.[1]) < NODE_MAJOR) return node;
  }
  return null;
}

test('the packed tarball installs in an empty folder and serves', async (context) => {
  const home = fs.mkdtempSync(join(tmpdir(), 'millrace-pack-'));
  context.after(() => fs.rmSync(home, { recursive: true, force: true }));
  await buildDist();
  const packed = JSON.parse(
    await npm(['pack', '--ignore-scripts', '--json', '--pack-destination', home], ROOT),
  )[0] as { filename: string; size: number; files: { path: string }[] };
  const strangers = packed.files
    .map(({ path }) => path)
    .filter((path) => /\.(test|e2e)\.|^src\/|testing/.test(path));
  assert.deepEqual(strangers, [], 'nothing of the tests is published');
  assert.ok(packed.size < PACKED_BYTES_MAX, `${packed.size} bytes packed`);

  const folder = join(home, 'empty');
  fs.mkdirSync(folder);
  const quiet = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  await npm(['install', ...quiet, join(home, packed.filename)], folder);
  const installed = join(folder, 'node_modules');
  context.diagnostic(
    `tarball ${megabytes(packed.size)}, millrace ${megabytes(sizeOf(join(installed, 'millrace')))}, ` +
      `with all dependencies ${megabytes(sizeOf(installed))}`,
  );

  const { version } = JSON.parse(fs.readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const said = await npm(['exec', '--offline', '--', 'millrace', '--version'], folder);
  assert.equal(said, `millrace ${version}\n`);
  await serveAndAsk(join(installed, '.bin/millrace'));
});

async function serveAndAsk(launcher: string): Promise<void> {
  const server = await ServerProcess.start({ launcher, isHttpOn: true });
  try {
    const sql = await SqlClient.connect(server.url);
    await sql.query('CREATE TABLE t (g int, v int)');
    await sql.query('CREATE MATERIALIZED VIEW s AS SELECT g, sum(v) AS v FROM t GROUP BY g');
    await sql.query('INSERT INTO t VALUES (1, 2), (1, 3), (2, 4)');
    assert.deepEqual((await sql.query('SELECT * FROM s ORDER BY g')).rows, [
      ['1', '5'],
      ['2', '4'],
    ]);
    // A query that goes to the pool's threads, and one over the system catalog's data file.
    const many = await sql.value('SELECT sum(i) FROM generate_series(1, 200000) AS t(i)');
    assert.equal(many, '20000100000');
    assert.equal(await sql.value(`SELECT count(*) FROM pg_type WHERE typname = 'int4'`), '1');
    await sql.close();
    const health = await fetch(`${server.httpUrl}/readyz`);
    assert.equal(health.status, 200);
    await server.stop();
    await server.restart();
    const again = await SqlClient.connect(server.url);
    assert.equal(await again.value('SELECT sum(v) FROM s'), '9');
    await again.close();
    await server.stop();
  } finally {
    await server.dispose();
  }
}

test('an old Node gets one line', async (context) => {
  const node = oldNode();
  if (node === null) {
    context.skip(`no Node older than ${NODE_MAJOR} on this machine`);
    return;
  }
  const ended = await run(node, [join(ROOT, 'src/launch.mjs'), '--version'], {});
  assert.equal(ended.code, 1);
  assert.equal(ended.stdout, '');
  assert.match(ended.stderr, /^millrace: Node\.js 24 or newer is needed, this is \d+\.[^\n]*\n$/);
});
