/** Options of the Kafka connector as a sink: checks at CREATE, under Kafka's own names where it has one. */

import { badValue, checkOptions, type OptionSchema, type OptionValue } from '../options.ts';
import type { CheckedSink, SinkCheckRequest } from '../sink.ts';
import { checkEnvelopeEncoding, checkSinkEncoding } from '../sink-encodings.ts';
import { checkSinkKey, columnNamed, SINK_KEY_SCHEMA } from '../sink-key.ts';
import type { Json } from '../source.ts';
import { CONNECTION_SCHEMA, checkConnection, PROGRESS_TOPIC } from './kafka-options.ts';
import {
  BATCH_BYTES,
  type KafkaSinkOptions,
  type SinkType,
  TRANSACTION_TIMEOUT_MS,
} from './kafka-sink.ts';
import { COMPRESSION_NAMES, type CompressionName } from './record-batch-writer.ts';

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
  'progress.topic': { kind: 'text', default: PROGRESS_TOPIC },
  'spool.max.bytes': { kind: 'integer', min: 1024 * KIB, default: GIB },
  'properties.transaction.timeout.ms': {
    kind: 'integer',
    min: 1000,
    max: 86_400_000,
    default: TRANSACTION_TIMEOUT_MS,
  },
  'properties.batch.size': { kind: 'integer', min: KIB, max: GIB, default: BATCH_BYTES },
  'properties.compression.type': {
    kind: 'choice',
    choices: COMPRESSION_NAMES,
    default: 'none',
  },
};

type Options = ReadonlyMap<string, OptionValue>;

export function checkKafkaSink(request: SinkCheckRequest): CheckedSink {
  const options = checkOptions(OWNER, SINK_SCHEMA, request.options);
  const type = checkType(options, request.format);
  const { columns: key, uniqueKey } = checkSinkKey(OWNER, type, options, request);
  const { columns, encode, encodeOptions, settings } = request;
  const keyColumns = key?.map((index) => columns[index]!) ?? null;
  const topic = options.get('topic') as string;
  const encoding =
    type === 'debezium'
      ? checkEnvelopeEncoding(encode, encodeOptions, columns, topic)
      : checkSinkEncoding(encode, encodeOptions, columns, { topic, part: 'value' });
  const checked: KafkaSinkOptions = {
    config: checkConnection(options),
    topic,
    type,
    key,
    keyEncoding:
      keyColumns === null
        ? null
        : checkSinkEncoding(encode, encodeOptions, keyColumns, { topic, part: 'key' }),
    encoding,
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
  return { options: checked as unknown as Json, uniqueKey };
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
