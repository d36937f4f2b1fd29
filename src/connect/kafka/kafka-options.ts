/** Options of the Kafka connector: checks at CREATE, under Kafka's own names. */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import { checkRecordEncoding } from '../change-formats.ts';
import {
  badValue,
  type CheckRequest,
  checkOptions,
  OptionError,
  type OptionSchema,
  type OptionValue,
  placeOf,
} from '../options.ts';
import type { SinkContext, SinkWriter } from '../sink.ts';
import type { Json, SourceColumn, SourceContext, SourceReader } from '../source.ts';
import type { FetchLimits, StartupMode, TopicSelection } from './io-port.ts';
import type { KafkaConfig } from './kafka-config.ts';
import { KafkaSource, type KafkaSourceOptions } from './kafka-source.ts';
import { LETTER_TOPIC, type LetterTopic, openLetterTopic } from './letter-topic.ts';
import { checkOAuth, OAUTH_SCHEMA } from './oauth-options.ts';
import { isPattern, splitName, TopicFilter } from './topic-filter.ts';

const OWNER = 'connector "kafka"';
const MIB = 1024 * 1024;
/** As Kafka's own consumers. */
const COMMIT_INTERVAL_MS = 5000;

/** Of sinks and letters. */
export const PROGRESS_TOPIC = 'millrace.sink-progress';
const LETTER_SPOOL_BYTES = 256 * MIB;

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;

/** How the brokers are reached: sources and sinks take these. */
export const CONNECTION_SCHEMA: OptionSchema = {
  'properties.bootstrap.server': { kind: 'text' },
  'properties.client.id': { kind: 'text', default: 'millrace' },
  'properties.security.protocol': {
    kind: 'choice',
    choices: ['plaintext', 'ssl', 'sasl_plaintext', 'sasl_ssl'],
    default: 'plaintext',
  },
  'properties.sasl.mechanism': {
    kind: 'choice',
    choices: MECHANISMS.map((name) => name.toLowerCase()),
    default: null,
  },
  'properties.sasl.username': { kind: 'text', default: null },
  'properties.sasl.password': { kind: 'text', default: null },
  ...OAUTH_SCHEMA,
  'properties.ssl.ca.pem': { kind: 'text', default: null },
  'properties.ssl.certificate.pem': { kind: 'text', default: null },
  'properties.ssl.key.pem': { kind: 'text', default: null },
  'properties.enable.ssl.certificate.verification': { kind: 'boolean', default: true },
  'properties.request.timeout.ms': { kind: 'integer', min: 100, max: 600_000, default: 30_000 },
  'properties.socket.connection.setup.timeout.ms': {
    kind: 'integer',
    min: 100,
    max: 600_000,
    default: 10_000,
  },
};

const SOURCE_SCHEMA: OptionSchema = {
  ...CONNECTION_SCHEMA,
  topic: { kind: 'text', default: null },
  'topic.pattern': { kind: 'text', default: null },
  'scan.startup.mode': {
    kind: 'choice',
    choices: ['earliest', 'latest', 'timestamp', 'specific-offsets'],
    default: 'earliest',
  },
  'scan.startup.timestamp.millis': { kind: 'integer', min: 0, default: null },
  'scan.startup.specific-offsets': { kind: 'text', default: null },
  'properties.group.id': { kind: 'text', default: null },
  'properties.auto.commit.interval.ms': {
    kind: 'integer',
    min: 1000,
    max: 3_600_000,
    default: null,
  },
  [LETTER_TOPIC]: { kind: 'text', default: null },
  'dead_letter.progress.topic': { kind: 'text', default: null },
  'dead_letter.spool.max.bytes': { kind: 'integer', min: MIB, default: null },
  'properties.fetch.wait.max.ms': { kind: 'integer', min: 1, max: 60_000, default: 500 },
  'properties.fetch.min.bytes': { kind: 'integer', min: 1, max: 64 * MIB, default: 1 },
  'properties.fetch.max.bytes': { kind: 'integer', min: 1024, max: 1024 * MIB, default: 16 * MIB },
  'properties.max.partition.fetch.bytes': {
    kind: 'integer',
    min: 1024,
    max: 1024 * MIB,
    default: 4 * MIB,
  },
  'properties.queued.max.bytes': {
    kind: 'integer',
    min: 1024,
    max: 1024 * MIB,
    default: 32 * MIB,
  },
  'properties.message.max.bytes': {
    kind: 'integer',
    min: 1024,
    max: 1024 * MIB,
    default: 256 * MIB,
  },
  'properties.metadata.max.age.ms': { kind: 'integer', min: 100, max: 900_000, default: 20_000 },
};

