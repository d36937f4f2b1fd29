/**
 * The connectors there are, by name: checks of their options at CREATE, and opening them.
 *
 * A check turns what the user wrote into the connector's own JSON, which is kept in the log and the catalog: opening again
 * never reads the user's text again, so a source means the same for ever.
 */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import type { WriterSchema } from '../formats/message-decoder.ts';
import { type Interval, parseInterval } from '../types/interval.ts';
import { DEFAULT_SETTINGS } from '../types/settings.ts';
import { BlackholeSink } from './blackhole.ts';
import { checkFormatName, isKeyedFormat } from './change-formats.ts';
import { checkDatagen, openDatagen } from './datagen.ts';
import { checkFileSource, openFileSource } from './file/file-options.ts';
import { checkFileSink, openFileSink } from './file/file-sink.ts';
import {
  checkKafkaSource,
  hasLetterTopic,
  openKafkaLetters,
  openKafkaSource,
} from './kafka/kafka-options.ts';
import { type KafkaSinkOptions, openKafkaSink } from './kafka/kafka-sink.ts';
import { checkKafkaSink } from './kafka/kafka-sink-options.ts';
import { checkNexmark, nexmarkColumns, openNexmark } from './nexmark/nexmark.ts';
import {
  badValue,
  type CheckContext,
  type CheckRequest,
  checkOptions,
  OptionError,
  type OptionSchema,
  refuseDefaults,
  unknownName,
} from './options.ts';
import { openPostgresSink, type PostgresSinkOptions } from './postgres/postgres-sink.ts';
import { checkPostgresSink } from './postgres/postgres-sink-options.ts';
import { checkPrint, openPrintSink } from './print.ts';
import {
  fetchKeyColumns,
  fetchSourceSchema,
  isSchemaKind,
  type SchemaKind,
  schemaSourceColumns,
} from './schema-registry/source-schema.ts';
import type {
  CheckedSink,
  SinkChanges,
  SinkCheckRequest,
  SinkColumn,
  SinkContext,
  SinkWriter,
  UniqueKey,
} from './sink.ts';
import type { Json, SourceColumn, SourceContext, SourceReader } from './source.ts';
import { checkWebhookSource, openWebhookSource } from './webhook/webhook-options.ts';

/** WITH (...) FORMAT ... ENCODE ... as the catalog keeps it; names in lower case. */
export interface ConnectorOptions {
  readonly connector: string;
  /** `connector` may be among them. */
  readonly options: Readonly<Record<string, string>>;
  readonly format: string | null;
  readonly encode: string | null;
  readonly encodeOptions: Readonly<Record<string, string>>;
}

interface SourceConnector {
  readonly takesEncode: boolean;
  /** It has records with keys, offsets and the like: INCLUDE. */
  readonly takesInclude: boolean;
  /** Its records have keys: FORMAT UPSERT and DEBEZIUM. */
  readonly takesKeys: boolean;
  /** Checks everything; the result is given to `open`. */
  readonly check: (request: CheckRequest) => Json;
  /** Asks the outside world, once, whether what was checked is there; `uuid`: of its letters, where they go somewhere. */
  readonly probe?: (checked: Json, uuid: string | null) => Promise<void>;
  readonly open: (
    checked: Json,
    columns: readonly SourceColumn[],
    context: SourceContext,
  ) => SourceReader;
  /** Where rejected records go, if the options say so. Absent: nowhere. */
  readonly letters?: {
    readonly areSent: (checked: Json) => boolean;
    /** Columns are LETTER_COLUMNS. */
    readonly open: (checked: Json, context: SinkContext) => SinkWriter;
  };
}

interface SinkConnector {
  readonly takesEncode: boolean;
  /** Its records have keys: FORMAT UPSERT and DEBEZIUM. */
  readonly takesKeys: boolean;
  readonly check: (request: SinkCheckRequest) => CheckedSink;
  /** Asks the outside world, once, whether what was checked is there; gives what is to be kept. */
  readonly probe?: (checked: Json, uuid: string) => Promise<Json>;
  readonly open: (checked: Json, context: SinkContext) => SinkWriter;
}

/** Loaded when somebody needs it: the library is a third of a start. */
const kafkaProbes = () => import('./kafka/probes.ts');

