/** ENCODE AVRO: its options, and the schema that a CREATE is checked by. */

import * as fs from 'node:fs';
import type { Clock } from '../../base/clock.ts';
import { SqlError } from '../../base/sql-error.ts';
import { AvroDecoder, avroColumns, checkAvroColumns } from '../../formats/avro/avro-decoder.ts';
import { parseAvroSchema } from '../../formats/avro/schema.ts';
import type { DecodedColumn } from '../../formats/csv.ts';
import type { WriterSchema } from '../../formats/message-decoder.ts';
import type { ValueSettings } from '../../types/settings.ts';
import { checkRealPath, fileError, resolvePath } from '../file/file-access.ts';
import { checkOptions, type OptionSchema, type OptionValue } from '../options.ts';
import { type RegistryConfig, RegistryError, SchemaRegistryClient } from './registry-client.ts';

const OWNER = 'ENCODE AVRO';
const SCHEMA: OptionSchema = {
  schema: { kind: 'text', default: null },
  'schema.location': { kind: 'text', default: null },
  'schema.registry': { kind: 'text', default: null },
  'schema.registry.username': { kind: 'text', default: null },
  'schema.registry.password': { kind: 'text', default: null },
  'schema.registry.token': { kind: 'text', default: null },
  'schema.registry.timeout.ms': { kind: 'integer', min: 100, max: 600_000, default: 10_000 },
  'schema.registry.name.strategy': {
    kind: 'choice',
    choices: ['topic_name', 'record_name', 'topic_record_name'],
    default: 'topic_name',
  },
  message: { kind: 'text', default: null },
  'map.handling': { kind: 'choice', choices: ['jsonb'], default: 'jsonb' },
};

type Options = ReadonlyMap<string, OptionValue>;

/** What a decoder is opened with; JSON. */
export interface AvroEncoding {
  readonly kind: 'avro';
  /** null: the registry had none at CREATE. */
  readonly schema: WriterSchema | null;
  /** Messages carry ids of its schemas; null: they are all of `schema`. */
  readonly registry: RegistryConfig | null;
  readonly message: string | null;
}

/**
 * The schema that the options name: inline, in a file, or the registry's latest of the topic's subject (null: there is none
 * yet). 08001 where the registry cannot be reached, 28000 where it refuses the login.
 */
export async function fetchAvroSchema(
  given: ReadonlyMap<string, string>,
  topic: string | null,
  context: { readonly fileRoots: readonly string[]; readonly clock: Clock },
): Promise<WriterSchema | null> {
  const options = checkOptions(OWNER, SCHEMA, given);
  const config = checkRegistry(options);
  if (config === null) return localSchema(options, context.fileRoots);
  try {
    const subject = subjectOf(options, topic);
    const found = await new SchemaRegistryClient(config, context.clock).latest(subject);
    return found?.schema ?? null;
  } catch (error) {
    throw error instanceof RegistryError ? error.toSqlError() : error;
  }
}

/** Checks the options, and the columns where `schema` (of fetchAvroSchema) is known. */
export function checkAvro(
  given: ReadonlyMap<string, string>,
  columns: readonly DecodedColumn[],
  schema: WriterSchema | null,
  settings: ValueSettings,
): AvroEncoding {
  const options = checkOptions(OWNER, SCHEMA, given);
  const registry = checkRegistry(options);
  const message = options.get('message') as string | null;
  if (schema !== null) checkAvroColumns(parsed(schema), message, columns, settings);
  return { kind: 'avro', schema, registry, message };
}

/** The columns of a source without a list; 42704 where the registry has no schema yet. */
export function avroSourceColumns(
  given: ReadonlyMap<string, string>,
  schema: WriterSchema | null,
): DecodedColumn[] {
  if (schema === null) {
    throw new SqlError('42704', 'the schema registry has no schema for this topic yet', {
      hint: 'Register one, give a list of columns, or say "schema.registry.name.strategy".',
    });
  }
  const message = checkOptions(OWNER, SCHEMA, given).get('message') as string | null;
  return avroColumns(parsed(schema), message);
}

export function openAvro(
  { schema, registry, message }: AvroEncoding,
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): AvroDecoder {
  const options = {
    schema: schema === null ? null : parsed(schema),
    isFramed: registry !== null,
    message,
  };
  return new AvroDecoder(columns, options, settings);
}

function parsed({ type, text, references }: WriterSchema): ReturnType<typeof parseAvroSchema> {
  if (type !== 'AVRO') throw new SqlError('42804', `the schema is ${type}, not AVRO`);
  return parseAvroSchema(text, references);
}

/** null: the schema is given without one. 22023 unless exactly one of the three is said. */
function checkRegistry(options: Options): RegistryConfig | null {
  const names = ['schema.registry', 'schema', 'schema.location'];
  if (names.filter((name) => options.get(name) !== null).length !== 1) {
    throw new SqlError('22023', `${OWNER} needs one of the options ${names.join(', ')}`);
  }
  const url = options.get('schema.registry') as string | null;
  if (url === null) return null;
  const parts = URL.parse(url);
  if (parts === null || !/^https?:$/.test(parts.protocol) || parts.username !== '') {
    throw new SqlError(
      '22023',
      `invalid value for option "schema.registry" of ${OWNER}: "${url}"`,
      {
        hint: 'It must be a URL of http or https; name and password are options of their own.',
      },
    );
  }
  return {
    url: url.replace(/\/+$/, ''),
    authorization: authorizationOf(options),
    timeoutMs: options.get('schema.registry.timeout.ms') as number,
  };
}

function authorizationOf(options: Options): string | null {
  const username = options.get('schema.registry.username') as string | null;
  const password = options.get('schema.registry.password') as string | null;
  const token = options.get('schema.registry.token') as string | null;
  if (token !== null) return `Bearer ${token}`;
  if (username === null && password === null) return null;
  return `Basic ${Buffer.from(`${username ?? ''}:${password ?? ''}`).toString('base64')}`;
}

function localSchema(options: Options, fileRoots: readonly string[]): WriterSchema {
  const inline = options.get('schema') as string | null;
  const text = inline ?? readSchema(options.get('schema.location') as string, fileRoots);
  return { type: 'AVRO', text, references: [] };
}

function readSchema(location: string, fileRoots: readonly string[]): string {
  const file = resolvePath(location, fileRoots);
  try {
    checkRealPath(file, fileRoots);
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw error instanceof SqlError ? error : fileError(file, error);
  }
}

function subjectOf(options: Options, topic: string | null): string {
  const strategy = options.get('schema.registry.name.strategy') as string;
  const message = options.get('message') as string | null;
  if (strategy === 'topic_name' && topic !== null) return `${topic}-value`;
  if (strategy === 'record_name' && message !== null) return message;
  if (strategy === 'topic_record_name' && topic !== null && message !== null) {
    return `${topic}-${message}`;
  }
  const wanted = strategy === 'topic_name' ? 'a single topic' : 'the option "message"';
  throw new SqlError('22023', `"schema.registry.name.strategy" ${strategy} needs ${wanted}`);
}
