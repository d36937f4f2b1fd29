/** Reading an interval: PostgreSQL's DecodeInterval (fields from the right) and DecodeISO8601Interval. */

import { SqlError } from '../base/sql-error.ts';
import { badFormat, type Field, tokenize, wordOf } from './datetime-tokens.ts';

export interface IntervalParts {
  readonly months: number;
  readonly days: number;
  readonly microseconds: bigint;
}

type Unit =
  | 'microsecond'
  | 'millisecond'
  | 'second'
  | 'minute'
  | 'hour'
  | 'day'
  | 'week'
  | 'month'
  | 'quarter'
  | 'year'
  | 'decade'
  | 'century'
  | 'millennium';

const UNITS = new Map<string, Unit>();

function unit(name: Unit, words: string): void {
  for (const word of words.split(' ')) UNITS.set(word, name);
}
unit('microsecond', 'us usec usecs usecond useconds microsecon microsecond microseconds');
unit('millisecond', 'ms msec msecs msecond mseconds millisecon millisecond milliseconds');
unit('second', 's sec secs second seconds');
unit('minute', 'm min mins minute minutes');
unit('hour', 'h hr hrs hour hours');
unit('day', 'd day days');
unit('week', 'w week weeks');
unit('month', 'mon mons month months');
unit('quarter', 'qtr quarter');
unit('year', 'y yr yrs year years');
unit('decade', 'dec decs decade decades');
unit('century', 'c cent century centuries');
unit('millennium', 'mil mils millennia millennium');

/** The unit that a word names in an interval (and in date_part and date_trunc); undefined: none. */
export function intervalUnit(word: string): Unit | undefined {
  const key = word.toLowerCase();
  return UNITS.get(key) ?? UNITS.get(key.slice(0, 10));
}

/** Only what may be out of range or malformed; the text is added by the caller. */
class PartError extends Error {
  readonly isRange: boolean;
  constructor(isRange: boolean) {
    super('interval');
    this.isRange = isRange;
  }
}

const DAY_US = 86_400_000_000;
const UNIT_US: Partial<Record<Unit, bigint>> = {
  microsecond: 1n,
  millisecond: 1000n,
  second: 1_000_000n,
  minute: 60_000_000n,
  hour: 3_600_000_000n,
};
const UNIT_MONTHS: Partial<Record<Unit, number>> = {
  year: 12,
  decade: 120,
  century: 1200,
  millennium: 12000,
};

class Sum {
  months = 0;
  days = 0;
  micros = 0n;

  /** `whole` and `fraction` (of the same sign) of a unit. */
  add(kind: Unit, whole: bigint, fraction: number): void {
    const us = UNIT_US[kind];
    if (us !== undefined) {
      this.micros += whole * us;
      this.#addMicros(fraction, Number(us));
      return;
    }
    const months = UNIT_MONTHS[kind];
    if (months !== undefined) {
      this.months += Number(whole) * months + roundEven(fraction * months);
    } else if (kind === 'month') {
      this.months += Number(whole);
      this.#addDays(fraction, 30);
    } else if (kind === 'quarter') throw new PartError(false);
    else {
      const days = kind === 'week' ? 7 : 1;
      this.days += Number(whole) * days;
      this.#addDays(fraction, days);
    }
    this.check();
  }

  check(): void {
    const { months, days, micros } = this;
    if ((months | 0) !== months || (days | 0) !== days || BigInt.asIntN(64, micros) !== micros) {
      throw new PartError(true);
    }
  }

  #addDays(fraction: number, scale: number): void {
    const days = fraction * scale;
    const whole = Math.trunc(days);
    this.days += whole;
    this.#addMicros(days - whole, DAY_US);
  }

  #addMicros(fraction: number, scale: number): void {
    const micros = fraction * scale;
    const whole = Math.trunc(micros);
    const rest = micros - whole;
    this.micros += BigInt(whole + (rest > 0.5 ? 1 : rest < -0.5 ? -1 : 0));
  }
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