const GENERATED = { takesEncode: false, takesInclude: false, takesKeys: false };
const SOURCES: ReadonlyMap<string, SourceConnector> = new Map<string, SourceConnector>([
  ['nexmark', { ...GENERATED, check: checkNexmark, open: openNexmark }],
  ['datagen', { ...GENERATED, check: checkDatagen, open: openDatagen }],
  [
    'file',
    {
      takesEncode: true,
      takesInclude: false,
      takesKeys: false,
      check: checkFileSource,
      open: openFileSource,
    },
  ],
  [
    'kafka',
    {
      takesEncode: true,
      takesInclude: true,
      takesKeys: true,
      check: checkKafkaSource,
      probe: async (checked, uuid) => (await kafkaProbes()).probeKafkaSource(checked, uuid),
      open: openKafkaSource,
      letters: { areSent: hasLetterTopic, open: openKafkaLetters },
    },
  ],
  [
    'webhook',
    {
      takesEncode: true,
      takesInclude: false,
      takesKeys: false,
      check: checkWebhookSource,
      open: openWebhookSource,
    },
  ],
]);

const KEYLESS = { takesEncode: true, takesKeys: false };
/** Of a sink that takes any changes. */
const keyless =
  (check: (request: CheckRequest) => Json) =>
  (request: SinkCheckRequest): CheckedSink => ({ options: check(request), uniqueKey: null });

const SINKS: ReadonlyMap<string, SinkConnector> = new Map<string, SinkConnector>([
  [
    'blackhole',
    {
      ...KEYLESS,
      takesEncode: false,
      check: keyless(checkNothing),
      open: () => new BlackholeSink(),
    },
  ],
  ['print', { ...KEYLESS, takesEncode: false, check: keyless(checkPrint), open: openPrintSink }],
  ['file', { ...KEYLESS, check: keyless(checkFileSink), open: openFileSink }],
  [
    'kafka',
    {
      takesEncode: true,
      takesKeys: true,
      check: checkKafkaSink,
      probe: async (checked, uuid) => (await kafkaProbes()).probeKafkaSink(checked, uuid),
      open: (checked, context) => openKafkaSink(checked as unknown as KafkaSinkOptions, context),
    },
  ],
  [
    'postgres',
    {
      takesEncode: false,
      takesKeys: false,
      check: checkPostgresSink,
      probe: async (checked) => (await import('./postgres/probe.ts')).probePostgresSink(checked),
      open: (checked, context) =>
        openPostgresSink(checked as unknown as PostgresSinkOptions, context),
    },
  ],
]);

/** Options that every source takes. */
const WATERMARK_OPTIONS: OptionSchema = {
  'watermark.idle_timeout': { kind: 'text', default: null },
  'watermark.max_ahead': { kind: 'text', default: null },
};

/**
 * Checks a CREATE SOURCE: unknown connectors, options and values are 22023, columns that the connector cannot fill 42703 or
 * 42804. The result goes to `openSource`, in this process or after a restart.
 */
export function checkSourceOptions(
  definition: ConnectorOptions,
  columns: readonly SourceColumn[],
  context: CheckContext,
  key: readonly number[] | null = null,
): Json {
  const connector = find('source', SOURCES, definition.connector);
  checkFormat(definition, connector.takesEncode, connector.takesKeys);
  if (!connector.takesEncode) refuseDefaults(`connector "${definition.connector}"`, columns);
  const included = columns.find((column) => column.included !== undefined);
  if (included !== undefined && !connector.takesInclude) {
    throw new SqlError('22023', `connector "${definition.connector}" takes no INCLUDE`);
  }
  const { own, common } = splitOptions(definition, WATERMARK_OPTIONS);
  const watermark = checkOptions('sources', WATERMARK_OPTIONS, common);
  const request = { ...requestOf(definition, own, columns, context), key };
  return {
    connector: definition.connector,
    checked: connector.check(request),
    idleTimeoutUs: positiveIntervalUs('watermark.idle_timeout', watermark),
    maxAheadUs: positiveIntervalUs('watermark.max_ahead', watermark),
  };
}

/** Asks the outside world whether what `checkSourceOptions` gave is there; throws the reason where it is not. */
export async function probeSource(checked: Json, letterUuid: string | null): Promise<void> {
  const { connector, checked: own } = checked as { connector: string; checked: Json };
  await find('source', SOURCES, connector).probe?.(own, letterUuid);
}

/** Whether the source's rejected records go somewhere else, too: `openLetters`. */
export function sendsLetters(checked: Json): boolean {
  const { connector, checked: own } = checked as { connector: string; checked: Json };
  return find('source', SOURCES, connector).letters?.areSent(own) ?? false;
}

/** Opens where they go, for rows of LETTER_COLUMNS. Call `begin` then. */
export function openLetters(checked: Json, context: SinkContext): SinkWriter {
  const { connector, checked: own } = checked as { connector: string; checked: Json };
  return must(find('source', SOURCES, connector).letters).open(own, context);
}

