/** Dead letters are kept up to a size and an age, and no more; what is trimmed is the same after a crash (rule 27). */

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { must } from '../base/assert.ts';
import type { ScanNode } from '../plan/plan-node.ts';
import { INT8, TEXT } from '../types/data-type.ts';
import { createSource, createView, EngineBench } from './engine-bench.ts';
import { column } from './graph-bench.ts';
import { LetterLog } from './letter-log.ts';
import type { EngineOptions } from './port.ts';

const SOURCE = 20_001;
const VIEW = 20_002;
const COLUMNS = [column('k', INT8), { name: 's', type: TEXT }];
const DAY_US = 86_400_000_000n;
const LATE = { kind: 'late', relationId: VIEW } as const;
const late = (bytes: number) => ({ kind: 'late', sourceId: null, viewId: VIEW, bytes }) as const;
const bytesOf = ({ bytes }: { readonly bytes: number }) => bytes;

function logOf(bytesMax: number, ageUsMax: bigint): LetterLog {
  return new LetterLog({ bytesMax, ageUsMax }, null);
}

test('the oldest letters go when there are too many bytes', () => {
  const log = logOf(1000, DAY_US);
  for (let i = 0; i < 10; i++) assert.equal(log.add([late(100)], bytesOf, BigInt(i)), i + 1);
  assert.equal(log.dueBefore(10n), null);
  log.add([late(75), late(75)], bytesOf, 10n);
  assert.equal(log.dueBefore(10n), 3, '1150 bytes: the first two have to go');
  log.trim(3, 2);
  assert.equal(log.dueBefore(10n), null);
  assert.deepEqual(log.status(), {
    counts: [{ ...LATE, count: 12 }],
    kept: 10,
    bytes: 950,
    trimmed: 2,
    replayed: 0,
  });
});

test('replayed letters go from anywhere', () => {
  const log = logOf(64_000, DAY_US);
  for (let i = 0; i < 300; i++) log.add([late(100)], bytesOf, BigInt(i));
  const ids = [300, 7, 150, 8];
  log.remove(ids.map((id) => ({ id, bytes: 100 })));
  const restored = new LetterLog({ bytesMax: 64_000, ageUsMax: DAY_US }, log.state());
  for (const one of [log, restored]) {
    const { kept, bytes, trimmed, replayed } = one.status();
    assert.deepEqual([kept, bytes, trimmed, replayed], [296, 29_600, 0, 4]);
  }
  // Of the letters below 100 two are gone already.
  restored.trim(100, 97);
  assert.deepEqual([restored.status().kept, restored.status().trimmed], [199, 97]);
  const left = Array.from({ length: 201 }, (_, i) => 100 + i).filter((id) => !ids.includes(id));
  restored.remove(left.map((id) => ({ id, bytes: 100 })));
  const { kept, bytes } = restored.status();
  assert.deepEqual([kept, bytes, restored.nextDueUs()], [0, 0, null]);
  assert.equal(restored.add([late(1)], bytesOf, 1n), 301);
});

test('an epoch that brings more than there is room for leaves its newest letters', () => {
  const log = logOf(1000, DAY_US);
  const many = Array.from({ length: 100 }, () => late(100));
  log.add(many, bytesOf, 0n);
  assert.equal(log.dueBefore(0n), 91);
});

test('the oldest letters go when they are too old', () => {
  const log = logOf(1000, DAY_US);
  log.add([late(1)], bytesOf, 0n);
  log.add([late(1)], bytesOf, DAY_US / 2n);
  assert.equal(log.nextDueUs(), DAY_US);
  assert.equal(log.dueBefore(DAY_US - 1n), null);
  assert.equal(log.dueBefore(DAY_US), 2);
  log.trim(2, 1);
  assert.equal(log.nextDueUs(), (3n * DAY_US) / 2n);
});

test('blocks stay few, and a cut through one keeps its rest', () => {
  const log = logOf(64_000, DAY_US);
  for (let i = 0; i < 5000; i++) log.add([late(10)], bytesOf, BigInt(i));
  const state = log.state();
  assert.ok(state.blocks.length <= 65, `${state.blocks.length} blocks`);
  const restored = new LetterLog({ bytesMax: 20_000, ageUsMax: DAY_US }, state);
  assert.equal(restored.bytes, 50_000);
  restored.trim(4951, 4950);
  assert.equal(restored.status().kept, 50);
  assert.equal(restored.bytes, 500);
});

const scan: ScanNode = {
  kind: 'scan',
  relation: { kind: 'source', id: SOURCE, schema: 'public', name: 's' },
  columnIndexes: [0, 1],
  columns: COLUMNS,
};

