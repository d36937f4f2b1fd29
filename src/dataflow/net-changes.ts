/** NetChanges: a change gathered batch by batch and given as its net rows: what is pushed outside. */

import { copyBatch, weightOf } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { RowTable } from '../kernels/row-table.ts';
import { sortInSteps } from '../kernels/sort.ts';
import type { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import type { DataType } from '../types/data-type.ts';

/** A net change in a memory of its own, which is used again; over a restored memory it is as it was. */
export class NetChanges {
  readonly #memory: Memory;
  readonly #scratch: Scratch;
  readonly #types: readonly DataType[];
  readonly #table: RowTable;

  constructor(types: readonly DataType[], memory: Memory) {
    this.#types = types;
    this.#memory = memory;
    this.#scratch = new Scratch(memory);
    const storages = types.map((type) => type.storage);
    const spec = { storages, keyCount: storages.length, extraBytes: 8 };
    this.#table = RowTable.open(memory, memory.rootCell(0), spec);
  }

  /** Rows that were touched, those that are again as they were among them. */
  get rowCount(): number {
    return this.#table.rowCount;
  }

  /** Bytes that the process holds for it, also when it is empty. */
  get memoryBytes(): number {
    return this.#memory.totalBytes;
  }

  add(batch: DeltaBatch): void {
    const memory = this.#memory;
    const mark = this.#scratch.mark();
    const own = copyBatch(batch, this.#scratch);
    const rows = this.#scratch.alloc(own.rowCount * 4 + 16);
    this.#table.upsert(own.columns, own.rowCount, rows);
    for (let i = 0; i < own.rowCount; i++) {
      const row = memory.u32[(rows >>> 2) + i]!;
      memory.i32[this.#table.extraAddress(row) >>> 2]! += weightOf(own, i);
    }
    this.#scratch.release(mark);
  }

  /** The rows that changed, in no order. */
  *batches(): Generator<DeltaBatch> {
    yield* this.#gathered(this.#changed());
  }

  /**
   * The rows that changed: retractions, then inserts, each in canonical order. Between steps of the sort it gives null. Who does
   * not take them all says so (`return`).
   */
  *inOrder(): Generator<DeltaBatch | null> {
    const rows = this.#changed();
    const compare = this.#table.compareRows([], [...this.#types]);
    yield* sortInSteps(rows, (a, b) => {
      const isRetractA = this.#weight(a) < 0;
      if (isRetractA !== this.#weight(b) < 0) return isRetractA ? -1 : 1;
      return compare(a, b);
    });
    yield* this.#gathered(rows);
  }

  *#gathered(all: Uint32Array): Generator<DeltaBatch> {
    const memory = this.#memory;
    const columns = this.#types.map((_, column) => column);
    for (let from = 0; from < all.length; from += 1024) {
      const mark = this.#scratch.mark();
      const part = all.subarray(from, from + 1024);
      const rows = this.#scratch.alloc(part.length * 4);
      const weights = this.#scratch.alloc(part.length * 4);
      memory.u32.set(part, rows >>> 2);
      part.forEach((row, i) => {
        memory.i32[(weights >>> 2) + i] = this.#weight(row);
      });
      try {
        yield this.#table.gatherBatch(rows, part.length, columns, weights, this.#scratch);
      } finally {
        this.#scratch.release(mark);
      }
    }
  }

  clear(): void {
    this.#table.clear();
  }

  #weight(row: number): number {
    return this.#memory.i32[this.#table.extraAddress(row) >>> 2]!;
  }

  #changed(): Uint32Array {
    const rows = new Uint32Array(this.#table.rowCount);
    let count = 0;
    for (let row = this.#table.next(0); row !== 0; row = this.#table.next(row)) {
      if (this.#weight(row) !== 0) rows[count++] = row;
    }
    return rows.subarray(0, count);
  }
}
