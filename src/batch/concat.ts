/** Whole batches: joined, negated, copied to another memory; weights. Results lie in scratch. */

import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import { type Column, type DeltaBatch, storageWidth } from './delta-batch.ts';

/** All batches (of one shape, one memory, at least one) as one; it may have more than BATCH_ROWS_MAX rows. */
export function concat(batches: readonly DeltaBatch[], scratch: Scratch): DeltaBatch {
  const first = batches[0]!;
  if (batches.length === 1) return first;
  const { memory } = first;
  const n = batches.reduce((sum, batch) => sum + batch.rowCount, 0);
  const columns = first.columns.map((column, c) => {
    const parts = batches.map((batch) => ({ column: batch.columns[c]!, n: batch.rowCount }));
    return concatColumns(memory, column.storage, parts, n, scratch);
  });
  return {
    memory,
    rowCount: n,
    columns,
    weights: concatWeights(batches, n, scratch),
    rowWatermarks: concatWatermarks(batches, n, scratch),
  };
}

function concatColumns(
  memory: Memory,
  storage: Column['storage'],
  parts: readonly { readonly column: Column; readonly n: number }[],
  n: number,
  scratch: Scratch,
): Column {
  const width = storageWidth(storage);
  const values = scratch.alloc(Math.max(16, n * width));
  const hasNulls = parts.some((part) => part.column.validity !== 0);
  const validity = hasNulls ? scratch.allocZeroed((n + 7) >>> 3) : 0;
  const { u8 } = memory;
  let row = 0;
  for (const { column, n: count } of parts) {
    u8.copyWithin(values + row * width, column.values, column.values + count * width);
    for (let i = 0; hasNulls && i < count; i += 1) {
      const from = column.validity;
      const bit = from === 0 ? 1 : (u8[from + (i >>> 3)]! >>> (i & 7)) & 1;
      u8[validity + ((row + i) >>> 3)]! |= bit << ((row + i) & 7);
    }
    row += count;
  }
  return { storage, values, validity };
}

function concatWeights(batches: readonly DeltaBatch[], n: number, scratch: Scratch): number {
  if (batches.every((batch) => batch.weights === 0)) return 0;
  const out = scratch.alloc(Math.max(16, 4 * n));
  const { i32 } = scratch.memory;
  let row = out >>> 2;
  for (const batch of batches) {
    for (let i = 0; i < batch.rowCount; i += 1, row += 1) {
      i32[row] = batch.weights === 0 ? 1 : i32[(batch.weights >>> 2) + i]!;
    }
  }
  return out;
}

function concatWatermarks(batches: readonly DeltaBatch[], n: number, scratch: Scratch): number {
  if (batches.some((batch) => batch.rowWatermarks === 0)) return 0;
  const out = scratch.alloc(Math.max(16, 8 * n));
  const { u8 } = scratch.memory;
  let at = out;
  for (const batch of batches) {
    u8.copyWithin(at, batch.rowWatermarks, batch.rowWatermarks + 8 * batch.rowCount);
    at += 8 * batch.rowCount;
  }
  return out;
}

/** The weight of a row. */
export function weightOf(batch: DeltaBatch, row: number): number {
  return batch.weights === 0 ? 1 : batch.memory.i32[(batch.weights >>> 2) + row]!;
}

/** The same rows with the signs of their weights turned. */
export function negate(batch: DeltaBatch, scratch: Scratch): DeltaBatch {
  const weights = scratch.alloc(Math.max(16, 4 * batch.rowCount));
  const { i32 } = batch.memory;
  for (let i = 0; i < batch.rowCount; i += 1) {
    i32[(weights >>> 2) + i] = batch.weights === 0 ? -1 : -i32[(batch.weights >>> 2) + i]!;
  }
  return { ...batch, weights };
}

/** A deep copy into another scratch (also of another memory): columns, long strings, weights, row watermarks. */
export function copyBatch(batch: DeltaBatch, scratch: Scratch): DeltaBatch {
  const n = batch.rowCount;
  const copy = (from: number, size: number): number => {
    if (from === 0) return 0;
    const to = scratch.alloc(Math.max(16, size));
    scratch.memory.u8.set(batch.memory.u8.subarray(from, from + size), to);
    return to;
  };
  const columns = batch.columns.map((column) => {
    const values = copy(column.values, n * storageWidth(column.storage));
    const validity = copy(column.validity, (n + 7) >>> 3);
    if (column.storage === 'view') copyLongViews(batch.memory, values, validity, n, scratch);
    return { storage: column.storage, values, validity };
  });
  return {
    memory: scratch.memory,
    rowCount: n,
    columns,
    weights: copy(batch.weights, 4 * n),
    rowWatermarks: copy(batch.rowWatermarks, 8 * n),
  };
}

function copyLongViews(
  source: Memory,
  values: number,
  validity: number,
  n: number,
  scratch: Scratch,
): void {
  const { memory } = scratch;
  for (let i = 0; i < n; i += 1) {
    const at = (values >>> 2) + 4 * i;
    if (validity !== 0 && ((memory.u8[validity + (i >>> 3)]! >>> (i & 7)) & 1) === 0) {
      memory.u32.fill(0, at, at + 4);
      continue;
    }
    const length = memory.u32[at]!;
    if (length <= 12) continue;
    const from = memory.u32[at + 3]!;
    const to = scratch.alloc(length);
    memory.u8.set(source.u8.subarray(from, from + length), to);
    memory.u32[at + 3] = to;
  }
}
