/** Taking rows of a batch: selections (u32 row numbers), ranges, true rows of a bool column. Results lie in scratch. */

import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import { type Column, type DeltaBatch, storageWidth } from './delta-batch.ts';

/** Copies rows `selection[0..n)` (u32 row numbers) of a column. Long strings stay where they are: shared with the source. */
export function selectColumn(
  memory: Memory,
  column: Column,
  selection: number,
  n: number,
  scratch: Scratch,
): Column {
  const { storage } = column;
  const values = scratch.alloc(Math.max(16, n * storageWidth(storage)));
  const validity = selectValidity(memory, column.validity, selection, n, scratch);
  const { u8, u32 } = memory;
  const list = selection >>> 2;
  const from = column.values >>> 2;
  const to = values >>> 2;
  switch (storage) {
    case 'u8':
      for (let i = 0; i < n; i += 1) u8[values + i] = u8[column.values + u32[list + i]!]!;
      break;
    case 'i32':
      for (let i = 0; i < n; i += 1) u32[to + i] = u32[from + u32[list + i]!]!;
      break;
    case 'view':
      for (let i = 0; i < n; i += 1) {
        const at = from + 4 * u32[list + i]!;
        const out = to + 4 * i;
        u32[out] = u32[at]!;
        u32[out + 1] = u32[at + 1]!;
        u32[out + 2] = u32[at + 2]!;
        u32[out + 3] = u32[at + 3]!;
      }
      break;
    default:
      for (let i = 0; i < n; i += 1) {
        const at = from + 2 * u32[list + i]!;
        u32[to + 2 * i] = u32[at]!;
        u32[to + 2 * i + 1] = u32[at + 1]!;
      }
  }
  return { storage, values, validity };
}

function selectValidity(
  memory: Memory,
  validity: number,
  selection: number,
  n: number,
  scratch: Scratch,
): number {
  if (validity === 0) return 0;
  const out = scratch.allocZeroed((n + 7) >>> 3);
  const { u8, u32 } = memory;
  for (let i = 0; i < n; i += 1) {
    const row = u32[(selection >>> 2) + i]!;
    u8[out + (i >>> 3)]! |= ((u8[validity + (row >>> 3)]! >>> (row & 7)) & 1) << (i & 7);
  }
  return out;
}

/** The selected rows of a batch, with their weights and row watermarks. */
export function select(
  batch: DeltaBatch,
  selection: number,
  n: number,
  scratch: Scratch,
): DeltaBatch {
  const { memory } = batch;
  const columns = batch.columns.map((column) =>
    selectColumn(memory, column, selection, n, scratch),
  );
  const weights =
    batch.weights === 0
      ? 0
      : selectColumn(memory, plain('i32', batch.weights), selection, n, scratch).values;
  const rowWatermarks =
    batch.rowWatermarks === 0
      ? 0
      : selectColumn(memory, plain('i64', batch.rowWatermarks), selection, n, scratch).values;
  return { memory, rowCount: n, columns, weights, rowWatermarks };
}

function plain(storage: 'i32' | 'i64', values: number): Column {
  return { storage, values, validity: 0 };
}

/** u32 numbers 0..n-1. */
export function identitySelection(n: number, scratch: Scratch): number {
  const address = scratch.alloc(Math.max(16, 4 * n));
  const u32 = scratch.memory.u32;
  for (let i = 0; i < n; i += 1) u32[(address >>> 2) + i] = i;
  return address;
}

/** Rows `from`..`from + n` of a batch. */
export function selectRange(
  batch: DeltaBatch,
  from: number,
  n: number,
  scratch: Scratch,
): DeltaBatch {
  if (from === 0 && n === batch.rowCount) return batch;
  const selection = scratch.alloc(Math.max(16, 4 * n));
  const u32 = scratch.memory.u32;
  for (let i = 0; i < n; i += 1) u32[(selection >>> 2) + i] = from + i;
  return select(batch, selection, n, scratch);
}

/** Rows whose bool column is true (NULL counts as false) -> u32 numbers at `out`; returns how many. */
export function selectTrue(memory: Memory, column: Column, n: number, out: number): number {
  const { u8, u32 } = memory;
  const { values, validity } = column;
  const list = out >>> 2;
  let count = 0;
  if (validity === 0) {
    for (let i = 0; i < n; i += 1) {
      u32[list + count] = i;
      count += u8[values + i]!;
    }
    return count;
  }
  for (let i = 0; i < n; i += 1) {
    u32[list + count] = i;
    count += u8[values + i]! & ((u8[validity + (i >>> 3)]! >>> (i & 7)) & 1);
  }
  return count;
}
