/**
 * FORMAT DEBEZIUM ENCODE JSON: change events of databases (debezium-change.ts), with and without the wrapper
 * {"schema": ..., "payload": ...}. What was there before the change comes from nowhere but the stored rows: "before" gives the
 * key of a deleted row only. Records without a value (tombstones) say nothing.
 *
 * Columns whose value Debezium left out because it has not changed are told by its placeholder.
 */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import type { ValueSettings } from '../types/settings.ts';
import {
  type ChangeDecoder,
  DELETE,
  type KeyedRecord,
  NO_CHANGE,
  TRUNCATE,
  UPSERT,
} from './change-decoder.ts';
import type { DecodedColumn } from './csv.ts';
import { changeOf, columnsNamed, noAfter, noBefore, PLACEHOLDER } from './debezium-change.ts';
import { debeziumAppender, type FieldSchema } from './debezium-values.ts';
import { JsonObjectDecoder, type TokenAppender } from './json-object.ts';
import { type JsonPaths, NO_PATHS } from './json-paths.ts';
import { JsonScanner, OBJECT_START } from './json-scanner.ts';
import { RowKey } from './row-key.ts';

const PLACEHOLDER_BASE64 = Buffer.from(PLACEHOLDER.toString('base64'));
/** The whole values that stand for a column that has not changed. */
const UNAVAILABLE: ReadonlySet<string> = new Set([
  `"${PLACEHOLDER}"`,
  `["${PLACEHOLDER}"]`,
  `"${PLACEHOLDER_BASE64}"`,
]);
const NONE: readonly number[] = [];

/** A JSON value's place in the bytes. */
interface Span {
  start: number;
  end: number;
}

export class DebeziumJsonDecoder implements ChangeDecoder {
  readonly #columns: readonly DecodedColumn[];
  readonly #key: RowKey;
  readonly #row: JsonObjectDecoder;
  readonly #keyRow: JsonObjectDecoder;
  readonly #envelope = new Envelope();
  readonly #schemas: MessageSchemas;
  #unavailable: readonly number[] = NONE;
  #errorOffset = 0;

  /** `key`: numbers of the key's columns. */
  constructor(
    columns: readonly DecodedColumn[],
    key: readonly number[],
    settings: ValueSettings,
    paths: JsonPaths = NO_PATHS,
  ) {
    this.#columns = columns;
    this.#key = new RowKey(columns, key);
    const schemas = new MessageSchemas();
    const tokens = columns.map(({ name, type }): TokenAppender | null => {
      const append = debeziumAppender(type, settings);
      if (append === null) return null;
      return (builder, bytes, start, end) => append(builder, bytes, start, end, schemas.of(name));
    });
    this.#schemas = schemas;
    const keyPaths = this.#key.columns.flatMap(({ name }) =>
      Object.hasOwn(paths, name) ? [[name, must(paths[name])] as const] : [],
    );
    const keyTokens = key.map((column) => tokens[column] ?? null);
    this.#row = new JsonObjectDecoder(columns, settings, paths, tokens);
    this.#keyRow = new JsonObjectDecoder(
      this.#key.columns,
      settings,
      Object.fromEntries(keyPaths),
      keyTokens,
    );
  }

  get unavailable(): readonly number[] {
    return this.#unavailable;
  }

  get errorOffset(): number {
    return this.#errorOffset;
  }

  append(record: KeyedRecord, builders: readonly ColumnBuilder[]): number {
    const { bytes, valueStart, valueLength } = record;
    this.#unavailable = NONE;
    this.#errorOffset = valueStart;
    if (valueLength < 0) return NO_CHANGE;
    this.#key.part(builders);
    const envelope = this.#envelope;
    try {
      envelope.read(bytes, valueStart, valueStart + valueLength);
    } catch (error) {
      this.#errorOffset = envelope.errorOffset;
      throw error;
    }
    if (envelope.isEmpty) return NO_CHANGE;
    this.#schemas.learn(bytes, envelope.schema);
    const change = changeOf(envelope.op);
    if (change === UPSERT) this.#upsert(bytes, envelope.after, builders);
    else if (change === DELETE) this.#delete(bytes, envelope.before);
    else if (change === TRUNCATE) for (const builder of builders) builder.appendNull();
    return change;
  }

  #upsert(bytes: Buffer, after: Span, builders: readonly ColumnBuilder[]): void {
    if (bytes[after.start] !== OBJECT_START) throw noAfter();
    if (mayLack(bytes, after)) this.#appendWithGaps(bytes, after, builders);
    else this.#append(this.#row, bytes, after, builders);
    this.#key.check();
  }

  #delete(bytes: Buffer, before: Span): void {
    if (bytes[before.start] !== OBJECT_START) throw noBefore();
    this.#append(this.#keyRow, bytes, before, this.#key.builders);
    this.#key.check();
    this.#key.appendNullOthers();
  }

  #append(
    decoder: JsonObjectDecoder,
    bytes: Buffer,
    { start, end }: Span,
    builders: readonly ColumnBuilder[],
  ): void {
    try {
      decoder.append(bytes, start, end, builders);
    } finally {
      this.#errorOffset = decoder.errorOffset;
    }
  }

  /** Members that hold the placeholder become null, and are noted. */
  #appendWithGaps(bytes: Buffer, { start, end }: Span, builders: readonly ColumnBuilder[]): void {
    const copy = Buffer.from(bytes.subarray(start, end));
    const names = new Set<string>();
    for (const [name, span] of members(copy)) {
      if (!UNAVAILABLE.has(copy.toString('latin1', span.start, span.end))) continue;
      names.add(name.toLowerCase());
      copy.fill(' ', span.start, span.end);
      copy.write('null', span.start);
    }
    this.#unavailable = columnsNamed(names, this.#columns);
    try {
      this.#row.append(copy, 0, copy.length, builders);
    } finally {
      this.#errorOffset = start + this.#row.errorOffset;
    }
  }
}

