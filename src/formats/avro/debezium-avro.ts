/**
 * FORMAT DEBEZIUM ENCODE AVRO: change events as records of "before", "after" and "op" (debezium-change.ts). The envelope is moved through, the row in it is decoded by AvroDecoder. Times and decimals come by their logical types,
 * or by Kafka Connect's names of them (schema.ts).
 *
 * Cost: the row's bytes are passed twice. A schema makes a plan once.
 */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { ColumnBuilder } from '../../batch/column-builder.ts';
import type { ValueSettings } from '../../types/settings.ts';
import {
  type ChangeDecoder,
  DELETE,
  type KeyedRecord,
  NO_CHANGE,
  TRUNCATE,
  UPSERT,
} from '../change-decoder.ts';
import type { DecodedColumn } from '../csv.ts';
import { changeOf, columnsNamed, noAfter, noBefore, PLACEHOLDER } from '../debezium-change.ts';
import type { WriterSchema } from '../message-decoder.ts';
import { RowKey } from '../row-key.ts';
import { FRAME_SIZE, hasFrame, schemaIdAt, unknownSchema } from '../schema-frame.ts';
import { AvroDecoder, checkAvroColumns } from './avro-decoder.ts';
import { AvroCursor, corrupt } from './cursor.ts';
import { type AvroRecord, type AvroSchema, parseAvroSchema } from './schema.ts';
import { type Skipper, Skippers } from './skip.ts';

/** Bytes that an encoded value may have around the placeholder: union's branch, blocks and length, the array's end. */
const AROUND_MAX = 5;
const NONE: readonly number[] = [];

/** How the envelopes of a schema are read. */
interface Plan {
  readonly fields: readonly { readonly name: string; readonly skip: Skipper }[];
  /** null: "before" and "after" may not be null. */
  readonly nullBranch: number | null;
  readonly record: AvroRecord;
  readonly row: AvroDecoder;
  readonly key: AvroDecoder;
}

/** Where "before" or "after" lies; `start` -1: it is null. */
interface Span {
  start: number;
  end: number;
}

export class DebeziumAvroDecoder implements ChangeDecoder {
  readonly #columns: readonly DecodedColumn[];
  readonly #key: RowKey;
  readonly #settings: ValueSettings;
  readonly #cursor = new AvroCursor();
  /** By schema id; an error: its records are rejected. */
  readonly #plans = new Map<number, Plan | SqlError>();
  readonly #bare: Plan | null;
  readonly #before: Span = { start: -1, end: 0 };
  readonly #after: Span = { start: -1, end: 0 };
  #op = '';
  #unavailable: readonly number[] = NONE;
  #errorOffset = 0;

  /** `key`: numbers of the key's columns; `schema`: of all messages; null: they carry ids. */
  constructor(
    columns: readonly DecodedColumn[],
    key: readonly number[],
    schema: AvroSchema | null,
    settings: ValueSettings,
  ) {
    this.#columns = columns;
    this.#key = new RowKey(columns, key);
    this.#settings = settings;
    this.#bare = schema === null ? null : this.#planOf(schema);
  }

  get unavailable(): readonly number[] {
    return this.#unavailable;
  }

  get errorOffset(): number {
    return this.#errorOffset;
  }

  learnSchema(id: number, { type, text, references }: WriterSchema): void {
    if (this.#plans.has(id)) return;
    try {
      if (type !== 'AVRO') throw new SqlError('42804', `schema ${id} is ${type}, not AVRO`);
      this.#plans.set(id, this.#planOf(parseAvroSchema(text, references)));
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      this.#plans.set(id, error);
    }
  }

  append(
    { bytes, valueStart, valueLength }: KeyedRecord,
    builders: readonly ColumnBuilder[],
  ): number {
    this.#unavailable = NONE;
    this.#errorOffset = valueStart;
    if (valueLength < 0) return NO_CHANGE;
    this.#key.part(builders);
    const cursor = this.#cursor;
    cursor.start(bytes, valueStart, valueStart + valueLength);
    const plan = this.#bare ?? this.#framedPlan(cursor);
    try {
      this.#readEnvelope(plan, cursor);
    } finally {
      this.#errorOffset = cursor.at;
    }
    const change = changeOf(this.#op);
    if (change === UPSERT) this.#upsert(plan, bytes, builders);
    else if (change === DELETE) this.#delete(plan, bytes);
    else if (change === TRUNCATE) for (const builder of builders) builder.appendNull();
    return change;
  }

  #framedPlan(cursor: AvroCursor): Plan {
    const { bytes, at, end } = cursor;
    if (!hasFrame(bytes, at, end)) throw corrupt('it does not begin with 0 and a schema id');
    const id = schemaIdAt(bytes, at);
    const plan = this.#plans.get(id);
    if (plan === undefined) throw unknownSchema(id);
    if (plan instanceof SqlError) throw plan;
    cursor.at = at + FRAME_SIZE;
    return plan;
  }

  #readEnvelope({ fields, nullBranch }: Plan, cursor: AvroCursor): void {
    this.#before.start = -1;
    this.#after.start = -1;
    for (const { name, skip } of fields) {
      if (name === 'op') {
        const start = cursor.skipBytes();
        this.#op = cursor.bytes.toString('latin1', start, cursor.at);
        continue;
      }
      const span = name === 'before' ? this.#before : name === 'after' ? this.#after : null;
      const isNull =
        span !== null && nullBranch !== null && cursor.index(2, 'branch') === nullBranch;
      if (isNull) continue;
      const start = cursor.at;
      skip(cursor);
      if (span === null) continue;
      span.start = start;
      span.end = cursor.at;
    }
    cursor.expectEnd();
  }

