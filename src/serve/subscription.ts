/**
 * Subscription: a relation's rows at one epoch, then its net changes, epoch after epoch, for as long as somebody pulls.
 *
 * State: a pin of the epoch last given (the versions behind it stay readable) and a reader that is pulled a batch at a time:
 * nothing is queued for a client that does not read. A row that came and went between two steps is not shown.
 */

import { SqlError } from '../base/sql-error.ts';
import { constantColumn } from '../batch/build-batch.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { selectRange } from '../batch/select.ts';
import type { EnginePort } from '../dataflow/client.ts';
import type { EpochPin } from '../state/epoch-control.ts';
import { type DataType, INT4, INT8 } from '../types/data-type.ts';
import type { QueryMemory } from './query-memory.ts';
import type { QueryService } from './query-service.ts';
import type { RowSource } from './row-source.ts';

export interface SubscriptionOptions {
  readonly engine: EnginePort;
  readonly queries: QueryService;
  readonly relationId: number;
  readonly name: string;
  readonly types: readonly DataType[];
  readonly withSnapshot: boolean;
  /** The signal of the statement that pulls (FETCH after FETCH). */
  readonly signal: () => AbortSignal;
}

export class Subscription implements RowSource {
  readonly types: readonly DataType[];
  readonly #options: SubscriptionOptions;
  readonly #memory: QueryMemory;
  /** What is being read now, with the epoch that it brings the client to. */
  #reading: { readonly batches: Iterator<DeltaBatch>; readonly pin: EpochPin } | null;
  /** The epoch that the client has seen whole. */
  #pin: EpochPin;
  #batch: DeltaBatch | null = null;
  #offset = 0;
  #isClosed = false;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.types = [INT8, INT4, ...options.types];
    this.#memory = options.queries.memories.acquire();
    this.#pin = options.engine.control.pin();
    const snapshot = options.withSnapshot
      ? this.#reader().scan(this.#pin.epoch, this.#columns(), this.#memory)
      : null;
    this.#reading = snapshot === null ? null : { batches: snapshot, pin: this.#pin };
  }

  async next(rowsMax: number): Promise<DeltaBatch | null> {
    for (;;) {
      this.#options.signal().throwIfAborted();
      if (this.#isClosed) return null;
      const part = this.#part(rowsMax);
      if (part !== null) return part;
      await this.#advance();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pin.release();
    this.#reading?.pin.release();
    this.#options.queries.memories.release(this.#memory);
  }

  #reader() {
    const reader = this.#options.queries.reader(this.#options.relationId);
    if (reader === undefined) {
      throw new SqlError('42P01', `relation "${this.#options.name}" does not exist any more`);
    }
    return reader;
  }

  #columns(): number[] {
    return this.#options.types.map((_, column) => column);
  }

  /** The next rows of the open batch, or of the reader's next one. */
  #part(rowsMax: number): DeltaBatch | null {
    const { scratch } = this.#memory;
    if (this.#batch === null || this.#offset >= this.#batch.rowCount) {
      scratch.reset();
      this.#batch = this.#read();
      this.#offset = 0;
    }
    if (this.#batch === null) return null;
    const count = Math.min(rowsMax, this.#batch.rowCount - this.#offset);
    const part = selectRange(this.#batch, this.#offset, count, scratch);
    this.#offset += count;
    return part;
  }

  /** The reader's next batch with epoch and weight in front; null: it has brought the client to its epoch. */
  #read(): DeltaBatch | null {
    if (this.#reading === null) return null;
    const { batches, pin } = this.#reading;
    pin.check();
    const next = batches.next();
    if (next.done !== true) return this.#withEpoch(next.value, pin.epoch);
    if (pin !== this.#pin) this.#pin.release();
    this.#pin = pin;
    this.#reading = null;
    return null;
  }

  /** Waits for an epoch beyond the last one and begins to read what it changed. */
  async #advance(): Promise<void> {
    const { control } = this.#options.engine;
    if (control.published <= this.#pin.epoch) await this.#nextEpoch();
    if (this.#isClosed) return;
    const pin = control.pin();
    const batches = this.#reader().changes(
      this.#pin.epoch,
      pin.epoch,
      this.#columns(),
      this.#memory,
    );
    this.#reading = { batches, pin };
  }

  #nextEpoch(): Promise<void> {
    const signal = this.#options.signal();
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        stop();
        reject(signal.reason);
      };
      const stop = this.#options.engine.onEpoch(() => {
        stop();
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #withEpoch(batch: DeltaBatch, epoch: number): DeltaBatch {
    const { scratch } = this.#memory;
    const epochs = constantColumn(INT8, BigInt(epoch), batch.rowCount, scratch);
    const weights =
      batch.weights === 0
        ? constantColumn(INT4, 1, batch.rowCount, scratch)
        : ({ storage: 'i32', values: batch.weights, validity: 0 } as const);
    return { ...batch, columns: [epochs, weights, ...batch.columns], weights: 0 };
  }
}
