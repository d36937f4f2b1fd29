/**
 * AvroDecoder: Avro records straight into column builders, interpreted field by field.
 *
 * Algorithm. For each writer's schema a plan is made once: for each of its fields, in the order of the bytes, the reader that
 * appends it to its column, or a skipper. Columns without a field are filled behind. Fields go to columns by exact name, then
 * by an alias (the reader schema's, then the writer's), then by name without case. So a schema may grow, shrink, rename by
 * alias and widen its numbers while the columns stay.
 *
 * A message from a registry's user begins with a zero byte and the schema's id (int32, big-endian); otherwise all messages
 * are of the one schema and bare. Schemas come by `learnSchema` before the messages that need them; the messages of an id that
 * did not come are rejected.
 *
 * Cost: one pass over the bytes, no object per record; a plan per schema id.
 */

import { must } from '../../base/assert.ts';
import { type DataError, SqlError } from '../../base/sql-error.ts';
import type { ColumnBuilder } from '../../batch/column-builder.ts';
import type { ValueSettings } from '../../types/value.ts';
import type { DecodedColumn } from '../csv.ts';
import type { MessageDecoder, WriterSchema } from '../message-decoder.ts';
import { userError } from '../record-decoder.ts';
import { FRAME_SIZE, hasFrame, schemaIdAt, unknownSchema } from '../schema-frame.ts';
import { AvroCursor, corrupt } from './cursor.ts';
import { defaultBytes } from './default-bytes.ts';
import { sqlTypeOf } from './scalar.ts';
import {
  type AvroField,
  type AvroRecord,
  type AvroSchema,
  parseAvroSchema,
  schemaName,
} from './schema.ts';
import { Skippers } from './skip.ts';
import { misfit, misfitReader, type ValueReader, valueReader } from './value-reader.ts';

export interface AvroOptions {
  /** What the columns were made or checked by: gives aliases and defaults; null: nothing is known. */
  readonly schema: AvroSchema | null;
  /** Messages carry ids of a registry's schemas; false: they are all of `schema`. */
  readonly isFramed: boolean;
  /** Of several records in a union, the one that is read; null: any. */
  readonly message: string | null;
}

/** One field of the writer, or a column that has none. */
interface Step {
  /** -1: the field is moved over. */
  readonly column: number;
  readonly read: ValueReader;
}

/** What a message of a schema is read by. */
interface Plan {
  /** By branch of the outermost union; without a union there is one. An error: such messages are rejected. */
  readonly branches: readonly (readonly Step[] | SqlError)[];
  readonly isUnion: boolean;
}

export class AvroDecoder implements MessageDecoder {
  readonly #columns: readonly DecodedColumn[];
  readonly #options: AvroOptions;
  readonly #settings: ValueSettings;
  readonly #cursor = new AvroCursor();
  /** By schema id. */
  readonly #plans = new Map<number, Plan>();
  readonly #bare: Plan | null;
  /** Those of the message before. */
  #lastId = -1;
  #lastPlan: Plan | null = null;

  /** `columns`: what the builders hold, in their order. */
  constructor(columns: readonly DecodedColumn[], options: AvroOptions, settings: ValueSettings) {
    this.#columns = columns;
    this.#options = options;
    this.#settings = settings;
    this.#bare = options.isFramed ? null : this.#planOf(must(options.schema));
  }

  get errorOffset(): number {
    return this.#cursor.at;
  }

