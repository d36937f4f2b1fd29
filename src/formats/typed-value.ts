/**
 * Numbers, texts and times of typed formats (Avro, Protobuf) as values of a column's type: exact or refused (22003, 22008),
 * never rounded but to the column's own precision. null: no value of that kind fits the type.
 */

import { SqlError } from '../base/sql-error.ts';
import { DAY_US, DAYS_END, DAYS_MIN } from '../types/calendar.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { checkTimestamp } from '../types/datetime.ts';
import { Decimal } from '../types/decimal.ts';
import { encodingError } from '../types/encoding-error.ts';
import { inputValue, type ValueSettings } from '../types/value.ts';
import { orThrow } from './record-decoder.ts';

type Some = NonNullable<Value>;

export const TEXT_TYPES: ReadonlySet<string> = new Set(['text', 'varchar', 'bpchar']);
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

/** The integers of SQL only. */
export function fromIntegerToInteger(type: DataType): ((value: bigint) => Some) | null {
  switch (type.id) {
    case 'int8':
      return (value) => {
        if (BigInt.asIntN(64, value) === value) return value;
        throw new SqlError('22003', 'bigint out of range');
      };
    case 'int4':
      return (value) => smallNumber(value, 2_147_483_647n, 'integer');
    case 'int2':
      return (value) => smallNumber(value, 32_767n, 'smallint');
    default:
      return null;
  }
}

export function fromInteger(type: DataType): ((value: bigint) => Some) | null {
  switch (type.id) {
    case 'float8':
      return Number;
    case 'float4':
      return (value) => Math.fround(Number(value));
    case 'numeric':
      return (value) => Decimal.of(value);
    default:
      return fromIntegerToInteger(type);
  }
}

function smallNumber(value: bigint, max: bigint, name: string): number {
  if (value > max || value < -max - 1n) throw new SqlError('22003', `${name} out of range`);
  return Number(value);
}

export function fromFloat(type: DataType): ((value: number) => Some) | null {
  if (type.id === 'float8') return (value) => value;
  if (type.id !== 'float4') return null;
  return (value) => {
    const rounded = Math.fround(value);
    if (Number.isFinite(rounded) || !Number.isFinite(value)) return rounded;
    throw new SqlError('22003', `"${value}" is out of range for type real`);
  };
}

/** Texts as they are, or by the type's input function. */
export function fromText(type: DataType, settings: ValueSettings): ((text: string) => Some) | null {
  if (TEXT_TYPES.has(type.id)) return (text) => text;
  return TEXT_INPUT.has(type.id) ? (text) => inputValue(type, text, settings) : null;
}

/** Throws 22021 where bytes[start, end) are no text. */
export function checkTextBytes(bytes: Buffer, start: number, end: number): void {
  // Short texts are mostly ASCII: that is seen faster than asking for it.
  for (let i = start; i < end; i += 1) {
    const byte = bytes[i]!;
    if (byte > 0 && byte < 0x80) continue;
    orThrow(encodingError(bytes, i, end));
    return;
  }
}

/** A copy: the message's bytes go away. */
export function copyOf(bytes: Buffer, start: number, end: number): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes, start, end);
}

/** Two's complement, big-endian; no bytes are 0. */
export function signedInteger(bytes: Buffer, start: number, end: number): bigint {
  if (start === end) return 0n;
  const size = end - start;
  if (size <= 6) return BigInt(bytes.readIntBE(start, size));
  return BigInt.asIntN(8 * size, BigInt(`0x${bytes.toString('hex', start, end)}`));
}

export function floorDivided(value: bigint, by: bigint): bigint {
  return value >= 0n || value % by === 0n ? value / by : value / by - 1n;
}

/** Days since 1970-01-01. */
export function dayOf(days: bigint): number {
  if (days < DAYS_MIN || days >= DAYS_END) throw new SqlError('22008', 'date out of range');
  return Number(days);
}

export function timeOfDay(us: bigint): bigint {
  if (us < 0n || us > DAY_US) throw new SqlError('22008', 'time out of range');
  return us;
}

/** Microseconds since 1970-01-01. */
export function instant(us: bigint): bigint {
  if (BigInt.asIntN(64, us) !== us) throw new SqlError('22008', 'timestamp out of range');
  return checkTimestamp(us);
}
