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
    const { scratch } = this.#context;
    const mark = scratch.mark();
    const counted = this.#counted(weights, n);
    if (counted.n === n) this.#apply(groupRows, args, weights, n);
    else if (counted.n > 0) {
      const { memory } = this.#context;
      const pick = (storage: 'i32', values: number): number =>
        selectColumn(memory, { storage, values, validity: 0 }, counted.rows, counted.n, scratch)
          .values;
      const own = args.map((arg) => selectColumn(memory, arg, counted.rows, counted.n, scratch));
      this.#apply(pick('i32', groupRows), own, pick('i32', weights), counted.n);
    }
    scratch.release(mark);
  }

  /** Rows with a weight: FILTER leaves the others out, which would come and go in the table for nothing. */
  #counted(weights: number, n: number): { readonly rows: number; readonly n: number } {
    if (weights === 0) return { rows: 0, n };
    const { memory, scratch } = this.#context;
    const rows = scratch.alloc(Math.max(16, 4 * n));
    const { u32, i32 } = memory;
    let count = 0;
    for (let i = 0; i < n; i += 1) {
      u32[(rows >>> 2) + count] = i;
      if (i32[(weights >>> 2) + i] !== 0) count += 1;
    }
    return { rows, n: count };
  }

  #apply(groupRows: number, args: readonly Column[], weights: number, n: number): void {
    const { memory, scratch } = this.#context;
    const groups: Column = { storage: 'i32', values: groupRows, validity: 0 };
    const rows = scratch.alloc(Math.max(16, 4 * n));
    this.#table.upsert([groups, ...args], n, rows);
    const selection = scratch.alloc(Math.max(16, 4 * n));
    const signs = scratch.alloc(Math.max(16, 4 * n));
    const { u32, i32, f64 } = memory;
    const offset = this.#table.layout.extraOffset;
    let count = 0;
    let hasGone = false;
    for (let i = 0; i < n; i += 1) {
      const row = u32[(rows >>> 2) + i]!;
      const extra = row * 8 + offset;
      const before = f64[(extra + COUNT) >>> 3]!;
      const after = before + weightAt(i32, weights, i);
      f64[(extra + COUNT) >>> 3] = after;
      if (after === 0) hasGone = true;
      if (u32[(extra + PREVIOUS) >>> 2] === 0) this.#link(row, u32[(groupRows >>> 2) + i]!);
      if (after > 0 === before > 0) continue;
      u32[(selection >>> 2) + count] = i;
      i32[(signs >>> 2) + count] = after > 0 ? 1 : -1;
      count += 1;
    }
    if (count > 0) {
      const chosen = args.map((column) => selectColumn(memory, column, selection, count, scratch));
      const list = selectColumn(memory, groups, selection, count, scratch).values;
      this.#inner.update(list, chosen, signs, count);
    }
    if (hasGone) this.#sweep(rows, n);
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
