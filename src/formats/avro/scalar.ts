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
 * | array of these | an array | jsonb, json |
 * | record, map, other unions and arrays | jsonb | json |
 */

import { SqlError } from '../../base/sql-error.ts';
import { DAY_US, DAYS_END, DAYS_MIN } from '../../types/calendar.ts';
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
import { checkTimestamp } from '../../types/datetime.ts';
import { Decimal } from '../../types/decimal.ts';
import { encodingError } from '../../types/encoding-error.ts';
import { Interval } from '../../types/interval.ts';
import { coerceTypmod, inputValue, type ValueSettings } from '../../types/value.ts';
import type { AvroCursor } from './cursor.ts';
import type { AvroSchema, LogicalType } from './schema.ts';

/** Reads a value that is not NULL. */
export type ScalarReader = (cursor: AvroCursor) => NonNullable<Value>;

const INT_TYPES: ReadonlySet<string> = new Set(['int2', 'int4', 'int8']);
const TEXT_TYPES: ReadonlySet<string> = new Set(['text', 'varchar', 'bpchar']);
/** Types whose input texts a string may hold. */
const TEXT_INPUT: ReadonlySet<string> = new Set([
  'numeric',
  'uuid',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'interval',
]);

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
      return DATE;
    case 'uuid':
      return UUID;
    case 'duration':
      return INTERVAL;
    case 'time-millis':
    case 'time-micros':
      return TIME;
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
      return textReader(type, settings);
    case 'bytes':
      return bytesReader(-1, schema.logical, type);
    case 'fixed':
      return bytesReader(schema.size, schema.logical, type);
    case 'enum': {
      const { symbols } = schema;
      if (!TEXT_TYPES.has(type.id)) return null;
      return (cursor) => symbols[cursor.index(symbols.length, 'symbol')]!;
    }
    default:
      return null;
  }
}

function numberReader(
  kind: 'int' | 'long',
  logical: LogicalType | null,
  type: DataType,
): ScalarReader | null {
  const bigint: ScalarReader =
    kind === 'long' ? (cursor) => cursor.bigint() : (cursor) => BigInt(cursor.int());
  const whole = bigint as (cursor: AvroCursor) => bigint;
  if (type.id === 'int8') return whole;
  if (INT_TYPES.has(type.id)) {
    const max = type.id === 'int2' ? 32_767n : 2_147_483_647n;
    const name = type.id === 'int2' ? 'smallint' : 'integer';
    return (cursor) => smallNumber(whole(cursor), max, name);
  }
  if (logical !== null) return timeReader(whole, logical, type);
  switch (type.id) {
    case 'float8':
      return (cursor) => Number(whole(cursor));
    case 'float4':
      return (cursor) => Math.fround(Number(whole(cursor)));
    case 'numeric':
      return (cursor) => Decimal.of(whole(cursor));
    default:
      return null;
  }
}

function smallNumber(value: bigint, max: bigint, name: string): number {
  if (value > max || value < -max - 1n) throw new SqlError('22003', `${name} out of range`);
  return Number(value);
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
  const isFit = type.id === 'timestamp' || (type.id === 'timestamptz' && !kind.startsWith('local'));
  return isFit ? (cursor) => instant(us(cursor)) : null;
}

function floorDivided(value: bigint, by: bigint): bigint {
  return value >= 0n || value % by === 0n ? value / by : value / by - 1n;
}

function dayOf(days: bigint): number {
  if (days < DAYS_MIN || days >= DAYS_END) throw new SqlError('22008', 'date out of range');
  return Number(days);
}

function timeOfDay(us: bigint): bigint {
  if (us < 0n || us > DAY_US) throw new SqlError('22008', 'time out of range');
  return us;
}

function instant(us: bigint): bigint {
  if (BigInt.asIntN(64, us) !== us) throw new SqlError('22008', 'timestamp out of range');
  return checkTimestamp(us);
}

function floatReader(kind: 'float' | 'double', type: DataType): ScalarReader | null {
  const read = (cursor: AvroCursor) => (kind === 'float' ? cursor.float() : cursor.double());
  if (type.id === 'float8') return read;
  if (type.id !== 'float4') return null;
  return (cursor) => {
    const value = read(cursor);
    const rounded = Math.fround(value);
    if (Number.isFinite(rounded) || !Number.isFinite(value)) return rounded;
    throw new SqlError('22003', `"${value}" is out of range for type real`);
  };
}

function textReader(type: DataType, settings: ValueSettings): ScalarReader | null {
  if (TEXT_TYPES.has(type.id)) return readText;
  if (type.id === 'bytea') return readBytes;
  if (TEXT_INPUT.has(type.id)) return (cursor) => inputValue(type, readText(cursor), settings);
  return null;
}

function readText(cursor: AvroCursor): string {
  const start = cursor.skipBytes();
  checkText(cursor, start);
  return cursor.bytes.toString('utf8', start, cursor.at);
}

/** Throws 22021 where the bytes from `start` to the cursor are no text. */
export function checkText(cursor: AvroCursor, start: number): void {
  const { bytes, at } = cursor;
  // Short texts are mostly ASCII: that is seen faster than asking for it.
  for (let i = start; i < at; i += 1) {
    const byte = bytes[i]!;
    if (byte > 0 && byte < 0x80) continue;
    const error = encodingError(bytes, i, at);
    if (error !== null) throw error;
    return;
  }
}

/** A copy: the message's bytes go away. */
function readBytes(cursor: AvroCursor): Uint8Array {
  const start = cursor.skipBytes();
  return Uint8Array.prototype.slice.call(cursor.bytes, start, cursor.at);
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
      return Uint8Array.prototype.slice.call(cursor.bytes, from, cursor.at);
    };
  }
  if (logical?.kind === 'decimal' && type.id === 'numeric') {
    const { scale } = logical;
    return (cursor) => new Decimal(signedInteger(cursor.bytes, start(cursor), cursor.at), scale);
  }
  if (logical?.kind === 'uuid' && type.id === 'uuid') {
    return (cursor) => uuidText(cursor.bytes, start(cursor));
  }
  if (logical?.kind === 'duration' && type.id === 'interval') {
    return (cursor) => duration(cursor.bytes, start(cursor));
  }
  return size < 0 && logical === null && TEXT_TYPES.has(type.id) ? readText : null;
}

/** Two's complement, big-endian; no bytes are 0. */
function signedInteger(bytes: Buffer, start: number, end: number): bigint {
  if (start === end) return 0n;
  const size = end - start;
  if (size <= 6) return BigInt(bytes.readIntBE(start, size));
  return BigInt.asIntN(8 * size, BigInt(`0x${bytes.toString('hex', start, end)}`));
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
