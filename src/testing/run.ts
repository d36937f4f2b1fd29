/**
 * `npm run check` and `npm test`: one run of node:test whose summary ends the output. `check` is types, lint, tidy, unit tests
 * and sql-tests; `all` adds the end-to-end files (*.e2e.ts): restarts, kills, psql, the packed tarball, a bench smoke run.
 * `--test-name-pattern` chooses tests by name.
 */

import { globSync } from 'node:fs';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { buildGenerated } from '../build.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Files at once; each may start server processes of its own, and much of their time is waiting for others. */
const CONCURRENCY = 3;
/** Hundreds of processes are started: what Node makes of the sources is kept, as launch.mjs does. */
const COMPILE_CACHE = join(ROOT, 'build/compile-cache');
/** Files with whole servers take the longest: they come first, so that short ones fill the gaps and the end. */
const LONG = join('src', 'testing');

const PATTERNS: Readonly<Record<string, readonly string[]>> = {
  check: ['{src,bench}/**/*.test.ts'],
  all: ['{src,bench}/**/*.test.ts', '{src,bench}/**/*.e2e.ts'],
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { 'test-name-pattern': { type: 'string', multiple: true } },
});
const patterns = PATTERNS[positionals[0] ?? ''];
if (patterns === undefined) {
  console.error('usage: node src/testing/run.ts check | all [--test-name-pattern=P]');
  process.exit(2);
}

await buildGenerated();
process.env.NODE_COMPILE_CACHE = COMPILE_CACHE;
const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: ROOT }));
const isShort = (file: string): number => (file.startsWith(LONG) ? 0 : 1);
files.sort((a, b) => isShort(a) - isShort(b) || (a < b ? -1 : 1));
const results = run({
  files: files.map((file) => join(ROOT, file)),
  cwd: ROOT,
  concurrency: CONCURRENCY,
  testNamePatterns: values['test-name-pattern'] ?? [],
});
results.on('test:fail', () => {
  process.exitCode = 1;
});
results.compose(spec).pipe(process.stdout);