type Options = ReadonlyMap<string, OptionValue>;

export function checkKafkaSource(request: CheckRequest): Json {
  const options = checkOptions(OWNER, SOURCE_SCHEMA, request.options);
  const { columns } = request;
  const selection = checkSelection(options);
  const fields = columns.flatMap(({ isGenerated, included }, index) =>
    isGenerated === true || included !== undefined ? [] : [index],
  );
  const letters = checkLetters(options, selection);
  const checked: KafkaSourceOptions = {
    config: checkConnection(options),
    selection,
    startup: checkStartup(options, selection),
    fetch: checkFetch(options),
    records: checkRecordEncoding(request, fields),
    fields,
    included: columns.flatMap(({ included }, column) =>
      included === undefined ? [] : [{ ...included, column }],
    ),
    ...checkGroup(options),
    settings: request.settings,
    ...(letters === null ? {} : { letters }),
  };
  return checked as unknown as Json;
}

export function openKafkaSource(
  checked: Json,
  columns: readonly SourceColumn[],
  context: SourceContext,
): SourceReader {
  return new KafkaSource(checked as unknown as KafkaSourceOptions, columns, context);
}

/** Whether rejected records go to a topic. */
export function hasLetterTopic(checked: Json): boolean {
  return (checked as unknown as KafkaSourceOptions).letters !== undefined;
}

export function openKafkaLetters(checked: Json, context: SinkContext): SinkWriter {
  const { config, letters } = checked as unknown as KafkaSourceOptions;
  return openLetterTopic(config, must(letters), context);
}

/** How the brokers are reached. */
export function checkConnection(options: Options): KafkaConfig {
  const protocol = options.get('properties.security.protocol') as string;
  return {
    brokers: checkBrokers(options.get('properties.bootstrap.server') as string),
    clientId: options.get('properties.client.id') as string,
    tls: protocol.endsWith('ssl') ? checkTls(options) : null,
    sasl: checkSasl(options, protocol),
    requestTimeoutMs: options.get('properties.request.timeout.ms') as number,
    connectTimeoutMs: options.get('properties.socket.connection.setup.timeout.ms') as number,
  };
}

function checkBrokers(text: string): string[] {
  const brokers = text.split(',').map((broker) => broker.trim());
  for (const broker of brokers) {
    const port = Number(/:(\d{1,5})$/.exec(broker)?.[1] ?? 0);
    if (port > 0 && port < 65_536 && broker.length > String(port).length + 1) continue;
    throw new SqlError('22023', `invalid broker "${broker}" in "properties.bootstrap.server"`, {
      hint: 'It must be host:port, or several separated by commas.',
    });
  }
  return brokers;
}

function checkTls(options: Options): KafkaConfig['tls'] {
  return {
    ca: options.get('properties.ssl.ca.pem') as string | null,
    certificate: options.get('properties.ssl.certificate.pem') as string | null,
    key: options.get('properties.ssl.key.pem') as string | null,
    isVerified: options.get('properties.enable.ssl.certificate.verification') as boolean,
  };
}

function checkSasl(options: Options, protocol: string): KafkaConfig['sasl'] {
  const named = options.get('properties.sasl.mechanism') as string | null;
  if (!protocol.startsWith('sasl')) {
    if (named === null) return null;
    throw new SqlError('22023', `"properties.sasl.mechanism" needs a SASL protocol`, {
      hint: "Say properties.security.protocol = 'sasl_ssl' or 'sasl_plaintext'.",
    });
  }
  const mechanism = MECHANISMS.find((name) => name.toLowerCase() === named);
  if (mechanism === undefined) throw missing('properties.sasl.mechanism');
  if (mechanism === 'OAUTHBEARER') return checkOAuth(options);
  const needed = (name: string): string => {
    const value = options.get(name) as string | null;
    if (value === null) throw missing(name);
    return value;
  };
  const username = needed('properties.sasl.username');
  return { mechanism, username, password: needed('properties.sasl.password') };
}

function missing(name: string): SqlError {
  return new SqlError('22023', `${OWNER} needs the option "${name}"`);
}