function temporaryDirectory(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-letters-'));
  context.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** Records without a key are refused by the source. */
async function feed(bench: EngineBench, count: number): Promise<void> {
  const source = bench.source('s');
  for (let i = 0; i < count; i++) source.rows.push([null, `row ${source.rows.length}`]);
  source.available = source.rows.length;
  bench.run();
  await bench.commit({});
}

async function opened(
  options: Partial<EngineOptions>,
  before: EngineBench | null = null,
): Promise<EngineBench> {
  const bench = await EngineBench.open(options, before);
  if (before === null) {
    const source = { ...createSource(SOURCE, 's', COLUMNS, null), notNull: [0] };
    await bench.commit({ ddl: [source, createView(VIEW, scan)] });
  }
  return bench;
}

/** A bench whose source sends its letters somewhere. */
async function sending(options: Partial<EngineOptions>): Promise<EngineBench> {
  const bench = await EngineBench.open(options);
  const source = { ...createSource(SOURCE, 's', COLUMNS, null), notNull: [0], letterUuid: 'u' };
  await bench.commit({ ddl: [source, createView(VIEW, scan)] });
  return bench;
}

/** The ids of the letters there are, in order. */
function letterIds(bench: EngineBench): number[] {
  return bench.deadLetters().map(({ id }) => id);
}

test('the engine trims by size, says so once, and goes on counting', async () => {
  const bench = await opened({ dataDir: ':memory:', deadLetterBytesMax: 20_000 });
  for (let i = 0; i < 20; i++) await feed(bench, 50);
  const { letters } = bench.opened.engine.status();
  assert.ok(letters.bytes <= 20_000 && letters.bytes > 15_000, `${letters.bytes} bytes`);
  assert.equal(letters.kept + letters.trimmed, 1000);
  assert.deepEqual(letters.counts, [{ kind: 'rejected', relationId: SOURCE, count: 1000 }]);
  const ids = letterIds(bench);
  assert.equal(ids.length, letters.kept);
  assert.deepEqual([ids[0], ids.at(-1)], [letters.trimmed + 1, 1000]);
  assert.deepEqual(
    bench.logged.filter((line) => line.startsWith('warn')),
    ['warn dead letters have reached their limits: the oldest are trimmed'],
  );
  await bench.opened.close();
});

test('letters that are too old go by themselves', async () => {
  const bench = await opened({ dataDir: ':memory:', deadLetterAgeMsMax: 1000 });
  await feed(bench, 3);
  const { engine } = bench.opened;
  assert.equal(engine.nextDueUs(), bench.clock.monotonicUs() + 1_000_000n);
  bench.clock.advanceUs(1_000_000n);
  bench.run();
  await bench.commit({});
  assert.deepEqual(letterIds(bench), []);
  assert.equal(engine.nextDueUs(), null);
  await bench.opened.close();
});

test('what is trimmed is decided once: a replay under other limits has the same letters', async (context) => {
  const directory = temporaryDirectory(context);
  let bench = await opened({ dataDir: directory, deadLetterBytesMax: 10_000 });
  await feed(bench, 40);
  await bench.opened.engine.checkpoint();
  for (let i = 0; i < 6; i++) await feed(bench, 40);
  const before = letterIds(bench);
  const { letters } = bench.opened.engine.status();
  assert.ok(letters.trimmed > 0);
  const copy = temporaryDirectory(context);
  cpSync(directory, copy, { recursive: true });
  await bench.opened.close();

  bench = await opened({ dataDir: copy, deadLetterBytesMax: 1_000_000 }, bench);
  assert.deepEqual(letterIds(bench), before);
  assert.equal(bench.opened.engine.status().letters.trimmed, letters.trimmed);
  await bench.opened.close();

  // Opened again with smaller ones, it trims what is there.
  bench = await opened({ dataDir: copy, deadLetterBytesMax: 5000 }, bench);
  bench.run();
  await bench.commit({});
  const { kept, trimmed, bytes } = bench.opened.engine.status().letters;
  assert.equal(kept + trimmed, 280);
  assert.ok(bytes <= 5000, `${bytes} bytes`);
  assert.equal(letterIds(bench).length, kept);
  await bench.opened.close();
});

test('letters that find no room are not sent, and hold nothing up; later ones are sent', async () => {
  const bench = await sending({ dataDir: ':memory:', sinkHeldBytesMax: 200_000 });
  const status = () => must(bench.opened.engine.status().sources[0]?.letters);
  await feed(bench, 3);
  bench.refusal.reason = 'its spool is full';
  for (let i = 0; i < 50; i++) await feed(bench, 100);
  const { state, error, rowsSent, rowsDropped, heldRows } = status();
  assert.deepEqual([state, error, rowsSent], ['failed', 'its spool is full', 3]);
  assert.ok(rowsDropped > 1000, `${rowsDropped} letters`);
  assert.equal(rowsDropped + heldRows, 5000);
  assert.equal(bench.opened.engine.status().letters.kept, 5003, 'the source goes on');
  const told = bench.logged.filter((line) => line.startsWith('error'));
  const counts = told.map((line) =>
    Number(/^error (\d+) dead letters of source s/.exec(line)?.[1]),
  );
  assert.equal(
    counts.reduce((sum, count) => sum + count),
    rowsDropped,
  );
  bench.refusal.reason = null;
  await feed(bench, 1);
  const ids = bench.letters.map((line) => Number(line.split(' ')[2]));
  const from = 4 + rowsDropped;
  const last = Array.from({ length: 5005 - from }, (_, i) => from + i);
  assert.deepEqual(ids, [1, 2, 3, ...last]);
  assert.equal(status().state, 'running');
  await bench.opened.close();
});

test('what a dropped source has not sent goes with it', async () => {
  const bench = await sending({ dataDir: ':memory:' });
  bench.refusal.reason = 'full';
  await feed(bench, 3);
  await bench.commit({
    ddl: [
      { kind: 'drop', id: VIEW },
      { kind: 'drop', id: SOURCE },
    ],
  });
  bench.refusal.reason = null;
  await bench.commit({});
  assert.deepEqual(bench.letters, []);
  assert.deepEqual(bench.opened.engine.status().sources, []);
  await bench.opened.close();
});
