/** A Kafka sink whose transactions hang, as those of brokers that were killed: somebody else writes under its transactional id. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KafkaClient } from '../../connect/kafka/client.ts';
import { transactionalId } from '../../connect/kafka/kafka-sink.ts';
import { OutcomeNote } from '../../connect/kafka/outcome-note.ts';
import { RecordBatchWriter } from '../../connect/kafka/record-batch-writer.ts';
import { BATCH_CODECS } from '../../connect/kafka/record-codecs.ts';
import type { ProducedPartition } from '../../connect/kafka/requests.ts';
import {
  type Leaders,
  produceAll,
  TransactionalProducer,
} from '../../connect/kafka/transaction.ts';
import { committedRecords } from './committed-records.ts';
import type { KafkaScene } from './kafka-scene.ts';

/** Does not get to the end of a transaction. */
class CutClient extends KafkaClient {
  override endTransaction(): Promise<void> {
    return Promise.reject(new Error('cut'));
  }
}

/** Somebody who writes under the transactional id of the sink that delivered last. */
class Impostor {
  readonly #client: KafkaClient;
  readonly #id: string;
  readonly #producer: TransactionalProducer;
  readonly #topic: string;

  private constructor(client: KafkaClient, topic: string, id: string, note: OutcomeNote) {
    this.#client = client;
    this.#topic = topic;
    this.#id = id;
    this.#producer = new TransactionalProducer(client, id, 60_000, note);
  }

  /** `isSink`: it is the sink itself, knows what that has noted, and is cut short before it ends a transaction. */
  static async start(
    { kafka, server }: KafkaScene,
    topic: string,
    isSink: boolean,
  ): Promise<Impostor> {
    const progress = await committedRecords(kafka.bootstrap, 'millrace.sink-progress');
    const [uuid] = progress.at(-1)!.key!.split(' ');
    const notes = isSink
      ? join(server.dataDir, 'sinks', uuid!)
      : mkdtempSync(join(tmpdir(), 'millrace-impostor-'));
    const Client = isSink ? CutClient : KafkaClient;
    const client = new Client({
      brokers: [kafka.bootstrap],
      clientId: 'impostor',
      tls: null,
      sasl: null,
      requestTimeoutMs: 10_000,
      connectTimeoutMs: 10_000,
    });
    const note = new OutcomeNote(notes);
    const impostor = new Impostor(client, topic, transactionalId(uuid!), note);
    await client.metadata([topic]);
    await impostor.#producer.start();
    if (!isSink) rmSync(notes, { recursive: true });
    return impostor;
  }

  get #leaders(): Leaders {
    return new Map([[this.#topic, [1, 1]]]);
  }

  /** Is not committed yet. */
  async write(value: string): Promise<void> {
    await this.#producer.send([this.#batch(0, value)], this.#leaders);
  }

  async commit(): Promise<void> {
    await this.#producer.commit();
  }

  /** Writes to a partition of which the coordinator does not know that it belongs to the transaction. */
  async hang(value: string): Promise<void> {
    await produceAll(this.#client, this.#id, [this.#batch(1, value)], this.#leaders);
  }

  /** Begins to end what hangs, and is cut short. */
  async endHanging(): Promise<void> {
    await assert.rejects(this.#producer.endHanging(this.#leaders), /^Error: cut$/);
  }

  #batch(partition: number, value: string): ProducedPartition {
    const writer = new RecordBatchWriter();
    writer.append(0, null, Buffer.from(value));
    const options = this.#producer.nextBatch(this.#topic, partition, 1);
    return { topic: this.#topic, partition, records: writer.take(options, BATCH_CODECS.none) };
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

/** A sink into a topic of its name, whose transactions lose their ends. */
export class HungSink {
  readonly #scene: KafkaScene;
  readonly #name: string;

  private constructor(scene: KafkaScene, name: string) {
    this.#scene = scene;
    this.#name = name;
  }

  /** It has sent '1'. */
  static async create(scene: KafkaScene, name: string): Promise<HungSink> {
    const { kafka, sql } = scene;
    const options = `WITH (connector = 'kafka', topic = '${name}', properties.bootstrap.server = '${kafka.bootstrap}')`;
    await kafka.createTopic(name, 2);
    await sql.query(`CREATE TABLE ${name} (id int) APPEND ONLY`);
    await sql.query(`CREATE SINK ${name}_out FROM ${name} ${options} FORMAT PLAIN ENCODE CSV`);
    await sql.query(`INSERT INTO ${name} VALUES (1)`);
    await kafka.awaitRecords(name, 1);
    return new HungSink(scene, name);
  }

  async #as(isSink: boolean, work: (impostor: Impostor) => Promise<void>): Promise<void> {
    const impostor = await Impostor.start(this.#scene, this.#name, isSink);
    await work(impostor);
    await impostor.close();
  }

  /** What happens while the server is away. */
  async restartAfter(work: () => Promise<void>): Promise<void> {
    const { server, sql } = this.#scene;
    await server.stop();
    await work();
    await server.restart();
    await sql.reconnect(server.url);
  }

  /** Somebody else takes the id over. */
  other(work: (impostor: Impostor) => Promise<void>): Promise<void> {
    return this.#as(false, work);
  }

  /** The sink starts, and does not get far. */
  starts(work: (impostor: Impostor) => Promise<void> = async () => {}): Promise<void> {
    return this.#as(true, work);
  }

  /** A transaction that is committed, but for one of its two rows. */
  commitHalf(there: string, hanging: string): Promise<void> {
    return this.other(async (impostor) => {
      await impostor.write(there);
      await impostor.hang(hanging);
      await impostor.commit();
    });
  }

  async awaitValues(...values: string[]): Promise<void> {
    const records = await this.#scene.kafka.awaitRecords(this.#name, values.length);
    assert.deepEqual(records.map(({ value }) => value).sort(), values);
  }

  async awaitFailure(error: RegExp): Promise<void> {
    const { sql } = this.#scene;
    const state = (column: string) =>
      `SELECT ${column} FROM millrace.sinks WHERE name = '${this.#name}_out'`;
    await sql.awaitValue(state('state'), 'failed');
    assert.match((await sql.value(state('error'))) ?? '', error);
    await sql.query(`DROP SINK ${this.#name}_out`);
  }
}
