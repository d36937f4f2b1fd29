/** Consolidation: identical rows of a delta become one with the sum of their weights; rows of weight 0 go. O(n) expected. */

import { type Column, type DeltaBatch, storageWidth } from '../batch/delta-batch.ts';
import { select } from '../batch/select.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import { viewsEqualWords } from '../memory/views.ts';
import { hashRows } from './kernels.ts';

/** The consolidated delta, rows in the order of their first copies; the batch itself where nothing changes. */
export function consolidate(batch: DeltaBatch, scratch: Scratch): DeltaBatch {
  const { memory, rowCount: n } = batch;
  if (n === 0 || (n === 1 && batch.weights === 0)) return batch;
  const hashes = hashRows(memory, batch.columns, n);
  let capacity = 16;
  while (capacity < 2 * n) capacity *= 2;
  const table = scratch.allocZeroed(4 * capacity) >>> 2;
  const first = scratch.alloc(Math.max(16, 4 * n)) >>> 2;
  const sums = scratch.alloc(Math.max(16, 4 * n)) >>> 2;
  const { u32, i32 } = memory;
  let count = 0;
  for (let i = 0; i < n; i += 1) {
    const weight = batch.weights === 0 ? 1 : i32[(batch.weights >>> 2) + i]!;
    const hash = u32[(hashes >>> 2) + i]!;
    let slot = hash & (capacity - 1);
    let found = -1;
    for (let entry = 0; (entry = u32[table + slot]!) !== 0; slot = (slot + 1) & (capacity - 1)) {
      const row = u32[first + entry - 1]!;
      if (u32[(hashes >>> 2) + row] !== hash || !rowsIdentical(memory, batch.columns, row, i))
        continue;
      found = entry - 1;
      break;
    }
    if (found >= 0) {
      i32[sums + found]! += weight;
      continue;
    }
    u32[first + count] = i;
    i32[sums + count] = weight;
    count += 1;
    u32[table + slot] = count;
  }
  return keepNonZero(batch, first, sums, count, scratch);
}

function keepNonZero(
  batch: DeltaBatch,
  first: number,
  sums: number,
  count: number,
  scratch: Scratch,
): DeltaBatch {
  const { u32, i32 } = batch.memory;
  let kept = 0;
  for (let i = 0; i < count; i += 1) {
    if (i32[sums + i] === 0) continue;
    u32[first + kept] = u32[first + i]!;
    i32[sums + kept] = i32[sums + i]!;
    kept += 1;
  }
  if (kept === batch.rowCount) return batch;
  const rows = select({ ...batch, weights: 0 }, first * 4, kept, scratch);
  return { ...rows, weights: sums * 4 };
}

/** Are rows a and b identical: validity and bytes of every column? */
export function rowsIdentical(
  memory: Memory,
  columns: readonly Column[],
  a: number,
  b: number,
): boolean {
  const { u8, u32 } = memory;
  for (const { storage, values, validity } of columns) {
    if (validity !== 0) {
      const x = (u8[validity + (a >>> 3)]! >>> (a & 7)) & 1;
      if (x !== ((u8[validity + (b >>> 3)]! >>> (b & 7)) & 1)) return false;
      if (x === 0) continue;
    }
    if (storage === 'view') {
      if (!viewsEqualWords(u32, u8, values + 16 * a, values + 16 * b)) return false;
    } else if (storage === 'u8') {
      if (u8[values + a] !== u8[values + b]) return false;
    } else {
      const words = storageWidth(storage) >>> 2;
      const x = (values >>> 2) + words * a;
      const y = (values >>> 2) + words * b;
      if (u32[x] !== u32[y] || (words === 2 && u32[x + 1] !== u32[y + 1])) return false;
    }
  }
  return true;
}
