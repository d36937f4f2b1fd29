/** Records that were taken in once and are read again in a recovery, where they come. */

import { fromPortError } from '../../base/threads.ts';
import type { WriterSchema } from '../../formats/message-decoder.ts';
import { kafkaIo } from './io.ts';
import type { FetchedRecords, RangeOptions } from './io-port.ts';
import { RecordWalker } from './record-batch.ts';
import { parseSplitName } from './topic-filter.ts';

/** Records of a split that have come, the first ones perhaps taken already. */
export interface Arrival {
  readonly records: FetchedRecords;
  readonly walker: RecordWalker | null;
  /** The walker stands at a record that was not taken yet. */
  isPending: boolean;
}

export function arrivalOf(records: FetchedRecords): Arrival {
  const walker = records.bytes === null ? null : new RecordWalker(records.bytes);
  return { records, walker, isPending: false };
}

export interface RecordsAgainEvents {
  /** Before the records that need it. */
  onSchema(schemaId: number, schema: WriterSchema): void;
  wake(): void;
}

export class RecordsAgain {
  readonly name: string;
  readonly topicId: string;
  /** The next offset that is wanted. */
  offset: number;
  readonly #id: number;
  readonly #arrivals: Arrival[] = [];
  #usedUp: Arrival[] = [];
  #failure: Error | null = null;
  /** Why nothing comes; null: nothing is wrong. */
  trouble: string | null = null;

  constructor(
    split: string,
    options: Omit<RangeOptions, 'topic' | 'partition'>,
    events: RecordsAgainEvents,
  ) {
    this.name = split;
    this.topicId = options.topicId;
    this.offset = options.from;
    const range = { ...options, ...parseSplitName(split) };
    this.#id = kafkaIo().openRange(range, (message) => {
      if (message.kind === 'records') {
        this.#arrivals.push(arrivalOf(message.records));
        this.trouble = null;
      } else if (message.kind === 'schema') events.onSchema(message.schemaId, message.schema);
      else if (message.kind === 'failed') this.#failure = fromPortError(message.error);
      else if (message.kind === 'trouble') this.trouble = message.reason;
      events.wake();
    });
  }

  /** Whether `read` has something; throws where nothing will come. */
  get hasCome(): boolean {
    if (this.#arrivals.length === 0 && this.#failure !== null) throw this.#failure;
    return this.#arrivals.length > 0;
  }

  /** Lets `take` have what has come, up to `end`, until it has enough (false). What it had, until `giveBack`. */
  read(take: (arrival: Arrival) => boolean, end: number): readonly Arrival[] {
    const had = [...this.#arrivals];
    for (let arrival = this.#arrivals[0]; arrival !== undefined; arrival = this.#arrivals[0]) {
      if (!take(arrival)) {
        // The next record is behind the end, or there are enough rows.
        if (arrival.walker !== null && arrival.walker.offset >= end) this.offset = end;
        break;
      }
      this.offset = Math.max(this.offset, Math.min(end, arrival.records.to));
      if (arrival.records.to > end) break;
      this.#usedUp.push(arrival);
      this.#arrivals.shift();
      if (this.offset >= end) break;
    }
    return had;
  }

  /** The bytes of what `read` has used up are not needed any more. */
  giveBack(): void {
    for (const { records } of this.#usedUp) kafkaIo().taken(this.#id, records.bytes);
    this.#usedUp = [];
  }

  close(): void {
    kafkaIo().close(this.#id);
  }
}
