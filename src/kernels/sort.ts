/** Order of rows: of a batch's by the sort keys, then the canonical order over all columns (semantics.md rule 9). O(n log n). */

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

/** Rows of a run that is sorted at once, and that are merged between two steps. */
const STEP_ROWS = 4096;

/**
 * Sorts row numbers in place, stably, by merging runs from the bottom up; gives null between two steps, so that a thread that
 * has other things to do as well can do them. One step is less than a millisecond or two; few rows take none.
 */
export function* sortInSteps(
  rows: Uint32Array,
  compare: (a: number, b: number) => number,
): Generator<null> {
  for (let from = 0; from < rows.length; from += STEP_ROWS) {
    if (from > 0) yield null;
    rows.subarray(from, from + STEP_ROWS).sort(compare);
  }
  let source = rows;
  let target: Uint32Array = new Uint32Array(rows.length > STEP_ROWS ? rows.length : 0);
  for (let width = STEP_ROWS; width < rows.length; width *= 2) {
    for (let from = 0; from < rows.length; from += 2 * width) {
      yield* merge(source, target, from, width, compare);
    }
    [source, target] = [target, source];
  }
  if (source !== rows) rows.set(source);
}

/** Merges two neighbouring runs of `width` rows, the second one shorter perhaps. */
function* merge(
  source: Uint32Array,
  target: Uint32Array,
  from: number,
  width: number,
  compare: (a: number, b: number) => number,
): Generator<null> {
  const middle = Math.min(from + width, source.length);
  const end = Math.min(from + 2 * width, source.length);
  let a = from;
  let b = middle;
  for (let to = from; to < end; to += 1) {
    const isFirst = a < middle && (b === end || compare(source[a]!, source[b]!) <= 0);
    target[to] = isFirst ? source[a++]! : source[b++]!;
    if (to % STEP_ROWS === 0) yield null;
  }
}
