/** Sinks that are amid a large epoch most of the time: checkpoints are written all the same, and a replay gives the same epochs. */

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { INT8 } from '../types/data-type.ts';
import { createTable, createView, EngineBench } from './engine-bench.ts';
import { column } from './graph-bench.ts';
import type { CreateSinkAction } from './port.ts';

const TABLE = 20_001;
const SINKS = [20_002, 20_003];
const COLUMNS = [column('k', INT8)];
const TYPES = [INT8];
const EPOCH_ROWS = 20_000;

function createSink(id: number): CreateSinkAction {
  const { plan, settings } = createView(id, {
    kind: 'scan',
    relation: { kind: 'table', id: TABLE, schema: 'public', name: 't' },
    columnIndexes: [0],
    columns: COLUMNS,
  });
  const name = `k${id}`;
  return { kind: 'create_sink', id, name, plan, settings, connector: { name }, uuid: name };
}

/** A clock that moves with every look at it, so that slices end. */
function tick(bench: EngineBench): void {
  const { monotonicUs } = bench.clock;
  bench.clock.monotonicUs = () => {
    bench.clock.advanceUs(400n);
    return monotonicUs.call(bench.clock);
  };
}

function directoryOf(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-slow-sinks-'));
  context.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** The rows from `from` on come in an epoch of their own. */
async function insert(bench: EngineBench, from: number): Promise<number> {
  const lines = Array.from({ length: EPOCH_ROWS }, (_, i) => `+ ${from + i}`);
  const { epoch } = await bench.commit({ dml: [bench.dml(TABLE, TYPES, lines.join('\n'))] });
  return epoch;
}

/** Runs until every sink has given away what it has. */
function settle({ opened: { engine } }: EngineBench): void {
  const { sinks } = engine.step.parts;
  for (let i = 0; sinks.hasPending || sinks.doWait; i += 1) {
    assert.ok(i < 1000, 'the sinks come to no end');
    engine.runEpoch();
  }
}

/** Each once. */
function epochsOf(delivered: readonly string[]): number[] {
  return [...new Set(delivered.map((line) => Number(line.split(' ')[0])))];
}

test('checkpoints are written while epochs keep sinks busy, and lose nothing', async (context) => {
  const dataDir = directoryOf(context);
  let bench = await EngineBench.open({ dataDir });
  await bench.commit({ ddl: [createTable(TABLE, 't', COLUMNS)] });
  for (const id of SINKS) await bench.commit({ ddl: [createSink(id)] });
  tick(bench);
  const { engine } = bench.opened;
  const rounds = 8;
  for (let round = 0; round < rounds; round += 1) {
    await insert(bench, round * EPOCH_ROWS);
    assert.ok(engine.step.parts.sinks.hasPending, 'a sink is amid an epoch');
    const checkpoint = engine.checkpoint();
    engine.runEpoch();
    await checkpoint;
  }
  const { checkpoints } = engine.status().measures;
  assert.deepEqual(checkpoints, { written: rounds, skipped: 0, failed: 0 });
  await bench.opened.close();
  bench = await EngineBench.open({ dataDir }, bench);
  settle(bench);
  const sent = new Map<string, number>();
  for (const line of bench.delivered) {
    const row = line.split(' ').slice(1).join(' ');
    sent.set(row, (sent.get(row) ?? 0) + 1);
  }
  assert.equal(sent.size, rounds * EPOCH_ROWS);
  assert.ok([...sent.values()].every((count) => count === SINKS.length));
  await bench.opened.close();
});

test('a replay joins no epochs that went out one by one', async (context) => {
  const dataDir = directoryOf(context);
  const first = await EngineBench.open({ dataDir });
  await first.commit({ ddl: [createTable(TABLE, 't', COLUMNS), createSink(SINKS[0]!)] });
  const epochs: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    epochs.push(await insert(first, round * EPOCH_ROWS));
  }
  assert.deepEqual(epochsOf(first.delivered.splice(0)), epochs);
  const copy = directoryOf(context);
  cpSync(dataDir, copy, { recursive: true });
  await first.opened.close();
  tick(first);
  const again = await EngineBench.open({ dataDir: copy }, first);
  settle(again);
  const delivered = epochsOf(again.delivered);
  await again.opened.close();
  assert.deepEqual(delivered, epochs);
});
