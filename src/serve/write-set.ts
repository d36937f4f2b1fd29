/**
 * The write set of a transaction: for each table the net rows that it puts in and takes out, and for each unique key which
 * of its values the transaction has taken or set free. Readers of the same transaction see it laid over their snapshot.
 *
 * State: for a table a RowTable over all columns with an i32 weight (an insert and a delete of the same row cancel) and the
 * order in which it came; for a table with a watermark also every change (change-log.ts); and for each key a RowTable over the key's columns: the row that now has the key, whether the
 * published row with it was taken out, and the statement that last touched it.
 * Cost: O(1) expected a row and key; nothing is proportional to the table.
 */

import { assert, must } from '../base/assert.ts';
import { BATCH_ROWS_MAX, type DeltaBatch } from '../batch/delta-batch.ts';
import { packBatch, unpackBatch } from '../batch/pack.ts';
import { isNull } from '../batch/read-value.ts';
import { RowTable } from '../kernels/row-table.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { DataType } from '../types/data-type.ts';
import { ChangeLog, type Judge, type LoggedPart } from './change-log.ts';

/** A unique key of a table: its columns, and the number of the stored relation's index that finds them. */
export interface WriteKey {
  readonly name: string;
  readonly columns: readonly number[];
  /** RelationReader.lookup's index number. */
  readonly index: number;
}

export interface WriteTable {
  readonly relationId: number;
  readonly types: readonly DataType[];
  readonly keys: readonly WriteKey[];
  /** Its rows are judged by a watermark, so that every change counts and not only the net ones. */
  readonly hasWatermark: boolean;
}

/** What COMMIT sends for one table, part by part. */
export interface WrittenPart {
  readonly judge: Judge;
  /** Packed rows with weights; null: TRUNCATE. */
  readonly batches: Iterable<Uint8Array> | null;
}

/** Finds published rows by key: one batch of rows (all columns) for each call. */
export type PublishedLookup = (key: WriteKey, keys: DeltaBatch) => Iterable<DeltaBatch>;

/** A row that collides: `row` of the batch, with the key. `existing`: the row that has the key, in a batch of its own table's columns. */
export interface Collision {
  readonly row: number;
  readonly key: WriteKey;
  readonly existing: ExistingRow;
}

/** Where the row that has the key stands. */
export type ExistingRow =
  | { readonly kind: 'published'; readonly batch: DeltaBatch; readonly row: number }
  | { readonly kind: 'written'; readonly id: number; readonly isThisStatement: boolean };

const WEIGHT = 0;
/** When the row last came into the set: a count over the transaction. */
const ORDER = 4;
const KEY_ROW = 0;
const KEY_FREED = 4;
const KEY_STATEMENT = 8;

interface KeyState {
  readonly key: WriteKey;
  readonly table: RowTable;
}

/** One table's part of the write set. */
export class TableWrites {
  readonly table: WriteTable;
  readonly #memory: Memory;
  readonly #scratch: Scratch;
  readonly #rows: RowTable;
  readonly #keys: readonly KeyState[];
  /** null: only the net rows are sent. */
  readonly #log: ChangeLog | null;
  #lookup: PublishedLookup;
  #isTruncated = false;
  #nextOrder = 0;

