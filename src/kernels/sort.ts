/** Order of a batch's rows: the sort keys, then the canonical order over all columns (semantics.md rule 9). O(n log n). */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import { select } from '../batch/select.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { DataType } from '../types/data-type.ts';
import { batchComparator, type SortKeySpec } from './compare-rows.ts';

/** u32 row numbers in order -> address in scratch. */
export function sortPermutation(
  batch: DeltaBatch,
  types: readonly DataType[],
  sortKeys: readonly SortKeySpec[],
  scratch: Scratch,
): number {
  const n = batch.rowCount;
  const rows = new Uint32Array(n);
  for (let i = 0; i < n; i += 1) rows[i] = i;
  rows.sort(batchComparator(batch, sortKeys, types));
  const out = scratch.alloc(Math.max(16, 4 * n));
  scratch.memory.u32.set(rows, out >>> 2);
  return out;
}

/** The batch's rows in order. */
export function sortBatch(
  batch: DeltaBatch,
  types: readonly DataType[],
  sortKeys: readonly SortKeySpec[],
  scratch: Scratch,
): DeltaBatch {
  const order = sortPermutation(batch, types, sortKeys, scratch);
  return select(batch, order, batch.rowCount, scratch);
}
