/** StoredRelation against a model: random deltas, every kept snapshot equal at every epoch, through compaction and reopening. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../base/random.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { writeViewAt } from '../memory/views.ts';
import { type DataType, INT4, INT8, TEXT } from '../types/data-type.ts';
import { buildBatch, readRow, type Value } from './batch-fixture.ts';
import { EpochControl, type EpochPin } from './epoch-control.ts';
import { RelationReader } from './relation-reader.ts';
import type { RelationSchema } from './relation-schema.ts';
import { StoredRelation } from './stored-relation.ts';

const TYPES: readonly DataType[] = [INT8, TEXT, INT4];
const KEYED: RelationSchema = {
  storages: ['i64', 'view', 'i32'],
  key: [0],
  isAppendOnly: false,
  indexes: [{ name: 'by_number', columns: [2], isUnique: false }],
};
const BAG: RelationSchema = { ...KEYED, key: null, indexes: [] };

class Bench {
  readonly memory = Memory.create();
  readonly target = Memory.create();
  readonly scratch = new Scratch(this.target);
  readonly out = { memory: this.target, scratch: this.scratch };
  readonly control = new EpochControl();
  readonly schema: RelationSchema;
  relation: StoredRelation;
  reader: RelationReader;
  epoch = 0;

  constructor(schema: RelationSchema) {
    this.schema = schema;
    this.relation = StoredRelation.open(this.memory, this.memory.rootCell(0), schema, this.control);
    this.reader = new RelationReader(this.memory.wasm, this.relation.headerAddress, schema);
  }

  reopen(): void {
    this.relation = StoredRelation.open(
      this.memory,
      this.memory.rootCell(0),
      this.schema,
      this.control,
    );
  }

  batch(rows: readonly (readonly Value[])[], weights?: readonly number[]): DeltaBatch {
    return buildBatch(TYPES, rows, this.scratch, weights);
  }

  commit(...batches: DeltaBatch[]): number {
    this.epoch += 1;
    this.relation.begin(this.epoch);
    for (const batch of batches) this.relation.apply(batch);
    this.relation.publish(this.epoch);
    this.control.publish(this.epoch);
    this.relation.compact();
    return this.epoch;
  }

  contents(batches: Iterable<DeltaBatch>): Map<string, number> {
    const counts = new Map<string, number>();
    for (const batch of batches) {
      for (let row = 0; row < batch.rowCount; row++) {
        const text = readRow(batch, row).map(String).join('|');
        const weight = batch.weights === 0 ? 1 : batch.memory.i32[(batch.weights >>> 2) + row]!;
        const count = (counts.get(text) ?? 0) + weight;
        if (count === 0) counts.delete(text);
        else counts.set(text, count);
      }
    }
    return counts;
  }

  scan(epoch: number): Map<string, number> {
    this.scratch.reset();
    return this.contents(this.reader.scan(epoch, [0, 1, 2], this.out));
  }
}

function sorted(counts: Map<string, number>): [string, number][] {
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}

function rowOf(random: Random, key: number): Value[] {
  const length = random.below(3) === 0 ? 40 : random.below(12);
  const text = random.below(7) === 0 ? null : `${key}-`.padEnd(length, 'é');
  return [BigInt(key), text, random.below(5) === 0 ? null : random.below(10)];
}

interface Snapshot {
  readonly pin: EpochPin;
  readonly expected: Map<string, number>;
}

for (const [name, schema] of [
  ['keyed', KEYED],
  ['bag', BAG],
] as const) {
  test(`${name}: every pinned snapshot stays as it was`, () => {
    const random = new Random(7);
    const bench = new Bench(schema);
    const model = new Map<string, { row: Value[]; count: number }>();
    const pins: Snapshot[] = [];
    for (let round = 0; round < 300; round++) {
      bench.scratch.reset();
      const rows: Value[][] = [];
      const weights: number[] = [];
      for (let i = random.below(40); i > 0; i--) {
        const key = random.below(schema === KEYED ? 400 : 60);
        const row =
          schema === KEYED ? rowOf(random, key) : [BigInt(key), `${key % 3}`.repeat(key), 1];
        const id = schema === KEYED ? `${key}` : row.map(String).join('|');
        const held = model.get(id);
        if (held !== undefined && (schema === KEYED || random.below(2) === 0)) {
          rows.push(held.row);
          weights.push(-1);
          held.count -= 1;
          if (held.count === 0) model.delete(id);
          if (random.below(3) === 0) continue;
        }
        const now = model.get(id) ?? { row, count: 0 };
        now.count += 1;
        model.set(id, now);
        rows.push(now.row);
        weights.push(1);
      }
      const order = rows.map((_, i) => i).sort(() => random.below(3) - 1);
      const batch = bench.batch(
        order.map((i) => rows[i]!),
        order.map((i) => weights[i]!),
      );
      const epoch = bench.commit(batch);
      const expected = new Map(
        [...model.values()].map(({ row, count }) => [row.map(String).join('|'), count]),
      );
      const count = [...expected.values()].reduce((sum, n) => sum + n, 0);
      assert.equal(bench.relation.rowCount, count);
      assert.equal(bench.reader.rowCount(epoch), count);
      assert.deepEqual(sorted(bench.scan(epoch)), sorted(expected));
      pins.push({ pin: bench.control.pin(), expected });
      if (pins.length > 20) pins.splice(random.below(pins.length), 1)[0]!.pin.release();
      const old = pins[random.below(pins.length)]!;
      assert.deepEqual(sorted(bench.scan(old.pin.epoch)), sorted(old.expected));
      const sum = new Map(old.expected);
      const changes = bench.reader.changes(old.pin.epoch, epoch, [0, 1, 2], bench.out);
      for (const [text, weight] of bench.contents(changes)) {
        const total = (sum.get(text) ?? 0) + weight;
        if (total === 0) sum.delete(text);
        else sum.set(text, total);
      }
      assert.deepEqual(sorted(sum), sorted(expected));
      if (schema === KEYED) checkLookups(bench, old, random);
      if (round % 50 === 49) bench.reopen();
    }
    for (const { pin } of pins) pin.release();
  });
}

function checkLookups(bench: Bench, old: Snapshot, random: Random): void {
  const key = random.below(400);
  const keys = buildBatch([INT8], [[BigInt(key)]], bench.scratch);
  const found = bench.contents(bench.reader.lookup(0, keys, old.pin.epoch, [0, 1, 2], bench.out));
  const expected = [...old.expected].filter(([text]) => text.startsWith(`${key}|`));
  assert.deepEqual([...found], expected);
  const number = random.below(10);
  const numbers = buildBatch([INT4], [[number]], bench.scratch);
  const rows = bench.contents(bench.reader.lookup(1, numbers, old.pin.epoch, [0, 1, 2], bench.out));
  const wanted = [...old.expected].filter(([text]) => text.endsWith(`|${number}`));
  assert.deepEqual(sorted(rows), sorted(new Map(wanted)));
}

test('a hot key costs a bounded amount of memory', () => {
  const bench = new Bench(KEYED);
  let row: Value[] = [1n, 'a text that is longer than twelve', 0];
  bench.commit(bench.batch([row]));
  let after = 0;
  for (let i = 1; i <= 2000; i++) {
    bench.scratch.reset();
    const next: Value[] = [1n, `a text that is longer than twelve ${i}`, i];
    bench.commit(bench.batch([row, next], [-1, 1]));
    row = next;
    if (i === 1000) after = bench.memory.allocatedBytes;
  }
  assert.ok(
    bench.memory.allocatedBytes <= after * 1.5,
    `${bench.memory.allocatedBytes} of ${after}`,
  );
});

test('long texts side by side, some of them NULL or of rows that go: the others are as they were', () => {
  for (const length of [13, 100, 700, 40_000]) {
    const bench = new Bench(BAG);
    const count = Math.min(1000, Math.floor(4_000_000 / length));
    const text = (i: number) => String.fromCharCode(97 + (i % 26)).repeat(length);
    const rows = Array.from({ length: count }, (_, i): Value[] => [
      BigInt(i),
      i % 10 === 0 ? null : text(i),
      i % 3,
    ]);
    // Rows that were there go amid those that come, whose texts have gaps between them, then.
    const isGone = (i: number) => i % 5 === 1 || (i > count / 2 && i % 2 === 1);
    const kept = rows.filter((_, i) => !isGone(i));
    bench.commit(bench.batch(rows.filter((_, i) => isGone(i))));
    const weights = rows.map((_, i) => (isGone(i) ? -1 : 1));
    const epoch = bench.commit(bench.batch(rows, weights));
    const expected = kept.map((row): [string, number] => [row.map(String).join('|'), 1]);
    assert.deepEqual(sorted(bench.scan(epoch)), sorted(new Map(expected)));
  }
});

/** A batch whose texts are these places of `text`: [offset, length]. */
function pieces(
  bench: Bench,
  text: string,
  places: readonly (readonly [number, number])[],
): DeltaBatch {
  const { memory } = bench.scratch;
  const bytes = bench.scratch.alloc(text.length);
  memory.u8.set(Buffer.from(text), bytes);
  const batch = bench.batch(places.map((_, i): Value[] => [BigInt(i), '', 0]));
  for (const [i, [at, length]] of places.entries()) {
    writeViewAt(memory, batch.columns[1]!.values + 16 * i, bytes + at, length);
  }
  return batch;
}