  constructor(table: WriteTable, memory: Memory, scratch: Scratch, lookup: PublishedLookup) {
    this.table = table;
    this.#memory = memory;
    this.#scratch = scratch;
    this.#lookup = lookup;
    this.#log = table.hasWatermark ? new ChangeLog(memory) : null;
    const storages = table.types.map((type) => type.storage);
    this.#rows = openTable(memory, storages, storages.length, 8);
    this.#keys = table.keys.map((key) => ({
      key,
      table: openTable(
        memory,
        key.columns.map((column) => storages[column]!),
        key.columns.length,
        16,
      ),
    }));
  }

  get isTruncated(): boolean {
    return this.#isTruncated;
  }

  /** A new statement of the transaction looks rows up in its own memory: that of the last one may be another's by now. */
  begin(lookup: PublishedLookup, judge: Judge): void {
    this.#lookup = lookup;
    this.#log?.begin(judge);
  }

  /**
   * Puts the batch's rows in. The first row whose key is taken stops it: it is given back, and the write set must be thrown
   * away (the statement fails).
   */
  insert(given: DeltaBatch, statement: number): Collision | null {
    return this.#within(given, (batch) => this.#insert(batch, statement));
  }

  /** Takes the batch's rows out: rows that stand in the snapshot or were put in before. */
  remove(given: DeltaBatch, statement: number): void {
    this.#within(given, (batch) => this.#remove(batch, statement));
  }

  #insert(batch: DeltaBatch, statement: number): Collision | null {
    const ids = this.#addWeights(batch, 1);
    for (const state of this.#keys) {
      const collision = this.#claim(state, batch, ids, statement);
      if (collision !== null) return collision;
    }
    return null;
  }

  #remove(batch: DeltaBatch, statement: number): void {
    this.#addWeights(batch, -1);
    for (const { key, table } of this.#keys) {
      const entries = this.#entries(table, key, batch);
      for (let i = 0; i < batch.rowCount; i++) {
        const extra = table.extraAddress(this.#memory.u32[(entries >>> 2) + i]!) >>> 2;
        if (this.#memory.u32[extra + KEY_ROW / 4] === 0)
          this.#memory.u32[extra + KEY_FREED / 4] = 1;
        this.#memory.u32[extra + KEY_ROW / 4] = 0;
        this.#memory.u32[extra + KEY_STATEMENT / 4] = statement;
      }
    }
  }

  /** TRUNCATE: nothing of the table is seen any more, and what was put in is forgotten (but for the log of changes). */
  truncate(): void {
    this.#isTruncated = true;
    if (this.#log === null) this.#rows.clear();
    else this.#clearWeights();
    this.#log?.truncate();
    for (const { table } of this.#keys) table.clear();
  }

  #clearWeights(): void {
    const { i32 } = this.#memory;
    for (let id = this.#rows.next(0); id !== 0; id = this.#rows.next(id)) {
      i32[(this.#rows.extraAddress(id) + WEIGHT) >>> 2] = 0;
    }
  }

  /**
   * Who has the keys of the batch's rows already: the first collision of each row, over the given keys (null: all). A row
   * that collides with an earlier one of the same batch is found by `insert`.
   */
  collisions(
    given: DeltaBatch,
    keyColumns: readonly number[] | null,
    statement: number,
  ): Collision[] {
    return this.#within(given, (batch) => this.#collisions(batch, keyColumns, statement));
  }

  #collisions(
    batch: DeltaBatch,
    keyColumns: readonly number[] | null,
    statement: number,
  ): Collision[] {
    const found = new Map<number, Collision>();
    for (const state of this.#keys) {
      if (keyColumns !== null && !sameColumns(state.key.columns, keyColumns)) continue;
      for (const collision of this.#collide(state, batch, statement)) {
        if (!found.has(collision.row)) found.set(collision.row, collision);
      }
    }
    return [...found.values()].sort((a, b) => a.row - b.row);
  }

  /** A written row as a batch of one row in another memory's scratch. */
  writtenRow(id: number, target: Scratch): DeltaBatch {
    return must(unpackBatch(this.#packNet([id]), target)[0]);
  }

  get rowCount(): number {
    return this.#rows.rowCount;
  }

  destroy(): void {
    this.#log?.destroy();
    this.#rows.clear();
    for (const { table } of this.#keys) table.clear();
  }

  /** Runs `work` over a copy of the batch in the write set's own memory. */
  #within<T>(batch: DeltaBatch, work: (batch: DeltaBatch) => T): T {
    const mark = this.#scratch.mark();
    try {
      return work(must(unpackBatch(packBatch(batch, this.table.types), this.#scratch)[0]));
    } finally {
      this.#scratch.release(mark);
    }
  }

  /** The net rows with weights in the order of the statements (semantics.md rules 9, 14), packed, a batch at a time. */
  *packedBatches(): Generator<Uint8Array> {
    const { u32 } = this.#memory;
    const ordered = new Uint32Array(this.#nextOrder);
    for (let id = this.#rows.next(0); id !== 0; id = this.#rows.next(id)) {
      if (this.#weight(id) === 0) continue;
      ordered[u32[(this.#rows.extraAddress(id) + ORDER) >>> 2]!] = id;
    }
    const ids: number[] = [];
    for (const id of ordered) {
      if (id !== 0) ids.push(id);
      if (ids.length === BATCH_ROWS_MAX) yield this.#packNet(ids.splice(0));
    }
    if (ids.length > 0) yield this.#packNet(ids);
  }

  #packNet(ids: readonly number[]): Uint8Array {
    return this.#packRows(
      ids,
      ids.map((id) => this.#weight(id)),
    );
  }

  /** What COMMIT sends, in order. */
  *parts(): Generator<WrittenPart> {
    if (this.#log === null) {
      if (this.#isTruncated) yield { judge: 'statement', batches: null };
      if (this.#nextOrder > 0) yield { judge: 'statement', batches: this.packedBatches() };
      return;
    }
    for (const part of this.#log.parts) {
      if (part.isTruncate) yield { judge: part.judge, batches: null };
      else if (part.to > part.from) {
        yield { judge: part.judge, batches: this.#packedChanges(this.#log, part) };
      }
    }
  }

  *#packedChanges(log: ChangeLog, { from, to, hasRetractions }: LoggedPart): Generator<Uint8Array> {
    for (let start = from; start < to; start += BATCH_ROWS_MAX) {
      const count = Math.min(BATCH_ROWS_MAX, to - start);
      const changes = Array.from({ length: count }, (_, i) => start + i);
      const ids = changes.map((change) => log.row(change));
      const weights = changes.map((change) => (log.isRetraction(change) ? -1 : 1));
      yield this.#packRows(ids, hasRetractions ? weights : null);
    }
  }

  /** `weights`: null: every row once. */
  #packRows(ids: readonly number[], weights: readonly number[] | null): Uint8Array {
    const mark = this.#scratch.mark();
    const bytes = packBatch(this.#batchOf(ids, weights), this.table.types);
    this.#scratch.release(mark);
    return bytes;
  }

  #weight(id: number): number {
    return this.#memory.i32[(this.#rows.extraAddress(id) + WEIGHT) >>> 2]!;
  }

  #batchOf(ids: readonly number[], weights: readonly number[] | null): DeltaBatch {
    const rows = this.#scratch.alloc(4 * ids.length + 16);
    this.#memory.u32.set(ids, rows >>> 2);
    const at = weights === null ? 0 : this.#scratch.alloc(4 * ids.length + 16);
    if (weights !== null) this.#memory.i32.set(weights, at >>> 2);
    const columns = this.table.types.map((_, column) => column);
    return this.#rows.gatherBatch(rows, ids.length, columns, at, this.#scratch);
  }

  /** Adds `sign` to each row's weight; gives the address of their ids. */
  #addWeights(batch: DeltaBatch, sign: 1 | -1): number {
    const ids = this.#scratch.alloc(4 * batch.rowCount + 16);
    this.#rows.upsert(batch.columns, batch.rowCount, ids);
    for (let i = 0; i < batch.rowCount; i++) {
      const id = this.#memory.u32[(ids >>> 2) + i]!;
      const extra = this.#rows.extraAddress(id);
      const at = (extra + WEIGHT) >>> 2;
      if (this.#memory.i32[at] === 0) this.#memory.u32[(extra + ORDER) >>> 2] = this.#nextOrder++;
      this.#memory.i32[at] = this.#memory.i32[at]! + sign;
    }
    this.#log?.add(ids, batch.rowCount, sign);
    return ids;
  }

  #entries(table: RowTable, key: WriteKey, batch: DeltaBatch): number {
    const out = this.#scratch.alloc(4 * batch.rowCount + 16);
    table.upsert(
      key.columns.map((column) => batch.columns[column]!),
      batch.rowCount,
      out,
    );
    return out;
  }

  /** Marks the batch's rows as the owners of their keys. */
  #claim(state: KeyState, batch: DeltaBatch, ids: number, statement: number): Collision | null {
    const first = this.#collide(state, batch, statement)[0];
    if (first !== undefined) return first;
    const { key, table } = state;
    const entries = this.#entries(table, key, batch);
    for (let i = 0; i < batch.rowCount; i++) {
      if (hasNull(batch, key.columns, i)) continue;
      const extra = table.extraAddress(this.#memory.u32[(entries >>> 2) + i]!) >>> 2;
      const owner = this.#memory.u32[extra + KEY_ROW / 4]!;
      if (owner !== 0)
        return { row: i, key, existing: { kind: 'written', id: owner, isThisStatement: true } };
      this.#memory.u32[extra + KEY_ROW / 4] = this.#memory.u32[(ids >>> 2) + i]!;
      this.#memory.u32[extra + KEY_STATEMENT / 4] = statement;
    }
    return null;
  }

  /** Rows of the batch whose key somebody has already: written rows first, then published ones that were not set free. */
  #collide(state: KeyState, batch: DeltaBatch, statement: number): Collision[] {
    const { key, table } = state;
    const keyColumns = key.columns.map((column) => batch.columns[column]!);
    const entries = this.#scratch.alloc(4 * batch.rowCount + 16);
    table.probe(keyColumns, batch.rowCount, entries);
    const collisions: Collision[] = [];
    const unknown: number[] = [];
    for (let i = 0; i < batch.rowCount; i++) {
      if (hasNull(batch, key.columns, i)) continue;
      const entry = this.#memory.u32[(entries >>> 2) + i]!;
      if (entry === 0) {
        unknown.push(i);
        continue;
      }
      const extra = table.extraAddress(entry) >>> 2;
      const owner = this.#memory.u32[extra + KEY_ROW / 4]!;
      const isThisStatement = this.#memory.u32[extra + KEY_STATEMENT / 4] === statement;
      if (owner !== 0)
        collisions.push({ row: i, key, existing: { kind: 'written', id: owner, isThisStatement } });
      else if (this.#memory.u32[extra + KEY_FREED / 4] === 0) unknown.push(i);
    }
    if (!this.#isTruncated && unknown.length > 0)
      collisions.push(...this.#collidePublished(key, batch, unknown));
    return collisions.sort((a, b) => a.row - b.row);
  }

  #collidePublished(key: WriteKey, batch: DeltaBatch, rows: readonly number[]): Collision[] {
    const collisions: Collision[] = [];
    for (const row of rows) {
      const one = keyOfRow(batch, key.columns, row);
      for (const found of this.#lookup(key, one)) {
        assert(found.rowCount > 0, 'a lookup gives no empty batches');
        collisions.push({ row, key, existing: { kind: 'published', batch: found, row: 0 } });
      }
    }
    return collisions;
  }
}

/** A transaction's writes, table by table. */
export class WriteSet {
  readonly #memory: Memory;
  readonly #scratch: Scratch;
  readonly #tables = new Map<number, TableWrites>();
  readonly #newTables = new Set<number>();

  constructor(memory: Memory, scratch: Scratch) {
    this.#memory = memory;
    this.#scratch = scratch;
  }

  get tables(): Iterable<TableWrites> {
    return this.#tables.values();
  }

  get isEmpty(): boolean {
    return this.#tables.size === 0;
  }

  /** A table that the transaction itself makes: it has no published rows, and may have none written. */
  addNewTable(relationId: number): void {
    this.#newTables.add(relationId);
  }

  isNewTable(relationId: number): boolean {
    return this.#newTables.has(relationId);
  }

  writesOf(relationId: number): TableWrites | undefined {
    return this.#tables.get(relationId);
  }

  /** The table's writes, for a statement that begins; `judge`: how the engine judges its rows. */
  open(table: WriteTable, lookup: PublishedLookup, judge: Judge): TableWrites {
    const writes =
      this.#tables.get(table.relationId) ??
      new TableWrites(table, this.#memory, this.#scratch, lookup);
    writes.begin(lookup, judge);
    this.#tables.set(table.relationId, writes);
    return writes;
  }

  /** The table was dropped in the same transaction: nothing of it is sent. */
  forget(relationId: number): void {
    this.#tables.get(relationId)?.destroy();
    this.#tables.delete(relationId);
  }

  destroy(): void {
    for (const id of [...this.#tables.keys()]) this.forget(id);
  }
}

function openTable(
  memory: Memory,
  storages: readonly DataType['storage'][],
  keyCount: number,
  extraBytes: number,
): RowTable {
  const cell = memory.alloc(16);
  memory.u32[cell >>> 2] = 0;
  return RowTable.open(memory, cell, { storages, keyCount, extraBytes });
}

function sameColumns(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((column) => b.includes(column));
}

/** UNIQUE lets rows with a NULL in the key stand beside each other. */
function hasNull(batch: DeltaBatch, columns: readonly number[], row: number): boolean {
  return columns.some((column) => isNull(batch, must(batch.columns[column]), row));
}

const WIDTH = { u8: 1, i32: 4, i64: 8, f64: 8, view: 16 } as const;

/** The key columns of one row, as a batch of one row over the same values (no key column is NULL there). */
function keyOfRow(batch: DeltaBatch, columns: readonly number[], row: number): DeltaBatch {
  return {
    memory: batch.memory,
    rowCount: 1,
    columns: columns.map((index) => {
      const column = must(batch.columns[index]);
      return {
        storage: column.storage,
        values: column.values + row * WIDTH[column.storage],
        validity: 0,
      };
    }),
    weights: 0,
    rowWatermarks: 0,
  };
}

/** Packed batches as one piece of bytes. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
