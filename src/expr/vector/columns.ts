/**
 * Making and combining columns in scratch: allocation, validity bitmaps, gather and scatter.
 *
 * Cost: all O(rows). Typed-array views are taken after every allocation, since an allocation may grow the memory.
 */

import type { Column } from '../../batch/delta-batch.ts';
import { storageWidth } from '../../batch/delta-batch.ts';
import type { Memory } from '../../memory/memory.ts';
import type { Scratch } from '../../memory/scratch.ts';
import type { Storage } from '../../types/data-type.ts';

export interface Arena {
  readonly memory: Memory;
  readonly scratch: Scratch;
}

/** Bytes of a validity bitmap: whole 32-bit words. */
function bitmapBytes(rowCount: number): number {
  return ((rowCount + 31) >>> 5) << 2;
}

export function allocValues(arena: Arena, storage: Storage, rowCount: number): number {
  return arena.scratch.alloc(Math.max(1, rowCount) * storageWidth(storage));
}

/** A bitmap with every bit set (or clear). */
export function allocBitmap(arena: Arena, rowCount: number, isSet: boolean): number {
  const bytes = bitmapBytes(Math.max(1, rowCount));
  const address = arena.scratch.alloc(bytes);
  arena.memory.u8.fill(isSet ? 0xff : 0, address, address + bytes);
  return address;
}

/** Is row `row` non-NULL under the bitmap at `validity` (0: all are)? */
export function isValid(memory: Memory, validity: number, row: number): boolean {
  return validity === 0 || ((memory.u8[validity + (row >>> 3)]! >>> (row & 7)) & 1) === 1;
}

export function clearBit(memory: Memory, bitmap: number, row: number): void {
  memory.u8[bitmap + (row >>> 3)]! &= ~(1 << (row & 7));
}

export function setBit(memory: Memory, bitmap: number, row: number): void {
  memory.u8[bitmap + (row >>> 3)]! |= 1 << (row & 7);
}

/** Rows valid in all of `columns`; 0: all rows. An existing bitmap is shared, not copied. */
export function commonValidity(arena: Arena, columns: readonly Column[], rowCount: number): number {
  let result = 0;
  let isOwn = false;
  for (const { validity } of columns) {
    if (validity === 0 || validity === result) continue;
    if (result === 0) {
      result = validity;
      continue;
    }
    const target = isOwn ? result : arena.scratch.alloc(bitmapBytes(Math.max(1, rowCount)));
    const u8 = arena.memory.u8;
    const bytes = (rowCount + 7) >>> 3;
    for (let i = 0; i < bytes; i += 1) u8[target + i] = u8[result + i]! & u8[validity + i]!;
    result = target;
    isOwn = true;
  }
  return result;
}

/** The column with the given rows made NULL. */
export function withNulls(
  arena: Arena,
  column: Column,
  rowCount: number,
  rows: readonly number[] | null,
): Column {
  if (rows === null || rows.length === 0) return column;
  const validity = allocBitmap(arena, rowCount, true);
  if (column.validity !== 0) {
    const bytes = (rowCount + 7) >>> 3;
    arena.memory.u8.copyWithin(validity, column.validity, column.validity + bytes);
  }
  for (const row of rows) clearBit(arena.memory, validity, row);
  return { ...column, validity };
}

/** A column of `rowCount` NULLs. */
export function nullColumn(arena: Arena, storage: Storage, rowCount: number): Column {
  const values = allocValues(arena, storage, rowCount);
  const validity = allocBitmap(arena, rowCount, false);
  const bytes = Math.max(1, rowCount) * storageWidth(storage);
  arena.memory.u8.fill(0, values, values + bytes);
  return { storage, values, validity };
}

/** `width` bytes at `source` for each of `rowCount` rows. */
export function repeatBytes(arena: Arena, source: number, width: number, rowCount: number): number {
  const target = arena.scratch.alloc(Math.max(1, rowCount) * width);
  const u8 = arena.memory.u8;
  u8.copyWithin(target, source, source + width);
  const total = rowCount * width;
  for (let done = width; done < total; done *= 2) {
    u8.copyWithin(target + done, target, target + Math.min(done, total - done));
  }
  return target;
}

/** Rows `rows[0..count)` of a column, densely. */
export function gatherColumn(arena: Arena, column: Column, rows: Uint32Array): Column {
  const count = rows.length;
  const values = allocValues(arena, column.storage, count);
  const { memory } = arena;
  switch (column.storage) {
    case 'u8': {
      const u8 = memory.u8;
      for (let i = 0; i < count; i += 1) u8[values + i] = u8[column.values + rows[i]!]!;
      break;
    }
    case 'i32':
      copyWords(memory.i32, values >>> 2, column.values >>> 2, rows, 1);
      break;
    case 'view':
      copyWords(memory.i32, values >>> 2, column.values >>> 2, rows, 4);
      break;
    default:
      copyWords(memory.i32, values >>> 2, column.values >>> 2, rows, 2);
  }
  if (column.validity === 0) return { storage: column.storage, values, validity: 0 };
  const validity = allocBitmap(arena, count, false);
  for (let i = 0; i < count; i += 1) {
    if (isValid(memory, column.validity, rows[i]!)) setBit(memory, validity, i);
  }
  return { storage: column.storage, values, validity };
}

function copyWords(
  words: Int32Array,
  to: number,
  from: number,
  rows: Uint32Array,
  width: 1 | 2 | 4,
): void {
  const count = rows.length;
  for (let i = 0; i < count; i += 1) {
    const source = from + rows[i]! * width;
    const target = to + i * width;
    for (let w = 0; w < width; w += 1) words[target + w] = words[source + w]!;
  }
}

/** Row i of `source` becomes row `rows[i]` of `target`, whose validity bitmap is there and whose bits there are clear. */
export function scatterColumn(
  arena: Arena,
  source: Column,
  rows: Uint32Array,
  target: Column,
): void {
  const { memory } = arena;
  switch (target.storage) {
    case 'u8': {
      const { u8 } = memory;
      for (let i = 0; i < rows.length; i += 1) {
        u8[target.values + rows[i]!] = u8[source.values + i]!;
      }
      break;
    }
    case 'i32':
      spreadWords(memory.i32, target.values >>> 2, source.values >>> 2, rows, 1);
      break;
    case 'view':
      spreadWords(memory.i32, target.values >>> 2, source.values >>> 2, rows, 4);
      break;
    default:
      spreadWords(memory.i32, target.values >>> 2, source.values >>> 2, rows, 2);
  }
  const { u8 } = memory;
  for (let i = 0; i < rows.length; i += 1) {
    if (!isValid(memory, source.validity, i)) continue;
    const row = rows[i]!;
    u8[target.validity + (row >>> 3)]! |= 1 << (row & 7);
  }
}

function spreadWords(
  words: Int32Array,
  to: number,
  from: number,
  rows: Uint32Array,
  width: 1 | 2 | 4,
): void {
  for (let i = 0; i < rows.length; i += 1) {
    const source = from + i * width;
    const target = to + rows[i]! * width;
    for (let w = 0; w < width; w += 1) words[target + w] = words[source + w]!;
  }
}
