/** What CREATE asks the brokers, once: the login is right, the topics are there, transactions are allowed. */

import { SystemClock } from '../../base/clock.ts';
import { SqlError } from '../../base/sql-error.ts';
import { badValue } from '../options.ts';
import { registerSinkEncoding } from '../sink-encodings.ts';
import type { Json } from '../source.ts';
import { KafkaClient, type KafkaConfig } from './client.ts';
import { KAFKA_CODES, KafkaError } from './kafka-error.ts';
import { type KafkaSinkOptions, transactionalId } from './kafka-sink.ts';
import type { KafkaSourceOptions } from './kafka-source.ts';
import { ensureProgressTopic } from './progress-topic.ts';
import { TopicFilter } from './topic-filter.ts';
import { startProducer } from './transaction.ts';

export async function probeKafkaSource(checked: Json): Promise<void> {
  const { config, selection } = checked as unknown as KafkaSourceOptions;
  await askBrokers(config, async (client) => {
    const topics = await new TopicFilter(selection).topics(client);
    const missing = topics.find(({ errorCode }) => errorCode !== 0);
    if (missing !== undefined) throw noTopic(missing.name, config);
  });
}

/** Gives the options with the ids of the schemas that were registered. */
export function probeKafkaSink(checked: Json, uuid: string): Promise<Json> {
  const options = checked as unknown as KafkaSinkOptions;
  const { config, topic, isExactlyOnce, progressTopic } = options;
  return askBrokers(config, async (client) => {
    const [found] = await client.metadata([topic]);
    if (found?.errorCode !== 0) {
      throw noTopic(topic, config, 'Make it first, with as many partitions as it shall have. ');
    }
    if (isExactlyOnce) {
      await ensureProgressTopic(client, progressTopic);
      await checkTransactions(client, options, uuid);
    }
    return (await withSchemas(options)) as unknown as Json;
  });
}

/** Asks, and lets go of the connections; what fails is an error as of a statement. */
export async function askBrokers<T>(
  config: KafkaConfig,
  ask: (client: KafkaClient) => Promise<T>,
): Promise<T> {
  const client = new KafkaClient(config);
  try {
    return await ask(client);
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    throw error.toSqlError(`could not reach Kafka at ${config.brokers.join(', ')}`);
  } finally {
    await client.close();
  }
}

function noTopic(topic: string, { brokers }: KafkaConfig, advice = ''): SqlError {
  const hint = `${advice}Brokers asked: ${brokers.join(', ')}.`;
  return new SqlError('42704', `Kafka has no topic "${topic}"`, { hint });
}

/** Schemas of key and value are registered once: their ids are kept with the options. */
async function withSchemas(options: KafkaSinkOptions): Promise<KafkaSinkOptions> {
  const clock = new SystemClock();
  const { keyEncoding, encoding } = options;
  return {
    ...options,
    keyEncoding: keyEncoding === null ? null : await registerSinkEncoding(keyEncoding, clock),
    encoding: await registerSinkEncoding(encoding, clock),
  };
}

async function checkTransactions(
  client: KafkaClient,
  { transactionTimeoutMs }: KafkaSinkOptions,
  uuid: string,
): Promise<void> {
  try {
    await startProducer(client, transactionalId(uuid), transactionTimeoutMs);
  } catch (error) {
    if (!(error instanceof KafkaError) || error.code !== KAFKA_CODES.invalidTransactionTimeout) {
      throw error;
    }
    const name = 'properties.transaction.timeout.ms';
    const wanted = "no more than the brokers' transaction.max.timeout.ms";
    throw badValue('connector "kafka"', name, String(transactionTimeoutMs), wanted);
  }
}
