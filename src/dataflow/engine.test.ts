import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { FakeClock } from '../base/clock.ts';
import { packBatch } from '../batch/pack.ts';
import { fromPicture, toPicture } from '../batch/pretty.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import type { PlanColumn, PlanNode, StreamPlan } from '../plan/plan-node.ts';
import { EpochControl } from '../state/epoch-control.ts';
import { RelationReader } from '../state/relation-reader.ts';
import { INT8, TEXT } from '../types/data-type.ts';
import type { Connectors } from './feed-context.ts';
import {
  type CommitRequest,
  type CreateTableAction,
  type CreateViewAction,
  DEFAULT_ENGINE_OPTIONS,
  type DmlChange,
  type RelationHandle,
} from './port.ts';
import { type OpenEngine, openEngine } from './recovery.ts';

const BID_COLUMNS: readonly PlanColumn[] = [
  { name: 'who', type: TEXT },
  { name: 'price', type: INT8 },
];
const TYPES = BID_COLUMNS.map(({ type }) => type);

const createTable: CreateTableAction = {
  kind: 'create_table',
  id: 20_001,
  name: 'bids',
  columns: BID_COLUMNS,
  schema: { storages: ['view', 'i64'], key: null, isAppendOnly: false, indexes: [] },
  watermark: null,
};

const scan: PlanNode = {
  kind: 'scan',
  relation: { kind: 'table', id: 20_001, schema: 'public', name: 'bids' },
  columnIndexes: [0, 1],
  columns: BID_COLUMNS,
};

function viewOf(id: number, name: string, node: PlanNode): CreateViewAction {
  const plan: StreamPlan = {
    node,
    key: null,
    emit: 'update',
    emitPeriodUs: null,
    onError: 'fail',
    lateRows: 'dead_letter',
    relationIds: [20_001],
    notices: [],
  };
  return {
    kind: 'create_view',
    id,
    name,
    plan,
    schema: {
      storages: node.columns.map(({ type }) => type.storage),
      key: null,
      isAppendOnly: false,
      indexes: [],
    },
    settings: {},
  };
}

const counts: PlanNode = {
  kind: 'aggregate',
  input: scan,
  keys: [0],
  calls: [
    { function: 'count()', args: [], isDistinct: false, filter: null, orderBy: [], type: INT8 },
  ],
  columns: [BID_COLUMNS[0]!, { name: 'n', type: INT8 }],
};
const createCounts = viewOf(20_002, 'counts', counts);

const counted: PlanNode = {
  kind: 'aggregate',
  input: {
    kind: 'scan',
    relation: { kind: 'materialized_view', id: 20_002, schema: 'public', name: 'counts' },
    columnIndexes: [1],
    columns: [{ name: 'n', type: INT8 }],
  },
  keys: [0],
  calls: counts.calls,
  columns: [
    { name: 'n', type: INT8 },
    { name: 'people', type: INT8 },
  ],
};

const NO_CONNECTORS: Connectors = {
  openSource: () => assert.fail('no sources here'),
  openSink: () => assert.fail('no sinks here'),
  reconnectSink: () => assert.fail('no sinks here'),
  openLetters: () => assert.fail('no sinks here'),
};

/** An engine driven by hand, with its relations read as pictures. */
class Bench {
  readonly control = new EpochControl();
  readonly relations = new Map<number, RelationHandle>();
  readonly clock = new FakeClock();
  readonly #memory = Memory.create();
  readonly #scratch = new Scratch(this.#memory);
  opened!: OpenEngine;

  static async open(dataDir: string): Promise<Bench> {
    const bench = new Bench();
    bench.opened = await openEngine({
      options: { ...DEFAULT_ENGINE_OPTIONS, dataDir },
      control: bench.control,
      clock: bench.clock,
      connectors: NO_CONNECTORS,
      wake: () => {},
      onEpoch: () => {},
      log: () => {},
      onStopped: () => {},
    });
    for (const handle of bench.opened.engine.step.parts.handles())
      bench.relations.set(handle.id, handle);
    return bench;
  }

  async commit(request: Partial<CommitRequest>): Promise<void> {
    const answer = this.opened.engine.commit({ ddl: [], catalog: null, dml: [], ...request });
    while (this.opened.engine.runEpoch());
    for (const handle of (await answer).relations) this.relations.set(handle.id, handle);
  }

  dml(picture: string): DmlChange {
    const batch = fromPicture(picture, this.#scratch, TYPES);
    return { relationId: 20_001, rows: packBatch(batch), judge: 'row' };
  }

  read(id: number): string {
    const handle = this.relations.get(id)!;
    const reader = new RelationReader(handle.wasm, handle.headerAddress, handle.schema);
    const target = { memory: this.#memory, scratch: this.#scratch };
    const columns = handle.columns.map((_, i) => i);
    const types = handle.columns.map(({ type }) => type);
    const lines: string[] = [];
    for (const batch of reader.scan(this.control.published, columns, target)) {
      lines.push(toPicture(batch, types));
    }
    return lines.join('\n').split('\n').sort().join('\n');
  }
}

test('a view follows its table, a view over it follows the view, and both outlive a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-engine-'));
  try {
    let bench = await Bench.open(directory);
    await bench.commit({ ddl: [createTable] });
    await bench.commit({ dml: [bench.dml('+ ann 1\n+ bob 2\n+ ann 3')] });
    await bench.commit({ ddl: [createCounts] });
    assert.equal(bench.read(20_002), '+ ann 2\n+ bob 1');
    await bench.commit({ ddl: [viewOf(20_003, 'counted', counted)] });
    await bench.opened.engine.checkpoint();
    await bench.commit({ dml: [bench.dml('- ann 1\n+ cat 9')] });
    assert.equal(bench.read(20_002), '+ ann 1\n+ bob 1\n+ cat 1');
    assert.equal(bench.read(20_003), '+ 1 3');
    await bench.opened.close();
    bench = await Bench.open(directory);
    assert.equal(bench.read(20_002), '+ ann 1\n+ bob 1\n+ cat 1');
    assert.equal(bench.read(20_003), '+ 1 3');
    await bench.commit({ dml: [bench.dml('+ cat 9')] });
    assert.equal(bench.read(20_003), '+ 1 2\n+ 2 1');
    await bench.opened.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('table, rows and view of one transaction appear in one epoch', async () => {
  const bench = await Bench.open(':memory:');
  await bench.commit({ ddl: [createTable, createCounts], dml: [bench.dml('+ ann 1\n+ ann 2')] });
  assert.equal(bench.control.published, 1);
  assert.equal(bench.read(20_002), '+ ann 2');
  await bench.commit({ dml: [{ relationId: 20_001, rows: null, judge: 'statement' }] });
  assert.equal(bench.read(20_002), '');
  assert.equal(bench.read(20_001), '');
});

test('DML of an unknown relation is refused and leaves no epoch behind', async () => {
  const bench = await Bench.open(':memory:');
  const answer = bench.commit({ dml: [bench.dml('+ ann 1')] });
  await assert.rejects(answer, { sqlstate: '42P01' });
  assert.equal(bench.control.published, 0);
});
