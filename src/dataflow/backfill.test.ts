/** Rule 6: a large view or sink is filled between epochs, without gap or double, while its input changes. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Random } from '../base/random.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import type { AggregateNode, ScanNode } from '../plan/plan-node.ts';
import { INT8 } from '../types/data-type.ts';
import { Backfill } from './backfill.ts';
import { createSource, createView, EngineBench, sourceScan } from './engine-bench.ts';
import { column } from './graph-bench.ts';
import type { Job } from './job.ts';
import type { CreateSinkAction, CreateTableAction } from './port.ts';

const TABLE = 20_001;
const VIEW = 20_002;
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

const scan: ScanNode = {
  kind: 'scan',
  relation: { kind: 'table', id: TABLE, schema: 'public', name: 't' },
  columnIndexes: [0, 1],
  columns: COLUMNS,
};

function counts(input: ScanNode): AggregateNode {
  return {
    kind: 'aggregate',
    input,
    keys: [0],
    calls: [
      { function: 'count()', args: [], isDistinct: false, filter: null, orderBy: [], type: INT8 },
    ],
    columns: [column('k', INT8), column('n', INT8)],
  };
}

function pictureOf(rows: readonly (readonly [bigint, bigint])[]): string {
  const totals = new Map<bigint, number>();
  for (const [k] of rows) totals.set(k, (totals.get(k) ?? 0) + 1);
  return [...totals]
    .map(([k, n]) => `+ ${k} ${n}`)
    .sort()
    .join('\n');
}

/** A clock that moves with every look at it, so that slices end. */
function tick(bench: EngineBench): void {
  const { monotonicUs } = bench.clock;
  bench.clock.monotonicUs = () => {
    bench.clock.advanceUs(400n);
    return monotonicUs.call(bench.clock);
  };
}

async function changesMeanwhile(dataDir: string): Promise<void> {
  const random = new Random(3);
  let bench = await EngineBench.open({ dataDir });
  const rows: (readonly [bigint, bigint])[] = [];
  const line = (sign: string, [k, v]: readonly [bigint, bigint]): string => `${sign} ${k} ${v}`;
  const insert = (count: number): string =>
    Array.from({ length: count }, () => {
      const row = [BigInt(random.below(50)), BigInt(random.below(1_000_000))] as const;
      rows.push(row);
      return line('+', row);
    }).join('\n');
  const remove = (count: number): string =>
    rows
      .splice(random.below(rows.length - count), count)
      .map((row) => line('-', row))
      .join('\n');
  await bench.commit({ ddl: [createTable] });
  for (let i = 0; i < 5; i++)
    await bench.commit({ dml: [bench.dml(TABLE, TYPES, insert(10_000))] });
  tick(bench);
  let isDone = false;
  const { engine } = bench.opened;
  const answer = engine
    .commit({ ddl: [createView(VIEW, counts(scan))], catalog: null, dml: [] })
    .then((result) => {
      isDone = true;
      return result;
    });
  let epochsMeanwhile = 0;
  while (!isDone) {
    const dml = [bench.dml(TABLE, TYPES, insert(30)), bench.dml(TABLE, TYPES, remove(20))];
    await bench.commit({ dml });
    epochsMeanwhile += 1;
    assert.ok(epochsMeanwhile < 5000, 'the view never comes up to date');
  }
  const { relations, epoch } = await answer;
  bench.relations.set(VIEW, relations[0]!);
  assert.ok(epochsMeanwhile > 3, `other epochs waited: only ${epochsMeanwhile} went by`);
  assert.ok(bench.control.published >= epoch);
  assert.equal(bench.read(VIEW), pictureOf(rows));
  await bench.commit({ dml: [bench.dml(TABLE, TYPES, remove(500))] });
  assert.equal(bench.read(VIEW), pictureOf(rows));
  await bench.opened.close();
  if (dataDir === ':memory:') return;
  bench = await EngineBench.open({ dataDir }, bench);
  assert.equal(bench.read(VIEW), pictureOf(rows));
  await bench.opened.close();
}

test('a large view is filled while its table changes', () => changesMeanwhile(':memory:'));

