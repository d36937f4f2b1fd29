/** FORMAT DEBEZIUM ENCODE JSON: change events (debezium-decoder.ts) with and without the wrapper {"schema": ..., "payload": ...}. */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import type { ValueSettings } from '../types/settings.ts';
import type { DecodedColumn } from './csv.ts';
import { PLACEHOLDER, PLACEHOLDER_UUID } from './debezium-change.ts';
import {
  DebeziumDecoder,
  type EventReader,
  EventRows,
  NO_NAMES,
  type Span,
} from './debezium-decoder.ts';
import { debeziumAppender, type FieldSchema } from './debezium-values.ts';
import { JsonObjectDecoder, type TokenAppender } from './json-object.ts';
import { type JsonPaths, NO_PATHS } from './json-paths.ts';
import { JsonScanner, OBJECT_START, STRING } from './json-scanner.ts';

const PLACEHOLDER_BASE64 = PLACEHOLDER.toString('base64');
/** The whole values that stand for a column that has not changed, and what is looked for to find one. */
const UNAVAILABLE: ReadonlySet<string> = new Set([
  `"${PLACEHOLDER}"`,
  `["${PLACEHOLDER}"]`,
  `"${PLACEHOLDER_BASE64}"`,
  `["${PLACEHOLDER_BASE64}"]`,
  `["${PLACEHOLDER_UUID}"]`,
  `[${[...PLACEHOLDER].join()}]`,
]);
const TRACES = [PLACEHOLDER, Buffer.from(PLACEHOLDER_BASE64)];
/** Further ones of arrays. */
const ARRAY_TRACES = [Buffer.from(PLACEHOLDER_UUID), Buffer.from([...PLACEHOLDER].join())];

/** A decoder of change events into these columns. `key`: numbers of the key's columns. */
export function openDebeziumJson(
  columns: readonly DecodedColumn[],
  key: readonly number[],
  settings: ValueSettings,
  paths: JsonPaths = NO_PATHS,
): DebeziumDecoder {
  return new DebeziumDecoder(columns, key, new JsonEventReader(columns, key, settings, paths));
}

class JsonEventReader implements EventReader {
  readonly #rows: EventRows;
  readonly #envelope = new Envelope();
  readonly #schemas = new MessageSchemas();
  readonly #traces: readonly Buffer[];

  constructor(
    columns: readonly DecodedColumn[],
    key: readonly number[],
    settings: ValueSettings,
    paths: JsonPaths,
  ) {
    this.#rows = new EventRows(columns, key, (some) => this.#rowDecoder(some, settings, paths));
    const hasArray = columns.some(({ type }) => type.element !== null);
    this.#traces = hasArray ? [...TRACES, ...ARRAY_TRACES] : TRACES;
  }

  get before(): Span {
    return this.#envelope.before;
  }

  get after(): Span {
    return this.#envelope.after;
  }

  get op(): string | null {
    return this.#envelope.op;
  }

  get errorOffset(): number {
    return this.#envelope.errorOffset;
  }

  read(bytes: Buffer, start: number, end: number): EventRows | null {
    const envelope = this.#envelope;
    envelope.read(bytes, start, end);
    if (envelope.isEmpty) return null;
    this.#schemas.learn(bytes, envelope.schema);
    return this.#rows;
  }

  gaps(bytes: Buffer): ReadonlySet<string> {
    const { start, end } = this.after;
    const row = bytes.subarray(start, end);
    if (!this.#traces.some((trace) => row.includes(trace))) return NO_NAMES;
    const names = new Set<string>();
    for (const [name, span] of members(row)) {
      const value = row.toString('latin1', span.start, span.end);
      if (UNAVAILABLE.has(value)) names.add(name.toLowerCase());
    }
    return names;
  }

  #rowDecoder(
    columns: readonly DecodedColumn[],
    settings: ValueSettings,
    paths: JsonPaths,
  ): JsonObjectDecoder {
    const tokens = columns.map(({ name, type }): TokenAppender | null => {
      const append = debeziumAppender(type, settings);
      if (append === null) return null;
      return (builder, bytes, start, end) =>
        append(builder, bytes, start, end, this.#schemas.of(name));
    });
    const own = columns.flatMap(({ name }) =>
      Object.hasOwn(paths, name) ? [[name, must(paths[name])] as const] : [],
    );
    return new JsonObjectDecoder(columns, settings, Object.fromEntries(own), tokens);
  }
}

/** Names and values of an object's members. */
function* members(bytes: Buffer): Generator<readonly [string, Span]> {
  const scanner = new JsonScanner();
  scanner.start(bytes, 0, bytes.length);
  scanner.at += 1;
  scanner.skipSpace();
  if (scanner.takeObjectEnd()) return;
  do {
    const nameStart = scanner.at;
    scanner.skipString();
    const name = JSON.parse(bytes.toString('utf8', nameStart, scanner.at)) as string;
    scanner.expectColon();
    const start = scanner.at;
    scanner.skipValue();
    yield [name, { start, end: scanner.at }];
  } while (!scanner.takeMemberEnd());
}

/** The n of null. */
const NULL_START = 110;
const OP = Buffer.from('"op"');
const BEFORE = Buffer.from('"before"');
const AFTER = Buffer.from('"after"');
const SCHEMA = Buffer.from('"schema"');
const PAYLOAD = Buffer.from('"payload"');

/** Where the parts of a change event lie; of "before" and "after" only what is an object. */
class Envelope {
  readonly before: Span = { start: -1, end: 0 };
  readonly after: Span = { start: -1, end: 0 };
  /** Of the wrapper. */
  readonly schema: Span = { start: -1, end: 0 };
  readonly #payload: Span = { start: -1, end: 0 };
  readonly #op: Span = { start: -1, end: 0 };
  readonly #scanner = new JsonScanner();
  #bytes: Buffer = Buffer.alloc(0);