  #upsert(plan: Plan, bytes: Buffer, builders: readonly ColumnBuilder[]): void {
    const { start, end } = this.#after;
    if (start < 0) throw noAfter();
    if (bytes.subarray(start, end).includes(PLACEHOLDER)) {
      this.#unavailable = this.#gaps(plan.record, bytes);
    }
    if (this.#unavailable.length > 0) this.#appendWithGaps(plan, bytes, builders);
    else this.#appendRow(plan.row, bytes, this.#after, builders);
    this.#key.check();
  }

  #delete(plan: Plan, bytes: Buffer): void {
    if (this.#before.start < 0) throw noBefore();
    this.#appendRow(plan.key, bytes, this.#before, this.#key.builders);
    this.#key.check();
    this.#key.appendNullOthers();
  }

  #appendRow(
    decoder: AvroDecoder,
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

  /** Columns whose field is nothing but the placeholder. */
  #gaps({ fields }: AvroRecord, bytes: Buffer): number[] {
    const cursor = new AvroCursor();
    cursor.start(bytes, this.#after.start, this.#after.end);
    const skippers = new Skippers();
    const names = new Set<string>();
    for (const { name, type } of fields) {
      const start = cursor.at;
      skippers.of(type)(cursor);
      if (isPlaceholder(bytes.subarray(start, cursor.at))) names.add(name.toLowerCase());
    }
    return columnsNamed(names, this.#columns);
  }

  #appendWithGaps({ record }: Plan, bytes: Buffer, builders: readonly ColumnBuilder[]): void {
    const isThere = (_: unknown, column: number) => !this.#unavailable.includes(column);
    const row = this.#rowDecoder(record, this.#columns.filter(isThere));
    this.#appendRow(row, bytes, this.#after, builders.filter(isThere));
    for (const column of this.#unavailable) must(builders[column]).appendNull();
  }

  #rowDecoder(record: AvroRecord, columns: readonly DecodedColumn[]): AvroDecoder {
    return new AvroDecoder(
      columns,
      { schema: record, isFramed: false, message: null },
      this.#settings,
    );
  }

  #planOf(schema: AvroSchema): Plan {
    const { envelope, record, nullBranch } = envelopeOf(schema);
    const skippers = new Skippers();
    const fields = envelope.fields.map(({ name, type }) => {
      const isRow = name === 'before' || name === 'after';
      return { name, skip: skippers.of(isRow ? record : type) };
    });
    return {
      fields,
      nullBranch,
      record,
      row: this.#rowDecoder(record, this.#columns),
      key: this.#rowDecoder(record, this.#key.columns),
    };
  }
}

/** Whether an encoded value is nothing but the placeholder: a string or bytes of its length, alone or alone in an array. */
function isPlaceholder(value: Buffer): boolean {
  const at = value.indexOf(PLACEHOLDER);
  const isWhole = at > 0 && value[at - 1] === 2 * PLACEHOLDER.length;
  return isWhole && value.length <= PLACEHOLDER.length + AROUND_MAX;
}

/** The record of a row; 42804 where the schema is not Debezium's. */
export function debeziumRow(schema: AvroSchema): AvroRecord {
  return envelopeOf(schema).record;
}

/** Refuses columns whose fields are of a type that does not fit: 42804. */
export function checkDebeziumColumns(
  schema: AvroSchema,
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): void {
  checkAvroColumns(debeziumRow(schema), null, columns, settings);
}

interface EnvelopeShape {
  readonly envelope: AvroRecord;
  readonly record: AvroRecord;
  readonly nullBranch: number | null;
}

function envelopeOf(schema: AvroSchema): EnvelopeShape {
  const branches = schema.kind === 'union' ? [] : [schema];
  const [envelope] = branches.filter((branch) => branch.kind === 'record');
  const field = (name: string) => envelope?.fields.find((one) => one.name === name)?.type;
  const [before, after, op] = [field('before'), field('after'), field('op')];
  const row = after === undefined ? null : rowOf(after);
  if (envelope === undefined || row === null || op?.kind !== 'string') throw noEnvelope();
  if (before === undefined || rowOf(before)?.nullBranch !== row.nullBranch) throw noEnvelope();
  return { envelope, ...row };
}

/** A record, or a union of it and null. */
function rowOf(schema: AvroSchema): Pick<EnvelopeShape, 'record' | 'nullBranch'> | null {
  if (schema.kind === 'record') return { record: schema, nullBranch: null };
  if (schema.kind !== 'union' || schema.branches.length !== 2) return null;
  const nullBranch = schema.branches.findIndex(({ kind }) => kind === 'null');
  const record = schema.branches[1 - nullBranch];
  return nullBranch < 0 || record?.kind !== 'record' ? null : { record, nullBranch };
}

function noEnvelope(): SqlError {
  return new SqlError(
    '42804',
    'the Avro schema is none of Debezium: it needs "before", "after" and "op"',
  );
}
