/** How the epochs of a sink reach the brokers for good: in transactions with their progress, or at least once. */

import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { NO_PROGRESS, type SpoolProgress } from '../spool/spool-deliverer.ts';
import type { KafkaClient } from './client.ts';
import type { KafkaConfig } from './kafka-config.ts';
import { OutcomeNote } from './outcome-note.ts';
import {
  PROGRESS_PARTITION,
  parseProgress,
  progressRecord,
  readProgress,
} from './progress-topic.ts';
import { type BatchOptions, PLAIN_BATCH, RecordBatchWriter } from './record-batch-writer.ts';
import { BATCH_CODECS } from './record-codecs.ts';
import type { ProducedPartition } from './requests.ts';
import { type Leaders, produceAll, TransactionalProducer } from './transaction.ts';

/** One call at a time. After a failure `start` comes first, and what was sent since the last commit is sent again. */
export interface Delivery {
  /** Topics whose leaders it needs besides the sink's own. */
  readonly topics: readonly string[];
  /** What was delivered. `leaders`: of all partitions that are written to. */
  start(leaders: Leaders): Promise<SpoolProgress>;
  /** How the next batch for a partition is marked. */
  batchOptions(topic: string, partition: number, recordCount: number): BatchOptions;
  /** At most one batch for each partition. */
  send(batches: readonly ProducedPartition[], leaders: Leaders): Promise<void>;
  /** All up to `progress` was sent. */
  commit(progress: SpoolProgress, leaders: Leaders): Promise<void>;
}

export interface TransactionOptions {
  readonly id: string;
  readonly timeoutMs: number;
  readonly progressTopic: string;
  /** Its progress is kept under. */
  readonly progressKey: string;
}

export class ExactlyOnce implements Delivery {
  readonly topics: readonly string[];
  readonly #client: KafkaClient;
  readonly #config: KafkaConfig;
  readonly #clock: Clock;
  readonly #options: TransactionOptions;
  readonly #producer: TransactionalProducer;
  readonly #progress = new RecordBatchWriter();

  /** `directory`: of the sink, for what it has to note. */
  constructor(
    client: KafkaClient,
    config: KafkaConfig,
    options: TransactionOptions,
    directory: string,
    clock: Clock,
  ) {
    this.#client = client;
    this.#clock = clock;
    this.#config = config;
    this.#options = options;
    this.topics = [options.progressTopic];
    this.#producer = new TransactionalProducer(
      client,
      options.id,
      options.timeoutMs,
      new OutcomeNote(directory),
    );
  }

  async start(leaders: Leaders): Promise<SpoolProgress> {
    await this.#producer.start();
    await this.#producer.endHanging(leaders);
    const { progressTopic, progressKey } = this.#options;
    return readProgress(this.#client, this.#config, progressTopic, progressKey);
  }

  batchOptions(topic: string, partition: number, recordCount: number): BatchOptions {
    return this.#producer.nextBatch(topic, partition, recordCount);
  }

  send(batches: readonly ProducedPartition[], leaders: Leaders): Promise<void> {
    return this.#producer.send(batches, leaders);
  }

  async commit(progress: SpoolProgress, leaders: Leaders): Promise<void> {
    const { progressTopic: topic, progressKey } = this.#options;
    const partition = PROGRESS_PARTITION;
    const nowMs = Number(this.#clock.wallUs() / 1000n);
    this.#progress.append(nowMs, Buffer.from(progressKey), progressRecord(progress));
    const options = this.#producer.nextBatch(topic, partition, 1);
    const records = this.#progress.take(options, BATCH_CODECS.none);
    await this.#producer.send([{ topic, partition, records }], leaders);
    await this.#producer.commit();
  }
}

/** Keeps the progress in a file: what was sent after the last note is sent again after a crash. */
export class AtLeastOnce implements Delivery {
  readonly topics: readonly string[] = [];
  readonly #client: KafkaClient;
  readonly #note: string;

  constructor(client: KafkaClient, directory: string) {
    this.#client = client;
    this.#note = path.join(directory, 'delivered');
  }

  start(): Promise<SpoolProgress> {
    if (!fs.existsSync(this.#note)) return Promise.resolve(NO_PROGRESS);
    return Promise.resolve(parseProgress(fs.readFileSync(this.#note, 'utf8')));
  }

  batchOptions(): BatchOptions {
    return PLAIN_BATCH;
  }

  send(batches: readonly ProducedPartition[], leaders: Leaders): Promise<void> {
    return produceAll(this.#client, null, batches, leaders);
  }

  commit(progress: SpoolProgress): Promise<void> {
    fs.writeFileSync(`${this.#note}.new`, progressRecord(progress), { mode: 0o600 });
    fs.renameSync(`${this.#note}.new`, this.#note);
    return Promise.resolve();
  }
}
