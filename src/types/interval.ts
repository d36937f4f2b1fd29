/** Interval: months, days and microseconds kept apart, as PostgreSQL does; input, order, arithmetic. */

import { SqlError } from '../base/sql-error.ts';
import { formatInterval as format } from './interval-format.ts';
import { parseIntervalText } from './interval-parse.ts';
import { DEFAULT_SETTINGS, type ValueSettings } from './settings.ts';

const DAY_US = 86_400_000_000n;
const HOUR_US = 3_600_000_000n;
const DAYS_PER_MONTH = 30;

export class Interval {
  readonly months: number;
  readonly days: number;
  readonly microseconds: bigint;

  constructor(months: number, days: number, microseconds: bigint) {
    this.months = months;
    this.days = days;
    this.microseconds = microseconds;
  }

  static readonly ZERO = new Interval(0, 0, 0n);

  /** 22008 where a part is out of its range. */
  static checked(months: number, days: number, microseconds: bigint): Interval {
    if (
      (months | 0) !== months ||
      (days | 0) !== days ||
      BigInt.asIntN(64, microseconds) !== microseconds
    ) {
      throw intervalOutOfRange();
    }
    return new Interval(months, days, microseconds);
  }

  /** Length with months of 30 days and days of 24 hours: what order and equality go by. */
  get comparable(): bigint {
    return BigInt(this.months * DAYS_PER_MONTH + this.days) * DAY_US + this.microseconds;
  }

  compare(other: Interval): number {
    const a = this.comparable;
    const b = other.comparable;
    return a < b ? -1 : a > b ? 1 : 0;
  }

  negate(): Interval {
    return Interval.checked(-this.months, -this.days, -this.microseconds);
  }

  add(other: Interval): Interval {
    return Interval.checked(
      this.months + other.months,
      this.days + other.days,
      this.microseconds + other.microseconds,
    );
  }

  subtract(other: Interval): Interval {
    return Interval.checked(
      this.months - other.months,
      this.days - other.days,
      this.microseconds - other.microseconds,
    );
  }

  /** interval_mul: fractions of months become days (30 each), fractions of days time. */
  multiply(factor: number): Interval {
    return scaled(this, (part) => part * factor);
  }

  divide(factor: number): Interval {
    if (factor === 0) throw new SqlError('22012', 'division by zero');
    return scaled(this, (part) => part / factor);
  }

  /** 24 hours become a day. */
  justifyHours(): Interval {
    const whole = this.microseconds / DAY_US;
    let days = this.days + Number(whole);
    let time = this.microseconds - whole * DAY_US;
    if (days > 0 && time < 0n) {
      time += DAY_US;
      days -= 1;
    } else if (days < 0 && time > 0n) {
      time -= DAY_US;
      days += 1;
    }
    return Interval.checked(this.months, days, time);
  }

  /** 30 days become a month. */
  justifyDays(): Interval {
    const whole = Math.trunc(this.days / DAYS_PER_MONTH);
    let months = this.months + whole;
    let days = this.days - whole * DAYS_PER_MONTH;
    if (months > 0 && days < 0) {
      days += DAYS_PER_MONTH;
      months -= 1;
    } else if (months < 0 && days > 0) {
      days -= DAYS_PER_MONTH;
      months += 1;
    }
    return Interval.checked(months, days, this.microseconds);
  }

  /** Both, and all parts of one sign. */
  justify(): Interval {
    const wholeDays = this.microseconds / DAY_US;
    let time = this.microseconds - wholeDays * DAY_US;
    let days = this.days + Number(wholeDays);
    const wholeMonths = Math.trunc(days / DAYS_PER_MONTH);
    let months = this.months + wholeMonths;
    days -= wholeMonths * DAYS_PER_MONTH;
    if (months > 0 && (days < 0 || (days === 0 && time < 0n))) {
      days += DAYS_PER_MONTH;
      months -= 1;
    } else if (months < 0 && (days > 0 || (days === 0 && time > 0n))) {
      days -= DAYS_PER_MONTH;
      months += 1;
    }
    if (days > 0 && time < 0n) {
      time += DAY_US;
      days -= 1;
    } else if (days < 0 && time > 0n) {
      time -= DAY_US;
      days += 1;
    }
    return Interval.checked(months, days, time);
  }

