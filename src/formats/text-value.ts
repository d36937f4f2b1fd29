/**
 * Values from their input text as bytes: for each type an appender, which reads the common spellings straight from the bytes
 * and leaves the others to the type's input function.
 *
 * Correctness: a fast path takes a text only where the result is exactly what types' inputValue gives; everything else,
 * errors included, goes there. The bytes are valid UTF-8 (record-decoder.ts).
 */

import type { DataError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import type { DataType } from '../types/data-type.ts';
import { inputValue, invalidInput, type ValueSettings } from '../types/value.ts';
import { userError } from './record-decoder.ts';

/** Appends the value whose text is bytes[start, end); or gives the type's error, and appends nothing. */
export type TextAppender = (
  builder: ColumnBuilder,
  bytes: Buffer,
  start: number,
  end: number,
) => DataError | null;

/** The appender of a type. Settings: time zone and date order of the texts. */
export function textAppender(type: DataType, settings: ValueSettings): TextAppender {
  const slow: TextAppender = (builder, bytes, start, end) => {
    try {
      builder.appendValue(inputValue(type, bytes.toString('utf8', start, end), settings));
      return null;
    } catch (error) {
      return userError(error);
    }
  };
  if (type.id === 'varchar' && type.typmod !== -1) return limitedText(type.typmod - 4, slow);
  if (type.typmod !== -1) return slow;
  switch (type.id) {
    case 'text':
    case 'varchar':
      return appendText;
    case 'int2':
      return smallInteger(32_767, orNoInteger('smallint', slow));
    case 'int4':
      return smallInteger(2_147_483_647, orNoInteger('integer', slow));
    case 'int8':
      return bigInteger(orNoInteger('bigint', slow));
    case 'float8':
      return float(slow);
    case 'numeric':
      return numeric(slow);
    case 'date':
      return date(slow);
    case 'timestamp':
      return timestamp(false, slow);
    case 'timestamptz':
      return timestamp(true, slow);
    default:
      return slow;
  }
}

/** The commonest of errors without the time that throwing one takes. */
function orNoInteger(typeName: string, slow: TextAppender): TextAppender {
  return (builder, bytes, start, end) => {
    for (let at = start; at < end; at += 1) {
      const digit = bytes[at]! - ZERO;
      if (digit >= 0 && digit <= 9) return slow(builder, bytes, start, end);
    }
    return invalidInput(typeName, bytes.toString('utf8', start, end));
  };
}

const ZERO = 48;
const MINUS = 45;
const POINT = 46;
/** Digits that fit a double exactly, whatever they are. */
const DIGITS_MAX = 15;

function appendText(builder: ColumnBuilder, bytes: Buffer, start: number, end: number): null {
  builder.appendBytes(bytes.subarray(start, end));
  return null;
}

function limitedText(lengthMax: number, slow: TextAppender): TextAppender {
  return (builder, bytes, start, end) => {
    const isShort = end - start <= lengthMax;
    return (isShort ? appendText : slow)(builder, bytes, start, end);
  };
}

/** The whole number in bytes[start, end): an optional minus and 1 to 15 digits; NaN: something else. */
function parseInteger(bytes: Buffer, start: number, end: number): number {
  let at = start;
  const isNegative = bytes[at] === MINUS;
  if (isNegative) at += 1;
  if (at === end || end - at > DIGITS_MAX) return Number.NaN;
  let value = 0;
  for (; at < end; at += 1) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return isNegative ? 0 - value : value;
}

function smallInteger(max: number, slow: TextAppender): TextAppender {
  return (builder, bytes, start, end) => {
    const value = parseInteger(bytes, start, end);
    if (!(value >= -max && value <= max)) return slow(builder, bytes, start, end);
    builder.appendI32(value);
    return null;
  };
}

function bigInteger(slow: TextAppender): TextAppender {
  return (builder, bytes, start, end) => {
    const value = parseInteger(bytes, start, end);
    if (Number.isNaN(value)) return slow(builder, bytes, start, end);
    builder.appendI64(BigInt(value));
    return null;
  };
}

/** A plain decimal of at most 15 digits: `unscaled` / 10^`scale`. Filled by parseDecimal. */
const decimal = { unscaled: 0, scale: 0, isNegative: false };

/** [-] digits [. digits], into `decimal`; false: something else. */
function parseDecimal(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  decimal.isNegative = bytes[at] === MINUS;
  if (decimal.isNegative) at += 1;
  let digits = 0;
  let value = 0;
  let point = -1;
  for (; at < end; at += 1) {
    const byte = bytes[at]!;
    const digit = byte - ZERO;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      digits += 1;
    } else if (byte === POINT && point < 0 && digits > 0) point = at;
    else return false;
  }
  if (digits === 0 || digits > DIGITS_MAX || point === end - 1) return false;
  decimal.unscaled = value;
  decimal.scale = point < 0 ? 0 : end - 1 - point;
  return true;
}