function checkSelection(options: Options): TopicSelection {
  const topic = options.get('topic') as string | null;
  const pattern = options.get('topic.pattern') as string | null;
  if ((topic === null) === (pattern === null)) {
    throw new SqlError('22023', `${OWNER} needs the option "topic" or "topic.pattern"`);
  }
  const topics = topic === null ? [] : topic.split(',').map((name) => name.trim());
  if (pattern !== null && !isPattern(pattern)) {
    throw badValue(OWNER, 'topic.pattern', pattern, 'a regular expression (RE2)');
  }
  return { topics, pattern };
}

function checkStartup(options: Options, { topics }: TopicSelection): StartupMode {
  const kind = options.get('scan.startup.mode') as string;
  if (kind === 'earliest' || kind === 'latest') return { kind };
  if (kind === 'timestamp') {
    const ms = options.get('scan.startup.timestamp.millis') as number | null;
    if (ms === null) throw missing('scan.startup.timestamp.millis');
    return { kind: 'timestamp', ms };
  }
  const text = options.get('scan.startup.specific-offsets') as string | null;
  if (text === null) throw missing('scan.startup.specific-offsets');
  if (topics.length !== 1) {
    throw new SqlError('22023', '"scan.startup.specific-offsets" needs a single topic');
  }
  const entries = text.split(';').map((part) => {
    const match = /^partition:(\d+),offset:(\d+)$/.exec(part.trim());
    if (match === null) {
      throw new SqlError('22023', `invalid "scan.startup.specific-offsets": "${part}"`, {
        hint: "Write it as 'partition:0,offset:42;partition:1,offset:300'.",
      });
    }
    return [splitName(topics[0]!, Number(match[1])), Number(match[2])] as const;
  });
  return { kind: 'offsets', offsets: Object.fromEntries(entries) };
}

function checkGroup(options: Options): Pick<KafkaSourceOptions, 'group'> {
  const id = options.get('properties.group.id') as string | null;
  const interval = 'properties.auto.commit.interval.ms';
  const intervalMs = options.get(interval) as number | null;
  if (id === null && intervalMs !== null) {
    const message = `"${interval}" needs the option "properties.group.id"`;
    throw new OptionError('22023', message, placeOf(OWNER, interval, 'name'));
  }
  if (id === '') throw badValue(OWNER, 'properties.group.id', id, 'the name of a group');
  return id === null ? {} : { group: { id, intervalMs: intervalMs ?? COMMIT_INTERVAL_MS } };
}

/** null: rejected records go nowhere else. */
function checkLetters(options: Options, selection: TopicSelection): LetterTopic | null {
  const topic = options.get(LETTER_TOPIC) as string | null;
  const progressTopic = options.get('dead_letter.progress.topic') as string | null;
  const spoolBytesMax = options.get('dead_letter.spool.max.bytes') as number | null;
  if (topic === null) {
    if (progressTopic !== null) throw withoutTopic('dead_letter.progress.topic');
    if (spoolBytesMax !== null) throw withoutTopic('dead_letter.spool.max.bytes');
    return null;
  }
  if (new TopicFilter(selection).includes(topic)) {
    throw new OptionError(
      '22023',
      `the source reads its "${LETTER_TOPIC}" "${topic}" itself`,
      placeOf(OWNER, LETTER_TOPIC, 'value'),
      'Rejected records would come again and be rejected again. Name another topic.',
    );
  }
  return {
    topic,
    progressTopic: progressTopic ?? PROGRESS_TOPIC,
    spoolBytesMax: spoolBytesMax ?? LETTER_SPOOL_BYTES,
  };
}

function withoutTopic(name: string): SqlError {
  const message = `"${name}" needs the option "${LETTER_TOPIC}"`;
  return new OptionError('22023', message, placeOf(OWNER, name, 'name'));
}

function checkFetch(options: Options): FetchLimits {
  const number = (name: string): number => options.get(name) as number;
  return {
    waitMsMax: number('properties.fetch.wait.max.ms'),
    bytesMin: number('properties.fetch.min.bytes'),
    bytesMax: number('properties.fetch.max.bytes'),
    partitionBytesMax: number('properties.max.partition.fetch.bytes'),
    queueBytesMax: number('properties.queued.max.bytes'),
    decompressedBytesMax: number('properties.message.max.bytes'),
    metadataMaxAgeMs: number('properties.metadata.max.age.ms'),
  };
}
