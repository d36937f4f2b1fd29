/**
 * StoredRelation: the contents of a table or materialized view as versioned column segments (the writer's side).
 *
 * State: segments found through a slot table, a scan list, and hash indexes over all versions (version-index.ts); all of it
 * in `memory`, so that a checkpoint of the memory is a checkpoint of the relation. Inside an epoch deltas may come in any
 * order: a retraction whose row is not there yet waits (in a segment of its own) until `publish`, where it must be found.
 * A bag keeps equal rows as one row with a weight; a change of the weight is a new version.
 * Correctness: rows are never reused in place; readers see only stamps of published epochs.
 * Cost: insert and retract O(columns) a row, publish O(segments touched), compact one bounded step.
 */

import { assert, must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import {
  type CompactionHost,
  compactSegments,
  SEGMENT_AGE_MAX,
  survivorsIfWorn,
} from './compaction.ts';
import type { EpochControl } from './epoch-control.ts';
import * as layout from './relation-layout.ts';
import type { IndexSchema, RelationSchema } from './relation-schema.ts';
import { RetiredBlocks } from './retired-blocks.ts';
import { equalRows, hashRows } from './row-identity.ts';
import type { SegmentShape } from './segment.ts';
import { INDEXES_MAX, SEGMENT_ROWS_MAX, SEGMENT_ROWS_MIN, Segment } from './segment.ts';
import { offsetOf, rowId, slotOf, VersionIndex } from './version-index.ts';

const SLOT_CAPACITY_MIN = 8;
/** The slot above this is never used: its last row id marks deleted index entries. */
const SLOT_MAX = 65_534;
const LIST_CAPACITY_MIN = 8;
const SCRATCH_ROWS = 1024;
const AGE_CHECK_EPOCHS = 2 ** 24;

export class StoredRelation {
  readonly memory: Memory;
  /** Where readers find the relation; it stays for life. */
  readonly headerAddress: number;
  readonly #control: EpochControl;
  readonly #shape: SegmentShape;
  readonly #word: number;
  readonly #retired: RetiredBlocks;
  readonly #segments = new Map<number, Segment>();
  readonly #indexes: (VersionIndex | null)[] = [];
  readonly #touched = new Set<Segment>();
  readonly #worn = new Set<number>();
  readonly #hashes = new Uint32Array(SEGMENT_ROWS_MAX);
  readonly #retractHashes = new Uint32Array(SCRATCH_ROWS);
  readonly #picked = new Uint32Array(SCRATCH_ROWS);
  readonly #segmentOf = (id: number): Segment => this.#segment(slotOf(id));
  #schema: RelationSchema;
  #pending: Segment | null = null;
  #pendingSlots: Segment[] = [];
  #epoch = 0;
  #ageCheckedAt = 0;
  #excess = 0;
  #changedRows = 0;

  private constructor(
    memory: Memory,
    header: number,
    schema: RelationSchema,
    control: EpochControl,
  ) {
    this.memory = memory;
    this.headerAddress = header;
    this.#word = header >>> 2;
    this.#schema = schema;
    this.#shape = layout.shapeOf(schema);
    this.#control = control;
    this.#retired = new RetiredBlocks(memory, this.#word + layout.HEADER_RETIRED, (slot) => {
      this.#freeSegment(slot);
    });
  }

  /** Opens the relation at the u32 root cell `cell`, or makes an empty one where it holds 0. */
  static open(
    memory: Memory,
    cell: number,
    schema: RelationSchema,
    control: EpochControl,
  ): StoredRelation {
    assert(schema.indexes.length < INDEXES_MAX, 'a relation has too many indexes');
    const found = memory.u32[cell >>> 2]!;
    const header = found === 0 ? createHeader(memory, schema) : found;
    memory.u32[cell >>> 2] = header;
    const words = memory.u32;
    assert(words[(header >>> 2) + layout.HEADER_MAGIC] === layout.MAGIC, 'not a stored relation');
    const columns = words[(header >>> 2) + layout.HEADER_COLUMNS];
    assert(columns === schema.storages.length, 'a stored relation has other columns');
    const relation = new StoredRelation(memory, header, schema, control);
    relation.#openParts();
    return relation;
  }

  get schema(): RelationSchema {
    return this.#schema;
  }

  /** Rows now, equal ones counted each, with the changes of the open epoch. */
  get rowCount(): number {
    return this.memory.f64[(this.#word + layout.HEADER_LIVE_ROWS) >>> 1]!;
  }

  /** Rows that came or went since the last publish. */
  get changedRows(): number {
    return this.#changedRows;
  }

  /** Estimate of the bytes held: columns, hidden columns and indexes. */
  get bytes(): number {
    let bytes = layout.HEADER_BYTES;
    const width = this.#shape.storages.reduce((sum, storage) => sum + WIDTHS[storage], 8);
    const links = this.#indexes.filter((index) => index !== null).length * 8;
    for (const segment of this.#segments.values()) bytes += segment.capacity * (width + links);
    for (const index of this.#indexes) bytes += index?.bytes ?? 0;
    return bytes;
  }

  /** Opens `epoch`: the changes up to `publish` belong to it. */
  begin(epoch: number): void {
    assert(epoch > this.#control.published, `epoch ${epoch} was published already`);
    assert(this.#changedRows === 0 || epoch === this.#epoch, 'an epoch is still open');
    this.#epoch = epoch;
    if (epoch - this.#ageCheckedAt > AGE_CHECK_EPOCHS) this.#noteAge(epoch);
  }

  /** Takes a delta with the weights as they are, in any order inside the epoch. */
  apply(batch: DeltaBatch): void {
    this.#change(batch, 1);
  }

  /** Inserts: the same as `apply`. */
  insert(batch: DeltaBatch): void {
    this.#change(batch, 1);
  }

  /** Retracts the rows of `batch`: `apply` with negated weights. */
  retract(batch: DeltaBatch): void {
    this.#change(batch, -1);
  }

  /** Retracts every row (TRUNCATE). */
  clear(): void {
    this.#settlePending();
    for (const slot of this.#scanSlots()) {
      const segment = this.#segment(slot);
      for (let row = 0; row < segment.writtenRows; row++) {
        if (segment.isLive(row)) this.#retractRow(segment, row);
      }
    }
    this.#excess = 0;
  }

  /** Closes the epoch for this relation. Afterwards the caller publishes it in the EpochControl. */
  publish(epoch: number): void {
    assert(epoch === this.#epoch || this.#changedRows === 0, 'another epoch is open');
    this.#settlePending();
    assert(this.#excess === 0, 'two rows of a relation have the same key');
    for (const segment of this.#touched) segment.publish();
    this.#touched.clear();
    this.#changedRows = 0;
  }

  /** After the epoch was published: frees what no reader sees any more and rewrites worn segments, one step. */
  compact(): void {
    assert(this.#changedRows === 0, 'compaction inside an epoch');
    const limit = this.#control.collect();
    this.#retired.freeBelow(limit);
    if (this.#worn.size === 0) return;
    const worn: Segment[] = [];
    let survivors = 0;
    for (const slot of this.#worn) {
      const segment = this.#segment(slot);
      const left = survivorsIfWorn(segment, limit);
      if (left === null || survivors + left > SEGMENT_ROWS_MAX) continue;
      survivors += left;
      worn.push(segment);
      this.#worn.delete(slot);
      if (survivors > SEGMENT_ROWS_MAX / 2 || worn.length >= 8) break;
    }
    if (worn.length > 0) compactSegments(this.#compactionHost(), worn, survivors, limit);
  }

  /** Adds a secondary index over all rows; readers find it as soon as they are told. */
  addIndex(index: IndexSchema): void {
    const number = this.#schema.indexes.length + 1;
    if (number >= INDEXES_MAX) {
      throw new SqlError('54011', `a relation can have at most ${INDEXES_MAX - 1} indexes`);
    }
    this.#schema = { ...this.#schema, indexes: [...this.#schema.indexes, index] };
    for (const segment of this.#segments.values()) segment.addLinks(number);
    const versions = this.#openIndex(number);
    this.#indexes[number] = versions;
    for (const slot of this.#scanSlots()) this.#indexSegment(this.#segment(slot), number);
  }

  /** Drops secondary index `position`; the others keep their numbers, so its place stays empty (columns []). */
  dropIndex(position: number): void {
    const number = position + 1;
    must(this.#indexes[number], 'no such index').drop();
    this.#indexes[number] = null;
    const indexes = this.#schema.indexes.with(position, { name: '', columns: [], isUnique: false });
    this.#schema = { ...this.#schema, indexes };
  }

  /** Frees everything; no reader may be left. */
  destroy(): void {
    this.#retired.freeBelow(Number.POSITIVE_INFINITY);
    for (const index of this.#indexes) index?.drop();
    this.#retired.freeBelow(Number.POSITIVE_INFINITY);
    for (const segment of this.#pendingSlots) segment.free();
    for (const slot of [...this.#scanSlots()]) this.#freeSegment(slot);
    const { memory } = this;
    const list = this.#get(layout.HEADER_SCAN_LIST);
    memory.free(list, 8 + 4 * memory.u32[list >>> 2]!);
    memory.free(this.#get(layout.HEADER_SLOT_TABLE), 4 * this.#get(layout.HEADER_SLOT_CAPACITY));
    memory.free(this.headerAddress, layout.HEADER_BYTES);
  }

  // ---- opening ----

  #openParts(): void {
    const table = this.#get(layout.HEADER_SLOT_TABLE) >>> 2;
    const capacity = this.#get(layout.HEADER_SLOT_CAPACITY);
    for (let slot = 1; slot < capacity; slot++) {
      const address = this.memory.u32[table + slot]!;
      if (address !== 0) this.#segments.set(slot, new Segment(this.memory, address, this.#shape));
    }
    for (let index = 0; index <= this.#schema.indexes.length; index++) {
      const columns = layout.indexColumns(this.#schema, index);
      const isThere = columns !== null && (index === 0 || columns.length > 0);
      this.#indexes.push(isThere ? this.#openIndex(index) : null);
    }
    for (const slot of this.#scanSlots()) this.#noteWear(this.#segment(slot));
  }

  #openIndex(index: number): VersionIndex {
    const root = this.#word + layout.HEADER_INDEXES + index;
    return new VersionIndex(this.memory, root, index, this.#segmentOf, (address, size) => {
      this.#retired.retireBlock(address, size, this.#control.published);
    });
  }

  #indexSegment(segment: Segment, number: number): void {
    const rows = segment.writtenRows;
    const columns = this.#indexColumnsOf(segment, number);
    hashRows(this.memory, columns, 0, rows, this.#hashes);
    for (let row = 0; row < rows; row++) {
      this.#linkRow(segment, row, number, columns, this.#hashes[row]!);
    }
  }

  // ---- deltas ----

  #change(batch: DeltaBatch, sign: 1 | -1): void {
    assert(this.#epoch > this.#control.published, 'no epoch is open');
    assert(batch.rowCount <= SCRATCH_ROWS, 'a batch is too long');
    const positive = this.#select(batch, sign, true);
    if (positive > 0) this.#insertRows(batch, positive);
    const negative = this.#select(batch, sign, false);
    if (negative > 0) this.#retractRows(batch, negative, sign);
  }

  /** Puts the rows of one sign into #picked, a row of weight w (of a keyed or append-only relation) once. */
  #select(batch: DeltaBatch, sign: 1 | -1, isPositive: boolean): number {
    let count = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      const weight = sign * weightOf(batch, row);
      if (isPositive ? weight > 0 : weight < 0) this.#picked[count++] = row;
    }
    return count;
  }

  #insertRows(batch: DeltaBatch, count: number): void {
    this.#insertSelected(batch, this.#picked, count);
    if (this.#shape.hasWeights || batch.weights === 0) return;
    for (let i = 0; i < count; i++) {
      const extra = Math.abs(weightOf(batch, this.#picked[i]!)) - 1;
      const single = Uint32Array.of(this.#picked[i]!);
      for (let k = 0; k < extra; k++) this.#insertSelected(batch, single, 1);
    }
  }

  #insertSelected(batch: DeltaBatch, selection: Uint32Array, count: number): void {
    for (let from = 0; from < count; ) {
      const segment = this.#activeSegment();
      const to = Math.min(count, from + segment.capacity - segment.writtenRows);
      const first = segment.append(batch.memory, batch.columns, selection, from, to, this.#epoch);
      this.#touched.add(segment);
      this.#changedRows += to - from;
      if (this.#shape.hasWeights) this.#setWeights(batch, selection, from, to, segment, first);
      else this.#addLiveRows(to - from);
      this.#linkRows(segment, first, to - from);
      from = to;
    }
  }

  #setWeights(
    batch: DeltaBatch,
    selection: Uint32Array,
    from: number,
    to: number,
    segment: Segment,
    first: number,
  ): void {
    let sum = 0;
    for (let i = from; i < to; i++) {
      const weight = Math.abs(weightOf(batch, selection[i]!));
      segment.setWeight(first + i - from, weight);
      sum += weight;
    }
    this.#addLiveRows(sum);
  }

  #linkRows(segment: Segment, first: number, count: number): void {
    this.#indexes.forEach((index, number) => {
      if (index === null) return;
      const columns = this.#indexColumnsOf(segment, number);
      hashRows(this.memory, columns, first, count, this.#hashes);
      for (let i = 0; i < count; i++) {
        const head = this.#linkRow(segment, first + i, number, columns, this.#hashes[i]!);
        if (number === 0 && head !== 0) this.#meetOlder(segment, first + i, head);
      }
    });
    if (segment.isFull) this.#noteWear(segment);
  }

  /** Links a row as the newest of its chain; returns the head that it followed. */
  #linkRow(
    segment: Segment,
    row: number,
    number: number,
    columns: readonly Column[],
    hash: number,
  ): number {
    const index = must(this.#indexes[number]);
    const head = this.#findChain(number, hash, this.memory, columns, row);
    index.link(hash, rowId(segment.slot, row), head);
    return head;
  }

  /** A row came whose chain had `head`: for a bag the weights join, for a key one of them must go in this epoch. */
  #meetOlder(segment: Segment, row: number, head: number): void {
    const older = this.#segmentOf(head);
    const olderRow = offsetOf(head);
    if (!this.#shape.hasWeights) {
      if (this.#hasLiveBehind(segment, row)) this.#excess += 1;
      return;
    }
    if (!older.isLive(olderRow)) return;
    segment.setWeight(row, segment.weight(row) + older.weight(olderRow));
    older.retract(olderRow, this.#epoch);
    this.#noteWear(older);
  }

  #hasLiveBehind(segment: Segment, row: number): boolean {
    let id = segment.older(0, row);
    while (id !== 0) {
      const older = this.#segmentOf(id);
      if (older.isLive(offsetOf(id))) return true;
      if (this.#excess === 0) return false;
      id = older.older(0, offsetOf(id));
    }
    return false;
  }

  #retractRows(batch: DeltaBatch, count: number, sign: 1 | -1): void {
    assert(
      !this.#schema.isAppendOnly || this.#schema.key !== null,
      'an append-only relation retracts',
    );
    const identity = must(layout.indexColumns(this.#schema, 0));
    const columns = layout.pickColumns(batch.columns, identity);
    hashRows(batch.memory, columns, 0, batch.rowCount, this.#retractHashes);
    this.#changedRows += count;
    for (let i = 0; i < count; i++) {
      const row = this.#picked[i]!;
      const weight = -sign * weightOf(batch, row);
      const missing = this.#retractOne(batch, columns, row, this.#retractHashes[row]!, weight);
      if (missing > 0) this.#postpone(batch, row, missing);
    }
  }

  /** Retracts up to `weight` copies of a row; returns how many were not there. */
  #retractOne(
    source: { readonly memory: Memory; readonly columns: readonly Column[] },
    keyColumns: readonly Column[],
    row: number,
    hash: number,
    weight: number,
  ): number {
    let id = this.#findChain(0, hash, source.memory, keyColumns, row);
    while (id !== 0 && weight > 0) {
      const segment = this.#segmentOf(id);
      const offset = offsetOf(id);
      const next = segment.older(0, offset);
      const isSame =
        segment.isLive(offset) &&
        equalRows(source.memory, source.columns, row, this.memory, segment.columns, offset);
      if (isSame && this.#shape.hasWeights) return this.#takeCopies(segment, offset, weight);
      if (isSame) {
        this.#retractRow(segment, offset);
        weight -= 1;
        if (this.#excess > 0 && this.#hasLiveInChain(id)) this.#excess -= 1;
      }
      id = next;
    }
    return weight;
  }

  #hasLiveInChain(id: number): boolean {
    for (let at = id; at !== 0; at = this.#segmentOf(at).newer(0, offsetOf(at))) {
      if (this.#segmentOf(at).isLive(offsetOf(at))) return true;
    }
    return this.#hasLiveBehind(this.#segmentOf(id), offsetOf(id));
  }

  /** Takes up to `weight` copies from a bag's row; what is left is a new version. Returns how many were missing. */
  #takeCopies(segment: Segment, row: number, weight: number): number {
    const held = segment.weight(row);
    const left = held - weight;
    this.#addLiveRows(-Math.min(held, weight));
    if (left > 0 && segment.insertedAt(row) === this.#epoch) {
      segment.setWeight(row, left);
      return 0;
    }
    segment.retract(row, this.#epoch);
    this.#noteWear(segment);
    if (left > 0) this.#appendVersion(segment, row, left);
    return Math.max(0, -left);
  }

  #appendVersion(from: Segment, row: number, weight: number): void {
    const segment = this.#activeSegment();
    const first = segment.append(this.memory, from.columns, Uint32Array.of(row), 0, 1, this.#epoch);
    segment.setWeight(first, weight);
    this.#touched.add(segment);
    this.#linkRows(segment, first, 1);
  }

  #retractRow(segment: Segment, row: number): void {
    this.#addLiveRows(-segment.weight(row));
    segment.retract(row, this.#epoch);
    this.#changedRows += 1;
    this.#noteWear(segment);
  }

  /** Keeps a retraction whose row is not there yet. */
  #postpone(batch: DeltaBatch, row: number, weight: number): void {
    for (let k = 0; k < weight; k++) {
      if (this.#pending === null || this.#pending.isFull) {
        const capacity = this.#pending === null ? SEGMENT_ROWS_MIN : SEGMENT_ROWS_MAX;
        this.#pending = Segment.create(this.memory, this.#shape, 0, capacity, 0, []);
        this.#pendingSlots.push(this.#pending);
      }
      this.#pending.append(batch.memory, batch.columns, Uint32Array.of(row), 0, 1, 0);
    }
  }

  #settlePending(): void {
    const segments = this.#pendingSlots;
    this.#pendingSlots = [];
    this.#pending = null;
    for (const segment of segments) {
      const columns = this.#indexColumnsOf(segment, 0);
      const hashes = new Uint32Array(segment.writtenRows);
      hashRows(this.memory, columns, 0, segment.writtenRows, hashes);
      for (let row = 0; row < segment.writtenRows; row++) {
        const missing = this.#retractOne(segment, columns, row, hashes[row]!, 1);
        assert(missing === 0, 'a retraction of a row that is not there');
      }
      segment.free();
    }
  }

  #findChain(
    number: number,
    hash: number,
    memory: Memory,
    columns: readonly Column[],
    row: number,
  ): number {
    const picked = must(layout.indexColumns(this.#schema, number));
    return must(this.#indexes[number]).find(hash, (id) => {
      const found = layout.pickColumns(this.#segmentOf(id).columns, picked);
      return equalRows(memory, columns, row, this.memory, found, offsetOf(id));
    });
  }

  // ---- segments ----

  #segment(slot: number): Segment {
    return must(this.#segments.get(slot), 'a row id without a segment');
  }

  #indexColumnsOf(segment: Segment, number: number): Column[] {
    const picked = must(layout.indexColumns(this.#schema, number));
    return layout.pickColumns(segment.columns, picked);
  }

  #activeSegment(): Segment {
    const active = this.#segments.get(this.#get(layout.HEADER_ACTIVE_SLOT));
    if (active !== undefined && !active.isFull) return active;
    let capacity = SEGMENT_ROWS_MIN;
    while (capacity < this.rowCount && capacity < SEGMENT_ROWS_MAX) capacity *= 2;
    const segment = this.#createSegment(capacity, this.#control.published);
    this.memory.u32[this.#word + layout.HEADER_ACTIVE_SLOT] = segment.slot;
    this.#addToScanList(segment.slot);
    return segment;
  }

  #createSegment(capacity: number, base: number): Segment {
    const slot = this.#freeSlot();
    const indexed = this.#indexes.map((index) => index !== null);
    const segment = Segment.create(this.memory, this.#shape, slot, capacity, base, indexed);
    this.#segments.set(slot, segment);
    const table = this.#get(layout.HEADER_SLOT_TABLE) >>> 2;
    Atomics.store(this.memory.u32, table + slot, segment.address);
    return segment;
  }

  #freeSlot(): number {
    const table = this.#get(layout.HEADER_SLOT_TABLE);
    const capacity = this.#get(layout.HEADER_SLOT_CAPACITY);
    for (let slot = 1; slot < capacity; slot++) {
      if (this.memory.u32[(table >>> 2) + slot] === 0) return slot;
    }
    if (capacity > SLOT_MAX) throw new SqlError('54000', 'a relation is too large');
    const larger = this.memory.alloc(8 * capacity);
    const words = this.memory.u32;
    words.fill(0, larger >>> 2, (larger >>> 2) + 2 * capacity);
    words.copyWithin(larger >>> 2, table >>> 2, (table >>> 2) + capacity);
    words[this.#word + layout.HEADER_SLOT_CAPACITY] = Math.min(2 * capacity, SLOT_MAX + 1);
    Atomics.store(words, this.#word + layout.HEADER_SLOT_TABLE, larger);
    this.#retired.retireBlock(table, 4 * capacity, this.#control.published);
    return capacity;
  }

  #freeSegment(slot: number): void {
    this.#segment(slot).free();
    this.#segments.delete(slot);
    const table = this.#get(layout.HEADER_SLOT_TABLE) >>> 2;
    Atomics.store(this.memory.u32, table + slot, 0);
  }

  #scanSlots(): Uint32Array {
    return layout.scanSlots(this.memory, this.headerAddress);
  }

  #addToScanList(slot: number): void {
    const words = this.memory.u32;
    const list = this.#get(layout.HEADER_SCAN_LIST) >>> 2;
    const count = words[list + 1]!;
    if (count === words[list]) {
      this.#replaceScanList([...this.#scanSlots(), slot]);
      return;
    }
    words[list + 2 + count] = slot;
    Atomics.store(words, list + 1, count + 1);
  }

  #replaceScanList(slots: readonly number[]): void {
    const old = this.#get(layout.HEADER_SCAN_LIST);
    const capacity = Math.max(LIST_CAPACITY_MIN, 2 * slots.length);
    const list = this.memory.alloc(8 + 4 * capacity);
    const words = this.memory.u32;
    words[list >>> 2] = capacity;
    words[(list >>> 2) + 1] = slots.length;
    words.set(slots, (list >>> 2) + 2);
    Atomics.store(words, this.#word + layout.HEADER_SCAN_LIST, list);
    this.#retired.retireBlock(old, 8 + 4 * words[old >>> 2]!, this.#control.published);
  }

  #compactionHost(): CompactionHost {
    return {
      memory: this.memory,
      indexCount: this.#indexes.length,
      index: (number) => this.#indexes[number] ?? null,
      indexColumnsOf: (segment, number) => this.#indexColumnsOf(segment, number),
      createSegment: (capacity, base) => this.#createSegment(capacity, base),
      swap: (gone, made) => this.#swapSegments(gone, made),
    };
  }

  /** Takes `gone` out of the scan list and puts `made` in; the old ones are freed once no reader can see them. */
  #swapSegments(gone: readonly Segment[], made: Segment | null): void {
    const slots = new Set(gone.map((segment) => segment.slot));
    const kept = [...this.#scanSlots()].filter((slot) => !slots.has(slot));
    if (made !== null) {
      made.publish();
      kept.unshift(made.slot);
    }
    this.#replaceScanList(kept);
    for (const slot of slots) this.#retired.retireSegment(slot, this.#control.published);
  }

  /** Notes a full segment that is mostly retracted. */
  #noteWear(segment: Segment): void {
    const isActive = segment.slot === this.#get(layout.HEADER_ACTIVE_SLOT) && !segment.isFull;
    if (!isActive && segment.retractedRows * 2 >= segment.writtenRows) this.#worn.add(segment.slot);
  }

  /** Stamps are relative to a segment's base: old segments are rewritten long before they run out. */
  #noteAge(epoch: number): void {
    this.#ageCheckedAt = epoch;
    for (const slot of this.#scanSlots()) {
      const segment = this.#segment(slot);
      if (epoch - segment.base < SEGMENT_AGE_MAX) continue;
      if (slot === this.#get(layout.HEADER_ACTIVE_SLOT)) {
        this.memory.u32[this.#word + layout.HEADER_ACTIVE_SLOT] = 0;
      }
      this.#worn.add(slot);
    }
  }

  #addLiveRows(count: number): void {
    this.memory.f64[(this.#word + layout.HEADER_LIVE_ROWS) >>> 1]! += count;
  }

  #get(word: number): number {
    return this.memory.u32[this.#word + word]!;
  }
}

const WIDTHS = { u8: 1, i32: 4, i64: 8, f64: 8, view: 16 } as const;

function weightOf(batch: DeltaBatch, row: number): number {
  return batch.weights === 0 ? 1 : batch.memory.i32[(batch.weights >>> 2) + row]!;
}

function createHeader(memory: Memory, schema: RelationSchema): number {
  const header = memory.alloc(layout.HEADER_BYTES);
  const slots = memory.alloc(4 * SLOT_CAPACITY_MIN);
  const list = memory.alloc(8 + 4 * LIST_CAPACITY_MIN);
  const words = memory.u32;
  words.fill(0, header >>> 2, (header + layout.HEADER_BYTES) >>> 2);
  words.fill(0, slots >>> 2, (slots >>> 2) + SLOT_CAPACITY_MIN);
  words[list >>> 2] = LIST_CAPACITY_MIN;
  words[(list >>> 2) + 1] = 0;
  const word = header >>> 2;
  words[word + layout.HEADER_MAGIC] = layout.MAGIC;
  words[word + layout.HEADER_COLUMNS] = schema.storages.length;
  words[word + layout.HEADER_SLOT_TABLE] = slots;
  words[word + layout.HEADER_SLOT_CAPACITY] = SLOT_CAPACITY_MIN;
  words[word + layout.HEADER_SCAN_LIST] = list;
  return header;
}
