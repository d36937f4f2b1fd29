/** What PostgreSQL's parser costs in memory once it is hot: V8's optimizing compiler must keep off its main function. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const PARSES = 2000;
/** Measured: 90 MiB unoptimized, 640 MiB while the optimizer is at work. */
const PEAK_MIB_MAX = 250;

const PROGRAM = `
  const { loadParser, parseStatements } = await import(${JSON.stringify(new URL('./parse.ts', import.meta.url).href)});
  await loadParser();
  for (let i = 0; i < ${PARSES}; i++) parseStatements("SELECT count(*) FROM t WHERE a = 'x'");
  process.stdout.write(String(process.resourceUsage().maxRSS / 1024));
`;

test('a parser that is called often takes no memory for its optimization', () => {
  // Functions are optimized at once, not beside the program, so that the peak contains it.
  const flags = ['--wasm-sync-tier-up', '--input-type=module', '--eval', PROGRAM];
  const peakMib = Number(execFileSync(process.execPath, flags, { encoding: 'utf8' }));
  assert.ok(peakMib > 0 && peakMib < PEAK_MIB_MAX, `the peak was ${peakMib} MiB`);
});