const RANGE_UNITS: Readonly<Record<number, Unit>> = {
  4: 'year',
  2: 'month',
  6: 'month',
  8: 'day',
  1024: 'hour',
  1032: 'hour',
  2048: 'minute',
  3072: 'minute',
  3080: 'minute',
};
const MINUTE_TO_SECOND = 6144;

/** As interval_in; `range` is the typmod's field mask (0x7fff: any), which says what a lone number is. */
export function parseIntervalText(text: string, style: string, range: number): IntervalParts {
  const fields = tokenize(text);
  if (fields === null) throw badFormat('interval', text);
  try {
    const sum = new IntervalDecoder(fields, style.toLowerCase(), range).decode() ?? decodeIso(text);
    if (sum === null) throw badFormat('interval', text);
    sum.check();
    return { months: sum.months, days: sum.days, microseconds: sum.micros };
  } catch (error) {
    if (!(error instanceof PartError)) throw error;
    if (!error.isRange) throw badFormat('interval', text);
    throw new SqlError('22015', `interval field value out of range: "${text}"`);
  }
}

class IntervalDecoder {
  readonly #fields: readonly Field[];
  readonly #style: string;
  readonly #range: number;
  readonly #sum = new Sum();
  readonly #seen = new Set<Unit | 'time'>();
  #unit: Unit | null = null;
  #isBefore = false;

  constructor(fields: readonly Field[], style: string, range: number) {
    this.#fields = fields;
    this.#style = style;
    this.#range = range;
  }

