/** ENCODE AVRO and PROTOBUF of sinks: the schema that is made of the columns, and its place in a registry. */

import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { AvroEncoder, avroSchemaOf } from '../../formats/avro/avro-encoder.ts';
import { AvroEnvelopeWriter, avroEnvelopeSchemaOf } from '../../formats/avro/avro-envelope.ts';
import type { ChangeEncoder } from '../../formats/change-envelope.ts';
import type { EncodedColumn, MessageEncoder } from '../../formats/message-encoder.ts';
import {
  ProtobufEncoder,
  protobufEnvelopeSchemaOf,
  protobufSchemaOf,
} from '../../formats/protobuf/protobuf-encoder.ts';
import { ProtobufEnvelopeWriter } from '../../formats/protobuf/protobuf-envelope.ts';
import type { ValueSettings } from '../../types/settings.ts';
import { checkOptions, type OptionSchema } from '../options.ts';
import type { SinkColumn } from '../sink.ts';
import { type RegistryConfig, RegistryError, SchemaRegistryClient } from './registry-client.ts';
import { REGISTRY_OPTIONS, registryConfig, subjectOf } from './schema-options.ts';
import type { SchemaKind } from './source-schema.ts';

/** What of a record a message is; `envelope`: its value, which holds the row before and after a change. */
export interface MessageTarget {
  readonly topic: string;
  readonly part: 'key' | 'value' | 'envelope';
}

/** JSON: what an encoder is opened with. */
export interface SchemaSinkEncoding {
  readonly kind: SchemaKind;
  readonly schema: string;
  readonly registry: RegistryConfig;
  readonly subject: string;
  /** null: it is not registered yet. */
  readonly schemaId: number | null;
}

const OPTIONS: OptionSchema = { ...REGISTRY_OPTIONS, 'schema.registry': { kind: 'text' } };
const SCHEMA_TYPES = { avro: 'AVRO', protobuf: 'PROTOBUF' } as const;

export function checkSchemaSink(
  kind: SchemaKind,
  given: ReadonlyMap<string, string>,
  columns: readonly SinkColumn[],
  { topic, part }: MessageTarget,
): SchemaSinkEncoding {
  const owner = `ENCODE ${SCHEMA_TYPES[kind]}`;
  const options = checkOptions(owner, OPTIONS, given);
  const registry = registryConfig(owner, options);
  const named = options.get('message') as string | null;
  const name = named === null ? NAMES[part] : part === 'key' ? `${named}Key` : named;
  const subjectPart = part === 'key' ? 'key' : 'value';
  const subject = subjectOf(options, topic, subjectPart, named === null ? null : name);
  const schema = schemaOf(kind, columns, name, part === 'envelope' ? rowName(named) : null);
  return { kind, schema, registry, subject, schemaId: null };
}

/** Of records that have no name. */
const NAMES = { key: 'Key', value: 'Value', envelope: 'Envelope' } as const;

/** The full name of the record in an envelope: of `shop.Order` it is `shop.OrderValue`. */
function rowName(named: string | null): string {
  return named === null ? NAMES.value : `${named}Value`;
}

/** `row`: the full name of the row's record in an envelope; null: the message is the row. */
function schemaOf(
  kind: SchemaKind,
  columns: readonly SinkColumn[],
  name: string,
  row: string | null,
): string {
  if (row === null) {
    return kind === 'avro' ? avroSchemaOf(columns, name) : protobufSchemaOf(columns, name);
  }
  const names = { envelope: name, row };
  return kind === 'avro'
    ? avroEnvelopeSchemaOf(columns, names)
    : protobufEnvelopeSchemaOf(columns, names);
}

/** Registers the schema, or finds it; 42804 where the registry refuses it, 08001 and 28000 where it cannot be asked. */
export async function registerSinkSchema(
  encoding: SchemaSinkEncoding,
  clock: Clock,
): Promise<SchemaSinkEncoding> {
  const { kind, registry, subject, schema } = encoding;
  const client = new SchemaRegistryClient(registry, clock);
  try {
    const schemaId = await client.register(subject, SCHEMA_TYPES[kind], schema);
    return { ...encoding, schemaId };
  } catch (error) {
    throw error instanceof RegistryError ? error.toSqlError() : error;
  }
}

export function openSchemaEncoder(
  { kind, schemaId }: SchemaSinkEncoding,
  columns: readonly EncodedColumn[],
  settings: ValueSettings,
): MessageEncoder {
  assert(schemaId !== null, 'the schema was registered at CREATE');
  return kind === 'avro'
    ? new AvroEncoder(columns, schemaId, settings)
    : new ProtobufEncoder(columns, schemaId, settings);
}

/** Of what was checked as `envelope`. */
export function openSchemaEnvelopes(
  { kind, schemaId }: SchemaSinkEncoding,
  columns: readonly EncodedColumn[],
  settings: ValueSettings,
): ChangeEncoder {
  assert(schemaId !== null, 'the schema was registered at CREATE');
  if (kind === 'avro') {
    const row = new AvroEncoder(columns, null, settings);
    return { row, envelope: new AvroEnvelopeWriter(schemaId) };
  }
  const row = new ProtobufEncoder(columns, null, settings);
  return { row, envelope: new ProtobufEnvelopeWriter(schemaId) };
}
