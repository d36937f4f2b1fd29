/**
 * Subscription: a relation's rows at one epoch, then its net changes, epoch after epoch, for as long as somebody pulls.
 *
 * State: a pin of the epoch last given (the versions behind it stay readable) and a reader that is pulled a batch at a time:
 * nothing is queued for a client that does not read. A row that came and went between two steps is not shown. Of a view that
 * is EMIT PERIODIC (semantics.md rule 22) at most one change a period is given: the net one between two epochs, retractions
 * before inserts, in canonical order.
 */

import type { Clock } from '../base/clock.ts';
import { SqlError } from '../base/sql-error.ts';
import { constantColumn } from '../batch/build-batch.ts';
import { copyBatch } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { selectRange } from '../batch/select.ts';
import type { EnginePort } from '../dataflow/client.ts';
import { NetChanges } from '../dataflow/net-changes.ts';
import type { EpochPin } from '../state/epoch-control.ts';
import { type DataType, INT4, INT8 } from '../types/data-type.ts';
import type { QueryMemory } from './query-memory.ts';
import type { QueryService } from './query-service.ts';
import type { RowSource } from './row-source.ts';

/** Timers hold no more. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export interface SubscriptionOptions {
  readonly engine: EnginePort;
  readonly queries: QueryService;
  readonly relationId: number;
  readonly name: string;
  readonly types: readonly DataType[];
  readonly withSnapshot: boolean;
  /** EMIT PERIODIC; null: a change is given as soon as it is there. */
  readonly periodUs: bigint | null;
  readonly clock: Clock;
  /** The signal of the statement that pulls (FETCH after FETCH). */
  readonly signal: () => AbortSignal;
}

export class Subscription implements RowSource {
  readonly types: readonly DataType[];
  readonly #options: SubscriptionOptions;
  readonly #memory: QueryMemory;
  /** What is being read now, with the epoch that it brings the client to. */
  #reading: { readonly batches: Generator<DeltaBatch>; readonly pin: EpochPin } | null;
  /** The epoch that the client has seen whole. */
  #pin: EpochPin;
  #batch: DeltaBatch | null = null;
  #offset = 0;
  /** When (monotonic) rows were given last. */
  #givenUs: bigint | null = null;
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
    this.#reading?.batches.return(undefined);
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
    if (next.done !== true) {
      this.#givenUs = this.#options.clock.monotonicUs();
      return this.#withEpoch(next.value, pin.epoch);
    }
    if (pin !== this.#pin) this.#pin.release();
    this.#pin = pin;
    this.#reading = null;
    return null;
  }

  /** Waits for the end of the period and an epoch beyond the last one, and begins to read what it changed. */
  async #advance(): Promise<void> {
    const { control } = this.#options.engine;
    const restUs = this.#restUs();
    if (restUs > 0n) await sleep(restUs, this.#options.signal());
    if (this.#isClosed) return;
    if (control.published <= this.#pin.epoch) await this.#nextEpoch();
    if (this.#isClosed) return;
    const pin = control.pin();
    this.#reading = { batches: this.#changes(pin.epoch), pin };
  }

  /** How long the period lasts yet. */
  #restUs(): bigint {
    const { periodUs, clock } = this.#options;
    if (periodUs === null || this.#givenUs === null) return 0n;
    return this.#givenUs + periodUs - clock.monotonicUs();
  }

  #changes(epoch: number): Generator<DeltaBatch> {
    const columns = this.#columns();
    const batches = this.#reader().changes(this.#pin.epoch, epoch, columns, this.#memory);
    return this.#options.periodUs === null ? batches : this.#net(batches);
  }

  /** The same change without what cancels out, in canonical order. */
  *#net(batches: Iterable<DeltaBatch>): Generator<DeltaBatch> {
    const { scratch } = this.#memory;
    const { memories } = this.#options.queries;
    const own = memories.acquire();
    try {
      const changes = new NetChanges(this.#options.types, own.memory);
      for (const batch of batches) {
        changes.add(batch);
        scratch.reset();
      }
      for (const batch of changes.inOrder()) {
        if (batch !== null) yield copyBatch(batch, scratch);
      }
    } finally {
      memories.release(own);
    }
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

/** Rejects with the signal's reason once it is aborted. */
function sleep(us: bigint, signal: AbortSignal): Promise<void> {
  const ms = Math.min(Math.ceil(Number(us) / 1000), TIMER_MS_MAX);
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
