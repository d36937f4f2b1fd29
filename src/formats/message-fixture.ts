/** Reads and writes messages in tests: rows as output texts, and the errors; random values of every type. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { buildBatch } from '../batch/build-batch.ts';
import { ColumnBuilder } from '../batch/column-builder.ts';
import { readValue } from '../batch/read-value.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { ArrayValue } from '../types/array.ts';
import { INFINITY_US, MINUS_INFINITY_US, TIMESTAMP_MIN_US } from '../types/calendar.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { Decimal } from '../types/decimal.ts';
import { Interval } from '../types/interval.ts';
import { canonicalJsonb, type JsonNode, JsonObject, parseJson } from '../types/jsonb.ts';
import { DEFAULT_SETTINGS, formatValue, parseTypeName } from '../types/value.ts';
import { ByteWriter } from './byte-writer.ts';
import type { MessageDecoder } from './message-decoder.ts';
import type { EncodedColumn, MessageEncoder } from './message-encoder.ts';

export interface DecodedMessage {
  readonly row: (string | null)[] | null;
  readonly error: {
    readonly offset: number;
    readonly sqlstate: string;
    readonly text: string;
  } | null;
}

/** Decodes the messages one by one; each lies behind three other bytes, as in a batch. */
export function decodeMessages(
  decoder: MessageDecoder,
  types: readonly DataType[],
  messages: readonly Buffer[],
): DecodedMessage[] {
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  const builders = types.map((type) => new ColumnBuilder(memory, scratch, type, 16));
  let count = 0;
  const errors = messages.map((message) => {
    const bytes = Buffer.concat([Buffer.from([1, 2, 3]), message, Buffer.from([255])]);
    const error = decoder.append(bytes, 3, 3 + message.length, builders);
    if (error === null) {
      count += 1;
      return null;
    }
    for (const builder of builders) builder.truncate(count);
    const { sqlstate, message: text } = error;
    return { offset: decoder.errorOffset - 3, sqlstate, text };
  });
  const columns = builders.map((builder) => builder.build());
  let row = 0;
  return errors.map((error) => {
    if (error !== null) return { row: null, error };
    const values = columns.map((column, c) => {
      const value = readValue(memory, column, types[c]!, row);
      return value === null ? null : formatValue(types[c]!, value, DEFAULT_SETTINGS);
    });
    row += 1;
    return { row: values, error: null };
  });
}

/** The messages of rows of JavaScript values, each written behind other bytes. */
export function encodeMessages(
  encoder: MessageEncoder,
  columns: readonly EncodedColumn[],
  rows: readonly (readonly Value[])[],
): Buffer[] {
  const types = columns.map(({ type }) => type);
  const batch = buildBatch(types, rows, new Scratch(Memory.create()));
  const out = new ByteWriter();
  return rows.map((_, row) => {
    out.clear();
    out.ascii('before');
    encoder.append(batch, row, out);
    return Buffer.from(out.written.subarray(6));
  });
}

/** Columns of these types in a batch, in their order. */
export function columnsOf(types: Readonly<Record<string, string>>): EncodedColumn[] {
  return Object.entries(types).map(([name, type], index) => ({
    name,
    type: parseTypeName(type),
    index,
  }));
}

/** Types that encoders are tested with, by names of columns; each test adds those of its format's own interest. */
export const COMMON_TYPES: Readonly<Record<string, string>> = {
  b: 'boolean',
  i2: 'smallint',
  i4: 'integer',
  i8: 'bigint',
  f4: 'real',
  f8: 'double precision',
  n: 'numeric',
  t: 'text',
  v: 'varchar',
  y: 'bytea',
  u: 'uuid',
  j: 'jsonb',
  d: 'date',
  tm: 'time',
  iv: 'interval',
  ai: 'integer[]',
  al: 'bigint[]',
  at: 'text[]',
  an: 'numeric[]',
};

/** Random rows of values, NULLs among them. */
export function anyRows(columns: readonly EncodedColumn[]): fc.Arbitrary<Value[][]> {
  const row = fc.tuple(
    ...columns.map(({ type }) => fc.option(anyValue(type), { freq: 5, nil: null })),
  );
  return fc.array(row, { minLength: 1, maxLength: 4 });
}

const times = fc.oneof(
  { weight: 5, arbitrary: fc.bigInt(-(10n ** 16n), 10n ** 16n) },
  { weight: 2, arbitrary: fc.bigInt(TIMESTAMP_MIN_US, INFINITY_US - 1n) },
  { weight: 1, arbitrary: fc.constantFrom(INFINITY_US, MINUS_INFINITY_US) },
);
const texts = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.constantFrom('', ' ', '\\', '"', '\n', '\\.', 'NULL', 'null', ',', '{}', '\t\r\u0001'),
);
const decimals = fc.oneof(
  fc
    .tuple(fc.bigInt(-(10n ** 30n), 10n ** 30n), fc.nat(20))
    .map(([unscaled, scale]) => new Decimal(unscaled, scale)),
  fc.constantFrom(Decimal.NAN, Decimal.INFINITY, Decimal.MINUS_INFINITY, Decimal.ZERO),
);
const jsons = fc
  .oneof(
    fc.dictionary(fc.string(), fc.jsonValue()),
    fc.array(fc.jsonValue({ maxDepth: 2 })),
    fc.constantFrom(1.5, true, 'x', 2 ** 40),
  )
  .map((value) => canonicalJsonb(JSON.stringify(value)));

