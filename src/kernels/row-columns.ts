/** Between batch columns and state rows: store and gather, one loop per element width. */

import type { Column } from '../batch/delta-batch.ts';
import { storageWidth } from '../batch/delta-batch.ts';
import { copyWords } from '../memory/copy-words.ts';
import { Memory } from '../memory/memory.ts';
import { ROW_VALIDITY, type RowLayout } from '../memory/row-layout.ts';
import type { Scratch } from '../memory/scratch.ts';
import { VIEW_INLINE_MAX } from '../memory/views.ts';

/** Writes a column of n rows; returns by how many bytes the long strings held have grown. */
export function storeColumn(
  memory: Memory,
  layout: RowLayout,
  rows: number,
  columnIndex: number,
  column: Column,
  n: number,
): number {
  if (column.storage === 'view') return storeViews(memory, layout, rows, columnIndex, column, n);
  storeValidity(memory, rows, columnIndex, column.validity, n);
  const { u32, u8 } = memory;
  const offset = layout.offsets[columnIndex]!;
  const list = rows >>> 2;
  if (column.storage === 'u8') {
    for (let i = 0; i < n; i += 1) u8[u32[list + i]! * 8 + offset] = u8[column.values + i]!;
  } else if (column.storage === 'i32') {
    const from = column.values >>> 2;
    for (let i = 0; i < n; i += 1) u32[(u32[list + i]! * 8 + offset) >>> 2] = u32[from + i]!;
  } else {
    const from = column.values >>> 2;
    for (let i = 0; i < n; i += 1) {
      const to = (u32[list + i]! * 8 + offset) >>> 2;
      u32[to] = u32[from + 2 * i]!;
      u32[to + 1] = u32[from + 2 * i + 1]!;
    }
  }
  return 0;
}

function storeValidity(
  memory: Memory,
  rows: number,
  columnIndex: number,
  validity: number,
  n: number,
): void {
  const { u32, u8 } = memory;
  const byte = ROW_VALIDITY + (columnIndex >>> 3);
  const bit = 1 << (columnIndex & 7);
  for (let i = 0; i < n; i += 1) {
    const at = u32[(rows >>> 2) + i]! * 8 + byte;
    const isValid = validity === 0 || ((u8[validity + (i >>> 3)]! >>> (i & 7)) & 1) === 1;
    u8[at] = isValid ? u8[at]! | bit : u8[at]! & ~bit;
  }
}

function storeViews(
  memory: Memory,
  layout: RowLayout,
  rows: number,
  columnIndex: number,
  column: Column,
  n: number,
): number {
  const offset = layout.offsets[columnIndex]!;
  const byte = ROW_VALIDITY + (columnIndex >>> 3);
  const bit = 1 << (columnIndex & 7);
  let grown = 0;
  for (let i = 0; i < n; i += 1) {
    const row = memory.u32[(rows >>> 2) + i]! * 8;
    const to = (row + offset) >>> 2;
    const validity = column.validity;
    const isValid = validity === 0 || ((memory.u8[validity + (i >>> 3)]! >>> (i & 7)) & 1) === 1;
    const from = (column.values >>> 2) + 4 * i;
    const length = isValid ? memory.u32[from]! : 0;
    const wasValid = (memory.u8[row + byte]! & bit) !== 0;
    const oldLength = wasValid ? memory.u32[to]! : 0;
    const oldBlock = memory.u32[to + 3]!;
    for (let w = 0; w < 4; w += 1) memory.u32[to + w] = isValid ? memory.u32[from + w]! : 0;
    if (length > VIEW_INLINE_MAX) {
      // The new bytes may be this row's own: copied before the old block goes.
      const block = memory.alloc(length);
      const source = memory.u32[from + 3]!;
      copyWords(memory.u32, source, memory.u32, block, length);
      memory.u32[to + 3] = block;
      grown += Memory.blockBytes(length);
    }
    if (oldLength > VIEW_INLINE_MAX) {
      memory.free(oldBlock, oldLength);
      grown -= Memory.blockBytes(oldLength);
    }
    memory.u8[row + byte] = isValid ? memory.u8[row + byte]! | bit : memory.u8[row + byte]! & ~bit;
  }
  return grown;
}

/** Column of n rows, copied into scratch; long strings too, since the rows may change before the batch is used up. */
export function gatherColumn(
  memory: Memory,
  layout: RowLayout,
  rows: number,
  n: number,
  columnIndex: number,
  scratch: Scratch,
): Column {
  const storage = layout.storages[columnIndex]!;
  const values = scratch.alloc(Math.max(16, n * storageWidth(storage)));
  const validity = gatherValidity(memory, rows, n, columnIndex, scratch);
  const offset = layout.offsets[columnIndex]!;
  const { u32, u8 } = memory;
  const list = rows >>> 2;
  const to = values >>> 2;
  if (storage === 'u8') {
    for (let i = 0; i < n; i += 1) u8[values + i] = u8[u32[list + i]! * 8 + offset]!;
  } else if (storage === 'i32') {
    for (let i = 0; i < n; i += 1) u32[to + i] = u32[(u32[list + i]! * 8 + offset) >>> 2]!;
  } else if (storage === 'view') {
    gatherViews(memory, rows, n, offset, values, scratch);
  } else {
    for (let i = 0; i < n; i += 1) {
      const from = (u32[list + i]! * 8 + offset) >>> 2;
      u32[to + 2 * i] = u32[from]!;
      u32[to + 2 * i + 1] = u32[from + 1]!;
    }
  }
  return { storage, values, validity };
}

function gatherViews(
  memory: Memory,
  rows: number,
  n: number,
  offset: number,
  values: number,
  scratch: Scratch,
): void {
  let u32 = memory.u32;
  let total = 0;
  for (let i = 0; i < n; i += 1) {
    const from = (u32[(rows >>> 2) + i]! * 8 + offset) >>> 2;
    const to = (values >>> 2) + 4 * i;
    const length = u32[from]!;
    u32[to] = length;
    u32[to + 1] = u32[from + 1]!;
    u32[to + 2] = u32[from + 2]!;
    u32[to + 3] = u32[from + 3]!;
    if (length > VIEW_INLINE_MAX) total += (length + 3) & ~3;
  }
  if (total === 0) return;
  let copy = scratch.alloc(total);
  u32 = memory.u32;
  for (let i = 0, at = values >>> 2; i < n; i += 1, at += 4) {
    const length = u32[at]!;
    if (length <= VIEW_INLINE_MAX) continue;
    copyWords(u32, u32[at + 3]!, u32, copy, length);
    u32[at + 3] = copy;
    copy += (length + 3) & ~3;
  }
}

/** Validity bitmap of a column of rows; 0 when none is NULL. */
function gatherValidity(
  memory: Memory,
  rows: number,
  n: number,
  columnIndex: number,
  scratch: Scratch,
): number {
  const { u32, u8 } = memory;
  const byte = ROW_VALIDITY + (columnIndex >>> 3);
  const shift = columnIndex & 7;
  let nulls = 0;
  for (let i = 0; i < n; i += 1) {
    nulls |= (u8[u32[(rows >>> 2) + i]! * 8 + byte]! >>> shift) ^ 1;
  }
  if ((nulls & 1) === 0) return 0;
  const validity = scratch.allocZeroed((n + 7) >>> 3);
  const bits = memory.u8;
  const ids = memory.u32;
  for (let i = 0; i < n; i += 1) {
    const bit = (bits[ids[(rows >>> 2) + i]! * 8 + byte]! >>> shift) & 1;
    bits[validity + (i >>> 3)]! |= bit << (i & 7);
  }
  return validity;
}