/** Powers of ten that are doubles exactly: a quotient of two exact doubles is rounded once, so it is right. */
const POWERS = Array.from({ length: DIGITS_MAX + 1 }, (_, i) => 10 ** i);

function float(slow: TextAppender): TextAppender {
  return (builder, bytes, start, end) => {
    if (!parseDecimal(bytes, start, end)) return slow(builder, bytes, start, end);
    const value = decimal.unscaled / POWERS[decimal.scale]!;
    builder.appendF64(decimal.isNegative ? -value : value);
    return null;
  };
}

/** Layout of a small numeric: u16 scale, u8 kind 0, u8 0, i64 unscaled. */
const numericBytes = new Uint8Array(12);
const numericView = new DataView(numericBytes.buffer);

function numeric(slow: TextAppender): TextAppender {
  return (builder, bytes, start, end) => {
    if (!parseDecimal(bytes, start, end)) return slow(builder, bytes, start, end);
    const unscaled = decimal.isNegative ? 0 - decimal.unscaled : decimal.unscaled;
    numericView.setUint16(0, decimal.scale, true);
    numericView.setUint32(4, unscaled >>> 0, true);
    numericView.setInt32(8, Math.floor(unscaled / 0x1_0000_0000), true);
    builder.appendBytes(numericBytes);
    return null;
  };
}

const NO_TIME = Number.NaN;
const DAY_US = 86_400_000_000;
/** Years whose microseconds are exact doubles. */
const YEAR_MIN = 1800;
const YEAR_MAX = 2199;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Two digits at `at`, or NaN. */
function twoDigits(bytes: Buffer, at: number): number {
  const high = bytes[at]! - ZERO;
  const low = bytes[at + 1]! - ZERO;
  return high < 0 || high > 9 || low < 0 || low > 9 ? Number.NaN : high * 10 + low;
}

/** Days since 1970-01-01 of YYYY-MM-DD at `start`; NaN: something else. */
function parseDays(bytes: Buffer, start: number): number {
  if (bytes[start + 4] !== MINUS || bytes[start + 7] !== MINUS) return NO_TIME;
  const year = twoDigits(bytes, start) * 100 + twoDigits(bytes, start + 2);
  const month = twoDigits(bytes, start + 5);
  const day = twoDigits(bytes, start + 8);
  if (!(year >= YEAR_MIN && year <= YEAR_MAX && month >= 1 && month <= 12)) return NO_TIME;
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 && isLeap ? 29 : MONTH_DAYS[month - 1]!;
  if (!(day >= 1 && day <= days)) return NO_TIME;
  return daysFromCivil(year, month, day);
}

/** Days since 1970-01-01 (H. Hinnant, days_from_civil). */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + (yearOfEra >> 2) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function date(slow: TextAppender): TextAppender {
  return (builder, bytes, start, end) => {
    const days = end - start === 10 ? parseDays(bytes, start) : NO_TIME;
    if (Number.isNaN(days)) return slow(builder, bytes, start, end);
    builder.appendI32(days);
    return null;
  };
}

/** Microseconds of YYYY-MM-DD[ T]HH:MM[:SS[.f{1,6}]]; NaN: something else. */
function parseMicroseconds(bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  const separator = bytes[start + 10];
  if (length < 16 || (separator !== 32 && separator !== 84) || bytes[start + 13] !== 58) {
    return NO_TIME;
  }
  const hour = twoDigits(bytes, start + 11);
  const minute = twoDigits(bytes, start + 14);
  let us = 0;
  if (length > 16) {
    if (length < 19 || bytes[start + 16] !== 58) return NO_TIME;
    const second = twoDigits(bytes, start + 17);
    if (!(second <= 59)) return NO_TIME;
    us = second * 1_000_000;
    if (length > 19) us += parseFraction(bytes, start + 19, end);
  }
  if (!(hour <= 23 && minute <= 59)) return NO_TIME;
  return parseDays(bytes, start) * DAY_US + (hour * 60 + minute) * 60_000_000 + us;
}

/** Microseconds of .f{1,6}; NaN: something else. */
function parseFraction(bytes: Buffer, start: number, end: number): number {
  const digits = end - start - 1;
  if (bytes[start] !== POINT || digits < 1 || digits > 6) return NO_TIME;
  const value = parseInteger(bytes, start + 1, end);
  return value >= 0 && bytes[start + 1] !== MINUS ? value * POWERS[6 - digits]! : NO_TIME;
}

/** A timestamptz is read here only where it says that it is UTC: Z at its end. */
function timestamp(hasZone: boolean, slow: TextAppender): TextAppender {
  return (builder, bytes, start, end) => {
    let us = NO_TIME;
    if (!hasZone) us = parseMicroseconds(bytes, start, end);
    else if (bytes[end - 1] === 90) us = parseMicroseconds(bytes, start, end - 1);
    if (Number.isNaN(us)) return slow(builder, bytes, start, end);
    builder.appendI64(BigInt(us));
    return null;
  };
}
