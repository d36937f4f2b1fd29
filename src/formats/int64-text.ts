/** The whole number of 64 bits at an address as decimal text, without a BigInt where it is small. */

import type { Memory } from '../memory/memory.ts';

export function int64Text(memory: Memory, address: number): string {
  const word = address >>> 2;
  const low = memory.u32[word]!;
  const high = memory.i32[word + 1]!;
  // Within 2^53 a double holds the number exactly.
  const isSmall = high >= -0x20_0000 && high < 0x20_0000;
  return isSmall ? String(high * 0x1_0000_0000 + low) : String(memory.i64[word >>> 1]!);
}
