/**
 * Identity of rows that lie as columns in any memory: hash and equality of bytes, NULL = NULL (semantics.md rule 8).
 *
 * The hash is murmur3 over 32-bit words (views: length, then the bytes in words), so that writer and readers agree.
 * Cost: hashing O(bytes); equality O(columns) and O(bytes) for long strings.
 */

import { unreachable } from '../base/assert.ts';
import type { Column } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';

const NULL_WORD = 0x9e37_79b9;
/** Bytes of a view that need no buffer. */
export const INLINE_BYTES = 12;

/** Is value `row` of `column` not NULL? */
export function isValid(memory: Memory, column: Column, row: number): boolean {
  if (column.validity === 0) return true;
  return ((memory.u8[column.validity + (row >>> 3)]! >>> (row & 7)) & 1) === 1;
}

/** Hashes rows [from, from + n) of `columns` into out[0..n). */
export function hashRows(
  memory: Memory,
  columns: readonly Column[],
  from: number,
  n: number,
  out: Uint32Array,
): void {
  out.fill(0, 0, n);
  for (const column of columns) hashColumn(memory, column, from, n, out);
  for (let i = 0; i < n; i++) out[i] = finish(out[i]!);
}

function hashColumn(
  memory: Memory,
  column: Column,
  from: number,
  n: number,
  out: Uint32Array,
): void {
  switch (column.storage) {
    case 'u8':
      hashNarrow(memory, memory.u8, column.values, column, from, n, out);
      break;
    case 'i32':
      hashNarrow(memory, memory.u32, column.values >>> 2, column, from, n, out);
      break;
    case 'i64':
    case 'f64':
      hashWide(memory, column, from, n, out);
      break;
    case 'view':
      hashViews(memory, column, from, n, out);
      break;
    default:
      unreachable(column.storage);
  }
}

function hashNarrow(
  memory: Memory,
  values: Uint8Array | Uint32Array,
  base: number,
  column: Column,
  from: number,
  n: number,
  out: Uint32Array,
): void {
  for (let i = 0; i < n; i++) {
    const word = isValid(memory, column, from + i) ? values[base + from + i]! : NULL_WORD;
    out[i] = mix(out[i]!, word);
  }
}

function hashWide(memory: Memory, column: Column, from: number, n: number, out: Uint32Array): void {
  const words = memory.u32;
  const base = column.values >>> 2;
  for (let i = 0; i < n; i++) {
    if (!isValid(memory, column, from + i)) {
      out[i] = mix(out[i]!, NULL_WORD);
      continue;
    }
    const at = base + 2 * (from + i);
    out[i] = mix(mix(out[i]!, words[at]!), words[at + 1]!);
  }
}

function hashViews(
  memory: Memory,
  column: Column,
  from: number,
  n: number,
  out: Uint32Array,
): void {
  for (let i = 0; i < n; i++) {
    out[i] = isValid(memory, column, from + i)
      ? hashView(memory, column.values + 16 * (from + i), out[i]!)
      : mix(out[i]!, NULL_WORD);
  }
}

function hashView(memory: Memory, view: number, seed: number): number {
  const words = memory.u32;
  const at = view >>> 2;
  const length = words[at]!;
  let hash = mix(seed, length);
  if (length <= INLINE_BYTES) {
    for (let w = 0; w * 4 < length; w++) hash = mix(hash, words[at + 1 + w]!);
    return hash;
  }
  const bytes = memory.u8;
  let address = words[at + 3]!;
  const end = address + length;
  for (; address + 4 <= end; address += 4) {
    const word =
      bytes[address]! |
      (bytes[address + 1]! << 8) |
      (bytes[address + 2]! << 16) |
      (bytes[address + 3]! << 24);
    hash = mix(hash, word);
  }
  let tail = 0;
  for (let shift = 0; address < end; address++, shift += 8) tail |= bytes[address]! << shift;
  return mix(hash, tail);
}

function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e_2d51);
  k = (k << 15) | (k >>> 17);
  hash ^= Math.imul(k, 0x1b87_3593);
  hash = (hash << 13) | (hash >>> 19);
  return (Math.imul(hash, 5) + 0xe654_6b64) >>> 0;
}

function finish(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Are row `a` of `columnsA` and row `b` of `columnsB` the same bytes, column by column? */
export function equalRows(
  memoryA: Memory,
  columnsA: readonly Column[],
  a: number,
  memoryB: Memory,
  columnsB: readonly Column[],
  b: number,
): boolean {
  for (let c = 0; c < columnsA.length; c++) {
    if (!equalValues(memoryA, columnsA[c]!, a, memoryB, columnsB[c]!, b)) return false;
  }
  return true;
}

function equalValues(
  memoryA: Memory,
  columnA: Column,
  a: number,
  memoryB: Memory,
  columnB: Column,
  b: number,
): boolean {
  if (columnA.validity !== 0 || columnB.validity !== 0) {
    const isThere = isValid(memoryA, columnA, a);
    if (isThere !== isValid(memoryB, columnB, b)) return false;
    if (!isThere) return true;
  }
  switch (columnA.storage) {
    case 'u8':
      return memoryA.u8[columnA.values + a] === memoryB.u8[columnB.values + b];
    case 'i32':
      return memoryA.u32[(columnA.values >>> 2) + a] === memoryB.u32[(columnB.values >>> 2) + b];
    case 'view':
      return equalViews(memoryA, columnA.values + 16 * a, memoryB, columnB.values + 16 * b);
    default: {
      const atA = (columnA.values >>> 2) + 2 * a;
      const atB = (columnB.values >>> 2) + 2 * b;
      return memoryA.u32[atA] === memoryB.u32[atB] && memoryA.u32[atA + 1] === memoryB.u32[atB + 1];
    }
  }
}

function equalViews(memoryA: Memory, viewA: number, memoryB: Memory, viewB: number): boolean {
  const wordsA = memoryA.u32;
  const wordsB = memoryB.u32;
  const a = viewA >>> 2;
  const b = viewB >>> 2;
  const length = wordsA[a]!;
  if (length !== wordsB[b]! || (length > 0 && wordsA[a + 1] !== wordsB[b + 1])) return false;
  if (length <= INLINE_BYTES) {
    if (length > 4 && wordsA[a + 2] !== wordsB[b + 2]) return false;
    return length <= 8 || wordsA[a + 3] === wordsB[b + 3];
  }
  const startA = wordsA[a + 3]!;
  const startB = wordsB[b + 3]!;
  for (let i = 4; i < length; i++) {
    if (memoryA.u8[startA + i] !== memoryB.u8[startB + i]) return false;
  }
  return true;
}
