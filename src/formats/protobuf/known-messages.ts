/**
 * Messages of Google and Confluent that stand for a value of SQL: by full name, which type they go to and how they are read.
 *
 * | message | column without a list | also |
 * |---|---|---|
 * | google.protobuf.Timestamp | timestamptz | timestamp (in UTC) |
 * | google.protobuf.Duration | interval | |
 * | google.type.Date, TimeOfDay | date, time | |
 * | google.type.Decimal, confluent.type.Decimal | numeric | |
 *
 * Nanoseconds are cut to microseconds.
 */

import { SqlError } from '../../base/sql-error.ts';
import type { ColumnBuilder } from '../../batch/column-builder.ts';
import { daysOf } from '../../types/calendar.ts';
import {
  DATE,
  type DataType,
  INTERVAL,
  NUMERIC,
  TIME,
  TIMESTAMPTZ,
  type TypeId,
  type Value,
} from '../../types/data-type.ts';
import { Decimal, DISPLAY_SCALE_MAX } from '../../types/decimal.ts';
import { Interval } from '../../types/interval.ts';
import { copyOf, dayOf, floorDivided, instant, signedInteger, timeOfDay } from '../typed-value.ts';
import { type ProtobufCursor, SIZED, VARINT } from './cursor.ts';
import type { ProtoMessage } from './schema.ts';

type Reader = (cursor: ProtobufCursor) => NonNullable<Value>;

export interface KnownMessage {
  /** Of a column without a list. */
  readonly type: DataType;
  readonly read: Reader;
  /** Types that it may be read as. */
  readonly fits: ReadonlySet<TypeId>;
}

export function knownMessage({ name }: ProtoMessage): KnownMessage | null {
  return KNOWN.get(name) ?? null;
}

/** Calls `take` at each field, which reads it or says false. */
function readFields(cursor: ProtobufCursor, take: (field: number) => boolean): void {
  const end = cursor.enter();
  while (!cursor.isAtEnd) {
    const field = cursor.tag();
    if (!take(field)) cursor.skip(field);
  }
  cursor.leave(end);
}

/** Signed numbers of the fields 1 to `count`; 0 where one is missing. */
function readNumbers(cursor: ProtobufCursor, count: number): bigint[] {
  const numbers = new Array<bigint>(count).fill(0n);
  readFields(cursor, (field) => {
    if (field > count) return false;
    cursor.expect(VARINT);
    cursor.varint64();
    numbers[field - 1] = cursor.signed();
    return true;
  });
  return numbers;
}

const NANOS_END = 1_000_000_000n;
/** Beyond these no timestamp is; they are exact doubles. */
const SECONDS_MAX = 1e13;
/** Years 1685 to 2255, whose microseconds are exact doubles. */
const EXACT_US_MAX = 9e15;
/** What `readInstant` read. */
let seconds = 0;
let micros = 0;

/** A Timestamp, into `seconds` and `micros` from 0. 22008 */
function readInstant(cursor: ProtobufCursor): void {
  seconds = 0;
  let nanos = 0;
  const end = cursor.enter();
  while (!cursor.isAtEnd) {
    const field = cursor.tag();
    if (field > 2) {
      cursor.skip(field);
      continue;
    }
    cursor.expect(VARINT);
    cursor.varint64();
    const value = cursor.high * 0x1_0000_0000 + (cursor.low >>> 0);
    if (field === 1) seconds = value;
    else nanos = value;
  }
  cursor.leave(end);
  micros = Math.floor(nanos / 1000);
  if (nanos < 0 || nanos >= 1e9 || seconds < -SECONDS_MAX || seconds > SECONDS_MAX) {
    throw outOfRange('timestamp');
  }
}

function readTimestamp(cursor: ProtobufCursor): bigint {
  readInstant(cursor);
  return instant(BigInt(seconds) * 1_000_000n + BigInt(micros));
}

/** A Timestamp to a column of timestamptz or timestamp, mostly without a BigInt. */
export function appendTimestamp(cursor: ProtobufCursor, builder: ColumnBuilder): void {
  readInstant(cursor);
  const us = seconds * 1e6 + micros;
  if (us >= -EXACT_US_MAX && us <= EXACT_US_MAX) {
    builder.appendI64Number(us);
  } else builder.appendI64(instant(BigInt(seconds) * 1_000_000n + BigInt(micros)));
}

function readDuration(cursor: ProtobufCursor): Interval {
  const [whole, nanos] = readNumbers(cursor, 2) as [bigint, bigint];
  const us = whole * 1_000_000n + floorDivided(nanos, 1000n);
  if (nanos <= -NANOS_END || nanos >= NANOS_END || BigInt.asIntN(64, us) !== us) {
    throw outOfRange('interval');
  }
  return new Interval(0, 0, us);
}

function readDate(cursor: ProtobufCursor): number {
  const [year, month, day] = readNumbers(cursor, 3).map(Number) as [number, number, number];
  const isWhole = month >= 1 && month <= 12 && day >= 1 && day <= 31;
  if (year < 1 || year > 9999 || !isWhole) throw outOfRange('date');
  return dayOf(BigInt(daysOf(year, month, day)));
}

function readTime(cursor: ProtobufCursor): bigint {
  const [hours, minutes, rest, nanos] = readNumbers(cursor, 4) as [bigint, bigint, bigint, bigint];
  return timeOfDay((hours * 3600n + minutes * 60n + rest) * 1_000_000n + nanos / 1000n);
}

function readDecimalText(cursor: ProtobufCursor): Decimal {
  let text = '0';
  readFields(cursor, (field) => {
    if (field !== 1) return false;
    cursor.expect(SIZED);
    const start = cursor.sized();
    text = cursor.bytes.toString('utf8', start, cursor.at);
    return true;
  });
  return Decimal.parse(text === '' ? '0' : text);
}

/** The unscaled number as bytes, and the scale. */
function readDecimal(cursor: ProtobufCursor): Decimal {
  let bytes: Uint8Array = new Uint8Array(0);
  let scale = 0;
  readFields(cursor, (field) => {
    if (field === 1) {
      cursor.expect(SIZED);
      const start = cursor.sized();
      bytes = copyOf(cursor.bytes, start, cursor.at);
      return true;
    }
    if (field !== 3) return false;
    cursor.expect(VARINT);
    scale = cursor.varint32() | 0;
    return true;
  });
  if (scale < 0 || scale > DISPLAY_SCALE_MAX) throw outOfRange('numeric');
  const unscaled = signedInteger(Buffer.from(bytes), 0, bytes.length);
  return new Decimal(unscaled, scale);
}

function outOfRange(type: string): SqlError {
  return new SqlError('22008', `${type} out of range`);
}

function known(type: DataType, read: Reader, ...others: TypeId[]): KnownMessage {
  return { type, read, fits: new Set([type.id, ...others]) };
}

const KNOWN: ReadonlyMap<string, KnownMessage> = new Map([
  ['google.protobuf.Timestamp', known(TIMESTAMPTZ, readTimestamp, 'timestamp')],
  ['google.protobuf.Duration', known(INTERVAL, readDuration)],
  ['google.type.Date', known(DATE, readDate)],
  ['google.type.TimeOfDay', known(TIME, readTime)],
  ['google.type.Decimal', known(NUMERIC, readDecimalText)],
  ['confluent.type.Decimal', known(NUMERIC, readDecimal)],
]);
