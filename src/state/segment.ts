/**
 * Segment: up to 65,536 rows of a stored relation as columns, with the hidden columns of the multi-version protocol.
 *
 * A row id is (slot << 16) | offset; slots start at 1, so 0 is no row. Per row: the epochs (relative to the segment's
 * base) that made and retracted it, a weight where the relation is a bag, and for every index the next older and next
 * newer row of its chain. Long strings lie in chunks that belong to the segment and are freed with it.
 * Words of the header are u32; validity bitmaps are made when the first NULL comes.
 * Cost: append O(columns) a row, everything else O(1).
 */

import { assert } from '../base/assert.ts';
import type { Column } from '../batch/delta-batch.ts';
import { storageWidth } from '../batch/delta-batch.ts';
import { copyBytes } from '../memory/copy-bytes.ts';
import { copyWords } from '../memory/copy-words.ts';
import type { Memory } from '../memory/memory.ts';
import type { Storage } from '../types/data-type.ts';
import { longStrings, VIEWS_AT_ONCE } from './long-strings.ts';
import { INLINE_BYTES, isValid } from './row-identity.ts';
import { copyShortViews, copyU8, copyU32, copyWide } from './selected-values.ts';
import { countValid, fillBits } from './validity.ts';

export const SEGMENT_ROWS_MAX = 65_536;
export const SEGMENT_ROWS_MIN = 64;
/** The key or whole-row index, and up to 63 secondary ones. */
export const INDEXES_MAX = 64;
/** Stamp of a row that is not retracted. */
export const LIVE = 0xffff_ffff;

const SLOT = 0;
const CAPACITY = 1;
const PUBLISHED_ROWS = 2;
const WRITTEN_ROWS = 3;
const RETRACTED_ROWS = 4;
const INSERTED = 5;
const RETRACTED = 6;
const WEIGHTS = 7;
const BASE = 8;
const MIN_INSERT = 10;
const MAX_INSERT = 11;
const MAX_RETRACT = 12;
const CHUNKS = 13;
const CHUNK_AT = 14;
const CHUNK_END = 15;
/** 1 once a moved row broke the order of insert stamps. */
const IS_UNSORTED = 16;
const COLUMNS = 18;
const CHUNK_MIN = 1024;
const CHUNK_MAX = 262_144;

export interface SegmentShape {
  readonly storages: readonly Storage[];
  readonly hasWeights: boolean;
}

/** A segment at an address of a memory; columns are looked up again after each growth of a bitmap. */
export class Segment {
  readonly memory: Memory;
  readonly address: number;
  readonly shape: SegmentShape;
  readonly slot: number;
  readonly capacity: number;
  /** Absolute epoch that stamps count from. */
  readonly base: number;
  readonly inserted: number;
  readonly retracted: number;
  /** Address of i32 weights, 0: all 1. */
  readonly weights: number;
  readonly #word: number;
  #columns: Column[];
  #keyColumns: (readonly Column[] | undefined)[] = [];
  /** Of the column that is being appended: the long string that was stored last, and where it is now. */
  #copied = { from: 0, length: 0, to: 0 };

