/** Times in formats that have no infinite ones: refused with 22008, which names the format. */

import { SqlError } from '../base/sql-error.ts';
import { INFINITY_DAYS, isFiniteUs, MINUS_INFINITY_DAYS } from '../types/calendar.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { plainTypeName } from '../types/type-name.ts';

/** Days since 1970-01-01, as they are. */
export function finiteDay(value: Value, format: string): number {
  if (value !== INFINITY_DAYS && value !== MINUS_INFINITY_DAYS) return value as number;
  throw new SqlError('22008', `${format} has no infinite date`);
}

/** Microseconds since 1970-01-01, as they are; `type`: timestamp or timestamptz. */
export function finiteInstant(value: Value, type: DataType, format: string): bigint {
  if (isFiniteUs(value as bigint)) return value as bigint;
  throw new SqlError('22008', `${format} has no infinite ${plainTypeName(type)}`);
}
