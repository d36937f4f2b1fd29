/**
 * SpoolDeliverer: delivers the epochs of a spool to a target. Runs on the thread that talks to the outside.
 *
 * Algorithm: `start` of the target tells the last epoch that is there for good; from the first later one on, whole epochs are
 * sent, as many as fit, and committed together; a sink's snapshot, which no time limit of a transaction may stop, in parts
 * (semantics.md rule 30). Whatever goes wrong in between, it starts again and looks at the progress: nothing depends on knowing
 * how a request ended that was not answered.
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

const START_AGAIN =
  'What came between is gone: empty the target, DROP what sends to it and create it again.';

/** What is there for good. */
export interface SpoolProgress {
  /** All epochs up to it; 0: none. */
  readonly epoch: number;
  /** And a part of the snapshot that comes behind it; null: nothing of it. */
  readonly part: { readonly epoch: number; readonly frames: number } | null;
}

export const NO_PROGRESS: SpoolProgress = Object.freeze({ epoch: 0, part: null });

/** Where epochs go. One call at a time; after a failure `start` comes first. */
export interface SpoolTarget {
  /** As errors call it: `topic "a"`. */
  readonly name: string;
  /** What was sent and not committed is forgotten. */
  start(): Promise<SpoolProgress>;
  /** Takes a part of an epoch; it may go out with a later call. */
  send(frame: Frame): Promise<void>;
  /** All up to `progress` was sent: it is there for good when this returns. */
  commit(progress: SpoolProgress): Promise<void>;
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
  readonly #transactionBytes: number;
  readonly #closing = new AbortController();
  #spooled = Promise.withResolvers<void>();
  #end: SpoolPosition;
  /** What lies before it is delivered: whole epochs. */
  #position: SpoolPosition;
  #delivered: SpoolProgress = NO_PROGRESS;
  /** Where the reader is: an epoch, and frames of it that were read. */
  #read = { epoch: 0, frames: 0 };
  /** No later epoch is ours. */
  #lastEpoch: number;
  #reader: SpoolReader | null = null;
  #isInTrouble = false;

  constructor(
    contents: SpoolContents,
    target: SpoolTarget,
    events: SpoolDelivererEvents,
    transactionBytes = TRANSACTION_BYTES,
  ) {
    this.#transactionBytes = transactionBytes;
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
    this.#deliverAll()
      .catch((error: unknown) => {
        if (this.#isClosed) return;
        this.close();
        this.#events.onFailed(error);
      })
      .finally(() => this.#reader?.close());
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
    this.#delivered = { epoch: oldest.epochBefore, part: null };
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
    const progress = await this.#target.start();
    const { epoch } = progress;
    if (epoch > this.#lastEpoch) throw ahead(this.#target.name, epoch, this.#lastEpoch);
    if (epoch < this.#delivered.epoch) this.#goBack(epoch);
    this.#delivered = progress;
    this.#read = { epoch: 0, frames: 0 };
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
    let last: Frame | null = null;
    let byteCount = 0;
    for (let frame = reader.next(this.#end); frame !== null; frame = reader.next(this.#end)) {
      last = frame;
      this.#note(frame);
      if (!this.#isThere) {
        await this.#target.send(frame);
        // Another one may deliver from now on: what was sent and not committed is its to send.
        if (this.#isClosed) return false;
        byteCount += frame.records.length;
      }
      if (this.#endsPart(frame, byteCount)) break;
    }
    if (last === null) return false;
    const progress = last.isLast
      ? { epoch: this.#read.epoch, part: null }
      : { epoch: this.#delivered.epoch, part: this.#read };
    if (isBehind(this.#delivered, progress)) {
      await this.#target.commit(progress);
      this.#delivered = progress;
    }
    if (last.isLast) this.#position = reader.position;
    this.#events.onDelivered(this.#delivered.epoch, reader.position);
    return true;
  }

  /** A snapshot ends by itself: how many of its frames are there counts for no other epoch. */
  #endsPart({ isLast, isSnapshot }: Frame, byteCount: number): boolean {
    if (isSnapshot && isLast) return true;
    return byteCount >= this.#transactionBytes && (isLast || isSnapshot);
  }

  #note({ epoch }: Frame): void {
    this.#lastEpoch = Math.max(this.#lastEpoch, epoch);
    const frames = epoch === this.#read.epoch ? this.#read.frames + 1 : 1;
    this.#read = { epoch, frames };
    const { part } = this.#delivered;
    if (part === null || epoch <= this.#delivered.epoch || epoch === part.epoch) return;
    throw otherPart(this.#target.name, part.epoch, epoch);
  }

  /** The frame that was read last is delivered. */
  get #isThere(): boolean {
    const { epoch, part } = this.#delivered;
    return this.#read.epoch <= epoch || (part !== null && this.#read.frames <= part.frames);
  }

  #calm(): void {
    if (!this.#isInTrouble) return;
    this.#isInTrouble = false;
    this.#events.onTrouble(null);
  }
}

function isBehind(one: SpoolProgress, other: SpoolProgress): boolean {
  if (one.epoch !== other.epoch) return one.epoch < other.epoch;
  return (one.part?.frames ?? 0) < (other.part?.frames ?? 0);
}

function lost(name: string, epoch: number, needed: number): SqlError {
  const message = `${name} holds epoch ${epoch} of this sink, but had ${needed}`;
  return new SqlError('55000', message, { hint: START_AGAIN });
}

/** What was spooled was lost with the power, and came again as of another epoch. */
function otherPart(name: string, epoch: number, ours: number): SqlError {
  const message = `${name} holds a part of the snapshot of epoch ${epoch}, but the snapshot is of epoch ${ours}`;
  return new SqlError('55000', message, { hint: START_AGAIN });
}

function ahead(name: string, epoch: number, last: number): SqlError {
  const message = `${name} holds epoch ${epoch} of this sink, which is ahead of this server's ${last}`;
  return new SqlError('55000', message, {
    hint: 'The data directory is older: was it restored from a backup?',
  });
}
