/**
 * The fields of a date or time put together: PostgreSQL's DecodeDateTime, DecodeDate, DecodeNumber and DecodeNumberField. What a
 * number means depends on what stood before it; masks say which parts have been seen, so that none comes twice.
 */

import { SqlError } from '../base/sql-error.ts';
import { DAY_US, daysInMonth, daysOf, isLeapYear, JULIAN_OF_EPOCH, SECOND_US } from './calendar.ts';
import { badFormat, type Field, wordOf } from './datetime-tokens.ts';
import type { ValueSettings } from './settings.ts';
import { abbreviationOffset, findTimeZone, type TimeZone, timeZone } from './timezone.ts';

export type DateOrder = 'MDY' | 'DMY' | 'YMD';

const YEAR = 1;
const MONTH = 2;
const DAY = 4;
export const DATE_MASK = 7;
export const TIME_MASK = 8;
const ZONE = 16;
const WEEKDAY = 32;
const RESERVED = 64;
const AMPM = 128;
const ERA = 256;

/** A failure before the input's type and text are known to it. */
export class FieldError extends Error {
  readonly code: 'format' | 'range' | 'month_day' | 'zone_range';
  constructor(code: 'format' | 'range' | 'month_day' | 'zone_range') {
    super(code);
    this.code = code;
  }
}

export interface Decoded {
  mask: number;
  year: number;
  month: number;
  day: number;
  dayOfYear: number;
  julian: number | null;
  isTwoDigits: boolean;
  hasTextMonth: boolean;
  isBefore: boolean;
  meridiem: number | null;
  /** µs of the day. */
  time: bigint;
  hour: number;
  zone: TimeZone | null;
  /** Seconds east. */
  offset: number | null;
  reserved: string | null;
}

export function orderOf(settings: ValueSettings): DateOrder {
  const match = /\b(MDY|DMY|YMD|US|NonEuro|NonEuropean|European|Euro)\b/i.exec(settings.dateStyle);
  const name = (match?.[1] ?? 'MDY').toUpperCase();
  return name === 'YMD' ? 'YMD' : name === 'DMY' || name.startsWith('EURO') ? 'DMY' : 'MDY';
}

export function fail(error: unknown, typeName: string, text: string): never {
  if (!(error instanceof FieldError)) throw error;
  switch (error.code) {
    case 'format':
      throw badFormat(typeName, text);
    case 'zone_range':
      throw new SqlError('22009', `time zone displacement out of range: "${text}"`);
    default:
      throw new SqlError('22008', `date/time field value out of range: "${text}"`, {
        hint:
          error.code === 'month_day'
            ? 'Perhaps you need a different "datestyle" setting.'
            : undefined,
      });
  }
}

export class Decoder {
  readonly #fields: readonly Field[];
  readonly #order: DateOrder;
  readonly d: Decoded = {
    mask: 0,
    year: 0,
    month: 0,
    day: 0,
    dayOfYear: 0,
    julian: null,
    isTwoDigits: false,
    hasTextMonth: false,
    isBefore: false,
    meridiem: null,
    time: 0n,
    hour: 0,
    zone: null,
    offset: null,
    reserved: null,
  };
  #prefix: 'julian' | 'iso_time' | 'other' | null = null;

  constructor(fields: readonly Field[], order: DateOrder) {
    this.#fields = fields;
    this.#order = order;
  }

  decode(): Decoded {
    for (let i = 0; i < this.#fields.length; i += 1) {
      const mask = this.#field(this.#fields[i]!, i);
      if ((mask & this.d.mask) !== 0) throw new FieldError('format');
      this.d.mask |= mask;
    }
    if (this.#prefix !== null) throw new FieldError('format');
    this.#meridiem();
    return this.d;
  }

  #field(field: Field, index: number): number {
    switch (field.kind) {
      case 'date':
        return this.#dateField(field.text, index);
      case 'time':
        return this.#clock(field.text);
      case 'zone':
        this.d.offset = parseOffset(field.text);
        return ZONE;
      case 'number':
        return this.#numberField(field.text, index);
      default:
        return this.#word(field.text, index);
    }
  }

