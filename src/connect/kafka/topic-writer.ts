/**
 * TopicWriter: the topic that the epochs of a spool are delivered to (spool-deliverer.ts; kafka.md, pitfalls 13-15).
 *
 * A batch that is too large for the topic goes out again as several smaller ones. What cannot be mended by waiting: another
 * server that uses its transactional id, a record that the topic refuses, a login that is refused.
 */

import { isUtf8 } from 'node:buffer';
import { must } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { SpoolProgress, SpoolTarget } from '../spool/spool-deliverer.ts';
import { type Frame, recordSize, recordsOf, type SpoolHeader } from '../spool/spool-frame.ts';
import type { KafkaClient } from './client.ts';
import { AtLeastOnce, type Delivery, ExactlyOnce } from './delivery.ts';
import type { WriterOptions } from './io-port.ts';
import { BatchRefused, KAFKA_CODES, KafkaError } from './kafka-error.ts';
import { partitionOf } from './partitioner.ts';
import { RecordBatchWriter } from './record-batch-writer.ts';
import { BATCH_CODECS } from './record-codecs.ts';
import type { ProducedPartition } from './requests.ts';

/** A batch as it was sent. */
interface SentBatch {
  readonly recordCount: number;
  readonly byteCount: number;
  readonly uncompressedByteCount: number;
  /** Of its first record. */
  readonly key: Buffer | null;
}

export class TopicWriter implements SpoolTarget {
  readonly name: string;
  readonly #client: KafkaClient;
  readonly #options: WriterOptions;
  readonly #delivery: Delivery;
  readonly #leaders = new Map<string, readonly number[]>();
  /** Of each partition, what is gathered. */
  #batches: RecordBatchWriter[] = [];
  /** Of each partition, the key of the first record that is gathered. */
  #firstKeys: (Buffer | null)[] = [];
  /** Of all partitions. */
  #gatheredBytes = 0;
  #batchBytesMax: number;
  /** By partition: the last request. */
  readonly #sent = new Map<number, SentBatch>();
  /** Where records without a key go for now. */
  #keyless = 0;
  /** When the running transaction began, in ms; null: none is running. */
  #beganAt: number | null = null;

  constructor(client: KafkaClient, options: WriterOptions, clock: Clock) {
    const { transaction, directory, config, topic } = options;
    this.name = `topic "${topic}"`;
    this.#client = client;
    this.#options = options;
    this.#batchBytesMax = options.batchBytesMax;
    this.#delivery =
      transaction === null
        ? new AtLeastOnce(client, directory)
        : new ExactlyOnce(client, config, transaction, directory, clock);
  }

