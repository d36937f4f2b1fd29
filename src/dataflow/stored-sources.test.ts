/** Sources whose rows are kept: through crashes, by the log alone and by checkpoints; and records that do not come again. */

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { Random } from '../base/random.ts';
import { DELETE, UPSERT } from '../formats/change-decoder.ts';
import type { AggregateNode, ScanNode } from '../plan/plan-node.ts';
import { INT8, TIMESTAMP } from '../types/data-type.ts';
import { createSource, createView, EngineBench } from './engine-bench.ts';
import { column } from './graph-bench.ts';
import type { CreateSourceAction, FeedStore } from './port.ts';
import { HIDDEN_STORAGES } from './source-store.ts';

const SOURCE = 20_001;
const VIEW = 20_002;
const COLUMNS = [column('k', INT8), column('v', INT8), column('at', TIMESTAMP)];

const KEYED: FeedStore = {
  schema: {
    storages: ['i64', 'i64', 'i64', ...HIDDEN_STORAGES],
    key: [0],
    isAppendOnly: false,
    indexes: [],
  },
  indexIds: [],
};
const APPENDED: FeedStore = {
  schema: { storages: ['i64', 'i64', 'i64'], key: null, isAppendOnly: true, indexes: [] },
  indexIds: [],
};

function stored(store: FeedStore): CreateSourceAction {
  const watermark = { column: 2, delayUs: '0' };
  return { ...createSource(SOURCE, 's', COLUMNS, watermark), store };
}

const scan: ScanNode = {
  kind: 'scan',
  relation: { kind: 'stored_source', id: SOURCE, schema: 'public', name: 's' },
  columnIndexes: [0, 1, 2],
  columns: COLUMNS,
};

/** How many rows have each v. */
const counts: AggregateNode = {
  kind: 'aggregate',
  input: scan,
  keys: [1],
  calls: [
    { function: 'count()', args: [], isDistinct: false, filter: null, orderBy: [], type: INT8 },
  ],
  columns: [column('v', INT8), column('n', INT8)],
};

/** How many rows begin in each 10 µs. */
const windowCounts: AggregateNode = {
  kind: 'aggregate',
  input: {
    kind: 'window',
    windowKind: 'tumble',
    input: {
      ...scan,
      properties: {
        key: [0],
        isAppendOnly: false,
        watermarks: [{ column: 2, source: 0, shiftUs: '0' }],
      },
    },
    time: 2,
    sizeUs: '10',
    slideUs: '10',
    offsetUs: '0',
    partition: [],
    watermark: 0,
    allowedLatenessUs: '0',
    columns: [...COLUMNS, ...['ws', 'we', 'wt'].map((name) => column(name, TIMESTAMP))],
    properties: {
      key: null,
      isAppendOnly: false,
      watermarks: [{ column: 4, source: 0, shiftUs: '0' }],
    },
  },
  keys: [3],
  calls: counts.calls,
  columns: [column('ws', TIMESTAMP), column('n', INT8)],
};

interface Crash {
  readonly directory: string;
  /** What a kill -9 leaves: the directory as it is now. */
  copy(): string;
}

function directories(context: TestContext): Crash {
  const root = mkdtempSync(join(tmpdir(), 'millrace-stored-'));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  let copies = 0;
  const directory = join(root, 'data');
  return {
    directory,
    copy: () => {
      copies += 1;
      const copy = join(root, `copy-${copies}`);
      cpSync(directory, copy, { recursive: true });
      return copy;
    },
  };
}

/** Random changes of 30 keys, taken in several epochs; their times go forward. */
function change(bench: EngineBench, random: Random, count: number): void {
  const source = bench.source('s');
  for (let i = 0; i < count; i += 1) {
    const isDelete = random.below(4) === 0;
    const k = BigInt(random.below(30));
    const at = BigInt(source.rows.length) * 1000n;
    source.ops.push(isDelete ? DELETE : UPSERT);
    source.rows.push(isDelete ? [k, null, null] : [k, BigInt(random.below(5)), at]);
    if (random.below(20) > 0) continue;
    source.available = source.rows.length;
    bench.run();
  }
  source.available = source.rows.length;
  bench.run();
}

