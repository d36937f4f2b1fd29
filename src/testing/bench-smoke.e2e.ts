/** The bench runs and tells what it promises: four queries with few events, checked, and their lines of JSON. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const BENCH = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));
const QUERIES = ['q0', 'q5', 'q8', 'q17'];
const EVENTS = 20_000;

/** Every figure of interfaces.md, and the type that it has. */
const FIGURES: Readonly<Record<string, string>> = {
  bench: 'string',
  case: 'string',
  input: 'string',
  workers: 'number',
  durable: 'boolean',
  sink: 'string',
  events: 'number',
  wallSeconds: 'number',
  cpuSeconds: 'number',
  eventsPerSecond: 'number',
  eventsPerBusyCore: 'number',
  generatorCpuSeconds: 'number',
  peakRssBytes: 'number',
  stateBytes: 'number',
  resultRows: 'number',
  checkedAgainst: 'string',
};

test('bench nexmark checks its queries and writes a line of JSON for each', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  try {
    const file = join(directory, 'lines.jsonl');
    const options = [
      ...['--queries', QUERIES.join(','), '--events', String(EVENTS), '--warmup', 'false'],
      ...['--check', 'batch', '--check-events', '4000', '--json', file],
    ];
    execFileSync(process.execPath, [BENCH, 'nexmark', ...options], {
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      records.map((record) => record.case),
      QUERIES,
    );
    for (const record of records) checkRecord(record);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

function checkRecord(record: Record<string, unknown>): void {
  for (const [figure, type] of Object.entries(FIGURES)) {
    assert.equal(typeof record[figure], type, `${record.case}: ${figure}`);
  }
  assert.equal(record.events, EVENTS);
  assert.equal(record.checkedAgainst, 'batch');
  assert.equal(record.sink, record.case === 'q0' ? 'discard' : 'view');
  if (record.sink === 'view') {
    assert.match(String(record.resultHash), /^[0-9a-f]{16}$/);
    assert.ok((record.resultRows as number) > 0, `${record.case} has a result`);
  }
}

test('bench refuses what it does not know, with one line', () => {
  for (const args of [
    ['nexmark', '--queries', 'q99'],
    ['nexmark', '--no-such', '1'],
    ['nothing'],
  ]) {
    assert.throws(
      () => execFileSync(process.execPath, [BENCH, ...args], { stdio: 'pipe' }),
      (error: { status?: number }) => error.status === 2,
    );
  }
});
