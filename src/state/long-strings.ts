/** Long strings of rows, which may lie side by side and are copied as one block then: most of a short copy is its call. */

import type { Column } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import { INLINE_BYTES, isValid } from './row-identity.ts';

/** Rows whose strings may be one block. */
export const VIEWS_AT_ONCE = 64;

/** A larger block would leave too much of a chunk unused. */
const BLOCK_BYTES_MAX = 32_768;

/** Bytes between strings are copied with them: one for so many that are wanted (those that several rows have count each time). */
const WANTED_FOR_ONE = 8;

/** Where the long strings of some rows lie. */
export interface LongStrings {
  readonly count: number;
  /** They lie in the bytes [start, end), side by side, and may be copied as one block. */
  readonly isDense: boolean;
  readonly start: number;
  readonly end: number;
}

const NONE: LongStrings = { count: 0, isDense: false, start: 0, end: 0 };

/** The long strings of rows selection[from, to). */
export function longStrings(
  memory: Memory,
  column: Column,
  selection: Uint32Array,
  from: number,
  to: number,
): LongStrings {
  const { u32 } = memory;
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  let wanted = 0;
  let last = 0;
  let lastLength = 0;
  let count = 0;
  for (let i = from; i < to; i++) {
    const row = selection[i]!;
    const at = (column.values >>> 2) + 4 * row;
    const length = u32[at]!;
    if (length <= INLINE_BYTES || !isValid(memory, column, row)) continue;
    // Rows of one value often have the same bytes.
    if (u32[at + 3] === last && length === lastLength) continue;
    last = u32[at + 3]!;
    lastLength = length;
    wanted += length;
    count += 1;
    if (last < start) start = last;
    if (last + length > end) end = last + length;
  }
  if (count === 0) return NONE;
  const size = end - start;
  const isDense = size - wanted <= wanted / WANTED_FOR_ONE && size <= BLOCK_BYTES_MAX;
  return { count, isDense: count > 1 && isDense, start, end };
}
