/**
 * RowTable: rows in memory, with a hash index over their first `keyCount` columns (identity of bytes, NULL = NULL).
 * All of it lies behind one u32 root cell, so it survives with the memory image. Row ids are u32 (address / 8, 0 = none)
 * and stay the same for a row's life. Long strings are owned by the row and freed with it.
 *
 * Cost: upsert, probe, remove O(1) a row expected; growth doubles the index; a row costs rowBytes + 8..16 bytes of index.
 */

import { assert } from '../base/assert.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { copyWords } from '../memory/copy-words.ts';
import { Memory } from '../memory/memory.ts';
import { ROW_VALIDITY, RowLayout, STATE_INDEXED, STATE_LIVE } from '../memory/row-layout.ts';
import type { Scratch } from '../memory/scratch.ts';
import { VIEW_INLINE_MAX } from '../memory/views.ts';
import type { DataType, Storage } from '../types/data-type.ts';
import { rowComparator, type SortKeySpec } from './compare-rows.ts';
import { type Kernels, kernelsOf, type Workspace, workspaceOf } from './kernels.ts';
import { gatherColumn, storeColumn } from './row-columns.ts';
import {
  CHUNK_HEADER_BYTES,
  T_CHUNK_BYTES,
  T_CHUNKS,
  T_END,
  T_FREE,
  T_FREE_COUNT,
  T_INDEX,
  T_INDEXED,
  T_LONG_BYTES,
  T_MASK,
  T_NEXT,
  T_ROW_BYTES,
  T_ROW_COUNT,
  TABLE_HEADER_BYTES,
} from './table-layout.ts';

const INDEX_CAPACITY_MIN = 16;
const CHUNK_BYTES_MAX = 1 << 20;

export interface RowTableSpec {
  readonly storages: readonly Storage[];
  /** The first `keyCount` columns are the key. */
  readonly keyCount: number;
  /** The owner's bytes of each row, zero when new. */
  readonly extraBytes: number;
}

export class RowTable {
  readonly memory: Memory;
  readonly spec: RowTableSpec;
  readonly layout: RowLayout;
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;
  readonly #header: number;
  /** Chunks, oldest first: [address, bytes] pairs; derived from the chain in memory. */
  #chunks: number[] = [];

  private constructor(memory: Memory, header: number, spec: RowTableSpec, layout: RowLayout) {
    this.memory = memory;
    this.spec = spec;
    this.layout = layout;
    this.#header = header;
    this.#kernels = kernelsOf(memory);
    this.#workspace = workspaceOf(memory);
    this.#readChunks();
  }

  /** The table behind the u32 root cell at address `cell`; made when the cell is 0. */
  static open(memory: Memory, cell: number, spec: RowTableSpec): RowTable {
    assert(spec.keyCount <= spec.storages.length, 'more key columns than columns');
    const layout = new RowLayout(spec.storages, spec.extraBytes);
    let header = memory.u32[cell >>> 2]!;
    if (header === 0) {
      header = memory.allocZeroed(TABLE_HEADER_BYTES);
      memory.u32[(header >>> 2) + T_ROW_BYTES] = layout.rowBytes;
      memory.u32[cell >>> 2] = header;
    }
    assert(
      memory.u32[(header >>> 2) + T_ROW_BYTES] === layout.rowBytes,
      'the state in memory has another row layout',
    );
    return new RowTable(memory, header, spec, layout);
  }

  get rowCount(): number {
    return this.#get(T_ROW_COUNT);
  }

  /** Bytes of memory held: rows, index, long strings. */
  get bytes(): number {
    const f64 = this.memory.f64;
    const base = this.#header >>> 3;
    const index = this.#get(T_INDEX) === 0 ? 0 : (this.#get(T_MASK) + 1) * 8;
    return TABLE_HEADER_BYTES + index + f64[base + T_LONG_BYTES]! + f64[base + T_CHUNK_BYTES]!;
  }

  /** Positions (u32) of the keys that the last upsert made rows for; until the next call of any RowTable of this memory. */
  get newPositions(): number {
    return this.#workspace.positions;
  }

