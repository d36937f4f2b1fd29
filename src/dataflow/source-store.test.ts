/** SourceStore against a model: random records in random cuts, repeats, gaps, deletes of unknown keys, TRUNCATE. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../base/random.ts';
import { buildBatch } from '../batch/build-batch.ts';
import { weightOf } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { readValue } from '../batch/read-value.ts';
import type { RowChanges } from '../connect/source.ts';
import { DELETE, TRUNCATE, UPSERT } from '../formats/change-decoder.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { EpochControl } from '../state/epoch-control.ts';
import { INT4, INT8, TEXT, type Value } from '../types/data-type.ts';
import { EngineRelation } from './engine-relation.ts';
import { HIDDEN_STORAGES, SourceStore } from './source-store.ts';

const TYPES = [TEXT, INT4, TEXT];
const ALL = [...TYPES, INT4, INT8];
const WANTED = [0, 1, 2];
const COLUMNS = ['k', 'v', 't'].map((name, i) => ({ name, type: TYPES[i]! }));
const NO_VALUE = '?';

interface SourceRecord {
  readonly op: number;
  readonly offset: number;
  readonly key: string;
  /** NO_VALUE: it is left out. */
  readonly values: readonly (number | string | null)[];
}

class Bench {
  readonly memory = Memory.create();
  readonly scratch = new Scratch(this.memory);
  readonly control = new EpochControl();
  readonly relation: EngineRelation;
  readonly store: SourceStore;
  /** Rows by text as whoever reads the changes has them: weights. */
  readonly seen = new Map<string, number>();
  readonly problems: string[] = [];
  #epoch = 0;

  constructor() {
    const storages = [...TYPES.map(({ storage }) => storage), ...HIDDEN_STORAGES];
    const schema = { storages, key: [0], isAppendOnly: false, indexes: [] };
    const definition = { id: 1, name: 's', kind: 'source' as const, columns: COLUMNS, schema };
    this.relation = new EngineRelation(
      { ...definition, indexIds: [], watermark: null },
      Memory.create(),
      this.control,
      0,
    );
    this.store = SourceStore.open(this.relation, this, 0)!;
  }