/** Whether a placeholder is somewhere in the row. */
function mayLack(bytes: Buffer, { start, end }: Span): boolean {
  const row = bytes.subarray(start, end);
  return row.includes(PLACEHOLDER) || row.includes(PLACEHOLDER_BASE64);
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

/** Where the parts of a change event lie. */
class Envelope {
  readonly before: Span = { start: 0, end: 0 };
  readonly after: Span = { start: 0, end: 0 };
  /** Of the wrapper; empty: there is none. */
  readonly schema: Span = { start: 0, end: 0 };
  readonly #payload: Span = { start: 0, end: 0 };
  readonly #op: Span = { start: 0, end: 0 };
  readonly #scanner = new JsonScanner();
  #bytes: Buffer = Buffer.alloc(0);

  /** null: there is none. */
  get op(): string | null {
    const { start, end } = this.#op;
    return end - start < 2 ? null : this.#bytes.toString('latin1', start + 1, end - 1);
  }

  /** It is no event at all, but null. */
  get isEmpty(): boolean {
    const { start, end } = this.#payload;
    return end > 0 && this.#bytes[start] === NULL_START;
  }

  get errorOffset(): number {
    return this.#scanner.at;
  }

  read(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes;
    for (const span of [this.before, this.after, this.schema, this.#payload, this.#op]) {
      span.start = start;
      span.end = 0;
    }
    const scanner = this.#scanner;
    scanner.start(bytes, start, end);
    scanner.skipSpace();
    this.#readMembers(bytes, true);
    scanner.expectEnd();
    const { start: from, end: to } = this.#payload;
    if (to === 0 || this.#op.end > 0 || bytes[from] !== OBJECT_START) return;
    scanner.start(bytes, from, to);
    this.#readMembers(bytes, false);
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

interface ConnectSchema {
  readonly field?: string;
  readonly name?: string;
  readonly parameters?: { readonly scale?: string };
  readonly fields?: readonly ConnectSchema[];
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
    if (end === 0 || bytes[start] !== OBJECT_START) {
      this.#fields = null;
      return;
    }
    const text = bytes.subarray(start, end);
    if (this.#fields !== null && text.equals(this.#text)) return;
    this.#text = Buffer.from(text);
    const schema = JSON.parse(text.toString('utf8')) as ConnectSchema;
    const row = schema.fields?.find(({ field }) => field === 'after');
    this.#fields = new Map(
      (row?.fields ?? []).map(({ field = '', name = null, parameters }) => {
        const scale = parameters?.scale === undefined ? null : Number(parameters.scale);
        return [field.toLowerCase(), { name, scale }];
      }),
    );
  }
}
