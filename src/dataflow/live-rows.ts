/**
 * LiveRows: the live rows of an operator's input by key, those of a key in the order in which they came: by the last epoch
 * in which the number of a row's copies grew, ties in canonical order (semantics.md rule 9).
 *
 * State: a table of rows by identity, whose extra bytes hold the tree's node, the epoch, the copies now and at the last
 * epoch's end, the key and flags; a table of keys, whose extra bytes hold the root of the tree, the row that is shown and
 * the next key of the list of changed ones; the list's head. The list lives in the memory image, so that keys may wait in
 * it for more than one epoch.
 * Correctness: a row's place follows from its copies at the ends of epochs alone, never from the order of changes within.
 * Cost: O(log rows of the key) a changed row.
 */

import { assert } from '../base/assert.ts';
import { weightOf } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { RowTable } from '../kernels/row-table.ts';
import type { Memory } from '../memory/memory.ts';
import { OrderedTree } from '../memory/ordered-tree.ts';
import type { PlanColumn } from '../plan/plan-node.ts';
import type { GraphContext } from './graph-context.ts';
import { RowList } from './rows.ts';

/** Of a row's extra bytes. */
const EPOCH = OrderedTree.NODE_BYTES; // f64
const WEIGHT = EPOCH + 8;
/** The weight at the end of the last epoch: with one the row stands in its tree. */
const SETTLED = EPOCH + 12;
const KEY = EPOCH + 16;
const IS_TOUCHED = EPOCH + 20;
const ROW_BYTES = EPOCH + 24;

/** Of a key's extra bytes. */
const ROOT = 0;
const SHOWN = 4;
const NEXT = 8;
const FLAGS = 12;
const KEY_BYTES = 16;

const CHANGED = 1;
/** The owner's flag of a key. */
const MARKED = 2;

export class LiveRows {
  readonly rows: RowTable;
  readonly #keys: RowTable;
  readonly #context: GraphContext;
  readonly #memory: Memory;
  readonly #partition: readonly number[];
  readonly #tree: OrderedTree;
  readonly #extra: number;
  /** u32: the first of the changed keys. */
  readonly #headCell: number;
  /** Rows changed in this epoch, each once. */
  readonly #touched = new RowList();
  readonly #touchedKeys = new RowList();