/** Opens a source; `columns` are all of its columns, `context.wanted` says which are to be made. Call `start` then. */
export function openSource(
  checked: Json,
  columns: readonly SourceColumn[],
  context: SourceContext,
): SourceReader {
  const { connector, checked: own } = checked as { connector: string; checked: Json };
  return find('source', SOURCES, connector).open(own, columns, context);
}

/**
 * The schema that ENCODE AVRO or PROTOBUF names, from the registry or a file, before the check of the options; null: there is none (yet).
 * 08001 and 28000 where the registry cannot be asked.
 */
export async function fetchMessageSchema(
  definition: ConnectorOptions,
  context: CheckContext,
): Promise<WriterSchema | null> {
  const kind = schemaKind(definition);
  if (kind === null) return null;
  return fetchSourceSchema(kind, encodeOptionsOf(definition), singleTopic(definition), context);
}

/**
 * The fields of records' keys, where ENCODE AVRO or PROTOBUF names a registry that tells them and rows have keys; null: nobody
 * knows. Errors as of fetchMessageSchema.
 */
export async function fetchKeyFields(
  definition: ConnectorOptions,
  { clock }: CheckContext,
): Promise<SourceColumn[] | null> {
  const kind = schemaKind(definition);
  if (kind === null || !isKeyedFormat(definition.format)) return null;
  return fetchKeyColumns(kind, encodeOptionsOf(definition), singleTopic(definition), clock);
}

/** null: there are several, or a pattern. */
function singleTopic({ options: { topic = '' } }: ConnectorOptions): string | null {
  return topic === '' || topic.includes(',') ? null : topic.trim();
}

function encodeOptionsOf({ encodeOptions }: ConnectorOptions): Map<string, string> {
  return new Map(Object.entries(encodeOptions));
}

/** null: messages of the source have no schema. */
function schemaKind({ connector, encode }: ConnectorOptions): SchemaKind | null {
  return connector === 'kafka' && isSchemaKind(encode) ? encode : null;
}

/**
 * The columns of a source that was created without a column list; null: it must have one. `schema`: of fetchMessageSchema;
 * `key`: of fetchKeyFields, which FORMAT UPSERT takes from the records' keys.
 */
export function defaultSourceColumns(
  definition: ConnectorOptions,
  schema: WriterSchema | null = null,
  key: readonly SourceColumn[] | null = null,
): SourceColumn[] | null {
  const inValue = messageColumns(definition, schema);
  if (definition.format !== 'upsert' || key === null || inValue === null) return inValue;
  const isBeside = ({ name }: SourceColumn) => !key.some((one) => one.name === name);
  return [...key, ...inValue.filter(isBeside)];
}

function messageColumns(
  definition: ConnectorOptions,
  schema: WriterSchema | null,
): SourceColumn[] | null {
  const kind = schemaKind(definition);
  if (kind !== null) {
    const isChange = definition.format === 'debezium';
    return schemaSourceColumns(kind, encodeOptionsOf(definition), schema, isChange);
  }
  if (definition.connector !== 'nexmark') return null;
  const { own } = splitOptions(definition, WATERMARK_OPTIONS);
  return nexmarkColumns(own);
}

/** `watermark.idle_timeout` of checked options, in microseconds; null: never idle (semantics.md rule 17). */
export function sourceIdleTimeoutUs(checked: Json): bigint | null {
  return storedUs((checked as { idleTimeoutUs: string | null }).idleTimeoutUs);
}

/** `watermark.max_ahead` of checked options, in microseconds; null: no limit (semantics.md rule 18). */
export function sourceMaxAheadUs(checked: Json): bigint | null {
  return storedUs((checked as { maxAheadUs: string | null }).maxAheadUs);
}

/** Options that every sink takes. */
const SINK_OPTIONS: OptionSchema = { snapshot: { kind: 'boolean', default: true } };

/** Checks a CREATE SINK over a query with these columns, whose rows change so. */
export function checkSinkOptions(
  definition: ConnectorOptions,
  columns: readonly SinkColumn[],
  changes: SinkChanges,
  context: CheckContext,
): Json {
  const connector = find('sink', SINKS, definition.connector);
  checkFormat(definition, connector.takesEncode, connector.takesKeys);
  const { own, common } = splitOptions(definition, SINK_OPTIONS);
  const hasSnapshot = checkOptions('sinks', SINK_OPTIONS, common).get('snapshot') as boolean;
  const request = { ...requestOf(definition, own, columns, context), changes };
  const { options: checked, uniqueKey } = connector.check(request);
  const { connector: name } = definition;
  return { connector: name, checked, hasSnapshot, uniqueKey: uniqueKey as unknown as Json };
}

