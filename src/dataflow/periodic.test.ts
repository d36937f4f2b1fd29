/** EMIT PERIODIC: what a sink is sent, when, and that a restart changes nothing of it (semantics.md rule 22). */

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { ScanNode } from '../plan/plan-node.ts';
import { INT8 } from '../types/data-type.ts';
import { createTable, createView, EngineBench } from './engine-bench.ts';
import { column } from './graph-bench.ts';
import type { CreateSinkAction } from './port.ts';

const TABLE = 20_001;
const SINK = 20_002;
const PERIOD_US = 1_000_000n;
const COLUMNS = [column('k', INT8), column('v', INT8)];

const TABLE_ACTION = createTable(TABLE, 't', COLUMNS);

const scan: ScanNode = {
  kind: 'scan',
  relation: { kind: 'table', id: TABLE, schema: 'public', name: 't' },
  columnIndexes: [0, 1],
  columns: COLUMNS,
};

function createSink(): CreateSinkAction {
  const options = { emit: 'periodic', emitPeriodUs: String(PERIOD_US) } as const;
  const { plan, settings } = createView(SINK, scan, options);
  return {
    kind: 'create_sink',
    id: SINK,
    name: 'k',
    plan,
    settings,
    connector: { name: 'k' },
    uuid: 'u',
  };
}

/** Changes the table at the clock's instant. */
async function change(bench: EngineBench, picture: string): Promise<void> {
  await bench.commit({ dml: [bench.dml(TABLE, [INT8, INT8], picture)] });
}

/** What was sent since line `from`, without epochs. */
function sent(bench: EngineBench, from = 0): string[] {
  return bench.delivered.slice(from).map((line) => line.replace(/^\d+ /, ''));
}

function temporaryDirectory(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-periodic-'));
  context.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('a sink is sent one net change a period, retractions first; the last one comes by itself', async () => {
  const bench = await EngineBench.open({ dataDir: ':memory:' });
  await bench.commit({ ddl: [TABLE_ACTION] });
  await change(bench, '+ 1 10\n+ 2 20');
  await bench.commit({ ddl: [createSink()] });
  assert.deepEqual(sent(bench), ['+ 1 10', '+ 2 20'], 'the first change waits for nothing');

  await change(bench, '+ 4 40');
  await change(bench, '- 2 20\n+ 2 21\n+ 3 30');
  bench.clock.advanceUs(PERIOD_US / 2n);
  await change(bench, '- 3 30\n- 2 21\n+ 2 22');
  assert.equal(bench.delivered.length, 2, 'the period is not over');
  const { engine } = bench.opened;
  assert.equal(engine.nextDueUs(), bench.clock.monotonicUs() + PERIOD_US / 2n);
  assert.equal(engine.runEpoch(), false);

  bench.clock.advanceUs(PERIOD_US / 2n);
  assert.equal(engine.runEpoch(), true, 'time alone cuts an epoch');
  await bench.commit({});
  assert.deepEqual(sent(bench, 2), ['- 2 20', '+ 2 22', '+ 4 40']);
  assert.equal(engine.nextDueUs(), null);
  await bench.opened.close();
});

test('a change that cancels out is not sent and begins no period', async () => {
  const bench = await EngineBench.open({ dataDir: ':memory:' });
  await bench.commit({ ddl: [TABLE_ACTION, createSink()] });
  await change(bench, '+ 1 1');
  await change(bench, '+ 2 2');
  await change(bench, '- 2 2');
  bench.clock.advanceUs(PERIOD_US);
  bench.run();
  await change(bench, '+ 3 3');
  assert.deepEqual(sent(bench), ['+ 1 1', '+ 3 3']);
  await bench.opened.close();
});

test('through a restart nothing is lost, sent twice or sent before its time', async (context) => {
  const directory = temporaryDirectory(context);
  let bench = await EngineBench.open({ dataDir: directory });
  await bench.commit({ ddl: [TABLE_ACTION, createSink()] });
  await change(bench, '+ 1 1');
  await change(bench, '+ 2 2');
  await bench.opened.close();
  bench = await EngineBench.open({ dataDir: directory }, bench);
  await change(bench, '- 2 2\n+ 3 3');
  assert.deepEqual(sent(bench), ['+ 1 1'], 'the period goes on where it was');
  bench.clock.advanceUs(PERIOD_US);
  bench.run();
  await bench.commit({});
  assert.deepEqual(sent(bench), ['+ 1 1', '+ 3 3']);
  await bench.opened.close();
});

test('a replay sends the same changes at the same epochs', async (context) => {
  const directory = temporaryDirectory(context);
  let bench = await EngineBench.open({ dataDir: directory });
  await bench.commit({ ddl: [TABLE_ACTION, createSink()] });
  await change(bench, '+ 1 1\n+ 2 2');
  await change(bench, '- 1 1');
  // What is held back here is in the checkpoint; all that follows is replayed.
  await bench.opened.engine.checkpoint();
  await change(bench, '+ 3 3');
  bench.clock.advanceUs(PERIOD_US);
  await change(bench, '+ 4 4');
  await change(bench, '- 2 2');
  bench.clock.advanceUs(PERIOD_US);
  await change(bench, '+ 5 5');
  await change(bench, '+ 6 6');
  const before = [...bench.delivered];
  // What a kill -9 would leave behind now.
  const copy = temporaryDirectory(context);
  cpSync(directory, copy, { recursive: true });
  await bench.opened.close();

  // The outside has lost the last change, as a file does that is cut back to what it noted.
  const last = before.at(-1)!.split(' ')[0]!;
  const kept = before.filter((line) => !line.startsWith(`${last} `));
  bench.delivered.splice(0, Infinity, ...kept);
  bench = await EngineBench.open({ dataDir: copy }, bench);
  assert.deepEqual(bench.delivered, before);
  bench.clock.advanceUs(PERIOD_US);
  bench.run();
  await bench.commit({});
  assert.deepEqual(sent(bench, before.length), ['+ 6 6']);
  await bench.opened.close();
});
