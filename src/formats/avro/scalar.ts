/**
 * Which SQL types an Avro type goes to, and how a value of it is read.
 *
 * | Avro | columns without a list | also |
 * |---|---|---|
 * | boolean | boolean | |
 * | int, long | integer, bigint | the other integers (22003 beyond), real, double precision, numeric |
 * | float, double | real, double precision | the other |
 * | string | text | varchar, char, bytea; numeric, uuid, date and time types by their input |
 * | bytes, fixed | bytea | bytes: text |
 * | enum | text | varchar, char |
 * | decimal | numeric | |
 * | date, time-* | date, time | integers: the raw number |
 * | timestamp-*, local-timestamp-* | timestamptz, timestamp | timestamp-* : timestamp in UTC; integers: the raw number |
 * | uuid, duration | uuid, interval | uuid of a string: text |
 * | string that is marked as JSON | jsonb | json, text |
 * | strings and longs that Debezium marks as times, intervals | date, time, timestamp, timestamptz, interval | strings: text; longs: integers |
 * | Debezium's VariableScaleDecimal | numeric | |
 * | array of these | an array | jsonb, json |
 * | record, map, other unions and arrays | jsonb | json |
 */

import { SqlError } from '../../base/sql-error.ts';
import {
  arrayOf,
  BOOL,
  BYTEA,
  DATE,
  type DataType,
  FLOAT4,
  FLOAT8,
  INT4,
  INT8,
  INTERVAL,
  JSONB,
  NUMERIC,
  TEXT,
  TIME,
  TIMESTAMP,
  TIMESTAMPTZ,
  UUID,
  type Value,
} from '../../types/data-type.ts';
import { type Decimal, shifted } from '../../types/decimal.ts';
import { Interval } from '../../types/interval.ts';
import { coerceTypmod, inputValue, type ValueSettings } from '../../types/value.ts';
import {
  checkTextBytes,
  copyOf,
  dayOf,
  floorDivided,
  fromFloat,
  fromInteger,
  fromIntegerToInteger,
  fromText,
  instant,
  signedInteger,
  TEXT_TYPES,
  timeOfDay,
} from '../typed-value.ts';
import type { AvroCursor } from './cursor.ts';
import { type AvroSchema, isVariableDecimal, type LogicalType } from './schema.ts';

/** Reads a value that is not NULL. */
export type ScalarReader = (cursor: AvroCursor) => NonNullable<Value>;

/** The type that a column of this schema gets where none is said. */
export function sqlTypeOf(schema: AvroSchema): DataType {
  switch (schema.kind) {
    case 'union': {
      const [only, ...others] = schema.branches.filter(({ kind }) => kind !== 'null');
      if (only === undefined) return TEXT;
      return others.length === 0 ? sqlTypeOf(only) : JSONB;
    }
    case 'array': {
      const element = sqlTypeOf(schema.items);
      if (element.id === 'jsonb' || element.element !== null) return JSONB;
      return arrayOf(element) ?? JSONB;
    }
    case 'record':
      return isVariableDecimal(schema) ? NUMERIC : JSONB;
    case 'map':
      return JSONB;
    case 'enum':
      return TEXT;
    default:
      return (schema.logical === null ? null : logicalType(schema.logical)) ?? PLAIN[schema.kind];
  }
}

const PLAIN = {
  null: TEXT,
  boolean: BOOL,
  int: INT4,
  long: INT8,
  float: FLOAT4,
  double: FLOAT8,
  bytes: BYTEA,
  string: TEXT,
  fixed: BYTEA,
} as const;

function logicalType({ kind }: LogicalType): DataType {
  switch (kind) {
    case 'decimal':
      return NUMERIC;
    case 'date':
    case 'date-text':
      return DATE;
    case 'uuid':
      return UUID;
    case 'json':
      return JSONB;
    case 'duration':
    case 'interval-micros':
    case 'interval-nanos':
    case 'interval-text':
      return INTERVAL;
    case 'time-millis':
    case 'time-micros':
    case 'time-nanos':
    case 'time-text':
      return TIME;
    case 'timestamp-text':
      return TIMESTAMP;
    default:
      return kind.startsWith('local') ? TIMESTAMP : TIMESTAMPTZ;
  }
}

/** How a value of the schema becomes one of the type; null: it does not. */
export function scalarReader(
  schema: AvroSchema,
  type: DataType,
  settings: ValueSettings,
): ScalarReader | null {
  const reader = plainReader(schema, type, settings);
  if (reader === null || type.typmod === -1) return reader;
  return (cursor) => coerceTypmod(type, reader(cursor), false);
}

function plainReader(
  schema: AvroSchema,
  type: DataType,
  settings: ValueSettings,
): ScalarReader | null {
  switch (schema.kind) {
    case 'boolean':
      return type.id === 'bool' ? (cursor) => cursor.boolean() : null;
    case 'int':
    case 'long':
      return numberReader(schema.kind, schema.logical, type);
    case 'float':
    case 'double':
      return floatReader(schema.kind, type);
    case 'string':
      return textReader(schema.logical, type, settings);
    case 'bytes':
      return bytesReader(-1, schema.logical, type);
    case 'fixed':
      return bytesReader(schema.size, schema.logical, type);
    case 'enum': {
      const { symbols } = schema;
      if (!TEXT_TYPES.has(type.id)) return null;
      return (cursor) => symbols[cursor.index(symbols.length, 'symbol')]!;
    }
    case 'record':
      return type.id === 'numeric' && isVariableDecimal(schema) ? variableDecimal : null;
    default:
      return null;
  }
}

