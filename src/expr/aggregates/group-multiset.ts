/**
 * GroupMultiset: the values that each group holds, in order, with a count of copies: for min, max, string_agg, array_agg.
 *
 * State: one RowTable for all groups, key (group row id, value columns); a row's extra bytes are a tree node whose weight is
 * the count; the root of a group's tree is a u32 cell in its slot. Order: the sort keys, then all value columns by (SQL
 * order, bytes).
 * Cost: O(log n) for each distinct value changed, n the group's values.
 */

import { assert } from '../../base/assert.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { selectColumn } from '../../batch/select.ts';
import { RowTable } from '../../kernels/row-table.ts';
import { OrderedTree } from '../../memory/ordered-tree.ts';
import { type DataType, INT4 } from '../../types/data-type.ts';
import { type AggregateOrderKey, isValidAt, type SlotContext, weightAt } from './aggregate.ts';

export const MULTISET_SLOT_BYTES = 8;

export class GroupMultiset {
  readonly table: RowTable;
  readonly tree: OrderedTree;
  readonly #context: SlotContext;
  readonly #skipsNulls: boolean;

  constructor(
    context: SlotContext,
    types: readonly DataType[],
    orderBy: readonly AggregateOrderKey[],
    skipsNulls: boolean,
  ) {
    const { memory } = context;
    const all = [INT4, ...types];
    this.#context = context;
    this.#skipsNulls = skipsNulls;
    this.table = RowTable.open(memory, context.rootCell(), {
      storages: all.map((type) => type.storage),
      keyCount: all.length,
      extraBytes: OrderedTree.NODE_BYTES,
    });
    const keys = orderBy.map((key) => ({ ...key, column: key.column + 1 }));
    this.tree = new OrderedTree(memory, {
      rootCell: 0,
      nodeOffset: this.table.layout.extraOffset,
      compare: this.table.compareRows(keys, all),
    });
  }

  /** The tree of a group, until the next call. */
  of(groupRow: number): OrderedTree {
    return this.tree.at(groupRow * 8 + this.#context.base);
  }

  update(groupRows: number, args: readonly Column[], weights: number, n: number): void {
    const { memory, scratch } = this.#context;
    const mark = scratch.mark();
    const selection = scratch.alloc(Math.max(16, 4 * n));
    const count = this.#select(args[0]!, weights, n, selection);
    const groups: Column = { storage: 'i32', values: groupRows, validity: 0 };
    const keys = [groups, ...args].map((column) =>
      selectColumn(memory, column, selection, count, scratch),
    );
    const rows = scratch.alloc(Math.max(16, 4 * count));
    this.table.upsert(keys, count, rows);
    for (let i = 0; i < count; i += 1) {
      const from = memory.u32[(selection >>> 2) + i]!;
      const weight = weightAt(memory.i32, weights, from);
      this.#change(memory.u32[(groupRows >>> 2) + from]!, rows + 4 * i, weight);
    }
    this.#sweep(rows, count);
    scratch.release(mark);
  }

  /** Frees a group's values. */
  release(groupRow: number): void {
    const tree = this.of(groupRow);
    const rows: number[] = [];
    for (let row = tree.first(); row !== 0; row = tree.next(row)) rows.push(row);
    for (const row of rows) this.table.remove(row);
    this.#context.memory.u32[(groupRow * 8 + this.#context.base) >>> 2] = 0;
  }

  #select(first: Column, weights: number, n: number, selection: number): number {
    const { u8, u32, i32 } = this.#context.memory;
    let count = 0;
    for (let i = 0; i < n; i += 1) {
      if (weightAt(i32, weights, i) === 0) continue;
      if (this.#skipsNulls && !isValidAt(u8, first.validity, i)) continue;
      u32[(selection >>> 2) + count] = i;
      count += 1;
    }
    return count;
  }

  /** Weights may pass through zero and below inside a batch: a row stays in its tree until the sweep. */
  #change(groupRow: number, rowAddress: number, weight: number): void {
    const { memory } = this.#context;
    const row = memory.u32[rowAddress >>> 2]!;
    const tree = this.of(groupRow);
    const node = (row * 8 + this.table.layout.extraOffset) >>> 2;
    // A node in a tree has a priority (never 0 for a row id but 0).
    if (memory.u32[node + 3] === 0) tree.insert(row, weight);
    else tree.setWeight(row, tree.weightOf(row) + weight);
  }

  /** Takes out what has no copies left. Retractions may come before their inserts within an epoch: negative counts stay. */
  #sweep(rows: number, count: number): void {
    const { memory } = this.#context;
    for (let i = 0; i < count; i += 1) {
      const row = memory.u32[(rows >>> 2) + i]!;
      const node = (row * 8 + this.table.layout.extraOffset) >>> 2;
      if (memory.u32[node + 3] === 0) continue;
      if (this.tree.weightOf(row) !== 0) continue;
      const group = memory.u32[this.table.valueAddress(row, 0) >>> 2]!;
      this.of(group).remove(row);
      this.table.remove(row);
    }
  }

  /** Asserts that a count is one: called where results are made. */
  checkedWeight(row: number): number {
    const weight = this.tree.weightOf(row);
    assert(weight > 0, 'an aggregate has lost more values than it had');
    return weight;
  }
}
