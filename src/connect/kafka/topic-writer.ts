/**
 * TopicWriter: delivers the epochs of a spool to a topic. Runs on the thread that talks to the brokers.
 *
 * Algorithm: `start` of the delivery tells the last epoch that is there for good; from the first later one on, whole epochs are
 * sent, as many as fit, and committed together. Whatever goes wrong in between, it starts again and looks at the progress:
 * nothing depends on knowing how a request ended that was not answered (kafka.md, pitfalls 13-15).
 * Trouble with brokers is retried for ever, with a growing pause. What cannot be mended by waiting ends the writer: another
 * server that uses its transactional id, a message that the topic refuses, a login that is refused.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { must } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { SpoolPosition } from '../spool/spool.ts';
import { type Frame, recordsOf } from '../spool/spool-frame.ts';
import { SpoolReader } from '../spool/spool-reader.ts';
import type { KafkaClient, ProducedPartition } from './client.ts';
import { AtLeastOnce, type Delivery, ExactlyOnce } from './delivery.ts';
import type { WriterOptions } from './io-port.ts';
import { KAFKA_CODES, KafkaError } from './kafka-error.ts';
import { partitionOf } from './partitioner.ts';
import { RecordBatchWriter } from './record-batch-writer.ts';
import { BATCH_CODECS } from './record-codecs.ts';

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 5000;
/** Epochs are committed together up to so many bytes of records. */
const TRANSACTION_BYTES = 16 * 1024 * 1024;

export interface TopicWriterEvents {
  /** All up to the epoch that ends at `position` is delivered. */
  onDelivered(epoch: number, position: SpoolPosition): void;
  /** null: it is over. */
  onTrouble(reason: string | null): void;
  onFailed(error: unknown): void;
}

export class TopicWriter {
  readonly #client: KafkaClient;
  readonly #options: WriterOptions;
  readonly #events: TopicWriterEvents;
  readonly #delivery: Delivery;
  readonly #closing = new AbortController();
  #spooled = Promise.withResolvers<void>();
  #end: SpoolPosition;
  /** What lies before it is delivered. */
  #position: SpoolPosition;
  #deliveredEpoch = 0;
  /** No later epoch is ours. */
  #lastEpoch: number;
  #reader: SpoolReader | null = null;
  readonly #leaders = new Map<string, readonly number[]>();
  /** Of each partition, what is gathered. */
  #batches: RecordBatchWriter[] = [];
  /** Where records without a key go for now. */
  #keyless = 0;
  /** Of the running transaction, in ms. */
  #beganAt = 0;
  #isInTrouble = false;