  #dateField(text: string, index: number): number {
    if (this.#prefix === 'julian') {
      // J2451187-08: a Julian day with a zone.
      const match = /^(\d+)(-.*)$/.exec(text);
      if (match === null) throw new FieldError('format');
      this.#prefix = null;
      this.d.julian = Number(match[1]);
      this.d.offset = parseOffset(match[2]!);
      return DATE_MASK | TIME_MASK | ZONE;
    }
    const hasDate = (this.d.mask & (MONTH | DAY)) === (MONTH | DAY);
    if (this.#prefix === null && !hasDate) return this.#date(text);
    if (/^\d/.test(text) || this.#prefix !== null) {
      if (this.#prefix !== null && this.#prefix !== 'iso_time') throw new FieldError('format');
      this.#prefix = null;
      const dash = text.indexOf('-');
      if ((this.d.mask & TIME_MASK) !== 0 || dash === -1) throw new FieldError('format');
      this.d.offset = parseOffset(text.slice(dash));
      return this.#concatenated(text.slice(0, dash), index) | ZONE;
    }
    this.d.zone = timeZone(text);
    return ZONE;
  }

  /** `2001-02-03`, `3-feb-2001`, `2/3/01`. */
  #date(text: string): number {
    const parts = text.match(/\d+|[a-z]+/g) ?? [];
    let mask = 0;
    const rest: string[] = [];
    for (const part of parts) {
      if (/^\d/.test(part)) {
        rest.push(part);
        continue;
      }
      const word = wordOf(part);
      if (word?.kind === 'ignore') continue;
      if (word?.kind !== 'month' || (mask & MONTH) !== 0) throw new FieldError('format');
      this.d.month = word.value as number;
      this.d.hasTextMonth = true;
      mask |= MONTH;
    }
    for (const part of rest) {
      const added = this.#number(part, this.d.mask | mask);
      if ((added & (this.d.mask | mask)) !== 0) throw new FieldError('format');
      mask |= added;
    }
    // As PostgreSQL: nothing but a zone may stand before such a date.
    if (((this.d.mask | mask) & ~ZONE) !== DATE_MASK) throw new FieldError('format');
    return mask;
  }

  #numberField(text: string, index: number): number {
    if (this.#prefix === 'julian') {
      this.#prefix = null;
      const [whole, fraction] = text.split('.') as [string, string | undefined];
      this.d.julian = Number(whole);
      if (fraction === undefined) return DATE_MASK;
      this.d.time = BigInt(Math.round(Number(`0.${fraction}`) * 86_400_000_000));
      return DATE_MASK | TIME_MASK;
    }
    if (this.#prefix === 'iso_time') {
      this.#prefix = null;
      const mask = this.#concatenated(text, index, true);
      if (mask !== TIME_MASK) throw new FieldError('format');
      return mask;
    }
    if (this.#prefix !== null) throw new FieldError('format');
    const point = text.indexOf('.');
    const hasDate = (this.d.mask & DATE_MASK) === DATE_MASK;
    if (point !== -1 && (this.d.mask & DATE_MASK) === 0) return this.#date(text);
    if (point > 2) return this.#concatenated(text, index);
    if (text.length >= 6 && (!hasDate || (this.d.mask & TIME_MASK) === 0)) {
      return this.#concatenated(text, index);
    }
    return this.#number(text, this.d.mask);
  }

