/**
 * SegmentDirectory: the segments of a stored relation: slots, the scan list, the segment that rows are appended to.
 *
 * Correctness: a slot's address is stored before anything leads to it, and taken away only when no reader can hold it; the
 * scan list grows in place or is replaced whole, so a reader sees each row through exactly one list.
 * Cost: find O(1); create and free O(slots) at worst; replacing the list O(segments).
 */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { storageWidth } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import type { EpochControl } from './epoch-control.ts';
import * as layout from './relation-layout.ts';
import type { RelationSchema } from './relation-schema.ts';
import { RetiredBlocks } from './retired-blocks.ts';
import { SEGMENT_ROWS_MIN, Segment, type SegmentShape } from './segment.ts';
import { slotOf } from './version-index.ts';

const SLOT_CAPACITY_MIN = 8;
/** The slot above this is never used: its last row id marks deleted index entries. */
const SLOT_MAX = 65_534;
const LIST_CAPACITY_MIN = 8;

export class SegmentDirectory {
  readonly memory: Memory;
  readonly header: number;
  readonly shape: SegmentShape;
  readonly retired: RetiredBlocks;
  readonly #control: EpochControl;
  readonly #word: number;
  readonly #rowsMax: number;
  readonly #segments = new Map<number, Segment>();
  /** Segment of a row id. */
  readonly segmentOf = (id: number): Segment => this.segment(slotOf(id));

