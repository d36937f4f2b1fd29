/** Conversions between date, timestamp and timestamptz; infinities stay infinite. */

import { SqlError } from '../base/sql-error.ts';
import {
  DAY_US,
  INFINITY_DAYS,
  INFINITY_US,
  isFiniteUs,
  MINUS_INFINITY_DAYS,
  MINUS_INFINITY_US,
  splitDay,
  TIMESTAMP_END_US,
  TIMESTAMP_MIN_US,
} from './calendar.ts';
import { timeZone } from './timezone.ts';

/** `us` when it is a valid timestamp; 22008. */
export function checkTimestamp(us: bigint): bigint {
  if (isFiniteUs(us) && (us < TIMESTAMP_MIN_US || us >= TIMESTAMP_END_US)) {
    throw new SqlError('22008', 'timestamp out of range');
  }
  return us;
}

/** Midnight of a day; 22008 beyond what a timestamp holds. */
export function dateToTimestamp(days: number): bigint {
  if (days === INFINITY_DAYS) return INFINITY_US;
  if (days === MINUS_INFINITY_DAYS) return MINUS_INFINITY_US;
  const us = BigInt(days) * DAY_US;
  if (us >= TIMESTAMP_END_US) throw new SqlError('22008', 'date out of range for timestamp');
  return us;
}

export function timestampToDate(us: bigint): number {
  if (us === INFINITY_US) return INFINITY_DAYS;
  if (us === MINUS_INFINITY_US) return MINUS_INFINITY_DAYS;
  return splitDay(us).days;
}

/** The local time `us` in `zone` as an instant. */
export function timestampToTimestamptz(us: bigint, zone: string): bigint {
  return isFiniteUs(us) ? checkTimestamp(timeZone(zone).toUtc(us)) : us;
}

/** The instant `us` as local time in `zone`. */
export function timestamptzToTimestamp(us: bigint, zone: string): bigint {
  return isFiniteUs(us) ? checkTimestamp(timeZone(zone).toLocal(us)) : us;
}
