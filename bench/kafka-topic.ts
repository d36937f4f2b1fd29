/** A topic that benchmarks write to, in record batches of their own. */

import { KafkaClient } from '../src/connect/kafka/client.ts';
import { isStaleMetadata } from '../src/connect/kafka/kafka-error.ts';
import { PLAIN_BATCH, type RecordBatchWriter } from '../src/connect/kafka/record-batch-writer.ts';
import { BATCH_CODECS } from '../src/connect/kafka/record-codecs.ts';

const RETRY_MS = 50;

export function benchClient(bootstrap: string): KafkaClient {
  return new KafkaClient({
    brokers: bootstrap.split(','),
    clientId: 'bench',
    tls: null,
    sasl: null,
    requestTimeoutMs: 30_000,
    connectTimeoutMs: 10_000,
  });
}

export class KafkaTopic {
  readonly partitionCount: number;
  readonly #client: KafkaClient;
  readonly #name: string;
  readonly #leaders: readonly number[];

  private constructor(client: KafkaClient, name: string, leaders: readonly number[]) {
    this.partitionCount = leaders.length;
    this.#client = client;
    this.#name = name;
    this.#leaders = leaders;
  }

  /** Makes the topic where it is missing, and waits until all its partitions have leaders. */
  static async open(client: KafkaClient, name: string, count: number): Promise<KafkaTopic> {
    await client.createTopic(name, count, {}, 1);
    for (;;) {
      const [found] = await client.metadata([name]);
      const partitions = [...(found?.partitions ?? [])].sort((a, b) => a.partition - b.partition);
      const leaders = partitions.map(({ leader }) => leader);
      if (leaders.length === count && leaders.every((leader) => leader >= 0)) {
        return new KafkaTopic(client, name, leaders);
      }
      await pause();
    }
  }

  /** Sends what was gathered; it is there when this ends. */
  async send(partition: number, writer: RecordBatchWriter): Promise<void> {
    const records = writer.take(PLAIN_BATCH, BATCH_CODECS.none);
    const batch = { topic: this.#name, partition, records };
    for (;;) {
      const [result] = await this.#client.produce(this.#leaders[partition]!, null, [batch]);
      if (result?.errorCode === 0) return;
      // A new topic's leader does not know of it at once.
      if (result === undefined || !isStaleMetadata(result.errorCode)) {
        throw new Error(`producing failed: code ${result?.errorCode}`);
      }
      await pause();
    }
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RETRY_MS));
}