  /** Takes three root cells. `partition`: the columns of the key. */
  constructor(context: GraphContext, columns: readonly PlanColumn[], partition: readonly number[]) {
    const { memory } = context;
    this.#context = context;
    this.#memory = memory;
    this.#partition = partition;
    const types = columns.map(({ type }) => type);
    const storages = types.map(({ storage }) => storage);
    this.#keys = RowTable.open(memory, context.rootCell(), {
      storages: partition.map((column) => storages[column]!),
      keyCount: partition.length,
      extraBytes: KEY_BYTES,
    });
    this.rows = RowTable.open(memory, context.rootCell(), {
      storages,
      keyCount: storages.length,
      extraBytes: ROW_BYTES,
    });
    this.#headCell = context.rootCell();
    this.#extra = this.rows.layout.extraOffset;
    const canonical = this.rows.compareRows([], types);
    this.#tree = new OrderedTree(memory, {
      rootCell: 0,
      nodeOffset: this.#extra,
      compare: (a, b) => this.#epochOf(a) - this.#epochOf(b) || canonical(a, b),
    });
  }

  /** Adds a batch's rows with their weights; they take their places in `endEpoch`. */
  add(batch: DeltaBatch): void {
    const { scratch } = this.#context;
    const n = batch.rowCount;
    const mark = scratch.mark();
    const keys = scratch.alloc(n * 4 + 16);
    const rows = scratch.alloc(n * 4 + 16);
    const keyColumns = this.#partition.map((column) => batch.columns[column]!);
    this.#keys.upsert(keyColumns, n, keys);
    this.rows.upsert(batch.columns, n, rows);
    const { u32, i32 } = this.#memory;
    for (let i = 0; i < n; i++) {
      const row = u32[(rows >>> 2) + i]!;
      const key = u32[(keys >>> 2) + i]!;
      const at = this.#rowAt(row);
      i32[at + (WEIGHT >>> 2)]! += weightOf(batch, i);
      u32[at + (KEY >>> 2)] = key;
      this.#noteChange(key);
      if (u32[at + (IS_TOUCHED >>> 2)] !== 0) continue;
      u32[at + (IS_TOUCHED >>> 2)] = 1;
      this.#touched.push(row);
    }
    scratch.release(mark);
  }

  #noteChange(key: number): void {
    const { u32 } = this.#memory;
    const at = this.#keyAt(key);
    if ((u32[at + (FLAGS >>> 2)]! & CHANGED) !== 0) return;
    u32[at + (FLAGS >>> 2)]! |= CHANGED;
    u32[at + (NEXT >>> 2)] = u32[this.#headCell >>> 2]!;
    u32[this.#headCell >>> 2] = key;
  }

  /** Puts the rows that changed in this epoch in their places; their keys (some several times), until the next call. */
  endEpoch(epoch: number): RowList {
    this.#touchedKeys.clear();
    for (let i = 0; i < this.#touched.count; i++) {
      this.#touchedKeys.push(this.#place(this.#touched.at(i), epoch));
    }
    this.#touched.clear();
    return this.#touchedKeys;
  }

  #place(row: number, epoch: number): number {
    const { u32, i32, f64 } = this.#memory;
    const at = this.#rowAt(row);
    const weight = i32[at + (WEIGHT >>> 2)]!;
    const before = i32[at + (SETTLED >>> 2)]!;
    assert(weight >= 0, 'a key lost a row that it never had');
    const key = u32[at + (KEY >>> 2)]!;
    const tree = this.#treeOf(key);
    if (weight > before) {
      if (before > 0) tree.remove(row);
      f64[(row * 8 + this.#extra + EPOCH) >>> 3] = epoch;
      tree.insert(row, weight);
    } else if (weight === 0 && before > 0) tree.remove(row);
    else if (weight < before) tree.setWeight(row, weight);
    i32[at + (SETTLED >>> 2)] = weight;
    u32[at + (IS_TOUCHED >>> 2)] = 0;
    if (weight === 0 && this.shown(key) !== row) this.rows.remove(row);
    return key;
  }

  /** Forgets the rows of a key but its last one and the one that is shown. */
  forgetEarlier(key: number): void {
    const tree = this.#treeOf(key);
    const last = tree.last();
    const shown = this.shown(key);
    for (let row = tree.first(); row !== last; ) {
      const next = tree.next(row);
      if (row !== shown) {
        tree.remove(row);
        this.rows.remove(row);
      }
      row = next;
    }
  }

  /** The changed keys begin with it; 0: there are none. */
  firstChanged(): number {
    return this.#memory.u32[this.#headCell >>> 2]!;
  }

  /** The changed key behind another one; 0: there is none. */
  nextChanged(key: number): number {
    return this.#memory.u32[this.#keyAt(key) + (NEXT >>> 2)]!;
  }

  /** No key counts as changed any more; those without rows go. What is shown must be live. */
  settle(): void {
    const { u32 } = this.#memory;
    for (let key = this.firstChanged(); key !== 0; ) {
      const next = this.nextChanged(key);
      const at = this.#keyAt(key);
      u32[at + (FLAGS >>> 2)]! &= ~CHANGED;
      u32[at + (NEXT >>> 2)] = 0;
      if (u32[at + (ROOT >>> 2)] === 0) this.#keys.remove(key);
      key = next;
    }
    u32[this.#headCell >>> 2] = 0;
  }

  /** The row that came last; 0: there is none. */
  last(key: number): number {
    return this.#treeOf(key).last();
  }

  /** Live rows of the key, with their copies. */
  count(key: number): number {
    return this.#treeOf(key).totalWeight;
  }

  /** The row that the owner shows; 0: none. It stays until `release`, be it live or not. */
  shown(key: number): number {
    return this.#memory.u32[this.#keyAt(key) + (SHOWN >>> 2)]!;
  }

  setShown(key: number, row: number): void {
    this.#memory.u32[this.#keyAt(key) + (SHOWN >>> 2)] = row;
  }

  /** A row that was shown is so no more; it goes where it is not live. */
  release(row: number): void {
    if (this.#memory.i32[this.#rowAt(row) + (SETTLED >>> 2)] === 0) this.rows.remove(row);
  }

  isMarked(key: number): boolean {
    return (this.#memory.u32[this.#keyAt(key) + (FLAGS >>> 2)]! & MARKED) !== 0;
  }

  setMarked(key: number, isMarked: boolean): void {
    const at = this.#keyAt(key) + (FLAGS >>> 2);
    const others = this.#memory.u32[at]! & ~MARKED;
    this.#memory.u32[at] = isMarked ? others | MARKED : others;
  }

  #epochOf(row: number): number {
    return this.#memory.f64[(row * 8 + this.#extra + EPOCH) >>> 3]!;
  }

  #rowAt(row: number): number {
    return (row * 8 + this.#extra) >>> 2;
  }

  #keyAt(key: number): number {
    return this.#keys.extraAddress(key) >>> 2;
  }

  #treeOf(key: number): OrderedTree {
    return this.#tree.at(this.#keys.extraAddress(key) + ROOT);
  }

  stateSize(): { rows: number; bytes: number } {
    return { rows: this.rows.rowCount, bytes: this.rows.bytes + this.#keys.bytes };
  }
}