test('texts that are pieces of one another, in any order', () => {
  const text = Array.from({ length: 50 }, (_, i) => `${i}`.padEnd(8, 'abcdefgh')).join('');
  const random = new Random(3);
  for (const count of [3, 5, 20, 60, 500]) {
    const bench = new Bench(BAG);
    const places = Array.from({ length: count }, (_, i): [number, number] => {
      const at = i % 3 === 2 ? 0 : 100;
      return [at, i < 3 ? [20, 100, 100][i]! : random.pick([13, 20, 100, random.below(300)])];
    });
    bench.commit(pieces(bench, text, places));
    bench.commit(pieces(bench, 'Z'.repeat(1000), [[0, 1000]]));
    const expected = places.map(([at, length], i): [string, number] => [
      `${i}|${text.slice(at, at + length)}|0`,
      1,
    ]);
    const found = bench.scan(2);
    found.delete(`0|${'Z'.repeat(1000)}|0`);
    assert.deepEqual(sorted(found), sorted(new Map(expected)));
  }
});

test('a long text of many rows is stored once in each segment', () => {
  const bench = new Bench(BAG);
  const text = 'z'.repeat(100_000);
  bench.commit(
    pieces(
      bench,
      text,
      Array.from({ length: 1000 }, () => [0, text.length] as const),
    ),
  );
  assert.ok(bench.memory.allocatedBytes < 10 * text.length, `${bench.memory.allocatedBytes}`);
});