/** What the records amount to: the rows, and deletes of keys that were not there. */
function model(bench: EngineBench): { rows: string; counts: string; unknown: number } {
  const { rows, ops } = bench.source('s');
  const newest = new Map<unknown, readonly unknown[]>();
  let unknown = 0;
  for (const [i, row] of rows.entries()) {
    if (ops[i] === UPSERT) newest.set(row[0], row);
    else if (!newest.delete(row[0])) unknown += 1;
  }
  const byValue = new Map<unknown, number>();
  for (const [, v] of newest.values()) byValue.set(v, (byValue.get(v) ?? 0) + 1);
  const counted = [...byValue].map(([v, n]) => `+ ${v} ${n}`).sort();
  const keys = [...newest.values()].map(([k, v]) => `+ ${k} ${v}`).sort();
  return { rows: keys.join('\n'), counts: counted.join('\n'), unknown };
}

function assertModel(bench: EngineBench, views: readonly number[]): void {
  const wanted = model(bench);
  assert.equal(bench.read(SOURCE).replace(/^(\+ \S+ \S+).*$/gm, '$1'), wanted.rows);
  for (const view of views) assert.equal(bench.read(view), wanted.counts, `view ${view}`);
  const [source] = bench.opened.engine.status().sources;
  assert.equal(source!.unknownDeletes, wanted.unknown);
  assert.equal(source!.nullTime, 0);
}

test('the newest row of each key, through crashes with and without a checkpoint', async (context) => {
  const crash = directories(context);
  const random = new Random(7);
  let bench = await EngineBench.open({ dataDir: crash.directory });
  await bench.commit({ ddl: [stored(KEYED)] });
  change(bench, random, 200);
  await bench.commit({ ddl: [createView(VIEW, counts)] });
  change(bench, random, 200);
  assertModel(bench, [VIEW]);
  for (const hasCheckpoint of [false, true]) {
    if (hasCheckpoint) await bench.opened.engine.checkpoint();
    change(bench, random, 50);
    const copy = await EngineBench.open({ dataDir: crash.copy() }, bench);
    assertModel(copy, [VIEW]);
    assert.deepEqual(
      copy.opened.engine.status().sources[0]!.splits,
      bench.opened.engine.status().sources[0]!.splits,
    );
    await copy.opened.close();
  }
  await bench.opened.close();
  bench = await EngineBench.open({ dataDir: crash.directory }, bench);
  change(bench, random, 100);
  await bench.commit({ ddl: [createView(VIEW + 1, counts)] });
  assertModel(bench, [VIEW, VIEW + 1]);
  await bench.opened.close();
});

test('a row and its end are judged alike, also where a split begins behind the row in its epoch', async (context) => {
  const crash = directories(context);
  const bench = await EngineBench.open({ dataDir: crash.directory });
  const source = bench.source('s');
  source.hasEmptySplit = true;
  await bench.commit({ ddl: [stored(KEYED), createView(VIEW, windowCounts)] });
  const arrive = (...records: (readonly [k: bigint, at: bigint | null])[]): void => {
    for (const [k, at] of records) {
      source.rows.push([k, at, at]);
      source.ops.push(at === null ? DELETE : UPSERT);
    }
    source.available = source.rows.length;
    bench.run();
  };
  arrive([1n, 100n], [2n, 5n]);
  arrive([2n, null], [1n, 101n]);
  const copy = await EngineBench.open({ dataDir: crash.copy() }, bench);
  for (const one of [bench, copy]) {
    const [job] = one.opened.engine.status().jobs;
    assert.equal(job!.state, 'running', job!.error ?? '');
    assert.equal(one.read(VIEW), '+ "1970-01-01 00:00:00.0001" 1');
    assert.equal(job!.late, 0);
    await one.opened.close();
  }
});

