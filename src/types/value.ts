/**
 * Values by type: text in and out, bytes of `view` storages, order, equality, names of types, typmods.
 *
 * `parseValue` and `formatValue` are PostgreSQL's input and output functions with its errors. Text order is the order of the
 * UTF-8 bytes (C collation). Every function is pure; cost O(size of the value).
 */

import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { notSupported, SqlError } from '../base/sql-error.ts';
import {
  ArrayValue,
  compareArrays,
  decodeArray,
  encodeArray,
  formatArray,
  parseArray,
} from './array.ts';
import type { DataType, TypeId, Value } from './data-type.ts';
import { formatDate, formatTime, formatTimestamp, formatTimestamptz } from './datetime-format.ts';
import {
  parseDate,
  parseTime,
  parseTimestamp,
  parseTimestamptz,
  roundMicroseconds,
} from './datetime-parse.ts';
import { applyNumericTypmod, Decimal, decodeDecimal, encodeDecimal } from './decimal.ts';
import { compareFloats, formatFloat4, formatFloat8, parseFloat4, parseFloat8 } from './float.ts';
import {
  applyIntervalTypmod,
  decodeInterval,
  encodeInterval,
  formatInterval,
  type Interval,
  parseInterval,
  RANGE_FULL,
} from './interval.ts';
import { canonicalJsonb, checkJson, compareJsonb } from './jsonb.ts';
import {
  applyLength,
  checkText,
  formatBytea,
  parseBool,
  parseBytea,
  parseInt2,
  parseInt4,
  parseInt8,
  parseOid,
  parseSingleChar,
  parseUuid,
  truncateName,
  uuidBytes,
  uuidText,
} from './scalar-text.ts';
import { DEFAULT_SETTINGS, type ValueSettings } from './settings.ts';

export { DEFAULT_SETTINGS, type ValueSettings } from './settings.ts';
export { parseTypeName, typeName } from './type-name.ts';

type Some = NonNullable<Value>;

/** The fields that an interval's typmod names: they say what a text without units means. */
function intervalRange(typmod: number): number {
  return typmod < 0 ? RANGE_FULL : (typmod >> 16) & RANGE_FULL;
}

/** The type's input function; typmods are not applied (coerceTypmod). */
export function parseValue(type: DataType, text: string, settings: ValueSettings): Some {
  switch (type.id) {
    case 'bool':
      return parseBool(text);
    case 'int2':
      return parseInt2(text);
    case 'int4':
      return parseInt4(text);
    case 'int8':
      return parseInt8(text);
    case 'float4':
      return parseFloat4(text);
    case 'float8':
      return parseFloat8(text);
    case 'numeric':
      return Decimal.parse(text);
    case 'text':
    case 'varchar':
    case 'bpchar':
    case 'unknown':
      return checkText(text);
    case 'name':
      return truncateName(checkText(text));
    case 'char':
      return parseSingleChar(text);
    case 'bytea':
      return parseBytea(text);
    case 'uuid':
      return parseUuid(text);
    case 'json':
      return checkJson(text);
    case 'jsonb':
      return canonicalJsonb(text);
    case 'date':
      return parseDate(text, settings);
    case 'time':
      return parseTime(text, settings);
    case 'timestamp':
      return parseTimestamp(text, settings);
    case 'timestamptz':
      return parseTimestamptz(text, settings);
    case 'interval':
      return parseInterval(text, settings, intervalRange(type.typmod));
    case 'array': {
      const element = elementOf(type);
      return parseArray(text, (item) => parseValue(element, item, settings));
    }
    case 'void':
      return '';
    case 'record':
      throw notSupported('input of anonymous composite types');
    default:
      return parseOid(text, type.id === 'xid' ? 'xid' : 'oid');
  }
}

/** The type's output function. */
export function formatValue(type: DataType, value: Some, settings: ValueSettings): string {
  switch (type.id) {
    case 'bool':
      return value === true ? 't' : 'f';
    case 'float4':
      return formatFloat4(value as number, settings.extraFloatDigits);
    case 'float8':
      return formatFloat8(value as number, settings.extraFloatDigits);
    case 'bytea':
      return formatBytea(value as Uint8Array, settings.byteaOutput);
    case 'date':
      return formatDate(value as number, settings);
    case 'time':
      return formatTime(value as bigint);
    case 'timestamp':
      return formatTimestamp(value as bigint, settings);
    case 'timestamptz':
      return formatTimestamptz(value as bigint, settings);
    case 'interval':
      return formatInterval(value as Interval, settings);
    case 'array': {
      const element = elementOf(type);
      return formatArray(value as ArrayValue, (item) => formatValue(element, item, settings));
    }
    default:
      // Integers, numeric, text, json, uuid: their own text.
      return String(value);
  }
}

function elementOf(type: DataType): DataType {
  assert(type.element !== null, 'an array type has an element type');
  return type.element;
}

/** Bytes of a value whose type has storage `view`. */
export function encodeBytes(type: DataType, value: Some): Uint8Array {
  switch (type.id) {
    case 'numeric':
      return encodeDecimal(value as Decimal);
    case 'interval':
      return encodeInterval(value as Interval);
    case 'uuid':
      return uuidBytes(value as string);
    case 'bytea':
      return value as Uint8Array;
    case 'array': {
      const element = elementOf(type);
      return encodeArray(element, value as ArrayValue, (item) => encodeBytes(element, item));
    }
    case 'char':
      return Buffer.from(value as string, 'latin1');
    default:
      assert(typeof value === 'string', `a value of ${type.id} is a string`);
      return Buffer.from(value, 'utf8');
  }
}

