/**
 * Small moves over the rows of a batch that several operators share: gathering, weights, constant and NULL columns. All
 * results lie in scratch and live until the caller's mark is released.
 *
 * Cost: O(rows x columns); no object is made per row.
 */

import { unreachable } from '../base/assert.ts';
import { type Column, type DeltaBatch, storageWidth } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { Storage } from '../types/data-type.ts';

/** Bytes of a bitmap for `n` rows, in whole words. */
export function bitmapBytes(n: number): number {
  return ((n + 31) >>> 5) << 2;
}

/** Is row `row` not NULL? */
export function isValid(memory: Memory, column: Column, row: number): boolean {
  if (column.validity === 0) return true;
  return ((memory.u8[column.validity + (row >>> 3)]! >>> (row & 7)) & 1) === 1;
}

/** Rows `sel[0..n)` (u32 row numbers at address `sel`) of a column. */
export function gatherColumn(
  memory: Memory,
  scratch: Scratch,
  column: Column,
  sel: number,
  n: number,
): Column {
  const values = scratch.alloc(Math.max(16, n * storageWidth(column.storage)));
  const validity = column.validity === 0 ? 0 : scratch.alloc(bitmapBytes(n) + 4);
  copyValues(memory, column, values, sel >>> 2, n);
  if (validity !== 0) copyValidity(memory, column.validity, validity, sel >>> 2, n);
  return { storage: column.storage, values, validity };
}

function copyValues(memory: Memory, column: Column, to: number, sel: number, n: number): void {
  switch (column.storage) {
    case 'u8':
      return gatherU8(memory.u8, memory.u32, column.values, to, sel, n);
    case 'i32':
      return gatherU32(memory.u32, column.values >>> 2, to >>> 2, sel, n);
    case 'i64':
    case 'f64':
      return gatherF64(memory.f64, memory.u32, column.values >>> 3, to >>> 3, sel, n);
    case 'view':
      return gatherView(memory.f64, memory.u32, column.values >>> 3, to >>> 3, sel, n);
    default:
      return unreachable(column.storage);
  }
}

function gatherU8(
  u8: Uint8Array,
  u32: Uint32Array,
  from: number,
  to: number,
  sel: number,
  n: number,
): void {
  for (let i = 0; i < n; i++) u8[to + i] = u8[from + u32[sel + i]!]!;
}

function gatherU32(u32: Uint32Array, from: number, to: number, sel: number, n: number): void {
  for (let i = 0; i < n; i++) u32[to + i] = u32[from + u32[sel + i]!]!;
}

/** Moves eight bytes as two words: a NaN's payload must not change on its way through a double. */
function gatherF64(
  _f64: Float64Array,
  u32: Uint32Array,
  from: number,
  to: number,
  sel: number,
  n: number,
): void {
  const source = from << 1;
  let at = to << 1;
  for (let i = 0; i < n; i++, at += 2) {
    const row = source + (u32[sel + i]! << 1);
    u32[at] = u32[row]!;
    u32[at + 1] = u32[row + 1]!;
  }
}

function gatherView(
  _f64: Float64Array,
  u32: Uint32Array,
  from: number,
  to: number,
  sel: number,
  n: number,
): void {
  const source = from << 1;
  let at = to << 1;
  for (let i = 0; i < n; i++, at += 4) {
    const row = source + (u32[sel + i]! << 2);
    u32[at] = u32[row]!;
    u32[at + 1] = u32[row + 1]!;
    u32[at + 2] = u32[row + 2]!;
    u32[at + 3] = u32[row + 3]!;
  }
}

function copyValidity(memory: Memory, from: number, to: number, sel: number, n: number): void {
  const { u8, u32 } = memory;
  u8.fill(0, to, to + bitmapBytes(n));
  for (let i = 0; i < n; i++) {
    const row = u32[sel + i]!;
    if (((u8[from + (row >>> 3)]! >>> (row & 7)) & 1) === 1) u8[to + (i >>> 3)]! |= 1 << (i & 7);
  }
}

/** Rows of a batch with their weights and row watermarks. */
export function gatherBatch(
  batch: DeltaBatch,
  scratch: Scratch,
  sel: number,
  n: number,
): DeltaBatch {
  const { memory } = batch;
  const columns = batch.columns.map((column) => gatherColumn(memory, scratch, column, sel, n));
  return {
    memory,
    rowCount: n,
    columns,
    weights: gatherWords(memory, scratch, batch.weights, sel, n),
    rowWatermarks: gatherLongs(memory, scratch, batch.rowWatermarks, sel, n),
  };
}

