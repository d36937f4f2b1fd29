import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Column } from '../../batch/delta-batch.ts';
import { RowTable } from '../../kernels/row-table.ts';
import { Memory } from '../../memory/memory.ts';
import { RowLayout } from '../../memory/row-layout.ts';
import { Scratch } from '../../memory/scratch.ts';
import { type DataType, FLOAT8, INT8 } from '../../types/data-type.ts';
import type { AggregateInstance } from './aggregate.ts';
import { readBigInt } from './numeric-bytes.ts';
import { aggregateDefinition } from './registry.ts';

const SEED = 20261121;

function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

/** Three groups under one aggregate, driven by lists of [group, value, weight]. */
class Bench {
  readonly memory = Memory.create();
  readonly scratch = new Scratch(this.memory);
  readonly table: RowTable;
  readonly instance: AggregateInstance;
  readonly type: DataType;
  readonly rows: number[] = [];

  constructor(id: string, type: DataType, isDistinct: boolean, isAppendOnly: boolean) {
    const definition = aggregateDefinition(id);
    this.type = type;
    let cells = 1;
    const use = { isDistinct, weightOffset: null };
    const extraBytes = definition.slotBytes(use);
    const spec = { storages: ['i64'] as const, keyCount: 1, extraBytes };
    this.table = RowTable.open(this.memory, this.memory.rootCell(0), spec);
    const keys = this.scratch.alloc(24);
    this.memory.i64.set([0n, 1n, 2n], keys >>> 3);
    const out = this.scratch.alloc(12);
    this.table.upsert([{ storage: 'i64', values: keys, validity: 0 }], 3, out);
    this.rows.push(...this.memory.u32.slice(out >>> 2, (out >>> 2) + 3));
    this.instance = definition.create({
      memory: this.memory,
      scratch: this.scratch,
      rootCell: () => this.memory.rootCell(cells++),
      table: this.table,
      slotOffset: new RowLayout(spec.storages, spec.extraBytes).extraOffset,
      argTypes: [type],
      orderBy: [],
      ...use,
      isAppendOnly,
    });
  }

  update(changes: readonly (readonly [number, bigint | number | null, number])[]): void {
    const mark = this.scratch.mark();
    const { memory, scratch } = this;
    const n = changes.length;
    const rows = scratch.alloc(4 * n);
    const weights = scratch.alloc(4 * n);
    const values = scratch.allocZeroed(8 * n);
    const validity = scratch.allocZeroed((n + 7) >>> 3);
    changes.forEach(([group, value, weight], i) => {
      memory.u32[(rows >>> 2) + i] = this.rows[group]!;
      memory.i32[(weights >>> 2) + i] = weight;
      if (value === null) return;
      memory.u8[validity + (i >>> 3)]! |= 1 << (i & 7);
      if (typeof value === 'bigint') memory.i64[(values >>> 3) + i] = value;
      else memory.f64[(values >>> 3) + i] = value;
    });
    this.instance.update(rows, [{ storage: this.type.storage, values, validity }], weights, n);
    scratch.release(mark);
  }

  results(): (bigint | number | null)[] {
    const rows = this.scratch.alloc(12);
    this.memory.u32.set(this.rows, rows >>> 2);
    const column = this.instance.result(rows, 3);
    return [0, 1, 2].map((i) => this.#read(column, i));
  }

  release(): void {
    const rows = this.scratch.alloc(12);
    this.memory.u32.set(this.rows, rows >>> 2);
    this.instance.release(rows, 3);
  }

  #read(column: Column, i: number): bigint | number | null {
    const { memory } = this;
    const { validity, values } = column;
    if (validity !== 0 && ((memory.u8[validity]! >>> i) & 1) === 0) return null;
    if (column.storage === 'i64') return memory.i64[(values >>> 3) + i]!;
    if (column.storage === 'f64') return memory.f64[(values >>> 3) + i]!;
    const length = memory.u32[(values >>> 2) + 4 * i]!;
    const data = length > 12 ? memory.u32[(values >>> 2) + 4 * i + 3]! : values + 16 * i + 4;
    return readBigInt(memory.u8, data + 4, length - 4);
  }
}

type Fold = (values: readonly (bigint | number)[]) => bigint | number | null;

/** Random inserts and retractions of what is there; the result equals the fold of the multiset after every batch. */
function check(
  id: string,
  type: DataType,
  isDistinct: boolean,
  value: (random: (below: number) => number) => bigint | number | null,
  fold: Fold,
  isAppendOnly = false,
): void {
  const bench = new Bench(id, type, isDistinct, isAppendOnly);
  const random = sequence(SEED);
  const held: (bigint | number | null)[][] = [[], [], []];
  for (let step = 0; step < 60; step += 1) {
    const changes: [number, bigint | number | null, number][] = [];
    for (let i = 0; i <= random(30); i += 1) {
      const group = random(3);
      const list = held[group]!;
      if (!isAppendOnly && list.length > 0 && random(5) < 2) {
        changes.push([group, list.splice(random(list.length), 1)[0]!, -1]);
      } else {
        const next = value(random);
        list.push(next);
        changes.push([group, next, 1]);
      }
    }
    bench.update(changes);
    const expected = held.map((list) => {
      const present = list.filter((item) => item !== null);
      return fold(isDistinct ? [...new Set(present)] : present);
    });
    assert.deepEqual(bench.results(), expected, `${id} step ${step} seed ${SEED}`);
  }
  bench.release();
}