test('records that were compacted away: where the newest of each key is enough, it goes on', async (context) => {
  const crash = directories(context);
  const bench = await EngineBench.open({ dataDir: crash.directory });
  await bench.commit({ ddl: [stored(KEYED)] });
  const source = bench.source('s');
  for (const v of [1n, 2n, 3n]) {
    source.rows.push([1n, v, v]);
    source.ops.push(UPSERT);
  }
  source.available = 3;
  bench.run();
  source.lost.add(0).add(1);
  const copy = await EngineBench.open({ dataDir: crash.copy() }, bench);
  copy.run();
  assert.match(copy.read(SOURCE), /^\+ 1 3 /);
  assert.match(copy.logged.join('\n'), /warn source s: 1 records came again instead of 3/);
  await copy.opened.close();
  await bench.opened.close();
});

test('a table whose records do not come again has stopped, and what reads it', async (context) => {
  const crash = directories(context);
  const bench = await EngineBench.open({ dataDir: crash.directory });
  await bench.commit({ ddl: [stored(APPENDED), createView(VIEW, counts)] });
  const source = bench.source('s');
  for (const v of [1n, 2n, 3n]) source.rows.push([1n, v, v]);
  source.available = 3;
  bench.run();
  assert.equal(bench.read(VIEW), '+ 1 1\n+ 2 1\n+ 3 1');
  source.lost.add(1);
  const copy = await EngineBench.open({ dataDir: crash.copy() }, bench);
  const stopped = () => copy.opened.engine.step.parts.stopped().map(({ id }) => id);
  assert.deepEqual(stopped().sort(), [SOURCE, VIEW]);
  await copy.commit({ ddl: [createView(VIEW + 1, counts)] });
  assert.deepEqual(stopped().sort(), [SOURCE, VIEW, VIEW + 1]);
  assert.equal(copy.opened.engine.status().sources[0]!.state, 'failed');
  await copy.opened.close();
  await bench.opened.close();
});

test('a restart that has to wait for records says so, and goes on when they come', async (context) => {
  const crash = directories(context);
  const bench = await EngineBench.open({ dataDir: crash.directory });
  await bench.commit({ ddl: [stored(APPENDED), createView(VIEW, counts)] });
  const source = bench.source('s');
  source.rows.push([1n, 1n, 1n]);
  source.available = 1;
  bench.run();
  source.waits.push('no broker is there', 'no broker is there', 'no broker is there');
  const copy = await EngineBench.open({ dataDir: crash.copy() }, bench);
  const waits = copy.logged.filter((line) => line.includes('waited for'));
  assert.deepEqual(waits, ['warn source s: its records are waited for: no broker is there']);
  assert.equal(copy.read(VIEW), '+ 1 1');
  await copy.opened.close();
  await bench.opened.close();
});

test('a restart reads with the newest of several secrets what came with others', async (context) => {
  const crash = directories(context);
  const bench = await EngineBench.open({ dataDir: crash.directory });
  await bench.commit({ ddl: [stored(APPENDED), createView(VIEW, counts)] });
  const source = bench.source('s');
  const arrive = (row: bigint): void => {
    source.rows.push([row, 1n, 1n]);
    source.available += 1;
    bench.run();
  };
  const alter = async (text: string): Promise<void> => {
    bench.sources.set(text, source);
    const action = {
      kind: 'alter_options',
      id: SOURCE,
      texts: [{ path: ['name'], text }],
    } as const;
    await bench.commit({ ddl: [action] });
  };
  arrive(1n);
  await alter('second');
  arrive(2n);
  await alter('third');
  arrive(3n);
  await bench.commit({});
  bench.sources.delete('s');
  bench.sources.delete('second');
  const copy = await EngineBench.open({ dataDir: crash.copy() }, bench);
  assert.equal(copy.read(VIEW), '+ 1 3');
  await copy.opened.close();
  await bench.opened.close();
});