test('what is not there cannot be retracted, and a key cannot be there twice', () => {
  const bench = new Bench(KEYED);
  bench.relation.begin(1);
  bench.relation.retract(bench.batch([[1n, 'a', 1]]));
  assert.throws(() => bench.relation.publish(1), /a row that is not there/);
  const other = new Bench(KEYED);
  other.relation.begin(1);
  other.relation.apply(
    other.batch([
      [1n, 'a', 1],
      [1n, 'b', 1],
    ]),
  );
  assert.throws(() => other.relation.publish(1), /same key/);
});

test('rows go by their keys, those that are there; a snapshot before keeps them', () => {
  const bench = new Bench(KEYED);
  const rows = Array.from({ length: 3000 }, (_, i): Value[] => [BigInt(i), 'x'.repeat(i % 40), 0]);
  const before = bench.commit(
    ...[0, 1000, 2000].map((at) => bench.batch(rows.slice(at, at + 1000))),
  );
  const pin = bench.control.pin(before);
  const keys = (from: number, to: number) =>
    buildBatch(
      [INT8],
      Array.from({ length: to - from }, (_, i) => [BigInt(from + i)]),
      bench.scratch,
    );
  bench.epoch += 1;
  bench.relation.begin(bench.epoch);
  assert.equal(bench.relation.retractKeys(keys(1000, 2000)), 1000);
  assert.equal(bench.relation.retractKeys(keys(1900, 2900)), 900);
  assert.equal(bench.relation.retractKeys(keys(3000, 3001)), 0);
  bench.relation.publish(bench.epoch);
  bench.control.publish(bench.epoch);
  for (let step = 0; step < 5; step++) bench.relation.compact();
  const left = rows.filter((_, i) => i < 1000 || i >= 2900);
  const counts = (kept: readonly Value[][]) =>
    sorted(new Map(kept.map((row): [string, number] => [row.map(String).join('|'), 1])));
  assert.equal(bench.relation.rowCount, left.length);
  assert.deepEqual(sorted(bench.scan(bench.epoch)), counts(left));
  assert.deepEqual(sorted(bench.scan(before)), counts(rows));
  pin.release();
  const again = bench.commit(bench.batch(rows.slice(1500, 1600)));
  assert.deepEqual(sorted(bench.scan(again)), counts([...left, ...rows.slice(1500, 1600)]));
});