/** i32 weights of the chosen rows; 0 stays 0 (all +1). */
export function gatherWords(
  memory: Memory,
  scratch: Scratch,
  from: number,
  sel: number,
  n: number,
): number {
  if (from === 0) return 0;
  const to = scratch.alloc(Math.max(16, n * 4));
  gatherU32(memory.u32, from >>> 2, to >>> 2, sel >>> 2, n);
  return to;
}

export function gatherLongs(
  memory: Memory,
  scratch: Scratch,
  from: number,
  sel: number,
  n: number,
): number {
  if (from === 0) return 0;
  const to = scratch.alloc(Math.max(16, n * 8));
  gatherF64(memory.f64, memory.u32, from >>> 3, to >>> 3, sel >>> 2, n);
  return to;
}

/** A column of `n` NULLs. */
export function nullColumn(memory: Memory, scratch: Scratch, storage: Storage, n: number): Column {
  const size = Math.max(16, n * storageWidth(storage));
  const values = scratch.alloc(size);
  const validity = scratch.alloc(bitmapBytes(n) + 4);
  memory.u8.fill(0, values, values + size);
  memory.u8.fill(0, validity, validity + bitmapBytes(n));
  return { storage, values, validity };
}

/** Weights -w (an absent weights array is all +1). */
export function negatedWeights(
  memory: Memory,
  scratch: Scratch,
  weights: number,
  n: number,
): number {
  const to = scratch.alloc(Math.max(16, n * 4));
  const out = to >>> 2;
  const { i32 } = memory;
  if (weights === 0) i32.fill(-1, out, out + n);
  else for (let i = 0; i < n; i++) i32[out + i] = -i32[(weights >>> 2) + i]!;
  return to;
}

/** `n` times the same weight; 0 (the absent array) for +1. */
export function constantWeights(
  memory: Memory,
  scratch: Scratch,
  weight: number,
  n: number,
): number {
  if (weight === 1) return 0;
  const to = scratch.alloc(Math.max(16, n * 4));
  memory.i32.fill(weight, to >>> 2, (to >>> 2) + n);
  return to;
}

export function weightOf(batch: DeltaBatch, row: number): number {
  return batch.weights === 0 ? 1 : batch.memory.i32[(batch.weights >>> 2) + row]!;
}

/** Sum of absolute weights: what rule 24 counts. */
export function absoluteWeight(batch: DeltaBatch): number {
  if (batch.weights === 0) return batch.rowCount;
  let sum = 0;
  const at = batch.weights >>> 2;
  for (let i = 0; i < batch.rowCount; i++) sum += Math.abs(batch.memory.i32[at + i]!);
  return sum;
}

/** Writes the numbers of the rows where a bool column is true (NULL is not) to u32 `out`; returns how many. */
export function selectTrue(memory: Memory, column: Column, n: number, out: number): number {
  const { u8, u32 } = memory;
  const at = out >>> 2;
  const { values, validity } = column;
  let count = 0;
  if (validity === 0) {
    for (let i = 0; i < n; i++) {
      u32[at + count] = i;
      count += u8[values + i]!;
    }
    return count;
  }
  for (let i = 0; i < n; i++) {
    u32[at + count] = i;
    count += u8[values + i]! & (u8[validity + (i >>> 3)]! >>> (i & 7));
  }
  return count;
}

/** A growing list of u32, kept across batches of an epoch: push O(1) amortised. */
export class RowList {
  #rows = new Uint32Array(256);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  push(row: number): void {
    if (this.#count === this.#rows.length) {
      const grown = new Uint32Array(this.#rows.length * 2);
      grown.set(this.#rows);
      this.#rows = grown;
    }
    this.#rows[this.#count++] = row;
  }

  at(index: number): number {
    return this.#rows[index]!;
  }

  /** Copies items [from, from + n) to address `to`. */
  copyTo(memory: Memory, from: number, n: number, to: number): void {
    memory.u32.set(this.#rows.subarray(from, from + n), to >>> 2);
  }

  /** Forgets everything; a large array is given back. */
  clear(): void {
    this.#count = 0;
    if (this.#rows.length > 65_536) this.#rows = new Uint32Array(256);
  }
}
