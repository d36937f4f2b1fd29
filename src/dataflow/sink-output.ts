/**
 * SinkOutput: what a sink sends: its consolidated change, retractions before inserts, in canonical order, once the manifest of
 * the epoch is durable (semantics.md rule 30).
 *
 * A sink sends the change of each epoch; one that is EMIT PERIODIC (rule 22) sends at most once a period the net change since
 * it sent last. When that is, follows from the epochs' instants alone, so that a replay sends the same changes at the same
 * epochs. What it holds back is part of a checkpoint (`heldMemory`, `sentUs`).
 *
 * Changes wait in memory from the epoch that sends them to their delivery; a checkpoint is taken only when none waits, so
 * that what a recovery replays is exactly what may not have been delivered.
 */

import { SqlError } from '../base/sql-error.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { SinkWriter } from '../connect/sink.ts';
import { Memory } from '../memory/memory.ts';
import type { DataType } from '../types/data-type.ts';
import { NetChanges } from './net-changes.ts';
import type { SinkStatus } from './port.ts';
import { absoluteWeight } from './rows.ts';

interface PendingEpoch {
  readonly epoch: number;
  readonly nowUs: bigint;
  readonly rows: NetChanges;
}

/** What an EMIT PERIODIC sink starts with. */
export interface SinkPeriod {
  readonly periodUs: bigint;
  /** What was held back at the checkpoint; an empty memory for a new sink. */
  readonly memory: Memory;
  /** The instant of the epoch that was sent last; 0: none. */
  readonly sentUs: bigint;
}

interface Throttle {
  readonly periodUs: bigint;
  readonly memory: Memory;
  readonly held: NetChanges;
  sentUs: bigint;
}

export class SinkOutput {
  readonly #writer: SinkWriter;
  readonly #types: readonly DataType[];
  readonly #isDiscarding: boolean;
  readonly #throttle: Throttle | null;
  #free: NetChanges[] = [];
  /** Epochs up to here are delivered already: a replay gives them again. */
  readonly #deliveredThrough: number;
  #current: NetChanges | null = null;
  #pending: PendingEpoch[] = [];
  #failure: string | null = null;
  #rowsSent = 0;

  /** `isDiscarding`: nothing is kept or written (blackhole). `period` null: every epoch is sent. */
  constructor(
    writer: SinkWriter,
    types: readonly DataType[],
    lastEpoch: number,
    isDiscarding: boolean,
    period: SinkPeriod | null,
  ) {
    this.#writer = writer;
    this.#types = types;
    this.#isDiscarding = isDiscarding;
    this.#throttle =
      period === null ? null : { ...period, held: new NetChanges(types, period.memory) };
    this.#deliveredThrough = writer.begin(lastEpoch);
  }

  /** Why the oldest epoch could not be delivered yet; null: nothing is wrong. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Epochs that wait for their delivery. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  /** What an EMIT PERIODIC sink holds back; null: it holds nothing back. */
  get heldMemory(): Memory | null {
    return this.#throttle?.memory ?? null;
  }

  /** The instant of the epoch that was sent last. */
  get sentUs(): bigint {
    return this.#throttle?.sentUs ?? 0n;
  }

  /** When what is held back is due; null: nothing is. */
  nextTimerUs(): bigint | null {
    if (this.#throttle === null || this.#throttle.held.rowCount === 0) return null;
    return this.#throttle.sentUs + this.#throttle.periodUs;
  }

  /** Takes a part of the running epoch's change. */
  add(batch: DeltaBatch, epoch: number): void {
    if (this.#isDiscarding) this.#rowsSent += absoluteWeight(batch);
    else if (this.#throttle !== null) this.#throttle.held.add(batch);
    else if (epoch > this.#deliveredThrough) {
      this.#current ??= this.#empty();
      this.#current.add(batch);
    }
  }

  #empty(): NetChanges {
    return this.#free.pop() ?? new NetChanges(this.#types, Memory.create());
  }

  /** The running epoch has ended. */
  endEpoch(epoch: number, nowUs: bigint): void {
    if (this.#throttle !== null) this.#endPeriod(this.#throttle, epoch, nowUs);
    if (this.#current === null) return;
    this.#pending.push({ epoch, nowUs, rows: this.#current });
    this.#current = null;
  }

  /** Where the period is over, what was held back becomes this epoch's change, unless it was delivered before. */
  #endPeriod(throttle: Throttle, epoch: number, nowUs: bigint): void {
    const { held, sentUs, periodUs } = throttle;
    if (held.rowCount === 0 || nowUs < sentUs + periodUs) return;
    for (const batch of held.batches()) {
      throttle.sentUs = nowUs;
      if (epoch <= this.#deliveredThrough) break;
      this.#current ??= this.#empty();
      this.#current.add(batch);
    }
    held.clear();
  }

  /** The epochs up to `durable` go out. One that fails is whole again and is given again at the next call. */
  deliver(durable: number): void {
    for (let next = this.#pending[0]; next !== undefined; next = this.#pending[0]) {
      if (next.epoch > durable) return;
      try {
        this.#rowsSent += this.#write(next);
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

  /** Gives an epoch to the writer; its rows in absolute weight. */
  #write({ epoch, nowUs, rows }: PendingEpoch): number {
    let count = 0;
    for (const batch of rows.batches()) {
      count += absoluteWeight(batch);
      this.#writer.write(epoch, nowUs, batch);
    }
    this.#writer.commit(epoch);
    return count;
  }

  status(): SinkStatus {
    return {
      rowsSent: this.#rowsSent,
      pendingEpochs: this.#pending.length,
      pendingRows: this.#pending.reduce((sum, { rows }) => sum + rows.rowCount, 0),
      heldRows: this.#throttle?.held.rowCount ?? 0,
    };
  }

  close(): void {
    this.#writer.close();
  }
}
