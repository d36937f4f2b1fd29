/**
 * ResultRows: what a query has put out so far, until the client takes it.
 *
 * Algorithm: rows are copied into a RowTable. Where the plan only ever inserts, they keep their order of arrival; where an
 * operator may take back what it put out (outer joins, a transaction's own deletes), equal rows are kept once with the sum
 * of their weights. Presentation order, OFFSET and LIMIT are applied when rows are taken.
 * Cost: append O(rows), order O(n log n), take O(rows).
 */

import { assert } from '../base/assert.ts';
import { BATCH_ROWS_MAX, type DeltaBatch } from '../batch/delta-batch.ts';
import { RowTable } from '../kernels/row-table.ts';
import type { SortKey } from '../plan/plan-node.ts';
import type { DataType } from '../types/data-type.ts';
import type { QueryMemory } from './query-memory.ts';

const WEIGHT_BYTES = 8;

export interface ResultShape {
  readonly types: readonly DataType[];
  /** Columns that the client sees, from the left. */
  readonly visibleCount: number;
  readonly order: readonly SortKey[];
  readonly offset: number;
  /** Infinity: all. */
  readonly limit: number;
  readonly isInsertOnly: boolean;
}

export class ResultRows {
  readonly #shape: ResultShape;
  readonly #memory: QueryMemory;
  readonly #table: RowTable;
  /** Row ids in order of presentation; those before #position are taken. */
  #ids = new Uint32Array(BATCH_ROWS_MAX);
  #count = 0;
  #position = 0;
  /** Copies of the row at #position that are taken already. */
  #copiesTaken = 0;
  #skipped = 0;
  #given = 0;
  #isOrdered = false;

  constructor(shape: ResultShape, memory: QueryMemory) {
    this.#shape = shape;
    this.#memory = memory;
    const cell = memory.memory.alloc(16);
    memory.memory.u32[cell >>> 2] = 0;
    const storages = shape.types.map((type) => type.storage);
    const keyCount = shape.isInsertOnly ? 0 : storages.length;
    this.#table = RowTable.open(memory.memory, cell, {
      storages,
      keyCount,
      extraBytes: WEIGHT_BYTES,
    });
  }

  /** Rows can be taken while the query still runs. */
  get isStreaming(): boolean {
    return this.#shape.isInsertOnly && this.#shape.order.length === 0;
  }

  /** LIMIT is reached: nothing more is wanted. */
  get isSatisfied(): boolean {
    return this.#given >= this.#shape.limit;
  }

  /** What waits and what was given reaches LIMIT, in whatever order rows come. */
  get isEnough(): boolean {
    const { offset, limit } = this.#shape;
    return this.isStreaming && this.#given + this.#rowsWaiting() >= limit + offset - this.#skipped;
  }

  get hasRows(): boolean {
    return this.#position < this.#count && !this.isSatisfied;
  }

  append(batch: DeltaBatch): void {
    const { memory, scratch } = this.#memory;
    const mark = scratch.mark();
    const ids = scratch.alloc(4 * batch.rowCount + 16);
    if (this.#shape.isInsertOnly) this.#table.append(batch.columns, batch.rowCount, ids);
    else this.#table.upsert(batch.columns, batch.rowCount, ids);
    for (let row = 0; row < batch.rowCount; row++) {
      const id = memory.u32[(ids >>> 2) + row]!;
      const at = this.#table.extraAddress(id) >>> 2;
      const weight = batch.weights === 0 ? 1 : memory.i32[(batch.weights >>> 2) + row]!;
      memory.i32[at] = memory.i32[at]! + weight;
      if (this.#shape.isInsertOnly) this.#push(id);
    }
    scratch.release(mark);
  }

  /** No more rows come: puts them into their order. */
  finish(): void {
    assert(!this.#isOrdered, 'a result is finished once');
    this.#isOrdered = true;
    if (!this.#shape.isInsertOnly) this.#collectLive();
    if (this.#shape.order.length === 0) return;
    const compare = this.#table.compareRows(this.#shape.order, this.#shape.types);
    this.#ids.subarray(0, this.#count).sort(compare);
  }

  /** The next rows, at most `rowsMax` and a batch; they live until the caller's scratch mark is released. */
  take(rowsMax: number): DeltaBatch | null {
    const { memory, scratch } = this.#memory;
    const room = Math.min(rowsMax, BATCH_ROWS_MAX, this.#shape.limit - this.#given);
    const ids = scratch.alloc(4 * BATCH_ROWS_MAX + 16);
    let n = 0;
    while (n < room && this.#position < this.#count) {
      const id = this.#ids[this.#position]!;
      if (this.#skipped < this.#shape.offset) this.#skipped++;
      else memory.u32[(ids >>> 2) + n++] = id;
      this.#copyTaken(id);
    }
    this.#given += n;
    if (n === 0) return null;
    const columns = Array.from({ length: this.#shape.visibleCount }, (_, column) => column);
    const batch = this.#table.gatherBatch(ids, n, columns, 0, scratch);
    this.#forgetTaken();
    return batch;
  }

  #push(id: number): void {
    if (this.#count === this.#ids.length) {
      const larger = new Uint32Array(this.#ids.length * 2);
      larger.set(this.#ids);
      this.#ids = larger;
    }
    this.#ids[this.#count++] = id;
  }

  /** At least: a row with a weight counts once. */
  #rowsWaiting(): number {
    return this.#count - this.#position;
  }

  #collectLive(): void {
    for (let id = this.#table.next(0); id !== 0; id = this.#table.next(id)) {
      const weight = this.#weight(id);
      assert(weight >= 0, 'a query gave a row fewer than no times');
      if (weight > 0) this.#push(id);
    }
  }

  #weight(id: number): number {
    return this.#memory.memory.i32[this.#table.extraAddress(id) >>> 2]!;
  }

  #copyTaken(id: number): void {
    this.#copiesTaken++;
    if (this.#copiesTaken < this.#weight(id)) return;
    this.#copiesTaken = 0;
    this.#position++;
  }

  /** While rows stream through, what was taken is not kept. */
  #forgetTaken(): void {
    if (!this.isStreaming || this.#position < this.#count) return;
    this.#table.clear();
    this.#position = 0;
    this.#count = 0;
  }
}