function variableDecimal(cursor: AvroCursor): Decimal {
  const scale = cursor.int();
  const start = cursor.skipBytes();
  return shifted(signedInteger(cursor.bytes, start, cursor.at), scale);
}

function numberReader(
  kind: 'int' | 'long',
  logical: LogicalType | null,
  type: DataType,
): ScalarReader | null {
  const whole = (cursor: AvroCursor) => (kind === 'long' ? cursor.bigint() : BigInt(cursor.int()));
  const convert = logical === null ? fromInteger(type) : fromIntegerToInteger(type);
  if (convert !== null) return (cursor) => convert(whole(cursor));
  return logical === null ? null : timeReader(whole, logical, type);
}

/** Microseconds of what a unit counts: [numerator, denominator]. */
const UNITS: Readonly<Record<string, readonly [bigint, bigint]>> = {
  millis: [1000n, 1n],
  micros: [1n, 1n],
  nanos: [1n, 1000n],
};

function timeReader(
  whole: (cursor: AvroCursor) => bigint,
  { kind }: LogicalType,
  type: DataType,
): ScalarReader | null {
  if (kind === 'date') {
    if (type.id !== 'date') return null;
    return (cursor) => dayOf(whole(cursor));
  }
  const unit = UNITS[kind.slice(kind.lastIndexOf('-') + 1)];
  if (unit === undefined) return null;
  const [numerator, denominator] = unit;
  const us = (cursor: AvroCursor) => floorDivided(whole(cursor) * numerator, denominator);
  if (kind.startsWith('time-')) {
    return type.id === 'time' ? (cursor) => timeOfDay(us(cursor)) : null;
  }
  if (kind.startsWith('interval-')) {
    return type.id === 'interval' ? (cursor) => new Interval(0, 0, us(cursor)) : null;
  }
  const isFit = type.id === 'timestamp' || (type.id === 'timestamptz' && !kind.startsWith('local'));
  return isFit ? (cursor) => instant(us(cursor)) : null;
}

function floatReader(kind: 'float' | 'double', type: DataType): ScalarReader | null {
  const convert = fromFloat(type);
  if (convert === null) return null;
  return (cursor) => convert(kind === 'float' ? cursor.float() : cursor.double());
}

function textReader(
  logical: LogicalType | null,
  type: DataType,
  settings: ValueSettings,
): ScalarReader | null {
  if (logical?.kind === 'json' && (type.id === 'jsonb' || type.id === 'json')) {
    return (cursor) => inputValue(type, readText(cursor), settings);
  }
  if (type.id === 'bytea') return readBytes;
  const convert = fromText(type, settings);
  return convert === null ? null : (cursor) => convert(readText(cursor));
}

function readText(cursor: AvroCursor): string {
  const start = cursor.skipBytes();
  checkTextBytes(cursor.bytes, start, cursor.at);
  return cursor.bytes.toString('utf8', start, cursor.at);
}

function readBytes(cursor: AvroCursor): Uint8Array {
  const start = cursor.skipBytes();
  return copyOf(cursor.bytes, start, cursor.at);
}

/** `size`: -1 where the value says its own length. */
function bytesReader(
  size: number,
  logical: LogicalType | null,
  type: DataType,
): ScalarReader | null {
  /** Where the value's bytes begin; they end at the cursor. */
  const start = (cursor: AvroCursor) => (size < 0 ? cursor.skipBytes() : cursor.skip(size));
  if (type.id === 'bytea') {
    return (cursor) => {
      const from = start(cursor);
      return copyOf(cursor.bytes, from, cursor.at);
    };
  }
  if (logical?.kind === 'decimal' && type.id === 'numeric') {
    const { scale } = logical;
    return (cursor) => shifted(signedInteger(cursor.bytes, start(cursor), cursor.at), scale);
  }
  if (logical?.kind === 'uuid' && type.id === 'uuid') {
    return (cursor) => uuidText(cursor.bytes, start(cursor));
  }
  if (logical?.kind === 'duration' && type.id === 'interval') {
    return (cursor) => duration(cursor.bytes, start(cursor));
  }
  return size < 0 && logical === null && TEXT_TYPES.has(type.id) ? readText : null;
}

function uuidText(bytes: Buffer, start: number): string {
  const hex = bytes.toString('hex', start, start + 16);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Months, days, milliseconds: u32 each, little-endian. */
function duration(bytes: Buffer, start: number): Interval {
  const months = bytes.readUInt32LE(start);
  const days = bytes.readUInt32LE(start + 4);
  if (months > 0x7fff_ffff || days > 0x7fff_ffff) {
    throw new SqlError('22008', 'interval out of range');
  }
  return new Interval(months, days, BigInt(bytes.readUInt32LE(start + 8)) * 1000n);
}
