/**
 * PostgreSQL's binary formats (typsend, typreceive) of single values, as the protocol carries them: big-endian, dates and
 * timestamps from 2000-01-01, numeric in base 10,000.
 */

import { must } from '../base/assert.ts';
import { notSupported, SqlError } from '../base/sql-error.ts';
import { ArrayValue } from '../types/array.ts';
import type { DataType, Value } from '../types/data-type.ts';
import {
  Decimal,
  FINITE,
  NEGATIVE_INFINITY,
  NOT_A_NUMBER,
  POSITIVE_INFINITY,
  pow10,
} from '../types/decimal.ts';
import { Interval } from '../types/interval.ts';
import { formatValue, parseValue, type ValueSettings } from '../types/value.ts';

type Some = NonNullable<Value>;

/** 2000-01-01 in days and microseconds since 1970-01-01. */
const EPOCH_DAYS = 10_957;
const EPOCH_US = 946_684_800_000_000n;
const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** The number of bytes of a fixed-size type; null: it varies. */
const FIXED_SIZE: Readonly<Partial<Record<DataType['id'], number>>> = {
  bool: 1,
  int2: 2,
  int4: 4,
  int8: 8,
  float4: 4,
  float8: 8,
  date: 4,
  time: 8,
  timestamp: 8,
  timestamptz: 8,
  interval: 16,
  uuid: 16,
  oid: 4,
  xid: 4,
  regclass: 4,
  regtype: 4,
  regproc: 4,
  regnamespace: 4,
  regrole: 4,
  regoper: 4,
};

function buffer(size: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(size);
  write(new DataView(bytes.buffer));
  return bytes;
}

/** Days or microseconds from 2000 on; the infinities keep the extremes. */
function toPostgresDays(days: number): number {
  return days === INT32_MIN || days === INT32_MAX ? days : days - EPOCH_DAYS;
}

function toPostgresUs(us: bigint): bigint {
  return us === INT64_MIN || us === INT64_MAX ? us : us - EPOCH_US;
}

function fromPostgresDays(days: number): number {
  return days === INT32_MIN || days === INT32_MAX ? days : days + EPOCH_DAYS;
}

function fromPostgresUs(us: bigint): bigint {
  return us === INT64_MIN || us === INT64_MAX ? us : us + EPOCH_US;
}

/** The binary form of a value. */
export function sendValue(type: DataType, value: Some, settings: ValueSettings): Uint8Array {
  switch (type.id) {
    case 'bool':
      return Uint8Array.of(value === true ? 1 : 0);
    case 'int2':
      return buffer(2, (view) => view.setInt16(0, value as number));
    case 'int4':
      return buffer(4, (view) => view.setInt32(0, value as number));
    case 'int8':
    case 'time':
      return buffer(8, (view) => view.setBigInt64(0, value as bigint));
    case 'float4':
      return buffer(4, (view) => view.setFloat32(0, value as number));
    case 'float8':
      return buffer(8, (view) => view.setFloat64(0, value as number));
    case 'date':
      return buffer(4, (view) => view.setInt32(0, toPostgresDays(value as number)));
    case 'timestamp':
    case 'timestamptz':
      return buffer(8, (view) => view.setBigInt64(0, toPostgresUs(value as bigint)));
    case 'numeric':
      return sendNumeric(value as Decimal);
    case 'interval':
      return sendInterval(value as Interval);
    case 'bytea':
      return value as Uint8Array;
    case 'uuid':
      return Buffer.from((value as string).replaceAll('-', ''), 'hex');
    case 'jsonb':
      return Buffer.concat([Uint8Array.of(1), Buffer.from(value as string)]);
    case 'array':
      return sendArray(type, value as ArrayValue, settings);
    default:
      if (type.storage === 'i64') return buffer(4, (view) => view.setUint32(0, Number(value)));
      return Buffer.from(formatValue(type, value, settings));
  }
}

function sendInterval(value: Interval): Uint8Array {
  return buffer(16, (view) => {
    view.setBigInt64(0, value.microseconds);
    view.setInt32(8, value.days);
    view.setInt32(12, value.months);
  });
}

const NUMERIC_SIGN = {
  positive: 0x0000,
  negative: 0x4000,
  nan: 0xc000,
  infinity: 0xd000,
  minusInfinity: 0xf000,
} as const;

function specialNumeric(sign: number): Uint8Array {
  return buffer(8, (view) => view.setUint16(4, sign));
}

function sendNumeric(value: Decimal): Uint8Array {
  if (value.kind === NOT_A_NUMBER) return specialNumeric(NUMERIC_SIGN.nan);
  if (value.kind === POSITIVE_INFINITY) return specialNumeric(NUMERIC_SIGN.infinity);
  if (value.kind === NEGATIVE_INFINITY) return specialNumeric(NUMERIC_SIGN.minusInfinity);
  // Base-10,000 digits stand around the point: the fraction is filled up to whole ones.
  const fractionDigits = Math.ceil(value.scale / 4);
  let rest =
    (value.unscaled < 0n ? -value.unscaled : value.unscaled) *
    pow10(fractionDigits * 4 - value.scale);
  const digits: number[] = [];
  for (; rest > 0n; rest /= 10_000n) digits.unshift(Number(rest % 10_000n));
  const weight = digits.length - fractionDigits - 1;
  while (digits.length > 0 && digits.at(-1) === 0) digits.pop();
  return buffer(8 + 2 * digits.length, (view) => {
    view.setInt16(0, digits.length);
    view.setInt16(2, digits.length === 0 ? 0 : weight);
    view.setUint16(4, value.unscaled < 0n ? NUMERIC_SIGN.negative : NUMERIC_SIGN.positive);
    view.setUint16(6, value.scale);
    for (const [index, digit] of digits.entries()) view.setUint16(8 + 2 * index, digit);
  });
}