  constructor(memory: Memory, address: number, shape: SegmentShape) {
    this.memory = memory;
    this.address = address;
    this.shape = shape;
    this.#word = address >>> 2;
    const words = memory.u32;
    this.slot = words[this.#word + SLOT]!;
    this.capacity = words[this.#word + CAPACITY]!;
    this.base = memory.f64[(address >>> 3) + (BASE >>> 1)]!;
    this.inserted = words[this.#word + INSERTED]!;
    this.retracted = words[this.#word + RETRACTED]!;
    this.weights = words[this.#word + WEIGHTS]!;
    this.#columns = this.#readColumns();
  }

  static create(
    memory: Memory,
    shape: SegmentShape,
    slot: number,
    capacity: number,
    base: number,
    indexes: readonly boolean[],
  ): Segment {
    const size = 4 * (COLUMNS + 2 * shape.storages.length + 2 * INDEXES_MAX);
    const address = memory.alloc(size);
    memory.u8.fill(0, address, address + size);
    const word = address >>> 2;
    const set = (index: number, value: number): void => {
      memory.u32[word + index] = value;
    };
    set(SLOT, slot);
    set(CAPACITY, capacity);
    set(MIN_INSERT, LIVE);
    set(INSERTED, memory.alloc(4 * capacity));
    set(RETRACTED, memory.alloc(4 * capacity));
    if (shape.hasWeights) set(WEIGHTS, memory.alloc(4 * capacity));
    memory.f64[(address >>> 3) + (BASE >>> 1)] = base;
    shape.storages.forEach((storage, c) => {
      set(COLUMNS + 2 * c, memory.alloc(storageWidth(storage) * capacity));
    });
    const segment = new Segment(memory, address, shape);
    indexes.forEach((isThere, index) => {
      if (isThere) segment.addLinks(index);
    });
    return segment;
  }

  /** All columns, rows 0..capacity. */
  get columns(): readonly Column[] {
    return this.#columns;
  }

  /** Rows that readers may look at; loads with order, so the values behind it are there. */
  get publishedRows(): number {
    return Atomics.load(this.memory.u32, this.#word + PUBLISHED_ROWS);
  }

  get writtenRows(): number {
    return this.memory.u32[this.#word + WRITTEN_ROWS]!;
  }

  get retractedRows(): number {
    return this.memory.u32[this.#word + RETRACTED_ROWS]!;
  }

  get isFull(): boolean {
    return this.writtenRows === this.capacity;
  }

  /** No row was made before this absolute epoch. */
  get minInsert(): number {
    return this.base + this.memory.u32[this.#word + MIN_INSERT]!;
  }

  get maxInsert(): number {
    return this.base + this.memory.u32[this.#word + MAX_INSERT]!;
  }

  get maxRetract(): number {
    return this.base + this.memory.u32[this.#word + MAX_RETRACT]!;
  }

  /** Are the insert stamps in ascending order? */
  get isSorted(): boolean {
    return this.memory.u32[this.#word + IS_UNSORTED] === 0;
  }

  /** The columns of index `index`, which has `columns`; kept, since every probe asks. */
  keyColumns(index: number, columns: readonly number[]): readonly Column[] {
    let key = this.#keyColumns[index];
    if (key === undefined) {
      key = columns.map((column) => this.#columns[column]!);
      this.#keyColumns[index] = key;
    }
    return key;
  }

  /** Absolute epochs of a row; retracted: Infinity while it lives. */
  insertedAt(row: number): number {
    return this.base + this.memory.u32[(this.inserted >>> 2) + row]!;
  }

  retractedAt(row: number): number {
    const stamp = this.memory.u32[(this.retracted >>> 2) + row]!;
    return stamp === LIVE ? Number.POSITIVE_INFINITY : this.base + stamp;
  }

  isLive(row: number): boolean {
    return this.memory.u32[(this.retracted >>> 2) + row] === LIVE;
  }

  isVisible(row: number, epoch: number): boolean {
    return this.insertedAt(row) <= epoch && this.retractedAt(row) > epoch;
  }

  weight(row: number): number {
    return this.weights === 0 ? 1 : this.memory.i32[(this.weights >>> 2) + row]!;
  }

  setWeight(row: number, weight: number): void {
    this.memory.i32[(this.weights >>> 2) + row] = weight;
  }

  /** Refreshes what a reader of another thread may have seen too early: bitmaps are made late. */
  refreshColumns(): void {
    this.#columns = this.#readColumns();
    this.#keyColumns = [];
  }

  publish(): void {
    Atomics.store(this.memory.u32, this.#word + PUBLISHED_ROWS, this.writtenRows);
  }

  /** Stamps row `row` as retracted at `epoch`. */
  retract(row: number, epoch: number): void {
    const stamp = this.stampOf(epoch);
    const words = this.memory.u32;
    words[(this.retracted >>> 2) + row] = stamp;
    words[this.#word + RETRACTED_ROWS]! += 1;
    if (stamp > words[this.#word + MAX_RETRACT]!) words[this.#word + MAX_RETRACT] = stamp;
  }

  stampOf(epoch: number): number {
    const stamp = epoch - this.base;
    assert(stamp >= 0 && stamp < 0x8000_0000, 'a segment is too old for its stamps');
    return stamp;
  }

  /**
   * Appends rows `selection[from..to)` of `columns` (in `source`) as made at `epoch`, not linked into any index.
   * Returns the offset of the first one. The caller keeps to the capacity.
   */
  append(
    source: Memory,
    columns: readonly Column[],
    selection: Uint32Array,
    from: number,
    to: number,
    epoch: number,
  ): number {
    const first = this.writtenRows;
    assert(first + to - from <= this.capacity, 'a segment overflows');
    for (let c = 0; c < columns.length; c++) {
      this.#appendColumn(c, source, columns[c]!, selection, from, to, first);
    }
    const stamp = Math.max(0, epoch - this.base);
    const words = this.memory.u32;
    const count = to - from;
    words.fill(stamp, (this.inserted >>> 2) + first, (this.inserted >>> 2) + first + count);
    words.fill(LIVE, (this.retracted >>> 2) + first, (this.retracted >>> 2) + first + count);
    if (this.weights !== 0) {
      this.memory.i32.fill(1, (this.weights >>> 2) + first, (this.weights >>> 2) + first + count);
    }
    this.noteInsert(stamp);
    words[this.#word + WRITTEN_ROWS] = first + count;
    return first;
  }

  /** Sets the stamps of a row that was moved here (relative to this base). */
  setStamps(row: number, inserted: number, retracted: number): void {
    const words = this.memory.u32;
    words[(this.inserted >>> 2) + row] = inserted;
    if (inserted < words[this.#word + MAX_INSERT]!) words[this.#word + IS_UNSORTED] = 1;
    this.noteInsert(inserted);
    if (retracted === LIVE) return;
    words[(this.retracted >>> 2) + row] = retracted;
    words[this.#word + RETRACTED_ROWS]! += 1;
    if (retracted > words[this.#word + MAX_RETRACT]!) words[this.#word + MAX_RETRACT] = retracted;
  }

  noteInsert(stamp: number): void {
    const words = this.memory.u32;
    if (stamp < words[this.#word + MIN_INSERT]!) words[this.#word + MIN_INSERT] = stamp;
    if (stamp > words[this.#word + MAX_INSERT]!) words[this.#word + MAX_INSERT] = stamp;
  }

  // ---- chains ----

  /** Gives the rows of this segment chain links for index `index`. */
  addLinks(index: number): void {
    for (let k = 0; k < 2; k++) {
      const links = this.memory.alloc(4 * this.capacity);
      this.memory.u32.fill(0, links >>> 2, (links >>> 2) + this.capacity);
      Atomics.store(this.memory.u32, this.#linkWord(index) + k, links);
    }
  }

  dropLinks(index: number): void {
    for (let k = 0; k < 2; k++) {
      const links = this.memory.u32[this.#linkWord(index) + k]!;
      if (links !== 0) this.memory.free(links, 4 * this.capacity);
      this.memory.u32[this.#linkWord(index) + k] = 0;
    }
  }

  /** The next older row of the chain, 0 at its end. */
  older(index: number, row: number): number {
    return this.memory.u32[(this.memory.u32[this.#linkWord(index)]! >>> 2) + row]!;
  }

  newer(index: number, row: number): number {
    return this.memory.u32[(this.memory.u32[this.#linkWord(index) + 1]! >>> 2) + row]!;
  }

  setOlder(index: number, row: number, id: number): void {
    this.memory.u32[(this.memory.u32[this.#linkWord(index)]! >>> 2) + row] = id;
  }

  setNewer(index: number, row: number, id: number): void {
    this.memory.u32[(this.memory.u32[this.#linkWord(index) + 1]! >>> 2) + row] = id;
  }

  // ---- memory ----

  /** Frees everything; no reader may be in it. */
  free(): void {
    const { memory, capacity } = this;
    const words = memory.u32;
    for (let index = 0; index < INDEXES_MAX; index++) this.dropLinks(index);
    this.refreshColumns();
    for (const column of this.#columns) {
      memory.free(column.values, storageWidth(column.storage) * capacity);
      if (column.validity !== 0) memory.free(column.validity, capacity >>> 3);
    }
    memory.free(this.inserted, 4 * capacity);
    memory.free(this.retracted, 4 * capacity);
    if (this.weights !== 0) memory.free(this.weights, 4 * capacity);
    let chunk = words[this.#word + CHUNKS]!;
    while (chunk !== 0) {
      const next = words[chunk >>> 2]!;
      memory.free(chunk, words[(chunk >>> 2) + 1]!);
      chunk = next;
    }
    memory.free(this.address, 4 * (COLUMNS + 2 * this.shape.storages.length + 2 * INDEXES_MAX));
  }

  #linkWord(index: number): number {
    return this.#word + COLUMNS + 2 * this.shape.storages.length + 2 * index;
  }

  #readColumns(): Column[] {
    const words = this.memory.u32;
    return this.shape.storages.map((storage, c) => ({
      storage,
      values: words[this.#word + COLUMNS + 2 * c]!,
      validity: Atomics.load(words, this.#word + COLUMNS + 2 * c + 1),
    }));
  }

  #appendColumn(
    c: number,
    source: Memory,
    column: Column,
    selection: Uint32Array,
    from: number,
    to: number,
    first: number,
  ): void {
    const target = this.#columns[c]!.values;
    const valid = countValid(source, column, selection, from, to);
    switch (column.storage) {
      case 'u8':
        copyU8(source.u8, column.values, this.memory.u8, target + first, selection, from, to);
        break;
      case 'i32':
        copyU32(
          source.u32,
          column.values >>> 2,
          this.memory.u32,
          (target >>> 2) + first,
          selection,
          from,
          to,
        );
        break;
      case 'view':
        this.#copied = { from: 0, length: 0, to: 0 };
        if (valid === 0) {
          const out = (target >>> 2) + 4 * first;
          this.memory.u32.fill(0, out, out + 4 * (to - from));
          break;
        }
        for (let at = from; at < to; at += VIEWS_AT_ONCE) {
          const end = Math.min(to, at + VIEWS_AT_ONCE);
          this.#copyViews(source, column, target, selection, at, end, first + at - from);
        }
        break;
      default:
        copyWide(
          source.u32,
          column.values >>> 2,
          this.memory.u32,
          (target >>> 2) + 2 * first,
          selection,
          from,
          to,
        );
    }
    if (valid < to - from || this.#columns[c]!.validity !== 0) {
      this.#copyValidity(c, source, column, selection, from, to, first, valid);
    }
  }

  #copyViews(
    source: Memory,
    column: Column,
    target: number,
    selection: Uint32Array,
    from: number,
    to: number,
    first: number,
  ): void {
    const given = source.u32;
    const long = longStrings(source, column, selection, from, to);
    if (long.count === 0 && column.validity === 0) {
      const out = (target >>> 2) + 4 * first;
      copyShortViews(given, column.values >>> 2, this.memory.u32, out, selection, from, to);
      return;
    }
    const { isDense, start, end } = long;
    const block = isDense ? this.#allocBytes(end - start) : 0;
    if (isDense) copyBytes(source.u8, start, end, this.memory.u8, block);
    const copied = this.#copied;
    for (let i = from; i < to; i++) {
      const row = selection[i]!;
      const at = (column.values >>> 2) + 4 * row;
      const length = isValid(source, column, row) ? given[at]! : 0;
      const isLong = length > INLINE_BYTES;
      // Rows of one value often have the same bytes, and then share them here, too.
      const isNew = isLong && (given[at + 3] !== copied.from || length !== copied.length);
      if (isNew) {
        copied.from = given[at + 3]!;
        copied.length = length;
        copied.to = isDense ? block + copied.from - start : this.#allocBytes(length);
        if (!isDense) copyWords(given, copied.from, this.memory.u32, copied.to, length);
      }
      const words = this.memory.u32;
      const out = (target >>> 2) + 4 * (first + i - from);
      words[out] = length;
      words[out + 1] = length === 0 ? 0 : given[at + 1]!;
      words[out + 2] = length === 0 || isLong ? 0 : given[at + 2]!;
      words[out + 3] = length === 0 ? 0 : isLong ? copied.to : given[at + 3]!;
    }
  }

  #copyValidity(
    c: number,
    source: Memory,
    column: Column,
    selection: Uint32Array,
    from: number,
    to: number,
    first: number,
    valid: number,
  ): void {
    const validity = this.#columns[c]!.validity || this.#makeValidity(c);
    const { u8 } = this.memory;
    fillBits(u8, validity, first, to - from, valid > 0);
    if (valid === 0 || valid === to - from) return;
    for (let i = from; i < to; i++) {
      if (isValid(source, column, selection[i]!)) continue;
      const row = first + i - from;
      u8[validity + (row >>> 3)]! &= ~(1 << (row & 7));
    }
  }

  #makeValidity(c: number): number {
    const size = this.capacity >>> 3;
    const validity = this.memory.alloc(size);
    this.memory.u8.fill(0xff, validity, validity + size);
    Atomics.store(this.memory.u32, this.#word + COLUMNS + 2 * c + 1, validity);
    this.refreshColumns();
    return validity;
  }

  /** Room for `length` bytes of a long string, in whole words. */
  #allocBytes(length: number): number {
    const size = (length + 3) & ~3;
    const words = this.memory.u32;
    const at = words[this.#word + CHUNK_AT]!;
    if (at !== 0 && at + size <= words[this.#word + CHUNK_END]!) {
      words[this.#word + CHUNK_AT] = at + size;
      return at;
    }
    const previous = words[this.#word + CHUNKS]!;
    const last = previous === 0 ? 0 : words[(previous >>> 2) + 1]!;
    const chunkSize = Math.max(size + 8, Math.min(CHUNK_MAX, Math.max(CHUNK_MIN, 2 * last)));
    const chunk = this.memory.alloc(chunkSize);
    const fresh = this.memory.u32;
    fresh[chunk >>> 2] = previous;
    fresh[(chunk >>> 2) + 1] = chunkSize;
    fresh[this.#word + CHUNKS] = chunk;
    fresh[this.#word + CHUNK_AT] = chunk + 8 + size;
    fresh[this.#word + CHUNK_END] = chunk + chunkSize;
    return chunk + 8;
  }
}