  /** The representative of its SQL-equal class: months and days of one sign, no more than 29 days, less than 24 hours. */
  canonical(): Interval {
    const whole = this.comparable;
    const days = Number(whole / DAY_US);
    const months = Math.trunc(days / DAYS_PER_MONTH);
    if ((months | 0) !== months) return this;
    return new Interval(months, days - months * DAYS_PER_MONTH, whole % DAY_US);
  }

  toString(): string {
    return format(this, DEFAULT_SETTINGS.intervalStyle);
  }
}

function intervalOutOfRange(): SqlError {
  return new SqlError('22008', 'interval out of range');
}

/** TSROUND: to microseconds' worth of digits, so that 0.1 months are 3 days. */
function roundSix(value: number): number {
  return roundEven(value * 1e6) / 1e6;
}

/** rint. */
export function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

function scaled(interval: Interval, scale: (part: number) => number): Interval {
  const monthsExact = scale(interval.months);
  const daysExact = scale(interval.days);
  const months = Math.trunc(monthsExact);
  const days = Math.trunc(daysExact);
  if (!((months | 0) === months && (days | 0) === days)) throw intervalOutOfRange();
  const monthRest = roundSix((monthsExact - months) * DAYS_PER_MONTH);
  let dayRest = Math.trunc(monthRest);
  let seconds = roundSix((daysExact - days + monthRest - dayRest) * 86400);
  if (Math.abs(seconds) >= 86400) {
    const carry = Math.trunc(seconds / 86400);
    dayRest += carry;
    seconds -= carry * 86400;
  }
  const micros = roundEven(scale(Number(interval.microseconds)) + seconds * 1e6);
  if (!Number.isFinite(micros)) throw intervalOutOfRange();
  return Interval.checked(months, days + dayRest, BigInt(micros));
}

/** As interval_in; `settings` for IntervalStyle (sql_standard's leading sign). */
export function parseInterval(
  text: string,
  settings: ValueSettings = DEFAULT_SETTINGS,
  range = RANGE_FULL,
): Interval {
  const parts = parseIntervalText(text, settings.intervalStyle, range);
  return new Interval(parts.months, parts.days, parts.microseconds);
}

/** As interval_out. */
export function formatInterval(interval: Interval, settings: ValueSettings): string {
  return format(interval, settings.intervalStyle);
}

export const RANGE_FULL = 0x7fff;
const RANGE_MONTH = 1 << 1;
const RANGE_YEAR = 1 << 2;
const RANGE_DAY = 1 << 3;
const RANGE_HOUR = 1 << 10;
const RANGE_MINUTE = 1 << 11;
const RANGE_SECOND = 1 << 12;
const PRECISION_FULL = 0xffff;

/** interval(p), INTERVAL DAY TO MINUTE ...: drops the fields to the right, rounds seconds. */
export function applyIntervalTypmod(interval: Interval, typmod: number): Interval {
  if (typmod < 0) return interval;
  const range = (typmod >> 16) & RANGE_FULL;
  const precision = typmod & 0xffff;
  let { months, days, microseconds } = interval;
  if (range === RANGE_YEAR) {
    months = Math.trunc(months / 12) * 12;
    days = 0;
    microseconds = 0n;
  } else if (range === RANGE_MONTH || range === (RANGE_YEAR | RANGE_MONTH)) {
    days = 0;
    microseconds = 0n;
  } else if (range === RANGE_DAY) microseconds = 0n;
  else if (range === RANGE_HOUR || range === (RANGE_DAY | RANGE_HOUR)) {
    microseconds = (microseconds / HOUR_US) * HOUR_US;
  } else if ((range & RANGE_MINUTE) !== 0 && (range & RANGE_SECOND) === 0 && range !== RANGE_FULL) {
    microseconds = (microseconds / 60_000_000n) * 60_000_000n;
  }
  if (precision !== PRECISION_FULL && precision < 6) {
    const unit = 10n ** BigInt(6 - precision);
    const half = microseconds < 0n ? -unit / 2n : unit / 2n;
    microseconds = ((microseconds + half) / unit) * unit;
  }
  return new Interval(months, days, microseconds);
}

/** 16 bytes: µs i64, days i32, months i32, little-endian. */
export function encodeInterval(interval: Interval): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, interval.microseconds, true);
  view.setInt32(8, interval.days, true);
  view.setInt32(12, interval.months, true);
  return bytes;
}

export function decodeInterval(bytes: Uint8Array): Interval {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return new Interval(view.getInt32(12, true), view.getInt32(8, true), view.getBigInt64(0, true));
}