const integer = (random: (below: number) => number): bigint | null =>
  random(6) === 0 ? null : BigInt(random(25)) * 2n ** BigInt(random(3) * 28) - 9n;
const float = (random: (below: number) => number): number | null =>
  random(6) === 0 ? null : (random(2001) - 1000) * 2 ** (random(120) - 60);

const total: Fold = (values) =>
  values.length === 0 ? null : (values as bigint[]).reduce((sum, item) => sum + item, 0n);
const least: Fold = (values) =>
  values.length === 0 ? null : values.reduce((a, b) => (b < a ? b : a));
const greatest: Fold = (values) =>
  values.length === 0 ? null : values.reduce((a, b) => (b > a ? b : a));

/** All values are integers times 2^-60: their sum is exact as a bigint. */
const floatTotal: Fold = (values) => {
  if (values.length === 0) return null;
  const sum = (values as number[]).reduce((acc, item) => acc + BigInt(item * 2 ** 60), 0n);
  return Number(sum) * 2 ** -60;
};

test('count and sum follow inserts and retractions', () => {
  check('count(any)', INT8, false, integer, (values) => BigInt(values.length));
  check('sum(int8)', INT8, false, integer, total);
});

test('DISTINCT counts a value once however many copies there are', () => {
  check('count(any)', INT8, true, integer, (values) => BigInt(values.length));
  check('sum(int8)', INT8, true, integer, total);
});

test('min and max find the next value when the extreme one is retracted', () => {
  check('min(int8)', INT8, false, integer, least);
  check('max(int8)', INT8, false, integer, greatest);
  check('min(int8)', INT8, false, integer, least, true);
  check('max(int8)', INT8, false, integer, greatest, true);
});

test('a float sum is the exact one, rounded once, also after retractions', () => {
  check('sum(float8)', FLOAT8, false, float, floatTotal);
});

/** The unscaled value of a numeric: PostgreSQL's scale of the quotient is checked in sql-tests/functions/variance.slt. */
const isPopulationVarianceZero: Fold = (values) => (values.length === 0 ? null : 0n);

test('variance follows inserts and retractions', () => {
  check(
    'var_pop(int8)',
    INT8,
    false,
    (random) => (random(6) === 0 ? null : 7n),
    isPopulationVarianceZero,
  );
  check('var_pop(float8)', FLOAT8, false, (random) => random(1000) / 8, varianceOf);
  const bench = new Bench('stddev_pop(float8)', FLOAT8, false, false);
  bench.update([
    [0, 1, 1],
    [0, 3, 1],
    [0, 100, 1],
  ]);
  bench.update([[0, 100, -1]]);
  assert.deepEqual(bench.results(), [1, null, null]);
});

/** Values are eighths below 125: all sums are exact in doubles. */
const varianceOf: Fold = (values) => {
  if (values.length === 0) return null;
  const numbers = values as readonly number[];
  const sum = numbers.reduce((a, b) => a + b, 0);
  const squares = numbers.reduce((a, b) => a + b * b, 0);
  return (numbers.length * squares - sum * sum) / (numbers.length * numbers.length);
};

test('what is not finite leaves a variance when it is retracted', () => {
  const bench = new Bench('var_samp(float8)', FLOAT8, false, false);
  bench.update([
    [0, 1, 1],
    [0, 2, 1],
    [0, Infinity, 1],
    [1, 5, 1],
    [2, 1e200, 1],
    [2, -1e200, 1],
  ]);
  assert.throws(() => bench.results(), { message: 'value out of range: overflow' });
  bench.update([
    [2, 1e200, -1],
    [2, -1e200, -1],
  ]);
  assert.deepEqual(bench.results(), [Number.NaN, null, null]);
  bench.update([[0, Infinity, -1]]);
  assert.deepEqual(bench.results(), [0.5, null, null]);
});

test('NaN and infinities leave a float sum when they are retracted', () => {
  const bench = new Bench('sum(float8)', FLOAT8, false, false);
  bench.update([
    [0, Number.NaN, 1],
    [1, Infinity, 1],
    [1, 1e308, 2],
    [2, 0.1, 3],
  ]);
  assert.deepEqual(bench.results(), [Number.NaN, Infinity, 0.30000000000000004]);
  bench.update([
    [0, Number.NaN, -1],
    [1, -Infinity, 1],
  ]);
  assert.deepEqual(bench.results(), [null, Number.NaN, 0.30000000000000004]);
  bench.update([
    [1, -Infinity, -1],
    [1, Infinity, -1],
  ]);
  assert.throws(() => bench.results(), { message: 'value out of range: overflow' });
  bench.update([[1, 1e308, -1]]);
  assert.deepEqual(bench.results(), [null, 1e308, 0.30000000000000004]);
});
