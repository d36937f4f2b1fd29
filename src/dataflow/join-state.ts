/**
 * JoinSide: the rows of one input of a join, kept until they can meet no partner any more.
 *
 * State: a RowTable of all the input's columns (rows are found again by identity; append-only inputs have no index), with
 * extra bytes: weight, links of the key's chain, the key's group, how much weight of the other side matches, what was put
 * out for the row alone (padded, semi, anti), links of the expiry bucket. All of it lies in memory.
 * Cost: O(1) a row and operation.
 */

import { assert } from '../base/assert.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { RowTable } from '../kernels/row-table.ts';
import type { Memory } from '../memory/memory.ts';
import type { Storage } from '../types/data-type.ts';
import type { GraphContext } from './graph-context.ts';
import { RowBuckets } from './row-buckets.ts';
import { nullColumn, RowList } from './rows.ts';

const WEIGHT = 0;
const NEXT = 4;
const PREVIOUS = 8;
const GROUP = 12;
const MATCHES = 16;
const FLAGS = 20;
const EMITTED = 24;
const BUCKET_NEXT = 28;
const BUCKET_PREVIOUS = 32;
const EXTRA_BYTES = 40;

const DROPPED_AT_ONCE = 1024;

const LINKED = 1;
const TOUCHED = 2;

/** Keys of both sides, each with the heads of its two chains. */
export class JoinGroups {
  readonly #memory: Memory;
  readonly #table: RowTable | null;
  /** Without keys there is one group: the address of its heads. */
  readonly #sole: number;

  constructor(context: GraphContext, storages: readonly Storage[]) {
    const { memory } = context;
    const cell = context.rootCell();
    this.#memory = memory;
    if (storages.length > 0) {
      const spec = { storages, keyCount: storages.length, extraBytes: 8 };
      this.#table = RowTable.open(memory, cell, spec);
      this.#sole = 0;
      return;
    }
    this.#table = null;
    if (memory.u32[cell >>> 2] === 0) {
      const block = memory.allocZeroed(16);
      memory.u32[cell >>> 2] = block;
    }
    this.#sole = memory.u32[cell >>> 2]!;
  }

  get bytes(): number {
    return this.#table?.bytes ?? 16;
  }

