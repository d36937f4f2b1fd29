/** Options of the Kafka connector as a sink: checks at CREATE, under Kafka's own names where it has one. */

import { SystemClock } from '../../base/clock.ts';
import { SqlError } from '../../base/sql-error.ts';
import {
  badValue,
  checkOptions,
  OptionError,
  type OptionSchema,
  type OptionValue,
} from '../options.ts';
import type { SinkCheckRequest } from '../sink.ts';
import { checkSinkEncoding, registerSinkEncoding } from '../sink-encodings.ts';
import { checkSinkKey, columnNamed, SINK_KEY_SCHEMA } from '../sink-key.ts';
import type { Json } from '../source.ts';
import { KafkaClient } from './client.ts';
import { KAFKA_CODES, KafkaError } from './kafka-error.ts';
import { CONNECTION_SCHEMA, checkConnection } from './kafka-options.ts';
import { type KafkaSinkOptions, type SinkType, transactionalId } from './kafka-sink.ts';
import { ensureProgressTopic } from './progress-topic.ts';
import { BATCH_CODECS, type CompressionName } from './record-codecs.ts';
import { startProducer } from './transaction.ts';

const OWNER = 'connector "kafka"';
const KIB = 1024;
const GIB = 1024 ** 3;
const TYPES: readonly SinkType[] = ['append-only', 'upsert', 'debezium'];
/** FORMAT says the same as `type`. */
const TYPE_OF_FORMAT: Readonly<Record<string, SinkType>> = {
  plain: 'append-only',
  upsert: 'upsert',
  debezium: 'debezium',
};

const SINK_SCHEMA: OptionSchema = {
  ...CONNECTION_SCHEMA,
  topic: { kind: 'text' },
  type: { kind: 'choice', choices: TYPES, default: null },
  ...SINK_KEY_SCHEMA,
  delivery: {
    kind: 'choice',
    choices: ['exactly-once', 'at-least-once'],
    default: 'exactly-once',
  },
  'timestamp.column': { kind: 'text', default: null },
  'header.epoch': { kind: 'boolean', default: false },
  'progress.topic': { kind: 'text', default: 'millrace.sink-progress' },
  'spool.max.bytes': { kind: 'integer', min: 1024 * KIB, default: GIB },
  'properties.transaction.timeout.ms': {
    kind: 'integer',
    min: 1000,
    max: 86_400_000,
    default: 60_000,
  },
  'properties.batch.size': { kind: 'integer', min: KIB, max: GIB, default: 512 * KIB },
  'properties.compression.type': {
    kind: 'choice',
    choices: Object.keys(BATCH_CODECS),
    default: 'none',
  },
};

type Options = ReadonlyMap<string, OptionValue>;

export function checkKafkaSink(request: SinkCheckRequest): Json {
  const options = checkOptions(OWNER, SINK_SCHEMA, request.options);
  const type = checkType(options, request.format);
  const key = checkSinkKey(OWNER, type, options, request);
  const { columns, encode, encodeOptions, settings } = request;
  if (type === 'debezium' && encode !== null && encode !== 'json') {
    throw new OptionError(
      '0A000',
      'Debezium envelopes are written as JSON only',
      { clause: 'encode' },
      'Say FORMAT DEBEZIUM ENCODE JSON.',
    );
  }
  const keyColumns = key?.map((index) => columns[index]!) ?? null;
  const topic = options.get('topic') as string;
  const checked: KafkaSinkOptions = {
    config: checkConnection(options),
    topic,
    type,
    key,
    keyEncoding:
      keyColumns === null
        ? null
        : checkSinkEncoding(encode, encodeOptions, keyColumns, { topic, part: 'key' }),
    encoding: checkSinkEncoding(encode, encodeOptions, columns, { topic, part: 'value' }),
    timestampColumn: checkTimestampColumn(options, request),
    epochHeader: options.get('header.epoch') as boolean,
    isExactlyOnce: options.get('delivery') === 'exactly-once',
    transactionTimeoutMs: options.get('properties.transaction.timeout.ms') as number,
    progressTopic: options.get('progress.topic') as string,
    batchBytesMax: options.get('properties.batch.size') as number,
    compression: options.get('properties.compression.type') as CompressionName,
    spoolBytesMax: options.get('spool.max.bytes') as number,
    settings,
  };
  return checked as unknown as Json;
}

function checkType(options: Options, format: string | null): SinkType {
  const named = options.get('type') as SinkType | null;
  const meant = format === null ? null : (TYPE_OF_FORMAT[format] ?? null);
  // FORMAT PLAIN is what people write for every type.
  if (named !== null && meant !== null && meant !== 'append-only' && named !== meant) {
    throw badValue(OWNER, 'type', named, `"${meant}", as FORMAT ${format?.toUpperCase()} says`);
  }
  return named ?? meant ?? 'append-only';
}

function checkTimestampColumn(options: Options, request: SinkCheckRequest): number | null {
  const name = options.get('timestamp.column') as string | null;
  if (name === null) return null;
  const index = columnNamed('timestamp.column', name, request);
  const { type } = request.columns[index]!;
  if (type.id === 'timestamp' || type.id === 'timestamptz') return index;
  throw badValue(OWNER, 'timestamp.column', name, 'a column of type timestamp or timestamptz');
}

/** Asks the brokers once: the login is right, the topic is there, transactions are allowed. */
export async function probeKafkaSink(checked: Json, uuid: string): Promise<Json> {
  const options = checked as unknown as KafkaSinkOptions;
  const { config, topic, isExactlyOnce, progressTopic } = options;
  const client = new KafkaClient(config);
  try {
    const [found] = await client.metadata([topic]);
    if (found?.errorCode !== 0) throw noTopic(options);
    if (isExactlyOnce) {
      await ensureProgressTopic(client, progressTopic);
      await checkTransactions(client, options, uuid);
    }
    return (await withSchemas(options)) as unknown as Json;
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    throw error.toSqlError(`could not reach Kafka at ${config.brokers.join(', ')}`);
  } finally {
    await client.close();
  }
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

function noTopic({ topic, config }: KafkaSinkOptions): SqlError {
  return new SqlError('42704', `Kafka has no topic "${topic}"`, {
    hint: `Make it first, with as many partitions as it shall have. Brokers asked: ${config.brokers.join(', ')}.`,
  });
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
    throw badValue(OWNER, name, String(transactionTimeoutMs), wanted);
  }
}