  /** null: there is none. */
  get op(): string | null {
    const { start, end } = this.#op;
    const isText = start >= 0 && this.#bytes[start] === STRING;
    return isText ? this.#bytes.toString('latin1', start + 1, end - 1) : null;
  }

  /** It is no event at all, but null. */
  get isEmpty(): boolean {
    const { start } = this.#payload;
    return start >= 0 && this.#bytes[start] === NULL_START;
  }

  get errorOffset(): number {
    return this.#scanner.at;
  }

  read(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes;
    for (const span of [this.before, this.after, this.schema, this.#payload, this.#op]) {
      span.start = -1;
    }
    const scanner = this.#scanner;
    scanner.start(bytes, start, end);
    scanner.skipSpace();
    this.#readMembers(bytes, true);
    scanner.expectEnd();
    const { start: from, end: to } = this.#payload;
    if (this.#op.start < 0 && bytes[from] === OBJECT_START) {
      scanner.start(bytes, from, to);
      this.#readMembers(bytes, false);
    }
    for (const row of [this.before, this.after]) {
      if (bytes[row.start] !== OBJECT_START) row.start = -1;
    }
  }

  #readMembers(bytes: Buffer, isWhole: boolean): void {
    const scanner = this.#scanner;
    if (scanner.peek() !== OBJECT_START) {
      throw new SqlError('22P02', 'invalid JSON record: it must be an object');
    }
    scanner.at += 1;
    scanner.skipSpace();
    if (scanner.takeObjectEnd()) return;
    do {
      const nameStart = scanner.at;
      scanner.skipString();
      const span = this.#spanOf(bytes, nameStart, scanner.at, isWhole);
      scanner.expectColon();
      const start = scanner.at;
      scanner.skipValue();
      if (span === null) continue;
      span.start = start;
      span.end = scanner.at;
    } while (!scanner.takeMemberEnd());
  }

  /** Where the value of the member with that name is noted; null: nobody asks for it. */
  #spanOf(bytes: Buffer, start: number, end: number, isWhole: boolean): Span | null {
    if (isSame(bytes, start, end, AFTER)) return this.after;
    if (isSame(bytes, start, end, BEFORE)) return this.before;
    if (isSame(bytes, start, end, OP)) return this.#op;
    if (!isWhole) return null;
    if (isSame(bytes, start, end, PAYLOAD)) return this.#payload;
    return isSame(bytes, start, end, SCHEMA) ? this.schema : null;
  }
}

function isSame(bytes: Buffer, start: number, end: number, name: Buffer): boolean {
  if (end - start !== name.length) return false;
  for (let i = 1; i < name.length - 1; i += 1) if (bytes[start + i] !== name[i]) return false;
  return true;
}

/** Fields of a schema of Kafka Connect, whatever else its JSON holds, by their names. */
function fieldsOf(schema: unknown): Map<string, Readonly<Record<string, unknown>>> {
  const { fields = [] } = schema as { readonly fields?: unknown };
  const named = new Map<string, Readonly<Record<string, unknown>>>();
  for (const field of Array.isArray(fields) ? (fields as readonly unknown[]) : []) {
    if (typeof field !== 'object' || field === null) continue;
    const { field: name } = field as { readonly field?: unknown };
    if (typeof name === 'string') named.set(name, field as Readonly<Record<string, unknown>>);
  }
  return named;
}

function fieldSchema({ name, parameters }: Readonly<Record<string, unknown>>): FieldSchema {
  const { scale = null } = (parameters ?? {}) as { readonly scale?: unknown };
  const digits = scale === null ? null : Number(scale);
  return {
    name: typeof name === 'string' ? name : null,
    scale: Number.isInteger(digits) ? digits : null,
  };
}

/** What the schema of a message says of the row's fields; read again only when it changes. */
class MessageSchemas {
  #text: Buffer = Buffer.alloc(0);
  #fields: ReadonlyMap<string, FieldSchema> | null = null;

  /** Of the last message; null: it says nothing. */
  of(column: string): FieldSchema | null {
    return this.#fields?.get(column.toLowerCase()) ?? null;
  }

  learn(bytes: Buffer, { start, end }: Span): void {
    if (bytes[start] !== OBJECT_START) {
      this.#fields = null;
      return;
    }
    const text = bytes.subarray(start, end);
    if (this.#fields !== null && text.equals(this.#text)) return;
    this.#text = Buffer.from(text);
    const row = fieldsOf(JSON.parse(text.toString('utf8'))).get('after') ?? {};
    this.#fields = new Map(
      [...fieldsOf(row)].map(([name, field]) => [name.toLowerCase(), fieldSchema(field)]),
    );
  }
}
