/**
 * A Kafka for the tests of one file, with what tests do beside it: topics, producers, a reader that is not ours (kafkajs, the
 * independent witness). Where Kafka cannot be started the tests are skipped with the reason; in CI that is a failure.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import kafkajs, {
  type Admin,
  type Consumer,
  type KafkaMessage,
  type Message,
  type Producer,
} from 'kafkajs';
import { polled } from '../polled.ts';
import { missingCommands } from '../services/debian.ts';
import { KafkaCluster, type KafkaOptions } from '../services/kafka.ts';
import { type CommittedRecord, committedRecords } from './committed-records.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel } = kafkajs;
const { ResourcePatternTypes } = kafkajs;

/** false: Kafka can be started; else why the tests are skipped. Throws in CI, where it has to be there. */
export function kafkaSkip(): string | false {
  const missing = missingCommands();
  if (missing.length === 0) return false;
  const reason = `no Kafka without ${missing.join(', ')}`;
  if (process.env.CI === 'true') throw new Error(reason);
  return reason;
}

async function checkLeaders(admin: Admin, topic: string, partitionCount: number): Promise<void> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const led = topics[0]!.partitions.filter(({ leader }) => leader >= 0);
  // The witness leaves out records of partitions that it has not heard of.
  if (led.length !== partitionCount) throw new NoLeaderError(topic);
}

class NoLeaderError extends Error {
  readonly retriable = true;
}