  epoch(chunks: readonly (readonly [number, readonly SourceRecord[]])[]): void {
    this.#epoch += 1;
    for (const [split, records] of chunks) this.#chunk(split, records);
    this.relation.publish(this.#epoch);
    this.control.publish(this.#epoch);
    if (this.relation.stored!.canCompact) this.relation.stored!.compact();
  }

  #chunk(split: number, records: readonly SourceRecord[]): void {
    const mark = this.scratch.mark();
    const value = (one: number | string | null): Value => (one === NO_VALUE ? null : one);
    const rows = records.map(({ op, key, values }) => {
      if (op === TRUNCATE) return [null, null, null];
      return [key, ...(op === DELETE ? [null, null] : values.map(value))];
    });
    const unavailable = new Map<number, number[]>();
    for (const [row, { values }] of records.entries()) {
      const columns = values.flatMap((one, i) => (one === NO_VALUE ? [i + 1] : []));
      if (columns.length > 0) unavailable.set(row, columns);
    }
    const batch = buildBatch(TYPES, rows, this.scratch);
    const ops = this.scratch.alloc(records.length);
    const offsets = this.scratch.alloc(8 * records.length);
    for (const [row, { op, offset }] of records.entries()) {
      this.memory.u8[ops + row] = op;
      this.memory.i64[(offsets >>> 3) + row] = BigInt(offset);
    }
    const changes: RowChanges = {
      ops: { storage: 'u8', values: ops, validity: 0 },
      offsets: { storage: 'i64', values: offsets, validity: 0 },
      unavailable,
    };
    for (const part of this.store.parts(batch, changes, split, WANTED)) {
      this.problems.push(...[...part.problems.values()].map(({ sqlstate }) => sqlstate));
      if (part.problems.size > 0) {
        assert.equal(part.batch.rowCount, 1, 'a part with a gap that cannot be filled');
        continue;
      }
      this.store.apply(part.batch, (delta) => this.#deliver(delta));
    }
    this.scratch.release(mark);
  }

  #deliver(delta: DeltaBatch): void {
    this.relation.apply(delta, this.#epoch);
    for (let row = 0; row < delta.rowCount; row += 1) {
      const text = rowText(delta, row);
      const weight = (this.seen.get(text) ?? 0) + weightOf(delta, row);
      assert.ok(weight === 0 || weight === 1, `${text} ${weight}`);
      if (weight === 0) this.seen.delete(text);
      else this.seen.set(text, weight);
    }
  }
}

function rowText(batch: DeltaBatch, row: number): string {
  return batch.columns
    .map((column, i) => String(readValue(batch.memory, column, ALL[i]!, row)))
    .join('|');
}

class Model {
  readonly rows = new Map<string, { values: (number | string | null)[]; at: [number, number] }>();
  unknownDeletes = 0;

  take(split: number, { op, offset, key, values }: SourceRecord): void {
    const before = this.rows.get(key);
    if (op === TRUNCATE) this.rows.clear();
    else if (before !== undefined && before.at[0] === split && offset <= before.at[1]) return;
    else if (op === UPSERT) {
      const filled = values.map((one, i) => (one === NO_VALUE ? before!.values[i]! : one));
      this.rows.set(key, { values: filled, at: [split, offset] });
    } else if (!this.rows.delete(key)) this.unknownDeletes += 1;
  }

  has(key: string): boolean {
    return this.rows.has(key);
  }

  texts(): string[] {
    return [...this.rows]
      .map(([key, { values, at }]) => [key, ...values, ...at].map(String).join('|'))
      .sort();
  }
}

const LONG = 'a text that is too long for the twelve bytes of a view';

function randomRecord(random: Random, model: Model, offset: number): SourceRecord {
  const number = random.below(40);
  const key = number % 2 === 0 ? `${number}` : `${LONG} ${number}`;
  const kind = random.below(200);
  if (kind === 0) return { op: TRUNCATE, offset, key, values: [] };
  if (kind < 40) return { op: DELETE, offset, key, values: [] };
  const hasGap = kind < 90 && model.has(key);
  const text = hasGap ? NO_VALUE : random.below(4) === 0 ? null : `${LONG}${random.below(9)}`;
  return { op: UPSERT, offset, key, values: [random.below(1000), text] };
}

test('random records in random cuts equal the model', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = new Random(seed);
    const bench = new Bench();
    const model = new Model();
    const offsets = [0, 0];
    for (let epoch = 0; epoch < 20; epoch += 1) {
      const chunks = Array.from({ length: 1 + random.below(3) }, () => {
        const split = random.below(2);
        const records = Array.from({ length: 1 + random.below(120) }, () => {
          // Now and then what was there comes again.
          const isOld = offsets[split]! > 5 && random.below(30) === 0;
          const offset = isOld ? random.below(offsets[split]!) : offsets[split]!++;
          const record = randomRecord(random, model, offset);
          model.take(split, record);
          return record;
        });
        return [split, records] as const;
      });
      bench.epoch(chunks);
      assert.deepEqual([...bench.seen.keys()].sort(), model.texts(), `seed ${seed}`);
      assert.equal(bench.relation.stored!.rowCount, model.rows.size);
    }
    assert.equal(bench.store.unknownDeletes, model.unknownDeletes, `seed ${seed}`);
    assert.deepEqual(bench.problems, []);
  }
});

test('a gap of a key that is not known is a problem of that record alone', () => {
  const bench = new Bench();
  const gap = { op: UPSERT, offset: 0, key: 'a', values: [1, NO_VALUE] };
  bench.epoch([[0, [gap]]]);
  assert.deepEqual([bench.problems, [...bench.seen.keys()]], [['22000'], []]);
});

test('of one split an older offset never overwrites; another split does', () => {
  const bench = new Bench();
  const put = (offset: number, v: number) => ({ op: UPSERT, offset, key: 'a', values: [v, null] });
  bench.epoch([[0, [put(5, 50)]]]);
  bench.epoch([[0, [put(4, 40), { op: DELETE, offset: 3, key: 'a', values: [] }, put(5, 51)]]]);
  assert.deepEqual([...bench.seen.keys()], ['a|50|null|0|5']);
  bench.epoch([[1, [put(1, 10)]]]);
  assert.deepEqual([...bench.seen.keys()], ['a|10|null|1|1']);
});