export function decodeBytes(type: DataType, bytes: Uint8Array): Some {
  switch (type.id) {
    case 'numeric':
      return decodeDecimal(bytes);
    case 'interval':
      return decodeInterval(bytes);
    case 'uuid':
      return uuidText(bytes);
    case 'bytea':
      return bytes;
    case 'array': {
      const element = elementOf(type);
      return decodeArray(element, bytes, (item) => decodeBytes(element, item));
    }
    case 'char':
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    default:
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  }
}

/** SQL order of two non-NULL values of one type: < 0, 0, > 0. */
export function compareValues(type: DataType, a: Some, b: Some): number {
  switch (type.id) {
    case 'float4':
    case 'float8':
      return compareFloats(a as number, b as number);
    case 'numeric':
      return (a as Decimal).compare(b as Decimal);
    case 'interval':
      return (a as Interval).compare(b as Interval);
    case 'bpchar':
      return compareText(trimBlanks(a as string), trimBlanks(b as string));
    case 'jsonb':
      return compareJsonb(a as string, b as string);
    case 'bytea':
      return compareByteArrays(a as Uint8Array, b as Uint8Array);
    case 'array': {
      const element = elementOf(type);
      return compareArrays(a as ArrayValue, b as ArrayValue, (x, y) =>
        compareValues(element, x, y),
      );
    }
    default:
      if (typeof a === 'string') return compareText(a, b as string);
      return a < b ? -1 : a > b ? 1 : 0;
  }
}

function compareByteArrays(a: Uint8Array, b: Uint8Array): number {
  const count = Math.min(a.length, b.length);
  for (let i = 0; i < count; i += 1) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** Order of the UTF-8 bytes, which is that of the code points. */
export function compareText(a: string, b: string): number {
  const count = Math.min(a.length, b.length);
  for (let i = 0; i < count; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // Surrogates stand for code points above the rest of UTF-16.
    const xHigh = x >= 0xd800 && x < 0xe000;
    const yHigh = y >= 0xd800 && y < 0xe000;
    if (xHigh !== yHigh) return xHigh ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}

/** `text` without blanks at its end: what char(n) compares by. */
export function trimBlanks(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0x20) end -= 1;
  return end === text.length ? text : text.slice(0, end);
}

const COARSE: ReadonlySet<TypeId> = new Set<TypeId>([
  'numeric',
  'float4',
  'float8',
  'bpchar',
  'interval',
  'jsonb',
]);

/** Are SQL-equal values of the type always the same bytes? If not, keys go through canonicalValue. */
export function isIdentityEquality(type: DataType): boolean {
  return type.element === null ? !COARSE.has(type.id) : isIdentityEquality(type.element);
}

/** One representative of all values that are SQL-equal to `value`. */
export function canonicalValue(type: DataType, value: Some): Some {
  switch (type.id) {
    case 'numeric':
      return (value as Decimal).normalize();
    case 'float4':
    case 'float8':
      if (value === 0) return 0;
      return Number.isNaN(value) ? Number.NaN : value;
    case 'bpchar':
      return trimBlanks(value as string);
    case 'interval':
      return (value as Interval).canonical();
    case 'jsonb':
      return canonicalJsonb(value as string, true);
    case 'array': {
      const element = elementOf(type);
      if (isIdentityEquality(element)) return value;
      const array = value as ArrayValue;
      const items = array.items.map((item) =>
        item === null ? null : canonicalValue(element, item),
      );
      return new ArrayValue(items, array.dimensions, array.lowerBounds);
    }
    default:
      return value;
  }
}

/** Applies `type`'s typmod: length, precision and scale, digits of seconds. 22001, 22003. */
export function coerceTypmod(type: DataType, value: Some, isExplicit: boolean): Some {
  if (type.typmod === -1 && type.element === null) return value;
  switch (type.id) {
    case 'varchar':
    case 'bpchar':
      return applyLength(type, value as string, isExplicit);
    case 'numeric':
      return applyNumericTypmod(value as Decimal, type.typmod);
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return roundMicroseconds(value as bigint, type.typmod);
    case 'interval':
      return applyIntervalTypmod(value as Interval, type.typmod);
    case 'array': {
      const element = elementOf(type);
      if (element.typmod === -1) return value;
      const array = value as ArrayValue;
      const items = array.items.map((item) =>
        item === null ? null : coerceTypmod(element, item, isExplicit),
      );
      return new ArrayValue(items, array.dimensions, array.lowerBounds);
    }
    default:
      return value;
  }
}

/** parseValue, then the typmod as an assignment applies it: what INSERT and file rows go through. */
export function inputValue(
  type: DataType,
  text: string,
  settings: ValueSettings = DEFAULT_SETTINGS,
): Some {
  return coerceTypmod(type, parseValue(type, text, settings), false);
}

/** 22P02 for a type. */
export function invalidInput(name: string, text: string): SqlError {
  return new SqlError('22P02', `invalid input syntax for type ${name}: "${text}"`);
}
