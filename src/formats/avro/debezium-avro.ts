/**
 * FORMAT DEBEZIUM ENCODE AVRO: change events (debezium-decoder.ts) as records of "before", "after" and "op". The envelope is
 * moved through, the row in it is decoded by AvroDecoder. Times and decimals come by their logical types, or by Kafka Connect's
 * names of them (schema.ts).
 *
 * Cost: a schema makes a plan once.
 */

import { assert } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { ValueSettings } from '../../types/settings.ts';
import type { DecodedColumn } from '../csv.ts';
import { PLACEHOLDER, PLACEHOLDER_UUID } from '../debezium-change.ts';
import {
  DebeziumDecoder,
  type EventReader,
  EventRows,
  NO_NAMES,
  type Span,
} from '../debezium-decoder.ts';
import type { WriterSchema } from '../message-decoder.ts';
import { FRAME_SIZE, hasFrame, schemaIdAt, unknownSchema } from '../schema-frame.ts';
import { AvroDecoder } from './avro-decoder.ts';
import { AvroCursor, corrupt } from './cursor.ts';
import { type AvroRecord, type AvroSchema, parseAvroSchema } from './schema.ts';
import { type Skipper, Skippers } from './skip.ts';

/** "before", "after", "op", or another field. */
type Part = 'before' | 'after' | 'op' | null;

/** A field of the envelope. */
interface Step {
  readonly part: Part;
  /** Of a union with null; null: it is none. */
  readonly nullBranch: number | null;
  /** Moves over its value, behind the branch. */
  readonly skip: Skipper;
}

/** A field of the row. */
interface RowField {
  /** In lower case. */
  readonly name: string;
  readonly skip: Skipper;
}

/** How the envelopes of a schema are read. */
interface Plan {
  readonly steps: readonly Step[];
  readonly rows: EventRows;
  readonly rowFields: readonly RowField[];
  /** Of these one is in every row that left a column out. */
  readonly traces: readonly Trace[];
}

/** A decoder of change events into these columns. `key`: numbers of the key's columns; `schema`: of all messages; null: they carry ids. */
export function openDebeziumAvro(
  columns: readonly DecodedColumn[],
  key: readonly number[],
  schema: AvroSchema | null,
  settings: ValueSettings,
): DebeziumDecoder {
  const reader = new AvroEventReader(columns, key, schema, settings);
  return new DebeziumDecoder(columns, key, reader);
}

class AvroEventReader implements EventReader {
  readonly before: Span = { start: -1, end: 0 };
  readonly after: Span = { start: -1, end: 0 };
  readonly #columns: readonly DecodedColumn[];
  readonly #key: readonly number[];
  readonly #settings: ValueSettings;
  readonly #cursor = new AvroCursor();
  /** By schema id; an error: its records are rejected. */
  readonly #plans = new Map<number, Plan | SqlError>();
  readonly #bare: Plan | null;
  /** Of the event read last. */
  #plan: Plan | null = null;
  #op: string | null = null;

  constructor(
    columns: readonly DecodedColumn[],
    key: readonly number[],
    schema: AvroSchema | null,
    settings: ValueSettings,
  ) {
    this.#columns = columns;
    this.#key = key;
    this.#settings = settings;
    this.#bare = schema === null ? null : this.#planOf(schema);
  }

