/**
 * FORMAT DEBEZIUM ENCODE PROTOBUF: change events (debezium-decoder.ts) as messages of "before", "after" and "op". The row in
 * them is decoded by ProtobufDecoder.
 *
 * Cost: a type of message makes a plan once.
 */

import { assert, must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { ValueSettings } from '../../types/settings.ts';
import type { DecodedColumn } from '../csv.ts';
import { PLACEHOLDER } from '../debezium-change.ts';
import {
  DebeziumDecoder,
  type EventReader,
  EventRows,
  NO_NAMES,
  type Span,
} from '../debezium-decoder.ts';
import type { WriterSchema } from '../message-decoder.ts';
import { ProtobufCursor, SIZED } from './cursor.ts';
import { messageOf } from './find-message.ts';
import { FramedPlans } from './framed-plans.ts';
import { ProtobufDecoder, type ProtobufOptions } from './protobuf-decoder.ts';
import type { ProtobufSchema, ProtoMessage } from './schema.ts';

/** How the envelopes of a type are read. */
interface Plan {
  /** Numbers of their fields. */
  readonly before: number;
  readonly after: number;
  readonly op: number;
  readonly rows: EventRows;
  /** Names of the row's fields, in lower case, by number. */
  readonly rowFields: ReadonlyMap<number, string>;
}

/** A decoder of change events into these columns. `key`: numbers of the key's columns; `options`: as of ProtobufDecoder. */
export function openDebeziumProtobuf(
  columns: readonly DecodedColumn[],
  key: readonly number[],
  options: ProtobufOptions,
  settings: ValueSettings,
): DebeziumDecoder {
  const planOf = (envelope: ProtoMessage) => planOfEnvelope(envelope, columns, key, settings);
  return new DebeziumDecoder(columns, key, new ProtobufEventReader(options, planOf));
}

class ProtobufEventReader implements EventReader {
  readonly before: Span = { start: -1, end: 0 };
  readonly after: Span = { start: -1, end: 0 };
  op: string | null = null;
  readonly #cursor = new ProtobufCursor();
  readonly #framed: FramedPlans<Plan>;
  readonly #bare: Plan | null;
  /** Of the event read last. */
  #plan: Plan | null = null;

  constructor(
    { schema, isFramed, message }: ProtobufOptions,
    planOf: (envelope: ProtoMessage) => Plan,
  ) {
    this.#framed = new FramedPlans(message, planOf);
    this.#bare = isFramed ? null : planOf(messageOf(must(schema), message));
  }

  get errorOffset(): number {
    return this.#cursor.at;
  }

  learnSchema(id: number, schema: WriterSchema): void {
    this.#framed.learn(id, schema);
  }

  read(bytes: Buffer, start: number, end: number): EventRows {
    this.before.start = -1;
    this.after.start = -1;
    this.op = null;
    const cursor = this.#cursor;
    cursor.start(bytes, start, end);
    const plan = this.#bare ?? this.#framed.at(cursor);
    this.#plan = plan;
    while (!cursor.isAtEnd) this.#takeField(plan, cursor);
    return plan.rows;
  }

  #takeField(plan: Plan, cursor: ProtobufCursor): void {
    const number = cursor.tag();
    const isRow = number === plan.before || number === plan.after;
    if (!isRow && number !== plan.op) {
      cursor.skip(number);
      return;
    }
    cursor.expect(SIZED);
    const start = cursor.sized();
    if (!isRow) {
      this.op = cursor.bytes.toString('latin1', start, cursor.at);
      return;
    }
    const span = number === plan.before ? this.before : this.after;
    span.start = start;
    span.end = cursor.at;
  }

  gaps(bytes: Buffer): ReadonlySet<string> {
    const { start, end } = this.after;
    if (!bytes.subarray(start, end).includes(PLACEHOLDER)) return NO_NAMES;
    assert(this.#plan !== null, 'no event was read');
    const found = new Map<number, boolean>();
    const cursor = new ProtobufCursor();
    cursor.start(bytes, start, end);
    while (!cursor.isAtEnd) {
      const number = cursor.tag();
      const isAlone = !found.has(number);
      found.set(number, takePlaceholder(number, cursor) && isAlone);
    }
    const { rowFields } = this.#plan;
    return new Set(
      [...found].flatMap(([number, isGap]) => (isGap ? [rowFields.get(number) ?? ''] : [])),
    );
  }
}

/** Moves over the value of a field; whether it is nothing but the placeholder. */
function takePlaceholder(field: number, cursor: ProtobufCursor): boolean {
  if (cursor.wireType !== SIZED) {
    cursor.skip(field);
    return false;
  }
  const start = cursor.sized();
  return cursor.bytes.subarray(start, cursor.at).equals(PLACEHOLDER);
}

function planOfEnvelope(
  envelope: ProtoMessage,
  columns: readonly DecodedColumn[],
  key: readonly number[],
  settings: ValueSettings,
): Plan {
  const { before, after, op, row } = envelopeOf(envelope);
  const options = { schema: schemaOf(row), isFramed: false, message: null };
  const open = (some: readonly DecodedColumn[]) => new ProtobufDecoder(some, options, settings);
  const rowFields = new Map(row.fields.map(({ number, name }) => [number, name.toLowerCase()]));
  return { before, after, op, rows: new EventRows(columns, key, open), rowFields };
}

/** The type of a row, as the only one of a schema; 42804 where the schema's message is none of Debezium's. */
export function debeziumRowSchema(schema: ProtobufSchema, message: string | null): ProtobufSchema {
  return schemaOf(envelopeOf(messageOf(schema, message)).row);
}

function schemaOf(message: ProtoMessage): ProtobufSchema {
  return { messages: [{ message, nested: [] }] };
}

interface EnvelopeShape {
  readonly before: number;
  readonly after: number;
  readonly op: number;
  readonly row: ProtoMessage;
}

function envelopeOf({ fields }: ProtoMessage): EnvelopeShape {
  const [before, after, op] = ['before', 'after', 'op'].map((name) =>
    fields.find((field) => field.name === name && field.presence !== 'repeated'),
  );
  const row = after?.type;
  if (row?.kind !== 'message' || before?.type !== row || op?.type.kind !== 'string') {
    throw new SqlError(
      '42804',
      'the Protobuf message is none of Debezium: it needs "before", "after" and "op"',
    );
  }
  return { before: before.number, after: must(after).number, op: op.number, row };
}