/** A value of the type that is not NULL. */
export function anyValue(type: DataType): fc.Arbitrary<NonNullable<Value>> {
  switch (type.id) {
    case 'bool':
      return fc.boolean();
    case 'int2':
      return fc.integer({ min: -32_768, max: 32_767 });
    case 'int4':
      return fc.integer();
    case 'int8':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case 'float4':
      return fc.float();
    case 'float8':
      return fc.double();
    case 'numeric':
      return type.typmod === -1 ? decimals : decimalsOf(type.typmod);
    case 'bytea':
      return fc.uint8Array({ maxLength: 40 });
    case 'uuid':
      return fc.uuid();
    case 'json':
    case 'jsonb':
      return jsons;
    case 'date':
      return fc.integer({ min: -1_000_000, max: 3_000_000 });
    case 'time':
      return fc.bigInt(0n, 86_400_000_000n);
    case 'timestamp':
    case 'timestamptz':
      return times;
    case 'interval':
      return fc
        .tuple(fc.integer(), fc.integer(), fc.bigInt(-(2n ** 60n), 2n ** 60n))
        .map(([months, days, us]) => new Interval(months, days, us));
    case 'array':
      return fc
        .array(fc.option(anyValue(type.element!), { nil: null }), { maxLength: 5 })
        .map((items) => ArrayValue.of(items.map(withoutMinusZero)));
    default:
      return texts;
  }
}

/** Items of arrays are read through numerics, which have no negative zero. */
function withoutMinusZero(value: Value): Value {
  return Object.is(value, -0) ? 0 : value;
}

/** As values of numeric(precision, scale) are kept. */
function decimalsOf(typmod: number): fc.Arbitrary<Decimal> {
  const precision = (typmod - 4) >> 16;
  const limit = 10n ** BigInt(precision) - 1n;
  return fc.bigInt(-limit, limit).map((unscaled) => new Decimal(unscaled, (typmod - 4) & 0xffff));
}

/** What is written is read back as equal values. */
export function assertRoundTrip(
  columns: readonly EncodedColumn[],
  encoder: MessageEncoder,
  decoder: MessageDecoder,
  rows: readonly (readonly Value[])[],
): void {
  const types = columns.map(({ type }) => type);
  const read = decodeMessages(decoder, types, encodeMessages(encoder, columns, rows));
  const written = rows.map((row) =>
    row.map((value, i) =>
      value === null ? null : formatValue(types[i]!, value, DEFAULT_SETTINGS),
    ),
  );
  assert.deepEqual(
    read.map(({ row, error }) => row ?? error),
    written,
  );
}

/** Any rows come back as equal values; `carried`: what the format can carry of them. */
export function assertAnyRoundTrip(
  columns: readonly EncodedColumn[],
  encoder: MessageEncoder,
  decoderOf: (columns: readonly EncodedColumn[]) => MessageDecoder,
  numRuns: number,
  carried: (rows: readonly Value[][]) => readonly (readonly Value[])[] = (rows) => rows,
): void {
  fc.assert(
    fc.property(anyRows(columns), (rows) => {
      assertRoundTrip(columns, encoder, decoderOf(columns), carried(rows));
    }),
    { numRuns },
  );
}

/** A column of this type refuses the value, and the error names the column. */
export function assertRefused(
  encoderOf: (columns: readonly EncodedColumn[]) => MessageEncoder,
  type: string,
  value: Value,
  sqlstate: string,
): void {
  const columns = columnsOf({ c: type });
  assert.throws(() => encodeMessages(encoderOf(columns), columns, [[value]]), {
    sqlstate,
    message: /^column "c": /,
  });
}

/** The message of one row behind its frame, whose bytes are checked. */
export function unframed(
  encoder: MessageEncoder,
  columns: readonly EncodedColumn[],
  row: readonly Value[],
  frame: readonly number[],
): Buffer {
  const [message] = encodeMessages(encoder, columns, [row]);
  assert.deepEqual([...message!.subarray(0, frame.length)], frame);
  return message!.subarray(frame.length);
}

/**
 * The JavaScript value of a JSON text, by our own reader: JSON.parse of V8 may take an escaped key for another that it has
 * read before (a quotation mark for a backslash, https://github.com/nodejs/node/issues/63785).
 */
export function jsonValueOf(text: string): unknown {
  return plainValue(parseJson(text));
}

function plainValue(node: JsonNode): unknown {
  if (node instanceof Decimal) return Number(node.toString());
  if (node instanceof JsonObject) {
    return Object.fromEntries(node.members.map(([key, value]) => [key, plainValue(value)]));
  }
  return Array.isArray(node) ? node.map(plainValue) : node;
}