  /** `rowsMax`: of a segment that rows are appended to. */
  constructor(
    memory: Memory,
    header: number,
    shape: SegmentShape,
    control: EpochControl,
    rowsMax: number,
  ) {
    this.memory = memory;
    this.header = header;
    this.shape = shape;
    this.#control = control;
    this.#word = header >>> 2;
    this.#rowsMax = rowsMax;
    this.retired = new RetiredBlocks(memory, this.#word + layout.HEADER_RETIRED, (slot) => {
      this.free(slot);
    });
    const table = this.#get(layout.HEADER_SLOT_TABLE) >>> 2;
    for (let slot = 1; slot < this.#get(layout.HEADER_SLOT_CAPACITY); slot++) {
      const address = memory.u32[table + slot]!;
      if (address !== 0) this.#segments.set(slot, new Segment(memory, address, shape));
    }
  }

  /** Every segment, the retired ones too. */
  all(): Iterable<Segment> {
    return this.#segments.values();
  }

  /** Bytes of all segments' columns, hidden columns and `links` indexes' chains; strings in chunks are left out. */
  bytes(links: number): number {
    const { storages, hasWeights } = this.shape;
    const fixed = 8 + 8 * links + (hasWeights ? 4 : 0);
    const width = storages.reduce((sum, storage) => sum + storageWidth(storage), fixed);
    let bytes = layout.HEADER_BYTES;
    for (const segment of this.#segments.values()) bytes += segment.capacity * width;
    return bytes;
  }

  segment(slot: number): Segment {
    return must(this.#segments.get(slot), 'a row id without a segment');
  }

  /** The segments that scans read. */
  scanned(): Segment[] {
    return Array.from(layout.scanSlots(this.memory, this.header), (slot) => this.segment(slot));
  }

  /** Rows are still appended to it. */
  isActive(segment: Segment): boolean {
    return segment.slot === this.#get(layout.HEADER_ACTIVE_SLOT) && !segment.isFull;
  }

  /** The first one that scans read. */
  isOldest(segment: Segment): boolean {
    const words = this.memory.u32;
    const list = this.#get(layout.HEADER_SCAN_LIST) >>> 2;
    return words[list + 1]! > 0 && words[list + 2] === segment.slot;
  }

  /** A segment with room; a new one is sized by the rows that live now. */
  active(liveRows: number, indexes: readonly boolean[]): Segment {
    const active = this.#segments.get(this.#get(layout.HEADER_ACTIVE_SLOT));
    if (active !== undefined && !active.isFull) return active;
    let capacity = SEGMENT_ROWS_MIN;
    while (capacity < liveRows && capacity < this.#rowsMax) capacity *= 2;
    const segment = this.create(capacity, this.#control.published, indexes);
    this.memory.u32[this.#word + layout.HEADER_ACTIVE_SLOT] = segment.slot;
    this.#addToScanList(segment.slot);
    return segment;
  }

  /** No more rows go into the active segment. */
  seal(): void {
    this.memory.u32[this.#word + layout.HEADER_ACTIVE_SLOT] = 0;
  }

  /** A segment that is in no scan list yet. */
  create(capacity: number, base: number, indexes: readonly boolean[]): Segment {
    const slot = this.#freeSlot();
    const segment = Segment.create(this.memory, this.shape, slot, capacity, base, indexes);
    this.#segments.set(slot, segment);
    const table = this.#get(layout.HEADER_SLOT_TABLE) >>> 2;
    Atomics.store(this.memory.u32, table + slot, segment.address);
    return segment;
  }

  /** Puts `made` in the place of `gone`; the old ones are freed once no reader can see them. */
  swap(gone: readonly Segment[], made: Segment | null): void {
    const slots = new Set(gone.map((segment) => segment.slot));
    if (slots.has(this.#get(layout.HEADER_ACTIVE_SLOT))) this.seal();
    const kept = [...layout.scanSlots(this.memory, this.header)].filter((slot) => !slots.has(slot));
    this.#replaceScanList(made === null ? kept : [made.slot, ...kept]);
    for (const slot of slots) this.retired.retireSegment(slot, this.#control.published);
  }

  free(slot: number): void {
    this.segment(slot).free();
    this.#segments.delete(slot);
    const table = this.#get(layout.HEADER_SLOT_TABLE) >>> 2;
    Atomics.store(this.memory.u32, table + slot, 0);
  }

  /** Frees everything, the header too; no reader may be left. */
  destroy(): void {
    const { memory } = this;
    this.retired.freeBelow(Number.POSITIVE_INFINITY);
    for (const slot of [...this.#segments.keys()]) this.free(slot);
    const list = this.#get(layout.HEADER_SCAN_LIST);
    memory.free(list, listBytes(memory.u32[list >>> 2]!));
    memory.free(this.#get(layout.HEADER_SLOT_TABLE), 4 * this.#get(layout.HEADER_SLOT_CAPACITY));
    memory.free(this.header, layout.HEADER_BYTES);
  }

  #freeSlot(): number {
    const table = this.#get(layout.HEADER_SLOT_TABLE);
    const capacity = this.#get(layout.HEADER_SLOT_CAPACITY);
    for (let slot = 1; slot < capacity; slot++) {
      if (this.memory.u32[(table >>> 2) + slot] === 0) return slot;
    }
    if (capacity > SLOT_MAX) throw new SqlError('54000', 'a relation is too large');
    const larger = this.memory.allocZeroed(8 * capacity);
    const words = this.memory.u32;
    words.copyWithin(larger >>> 2, table >>> 2, (table >>> 2) + capacity);
    words[this.#word + layout.HEADER_SLOT_CAPACITY] = Math.min(2 * capacity, SLOT_MAX + 1);
    Atomics.store(words, this.#word + layout.HEADER_SLOT_TABLE, larger);
    this.retired.retireBlock(table, 4 * capacity, this.#control.published);
    return capacity;
  }

  #addToScanList(slot: number): void {
    const words = this.memory.u32;
    const list = this.#get(layout.HEADER_SCAN_LIST) >>> 2;
    const count = words[list + 1]!;
    if (count === words[list]) {
      this.#replaceScanList([...layout.scanSlots(this.memory, this.header), slot]);
      return;
    }
    words[list + 2 + count] = slot;
    Atomics.store(words, list + 1, count + 1);
  }

  #replaceScanList(slots: readonly number[]): void {
    const old = this.#get(layout.HEADER_SCAN_LIST);
    const capacity = Math.max(LIST_CAPACITY_MIN, 2 * slots.length);
    const list = this.memory.alloc(listBytes(capacity));
    const words = this.memory.u32;
    words[list >>> 2] = capacity;
    words[(list >>> 2) + 1] = slots.length;
    words.set(slots, (list >>> 2) + 2);
    Atomics.store(words, this.#word + layout.HEADER_SCAN_LIST, list);
    this.retired.retireBlock(old, listBytes(words[old >>> 2]!), this.#control.published);
  }

  #get(word: number): number {
    return this.memory.u32[this.#word + word]!;
  }
}

/** Makes the header of an empty relation; returns its address. */
export function createHeader(memory: Memory, schema: RelationSchema): number {
  const header = memory.allocZeroed(layout.HEADER_BYTES);
  const slots = memory.allocZeroed(4 * SLOT_CAPACITY_MIN);
  const list = memory.allocZeroed(listBytes(LIST_CAPACITY_MIN));
  const words = memory.u32;
  words[list >>> 2] = LIST_CAPACITY_MIN;
  const word = header >>> 2;
  words[word + layout.HEADER_MAGIC] = layout.MAGIC;
  words[word + layout.HEADER_COLUMNS] = schema.storages.length;
  words[word + layout.HEADER_SLOT_TABLE] = slots;
  words[word + layout.HEADER_SLOT_CAPACITY] = SLOT_CAPACITY_MIN;
  words[word + layout.HEADER_SCAN_LIST] = list;
  return header;
}

function listBytes(capacity: number): number {
  return 8 + 4 * capacity;
}
