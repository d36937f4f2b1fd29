/**
 * SourceStore: the newest row of each key of a source whose records change rows (FORMAT UPSERT, DEBEZIUM; semantics.md rule
 * 26): what a record leaves out is filled in, and its change becomes retractions and insertions of rows.
 *
 * State: the relation's stored rows. Behind the source's columns each has two that nobody sees: the number of its split, and
 * the offset in it. Besides that a counter.
 * Correctness: a row is retracted as it is stored, whatever a record says of it. Records count one after the other, so that
 * nothing depends on how a replay cuts them into batches. Of one split an older offset never overwrites; between splits the one
 * that comes later counts. The position of a deleted key is forgotten.
 * Cost: one lookup for each key of a batch, O(columns) a row.
 */

import { must } from '../base/assert.ts';
import { concat, negate } from '../batch/concat.ts';
import { type Column, type DeltaBatch, storageWidth } from '../batch/delta-batch.ts';
import { select } from '../batch/select.ts';
import type { RowChanges } from '../connect/source.ts';
import { DELETE, TRUNCATE, UPSERT } from '../formats/change-decoder.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { RelationReader } from '../state/relation-reader.ts';
import type { RelationSchema } from '../state/relation-schema.ts';
import { equalRows, hashRows } from '../state/row-identity.ts';
import type { Storage } from '../types/data-type.ts';
import type { EngineRelation } from './engine-relation.ts';
import { isValid } from './rows.ts';
import type { KnownProblems } from './source-records.ts';

/** Storages of the two columns behind the source's own. */
export const HIDDEN_STORAGES: readonly Storage[] = ['i32', 'i64'];

/** Records of a chunk that follow each other: the source's columns as the reader gave them, then split, offset and op. */
export interface StorePart {
  readonly batch: DeltaBatch;
  readonly ops: Column;
  readonly offsets: Column;
  /** Records that cannot be completed. */
  readonly problems: KnownProblems;
}

const ROWS_MAX = 1024;
const NO_ROW = -1;
const NO_PROBLEMS: KnownProblems = new Map();

export class SourceStore {
  readonly #memory: Memory;
  readonly #scratch: Scratch;
  readonly #reader: RelationReader;
  readonly #schema: RelationSchema;
  readonly #key: readonly number[];
  readonly #width: number;
  #unknownDeletes: number;

  constructor(
    relation: EngineRelation,
    target: { readonly memory: Memory; readonly scratch: Scratch },
    unknownDeletes: number,
  ) {
    const { schema } = must(relation.stored);
    this.#memory = target.memory;
    this.#scratch = target.scratch;
    this.#reader = relation.reader();
    this.#schema = schema;
    this.#key = must(schema.key);
    this.#width = schema.storages.length - HIDDEN_STORAGES.length;
    this.#unknownDeletes = unknownDeletes;
  }

  /** Deletes of keys that were not there. */
  get unknownDeletes(): number {
    return this.#unknownDeletes;
  }

