/**
 * RowBuckets: rows of a RowTable gathered by an instant at which they are done with (a window's end, the last time at
 * which a partner may come), so that a watermark frees them without a look at the others.
 *
 * Algorithm: a small table (instant -> head of a list); the rows are linked through a u32 of their extra bytes (next) and,
 * where rows may leave early, a second one (previous). Instants may be rounded up to a grid by the caller.
 * State: all of it in memory; the least instant is found again after recovery.
 * Cost: add O(1), remove O(1), take O(buckets + rows taken).
 */

import { assert } from '../base/assert.ts';
import { RowTable } from '../kernels/row-table.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import { WATERMARK_END } from './operator.ts';
import type { RowList } from './rows.ts';

export interface BucketLinks {
  /** Byte offsets from the row's start. */
  readonly next: number;
  /** null: rows only leave with their bucket. */
  readonly previous: number | null;
}

export class RowBuckets {
  readonly #memory: Memory;
  readonly #scratch: Scratch;
  readonly #table: RowTable;
  readonly #links: BucketLinks;
  #least: bigint;

  constructor(memory: Memory, scratch: Scratch, cell: number, links: BucketLinks) {
    this.#memory = memory;
    this.#scratch = scratch;
    this.#links = links;
    this.#table = RowTable.open(memory, cell, { storages: ['i64'], keyCount: 1, extraBytes: 8 });
    this.#least = this.#findLeast();
  }

  /** The earliest bucket; WATERMARK_END when there is none. */
  get least(): bigint {
    return this.#least;
  }

  get bytes(): number {
    return this.#table.bytes;
  }

  /** Adds rows (u32 ids at `rows`) with their instants (i64 at `instants`). */
  add(rows: number, instants: number, n: number): void {
    if (n === 0) return;
    const memory = this.#memory;
    const mark = this.#scratch.mark();
    const buckets = this.#scratch.alloc(n * 4);
    this.#table.upsert([{ storage: 'i64', values: instants, validity: 0 }], n, buckets);
    for (let i = 0; i < n; i++) {
      const instant = memory.i64[(instants >>> 3) + i]!;
      if (instant < this.#least) this.#least = instant;
      this.#link(memory.u32[(buckets >>> 2) + i]!, memory.u32[(rows >>> 2) + i]!);
    }
    this.#scratch.release(mark);
  }

  #link(bucket: number, row: number): void {
    const { u32 } = this.#memory;
    const head = this.#table.extraAddress(bucket) >>> 2;
    const { next, previous } = this.#links;
    const first = u32[head]!;
    u32[(row * 8 + next) >>> 2] = first;
    if (previous !== null) {
      u32[(row * 8 + previous) >>> 2] = 0;
      if (first !== 0) u32[(first * 8 + previous) >>> 2] = row;
    }
    u32[head] = row;
  }

  /** Takes a row out of the bucket of `instant`; an empty bucket goes when its time comes. */
  remove(row: number, instant: bigint): void {
    const { u32 } = this.#memory;
    const { next, previous } = this.#links;
    assert(previous !== null, 'rows of these buckets never leave early');
    const after = u32[(row * 8 + next) >>> 2]!;
    const before = u32[(row * 8 + previous) >>> 2]!;
    if (after !== 0) u32[(after * 8 + previous) >>> 2] = before;
    if (before !== 0) u32[(before * 8 + next) >>> 2] = after;
    else this.#setHead(instant, after);
  }

  #setHead(instant: bigint, row: number): void {
    const memory = this.#memory;
    const mark = this.#scratch.mark();
    const key = this.#scratch.alloc(16);
    const found = this.#scratch.alloc(16);
    memory.i64[key >>> 3] = instant;
    this.#table.probe([{ storage: 'i64', values: key, validity: 0 }], 1, found);
    const bucket = memory.u32[found >>> 2]!;
    assert(bucket !== 0, 'a row is in a bucket that is not there');
    memory.u32[this.#table.extraAddress(bucket) >>> 2] = row;
    this.#scratch.release(mark);
  }

  /** Moves the rows of every bucket with an instant < `limit` to `out`; their links are dead afterwards. */
  takeBefore(limit: bigint, out: RowList): void {
    if (this.#least >= limit) return;
    const memory = this.#memory;
    const done: number[] = [];
    for (const bucket of this.#buckets()) {
      if (this.#instantOf(bucket) >= limit) continue;
      done.push(bucket);
      let row = memory.u32[this.#table.extraAddress(bucket) >>> 2]!;
      while (row !== 0) {
        out.push(row);
        row = memory.u32[(row * 8 + this.#links.next) >>> 2]!;
      }
    }
    for (const bucket of done) this.#table.remove(bucket);
    this.#least = this.#findLeast();
  }

  #instantOf(bucket: number): bigint {
    return this.#memory.i64[this.#table.valueAddress(bucket, 0) >>> 3]!;
  }

  *#buckets(): Generator<number> {
    for (let row = this.#table.next(0); row !== 0; row = this.#table.next(row)) yield row;
  }

  #findLeast(): bigint {
    let least = WATERMARK_END;
    for (const bucket of this.#buckets()) {
      const instant = this.#instantOf(bucket);
      if (instant < least) least = instant;
    }
    return least;
  }
}
