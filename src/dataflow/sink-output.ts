/**
 * SinkOutput: what a sink sends for an epoch: its consolidated change, retractions before inserts, in canonical order, once
 * the epoch's manifest is durable (semantics.md rule 30).
 *
 * Changes wait in memory from the step that made them to their delivery; a checkpoint is taken only when none waits, so
 * that what a recovery replays is exactly what may not have been delivered.
 */

import { SqlError } from '../base/sql-error.ts';
import { copyBatch, weightOf } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { SinkWriter } from '../connect/sink.ts';
import { RowTable } from '../kernels/row-table.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import type { PlanColumn } from '../plan/plan-node.ts';

interface PendingEpoch {
  readonly epoch: number;
  readonly nowUs: bigint;
  readonly rows: Changes;
}

export class SinkOutput {
  readonly #writer: SinkWriter;
  readonly #columns: readonly PlanColumn[];
  readonly #isDiscarding: boolean;
  #free: Changes[] = [];
  /** Epochs up to here are delivered already: a replay gives them again. */
  readonly #deliveredThrough: number;
  #current: Changes | null = null;
  #pending: PendingEpoch[] = [];
  #failure: string | null = null;

  /** `isDiscarding`: nothing is kept or written (blackhole). */
  constructor(
    writer: SinkWriter,
    columns: readonly PlanColumn[],
    lastEpoch: number,
    isDiscarding: boolean,
  ) {
    this.#writer = writer;
    this.#columns = columns;
    this.#isDiscarding = isDiscarding;
    this.#deliveredThrough = writer.begin(lastEpoch);
  }

  /** Why the oldest epoch could not be delivered yet; null: nothing is wrong. */
  get failure(): string | null {
    return this.#failure;
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  /** Takes a part of the running epoch's change. */
  add(batch: DeltaBatch, epoch: number): void {
    if (epoch <= this.#deliveredThrough || this.#isDiscarding) return;
    this.#current ??= this.#free.pop() ?? new Changes(this.#columns);
    this.#current.add(batch);
  }

  /** The running epoch has ended. */
  endEpoch(epoch: number, nowUs: bigint): void {
    if (this.#current === null) return;
    this.#pending.push({ epoch, nowUs, rows: this.#current });
    this.#current = null;
  }

  /** The epochs up to `durable` go out. One that fails is whole again and is given again at the next call. */
  deliver(durable: number): void {
    for (let next = this.#pending[0]; next !== undefined; next = this.#pending[0]) {
      if (next.epoch > durable) return;
      try {
        for (const batch of next.rows.batches()) this.#writer.write(next.epoch, next.nowUs, batch);
        this.#writer.commit(next.epoch);
      } catch (error) {
        if (!(error instanceof SqlError)) throw error;
        this.#failure = error.message;
        return;
      }
      this.#failure = null;
      this.#pending.shift();
      next.rows.clear();
      this.#free.push(next.rows);
    }
  }

  close(): void {
    this.#writer.close();
  }
}

/** One epoch's change of a sink, in a memory that is used again. */
class Changes {
  readonly #memory = Memory.create();
  readonly #scratch = new Scratch(this.#memory);
  readonly #columns: readonly PlanColumn[];
  readonly #table: RowTable;

  constructor(columns: readonly PlanColumn[]) {
    this.#columns = columns;
    const storages = columns.map(({ type }) => type.storage);
    const spec = { storages, keyCount: storages.length, extraBytes: 8 };
    this.#table = RowTable.open(this.#memory, this.#memory.rootCell(0), spec);
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

  *batches(): Generator<DeltaBatch> {
    const order = this.#ordered();
    const memory = this.#memory;
    const all = this.#columns.map((_, column) => column);
    for (let from = 0; from < order.length; from += 1024) {
      const mark = this.#scratch.mark();
      const part = order.slice(from, from + 1024);
      const rows = this.#scratch.alloc(part.length * 4);
      const weights = this.#scratch.alloc(part.length * 4);
      memory.u32.set(part, rows >>> 2);
      part.forEach((row, i) => {
        memory.i32[(weights >>> 2) + i] = this.#weight(row);
      });
      yield this.#table.gatherBatch(rows, part.length, all, weights, this.#scratch);
      this.#scratch.release(mark);
    }
  }

  clear(): void {
    this.#table.clear();
  }

  #weight(row: number): number {
    return this.#memory.i32[this.#table.extraAddress(row) >>> 2]!;
  }

  /** Rows that changed: retractions, then inserts, each in canonical order. */
  #ordered(): Uint32Array {
    const rows: number[] = [];
    for (let row = this.#table.next(0); row !== 0; row = this.#table.next(row)) {
      if (this.#weight(row) !== 0) rows.push(row);
    }
    const compare = this.#table.compareRows(
      [],
      this.#columns.map(({ type }) => type),
    );
    rows.sort((a, b) => {
      const isRetractA = this.#weight(a) < 0;
      if (isRetractA !== this.#weight(b) < 0) return isRetractA ? -1 : 1;
      return compare(a, b);
    });
    return Uint32Array.from(rows);
  }
}
