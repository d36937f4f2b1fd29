/**
 * Small things about the rows of a batch that several operators share: weights, NULL columns, lists of rows. Columns that
 * are made lie in scratch and live until the caller's mark is released.
 *
 * Cost: O(rows x columns); no object is made per row.
 */

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

/** Words `sel[0..n)` (u32 numbers at address `sel`) of an array of u32. */
export function gatherWords(
  memory: Memory,
  scratch: Scratch,
  from: number,
  sel: number,
  n: number,
): number {
  const to = scratch.alloc(Math.max(16, n * 4));
  const { u32 } = memory;
  for (let i = 0; i < n; i++) u32[(to >>> 2) + i] = u32[(from >>> 2) + u32[(sel >>> 2) + i]!]!;
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

/** Sum of absolute weights: what rule 24 counts. */
export function absoluteWeight(batch: DeltaBatch): number {
  if (batch.weights === 0) return batch.rowCount;
  let sum = 0;
  const at = batch.weights >>> 2;
  for (let i = 0; i < batch.rowCount; i++) sum += Math.abs(batch.memory.i32[at + i]!);
  return sum;
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