/** The witness gives up at a broker that is gone, or has not heard of a topic: asked again it finds another. */
export async function persistently<T>(work: () => Promise<T>): Promise<T> {
  const once = (): Promise<{ value: T } | { error: unknown }> =>
    work().then(
      (value) => ({ value }),
      (error: unknown) => {
        if (!mayPass(error)) throw error;
        return { error };
      },
    );
  const outcome = await polled(once, (one) => 'value' in one);
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

function mayPass(error: unknown): boolean {
  const { retriable, name } = error as { retriable?: boolean; name: string };
  return retriable === true || name === 'KafkaJSNumberOfRetriesExceeded';
}

export class KafkaFixture {
  readonly cluster: KafkaCluster;
  readonly #kafka: kafkajs.Kafka;
  readonly #producers: Producer[] = [];

  private constructor(cluster: KafkaCluster) {
    this.cluster = cluster;
    this.#kafka = new Kafka({
      clientId: 'witness',
      brokers: cluster.bootstrap().split(','),
      logLevel: logLevel.NOTHING,
      retry: { retries: 30, initialRetryTime: 50, maxRetryTime: 1000 },
    });
  }

  static async start(options: KafkaOptions = {}): Promise<KafkaFixture> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-'));
    return new KafkaFixture(await KafkaCluster.start(directory, options));
  }

  get bootstrap(): string {
    return this.cluster.bootstrap();
  }

  /** A PEM file of the cluster's certificates. */
  pem(name: string): string {
    return readFileSync(join(this.cluster.certificates, name), 'utf8');
  }

  async createTopic(
    topic: string,
    partitionCount = 1,
    configs: Readonly<Record<string, string>> = {},
    replicationFactor = 1,
  ): Promise<void> {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
    await this.#admin(async (admin) => {
      await admin.createTopics({
        waitForLeaders: false,
        topics: [{ topic, numPartitions: partitionCount, replicationFactor, configEntries }],
      });
    });
    await this.#admin((admin) => persistently(() => checkLeaders(admin, topic, partitionCount)));
  }

  /** The number of the broker that leads the partition. */
  async leader(topic: string, partition: number): Promise<number> {
    const { topics } = await this.#admin((admin) => admin.fetchTopicMetadata({ topics: [topic] }));
    const found = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition);
    if (found === undefined) throw new Error(`${topic} has no partition ${partition}`);
    return found.leader;
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.#admin((admin) => admin.deleteTopics({ topics: [topic] }));
  }

  async setPartitions(topic: string, count: number): Promise<void> {
    await this.#admin((admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] }));
    await this.#admin((admin) => persistently(() => checkLeaders(admin, topic, count)));
  }

  /** From now on this user alone may see the topic, and do nothing else with it. */
  async showOnlyTo(user: string, topic: string): Promise<void> {
    const acl = {
      resourceType: AclResourceTypes.TOPIC,
      resourceName: topic,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: `User:${user}`,
      host: '*',
      operation: AclOperationTypes.DESCRIBE,
      permissionType: AclPermissionTypes.ALLOW,
    };
    await this.#admin((admin) => admin.createAcls({ acl: [acl] }));
  }

  /** What a read_committed reader finds in a topic, once it has so many records, and no more. */
  async awaitRecords(topic: string, count: number): Promise<CommittedRecord[]> {
    const records = await polled(
      () => committedRecords(this.bootstrap, topic),
      ({ length }) => length >= count,
    );
    assert.equal(records.length, count, JSON.stringify(records.slice(-20)));
    return records;
  }

  /** The offset behind the last record of a topic's first partition. */
  async endOffset(topic: string): Promise<number> {
    const [first] = await this.#admin((admin) => admin.fetchTopicOffsets(topic));
    return Number(first!.high);
  }

  async configureTopic(topic: string, configs: Readonly<Record<string, string>>): Promise<void> {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
    const type = kafkajs.ConfigResourceTypes.TOPIC;
    await this.#admin((admin) =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [{ type, name: topic, configEntries }],
      }),
    );
  }

  /** Records before `offset` go, as retention lets them. */
  async deleteRecords(topic: string, partition: number, offset: number): Promise<void> {
    await this.#admin(async (admin) => {
      // The witness finds no leader of a topic that it has not looked at.
      await admin.fetchTopicMetadata({ topics: [topic] });
      await admin.deleteTopicRecords({
        topic,
        partitions: [{ partition, offset: String(offset) }],
      });
    });
  }

  async send(topic: string, messages: readonly Message[]): Promise<void> {
    const producer = this.#producers[0] ?? (await this.producer());
    await producer.send({ topic, messages: [...messages] });
  }

  /** The first `count` records of a topic, as the witness reads them, as texts. */
  async consume(
    topic: string,
    count: number,
  ): Promise<{ key: string | null; value: string | null }[]> {
    const records = await this.consumeBytes(topic, count);
    return records.map(({ key, value }) => ({
      key: key?.toString() ?? null,
      value: value?.toString() ?? null,
    }));
  }

  async consumeBytes(
    topic: string,
    count: number,
  ): Promise<{ key: Buffer | null; value: Buffer | null }[]> {
    const messages = await this.consumeMessages(topic, count);
    return messages.map(({ key, value }) => ({ key, value }));
  }

  /** The first `count` records of a topic, with headers and times. */
  async consumeMessages(topic: string, count: number): Promise<KafkaMessage[]> {
    const consumer = this.#kafka.consumer({ groupId: `witness-${topic}`, readUncommitted: false });
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      const { promise, resolve } = Promise.withResolvers<void>();
      const seen: KafkaMessage[] = [];
      await consumer.run({
        eachMessage: ({ message }) => {
          seen.push(message);
          if (seen.length === count) resolve();
          return Promise.resolve();
        },
      });
      await promise;
      return seen;
    } finally {
      await consumer.disconnect();
    }
  }

  /** What is noted under a group of consumers, by partition; -1: nothing. */
  async committedOffsets(groupId: string, topic: string): Promise<number[]> {
    const [noted] = await this.#admin((admin) =>
      // A coordinator that still loads says so.
      persistently(() => admin.fetchOffsets({ groupId, topics: [topic] })),
    );
    const byPartition = [...noted!.partitions].sort((a, b) => a.partition - b.partition);
    return byPartition.map(({ offset }) => Number(offset));
  }

  /** Notes an offset for partition 0, as an operator may. */
  async setCommittedOffset(groupId: string, topic: string, offset: number): Promise<void> {
    const partitions = [{ partition: 0, offset: String(offset) }];
    await this.#admin((admin) =>
      persistently(() => admin.setOffsets({ groupId, topic, partitions })),
    );
  }

  /** A consumer of the witness that is a member of the group as of now, and reads nothing. */
  async member(groupId: string, topic: string): Promise<Consumer> {
    const consumer = this.#kafka.consumer({ groupId });
    const joined = Promise.withResolvers<void>();
    consumer.on('consumer.group_join', () => joined.resolve());
    await persistently(() => consumer.connect());
    await consumer.subscribe({ topic });
    await consumer.run({ autoCommit: false, eachMessage: () => Promise.resolve() });
    await joined.promise;
    return consumer;
  }

  /** A producer of the witness; transactional with an id. */
  async producer(transactionalId?: string): Promise<Producer> {
    // Idempotent: what is not answered in time is sent again.
    const options = { idempotent: true, maxInFlightRequests: 1 };
    const producer = this.#kafka.producer(
      transactionalId === undefined ? options : { ...options, transactionalId },
    );
    await persistently(() => producer.connect());
    if (transactionalId === undefined) this.#producers.push(producer);
    return producer;
  }

  /** Aborts what a producer with this id has open, although its coordinator may be gone. */
  async abort(transactionalId: string): Promise<void> {
    const producer = await this.producer(transactionalId);
    await (await persistently(() => producer.transaction())).abort();
    await producer.disconnect();
  }

  async dispose(): Promise<void> {
    for (const producer of this.#producers) await producer.disconnect();
    await this.cluster.dispose();
  }

  async #admin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = this.#kafka.admin();
    try {
      await persistently(() => admin.connect());
      return await work(admin);
    } finally {
      await admin.disconnect();
    }
  }
}