function sendArray(type: DataType, value: ArrayValue, settings: ValueSettings): Uint8Array {
  const element = must(type.element);
  const parts: Uint8Array[] = [];
  const header = buffer(12 + 8 * value.dimensions.length, (view) => {
    view.setInt32(0, value.dimensions.length);
    view.setInt32(4, value.items.some((item) => item === null) ? 1 : 0);
    view.setInt32(8, element.oid);
    for (const [index, size] of value.dimensions.entries()) {
      view.setInt32(12 + 8 * index, size);
      view.setInt32(16 + 8 * index, value.lowerBounds[index] ?? 1);
    }
  });
  for (const item of value.items) {
    const bytes = item === null ? null : sendValue(element, item, settings);
    parts.push(buffer(4, (view) => view.setInt32(0, bytes === null ? -1 : bytes.length)));
    if (bytes !== null) parts.push(bytes);
  }
  return Buffer.concat([header, ...parts]);
}

function malformed(type: DataType): SqlError {
  return new SqlError('22P03', `incorrect binary data format for type ${type.id}`);
}

/** The value of a binary form; 22P03 where it is not one. */
export function receiveValue(type: DataType, bytes: Uint8Array, settings: ValueSettings): Some {
  const size = FIXED_SIZE[type.id];
  if (size !== undefined && bytes.length !== size) throw malformed(type);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type.id) {
    case 'bool':
      return bytes[0] !== 0;
    case 'int2':
      return view.getInt16(0);
    case 'int4':
      return view.getInt32(0);
    case 'int8':
    case 'time':
      return view.getBigInt64(0);
    case 'float4':
      return view.getFloat32(0);
    case 'float8':
      return view.getFloat64(0);
    case 'date':
      return fromPostgresDays(view.getInt32(0));
    case 'timestamp':
    case 'timestamptz':
      return fromPostgresUs(view.getBigInt64(0));
    case 'numeric':
      return receiveNumeric(view, type);
    case 'interval':
      return new Interval(view.getInt32(12), view.getInt32(8), view.getBigInt64(0));
    case 'bytea':
      return Uint8Array.from(bytes);
    case 'uuid':
      return parseValue(type, Buffer.from(bytes).toString('hex'), settings);
    case 'jsonb':
      if (bytes[0] !== 1)
        throw new SqlError('22P03', `unsupported jsonb version number ${bytes[0] ?? 'missing'}`);
      return parseValue(type, utf8(bytes.subarray(1)), settings);
    case 'array':
      return receiveArray(view, bytes, type, settings);
    case 'record':
      throw notSupported('binary input of composite types');
    default:
      return type.storage === 'i64'
        ? BigInt(view.getUint32(0))
        : parseValue(type, utf8(bytes), settings);
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes as text; 22021 where they are not UTF-8. */
export function utf8(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new SqlError('22021', 'invalid byte sequence for encoding "UTF8"');
  }
}

function receiveNumeric(view: DataView, type: DataType): Decimal {
  if (view.byteLength < 8) throw malformed(type);
  const count = view.getInt16(0);
  const weight = view.getInt16(2);
  const sign = view.getUint16(4);
  const scale = view.getUint16(6);
  if (count < 0 || view.byteLength !== 8 + 2 * count) throw malformed(type);
  if (sign === NUMERIC_SIGN.nan) return new Decimal(0n, 0, NOT_A_NUMBER);
  if (sign === NUMERIC_SIGN.infinity) return new Decimal(0n, 0, POSITIVE_INFINITY);
  if (sign === NUMERIC_SIGN.minusInfinity) return new Decimal(0n, 0, NEGATIVE_INFINITY);
  if (sign !== NUMERIC_SIGN.positive && sign !== NUMERIC_SIGN.negative) throw malformed(type);
  let unscaled = 0n;
  for (let index = 0; index < count; index++) {
    const digit = view.getUint16(8 + 2 * index);
    if (digit > 9999) throw malformed(type);
    unscaled = unscaled * 10_000n + BigInt(digit);
  }
  // The last digit stands for 10000^(weight - count + 1).
  const shift = 4 * (weight - count + 1) + scale;
  const exact = shift >= 0 ? unscaled * pow10(shift) : unscaled / pow10(-shift);
  return new Decimal(sign === NUMERIC_SIGN.negative ? -exact : exact, scale, FINITE);
}

function receiveArray(
  view: DataView,
  bytes: Uint8Array,
  type: DataType,
  settings: ValueSettings,
): ArrayValue {
  const element = must(type.element);
  const dimensionCount = view.byteLength < 12 ? -1 : view.getInt32(0);
  if (dimensionCount < 0 || dimensionCount > 6 || view.byteLength < 12 + 8 * dimensionCount)
    throw malformed(type);
  const dimensions = Array.from({ length: dimensionCount }, (_, index) =>
    view.getInt32(12 + 8 * index),
  );
  const lowerBounds = dimensions.map((_, index) => view.getInt32(16 + 8 * index));
  const itemCount =
    dimensionCount === 0 ? 0 : dimensions.reduce((product, size) => product * size, 1);
  if (itemCount < 0 || itemCount * 4 > view.byteLength) throw malformed(type);
  const items: Value[] = [];
  let offset = 12 + 8 * dimensionCount;
  for (let index = 0; index < itemCount; index++) {
    if (offset + 4 > view.byteLength) throw malformed(type);
    const length = view.getInt32(offset);
    offset += 4;
    if (length > view.byteLength - offset) throw malformed(type);
    items.push(
      length < 0 ? null : receiveValue(element, bytes.subarray(offset, offset + length), settings),
    );
    offset += Math.max(0, length);
  }
  return new ArrayValue(items, dimensions, lowerBounds);
}