  /** Numbers of split, offset and op in a part's completed rows. */
  get hiddenColumns(): readonly number[] {
    return [this.#width, this.#width + 1, this.#width + 2];
  }

  /** The chunk's records, complete. Each part is to be applied before the next is asked for. `wanted`: the batch's columns. */
  *parts(
    batch: DeltaBatch,
    changes: RowChanges,
    splitNumber: number,
    wanted: readonly number[],
  ): Generator<StorePart> {
    const whole = this.#withHidden(batch, changes, splitNumber);
    for (const [from, to] of this.#cuts(batch, changes, wanted)) {
      const rows = slice(whole, from, to - from, this.#scratch);
      const ops = must(rows.columns.at(-1));
      const offsets = must(rows.columns.at(-2));
      const problems = this.#fill(rows, from, changes, wanted);
      yield { batch: rows, ops, offsets, problems };
    }
  }

  /** Split, offset and op behind the columns; a weight that moves no watermark for what brings no row. */
  #withHidden(batch: DeltaBatch, { ops, offsets }: RowChanges, splitNumber: number): DeltaBatch {
    const { rowCount } = batch;
    const { i32, u8 } = this.#memory;
    const splits = this.#scratch.alloc(Math.max(16, 4 * rowCount));
    const weights = this.#scratch.alloc(Math.max(16, 4 * rowCount));
    i32.fill(splitNumber, splits >>> 2, (splits >>> 2) + rowCount);
    for (let row = 0; row < rowCount; row += 1) {
      i32[(weights >>> 2) + row] = u8[ops.values + row] === UPSERT ? 1 : 0;
    }
    const split: Column = { storage: 'i32', values: splits, validity: 0 };
    return { ...batch, columns: [...batch.columns, split, offsets, ops], weights };
  }

  /** Where the batch is cut: around TRUNCATE, and before a row that has to be filled in from an earlier one of the batch. */
  *#cuts(
    batch: DeltaBatch,
    { ops, unavailable }: RowChanges,
    wanted: readonly number[],
  ): Generator<readonly [number, number]> {
    const { u8 } = this.#memory;
    const hashes = new Uint32Array(unavailable.size > 0 ? batch.rowCount : 0);
    if (unavailable.size > 0) {
      hashRows(this.#memory, this.#keysOf(batch.columns, wanted), 0, batch.rowCount, hashes);
    }
    const seen = new Set<number>();
    let from = 0;
    for (let row = 0; row < batch.rowCount; row += 1) {
      const isTruncate = u8[ops.values + row] === TRUNCATE;
      const isAfterTruncate = row > from && u8[ops.values + row - 1] === TRUNCATE;
      const needsEarlier = unavailable.has(row) && seen.has(hashes[row]!);
      if (row > from && (isTruncate || isAfterTruncate || needsEarlier)) {
        yield [from, row];
        from = row;
        seen.clear();
      }
      if (unavailable.size > 0) seen.add(hashes[row]!);
    }
    if (from < batch.rowCount) yield [from, batch.rowCount];
  }

  #keysOf(columns: readonly Column[], wanted: readonly number[]): Column[] {
    return this.#key.map((column) => must(columns[wanted.indexOf(column)]));
  }

