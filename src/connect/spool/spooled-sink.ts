/**
 * SpooledSink: a sink whose outside answers later, or not at all for a while. Epochs go into a spool, synchronously; a courier
 * on another thread delivers them and tells how far it has come. Recovery needs nothing from the outside: the spool tells which
 * epochs it holds, and the courier asks the outside which of them it has.
 */

import type { DeltaBatch } from '../../batch/delta-batch.ts';
import type { SinkDelivery, SinkWriter } from '../sink.ts';
import type { Json } from '../source.ts';
import { Spool, type SpoolLimits, type SpoolPosition } from './spool.ts';

/** Turns the changes of an epoch into records. */
export interface RecordMaker {
  write(epoch: number, timeUs: bigint, batch: DeltaBatch, spool: Spool): void;
  /** The epoch's changes were all given: what waited for that goes into the spool now. */
  endEpoch(epoch: number, timeUs: bigint, spool: Spool): void;
  /** The epoch will be given again, from its first `write`. */
  rollBack(): void;
}

/** What a courier begins with. */
export interface SpoolContents {
  readonly directory: string;
  readonly start: SpoolPosition;
  readonly end: SpoolPosition;
  /** No later epoch was given away by this server. */
  readonly lastEpoch: number;
}

export interface CourierListener {
  /** All up to `epoch` is delivered, which ends at `position`. */
  onDelivered(epoch: number, position: SpoolPosition): void;
  /** The outside cannot be reached, or can be again (null). */
  onTrouble(reason: string | null): void;
  /** It has given up. */
  onFailed(reason: string): void;
}

export interface Courier {
  /** Whole epochs lie in the spool up to `end`. */
  spooled(end: SpoolPosition): void;
  close(): void;
}

export interface SpooledSinkSetup<Options> {
  readonly options: Options;
  /** null: nothing is kept beyond the process. */
  readonly directory: string | null;
  readonly limits: SpoolLimits;
  readonly maker: RecordMaker;
  /** Also with other options later, whose secrets alone are others. */
  readonly openCourier: (
    options: Options,
    contents: SpoolContents,
    listener: CourierListener,
  ) => Courier;
}

export class SpooledSink<Options> implements SinkWriter {
  readonly #setup: SpooledSinkSetup<Options>;
  #spool: Spool | null = null;
  #courier: Courier | null = null;
  #hasFailed = false;
  /** None before the start was later. */
  #lastEpoch = 0;
  #timeUs = 0n;
  #deliveredEpoch = 0;
  #trouble: string | null = null;
  #failure: string | null = null;

  constructor(setup: SpooledSinkSetup<Options>) {
    this.#setup = setup;
  }

  begin(lastEpoch: number): number {
    const { directory, limits, options } = this.#setup;
    const spool = new Spool(directory, limits);
    this.#spool = spool;
    this.#lastEpoch = lastEpoch;
    this.#connect(options);
    return spool.lastEpoch;
  }

  reconnect(options: Json): void {
    this.#courier?.close();
    this.#failure = null;
    this.#trouble = null;
    this.#connect(options as unknown as Options);
  }

  #connect(options: Options): void {
    const spool = this.#opened;
    const lastEpoch = Math.max(this.#lastEpoch, spool.lastEpoch);
    const { directory, start, end } = spool;
    this.#courier = this.#setup.openCourier(
      options,
      { directory, start, end, lastEpoch },
      {
        onDelivered: (epoch, position) => {
          this.#deliveredEpoch = epoch;
          spool.delivered(position);
        },
        onTrouble: (reason) => {
          this.#trouble = reason;
        },
        onFailed: (reason) => {
          this.#failure = reason;
        },
      },
    );
  }

  get refusal(): string | null {
    return this.#opened.isFull ? (this.#failure ?? this.#trouble ?? 'its spool is full') : null;
  }

  beginSnapshot(epoch: number): void {
    this.#opened.beginSnapshot(epoch);
  }

  write(epoch: number, timeUs: bigint, batch: DeltaBatch): void {
    this.#guarded((spool) => {
      this.#timeUs = timeUs;
      this.#setup.maker.write(epoch, timeUs, batch, spool);
    });
  }

  commit(epoch: number): void {
    this.#guarded((spool) => {
      this.#setup.maker.endEpoch(epoch, this.#timeUs, spool);
      spool.commit(epoch);
      this.#courier?.spooled(spool.end);
    });
  }

  sync(): void {
    this.#opened.sync();
  }

  delivery(): SinkDelivery {
    const error = this.#failure ?? this.#trouble;
    return {
      state:
        this.#failure !== null ? 'failed' : this.#trouble !== null ? 'disconnected' : 'running',
      error,
      deliveredEpoch: this.#deliveredEpoch,
      spooledEpoch: this.#opened.lastEpoch,
      spooledBytes: this.#opened.bytes,
    };
  }

  close(): void {
    this.#courier?.close();
    this.#courier = null;
    this.#spool?.close();
  }

  remove(): void {
    this.#spool?.remove();
  }

  get #opened(): Spool {
    if (this.#spool === null) throw new Error('begin comes first');
    return this.#spool;
  }

  /** After a failure all of the epoch is taken back: the caller gives it again. */
  #guarded(work: (spool: Spool) => void): void {
    const spool = this.#opened;
    try {
      if (this.#hasFailed) {
        this.#setup.maker.rollBack();
        spool.rollBack();
        this.#hasFailed = false;
      }
      work(spool);
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    }
  }
}