/** Asks the outside world whether what `checkSinkOptions` gave is there; gives what `openSink` takes. */
export async function probeSink(checked: Json, uuid: string): Promise<Json> {
  const { connector, checked: own, ...rest } = checked as { connector: string; checked: Json };
  const { probe } = find('sink', SINKS, connector);
  return { connector, checked: probe === undefined ? own : await probe(own, uuid), ...rest };
}

/** Whether a sink sends the rows that are there at its creation. */
export function hasSnapshot(checked: Json): boolean {
  return (checked as { hasSnapshot?: boolean }).hasSnapshot !== false;
}

/** What the sink's dataflow has to make unique; null: nothing. */
export function uniqueKeyOf(checked: Json): UniqueKey | null {
  return (checked as { uniqueKey?: UniqueKey | null }).uniqueKey ?? null;
}

/** Opens a sink. Call `begin` then. */
export function openSink(checked: Json, context: SinkContext): SinkWriter {
  const { connector, checked: own } = checked as { connector: string; checked: Json };
  return find('sink', SINKS, connector).open(own, context);
}

/** A sink goes on with the same options but for their secrets. */
export function reconnectSink(writer: SinkWriter, checked: Json): void {
  writer.reconnect?.((checked as { checked: Json }).checked);
}

function find<T>(kind: string, connectors: ReadonlyMap<string, T>, name: string): T {
  const found = connectors.get(name);
  if (found !== undefined) return found;
  const place = { clause: 'with', name: 'connector', part: 'value' } as const;
  throw unknownName(`${kind} connector`, name, [...connectors.keys()], place);
}

function checkFormat(
  { connector, format, encode }: ConnectorOptions,
  takesEncode: boolean,
  takesKeys: boolean,
): void {
  if (!takesEncode && (format !== null || encode !== null)) {
    const message = `connector "${connector}" takes no FORMAT and ENCODE`;
    throw new OptionError('22023', message, { clause: 'encode' });
  }
  checkFormatName(format);
  if (takesKeys || !isKeyedFormat(format)) return;
  const message = `connector "${connector}" takes no FORMAT ${format?.toUpperCase()}`;
  throw new OptionError('22023', message, { clause: 'encode' }, 'Its records have no keys.');
}

/** Takes the options of `schema` apart from the connector's own; `connector` itself is left out. */
function splitOptions(
  definition: ConnectorOptions,
  schema: OptionSchema,
): { own: Map<string, string>; common: Map<string, string> } {
  const own = new Map<string, string>();
  const common = new Map<string, string>();
  for (const [name, value] of Object.entries(definition.options)) {
    if (name === 'connector') continue;
    (Object.hasOwn(schema, name) ? common : own).set(name, value);
  }
  return { own, common };
}

function requestOf(
  { format, encode, encodeOptions }: ConnectorOptions,
  options: ReadonlyMap<string, string>,
  columns: readonly SourceColumn[],
  context: CheckContext,
): CheckRequest {
  const { timeZone, dateStyle, intervalStyle, byteaOutput, extraFloatDigits } =
    context.settings ?? DEFAULT_SETTINGS;
  return {
    options,
    format,
    key: null,
    encode,
    encodeOptions: new Map(Object.entries(encodeOptions)),
    columns,
    context,
    settings: { timeZone, dateStyle, intervalStyle, byteaOutput, extraFloatDigits },
  };
}

function checkNothing({ options }: CheckRequest): Json {
  checkOptions('connector "blackhole"', {}, options);
  return null;
}

/** An interval of fixed length above zero, as a decimal string of microseconds. */
function positiveIntervalUs(
  name: string,
  options: ReadonlyMap<string, string | number | boolean | null>,
): string | null {
  const text = options.get(name) as string | null;
  if (text === null) return null;
  const wanted = "a positive interval without months, as '30 seconds'";
  let interval: Interval;
  try {
    interval = parseInterval(text);
  } catch {
    throw badValue('sources', name, text, wanted);
  }
  const us = BigInt(interval.days) * 86_400_000_000n + interval.microseconds;
  if (interval.months !== 0 || us <= 0n) throw badValue('sources', name, text, wanted);
  return us.toString();
}

function storedUs(text: string | null): bigint | null {
  return text === null ? null : BigInt(text);
}