  async start(): Promise<SpoolProgress> {
    const { topic } = this.#options;
    this.#beganAt = null;
    await this.#learnLeaders([topic, ...this.#delivery.topics]);
    const progress = await this.#delivery.start(this.#leaders);
    const count = must(this.#leaders.get(topic)).length;
    this.#batches = Array.from({ length: count }, () => new RecordBatchWriter());
    this.#gatheredBytes = 0;
    return progress;
  }

  async send(frame: Frame): Promise<void> {
    this.#beganAt ??= performance.now();
    const { epochHeader } = this.#options;
    const common: readonly SpoolHeader[] = epochHeader
      ? [['millrace.epoch', Buffer.from(String(frame.epoch))]]
      : [];
    for (const { key, value, timestampMs, headers } of recordsOf(frame)) {
      const partition = key === null ? this.#keyless : partitionOf(key, this.#batches.length);
      const batch = this.#batches[partition]!;
      const size = recordSize(key, value, headers) + RECORD_OVERHEAD;
      const isFull = batch.recordCount > 0 && batch.size + size > this.#batchBytesMax;
      if (isFull || this.#gatheredBytes + size > REQUEST_BYTES_MAX) await this.#flush();
      if (batch.recordCount === 0)
        this.#firstKeys[partition] = key === null ? null : Buffer.from(key);
      this.#gatheredBytes += size;
      batch.append(timestampMs, key, value, [...headers, ...common]);
    }
  }

  async commit(progress: SpoolProgress): Promise<void> {
    await this.#flush();
    await this.#delivery.commit(progress, this.#leaders);
    this.#beganAt = null;
  }

  explain(error: unknown): string {
    if (!(error instanceof KafkaError)) throw error;
    const { topic } = this.#options;
    if (error.isAuthentication) throw error.toSqlError('Kafka refused the login');
    if (TOO_LARGE.has(error.code)) return this.#shrink(error);
    if (REFUSED.has(error.code)) throw error.toSqlError(`Kafka refused to write to "${topic}"`);
    if (FENCED.has(error.code) && this.#isInTime) throw fenced(topic);
    return error.message;
  }

  /** Batches are smaller from now on. Throws where a record alone is too large. */
  #shrink(error: KafkaError): string {
    const { topic } = this.#options;
    if (!(error instanceof BatchRefused) || error.topic !== topic) return error.message;
    const sent = must(this.#sent.get(error.partition), 'a batch that was refused was sent');
    if (sent.recordCount === 1) throw tooLarge(topic, sent);
    this.#batchBytesMax = Math.floor(sent.uncompressedByteCount / SHRINK_FACTOR);
    return `"${topic}" takes no batches of ${sent.byteCount} bytes: smaller ones follow`;
  }

  /** The coordinator fences a transaction also when its time is over. */
  get #isInTime(): boolean {
    const { transaction } = this.#options;
    if (transaction === null || this.#beganAt === null) return false;
    return performance.now() - this.#beganAt < 0.9 * transaction.timeoutMs;
  }

  async #learnLeaders(topics: readonly string[]): Promise<void> {
    for (const { name, errorCode, partitions } of await this.#client.metadata(topics)) {
      if (errorCode !== 0) throw new KafkaError(`topic "${name}" is not there`, errorCode, 'TOPIC');
      const leaders: number[] = [];
      for (const { partition, leader } of partitions) leaders[partition] = leader;
      this.#leaders.set(name, leaders);
    }
  }

  /** Everything that was gathered goes out. */
  async #flush(): Promise<void> {
    const { topic, compression } = this.#options;
    const batches: ProducedPartition[] = [];
    this.#sent.clear();
    for (const [partition, batch] of this.#batches.entries()) {
      const { recordCount, size: uncompressedByteCount } = batch;
      if (recordCount === 0) continue;
      const options = this.#delivery.batchOptions(topic, partition, recordCount);
      const records = batch.take(options, BATCH_CODECS[compression]);
      batches.push({ topic, partition, records });
      const { length: byteCount } = records;
      const key = this.#firstKeys[partition] ?? null;
      this.#sent.set(partition, { recordCount, byteCount, uncompressedByteCount, key });
    }
    this.#keyless = (this.#keyless + 1) % this.#batches.length;
    this.#gatheredBytes = 0;
    if (batches.length === 0) return;
    await this.#delivery.send(batches, this.#leaders);
  }
}

/** Bytes of a record beside key, value and headers, at most. */
const RECORD_OVERHEAD = 128;
/** Brokers take requests of 100 MiB unless they are told otherwise. */
const REQUEST_BYTES_MAX = 64 * 1024 * 1024;
const SHRINK_FACTOR = 4;
const KEY_LENGTH_SHOWN = 100;
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

function tooLarge(topic: string, { byteCount, key }: SentBatch): SqlError {
  const shown = key === null ? '' : ` (key ${shownKey(key)})`;
  const message = `a record of ${byteCount} bytes${shown} is too large for the topic "${topic}"`;
  return new SqlError('54000', message, {
    hint: "Raise the topic's max.message.bytes, then RESUME SINK (for dead letters RESUME SOURCE).",
  });
}

/** As text where it is one. */
function shownKey(key: Buffer): string {
  const text = isUtf8(key) ? key.toString() : `\\x${key.toString('hex')}`;
  return text.length > KEY_LENGTH_SHOWN ? `${text.slice(0, KEY_LENGTH_SHOWN)}...` : text;
}
