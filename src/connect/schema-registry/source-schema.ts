/** ENCODE AVRO and PROTOBUF of sources: their options, and the schema that a CREATE is checked by. */

import type { Clock } from '../../base/clock.ts';
import { SqlError } from '../../base/sql-error.ts';
import { AvroDecoder, avroColumns, checkAvroColumns } from '../../formats/avro/avro-decoder.ts';
import { debeziumRow, openDebeziumAvro } from '../../formats/avro/debezium-avro.ts';
import { parseAvroSchema } from '../../formats/avro/schema.ts';
import type { ChangeDecoder } from '../../formats/change-decoder.ts';
import type { DecodedColumn } from '../../formats/csv.ts';
import type { MessageDecoder, WriterSchema } from '../../formats/message-decoder.ts';
import {
  debeziumRowSchema,
  openDebeziumProtobuf,
} from '../../formats/protobuf/debezium-protobuf.ts';
import {
  checkProtobufColumns,
  ProtobufDecoder,
  protobufColumns,
} from '../../formats/protobuf/protobuf-decoder.ts';
import { parseProtobufSchema } from '../../formats/protobuf/schema.ts';
import type { ValueSettings } from '../../types/settings.ts';
import { checkOptions, type OptionSchema } from '../options.ts';
import type { RegistryConfig } from './registry-client.ts';
import { checkRegistry, fetchKeySchema, fetchSchema, SCHEMA_OPTIONS } from './schema-options.ts';

export type SchemaKind = 'avro' | 'protobuf';

/** What a decoder is opened with; JSON. */
export interface SchemaSourceEncoding {
  readonly kind: SchemaKind;
  /** null: the registry had none at CREATE. */
  readonly schema: WriterSchema | null;
  /** Messages carry ids of its schemas; null: they are all of `schema`. */
  readonly registry: RegistryConfig | null;
  readonly message: string | null;
}

type Columns = readonly DecodedColumn[];

interface SchemaFormat {
  readonly owner: string;
  /** As registries call it. */
  readonly type: string;
  readonly options: OptionSchema;
  columns(schema: WriterSchema, message: string | null): DecodedColumn[];
  /** null: it is a single value, without a name. */
  keyColumns(schema: WriterSchema): DecodedColumn[] | null;
  check(
    schema: WriterSchema,
    message: string | null,
    columns: Columns,
    settings: ValueSettings,
  ): void;
  open(encoding: SchemaSourceEncoding, columns: Columns, settings: ValueSettings): MessageDecoder;
  /** The same of FORMAT DEBEZIUM: columns are fields of the row in an envelope. */
  readonly changes: SchemaChanges;
}

interface SchemaChanges {
  columns(schema: WriterSchema, message: string | null): DecodedColumn[];
  check(
    schema: WriterSchema,
    message: string | null,
    columns: Columns,
    settings: ValueSettings,
  ): void;
  open(
    encoding: SchemaSourceEncoding,
    columns: Columns,
    key: readonly number[],
    settings: ValueSettings,
  ): ChangeDecoder;
}

const AVRO: SchemaFormat = {
  owner: 'ENCODE AVRO',
  type: 'AVRO',
  options: {
    ...SCHEMA_OPTIONS,
    'map.handling': { kind: 'choice', choices: ['jsonb'], default: 'jsonb' },
  },
  columns: (schema, message) => avroColumns(avroSchema(schema), message),
  keyColumns: (schema) => {
    const key = avroSchema(schema);
    return key.kind === 'record' ? avroColumns(key, null) : null;
  },
  check: (schema, message, columns, settings) => {
    checkAvroColumns(avroSchema(schema), message, columns, settings);
  },
  open: ({ schema, registry, message }, columns, settings) => {
    const known = schema === null ? null : avroSchema(schema);
    const options = { schema: known, isFramed: registry !== null, message };
    return new AvroDecoder(columns, options, settings);
  },
  changes: {
    columns: (schema) => avroColumns(debeziumRow(avroSchema(schema)), null),
    check: (schema, _, columns, settings) => {
      checkAvroColumns(debeziumRow(avroSchema(schema)), null, columns, settings);
    },
    open: ({ schema, registry }, columns, key, settings) => {
      const bare = schema === null || registry !== null ? null : avroSchema(schema);
      return openDebeziumAvro(columns, key, bare, settings);
    },
  },
};

