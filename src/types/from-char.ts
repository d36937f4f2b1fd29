/** to_timestamp(text, format) and to_date(text, format): the fields read by a template put together (do_to_timestamp). */

import { SqlError } from '../base/sql-error.ts';
import {
  DAY_US,
  DAYS_END,
  DAYS_MIN,
  daysInMonth,
  daysOf,
  isLeapYear,
  JULIAN_OF_EPOCH,
  SECOND_US,
  TIMESTAMP_END_US,
  TIMESTAMP_MIN_US,
} from './calendar.ts';
import { badDate, type Parsed, Reader } from './from-char-reader.ts';
import { timeZone } from './timezone.ts';

function outOfRange(text: string): SqlError {
  return new SqlError('22008', `date/time field value out of range: "${text}"`);
}

function daysOfParsed(p: Parsed, text: string): number {
  if (p.julian !== undefined) return p.julian - JULIAN_OF_EPOCH;
  if (
    p.isoYear !== undefined ||
    p.isoWeek !== undefined ||
    p.isoDayOfYear !== undefined ||
    p.isoDay !== undefined
  ) {
    return isoDays(p);
  }
  let year = p.year ?? 0;
  if (p.century !== undefined) {
    if (p.year !== undefined && (p.yearDigits ?? 4) <= 2) {
      const base = p.isBc === true ? 0 : (p.century - 1) * 100;
      year = base + (((p.year % 100) + 100) % 100) + (p.year % 100 === 0 ? 100 : 0);
      if (p.isBc === true) year = -((p.century - 1) * 100 + (p.year % 100)) + 1;
    } else if (p.year === undefined) {
      year = p.century >= 0 ? (p.century - 1) * 100 + 1 : p.century * 100 + 1;
    }
  } else if (p.year !== undefined && p.isBc === true) year = p.year > 0 ? 1 - p.year : p.year;
  else if (p.year !== undefined && p.year < 0) year = p.year + 1;
  else if (p.year === undefined) year = p.isBc === true ? 0 : 0;
  if (p.dayOfYear !== undefined && p.month === undefined && p.day === undefined) {
    return dayOfYearDays(p, year, text);
  }
  if (p.week !== undefined && p.month === undefined) {
    return daysOf(year, 1, 1) + (p.week - 1) * 7;
  }
  const month = p.month ?? 1;
  const day = p.day ?? (p.weekOfMonth === undefined ? 1 : (p.weekOfMonth - 1) * 7 + 1);
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) throw outOfRange(text);
  return daysOf(year, month, day);
}

function dayOfYearDays(p: Parsed, year: number, text: string): number {
  if (p.year === undefined && p.century === undefined) {
    throw badDate('cannot calculate day of year without year information');
  }
  const day = p.dayOfYear!;
  if (day < 1 || day > (isLeapYear(year) ? 366 : 365)) throw outOfRange(text);
  return daysOf(year, 1, 1) + day - 1;
}

function isoDays(p: Parsed): number {
  if (
    p.month !== undefined ||
    p.day !== undefined ||
    p.year !== undefined ||
    p.dayOfYear !== undefined
  ) {
    throw badDate(
      'invalid combination of date conventions',
      undefined,
      'Do not mix Gregorian and ISO week date conventions in a formatting template.',
    );
  }
  const fourth = daysOf(p.isoYear ?? 0, 1, 4);
  const firstMonday = fourth - ((((fourth + 3) % 7) + 7) % 7);
  if (p.isoDayOfYear !== undefined) return firstMonday + p.isoDayOfYear - 1;
  const weekday = p.isoDay ?? (p.weekday === undefined ? 1 : p.weekday || 7);
  return firstMonday + ((p.isoWeek ?? 1) - 1) * 7 + weekday - 1;
}

function timeOfParsed(p: Parsed, text: string): bigint {
  let hour = p.hour ?? 0;
  let minute = p.minute ?? 0;
  let second = p.second ?? 0;
  if (p.secondOfDay !== undefined) {
    hour = Math.floor(p.secondOfDay / 3600);
    minute = Math.floor(p.secondOfDay / 60) % 60;
    second = p.secondOfDay % 60;
  }
  if (p.isTwelve === true && p.hour !== undefined) {
    if (hour < 1 || hour > 12) {
      throw badDate(
        `hour "${hour}" is invalid for the 12-hour clock`,
        undefined,
        'Use the 24-hour clock, or give an hour between 1 and 12.',
      );
    }
    if (p.isPm === true && hour < 12) hour += 12;
    else if (p.isPm === false && hour === 12) hour = 0;
  }
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
    throw outOfRange(text);
  const micros = (p.ms ?? 0) * 1000 + (p.us ?? 0);
  return BigInt(hour * 3600 + minute * 60 + second) * SECOND_US + BigInt(micros);
}

/** to_timestamp(text, format): an instant; the zone is the text's (TZH, TZM, TZ) or `zoneName`. */
export function textToTimestamptz(text: string, format: string, zoneName: string): bigint {
  const p = new Reader(text, format).read();
  const local = BigInt(daysOfParsed(p, text)) * DAY_US + timeOfParsed(p, text);
  let us: bigint;
  if (p.offset !== undefined) us = local - BigInt(p.offset) * SECOND_US;
  else if (p.offsetHours !== undefined) {
    const size = Math.abs(p.offsetHours) * 3600 + (p.offsetMinutes ?? 0) * 60;
    us = local - BigInt((p.offsetSign ?? 1) * size) * SECOND_US;
  } else us = timeZone(zoneName).toUtc(local);
  if (us < TIMESTAMP_MIN_US || us >= TIMESTAMP_END_US) {
    throw new SqlError('22008', 'timestamp out of range');
  }
  return us;
}

/** to_date(text, format): days since 1970-01-01. */
export function textToDate(text: string, format: string): number {
  const p = new Reader(text, format).read();
  timeOfParsed(p, text);
  const days = daysOfParsed(p, text);
  if (days < DAYS_MIN || days >= DAYS_END) {
    throw new SqlError('22008', `date out of range: "${text}"`);
  }
  return days;
}