  /** DecodeNumberField: `20010203`, `010203`, `040506`, `0405`. */
  #concatenated(text: string, _index: number, onlyTime = false): number {
    const match = /^(\d*)(\.\d*)?$/.exec(text);
    if (match === null) throw new FieldError('format');
    const digits = match[1]!;
    const hasDate = onlyTime || (this.d.mask & DATE_MASK) === DATE_MASK;
    if (match[2] === undefined && !hasDate && digits.length >= 6) {
      const length = digits.length;
      this.d.day = Number(digits.slice(length - 2));
      this.d.month = Number(digits.slice(length - 4, length - 2));
      this.d.year = Number(digits.slice(0, length - 4));
      if (length - 4 === 2) this.d.isTwoDigits = true;
      return DATE_MASK;
    }
    if ((this.d.mask & TIME_MASK) === 0 && (digits.length === 6 || digits.length === 4)) {
      const seconds = digits.length === 6 ? Number(digits.slice(4)) : 0;
      this.#setTime(
        Number(digits.slice(0, 2)),
        Number(digits.slice(2, 4)),
        seconds,
        fractionUs(match[2]),
      );
      return TIME_MASK;
    }
    throw new FieldError('format');
  }

  /** DecodeNumber: what a bare number is by what was there before. */
  #number(text: string, mask: number): number {
    if (!/^\d+(\.\d*)?$/.test(text)) throw new FieldError('format');
    const point = text.indexOf('.');
    if (point > 2) return this.#concatenated(text, 0);
    const value = Number.parseInt(text, 10);
    if (value > 0x7fffffff) throw new FieldError('range');
    const size = text.length;
    if (size === 3 && (mask & DATE_MASK) === YEAR && value >= 1 && value <= 366) {
      this.d.dayOfYear = value;
      return MONTH | DAY;
    }
    const year = (): number => {
      this.d.year = value;
      this.d.isTwoDigits = size <= 2;
      return YEAR;
    };
    const month = (): number => {
      this.d.month = value;
      return MONTH;
    };
    const day = (): number => {
      this.d.day = value;
      return DAY;
    };
    switch (mask & DATE_MASK) {
      case 0:
        if (size >= 3 || this.#order === 'YMD') return year();
        return this.#order === 'DMY' ? day() : month();
      case YEAR:
        return month();
      case MONTH:
        if (this.d.hasTextMonth && (size >= 3 || this.#order === 'YMD')) return year();
        return day();
      case YEAR | MONTH:
        if (this.d.hasTextMonth && size >= 3 && this.d.isTwoDigits) {
          // The first number was the day, this is the year.
          this.d.day = this.d.year;
          this.d.year = value;
          this.d.isTwoDigits = false;
          return DAY;
        }
        return day();
      case DAY:
        return month();
      case MONTH | DAY:
        return year();
      default:
        return this.#concatenated(text, 0);
    }
  }

  #clock(text: string): number {
    const match = /^(\d+):(\d*)(?::(\d*))?(\.\d*)?$/.exec(text);
    if (match === null) throw new FieldError('format');
    const [, first, second, third, fraction] = match;
    if (third === undefined && fraction !== undefined) {
      this.#setTime(0, Number(first), Number(second), fractionUs(fraction));
    } else {
      this.#setTime(Number(first), Number(second), Number(third ?? 0), fractionUs(fraction));
    }
    return TIME_MASK;
  }

  #setTime(hour: number, minute: number, second: number, fraction: bigint): void {
    if (minute > 59 || second > 60) throw new FieldError('range');
    this.d.hour = hour;
    if (hour > 24) throw new FieldError('range');
    this.d.time = BigInt(hour * 3600 + minute * 60 + second) * SECOND_US + fraction;
    if (this.d.time > DAY_US) throw new FieldError('range');
  }

  #word(text: string, index: number): number {
    const word = wordOf(text);
    if (word === undefined) return this.#zoneName(text);
    switch (word.kind) {
      case 'month':
        return this.#textMonth(word.value as number);
      case 'weekday':
        return WEEKDAY;
      case 'ampm':
        this.d.meridiem = word.value as number;
        return AMPM;
      case 'era':
        this.d.isBefore = word.value === 1;
        return ERA;
      case 'ignore':
        return 0;
      case 'dst':
        if (this.d.offset === null) throw new FieldError('format');
        this.d.offset += 3600;
        return 0;
      case 'reserved':
        return this.#reserved(word.value as string);
      case 'iso_time':
        if ((this.d.mask & DATE_MASK) !== DATE_MASK) throw new FieldError('format');
        if (!['number', 'time', 'date'].includes(this.#fields[index + 1]?.kind ?? '')) {
          throw new FieldError('format');
        }
        if (this.#fields[index + 1]!.kind !== 'time') this.#prefix = 'iso_time';
        return 0;
      default:
        if (word.value !== 'julian') throw new FieldError('format');
        this.#prefix = 'julian';
        return 0;
    }
  }

  #textMonth(month: number): number {
    const { d } = this;
    // A number taken for the month was the day.
    const wasDay = (d.mask & MONTH) !== 0 && !d.hasTextMonth && (d.mask & DAY) === 0;
    if (wasDay && d.month >= 1 && d.month <= 31) {
      d.day = d.month;
      d.month = month;
      d.hasTextMonth = true;
      return DAY;
    }
    d.hasTextMonth = true;
    d.month = month;
    return MONTH;
  }

  #reserved(value: string): number {
    const { d } = this;
    if (value === 'zulu') {
      d.offset = 0;
      return ZONE;
    }
    if (value === 'allballs') {
      d.time = 0n;
      d.offset = 0;
      return TIME_MASK | ZONE;
    }
    d.reserved = value;
    return value === 'now'
      ? DATE_MASK | TIME_MASK | ZONE
      : RESERVED | (isDay(value) ? DATE_MASK : 0);
  }

  #zoneName(text: string): number {
    const offset = abbreviationOffset(text);
    if (offset !== undefined) {
      this.d.offset = offset;
      return ZONE;
    }
    // "estdst" and the like are not words; "est" + "dst" are two.
    const zone = findTimeZone(text);
    if (zone === undefined) throw new FieldError('format');
    this.d.zone = zone;
    return ZONE;
  }

  #meridiem(): void {
    const { d } = this;
    if (d.meridiem === null) return;
    if ((d.mask & TIME_MASK) === 0) return;
    const hour = Number(d.time / (3600n * SECOND_US));
    if (hour > 12) throw new FieldError('range');
    if (d.meridiem === 0 && hour === 12) d.time -= 12n * 3600n * SECOND_US;
    else if (d.meridiem === 1 && hour !== 12) d.time += 12n * 3600n * SECOND_US;
  }
}

