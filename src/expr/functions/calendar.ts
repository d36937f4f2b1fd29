/** Dates moved by the calendar: months added, ranges checked. */

import { SqlError } from '../../base/sql-error.ts';
import {
  civilOf,
  DAY_US,
  DAYS_END,
  DAYS_MIN,
  daysInMonth,
  daysOf,
  INFINITY_DAYS,
  MINUS_INFINITY_DAYS,
} from '../../types/calendar.ts';

export function isInfiniteDay(days: number): boolean {
  return days === INFINITY_DAYS || days === MINUS_INFINITY_DAYS;
}

export function checkedDate(days: number): number {
  if (days < DAYS_MIN || days >= DAYS_END) throw new SqlError('22008', 'date out of range');
  return days;
}

export function joinTimestamp(days: number, timeUs: bigint): bigint {
  return BigInt(days) * DAY_US + timeUs;
}

/** Adds months to a day; the day of the month is cut to the length of the month that is reached. */
export function addMonths(days: number, months: number): number {
  const { year, month, day } = civilOf(days);
  const total = year * 12 + (month - 1) + months;
  const newYear = Math.floor(total / 12);
  const newMonth = total - newYear * 12 + 1;
  return daysOf(newYear, newMonth, Math.min(day, daysInMonth(newYear, newMonth)));
}
