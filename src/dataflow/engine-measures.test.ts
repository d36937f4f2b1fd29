/** What the engine tells of its work is what happened. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { HistogramCounts } from '../base/histogram.ts';
import type { ScanNode } from '../plan/plan-node.ts';
import { INT8 } from '../types/data-type.ts';
import { createSource, createView, EngineBench } from './engine-bench.ts';
import { column } from './graph-bench.ts';
import type { CreateSinkAction, CreateTableAction, EngineOptions } from './port.ts';

const TABLE = 20_001;
const SOURCE = 20_002;
const VIEW = 20_003;
const SOURCE_VIEW = 20_004;
const SINK = 20_005;
const COLUMNS = [column('k', INT8), column('v', INT8)];
const TYPES = [INT8, INT8];

const createTable: CreateTableAction = {
  kind: 'create_table',
  id: TABLE,
  name: 't',
  columns: COLUMNS,
  schema: { storages: ['i64', 'i64'], key: null, isAppendOnly: false, indexes: [] },
  watermark: null,
};

function scanOf(kind: 'table' | 'source', id: number): ScanNode {
  const relation = { kind, id, schema: 'public', name: `r${id}` };
  return { kind: 'scan', relation, columnIndexes: [0, 1], columns: COLUMNS };
}

function createSink(): CreateSinkAction {
  const { plan, settings } = createView(SINK, scanOf('source', SOURCE));
  const connector = { name: 'k' };
  return { kind: 'create_sink', id: SINK, name: 'k', plan, settings, connector, uuid: 'u' };
}

function total({ counts }: HistogramCounts): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** A table with a view, a source with a view. */
async function opened(options: Partial<EngineOptions> = {}): Promise<EngineBench> {
  const bench = await EngineBench.open({ dataDir: ':memory:', ...options });
  const ddl = [
    createTable,
    createView(VIEW, scanOf('table', TABLE)),
    createSource(SOURCE, 's', COLUMNS, null),
    createView(SOURCE_VIEW, scanOf('source', SOURCE)),
  ];
  await bench.commit({ ddl });
  return bench;
}

function statusOf(bench: EngineBench) {
  const status = bench.opened.engine.status();
  const job = (id: number) => status.jobs.find((one) => one.id === id)!;
  return { ...status, job };
}

test('epochs, their rows, and the age of what views show', async () => {
  const bench = await opened();
  const { engine } = bench.opened;
  const before = statusOf(bench);
  assert.equal(before.job(VIEW).freshnessUs, null, 'no rows came yet');
  const commit = engine.commit({
    ddl: [],
    catalog: null,
    dml: [bench.dml(TABLE, TYPES, '+ 1 1\n+ 2 2\n+ 3 3')],
  });
  const waiting = statusOf(bench).measures;
  assert.equal(waiting.queuedCommits, 1);
  assert.ok(waiting.queuedCommitBytes > 0);
  bench.clock.advanceUs(700n);
  engine.runEpoch();
  await commit;
  const after = statusOf(bench);
  assert.equal(after.measures.queuedCommits, 0);
  assert.equal(after.measures.queuedCommitBytes, 0);
  assert.equal(after.job(VIEW).freshnessUs, 700);
  assert.equal(after.job(SOURCE_VIEW).freshnessUs, null, 'none of its rows was in it');
  assert.equal(after.job(VIEW).rowsIn, 3);
  assert.equal(after.job(VIEW).rowsOut, 3);
  assert.equal(after.rowsIn - before.rowsIn, 3);
  const { epochRows, epochSeconds } = after.measures;
  assert.equal(epochRows.sum - before.measures.epochRows.sum, 3);
  assert.equal(total(epochRows) - total(before.measures.epochRows), 1);
  assert.equal(total(epochSeconds), after.epochs);
  assert.equal(after.job(SOURCE_VIEW).epoch, after.epoch, 'every view stands at every epoch');
  await bench.opened.close();
});

/** Rows of the source, each in an epoch of its own. */
async function feed(bench: EngineBench, count: number): Promise<void> {
  const source = bench.source('s');
  for (let i = 0; i < count; i++) {
    source.rows.push([BigInt(i), BigInt(i)]);
    source.available = source.rows.length;
    bench.run();
    await bench.commit({});
  }
}