export function isDay(value: string): boolean {
  return value === 'today' || value === 'tomorrow' || value === 'yesterday';
}

/** `.123` in µs, rounded half to even as rint does; 1000000 is possible. */
export function fractionUs(text: string | undefined): bigint {
  if (text === undefined || text.length < 2) return 0n;
  if (text.length <= 7) return BigInt(text.slice(1).padEnd(6, '0'));
  const scaled = Number(`0${text}`) * 1_000_000;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 === 1);
  return BigInt(up ? floor + 1 : floor);
}

/** DecodeTimezone: `+8`, `-0530`, `+05:30:15`; seconds east. */
function parseOffset(text: string): number {
  const match = /^([+-])(\d+)(?::(\d*))?(?::(\d*))?$/.exec(text);
  if (match === null) throw new FieldError('format');
  let hours = Number(match[2]);
  let minutes = Number(match[3] ?? 0);
  let seconds = Number(match[4] ?? 0);
  if (match[3] === undefined && text.length > 3) {
    if (text.length > 5) {
      seconds = hours % 100;
      hours = Math.floor(hours / 100);
    }
    minutes = hours % 100;
    hours = Math.floor(hours / 100);
  }
  if (hours > 15 || minutes > 59 || seconds > 59) throw new FieldError('zone_range');
  const size = hours * 3600 + minutes * 60 + seconds;
  return match[1] === '-' ? -size : size;
}

/** ValidateDate: days since 1970-01-01. */
export function validDays(d: Decoded): number {
  if (d.julian !== null) {
    if (d.julian > 0x7fffffff) throw new FieldError('range');
    return d.julian - JULIAN_OF_EPOCH;
  }
  let { year } = d;
  if (d.isBefore) {
    if (year <= 0) throw new FieldError('range');
    year = 1 - year;
  } else if (d.isTwoDigits) {
    year += year < 70 ? 2000 : year < 100 ? 1900 : 0;
  } else if (year <= 0) throw new FieldError('range');
  if (d.dayOfYear > 0) {
    if (d.dayOfYear === 366 && !isLeapYear(year)) throw new FieldError('range');
    return daysOf(year, 1, 1) + d.dayOfYear - 1;
  }
  if (d.month < 1 || d.month > 12) throw new FieldError('month_day');
  if (d.day < 1 || d.day > 31) throw new FieldError('month_day');
  if (d.day > daysInMonth(year, d.month)) throw new FieldError('range');
  return daysOf(year, d.month, d.day);
}
