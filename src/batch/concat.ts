/** Whole batches: joined, negated, copied to another memory; weights. Results lie in scratch. */

import { copyBytes } from '../memory/copy-bytes.ts';
import { copyWords } from '../memory/copy-words.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import { VIEW_INLINE_MAX } from '../memory/views.ts';
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
    copyBytes(batch.memory.u8, from, from + size, scratch.memory.u8, to);
    return to;
  };
  const columns = batch.columns.map((column) => {
    const values = copy(column.values, n * storageWidth(column.storage));
    const validity = copy(column.validity, (n + 7) >>> 3);
    return { storage: column.storage, values, validity };
  });
  copyLongViews(batch.memory, columns, n, scratch);
  return {
    memory: scratch.memory,
    rowCount: n,
    columns,
    weights: copy(batch.weights, 4 * n),
    rowWatermarks: copy(batch.rowWatermarks, 8 * n),
  };
}

/** Views whose long bytes lie in [first, end), `total` of them wanted. */
interface LongViews {
  readonly values: number;
  readonly total: number;
  readonly first: number;
  readonly end: number;
}

/** So much is copied as one block for a byte that is wanted, as fast as string by string; and so much more than them at most. */
const SPREAD_MAX = 6;
const SPREAD_BYTES_MAX = 1 << 20;

/** Makes n views of each column, copied as they were, own their long bytes: as one block where they lie close together. */
function copyLongViews(
  source: Memory,
  columns: readonly Column[],
  n: number,
  scratch: Scratch,
): void {
  const { u32 } = scratch.memory;
  const views: LongViews[] = [];
  for (const { storage, values, validity } of columns) {
    if (storage !== 'view') continue;
    if (validity !== 0) clearNulls(scratch.memory, values, validity, n);
    const range = longBytes(u32, values, n);
    if (range.total > 0) views.push({ values, ...range });
  }
  // Fields of texts lie side by side, columns that were computed each by itself.
  if (copyBlock(source, views, n, scratch)) return;
  for (const one of views) {
    if (!copyBlock(source, [one], n, scratch)) copyStrings(source, one, n, scratch);
  }
}

/** Copies what the views' bytes lie in as one; false: they lie too far apart. */
function copyBlock(
  source: Memory,
  views: readonly LongViews[],
  n: number,
  scratch: Scratch,
): boolean {
  if (views.length === 0) return true;
  const total = views.reduce((sum, one) => sum + one.total, 0);
  const first = Math.min(...views.map((one) => one.first));
  const end = Math.max(...views.map((one) => one.end));
  if (end - first > Math.min(SPREAD_MAX * total, total + SPREAD_BYTES_MAX)) return false;
  const block = scratch.alloc(end - first);
  const { u8, u32 } = scratch.memory;
  copyBytes(source.u8, first, end, u8, block);
  for (const { values } of views) moveLongViews(u32, values, n, block - first);
  return true;
}

function copyStrings(
  source: Memory,
  { values, total }: LongViews,
  n: number,
  scratch: Scratch,
): void {
  let to = scratch.alloc(total);
  const { u32 } = scratch.memory;
  for (let i = 0, at = values >>> 2; i < n; i += 1, at += 4) {
    const length = u32[at]!;
    if (length <= VIEW_INLINE_MAX) continue;
    copyWords(source.u32, u32[at + 3]!, u32, to, length);
    u32[at + 3] = to;
    to += (length + 3) & ~3;
  }
}

function clearNulls(memory: Memory, values: number, validity: number, n: number): void {
  const { u8, u32 } = memory;
  for (let i = 0, at = values >>> 2; i < n; i += 1, at += 4) {
    if (((u8[validity + (i >>> 3)]! >>> (i & 7)) & 1) === 1) continue;
    u32[at] = 0;
    u32[at + 1] = 0;
    u32[at + 2] = 0;
    u32[at + 3] = 0;
  }
}

/** Sum of the long views' lengths, each rounded up to words, and the range in which their bytes lie. */
function longBytes(u32: Uint32Array, values: number, n: number): Omit<LongViews, 'values'> {
  let total = 0;
  let first = Number.POSITIVE_INFINITY;
  let end = 0;
  for (let i = 0, at = values >>> 2; i < n; i += 1, at += 4) {
    const length = u32[at]!;
    if (length <= VIEW_INLINE_MAX) continue;
    const from = u32[at + 3]!;
    total += (length + 3) & ~3;
    if (from < first) first = from;
    if (from + length > end) end = from + length;
  }
  return { total, first, end };
}

function moveLongViews(u32: Uint32Array, values: number, n: number, distance: number): void {
  for (let i = 0, at = values >>> 2; i < n; i += 1, at += 4) {
    if (u32[at]! > VIEW_INLINE_MAX) u32[at + 3] = u32[at + 3]! + distance;
  }
}
