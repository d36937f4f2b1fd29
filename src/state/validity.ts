/** Validity bits of rows that are copied from one column to another: mostly all of them are set, or none. */

import type { Column } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';

/** How many of the rows selection[from, to) are not NULL. */
export function countValid(
  { u8 }: Memory,
  { validity }: Column,
  selection: Uint32Array,
  from: number,
  to: number,
): number {
  if (validity === 0) return to - from;
  let count = 0;
  for (let i = from; i < to; i++) {
    const row = selection[i]!;
    count += (u8[validity + (row >>> 3)]! >>> (row & 7)) & 1;
  }
  return count;
}

/** Sets or clears the bits of rows [first, first + count) at `bits`. */
export function fillBits(
  u8: Uint8Array,
  bits: number,
  first: number,
  count: number,
  isSet: boolean,
): void {
  for (let row = first; row < first + count; ) {
    if ((row & 7) === 0 && row + 8 <= first + count) {
      u8[bits + (row >>> 3)] = isSet ? 0xff : 0;
      row += 8;
      continue;
    }
    const bit = 1 << (row & 7);
    if (isSet) u8[bits + (row >>> 3)]! |= bit;
    else u8[bits + (row >>> 3)]! &= ~bit;
    row += 1;
  }
}