  /** Fills in what the records leave out; gives those of which no earlier row is known. */
  #fill(
    rows: DeltaBatch,
    from: number,
    { unavailable }: RowChanges,
    wanted: readonly number[],
  ): KnownProblems {
    const open = [...unavailable.keys()].filter((row) => row >= from && row < from + rows.rowCount);
    if (open.length === 0) return NO_PROBLEMS;
    const list = this.#scratch.alloc(Math.max(16, 4 * open.length));
    for (const [i, row] of open.entries()) this.#memory.u32[(list >>> 2) + i] = row - from;
    const keys = { ...rows, columns: this.#keysOf(rows.columns, wanted) };
    const { rows: known, places } = this.#reader.lookupOpen(
      select(keys, list, open.length, this.#scratch),
      wanted,
      { memory: this.#memory, scratch: this.#scratch },
    );
    const problems = new Map<number, { readonly sqlstate: string; readonly reason: string }>();
    for (const [i, row] of open.entries()) {
      const place = places[i]!;
      if (place === NO_ROW) {
        problems.set(row - from, {
          sqlstate: '22000',
          reason: 'the record leaves out unchanged columns, and no earlier row of its key is known',
        });
        continue;
      }
      for (const column of must(unavailable.get(row))) {
        const at = wanted.indexOf(column);
        copyValue(
          this.#memory,
          must(must(known).columns[at]),
          place,
          must(rows.columns[at]),
          row - from,
        );
      }
    }
    return problems;
  }

  /** A part's completed rows become changes of the relation, in their order. */
  apply(rows: DeltaBatch, deliver: (batch: DeltaBatch) => void): void {
    const ops = must(rows.columns[this.#width + 2]);
    if (this.#memory.u8[ops.values] === TRUNCATE) {
      this.#clear(deliver);
      return;
    }
    const stored = { ...rows, columns: rows.columns.slice(0, this.#width + 2), weights: 0 };
    const numbers = this.#keyNumbers(stored);
    const delta = new Delta(this.#memory, this.#scratch, stored, numbers.known, deliver);
    const { live } = numbers;
    for (let row = 0; row < rows.rowCount; row += 1) {
      const key = numbers.keys[row]!;
      const isDelete = this.#memory.u8[ops.values + row] === DELETE;
      const before = live[key]!;
      if (before !== NO_ROW && delta.isOlder(row, before)) continue;
      if (before !== NO_ROW) delta.add(before, -1, row);
      else if (isDelete) this.#unknownDeletes += 1;
      if (!isDelete) delta.add(delta.placeOf(row), 1, row);
      live[key] = isDelete ? NO_ROW : delta.placeOf(row);
    }
    delta.flush();
  }

  /**
   * The distinct keys of the rows, numbered; `keys`: the number of each row's; `known`: the rows that are stored under them;
   * `live`: by key its row among those.
   */
  #keyNumbers(rows: DeltaBatch): {
    readonly keys: Int32Array;
    readonly known: DeltaBatch | null;
    readonly live: Int32Array;
  } {
    const columns = this.#key.map((column) => must(rows.columns[column]));
    const { keys, firsts, count } = numberKeys(this.#memory, columns, rows.rowCount);
    const list = this.#scratch.alloc(Math.max(16, 4 * count));
    this.#memory.u32.set(firsts.subarray(0, count), list >>> 2);
    const distinct = select({ ...rows, columns, rowWatermarks: 0 }, list, count, this.#scratch);
    const all = this.#schema.storages.map((_, column) => column);
    const target = { memory: this.#memory, scratch: this.#scratch };
    const { rows: known, places } = this.#reader.lookupOpen(distinct, all, target);
    return { keys, known, live: places };
  }

  #clear(deliver: (batch: DeltaBatch) => void): void {
    const all = this.#schema.storages.map((_, column) => column);
    const target = { memory: this.#memory, scratch: this.#scratch };
    const mark = this.#scratch.mark();
    for (const batch of this.#reader.scanOpen(all, target)) {
      deliver(negate(batch, this.#scratch));
      this.#scratch.release(mark);
    }
  }

  /** Opens what a source with a key keeps. */
  static open(
    relation: EngineRelation,
    target: { readonly memory: Memory; readonly scratch: Scratch },
    unknownDeletes: number,
  ): SourceStore | null {
    const isKeyed = relation.stored !== null && relation.stored.schema.key !== null;
    return isKeyed ? new SourceStore(relation, target, unknownDeletes) : null;
  }
}

/** Changes in the order of the records, handed on in batches: rows that were there, and rows of the part behind them. */
class Delta {
  readonly #memory: Memory;
  readonly #scratch: Scratch;
  readonly #all: DeltaBatch;
  readonly #knownCount: number;
  readonly #rowWatermarks: number;
  readonly #splits: Column;
  readonly #offsets: Column;
  readonly #deliver: (batch: DeltaBatch) => void;
  readonly #selection: number;
  readonly #weights: number;
  readonly #watermarks: number;
  #count = 0;

  constructor(
    memory: Memory,
    scratch: Scratch,
    rows: DeltaBatch,
    known: DeltaBatch | null,
    deliver: (batch: DeltaBatch) => void,
  ) {
    this.#memory = memory;
    this.#scratch = scratch;
    this.#knownCount = known?.rowCount ?? 0;
    const own = { ...rows, rowWatermarks: 0 };
    this.#all = known === null ? own : concat([known, own], scratch);
    this.#rowWatermarks = rows.rowWatermarks;
    this.#splits = must(this.#all.columns.at(-2));
    this.#offsets = must(this.#all.columns.at(-1));
    this.#deliver = deliver;
    this.#selection = scratch.alloc(4 * ROWS_MAX);
    this.#weights = scratch.alloc(4 * ROWS_MAX);
    this.#watermarks = rows.rowWatermarks === 0 ? 0 : scratch.alloc(8 * ROWS_MAX);
  }

  placeOf(row: number): number {
    return this.#knownCount + row;
  }

  /** Does the row come before what stands at `place`, in the same split? */
  isOlder(row: number, place: number): boolean {
    const { i32, i64 } = this.#memory;
    const splits = this.#splits.values >>> 2;
    const offsets = this.#offsets.values >>> 3;
    const own = this.placeOf(row);
    return (
      i32[splits + own] === i32[splits + place] && i64[offsets + own]! <= i64[offsets + place]!
    );
  }

  /** `row`: the record that does it. */
  add(place: number, weight: 1 | -1, row: number): void {
    const { u32, i32 } = this.#memory;
    u32[(this.#selection >>> 2) + this.#count] = place;
    i32[(this.#weights >>> 2) + this.#count] = weight;
    if (this.#watermarks !== 0) {
      const from = (this.#rowWatermarks >>> 2) + 2 * row;
      const to = (this.#watermarks >>> 2) + 2 * this.#count;
      u32[to] = u32[from]!;
      u32[to + 1] = u32[from + 1]!;
    }
    this.#count += 1;
    if (this.#count === ROWS_MAX) this.flush();
  }

  flush(): void {
    if (this.#count === 0) return;
    const mark = this.#scratch.mark();
    const rows = select(this.#all, this.#selection, this.#count, this.#scratch);
    this.#count = 0;
    this.#deliver({ ...rows, weights: this.#weights, rowWatermarks: this.#watermarks });
    this.#scratch.release(mark);
  }
}

/** Numbers equal keys alike: `keys` by row; `firsts`: the first row of each of `count` keys. */
function numberKeys(
  memory: Memory,
  columns: readonly Column[],
  rowCount: number,
): { readonly keys: Int32Array; readonly firsts: Uint32Array; readonly count: number } {
  const hashes = new Uint32Array(rowCount);
  hashRows(memory, columns, 0, rowCount, hashes);
  const mask = tableSizeFor(rowCount) - 1;
  const table = new Int32Array(mask + 1).fill(NO_ROW);
  const keys = new Int32Array(rowCount);
  const firsts = new Uint32Array(rowCount);
  let count = 0;
  for (let row = 0; row < rowCount; row += 1) {
    let slot = hashes[row]! & mask;
    for (; table[slot] !== NO_ROW; slot = (slot + 1) & mask) {
      const first = firsts[table[slot]!]!;
      if (
        hashes[first] === hashes[row] &&
        equalRows(memory, columns, first, memory, columns, row)
      ) {
        break;
      }
    }
    if (table[slot] === NO_ROW) {
      firsts[count] = row;
      table[slot] = count++;
    }
    keys[row] = table[slot]!;
  }
  return { keys, firsts, count };
}

function tableSizeFor(rowCount: number): number {
  return 2 ** Math.ceil(Math.log2(2 * Math.max(8, rowCount)));
}

/** Rows [from, from + n) as columns of their own, which may be written to. */
function slice(batch: DeltaBatch, from: number, n: number, scratch: Scratch): DeltaBatch {
  const list = scratch.alloc(Math.max(16, 4 * n));
  const { u32 } = scratch.memory;
  for (let i = 0; i < n; i += 1) u32[(list >>> 2) + i] = from + i;
  return from === 0 && n === batch.rowCount ? batch : select(batch, list, n, scratch);
}

/** Copies one value; long strings stay where they are. `to` has a bitmap, its value was NULL. */
function copyValue(memory: Memory, from: Column, place: number, to: Column, row: number): void {
  if (!isValid(memory, from, place)) return;
  const width = storageWidth(to.storage);
  const start = from.values + width * place;
  memory.u8.copyWithin(to.values + width * row, start, start + width);
  memory.u8[to.validity + (row >>> 3)]! |= 1 << (row & 7);
}
