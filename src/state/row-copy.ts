/**
 * Copies rows of segments into the columns of a batch in another memory: values, bitmaps and the bytes of long strings.
 *
 * Cost: O(rows x columns) and the strings' bytes.
 */

import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { storageWidth } from '../batch/delta-batch.ts';
import { copyBytes } from '../memory/copy-bytes.ts';
import { copyWords } from '../memory/copy-words.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { Storage } from '../types/data-type.ts';
import { INLINE_BYTES, isValid } from './row-identity.ts';
import type { Segment } from './segment.ts';

/** Rows `rows[0..count)` of a segment. */
export interface Piece {
  readonly segment: Segment;
  readonly rows: Uint32Array;
  readonly count: number;
}

/** Copies the pieces, one behind the other, into one batch in `target`. */
export function copyRows(
  source: Memory,
  pieces: readonly Piece[],
  columns: readonly number[],
  target: { readonly memory: Memory; readonly scratch: Scratch },
  weights: Int32Array | null,
): DeltaBatch {
  const rowCount = pieces.reduce((sum, piece) => sum + piece.count, 0);
  const copied = columns.map((column) => copyColumn(source, pieces, column, rowCount, target));
  let weightsAddress = 0;
  if (weights !== null) {
    weightsAddress = target.scratch.alloc(4 * rowCount);
    target.memory.i32.set(weights, weightsAddress >>> 2);
  }
  return {
    memory: target.memory,
    rowCount,
    columns: copied,
    weights: weightsAddress,
    rowWatermarks: 0,
  };
}

function copyColumn(
  source: Memory,
  pieces: readonly Piece[],
  c: number,
  rowCount: number,
  target: { readonly memory: Memory; readonly scratch: Scratch },
): Column {
  const storage = pieces[0]!.segment.columns[c]!.storage;
  const values = target.scratch.alloc(Math.max(16, storageWidth(storage) * rowCount));
  let out = 0;
  for (const piece of pieces) {
    const column = piece.segment.columns[c]!;
    if (storage === 'view') copyViews(source, column, piece, target, values, out);
    else copyFixed(source, storage, column, piece, target.memory, values, out);
    out += piece.count;
  }
  return { storage, values, validity: copyValidity(source, pieces, c, rowCount, target) };
}

function copyFixed(
  source: Memory,
  storage: Storage,
  column: Column,
  piece: Piece,
  target: Memory,
  values: number,
  out: number,
): void {
  const { rows, count } = piece;
  const width = storageWidth(storage);
  const isRun = rows[count - 1]! - rows[0]! === count - 1;
  if (isRun) {
    const start = column.values + width * rows[0]!;
    copyBytes(source.u8, start, start + width * count, target.u8, values + width * out);
    return;
  }
  if (width === 1) {
    for (let i = 0; i < count; i++)
      target.u8[values + out + i] = source.u8[column.values + rows[i]!]!;
    return;
  }
  const from = column.values >>> 2;
  const to = values >>> 2;
  if (width === 4) {
    for (let i = 0; i < count; i++) target.u32[to + out + i] = source.u32[from + rows[i]!]!;
    return;
  }
  for (let i = 0; i < count; i++) {
    target.u32[to + 2 * (out + i)] = source.u32[from + 2 * rows[i]!]!;
    target.u32[to + 2 * (out + i) + 1] = source.u32[from + 2 * rows[i]! + 1]!;
  }
}

function copyViews(
  source: Memory,
  column: Column,
  piece: Piece,
  target: { readonly memory: Memory; readonly scratch: Scratch },
  values: number,
  out: number,
): void {
  const words = source.u32;
  let bytes = 0;
  for (let i = 0; i < piece.count; i++) {
    const length = words[(column.values >>> 2) + 4 * piece.rows[i]!]!;
    if (length > INLINE_BYTES) bytes += (length + 3) & ~3;
  }
  let at = bytes === 0 ? 0 : target.scratch.alloc(bytes);
  const copied = target.memory.u32;
  for (let i = 0; i < piece.count; i++) {
    const from = (column.values >>> 2) + 4 * piece.rows[i]!;
    const to = (values >>> 2) + 4 * (out + i);
    const length = words[from]!;
    copied[to] = length;
    copied[to + 1] = words[from + 1]!;
    copied[to + 2] = words[from + 2]!;
    copied[to + 3] = words[from + 3]!;
    if (length <= INLINE_BYTES) continue;
    const start = words[from + 3]!;
    copyWords(words, start, copied, at, length);
    copied[to + 2] = 0;
    copied[to + 3] = at;
    at += (length + 3) & ~3;
  }
}

function copyValidity(
  source: Memory,
  pieces: readonly Piece[],
  c: number,
  rowCount: number,
  target: { readonly memory: Memory; readonly scratch: Scratch },
): number {
  if (pieces.every((piece) => piece.segment.columns[c]!.validity === 0)) return 0;
  const size = (rowCount + 7) >>> 3;
  const validity = target.scratch.alloc(size);
  target.memory.u8.fill(0, validity, validity + size);
  let out = 0;
  for (const piece of pieces) {
    const column = piece.segment.columns[c]!;
    for (let i = 0; i < piece.count; i++, out++) {
      if (isValid(source, column, piece.rows[i]!)) {
        target.memory.u8[validity + (out >>> 3)]! |= 1 << (out & 7);
      }
    }
  }
  return validity;
}