  get op(): string | null {
    return this.#op;
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
      this.#plans.set(id, error);
    }
  }

  read(bytes: Buffer, start: number, end: number): EventRows {
    const cursor = this.#cursor;
    cursor.start(bytes, start, end);
    const plan = this.#bare ?? this.#framedPlan(cursor);
    this.#plan = plan;
    this.before.start = -1;
    this.after.start = -1;
    this.#op = null;
    for (const step of plan.steps) this.#take(step, cursor);
    cursor.expectEnd();
    return plan.rows;
  }

  #take({ part, nullBranch, skip }: Step, cursor: AvroCursor): void {
    if (nullBranch !== null && cursor.index(2, 'branch') === nullBranch) return;
    const start = cursor.at;
    if (part === 'op') {
      const text = cursor.skipBytes();
      this.#op = cursor.bytes.toString('latin1', text, cursor.at);
      return;
    }
    skip(cursor);
    if (part === null) return;
    const span = part === 'before' ? this.before : this.after;
    span.start = start;
    span.end = cursor.at;
  }

  gaps(bytes: Buffer): ReadonlySet<string> {
    assert(this.#plan !== null, 'no event was read');
    const { traces, rowFields } = this.#plan;
    const { start, end } = this.after;
    const row = bytes.subarray(start, end);
    const found = traces.filter((trace) => row.includes(trace.bytes));
    if (found.length === 0) return NO_NAMES;
    const cursor = new AvroCursor();
    cursor.start(bytes, start, end);
    const names = new Set<string>();
    for (const { name, skip } of rowFields) {
      const from = cursor.at;
      skip(cursor);
      const value = bytes.subarray(from, cursor.at);
      if (found.some((trace) => isAlone(trace, value))) names.add(name);
    }
    return names;
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

  #planOf(schema: AvroSchema): Plan {
    const { steps, row } = envelopeOf(schema);
    const skippers = new Skippers();
    const options = { schema: row, isFramed: false, message: null };
    return {
      steps,
      rows: new EventRows(
        this.#columns,
        this.#key,
        (columns) => new AvroDecoder(columns, options, this.#settings),
      ),
      rowFields: row.fields.map(({ name, type }) => ({
        name: name.toLowerCase(),
        skip: skippers.of(type),
      })),
      traces: row.fields.some(({ type }) => isArray(type)) ? [...TRACES, ...ARRAY_TRACES] : TRACES,
    };
  }
}

/** The encoded placeholder, behind its length or, where its bytes are numbers, their count. */
interface Trace {
  readonly count: number;
  readonly bytes: Buffer;
}

const TRACES: readonly Trace[] = [{ count: PLACEHOLDER.length, bytes: PLACEHOLDER }];
const ARRAY_TRACES: readonly Trace[] = [
  { count: PLACEHOLDER_UUID.length, bytes: Buffer.from(PLACEHOLDER_UUID) },
  { count: PLACEHOLDER.length, bytes: numbers([]) },
  // Branch 1: Kafka Connect's unions begin with null.
  { count: PLACEHOLDER.length, bytes: numbers([2]) },
];

/** The placeholder's bytes as the numbers of an array, zigzag; `head`: what stands before each. */
function numbers(head: readonly number[]): Buffer {
  const items = [...PLACEHOLDER].flatMap((byte) => {
    const zigzag = 2 * byte;
    return [...head, ...(zigzag < 0x80 ? [zigzag] : [(zigzag & 0x7f) | 0x80, zigzag >> 7])];
  });
  return Buffer.from(items);
}

/** Bytes that an encoded value may have around the placeholder: unions' branches, blocks and length, the array's end. */
const AROUND_MAX = 5;

/** Whether an encoded value is nothing but the placeholder: a text or bytes, alone or in an array, or an array of numbers. */
function isAlone({ count, bytes }: Trace, value: Buffer): boolean {
  const at = value.indexOf(bytes);
  const isWhole = at > 0 && value[at - 1] === 2 * count;
  return isWhole && value.length <= bytes.length + AROUND_MAX;
}

function isArray(schema: AvroSchema): boolean {
  return schema.kind === 'union' ? schema.branches.some(isArray) : schema.kind === 'array';
}

/** The record of a row; 42804 where the schema is not Debezium's. */
export function debeziumRow(schema: AvroSchema): AvroRecord {
  return envelopeOf(schema).row;
}

interface EnvelopeShape {
  readonly steps: readonly Step[];
  /** Of "after". */
  readonly row: AvroRecord;
}

function envelopeOf(schema: AvroSchema): EnvelopeShape {
  if (schema.kind !== 'record') throw noEnvelope();
  const part = (name: string, kind: 'record' | 'string') => {
    const type = schema.fields.find((field) => field.name === name)?.type;
    const { value } = type === undefined ? { value: null } : nullable(type);
    if (value?.kind !== kind) throw noEnvelope();
    return value;
  };
  part('op', 'string');
  // The key of a deleted row is read as rows are.
  const row = part('after', 'record') as AvroRecord;
  if (part('before', 'record') !== row) throw noEnvelope();
  const skippers = new Skippers();
  const steps = schema.fields.map(({ name, type }): Step => {
    const isPart = name === 'before' || name === 'after' || name === 'op';
    if (!isPart) return { part: null, nullBranch: null, skip: skippers.of(type) };
    const { value, nullBranch } = nullable(type);
    return { part: name, nullBranch, skip: skippers.of(value) };
  });
  return { steps, row };
}

/** What a union of null and one other type stands for, or a schema itself. */
function nullable(schema: AvroSchema): { value: AvroSchema; nullBranch: number | null } {
  if (schema.kind !== 'union' || schema.branches.length !== 2) {
    return { value: schema, nullBranch: null };
  }
  const nullBranch = schema.branches.findIndex(({ kind }) => kind === 'null');
  if (nullBranch < 0) return { value: schema, nullBranch: null };
  return { value: schema.branches[1 - nullBranch]!, nullBranch };
}

function noEnvelope(): SqlError {
  return new SqlError(
    '42804',
    'the Avro schema is none of Debezium: it needs "before", "after" and "op"',
  );
}