test('and is the same after a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-backfill-'));
  try {
    await changesMeanwhile(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

function createSink(hasSnapshot: boolean): CreateSinkAction {
  const { plan, settings } = createView(VIEW, scan);
  const connector = { name: 'k' };
  const sink = { id: VIEW, name: 'k', plan, settings, connector, uuid: 'u', hasSnapshot };
  return { kind: 'create_sink', ...sink };
}

/** What a reader of the sink has, from the lines that were delivered: `epoch sign k v`. */
function rowsDelivered(lines: readonly string[]): Map<string, number> {
  const rows = new Map<string, number>();
  for (const line of lines) {
    const [, sign, ...values] = line.split(' ');
    const row = values.join(' ');
    const weight = (rows.get(row) ?? 0) + (sign === '-' ? -1 : 1);
    if (weight === 0) rows.delete(row);
    else rows.set(row, weight);
  }
  return rows;
}

for (const hasSnapshot of [true, false]) {
  test(`a sink over much is filled while its table changes, snapshot = ${hasSnapshot}`, async () => {
    const bench = await EngineBench.open({ dataDir: ':memory:' });
    const { engine } = bench.opened;
    const insert = async (from: number, count: number): Promise<void> => {
      const lines = Array.from({ length: count }, (_, i) => `+ ${from + i} 0`);
      await bench.commit({ dml: [bench.dml(TABLE, TYPES, lines.join('\n'))] });
    };
    await bench.commit({ ddl: [createTable] });
    await insert(0, 50_000);
    tick(bench);
    let created = 0;
    const answer = engine
      .commit({ ddl: [createSink(hasSnapshot)], catalog: null, dml: [] })
      .then(({ epoch }) => {
        created = epoch;
      });
    let next = 50_000;
    const before = engine.epoch;
    for (; created === 0; next += 10) {
      assert.ok(next < 100_000, 'the sink never comes up to date');
      const building = engine.status().jobs.find(({ id }) => id === VIEW);
      if (building !== undefined) assert.equal(building.state, 'building');
      await insert(next, 10);
    }
    await answer;
    assert.ok(created - before > 3, 'other epochs waited');
    await insert(next, 10);
    const pending = () =>
      engine.status().jobs.reduce((n, { sink }) => n + (sink?.pendingRows ?? 0), 0);
    for (let i = 0; pending() > 0; i += 1) {
      assert.ok(i < 10_000, `${pending()} rows wait`);
      engine.runEpoch();
    }
    await insert(next + 10, 10);
    const rows = rowsDelivered(bench.delivered);
    const first = hasSnapshot ? 0 : Math.min(...[...rows.keys()].map((row) => parseInt(row, 10)));
    assert.ok(hasSnapshot || first > 50_000, `the first row is ${first}`);
    const wanted = Array.from({ length: next + 20 - first }, (_, i) => [`${first + i} 0`, 1]);
    assert.deepEqual([...rows].sort(), wanted.sort());
    await bench.opened.close();
  });
}

test('snapshot and changes are given out in parts, and nothing is missed between them', async () => {
  const bench = await EngineBench.open({ dataDir: ':memory:' });
  const insert = async (from: number, count: number): Promise<void> => {
    const lines = Array.from({ length: count }, (_, i) => `+ ${from + i} 0`);
    await bench.commit({ dml: [bench.dml(TABLE, TYPES, lines.join('\n'))] });
  };
  await bench.commit({ ddl: [createTable] });
  await insert(0, 30_000);
  const parts: number[] = [];
  let rows = 0;
  const job = {
    inputIds: [TABLE],
    isFailed: false,
    scansOf: () => [{ node: scan }],
    pushScan: (_scan: unknown, batch: DeltaBatch) => {
      rows += batch.rowCount;
    },
  } as unknown as Job;
  const memory = Memory.create();
  const relation = bench.opened.engine.step.parts.relation(TABLE);
  const backfill = new Backfill(
    job,
    {
      control: bench.control,
      memory,
      scratch: new Scratch(memory),
      input: () => ({ relation, feed: null }),
      endEpoch: () => {
        parts.push(rows);
        rows = 0;
      },
    },
    null,
  );
  const oneStep = (): boolean => {
    let isOver = false;
    return backfill.slice(() => {
      const was = isOver;
      isOver = true;
      return was;
    });
  };
  assert.equal(oneStep(), false);
  await insert(30_000, 20_000);
  while (!oneStep());
  await insert(50_000, 100);
  backfill.finish();
  assert.ok(parts.length >= 6, `only ${parts.length} parts`);
  const batchRows = 1024;
  assert.ok(Math.max(...parts) < 8192 + batchRows, `a part of ${Math.max(...parts)} rows`);
  assert.equal(
    parts.reduce((sum, count) => sum + count, rows),
    50_100,
  );
  assert.equal(rows, 100, 'the rest comes in the epoch in which the view appears');
  await bench.opened.close();
});

test('a large view over a source meets the shared reader', async () => {
  const bench = await EngineBench.open({ dataDir: ':memory:' });
  const source = createSource(TABLE, 's', COLUMNS, { column: 1, delayUs: '10' });
  const input = sourceScan(TABLE, COLUMNS, 1);
  await bench.commit({ ddl: [source, createView(VIEW, counts(input))] });
  const { rows } = bench.source('s');
  for (let i = 0; i < 120_000; i++) rows.push([BigInt(i % 7), BigInt(i)]);
  bench.source('s').available = 60_000;
  bench.run();
  tick(bench);
  let isDone = false;
  const { engine } = bench.opened;
  const answer = engine
    .commit({ ddl: [createView(VIEW + 1, counts(input))], catalog: null, dml: [] })
    .finally(() => {
      isDone = true;
    });
  while (!isDone) {
    bench.source('s').available = Math.min(120_000, bench.source('s').available + 500);
    engine.runEpoch();
    await Promise.resolve();
  }
  bench.relations.set(VIEW + 1, (await answer).relations[0]!);
  assert.equal(bench.read(VIEW + 1), bench.read(VIEW));
  bench.source('s').available = 120_000;
  bench.run();
  assert.equal(bench.read(VIEW + 1), bench.read(VIEW));
});
