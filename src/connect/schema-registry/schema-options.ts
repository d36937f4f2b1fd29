/** Options of encodings with schemas (AVRO, PROTOBUF): where the schema comes from, and how a registry is reached. */

import * as fs from 'node:fs';
import type { Clock } from '../../base/clock.ts';
import { fileError } from '../../base/file-problem.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { WriterSchema } from '../../formats/message-decoder.ts';
import { checkRealPath, resolvePath } from '../file/file-access.ts';
import { badValue, type OptionSchema, type OptionValue } from '../options.ts';
import { type RegistryConfig, RegistryError, SchemaRegistryClient } from './registry-client.ts';

export const REGISTRY_OPTIONS: OptionSchema = {
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
};

/** Options of a source: a schema of its own instead of a registry. */
export const SCHEMA_OPTIONS: OptionSchema = {
  schema: { kind: 'text', default: null },
  'schema.location': { kind: 'text', default: null },
  ...REGISTRY_OPTIONS,
};

export type Options = ReadonlyMap<string, OptionValue>;

/**
 * The schema that the options name: inline, in a file, or the registry's latest of the topic's subject (null: there is none
 * yet). 08001 where the registry cannot be reached, 28000 where it refuses the login.
 */
export async function fetchSchema(
  owner: string,
  type: string,
  options: Options,
  topic: string | null,
  context: { readonly fileRoots: readonly string[]; readonly clock: Clock },
): Promise<WriterSchema | null> {
  const config = checkRegistry(owner, options);
  if (config === null) return localSchema(type, options, context.fileRoots);
  return latestSchema(config, subjectOf(options, topic, 'value'), context.clock);
}

/** As `fetchSchema`, of the records' keys; null also where the options do not say under which subject it is. */
export async function fetchKeySchema(
  owner: string,
  options: Options,
  topic: string | null,
  clock: Clock,
): Promise<WriterSchema | null> {
  const config = checkRegistry(owner, options);
  const isByTopic = options.get('schema.registry.name.strategy') === 'topic_name';
  if (config === null || topic === null || !isByTopic) return null;
  return latestSchema(config, subjectOf(options, topic, 'key'), clock);
}

async function latestSchema(
  config: RegistryConfig,
  subject: string,
  clock: Clock,
): Promise<WriterSchema | null> {
  try {
    const found = await new SchemaRegistryClient(config, clock).latest(subject);
    return found?.schema ?? null;
  } catch (error) {
    throw error instanceof RegistryError ? error.toSqlError() : error;
  }
}

/** null: the schema is given without one. 22023 unless exactly one of the three is said. */
export function checkRegistry(owner: string, options: Options): RegistryConfig | null {
  const names = ['schema.registry', 'schema', 'schema.location'];
  if (names.filter((name) => options.get(name) !== null).length !== 1) {
    throw new SqlError('22023', `${owner} needs one of the options ${names.join(', ')}`);
  }
  return options.get('schema.registry') === null ? null : registryConfig(owner, options);
}

/** How the registry that the options name is reached. */
export function registryConfig(owner: string, options: Options): RegistryConfig {
  const url = options.get('schema.registry') as string;
  const parts = URL.parse(url);
  if (parts === null || !/^https?:$/.test(parts.protocol) || parts.username !== '') {
    const wanted = 'a URL of http or https; name and password are options of their own';
    throw badValue(owner, 'schema.registry', url, wanted);
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

function localSchema(type: string, options: Options, fileRoots: readonly string[]): WriterSchema {
  const inline = options.get('schema') as string | null;
  const text = inline ?? readSchema(options.get('schema.location') as string, fileRoots);
  return { type, text, references: [] };
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

/** The subject that a message's key or value is registered under. `message`: the full name of its record. */
export function subjectOf(
  options: Options,
  topic: string | null,
  part: 'key' | 'value',
  message = options.get('message') as string | null,
): string {
  const strategy = options.get('schema.registry.name.strategy') as string;
  if (strategy === 'topic_name' && topic !== null) return `${topic}-${part}`;
  if (strategy === 'record_name' && message !== null) return message;
  if (strategy === 'topic_record_name' && topic !== null && message !== null) {
    return `${topic}-${message}`;
  }
  const wanted = strategy === 'topic_name' ? 'a single topic' : 'the option "message"';
  throw new SqlError('22023', `"schema.registry.name.strategy" ${strategy} needs ${wanted}`);
}