test('a log that is trimmed from its front is not rewritten, one that has gaps is', () => {
  const bench = new Bench({ ...KEYED, indexes: [], segmentRowsMax: 128 });
  const rows = Array.from({ length: 640 }, (_, i): Value[] => [BigInt(i), `row ${i}`, i]);
  for (let at = 0; at < 640; at += 64) bench.commit(bench.batch(rows.slice(at, at + 64)));
  const trim = (from: number, to: number, every = 1): number => {
    const gone = rows.slice(from, to).filter((_, i) => i % every === 0);
    const before = bench.relation.bytes;
    bench.commit(
      bench.batch(
        gone,
        gone.map(() => -1),
      ),
    );
    // What was replaced is freed one epoch later.
    bench.commit();
    return bench.relation.bytes - before;
  };
  // Segments of 64, 64 and then 128 rows.
  assert.equal(trim(0, 60), 0, 'the oldest one waits');
  assert.ok(trim(60, 64) < 0, 'until all of it is gone');
  assert.equal(trim(64, 127), 0);
  assert.ok(trim(127, 128) < 0);
  assert.equal(trim(128, 240), 0);
  assert.ok(trim(256, 384, 2) + trim(257, 384, 4) < 0, 'another one is rewritten');
  const left = rows.filter(
    (_, i) => i >= 240 && (i < 256 || i >= 384 || (i % 2 === 1 && i % 4 !== 1)),
  );
  assert.deepEqual(
    sorted(bench.scan(bench.epoch)),
    sorted(new Map(left.map((row): [string, number] => [row.map(String).join('|'), 1]))),
  );
});

test('a retraction may come before its insert inside an epoch', () => {
  const bench = new Bench(KEYED);
  bench.commit(
    bench.batch([[1n, 'a', 1]], [-1]),
    bench.batch([
      [1n, 'a', 1],
      [1n, 'b', 2],
    ]),
  );
  assert.deepEqual(sorted(bench.scan(1)), [['1|b|2', 1]]);
});

test('TRUNCATE, indexes made later, and destroy gives all memory back', () => {
  const bench = new Bench({ ...KEYED, indexes: [] });
  const rows = Array.from({ length: 1000 }, (_, i): Value[] => [BigInt(i), 'x'.repeat(20), i % 7]);
  bench.commit(bench.batch(rows));
  bench.relation.addIndex({ name: 'later', columns: [2], isUnique: false });
  const reader = new RelationReader(
    bench.memory.wasm,
    bench.relation.headerAddress,
    bench.relation.schema,
  );
  const keys = buildBatch([INT4], [[3]], bench.scratch);
  let count = 0;
  for (const batch of reader.lookup(1, keys, 1, [0], bench.out)) count += batch.rowCount;
  assert.equal(count, 143);
  bench.epoch = 2;
  bench.relation.begin(2);
  bench.relation.clear();
  bench.relation.publish(2);
  bench.control.publish(2);
  assert.equal(bench.relation.rowCount, 0);
  assert.equal(bench.scan(2).size, 0);
  assert.equal(bench.scan(1).size, 1000);
  bench.relation.destroy();
  assert.equal(bench.memory.allocatedBytes, 0);
});

test('a snapshot that was cancelled says so, one that is gone cannot be pinned', () => {
  const bench = new Bench(BAG);
  bench.commit(bench.batch([[1n, 'a', 1]]));
  const pin = bench.control.pin();
  bench.commit(bench.batch([[2n, 'b', 1]]));
  bench.control.cancelBefore(2);
  assert.throws(() => pin.check(), { sqlstate: '72000' });
  bench.relation.compact();
  assert.throws(() => bench.control.pin(1), { sqlstate: '22023' });
  pin.release();
});