const PROTOBUF: SchemaFormat = {
  owner: 'ENCODE PROTOBUF',
  type: 'PROTOBUF',
  options: SCHEMA_OPTIONS,
  columns: (schema, message) => protobufColumns(protobufSchema(schema), message),
  keyColumns: (schema) => protobufColumns(protobufSchema(schema), null),
  check: (schema, message, columns, settings) => {
    checkProtobufColumns(protobufSchema(schema), message, columns, settings);
  },
  open: ({ schema, registry, message }, columns, settings) => {
    const known = schema === null ? null : protobufSchema(schema);
    const options = { schema: known, isFramed: registry !== null, message };
    return new ProtobufDecoder(columns, options, settings);
  },
  changes: {
    columns: (schema, message) =>
      protobufColumns(debeziumRowSchema(protobufSchema(schema), message), null),
    check: (schema, message, columns, settings) => {
      const row = debeziumRowSchema(protobufSchema(schema), message);
      checkProtobufColumns(row, null, columns, settings);
    },
    open: ({ schema, registry, message }, columns, key, settings) => {
      const known = schema === null ? null : protobufSchema(schema);
      const options = { schema: known, isFramed: registry !== null, message };
      return openDebeziumProtobuf(columns, key, options, settings);
    },
  },
};

const FORMATS: Readonly<Record<SchemaKind, SchemaFormat>> = { avro: AVRO, protobuf: PROTOBUF };

function avroSchema({ type, text, references }: WriterSchema): ReturnType<typeof parseAvroSchema> {
  checkType(type, AVRO);
  return parseAvroSchema(text, references);
}

function protobufSchema(schema: WriterSchema): ReturnType<typeof parseProtobufSchema> {
  checkType(schema.type, PROTOBUF);
  return parseProtobufSchema(schema.text, schema.references);
}

function checkType(type: string, wanted: SchemaFormat): void {
  if (type !== wanted.type) {
    throw new SqlError('42804', `the schema is ${type}, not ${wanted.type}`);
  }
}

export function isSchemaKind(encode: string | null): encode is SchemaKind {
  return encode === 'avro' || encode === 'protobuf';
}

/**
 * The schema that the options name: inline, in a file, or the registry's latest of the topic's subject (null: there is none
 * yet). 08001 where the registry cannot be reached, 28000 where it refuses the login.
 */
export async function fetchSourceSchema(
  kind: SchemaKind,
  given: ReadonlyMap<string, string>,
  topic: string | null,
  context: { readonly fileRoots: readonly string[]; readonly clock: Clock },
): Promise<WriterSchema | null> {
  const { owner, type, options } = FORMATS[kind];
  return fetchSchema(owner, type, checkOptions(owner, options, given), topic, context);
}

/** The fields of records' keys, by the registry's latest schema of the topic's keys; null: it has none, or of no fields. */
export async function fetchKeyColumns(
  kind: SchemaKind,
  given: ReadonlyMap<string, string>,
  topic: string | null,
  clock: Clock,
): Promise<DecodedColumn[] | null> {
  const { owner, options, keyColumns } = FORMATS[kind];
  const schema = await fetchKeySchema(owner, checkOptions(owner, options, given), topic, clock);
  return schema === null ? null : keyColumns(schema);
}

/** Checks the options, and the columns where `schema` (of fetchSourceSchema) is known. */
export function checkSchemaSource(
  kind: SchemaKind,
  given: ReadonlyMap<string, string>,
  columns: Columns,
  schema: WriterSchema | null,
  settings: ValueSettings,
): SchemaSourceEncoding {
  const format = FORMATS[kind];
  const options = checkOptions(format.owner, format.options, given);
  const registry = checkRegistry(format.owner, options);
  const message = options.get('message') as string | null;
  if (schema !== null) format.check(schema, message, columns, settings);
  return { kind, schema, registry, message };
}

/** The columns of a source without a list; 42704 where the registry has no schema yet. `isChange`: of FORMAT DEBEZIUM. */
export function schemaSourceColumns(
  kind: SchemaKind,
  given: ReadonlyMap<string, string>,
  schema: WriterSchema | null,
  isChange = false,
): DecodedColumn[] {
  if (schema === null) {
    throw new SqlError('42704', 'the schema registry has no schema for this topic yet', {
      hint: 'Register one, give a list of columns, or say "schema.registry.name.strategy".',
    });
  }
  const { owner, options, columns, changes } = FORMATS[kind];
  const message = checkOptions(owner, options, given).get('message') as string | null;
  return isChange ? changes.columns(schema, message) : columns(schema, message);
}

export function openSchemaDecoder(
  encoding: SchemaSourceEncoding,
  columns: Columns,
  settings: ValueSettings,
): MessageDecoder {
  return FORMATS[encoding.kind].open(encoding, columns, settings);
}

/** FORMAT DEBEZIUM: checks the columns by `schema`. */
export function checkSchemaChanges(
  { kind, message }: SchemaSourceEncoding,
  schema: WriterSchema,
  columns: Columns,
  settings: ValueSettings,
): void {
  FORMATS[kind].changes.check(schema, message, columns, settings);
}

/** FORMAT DEBEZIUM. `key`: numbers of the key's columns. */
export function openSchemaChanges(
  encoding: SchemaSourceEncoding,
  columns: Columns,
  key: readonly number[],
  settings: ValueSettings,
): ChangeDecoder {
  return FORMATS[encoding.kind].changes.open(encoding, columns, key, settings);
}
