/**
 * DISTINCT: gives the inner aggregate one copy of each argument list that a group holds.
 * State: a table of (group, arguments) with a count, chained by group so that a group's rows can be freed.
 */

import { assert } from '../../base/assert.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { selectColumn } from '../../batch/select.ts';
import { RowTable } from '../../kernels/row-table.ts';
import { INT4 } from '../../types/data-type.ts';
import { type AggregateContext, type AggregateInstance, weightAt } from './aggregate.ts';

/** Head of the group's chain, before the inner aggregate's slot. */
export const DISTINCT_SLOT_BYTES = 8;

// Extra bytes of a row: count f64, next u32, previous u32 (0: the first).
const COUNT = 0;
const NEXT = 8;
const PREVIOUS = 12;
const EXTRA_BYTES = 16;

export class DistinctAggregate implements AggregateInstance {
  readonly #context: AggregateContext;
  readonly #inner: AggregateInstance;
  readonly #table: RowTable;

  constructor(context: AggregateContext, inner: AggregateInstance) {
    this.#context = context;
    this.#inner = inner;
    const storages = [INT4, ...context.argTypes].map((type) => type.storage);
    this.#table = RowTable.open(context.memory, context.rootCell(), {
      storages,
      keyCount: storages.length,
      extraBytes: EXTRA_BYTES,
    });
  }

  update(groupRows: number, args: readonly Column[], weights: number, n: number): void {
    const { memory, scratch } = this.#context;
    const mark = scratch.mark();
    const groups: Column = { storage: 'i32', values: groupRows, validity: 0 };
    const rows = scratch.alloc(Math.max(16, 4 * n));
    this.#table.upsert([groups, ...args], n, rows);
    const selection = scratch.alloc(Math.max(16, 4 * n));
    const signs = scratch.alloc(Math.max(16, 4 * n));
    let count = 0;
    for (let i = 0; i < n; i += 1) {
      const sign = this.#change(rows + 4 * i, groupRows + 4 * i, weightAt(memory.i32, weights, i));
      if (sign === 0) continue;
      memory.u32[(selection >>> 2) + count] = i;
      memory.i32[(signs >>> 2) + count] = sign;
      count += 1;
    }
    if (count > 0) {
      const chosen = args.map((column) => selectColumn(memory, column, selection, count, scratch));
      const list = selectColumn(memory, groups, selection, count, scratch).values;
      this.#inner.update(list, chosen, signs, count);
    }
    this.#sweep(rows, n);
    scratch.release(mark);
  }

  /** Applies a weight to a row's count; +1 when it came to be there, -1 when it went, else 0. */
  #change(rowCell: number, groupCell: number, weight: number): number {
    const { memory } = this.#context;
    const row = memory.u32[rowCell >>> 2]!;
    const extra = this.#table.extraAddress(row);
    const before = memory.f64[(extra + COUNT) >>> 3]!;
    memory.f64[(extra + COUNT) >>> 3] = before + weight;
    if (memory.u32[(extra + PREVIOUS) >>> 2] === 0) this.#link(row, memory.u32[groupCell >>> 2]!);
    return (before + weight > 0 ? 1 : 0) - (before > 0 ? 1 : 0);
  }

  /** Puts a new row at the head of its group's chain; the head's `previous` is the row itself. */
  #link(row: number, groupRow: number): void {
    const { u32 } = this.#context.memory;
    const head = (groupRow * 8 + this.#context.slotOffset) >>> 2;
    const first = u32[head]!;
    const extra = this.#table.extraAddress(row);
    u32[(extra + NEXT) >>> 2] = first;
    u32[(extra + PREVIOUS) >>> 2] = row;
    if (first !== 0) u32[(this.#table.extraAddress(first) + PREVIOUS) >>> 2] = row;
    u32[head] = row;
  }

  #unlink(row: number, groupRow: number): void {
    const { u32 } = this.#context.memory;
    const extra = this.#table.extraAddress(row);
    const next = u32[(extra + NEXT) >>> 2]!;
    const previous = u32[(extra + PREVIOUS) >>> 2]!;
    const isFirst = previous === row;
    if (isFirst) u32[(groupRow * 8 + this.#context.slotOffset) >>> 2] = next;
    else u32[(this.#table.extraAddress(previous) + NEXT) >>> 2] = next;
    if (next === 0) return;
    u32[(this.#table.extraAddress(next) + PREVIOUS) >>> 2] = isFirst ? next : previous;
  }

  #sweep(rows: number, n: number): void {
    const { memory } = this.#context;
    for (let i = 0; i < n; i += 1) {
      const row = memory.u32[(rows >>> 2) + i]!;
      const extra = this.#table.extraAddress(row);
      const isLinked = memory.u32[(extra + PREVIOUS) >>> 2] !== 0;
      if (!isLinked || memory.f64[(extra + COUNT) >>> 3] !== 0) continue;
      this.#unlink(row, memory.u32[this.#table.valueAddress(row, 0) >>> 2]!);
      this.#table.remove(row);
    }
  }

  result(groupRows: number, n: number): Column {
    return this.#inner.result(groupRows, n);
  }

  release(groupRows: number, n: number): void {
    const { memory, slotOffset } = this.#context;
    for (let i = 0; i < n; i += 1) {
      const head = (memory.u32[(groupRows >>> 2) + i]! * 8 + slotOffset) >>> 2;
      for (let row = memory.u32[head]!; row !== 0; ) {
        const next = memory.u32[(this.#table.extraAddress(row) + NEXT) >>> 2]!;
        assert(next !== row, 'a chain of distinct values runs in a circle');
        this.#table.remove(row);
        row = next;
      }
      memory.u32[head] = 0;
    }
    this.#inner.release(groupRows, n);
  }

  stateBytes(): number {
    return this.#table.bytes + (this.#inner.stateBytes?.() ?? 0);
  }
}