test('a sink whose outside takes nothing holds nobody up while there is room', async () => {
  const bench = await opened();
  await bench.commit({ ddl: [createSink()] });
  bench.refusal.reason = 'No space left on device';
  await feed(bench, 70);
  const held = statusOf(bench);
  assert.equal(held.sources[0]!.rowsRead, 70);
  assert.equal(held.job(SINK).sink!.heldRows, 70);
  assert.equal(held.measures.sourceHeldSeconds, 0);
  bench.refusal.reason = null;
  bench.run();
  await bench.commit({});
  assert.equal(statusOf(bench).job(SINK).sink!.rowsSent, 70);
  await bench.opened.close();
});

test('a sink that does not follow shows, and holds sources back', async () => {
  const bench = await opened({ sinkHeldBytesMax: 0 });
  await bench.commit({ ddl: [createSink()] });
  bench.refusal.reason = 'No space left on device';
  await feed(bench, 70);
  const held = statusOf(bench);
  assert.equal(held.sources[0]!.rowsRead, 1, 'what is held back is bounded');
  assert.equal(held.sources[0]!.lag, 69);
  assert.deepEqual(held.job(SINK).sink, {
    rowsSent: 0,
    pendingEpochs: 0,
    pendingRows: 0,
    heldRows: 1,
    rowsDropped: 0,
    delivery: null,
  });
  assert.equal(held.job(SINK).error, 'No space left on device');
  bench.clock.advanceUs(3_000_000n);
  assert.equal(statusOf(bench).measures.sourceHeldSeconds, 3);
  bench.refusal.reason = null;
  bench.run();
  await bench.commit({});
  bench.run();
  await bench.commit({});
  const free = statusOf(bench);
  assert.equal(free.sources[0]!.rowsRead, 70);
  assert.equal(free.sources[0]!.rowsPerSecond, 7);
  assert.equal(free.job(SINK).rowsOut, 70);
  assert.equal(free.job(SINK).sink!.pendingEpochs, 0);
  bench.clock.advanceUs(60_000_000n);
  assert.equal(statusOf(bench).measures.sourceHeldSeconds, 3);
  assert.equal(statusOf(bench).sources[0]!.rowsPerSecond, 0);
  await bench.opened.close();
});

test('checkpoints and the log: written, skipped, how large', async (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-measures-'));
  context.after(() => rmSync(directory, { recursive: true }));
  const bench = await opened({ dataDir: directory });
  const before = statusOf(bench).measures;
  await bench.commit({ dml: [bench.dml(TABLE, TYPES, '+ 1 1')] });
  assert.ok(statusOf(bench).measures.logBytes > before.logBytes);
  await bench.opened.engine.checkpoint();
  const { checkpoints, checkpointSeconds, checkpointBytes } = statusOf(bench).measures;
  assert.deepEqual(checkpoints, { written: 1, skipped: 0, failed: 0 });
  assert.equal(total(checkpointSeconds), 1);
  assert.ok(checkpointBytes > 0);
  await bench.commit({ ddl: [createSink()] });
  bench.refusal.reason = 'No space left on device';
  bench.source('s').rows.push([1n, 1n]);
  bench.source('s').available = 1;
  bench.run();
  await bench.commit({});
  await bench.opened.engine.checkpoint();
  assert.equal(statusOf(bench).job(SINK).sink!.heldRows, 1);
  assert.deepEqual(statusOf(bench).measures.checkpoints, { written: 2, skipped: 0, failed: 0 });
  bench.refusal.reason = null;
  await bench.opened.close();
});

test('a view that is being filled is told of', async () => {
  const bench = await opened();
  const rows = Array.from({ length: 25_000 }, (_, i) => `+ ${i} ${i}`).join('\n');
  await bench.commit({ dml: [bench.dml(TABLE, TYPES, rows)] });
  const { engine } = bench.opened;
  const id = 20_010;
  const ddl = [createView(id, scanOf('table', TABLE))];
  const commit = engine.commit({ ddl, catalog: null, dml: [] });
  engine.runEpoch();
  const building = statusOf(bench);
  assert.equal(building.job(id).state, 'building');
  assert.equal(building.measures.queuedCommits, 1);
  bench.run();
  await commit;
  assert.equal(statusOf(bench).job(id).state, 'running');
  assert.equal(statusOf(bench).job(id).rowCount, 25_000);
  await bench.opened.close();
});