  /** Writes the group of each row (made where it is new) to u32 `out`. */
  upsert(keys: readonly Column[], n: number, out: number): void {
    if (this.#table === null) this.#memory.u32.fill(1, out >>> 2, (out >>> 2) + n);
    else this.#table.upsert(keys, n, out);
  }

  /** Word index of the head of `side`'s chain. */
  headWord(group: number, side: number): number {
    const heads = this.#table === null ? this.#sole : this.#table.extraAddress(group);
    return (heads >>> 2) + side;
  }

  /** Frees the group when both chains are empty. */
  releaseIfEmpty(group: number): void {
    if (this.#table === null) return;
    const heads = this.#table.extraAddress(group) >>> 2;
    const { u32 } = this.#memory;
    if (u32[heads] === 0 && u32[heads + 1] === 0) this.#table.remove(group);
  }
}

export interface SideOptions {
  readonly port: 0 | 1;
  readonly storages: readonly Storage[];
  readonly isAppendOnly: boolean;
  /** Matches are counted: rows come out alone as well (outer, semi, anti). */
  readonly isTracked: boolean;
  readonly hasExpiry: boolean;
}

export class JoinSide {
  readonly options: SideOptions;
  /** Rows whose weight or matches changed in this epoch. */
  readonly touched = new RowList();
  readonly buckets: RowBuckets | null;
  readonly #memory: Memory;
  readonly #context: GraphContext;
  readonly #table: RowTable;
  readonly #groups: JoinGroups;
  readonly #extra: number;
  readonly #all: readonly number[];

  constructor(context: GraphContext, groups: JoinGroups, options: SideOptions) {
    const { memory, scratch } = context;
    this.options = options;
    this.#memory = memory;
    this.#context = context;
    this.#groups = groups;
    const { storages, isAppendOnly } = options;
    this.#table = RowTable.open(memory, context.rootCell(), {
      storages,
      keyCount: isAppendOnly ? 0 : storages.length,
      extraBytes: EXTRA_BYTES,
    });
    this.#extra = this.#table.layout.extraOffset;
    this.#all = storages.map((_, column) => column);
    const bucketCell = context.rootCell();
    const links = { next: this.#extra + BUCKET_NEXT, previous: this.#extra + BUCKET_PREVIOUS };
    this.buckets = options.hasExpiry ? new RowBuckets(memory, scratch, bucketCell, links) : null;
  }

  get rowCount(): number {
    return this.#table.rowCount;
  }

  get bytes(): number {
    return this.#table.bytes + (this.buckets?.bytes ?? 0);
  }

  /** Row ids of the batch's rows, made where they are new, to u32 `out`. Weights don't change yet. */
  place(batch: DeltaBatch, out: number): void {
    if (batch.rowCount === 0) return;
    if (this.options.isAppendOnly) this.#table.append(batch.columns, batch.rowCount, out);
    else this.#table.upsert(batch.columns, batch.rowCount, out);
  }

  /** Adds `weight` to the row and links it where it is new; says whether it is. */
  add(row: number, group: number, weight: number): boolean {
    const { i32, u32 } = this.#memory;
    const at = (row * 8 + this.#extra) >>> 2;
    assert(weight > 0 || !this.options.isAppendOnly, 'a retraction in an append-only input');
    const next = i32[at + (WEIGHT >>> 2)]! + weight;
    i32[at + (WEIGHT >>> 2)] = next;
    const flags = u32[at + (FLAGS >>> 2)]!;
    if (this.options.isTracked || next === 0) this.#touchAt(at, row, flags);
    if ((flags & LINKED) !== 0) return false;
    u32[at + (FLAGS >>> 2)]! |= LINKED;
    u32[at + (GROUP >>> 2)] = group;
    this.#link(at, row, group);
    return true;
  }

  #link(at: number, row: number, group: number): void {
    const { u32 } = this.#memory;
    const head = this.#groups.headWord(group, this.options.port);
    const first = u32[head]!;
    u32[at + (NEXT >>> 2)] = first;
    u32[at + (PREVIOUS >>> 2)] = 0;
    if (first !== 0) u32[((first * 8 + this.#extra) >>> 2) + (PREVIOUS >>> 2)] = row;
    u32[head] = row;
  }

  /** First row of the group's chain; 0: none. */
  first(group: number): number {
    return this.#memory.u32[this.#groups.headWord(group, this.options.port)]!;
  }

  next(row: number): number {
    return this.#memory.u32[(row * 8 + this.#extra + NEXT) >>> 2]!;
  }

  weight(row: number): number {
    return this.#memory.i32[(row * 8 + this.#extra + WEIGHT) >>> 2]!;
  }

  /** `weight` of the other side matches the row, more than before. */
  addMatches(row: number, weight: number): void {
    const at = (row * 8 + this.#extra) >>> 2;
    this.#memory.i32[at + (MATCHES >>> 2)]! += weight;
    this.#touchAt(at, row, this.#memory.u32[at + (FLAGS >>> 2)]!);
  }

  #touchAt(at: number, row: number, flags: number): void {
    if ((flags & TOUCHED) !== 0) return;
    this.#memory.u32[at + (FLAGS >>> 2)] = flags | TOUCHED;
    this.touched.push(row);
  }

  /**
   * At the epoch's end: by how much the row's own output changes, where rows are wanted alone `whenMatched` (semi) or
   * when unmatched (outer, anti). The row counts as untouched afterwards.
   */
  settle(row: number, whenMatched: boolean): number {
    const { i32, u32 } = this.#memory;
    const at = (row * 8 + this.#extra) >>> 2;
    u32[at + (FLAGS >>> 2)]! &= ~TOUCHED;
    const weight = i32[at + (WEIGHT >>> 2)]!;
    assert(weight >= 0, 'a join lost a row that it never had');
    if (!this.options.isTracked) return 0;
    const matches = i32[at + (MATCHES >>> 2)]!;
    assert(matches >= 0 || weight === 0, 'a join row has lost more partners than it had');
    const wanted = matches > 0 === whenMatched ? weight : 0;
    const change = wanted - i32[at + (EMITTED >>> 2)]!;
    i32[at + (EMITTED >>> 2)] = wanted;
    return change;
  }

  /** All columns of rows (u32 ids at `rows`), in scratch. */
  gather(rows: number, n: number): Column[] {
    const { scratch } = this.#context;
    return this.#all.map((column) => this.#table.gather(rows, n, column, scratch));
  }

  nulls(n: number): Column[] {
    const { memory, scratch } = this.#context;
    return this.options.storages.map((storage) => nullColumn(memory, scratch, storage, n));
  }

  /** Takes rows (no id twice) out of their chains and frees them. The buckets' links are the caller's care. */
  drop(gone: RowList): void {
    for (let i = 0; i < gone.count; i++) this.#unlink(gone.at(i));
    const { scratch } = this.#context;
    for (let from = 0; from < gone.count; from += DROPPED_AT_ONCE) {
      const mark = scratch.mark();
      const n = Math.min(DROPPED_AT_ONCE, gone.count - from);
      const rows = scratch.alloc(n * 4);
      gone.copyTo(this.#memory, from, n, rows);
      this.#table.removeMany(rows, n);
      scratch.release(mark);
    }
  }

  #unlink(row: number): void {
    const { u32 } = this.#memory;
    const at = (row * 8 + this.#extra) >>> 2;
    const next = u32[at + (NEXT >>> 2)]!;
    const previous = u32[at + (PREVIOUS >>> 2)]!;
    if (next !== 0) u32[((next * 8 + this.#extra) >>> 2) + (PREVIOUS >>> 2)] = previous;
    if (previous !== 0) {
      u32[((previous * 8 + this.#extra) >>> 2) + (NEXT >>> 2)] = next;
      return;
    }
    const group = u32[at + (GROUP >>> 2)]!;
    u32[this.#groups.headWord(group, this.options.port)] = next;
    if (next === 0) this.#groups.releaseIfEmpty(group);
  }

  /** Word index of a column's value in a row. */
  valueWord(row: number, column: number): number {
    return this.#table.valueAddress(row, column) >>> 2;
  }

  /** The value of an i64 column of a row. */
  longAt(row: number, column: number): bigint {
    return this.#memory.i64[this.#table.valueAddress(row, column) >>> 3]!;
  }
}
