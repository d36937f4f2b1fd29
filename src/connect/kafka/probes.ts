/** What CREATE asks the brokers, once: the login is right, the topics are there, transactions are allowed. */

import { must } from '../../base/assert.ts';
import { SystemClock } from '../../base/clock.ts';
import { SqlError } from '../../base/sql-error.ts';
import { badValue, OptionError, placeOf } from '../options.ts';
import { registerSinkEncoding } from '../sink-encodings.ts';
import type { Json } from '../source.ts';
import { KafkaClient, type TopicMetadata } from './client.ts';
import type { KafkaConfig } from './kafka-config.ts';
import { KAFKA_CODES, KafkaError } from './kafka-error.ts';
import { type KafkaSinkOptions, type TopicDelivery, transactionalId } from './kafka-sink.ts';
import type { KafkaSourceOptions } from './kafka-source.ts';
import { LETTER_TOPIC, letterDelivery } from './letter-topic.ts';
import { ensureProgressTopic } from './progress-topic.ts';
import { TopicFilter } from './topic-filter.ts';
import { startProducer } from './transaction.ts';

const OWNER = 'connector "kafka"';

/** Which options say how records reach a topic; `timeout` null: none says how long a transaction may take. */
interface DeliveryOptions {
  readonly topic: string;
  readonly progressTopic: string;
  readonly timeout: string | null;
}

const SINK_OPTIONS: DeliveryOptions = {
  topic: 'topic',
  progressTopic: 'progress.topic',
  timeout: 'properties.transaction.timeout.ms',
};
const LETTER_OPTIONS: DeliveryOptions = {
  topic: LETTER_TOPIC,
  progressTopic: 'dead_letter.progress.topic',
  timeout: null,
};

/** `uuid`: of what rejected records go to, where they go somewhere. */
export async function probeKafkaSource(checked: Json, uuid: string | null): Promise<void> {
  const { config, selection, letters } = checked as unknown as KafkaSourceOptions;
  await askBrokers(config, async (client) => {
    for (const topic of await new TopicFilter(selection).topics(client)) {
      checkTopic(topic, config, 'topic');
    }
    if (letters === undefined) return;
    await checkDelivery(client, letterDelivery(config, letters), must(uuid), LETTER_OPTIONS);
  });
}

/** Gives the options with the ids of the schemas that were registered. */
export function probeKafkaSink(checked: Json, uuid: string): Promise<Json> {
  const options = checked as unknown as KafkaSinkOptions;
  return askBrokers(options.config, async (client) => {
    await checkDelivery(client, options, uuid, SINK_OPTIONS);
    return (await withSchemas(options)) as unknown as Json;
  });
}

/** The topic is there, and what is sent may be written in transactions with its progress. */
async function checkDelivery(
  client: KafkaClient,
  delivery: TopicDelivery,
  uuid: string,
  options: DeliveryOptions,
): Promise<void> {
  const { config, topic, isExactlyOnce, progressTopic } = delivery;
  const advice = 'Make it first, with as many partitions as it shall have. ';
  const [found] = await client.metadata([topic], true);
  checkTopic(must(found), config, options.topic, advice);
  checkWritable(must(found), options.topic);
  if (!isExactlyOnce) return;
  await ensureProgressTopic(client, progressTopic);
  const [progress] = await client.metadata([progressTopic], true);
  checkProgressRights(must(progress), options.progressTopic);
  await checkTransactions(client, delivery, transactionalId(uuid), options);
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
    if (error.isAuthentication) throw error.toSqlError('Kafka refused the login');
    throw error.toSqlError(`could not reach Kafka at ${config.brokers.join(', ')}`);
  } finally {
    await client.close();
  }
}

function checkTopic(
  { name, errorCode }: TopicMetadata,
  { brokers }: KafkaConfig,
  option: string,
  advice = '',
): void {
  if (errorCode === KAFKA_CODES.none) return;
  if (errorCode === KAFKA_CODES.topicAuthorizationFailed) throw forbidden('see', name, option);
  const hint = `${advice}Brokers asked: ${brokers.join(', ')}.`;
  const place = placeOf(OWNER, option, 'value');
  throw new OptionError('42704', `Kafka has no topic "${name}"`, place, hint);
}

/** Progress is read, too. A topic that was made just now may be unknown to some brokers still: nothing is known of it then. */
function checkProgressRights(topic: TopicMetadata, option: string): void {
  const { name, errorCode, mayRead } = topic;
  if (errorCode === KAFKA_CODES.topicAuthorizationFailed) throw forbidden('see', name, option);
  if (errorCode !== KAFKA_CODES.none) return;
  if (!mayRead) throw forbidden('read', name, option);
  checkWritable(topic, option);
}

function checkWritable({ name, mayWrite }: TopicMetadata, option: string): void {
  if (!mayWrite) throw forbidden('write to', name, option);
}

const OPERATIONS = { see: 'DESCRIBE', read: 'READ', 'write to': 'WRITE' } as const;

function forbidden(verb: keyof typeof OPERATIONS, topic: string, option: string): OptionError {
  return new OptionError(
    '42501',
    `Kafka does not let the login ${verb} topic "${topic}"`,
    placeOf(OWNER, option, 'value'),
    `Give it the operation ${OPERATIONS[verb]} on the topic.`,
  );
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

/** A new sink has had no transactions. */
const NOTHING_TO_SETTLE = () => Promise.resolve();

async function checkTransactions(
  client: KafkaClient,
  { transactionTimeoutMs }: TopicDelivery,
  id: string,
  { timeout }: DeliveryOptions,
): Promise<void> {
  try {
    await startProducer(client, id, transactionTimeoutMs, NOTHING_TO_SETTLE);
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    if (error.code === KAFKA_CODES.transactionalIdAuthorizationFailed) throw noTransactions(id);
    if (error.code !== KAFKA_CODES.invalidTransactionTimeout || timeout === null) throw error;
    const wanted = "no more than the brokers' transaction.max.timeout.ms";
    throw badValue(OWNER, timeout, String(transactionTimeoutMs), wanted);
  }
}

function noTransactions(id: string): SqlError {
  return new SqlError('42501', `Kafka does not let the login use the transactional id "${id}"`, {
    hint: 'Give it the operation WRITE on transactional ids that begin with "millrace-".',
  });
}
