/** The published package: packed, installed in an empty folder without install scripts, started, asked. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { buildDist } from '../build.ts';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

const ROOT = join(import.meta.dirname, '../..');
const NPM_TIMEOUT_MS = 180_000;
const PACKAGE_BYTES_MAX = 10 * 1024 * 1024;

/** Runs npm with this Node; its stdout. */
function npm(args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const path = `${dirname(process.execPath)}:${process.env.PATH ?? ''}`;
    const options = { cwd, timeout: NPM_TIMEOUT_MS, env: { ...process.env, PATH: path } };
    execFile('npm', [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`npm ${args.join(' ')}: ${error.message}\n${stdout}\n${stderr}`));
    });
  });
}

test('the tarball installs in an empty folder and starts', { timeout: 400_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-pack-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  await buildDist();
  const packed = await npm(
    ['pack', '--json', '--ignore-scripts', '--pack-destination', folder],
    ROOT,
  );
  const [report] = JSON.parse(packed) as {
    filename: string;
    size: number;
    files: { path: string }[];
  }[];
  assert.ok(report !== undefined && report.size < PACKAGE_BYTES_MAX, `${report?.size} bytes`);
  const leaked = report.files.filter(({ path }) => /\.ts$|test|\.e2e\.|node_modules/.test(path));
  assert.deepEqual(leaked, [], 'only what runs is published');

  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const tarball = join(folder, report.filename);
  await npm(
    [
      'install',
      '--ignore-scripts',
      '--omit=optional',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      tarball,
    ],
    folder,
  );
  assert.ok(readdirSync(join(folder, 'node_modules/.bin')).includes('millrace'));

  const launcher = join(folder, 'node_modules/millrace/dist/launch.mjs');
  const server = await ServerProcess.start({ launcher, dataDir: join(folder, 'data') });
  after(() => server.dispose());
  const client = await SqlClient.connect(server.url);
  await client.query('CREATE TABLE t (id int PRIMARY KEY, v int)');
  await client.query('CREATE MATERIALIZED VIEW s AS SELECT sum(v) AS s FROM t');
  await client.query('INSERT INTO t SELECT g, g FROM generate_series(1, 100) g');
  assert.equal(await client.value('SELECT s FROM s'), '5050');
  assert.equal(await client.value(`SELECT count(*) > 100 FROM pg_proc`), 't');
  await client.close();
  await server.stop();
});
