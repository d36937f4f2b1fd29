/**
 * SpoolDeliverer: delivers the epochs of a spool to a target. Runs on the thread that talks to the outside.
 *
 * Algorithm: `start` of the target tells the last epoch that is there for good; from the first later one on, whole epochs are
 * sent, as many as fit, and committed together. Whatever goes wrong in between, it starts again and looks at the progress:
 * nothing depends on knowing how a request ended that was not answered.
 * Trouble is retried for ever, with a growing pause; what the target says cannot be mended by waiting ends the delivery.
 */

import { must } from '../../base/assert.ts';
import { pause } from '../../base/pause.ts';
import { SqlError } from '../../base/sql-error.ts';
import { type SpoolPosition, segmentsOf } from './spool.ts';
import type { Frame } from './spool-frame.ts';
import { SpoolReader } from './spool-reader.ts';
import type { SpoolContents } from './spooled-sink.ts';

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 5000;
/** Epochs are committed together up to so many bytes of records. */
const TRANSACTION_BYTES = 16 * 1024 * 1024;

/** Where epochs go. One call at a time; after a failure `start` comes first. */
export interface SpoolTarget {
  /** As errors call it: `topic "a"`. */
  readonly name: string;
  /** What was sent and not committed is forgotten. Gives the last epoch that is there for good; 0: none. */
  start(): Promise<number>;
  /** Takes a part of an epoch; it may go out with a later call. */
  send(frame: Frame): Promise<void>;
  /** All epochs up to `epoch` were sent: they are there for good when this returns. */
  commit(epoch: number): Promise<void>;
  /** The reason, where waiting may mend it; throws where it cannot. */
  explain(error: unknown): string;
}

export interface SpoolDelivererEvents {
  /** All up to the epoch that ends at `position` is delivered. */
  onDelivered(epoch: number, position: SpoolPosition): void;
  /** null: it is over. */
  onTrouble(reason: string | null): void;
  onFailed(error: unknown): void;
}

export class SpoolDeliverer {
  readonly #target: SpoolTarget;
  readonly #directory: string;
  readonly #events: SpoolDelivererEvents;
  readonly #closing = new AbortController();
  #spooled = Promise.withResolvers<void>();
  #end: SpoolPosition;
  /** What lies before it is delivered. */
  #position: SpoolPosition;
  #deliveredEpoch = 0;
  /** No later epoch is ours. */
  #lastEpoch: number;
  #reader: SpoolReader | null = null;
  #isInTrouble = false;

  constructor(contents: SpoolContents, target: SpoolTarget, events: SpoolDelivererEvents) {
    const { directory, start, end, lastEpoch } = contents;
    this.#target = target;
    this.#directory = directory;
    this.#events = events;
    this.#lastEpoch = lastEpoch;
    this.#position = start;
    this.#end = end;
  }

  /** Delivers until it is closed or fails. */
  run(): void {
    this.#deliverAll().catch((error: unknown) => {
      if (this.#isClosed) return;
      this.close();
      this.#events.onFailed(error);
    });
  }

  /** Whole epochs lie in the spool up to `end`. */
  spooled(end: SpoolPosition): void {
    this.#end = end;
    this.#spooled.resolve();
    this.#spooled = Promise.withResolvers();
  }

  close(): void {
    this.#closing.abort();
    this.#spooled.resolve();
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #deliverAll(): Promise<void> {
    // A sink that was dropped at once has no spool any more: that ends its own delivery, not the thread.
    const oldest = must(segmentsOf(this.#directory)[0], `${this.#target.name} has lost its spool`);
    this.#deliveredEpoch = oldest.epochBefore;
    for (let retryMs = RETRY_MS_MIN; !this.#isClosed; ) {
      try {
        await this.#start();
        this.#calm();
        while (!this.#isClosed) {
          if (!(await this.#deliverNext())) await this.#spooled.promise;
          retryMs = RETRY_MS_MIN;
        }
      } catch (error) {
        const reason = this.#target.explain(error);
        this.#isInTrouble = true;
        this.#events.onTrouble(reason);
        await pause(retryMs, this.#closing.signal);
        retryMs = Math.min(2 * retryMs, RETRY_MS_MAX);
      }
    }
  }

  async #start(): Promise<void> {
    const epoch = await this.#target.start();
    if (epoch > this.#lastEpoch) throw ahead(this.#target.name, epoch, this.#lastEpoch);
    if (epoch < this.#deliveredEpoch) this.#goBack(epoch);
    this.#deliveredEpoch = epoch;
    this.#reader?.close();
    this.#reader = new SpoolReader(this.#directory, this.#position);
  }

  /** The target has lost what it had (a failover, a backup): as far as the spool still holds it, it is sent again. */
  #goBack(epoch: number): void {
    const oldest = must(segmentsOf(this.#directory)[0]);
    if (epoch < oldest.epochBefore) throw lost(this.#target.name, epoch, oldest.epochBefore);
    this.#position = { segment: oldest.number, offset: 0 };
  }

  /** Sends and commits what is there, as far as one transaction goes; false: nothing is. */
  async #deliverNext(): Promise<boolean> {
    const reader = must(this.#reader);
    let epoch = 0;
    let byteCount = 0;
    for (let frame = reader.next(this.#end); frame !== null; frame = reader.next(this.#end)) {
      ({ epoch } = frame);
      this.#lastEpoch = Math.max(this.#lastEpoch, epoch);
      if (epoch > this.#deliveredEpoch) {
        await this.#target.send(frame);
        byteCount += frame.records.length;
      }
      if (frame.isLast && byteCount >= TRANSACTION_BYTES) break;
    }
    if (epoch === 0) return false;
    if (epoch > this.#deliveredEpoch) {
      await this.#target.commit(epoch);
      this.#deliveredEpoch = epoch;
    }
    this.#position = reader.position;
    this.#events.onDelivered(epoch, this.#position);
    return true;
  }

  #calm(): void {
    if (!this.#isInTrouble) return;
    this.#isInTrouble = false;
    this.#events.onTrouble(null);
  }
}

function lost(name: string, epoch: number, needed: number): SqlError {
  const message = `${name} holds epoch ${epoch} of this sink, but had ${needed}`;
  return new SqlError('55000', message, {
    hint: 'What came between is gone: empty the target, DROP what sends to it and create it again.',
  });
}

function ahead(name: string, epoch: number, last: number): SqlError {
  const message = `${name} holds epoch ${epoch} of this sink, which is ahead of this server's ${last}`;
  return new SqlError('55000', message, {
    hint: 'The data directory is older: was it restored from a backup?',
  });
}
