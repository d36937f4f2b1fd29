/**
 * String views: 16 bytes that stand for a byte string (Arrow's Utf8View layout): length u32, then up to 12 bytes inline,
 * zero-padded, or prefix (first 4 bytes), buffer number (always 0) and address of the bytes.
 *
 * Cost: all O(length) at worst; inequality of views mostly shows in the first 8 bytes.
 */

import { copyBytes } from './copy-bytes.ts';
import type { Memory } from './memory.ts';

export const VIEW_INLINE_MAX = 12;

/** Somewhere to put bytes: Memory or Scratch. */
export interface ByteAllocator {
  alloc(size: number): number;
}

/**
 * Writes the view of `bytes` at `address`; long bytes are copied into a block of `allocator`. Returns the block's address,
 * or 0 when the bytes are inline.
 */
export function writeView(
  memory: Memory,
  address: number,
  bytes: Uint8Array,
  allocator: ByteAllocator,
): number {
  const length = bytes.length;
  if (length > VIEW_INLINE_MAX) {
    const block = allocator.alloc(length);
    copyBytes(bytes, 0, length, memory.u8, block);
    writeLongView(memory, address, block, length);
    return block;
  }
  const word = address >>> 2;
  const u32 = memory.u32;
  u32[word] = length;
  u32[word + 1] = 0;
  u32[word + 2] = 0;
  u32[word + 3] = 0;
  const u8 = memory.u8;
  for (let i = 0; i < length; i += 1) u8[address + 4 + i] = bytes[i]!;
  return 0;
}

/** Writes the view of bytes that lie in this memory already (any length: short ones are copied inline). */
export function writeViewAt(memory: Memory, address: number, bytes: number, length: number): void {
  if (length > VIEW_INLINE_MAX) {
    writeLongView(memory, address, bytes, length);
    return;
  }
  const word = address >>> 2;
  const { u32, u8 } = memory;
  u32[word] = length;
  u32[word + 1] = 0;
  u32[word + 2] = 0;
  u32[word + 3] = 0;
  for (let i = 0; i < length; i += 1) u8[address + 4 + i] = u8[bytes + i]!;
}

function writeLongView(memory: Memory, address: number, bytes: number, length: number): void {
  const { u32, u8 } = memory;
  const word = address >>> 2;
  u32[word] = length;
  u32[word + 1] =
    u8[bytes]! | (u8[bytes + 1]! << 8) | (u8[bytes + 2]! << 16) | (u8[bytes + 3]! << 24);
  u32[word + 2] = 0;
  u32[word + 3] = bytes;
}

export function viewLength(memory: Memory, address: number): number {
  return memory.u32[address >>> 2]!;
}

/** Where the view's bytes lie. */
export function viewData(memory: Memory, address: number): number {
  return memory.u32[address >>> 2]! > VIEW_INLINE_MAX
    ? memory.u32[(address >>> 2) + 3]!
    : address + 4;
}

/** A copy of the view's bytes. */
export function viewBytes(memory: Memory, address: number): Uint8Array {
  const data = viewData(memory, address);
  return memory.u8.slice(data, data + memory.u32[address >>> 2]!);
}

/** The same bytes? */
export function viewsEqual(memory: Memory, a: number, b: number): boolean {
  return viewsEqualWords(memory.u32, memory.u8, a, b);
}

/** As viewsEqual, on views of the memory taken once by a loop. */
export function viewsEqualWords(u32: Uint32Array, u8: Uint8Array, a: number, b: number): boolean {
  const x = a >>> 2;
  const y = b >>> 2;
  const length = u32[x]!;
  if (length !== u32[y] || u32[x + 1] !== u32[y + 1]) return false;
  if (length <= VIEW_INLINE_MAX) return u32[x + 2] === u32[y + 2] && u32[x + 3] === u32[y + 3];
  return bytesEqual(u32, u8, u32[x + 3]!, u32[y + 3]!, length);
}

function bytesEqual(
  u32: Uint32Array,
  u8: Uint8Array,
  a: number,
  b: number,
  length: number,
): boolean {
  if (a === b) return true;
  let i = 0;
  if (((a | b) & 3) === 0) {
    const words = length >>> 2;
    for (let w = 0; w < words; w += 1) {
      if (u32[(a >>> 2) + w] !== u32[(b >>> 2) + w]) return false;
    }
    i = words << 2;
  }
  for (; i < length; i += 1) if (u8[a + i] !== u8[b + i]) return false;
  return true;
}

/** Order of the bytes as unsigned numbers, a prefix first: SQL order of text under the C collation. */
export function compareViews(memory: Memory, a: number, b: number): number {
  const { u32, u8 } = memory;
  const aLength = u32[a >>> 2]!;
  const bLength = u32[b >>> 2]!;
  const aData = aLength > VIEW_INLINE_MAX ? u32[(a >>> 2) + 3]! : a + 4;
  const bData = bLength > VIEW_INLINE_MAX ? u32[(b >>> 2) + 3]! : b + 4;
  const length = Math.min(aLength, bLength);
  for (let i = 0; i < length; i += 1) {
    const difference = u8[aData + i]! - u8[bData + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}