  /**
   * Row ids for n keys -> u32 at outRows, in order; a key twice in the batch gets one row. New rows have the other columns
   * NULL and extra bytes zero. Returns how many are new; their positions: `newPositions`.
   */
  upsert(keys: readonly Column[], n: number, outRows: number): number {
    if (n === 0) return 0;
    const workspace = this.#prepare(keys, n);
    this.#reserveRows(n);
    this.#reserveIndex(n);
    const { descriptors, hashes, positions } = workspace;
    this.#kernels.hashColumns(descriptors, keys.length, n, hashes);
    const newCount = this.#kernels.upsert(
      this.#header,
      descriptors,
      keys.length,
      n,
      hashes,
      outRows,
      positions,
    );
    if (newCount > 0) this.#ownLongKeys(outRows, positions, newCount);
    return newCount;
  }

  /** Row ids of n keys -> u32 at outRows; 0 = absent. */
  probe(keys: readonly Column[], n: number, outRows: number): void {
    if (this.#get(T_INDEX) === 0) {
      this.memory.u32.fill(0, outRows >>> 2, (outRows >>> 2) + n);
      return;
    }
    const { descriptors, hashes } = this.#prepare(keys, n);
    this.#kernels.hashColumns(descriptors, keys.length, n, hashes);
    this.#kernels.probe(this.#header, descriptors, keys.length, n, hashes, outRows);
  }

  /** Adds n rows without index entries -> u32 row ids at outRows. `columns[i]` fills column i; further columns are NULL. */
  append(columns: readonly Column[], n: number, outRows: number): void {
    this.#reserveRows(n);
    const u32 = this.memory.u32;
    for (let i = 0; i < n; i += 1) {
      const row = this.#takeRow(u32);
      u32[row << 1] = 0;
      u32[(row << 1) + 1] = STATE_LIVE;
      u32[(outRows >>> 2) + i] = row;
    }
    for (let c = 0; c < columns.length; c += 1) this.store(outRows, c, columns[c]!, n);
  }

  /** Writes column `columnIndex` of n rows; not for key columns of indexed rows. A row twice keeps the last value. */
  store(rows: number, columnIndex: number, column: Column, n: number): void {
    const delta = storeColumn(this.memory, this.layout, rows, columnIndex, column, n);
    if (delta !== 0) this.memory.f64[(this.#header >>> 3) + T_LONG_BYTES]! += delta;
  }

  /** Column `columnIndex` of n rows, copied (long strings too) into scratch. */
  gather(rows: number, n: number, columnIndex: number, scratch: Scratch): Column {
    return gatherColumn(this.memory, this.layout, rows, n, columnIndex, scratch);
  }

  /** Columns of n rows as a batch; `weights` as in DeltaBatch. */
  gatherBatch(
    rows: number,
    n: number,
    columnIndexes: readonly number[],
    weights: number,
    scratch: Scratch,
  ): DeltaBatch {
    const columns = columnIndexes.map((index) => this.gather(rows, n, index, scratch));
    return { memory: this.memory, rowCount: n, columns, weights, rowWatermarks: 0 };
  }

  /** Removes a row. */
  remove(row: number): void {
    const workspace = this.#workspace;
    workspace.reserve(1, 1);
    this.memory.u32[workspace.rows >>> 2] = row;
    this.removeMany(workspace.rows, 1);
  }

  /** Removes n rows (no id twice): index entry, long strings, the row itself. */
  removeMany(rows: number, n: number): void {
    if (n === 0) return;
    if (this.#get(T_INDEX) !== 0) this.#kernels.erase(this.#header, rows, n);
    const { u32 } = this.memory;
    const rowWords = this.layout.rowBytes >>> 2;
    const table = this.#header >>> 2;
    for (let i = 0; i < n; i += 1) {
      const row = u32[(rows >>> 2) + i]!;
      assert((u32[(row << 1) + 1]! & STATE_LIVE) !== 0, 'removal of a row that is not there');
      this.#freeLongStrings(row * 8);
      const end = (row << 1) + rowWords;
      for (let word = row << 1; word < end; word += 1) u32[word] = 0;
      u32[row << 1] = u32[table + T_FREE]!;
      u32[table + T_FREE] = row;
    }
    u32[table + T_FREE_COUNT]! += n;
    u32[table + T_ROW_COUNT]! -= n;
  }

  /** Removes everything and gives the memory back. */
  clear(): void {
    const hasStrings = this.layout.viewColumns.length > 0;
    if (hasStrings) {
      for (let row = this.next(0); row !== 0; row = this.next(row)) this.#freeLongStrings(row * 8);
    }
    for (let c = 0; c < this.#chunks.length; c += 2) {
      this.memory.free(this.#chunks[c]!, this.#chunks[c + 1]!);
    }
    this.#chunks = [];
    const index = this.#get(T_INDEX);
    if (index !== 0) this.memory.free(index, (this.#get(T_MASK) + 1) * 8);
    this.memory.u8.fill(0, this.#header, this.#header + TABLE_HEADER_BYTES);
    this.#set(T_ROW_BYTES, this.layout.rowBytes);
  }

  /** clear(), and frees the table itself; `cell` becomes 0. The object must not be used any more. */
  destroy(cell: number): void {
    this.clear();
    this.memory.free(this.#header, TABLE_HEADER_BYTES);
    this.memory.u32[cell >>> 2] = 0;
  }

  /** Byte address of a row's extra bytes. */
  extraAddress(row: number): number {
    return row * 8 + this.layout.extraOffset;
  }

  /** The next live row after `cursor` (0: from the start), in no particular order; 0 = no more. Removing is safe meanwhile. */
  next(cursor: number): number {
    const u32 = this.memory.u32;
    const rowBytes = this.layout.rowBytes;
    let chunk = cursor === 0 ? 0 : this.#chunkOf(cursor * 8);
    let address = cursor === 0 ? 0 : cursor * 8 + rowBytes;
    for (; chunk < this.#chunks.length; chunk += 2) {
      const start = this.#chunks[chunk]!;
      const end = start + this.#chunks[chunk + 1]!;
      if (address === 0) address = start + CHUNK_HEADER_BYTES;
      for (; address + rowBytes <= end; address += rowBytes) {
        if ((u32[(address >>> 2) + 1]! & STATE_LIVE) !== 0) return address / 8;
      }
      address = 0;
    }
    return 0;
  }

  /** The key's hash of an indexed row. */
  hashOf(row: number): number {
    return this.memory.u32[row << 1]!;
  }

  /** Is the row's column not NULL? */
  isValid(row: number, columnIndex: number): boolean {
    const byte = this.memory.u8[row * 8 + ROW_VALIDITY + (columnIndex >>> 3)]!;
    return ((byte >>> (columnIndex & 7)) & 1) === 1;
  }

  /** Byte address of a row's column value (undefined content when NULL). */
  valueAddress(row: number, columnIndex: number): number {
    return row * 8 + this.layout.offsets[columnIndex]!;
  }

  /** SQL order by the keys, then the canonical order over all columns (semantics.md rule 9). `types`: of all columns. */
  compareRows(
    sortKeys: readonly SortKeySpec[],
    types: readonly DataType[],
  ): (a: number, b: number) => number {
    return rowComparator(this.memory, this.layout, sortKeys, types);
  }

  #get(word: number): number {
    return this.memory.u32[(this.#header >>> 2) + word]!;
  }

  #set(word: number, value: number): void {
    this.memory.u32[(this.#header >>> 2) + word] = value;
  }

  #prepare(keys: readonly Column[], n: number): Workspace {
    assert(keys.length === this.spec.keyCount, 'a key has the wrong number of columns');
    const workspace = this.#workspace;
    workspace.reserve(n, keys.length);
    workspace.describe(keys, this.layout.offsets);
    return workspace;
  }

  #takeRow(u32: Uint32Array): number {
    const table = this.#header >>> 2;
    u32[table + T_ROW_COUNT]! += 1;
    const free = u32[table + T_FREE]!;
    if (free !== 0) {
      u32[table + T_FREE] = u32[free << 1]!;
      u32[table + T_FREE_COUNT]! -= 1;
      return free;
    }
    const address = u32[table + T_NEXT]!;
    u32[table + T_NEXT] = address + this.layout.rowBytes;
    return address >>> 3;
  }

  /** Makes sure that n rows can be taken without allocation. */
  #reserveRows(n: number): void {
    const rowBytes = this.layout.rowBytes;
    const unused = Math.floor(((this.#get(T_END) - this.#get(T_NEXT)) >>> 0) / rowBytes);
    const available = this.#get(T_FREE_COUNT) + unused;
    if (available >= n) return;
    const wanted = Math.max(n, Math.min(this.rowCount, Math.floor(CHUNK_BYTES_MAX / rowBytes)), 4);
    const bytes = CHUNK_HEADER_BYTES + wanted * rowBytes;
    const chunk = this.memory.allocZeroed(bytes);
    this.#freeUnused(unused);
    this.memory.u32[chunk >>> 2] = this.#get(T_CHUNKS);
    this.memory.u32[(chunk >>> 2) + 1] = bytes;
    this.#set(T_CHUNKS, chunk);
    this.#set(T_NEXT, chunk + CHUNK_HEADER_BYTES);
    this.#set(T_END, chunk + bytes);
    this.memory.f64[(this.#header >>> 3) + T_CHUNK_BYTES]! += Memory.blockBytes(bytes);
    this.#chunks.push(chunk, bytes);
  }

  /** Puts the unused rows of the newest chunk into the free list. */
  #freeUnused(unused: number): void {
    const u32 = this.memory.u32;
    const table = this.#header >>> 2;
    for (let i = 0; i < unused; i += 1) {
      const address = u32[table + T_NEXT]! + i * this.layout.rowBytes;
      u32[address >>> 2] = u32[table + T_FREE]!;
      u32[table + T_FREE] = address / 8;
    }
    u32[table + T_FREE_COUNT]! += unused;
  }

  /** Makes sure that n more entries keep the index at most 60 % full. */
  #reserveIndex(n: number): void {
    const old = this.#get(T_INDEX);
    const capacity = old === 0 ? 0 : this.#get(T_MASK) + 1;
    const needed = this.#get(T_INDEXED) + n;
    if (needed * 5 <= capacity * 3) return;
    let next = Math.max(INDEX_CAPACITY_MIN, capacity);
    while (needed * 5 > next * 3) next *= 2;
    const index = this.memory.allocZeroed(next * 8);
    const u32 = this.memory.u32;
    const mask = next - 1;
    for (let slot = 0; slot < capacity; slot += 1) {
      const row = u32[(old >>> 2) + 2 * slot + 1]!;
      if (row === 0) continue;
      const hash = u32[(old >>> 2) + 2 * slot]!;
      let to = hash & mask;
      while (u32[(index >>> 2) + 2 * to + 1] !== 0) to = (to + 1) & mask;
      u32[(index >>> 2) + 2 * to] = hash;
      u32[(index >>> 2) + 2 * to + 1] = row;
    }
    if (old !== 0) this.memory.free(old, capacity * 8);
    this.#set(T_INDEX, index);
    this.#set(T_MASK, mask);
  }

  /** New rows' long keys still point into the batch: copies them. */
  #ownLongKeys(rows: number, positions: number, count: number): void {
    for (const column of this.layout.viewColumns) {
      if (column >= this.spec.keyCount) continue;
      const offset = this.layout.offsets[column]!;
      let held = 0;
      for (let i = 0; i < count; i += 1) {
        const position = this.memory.u32[(positions >>> 2) + i]!;
        const view = this.memory.u32[(rows >>> 2) + position]! * 8 + offset;
        const length = this.memory.u32[view >>> 2]!;
        if (length <= VIEW_INLINE_MAX) continue;
        const block = this.memory.alloc(length);
        const from = this.memory.u32[(view >>> 2) + 3]!;
        copyWords(this.memory.u32, from, this.memory.u32, block, length);
        this.memory.u32[(view >>> 2) + 3] = block;
        held += Memory.blockBytes(length);
      }
      if (held > 0) this.memory.f64[(this.#header >>> 3) + T_LONG_BYTES]! += held;
    }
  }

  #freeLongStrings(address: number): void {
    const { u32, u8 } = this.memory;
    for (const column of this.layout.viewColumns) {
      if (((u8[address + ROW_VALIDITY + (column >>> 3)]! >>> (column & 7)) & 1) === 0) continue;
      const view = (address + this.layout.offsets[column]!) >>> 2;
      const length = u32[view]!;
      if (length <= VIEW_INLINE_MAX) continue;
      this.memory.free(u32[view + 3]!, length);
      this.memory.f64[(this.#header >>> 3) + T_LONG_BYTES]! -= Memory.blockBytes(length);
    }
  }

  #chunkOf(address: number): number {
    for (let c = 0; c < this.#chunks.length; c += 2) {
      const start = this.#chunks[c]!;
      if (address >= start && address < start + this.#chunks[c + 1]!) return c;
    }
    throw new RangeError('cursor is not a row of this table');
  }

  #readChunks(): void {
    const u32 = this.memory.u32;
    const chunks: number[] = [];
    for (let chunk = this.#get(T_CHUNKS); chunk !== 0; chunk = u32[chunk >>> 2]!) {
      chunks.unshift(chunk, u32[(chunk >>> 2) + 1]!);
    }
    this.#chunks = chunks;
  }
}

/** Is the row in a table's index? */
export function isIndexedRow(memory: Memory, row: number): boolean {
  return (memory.u32[(row << 1) + 1]! & STATE_INDEXED) !== 0;
}