  /** null: not of this form. */
  decode(): Sum | null {
    const isNegative = this.#isAllNegative();
    for (let i = this.#fields.length - 1; i >= 0; i -= 1) {
      if (!this.#field(this.#fields[i]!, isNegative && i > 0)) return null;
    }
    if (this.#seen.size === 0) return null;
    const sum = this.#sum;
    if (this.#isBefore) {
      sum.months = -sum.months;
      sum.days = -sum.days;
      sum.micros = -sum.micros;
    }
    return sum;
  }

  /** sql_standard: a leading sign is of all fields, unless another has one. */
  #isAllNegative(): boolean {
    if (this.#style !== 'sql_standard' || !this.#fields[0]?.text.startsWith('-')) return false;
    return !this.#fields.slice(1).some((field) => /^[+-]/.test(field.text));
  }

  #field(field: Field, isNegated: boolean): boolean {
    switch (field.kind) {
      case 'time':
        return this.#time(field.text, isNegated);
      case 'zone':
        if (field.text.includes(':')) return this.#time(field.text, isNegated);
        return this.#number(field.text, isNegated);
      case 'date':
      case 'number':
        return this.#number(field.text, isNegated);
      default:
        return this.#word(field.text);
    }
  }

  #mark(what: Unit | 'time'): boolean {
    if (what === 'time') {
      if (['hour', 'minute', 'second', 'time'].some((x) => this.#seen.has(x as Unit))) return false;
      for (const x of ['hour', 'minute', 'second'] as const) this.#seen.add(x);
    }
    if (this.#seen.has(what)) return false;
    this.#seen.add(what);
    return true;
  }

  #time(text: string, isNegated: boolean): boolean {
    const match = /^([+-]?)(\d+):(\d*)(?::(\d*))?(\.\d*)?$/.exec(text);
    if (match === null) return false;
    let [hour, minute, second] = [BigInt(match[2]!), Number(match[3]), Number(match[4] ?? 0)];
    const isMinutes =
      match[4] === undefined && (match[5] !== undefined || this.#range === MINUTE_TO_SECOND);
    if (isMinutes) [hour, minute, second] = [0n, Number(hour), minute];
    if (minute > 59 || second > 60) throw new PartError(true);
    let micros = hour * 3_600_000_000n + BigInt(minute * 60 + second) * 1_000_000n;
    if (match[5] !== undefined) micros += BigInt(roundEven(Number(`0${match[5]}0`) * 1e6));
    this.#sum.micros += match[1] === '-' || isNegated ? -micros : micros;
    this.#unit = 'day';
    return this.#mark('time');
  }

  #number(text: string, isNegated: boolean): boolean {
    const match = /^([+-]?)(\d*)(?:-(\d+)|(\.\d*))?$/.exec(text);
    if (match === null || (match[2] === '' && (match[4] ?? '.') === '.')) return false;
    const isNegative = match[1] === '-';
    let whole = BigInt(match[2] || '0');
    if (BigInt.asIntN(64, whole) !== whole) throw new PartError(true);
    let kind = this.#unit ?? RANGE_UNITS[this.#range] ?? 'second';
    if (match[3] !== undefined) {
      const months = Number(match[3]);
      if (months >= 12) throw new PartError(true);
      kind = 'month';
      whole = whole * 12n + BigInt(months);
    }
    let fraction = match[4] === undefined ? 0 : Number(`0${match[4]}0`);
    if (isNegative || isNegated) {
      whole = -whole;
      fraction = -fraction;
    }
    this.#sum.add(kind, whole, fraction);
    return this.#mark(kind);
  }

  #word(text: string): boolean {
    const kind = intervalUnit(text);
    if (kind !== undefined) {
      this.#unit = kind;
      return true;
    }
    if (text === 'ago') {
      this.#isBefore = true;
      return true;
    }
    return wordOf(text)?.kind === 'ignore';
  }
}

const ISO_DATE: Readonly<Record<string, Unit>> = { Y: 'year', M: 'month', W: 'week', D: 'day' };
const ISO_TIME: Readonly<Record<string, Unit>> = { H: 'hour', M: 'minute', S: 'second' };

/** `P1Y2M3DT4H5M6.7S`, `P0001-02-03T04:05:06`, `P00021015T103020`. */
function decodeIso(text: string): Sum | null {
  if (text.length < 2 || text[0] !== 'P') return null;
  const sum = new Sum();
  const halves = text.slice(1).split('T');
  if (halves.length > 2) return null;
  const [date, time] = halves as [string, string | undefined];
  if (!isoPart(sum, date, ISO_DATE, isoDate)) return null;
  if (time !== undefined && !isoPart(sum, time, ISO_TIME, isoTime)) return null;
  return sum;
}

function isoPart(
  sum: Sum,
  text: string,
  units: Readonly<Record<string, Unit>>,
  alternative: (sum: Sum, text: string) => boolean,
): boolean {
  if (text === '') return true;
  const pattern = /([+-]?)(\d+(?:\.\d*)?|\.\d+)([A-Z])/y;
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (match === null) return alternative(sum, text);
    const kind = units[match[3]!];
    if (kind === undefined) return false;
    const [whole, fraction] = match[2]!.split('.') as [string, string | undefined];
    const sign = match[1] === '-' ? -1 : 1;
    sum.add(kind, BigInt(sign) * BigInt(whole || '0'), sign * Number(`0.${fraction || '0'}`));
  }
  return true;
}

function isoDate(sum: Sum, text: string): boolean {
  const match = /^(-?\d+)(?:-(-?\d+)(?:-(-?\d+))?)?$/.exec(text);
  if (match === null) return false;
  const basic = match[2] === undefined ? /^(-?\d{4})(\d\d)(\d\d)$/.exec(text) : null;
  const [, year, month, day] = basic ?? match;
  sum.add('year', BigInt(year!), 0);
  sum.add('month', BigInt(month ?? 0), 0);
  sum.add('day', BigInt(day ?? 0), 0);
  return true;
}

function isoTime(sum: Sum, text: string): boolean {
  const match = /^(-?)(\d+)(?::(\d+)(?::(\d+)(\.\d*)?)?)?$/.exec(text);
  if (match === null) return false;
  const basic = match[3] === undefined ? /^(-?)(\d\d)(\d\d)(\d\d)(\.\d*)?$/.exec(text) : null;
  const [, sign, hour, minute, second, fraction] = basic ?? match;
  const factor = sign === '-' ? -1n : 1n;
  sum.add('hour', factor * BigInt(hour!), 0);
  sum.add('minute', factor * BigInt(minute ?? 0), 0);
  sum.add('second', factor * BigInt(second ?? 0), Number(factor) * Number(`0${fraction ?? ''}0`));
  return true;
}
