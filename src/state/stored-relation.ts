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
import { weightOf } from '../batch/concat.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import { type CompactionHost, compactSegments } from './compaction.ts';
import type { EpochControl } from './epoch-control.ts';
import { PendingRows } from './pending-rows.ts';
import * as layout from './relation-layout.ts';
import type { IndexSchema, RelationSchema } from './relation-schema.ts';
import { equalRows, hashRows } from './row-identity.ts';
import type { SegmentShape } from './segment.ts';
import { INDEXES_MAX, SEGMENT_ROWS_MAX, type Segment } from './segment.ts';
import { createHeader, SegmentDirectory } from './segment-directory.ts';
import { SegmentWear } from './segment-wear.ts';
import { offsetOf, rowId, VersionIndex } from './version-index.ts';

const SCRATCH_ROWS = 1024;

export class StoredRelation {
  readonly memory: Memory;
  /** Where readers find the relation; it stays for life. */
  readonly headerAddress: number;
  readonly #control: EpochControl;
  readonly #shape: SegmentShape;
  readonly #word: number;
  readonly #directory: SegmentDirectory;
  readonly #wear: SegmentWear;
  readonly #pending: PendingRows;
  readonly #indexes: (VersionIndex | null)[] = [];
  readonly #touched = new Set<Segment>();
  readonly #hashes = new Uint32Array(SEGMENT_ROWS_MAX);
  readonly #retractHashes = new Uint32Array(SCRATCH_ROWS);
  readonly #picked = new Uint32Array(SCRATCH_ROWS);
  #schema: RelationSchema;
  #epoch = 0;
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
    this.#pending = new PendingRows(memory, this.#shape);
    const rowsMax = schema.segmentRowsMax ?? SEGMENT_ROWS_MAX;
    this.#directory = new SegmentDirectory(memory, header, this.#shape, control, rowsMax);
    this.#wear = new SegmentWear(this.#directory);
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
    const links = this.#indexes.filter((index) => index !== null).length;
    return this.#indexes.reduce(
      (sum, index) => sum + (index?.bytes ?? 0),
      this.#directory.bytes(links),
    );
  }

  /** Opens `epoch`: the changes up to `publish` belong to it. */
  begin(epoch: number): void {
    assert(epoch > this.#control.published, `epoch ${epoch} was published already`);
    assert(this.#changedRows === 0 || epoch === this.#epoch, 'an epoch is still open');
    this.#epoch = epoch;
    this.#wear.begin(epoch);
  }

  /** Takes a delta with the weights as they are, in any order inside the epoch. */
  apply(batch: DeltaBatch): void {
    this.#change(batch, 1);
  }

  /** Retracts the rows of `batch`: `apply` with negated weights. */
  retract(batch: DeltaBatch): void {
    this.#change(batch, -1);
  }

  /** Retracts the rows of a keyed relation that have these keys (columns in the key's order); how many there were. */
  retractKeys(keys: DeltaBatch): number {
    assert(this.#schema.key !== null, 'a bag has no keys');
    assert(keys.rowCount <= SCRATCH_ROWS, 'a batch is too long');
    assert(this.#excess === 0, 'rows go by their keys, of which some are there twice');
    hashRows(keys.memory, keys.columns, 0, keys.rowCount, this.#retractHashes);
    let count = 0;
    for (let row = 0; row < keys.rowCount; row++) {
      let id = this.#findChain(0, this.#retractHashes[row]!, keys.memory, keys.columns, row);
      while (id !== 0 && !this.#directory.segmentOf(id).isLive(offsetOf(id))) {
        id = this.#directory.segmentOf(id).older(0, offsetOf(id));
      }
      if (id === 0) continue;
      this.#retractRow(this.#directory.segmentOf(id), offsetOf(id));
      count += 1;
    }
    return count;
  }

  /** Retracts every row (TRUNCATE). */
  clear(): void {
    this.#settlePending();
    for (const segment of this.#directory.scanned()) {
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

  /** There is memory to be freed or a segment to be rewritten, now or once its readers are gone. O(1). */
  get canCompact(): boolean {
    return !this.#wear.isEmpty || !this.#directory.retired.isEmpty;
  }

  /** After the epoch was published: frees what no reader sees any more and rewrites worn segments, one step. */
  compact(): void {
    assert(this.#changedRows === 0, 'compaction inside an epoch');
    const limit = this.#control.collect();
    this.#directory.retired.freeBelow(limit);
    const { worn, survivors } = this.#wear.take(limit);
    if (worn.length > 0) compactSegments(this.#compactionHost(), worn, survivors, limit);
  }

  /** Adds a secondary index over all rows; readers find it as soon as they are told. */
  addIndex(index: IndexSchema): void {
    const number = this.#schema.indexes.length + 1;
    if (number >= INDEXES_MAX) {
      throw new SqlError('54011', `a relation can have at most ${INDEXES_MAX - 1} indexes`);
    }
    this.#schema = { ...this.#schema, indexes: [...this.#schema.indexes, index] };
    for (const segment of this.#directory.all()) segment.addLinks(number);
    const versions = this.#openIndex(number);
    this.#indexes[number] = versions;
    for (const segment of this.#directory.scanned()) this.#indexSegment(segment, number);
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
    for (const index of this.#indexes) index?.drop();
    this.#pending.drain(() => undefined);
    this.#directory.destroy();
  }

  #openParts(): void {
    for (let index = 0; index <= this.#schema.indexes.length; index++) {
      const columns = layout.indexColumns(this.#schema, index);
      const isThere = columns !== null && (index === 0 || columns.length > 0);
      this.#indexes.push(isThere ? this.#openIndex(index) : null);
    }
    for (const segment of this.#directory.scanned()) this.#wear.note(segment);
  }

  #openIndex(index: number): VersionIndex {
    const root = this.#word + layout.HEADER_INDEXES + index;
    return new VersionIndex(
      this.memory,
      root,
      index,
      this.#directory.segmentOf,
      (address, size) => {
        this.#directory.retired.retireBlock(address, size, this.#control.published);
      },
    );
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
      const segment = this.#directory.active(this.rowCount, this.#indexed());
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
    if (segment.isFull) this.#wear.note(segment);
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
    const older = this.#directory.segmentOf(head);
    const olderRow = offsetOf(head);
    if (!this.#shape.hasWeights) {
      if (this.#hasLiveBehind(segment, row)) this.#excess += 1;
      return;
    }
    if (!older.isLive(olderRow)) return;
    segment.setWeight(row, segment.weight(row) + older.weight(olderRow));
    older.retract(olderRow, this.#epoch);
    this.#wear.note(older);
  }

  #hasLiveBehind(segment: Segment, row: number): boolean {
    let id = segment.older(0, row);
    while (id !== 0) {
      const older = this.#directory.segmentOf(id);
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
      if (missing > 0) this.#pending.add(batch, row, missing);
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
      const segment = this.#directory.segmentOf(id);
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
    for (let at = id; at !== 0; at = this.#directory.segmentOf(at).newer(0, offsetOf(at))) {
      if (this.#directory.segmentOf(at).isLive(offsetOf(at))) return true;
    }
    return this.#hasLiveBehind(this.#directory.segmentOf(id), offsetOf(id));
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
    this.#wear.note(segment);
    if (left > 0) this.#appendVersion(segment, row, left);
    return Math.max(0, -left);
  }

  #appendVersion(from: Segment, row: number, weight: number): void {
    const segment = this.#directory.active(this.rowCount, this.#indexed());
    const first = segment.append(this.memory, from.columns, Uint32Array.of(row), 0, 1, this.#epoch);
    segment.setWeight(first, weight);
    this.#touched.add(segment);
    this.#linkRows(segment, first, 1);
  }

  #retractRow(segment: Segment, row: number): void {
    this.#addLiveRows(-segment.weight(row));
    segment.retract(row, this.#epoch);
    this.#changedRows += 1;
    this.#wear.note(segment);
  }

  #settlePending(): void {
    this.#pending.drain((segment) => {
      const columns = this.#indexColumnsOf(segment, 0);
      const hashes = new Uint32Array(segment.writtenRows);
      hashRows(this.memory, columns, 0, segment.writtenRows, hashes);
      for (let row = 0; row < segment.writtenRows; row++) {
        const missing = this.#retractOne(segment, columns, row, hashes[row]!, 1);
        assert(missing === 0, 'a retraction of a row that is not there');
      }
    });
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
      const found = this.#directory.segmentOf(id).keyColumns(number, picked);
      return equalRows(memory, columns, row, this.memory, found, offsetOf(id));
    });
  }

  #indexColumnsOf(segment: Segment, number: number): readonly Column[] {
    return segment.keyColumns(number, must(layout.indexColumns(this.#schema, number)));
  }

  #indexed(): boolean[] {
    return this.#indexes.map((index) => index !== null);
  }

  #compactionHost(): CompactionHost {
    return {
      memory: this.memory,
      indexCount: this.#indexes.length,
      index: (number) => this.#indexes[number] ?? null,
      indexColumnsOf: (segment, number) => this.#indexColumnsOf(segment, number),
      createSegment: (capacity, base) => this.#directory.create(capacity, base, this.#indexed()),
      swap: (gone, made) => this.#directory.swap(gone, made),
    };
  }

  #addLiveRows(count: number): void {
    this.memory.f64[(this.#word + layout.HEADER_LIVE_ROWS) >>> 1]! += count;
  }
}