  learnSchema(id: number, { type, text, references }: WriterSchema): void {
    if (this.#plans.has(id)) return;
    try {
      if (type !== 'AVRO') throw new SqlError('42804', `schema ${id} is ${type}, not AVRO`);
      this.#plans.set(id, this.#planOf(parseAvroSchema(text, references)));
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      this.#plans.set(id, { branches: [error], isUnion: false });
    }
  }

  append(
    bytes: Buffer,
    start: number,
    end: number,
    builders: readonly ColumnBuilder[],
  ): DataError | null {
    const cursor = this.#cursor;
    cursor.start(bytes, start, end);
    let column = -1;
    try {
      const plan = this.#bare ?? this.#framedPlan(cursor);
      const branch = plan.isUnion ? cursor.index(plan.branches.length, 'branch') : 0;
      const steps = plan.branches[branch]!;
      if (steps instanceof SqlError) return steps;
      for (let i = 0; i < steps.length; i += 1) {
        const step = steps[i]!;
        column = step.column;
        step.read(cursor, builders[column]!);
      }
      column = -1;
      cursor.expectEnd();
      return null;
    } catch (error) {
      return userError(error, this.#columns[column]?.name);
    }
  }

  #framedPlan(cursor: AvroCursor): Plan {
    const { bytes, at, end } = cursor;
    if (!hasFrame(bytes, at, end)) throw corrupt('it does not begin with 0 and a schema id');
    const id = schemaIdAt(bytes, at);
    if (id !== this.#lastId) {
      const plan = this.#plans.get(id);
      if (plan === undefined) throw unknownSchema(id);
      this.#lastId = id;
      this.#lastPlan = plan;
    }
    cursor.at = at + FRAME_SIZE;
    return this.#lastPlan!;
  }

  #planOf(schema: AvroSchema): Plan {
    const isUnion = schema.kind === 'union';
    const branches = isUnion ? schema.branches : [schema];
    return { branches: branches.map((branch) => this.#stepsOf(branch)), isUnion };
  }

  #stepsOf(writer: AvroSchema): readonly Step[] | SqlError {
    if (writer.kind !== 'record') return noRecord(writer);
    const { message, schema } = this.#options;
    if (message !== null && !isNamed(writer, message)) {
      return new SqlError('42804', `Avro ${schemaName(writer)} is not the message "${message}"`);
    }
    const reader = schema === null ? null : recordOf(schema, message);
    const fields = this.#columns.map(({ name }) => writerField(name, writer, reader));
    const skippers = new Skippers();
    const steps: Step[] = [];
    for (const field of writer.fields) {
      const columns = fields.flatMap((found, column) => (found === field ? [column] : []));
      if (columns.length === 0) steps.push({ column: -1, read: skippers.of(field.type) });
      for (const [i, column] of columns.entries()) {
        const isLast = i === columns.length - 1;
        steps.push({ column, read: this.#fieldReader(field, column, isLast) });
      }
    }
    for (const [column, field] of fields.entries()) {
      if (field === undefined) steps.push({ column, read: this.#missing(column, reader) });
    }
    return steps;
  }

  /** `isLast`: no other column takes the same field. */
  #fieldReader({ type: schema }: AvroField, column: number, isLast: boolean): ValueReader {
    const { type } = this.#columns[column]!;
    const read = valueReader(schema, type, this.#settings) ?? misfitReader(schema, type);
    if (isLast) return read;
    return (cursor, builder) => {
      const { at } = cursor;
      read(cursor, builder);
      cursor.at = at;
    };
  }

  /** The default of the reader schema's field, else NULL. */
  #missing(column: number, reader: AvroRecord | null): ValueReader {
    const { name, type } = this.#columns[column]!;
    const field = reader === null ? undefined : fieldNamed(name, reader.fields);
    if (field === undefined || field.default === undefined) {
      return (_, builder) => builder.appendNull();
    }
    const bytes = defaultBytes(field.type, field.default);
    const read = valueReader(field.type, type, this.#settings) ?? misfitReader(field.type, type);
    const own = new AvroCursor();
    return (_, builder) => {
      own.start(bytes, 0, bytes.length);
      read(own, builder);
    };
  }
}

/** The columns of a source without a list: 42804 where the schema is no record. */
export function avroColumns(schema: AvroSchema, message: string | null): DecodedColumn[] {
  return recordOf(schema, message).fields.map(({ name, type }) => ({
    name,
    type: sqlTypeOf(type),
  }));
}

/** Refuses columns whose fields are of a type that does not fit: 42804 with both types. Those without a field are NULL. */
export function checkAvroColumns(
  schema: AvroSchema,
  message: string | null,
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): void {
  const record = recordOf(schema, message);
  for (const { name, type } of columns) {
    const field = writerField(name, record, record);
    if (field === undefined) continue;
    if (valueReader(field.type, type, settings) === null) {
      throw userError(misfit(field.type, type), name);
    }
  }
}

/** The record that a schema stands for, or the one of its union that is named. */
function recordOf(schema: AvroSchema, message: string | null): AvroRecord {
  const branches = schema.kind === 'union' ? schema.branches : [schema];
  const records = branches.filter((branch) => branch.kind === 'record');
  const found = message === null ? records[0] : records.find((one) => isNamed(one, message));
  if (found === undefined && message !== null) {
    throw new SqlError('22023', `the Avro schema has no record "${message}"`);
  }
  if (found === undefined) throw noRecord(schema);
  if (message === null && records.length > 1) {
    throw new SqlError('22023', 'the Avro schema has several records', {
      hint: `Say message = '${found.name}' in ENCODE AVRO (...).`,
    });
  }
  return found;
}

/** By full name, or by the name without its namespace. */
function isNamed({ name }: AvroRecord, message: string): boolean {
  return name === message || name.endsWith(`.${message}`);
}

function noRecord(schema: AvroSchema): SqlError {
  return new SqlError('42804', `Avro ${schemaName(schema)} is no record`);
}

/** The writer's field that a column takes. */
function writerField(
  column: string,
  writer: AvroRecord,
  reader: AvroRecord | null,
): AvroField | undefined {
  const { fields } = writer;
  const exact = fields.find(({ name }) => name === column);
  if (exact !== undefined) return exact;
  const wanted = reader === null ? undefined : fieldNamed(column, reader.fields);
  const names = wanted === undefined ? [] : [wanted.name, ...wanted.aliases];
  return (
    fields.find(({ name }) => names.includes(name)) ??
    fields.find(({ aliases }) => aliases.includes(column)) ??
    fieldNamed(column, fields)
  );
}

/** By exact name, then without case. */
function fieldNamed(column: string, fields: readonly AvroField[]): AvroField | undefined {
  const lower = column.toLowerCase();
  return (
    fields.find(({ name }) => name === column) ??
    fields.find(({ name }) => name.toLowerCase() === lower)
  );
}
