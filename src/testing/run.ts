/**
 * `npm run check` and `npm test`: one `node --test` run whose summary ends the output. `check` is types, lint, tidy, unit tests
 * and sql-tests; `all` adds the end-to-end files (*.e2e.ts): restarts, kills, psql, the packed tarball, a bench smoke run.
 */

import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { buildGenerated } from '../build.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Files at once; each may start server processes of its own, and much of their time is waiting for others. */
const CONCURRENCY = 3;
/** Hundreds of servers are started: what Node makes of the sources is kept, which is a third of a start's CPU time. */
const COMPILE_CACHE = join(ROOT, 'build/compile-cache');

const PATTERNS: Readonly<Record<string, readonly string[]>> = {
  check: ['{src,bench}/**/*.test.ts'],
  all: ['{src,bench}/**/*.test.ts', '{src,bench}/**/*.e2e.ts'],
};

const patterns = PATTERNS[process.argv[2] ?? ''];
if (patterns === undefined) {
  console.error('usage: node src/testing/run.ts check | all');
  process.exit(2);
}

await buildGenerated();
const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: ROOT }).sort());
const child = spawn(
  process.execPath,
  ['--test', `--test-concurrency=${CONCURRENCY}`, ...process.argv.slice(3), ...files],
  { cwd: ROOT, stdio: 'inherit', env: { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE } },
);
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