  constructor(
    client: KafkaClient,
    options: WriterOptions,
    clock: Clock,
    events: TopicWriterEvents,
  ) {
    this.#client = client;
    this.#options = options;
    this.#events = events;
    const { transaction, directory, config, start, end } = options;
    this.#delivery =
      transaction === null
        ? new AtLeastOnce(client, directory)
        : new ExactlyOnce(client, config, transaction, clock);
    this.#lastEpoch = options.lastEpoch;
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
    for (let retryMs = RETRY_MS_MIN; !this.#isClosed; ) {
      try {
        await this.#start();
        this.#calm();
        while (!this.#isClosed) {
          if (!(await this.#deliverNext())) await this.#spooled.promise;
          retryMs = RETRY_MS_MIN;
        }
      } catch (error) {
        this.#trouble(error);
        await this.#pause(retryMs);
        retryMs = Math.min(2 * retryMs, RETRY_MS_MAX);
      }
    }
  }

  async #start(): Promise<void> {
    const { topic, directory } = this.#options;
    await this.#learnLeaders([topic, ...this.#delivery.topics]);
    const epoch = await this.#delivery.start();
    if (epoch > this.#lastEpoch) throw ahead(topic, epoch, this.#lastEpoch);
    this.#deliveredEpoch = epoch;
    const count = must(this.#leaders.get(topic)).length;
    this.#batches = Array.from({ length: count }, () => new RecordBatchWriter());
    this.#reader?.close();
    this.#reader = new SpoolReader(directory, this.#position);
  }

  async #learnLeaders(topics: readonly string[]): Promise<void> {
    for (const { name, errorCode, partitions } of await this.#client.metadata(topics)) {
      if (errorCode !== 0) throw new KafkaError(`topic "${name}" is not there`, errorCode, 'TOPIC');
      const leaders: number[] = [];
      for (const { partition, leader } of partitions) leaders[partition] = leader;
      this.#leaders.set(name, leaders);
    }
  }

  /** Sends and commits what is there, as far as one transaction goes; false: nothing is. */
  async #deliverNext(): Promise<boolean> {
    const reader = must(this.#reader);
    this.#beganAt = performance.now();
    let epoch = 0;
    let byteCount = 0;
    for (let frame = reader.next(this.#end); frame !== null; frame = reader.next(this.#end)) {
      ({ epoch } = frame);
      this.#lastEpoch = Math.max(this.#lastEpoch, epoch);
      if (epoch > this.#deliveredEpoch) {
        await this.#send(frame);
        byteCount += frame.records.length;
      }
      if (frame.isLast && byteCount >= TRANSACTION_BYTES) break;
    }
    if (epoch === 0) return false;
    if (epoch > this.#deliveredEpoch) {
      await this.#flush();
      await this.#delivery.commit(epoch, this.#leaders);
      this.#deliveredEpoch = epoch;
    }
    this.#position = reader.position;
    this.#events.onDelivered(epoch, this.#position);
    return true;
  }

  async #send(frame: Frame): Promise<void> {
    const { batchBytesMax, epochHeader } = this.#options;
    const headers = epochHeader
      ? [['millrace.epoch', Buffer.from(String(frame.epoch))] as const]
      : [];
    for (const { key, value, timestampMs } of recordsOf(frame)) {
      const partition = key === null ? this.#keyless : partitionOf(key, this.#batches.length);
      const batch = this.#batches[partition]!;
      const size = (key?.length ?? 0) + (value?.length ?? 0) + RECORD_OVERHEAD;
      if (batch.recordCount > 0 && batch.size + size > batchBytesMax) await this.#flush();
      batch.append(timestampMs, key, value, headers);
    }
  }

  /** Everything that was gathered goes out. */
  async #flush(): Promise<void> {
    const { topic, compression } = this.#options;
    const batches: ProducedPartition[] = [];
    for (const [partition, batch] of this.#batches.entries()) {
      if (batch.recordCount === 0) continue;
      const options = this.#delivery.batchOptions(topic, partition, batch.recordCount);
      batches.push({ topic, partition, records: batch.take(options, BATCH_CODECS[compression]) });
    }
    this.#keyless = (this.#keyless + 1) % this.#batches.length;
    if (batches.length > 0) await this.#delivery.send(batches, this.#leaders);
  }

  /** Throws what waiting does not mend. */
  #trouble(error: unknown): void {
    if (!(error instanceof KafkaError)) throw error;
    const { topic, transaction } = this.#options;
    if (error.isAuthentication) throw error.toSqlError('Kafka refused the login');
    if (TOO_LARGE.has(error.code)) throw tooLarge(topic, error);
    if (REFUSED.has(error.code)) throw error.toSqlError(`Kafka refused to write to "${topic}"`);
    // The coordinator fences a transaction also when its time is over.
    const isInTime =
      transaction !== null && performance.now() - this.#beganAt < 0.9 * transaction.timeoutMs;
    if (FENCED.has(error.code) && isInTime) throw fenced(topic);
    this.#isInTrouble = true;
    this.#events.onTrouble(error.message);
  }

  #calm(): void {
    if (!this.#isInTrouble) return;
    this.#isInTrouble = false;
    this.#events.onTrouble(null);
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#closing;
    await delay(ms, undefined, { signal, ref: false }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

/** Bytes of a record beside key and value, at most. */
const RECORD_OVERHEAD = 128;
const FENCED: ReadonlySet<number | null> = new Set([
  KAFKA_CODES.invalidProducerEpoch,
  KAFKA_CODES.producerFenced,
]);
const TOO_LARGE: ReadonlySet<number | null> = new Set([
  KAFKA_CODES.messageTooLarge,
  KAFKA_CODES.recordListTooLarge,
]);
const REFUSED: ReadonlySet<number | null> = new Set([
  KAFKA_CODES.topicAuthorizationFailed,
  KAFKA_CODES.clusterAuthorizationFailed,
  KAFKA_CODES.transactionalIdAuthorizationFailed,
  KAFKA_CODES.invalidTransactionTimeout,
]);

function fenced(topic: string): SqlError {
  return new SqlError('55000', `another server writes to "${topic}" for this sink`, {
    hint: 'Two servers run on copies of one data directory: stop one of them, then restart the other.',
  });
}

function tooLarge(topic: string, { message }: KafkaError): SqlError {
  return new SqlError('54000', `a message is too large for the topic "${topic}": ${message}`, {
    hint: "Raise the topic's max.message.bytes, or lower properties.batch.size.",
  });
}

function ahead(topic: string, epoch: number, last: number): SqlError {
  const message = `the topic "${topic}" holds epoch ${epoch} of this sink, which is ahead of this server's ${last}`;
  return new SqlError('55000', message, {
    hint: 'The data directory is older than the topic: was it restored from a backup?',
  });
}
