/** Texts read by a template of to_timestamp and to_date (formatting.c's DCH_from_char): the fields as they were written. */

import { SqlError } from '../base/sql-error.ts';
import { type PictureNode, parsePicture } from './format-picture.ts';
import { abbreviationOffset } from './timezone.ts';
import { MONTHS, ROMAN_MONTHS, WEEKDAYS } from './to-char.ts';

export interface Parsed {
  year?: number;
  yearDigits?: number;
  month?: number;
  day?: number;
  dayOfYear?: number;
  julian?: number;
  hour?: number;
  isTwelve?: boolean;
  isPm?: boolean;
  minute?: number;
  second?: number;
  secondOfDay?: number;
  ms?: number;
  us?: number;
  isBc?: boolean;
  century?: number;
  week?: number;
  weekOfMonth?: number;
  weekday?: number;
  isoYear?: number;
  isoWeek?: number;
  isoDay?: number;
  isoDayOfYear?: number;
  offset?: number;
  offsetHours?: number;
  offsetMinutes?: number;
  offsetSign?: number;
}

export function badDate(message: string, detail?: string, hint?: string): SqlError {
  return new SqlError('22007', message, { detail, hint });
}

/** Digits that a field takes when another number follows it at once. */
const WIDTHS: Readonly<Record<string, number>> = {
  HH: 2,
  HH12: 2,
  HH24: 2,
  MI: 2,
  SS: 2,
  MS: 3,
  US: 6,
  SSSS: 5,
  SSSSS: 5,
  MM: 2,
  DD: 2,
  DDD: 3,
  IDDD: 3,
  D: 1,
  ID: 1,
  W: 1,
  WW: 2,
  IW: 2,
  CC: 2,
  Q: 1,
  J: 7,
  YYYY: 4,
  YYY: 3,
  YY: 2,
  Y: 1,
  IYYY: 4,
  IYY: 3,
  IY: 2,
  I: 1,
  FF1: 1,
  FF2: 2,
  FF3: 3,
  FF4: 4,
  FF5: 5,
  FF6: 6,
  TZH: 2,
  TZM: 2,
};

const NUMERIC = new Set(Object.keys(WIDTHS));

export class Reader {
  readonly #text: string;
  readonly #nodes: readonly PictureNode[];
  readonly #isExact: boolean;
  readonly p: Parsed = {};
  #at = 0;

  constructor(text: string, format: string) {
    this.#text = text;
    this.#nodes = parsePicture(format);
    this.#isExact = this.#nodes[0]?.keyword === 'FX';
  }

  read(): Parsed {
    for (let i = 0; i < this.#nodes.length && this.#at < this.#text.length; i += 1) {
      const node = this.#nodes[i]!;
      if (node.keyword === 'FX') continue;
      if (node.keyword === null) this.#literal(node);
      else {
        if (!this.#isExact && i === 0) this.#skipBlanks();
        this.#field(node, node.keyword, this.#isFixed(i));
        if (node.ordinal !== '') this.#at += 2;
      }
    }
    return this.p;
  }

  #skipBlanks(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  /** A separator of the picture matches any separator; blanks are free (not under FX). */
  #literal(node: PictureNode): void {
    const isSeparator = !node.isQuoted && /^[^A-Za-z0-9]$/.test(node.text);
    if (this.#isExact || !isSeparator) {
      this.#at += [...node.text].length;
      if (!this.#isExact && !isSeparator) this.#skipBlanks();
      return;
    }
    this.#skipBlanks();
    if (node.text !== ' ' && /[^A-Za-z0-9\s]/.test(this.#text[this.#at] ?? '')) {
      // A minus in front of digits may be the sign of the next field: a separator eats it all the same.
      this.#at += 1;
    } else if (node.text === ' ' && /[^A-Za-z0-9\s+-]/.test(this.#text[this.#at] ?? '')) {
      this.#at += 1;
    }
    this.#skipBlanks();
  }

  /** Does a number field follow without a separator? Then this one takes its width only. */
  #isFixed(index: number): boolean {
    const next = this.#nodes[index + 1];
    if (this.#isExact && !this.#nodes[index]!.isFill) return true;
    return next !== undefined && next.keyword !== null && NUMERIC.has(next.keyword);
  }

  #number(keyword: string, isFixed: boolean): number {
    this.#skipBlanks();
    const width = WIDTHS[keyword]!;
    const rest = this.#text.slice(this.#at, isFixed ? this.#at + width : this.#text.length);
    const match = /^[+-]?\d+/.exec(rest);
    if (match === null) {
      const shown = this.#text.slice(this.#at, this.#at + width);
      throw badDate(
        `invalid value "${shown}" for "${keyword}"`,
        isFixed && rest.length < width ? undefined : 'Value must be an integer.',
      );
    }
    this.#at += match[0].length;
    const value = Number(match[0]);
    if (!Number.isSafeInteger(value) || Math.abs(value) > 0x7fffffff) {
      throw new SqlError('22008', `value for "${keyword}" in source string is out of range`, {
        detail: 'Value must be in the range -2147483648 to 2147483647.',
      });
    }
    return value;
  }

  #set<K extends keyof Parsed>(key: K, value: Parsed[K], keyword: string): void {
    const old = this.p[key];
    if (old !== undefined && old !== value) {
      throw badDate(
        `conflicting values for "${keyword}" field in formatting string`,
        'This value contradicts a previous setting for the same field type.',
      );
    }
    this.p[key] = value;
  }

  /** Index of the longest name that the text begins with, without case. */
  #name(names: readonly string[], keyword: string): number {
    const rest = this.#text.slice(this.#at).toLowerCase();
    let best = -1;
    names.forEach((name, i) => {
      if (rest.startsWith(name.toLowerCase()) && (best === -1 || name.length > names[best]!.length))
        best = i;
    });
    if (best === -1) {
      const shown = /^\S*/.exec(this.#text.slice(this.#at))![0];
      throw badDate(
        `invalid value "${shown}" for "${keyword}"`,
        'The given value did not match any of the allowed values for this field.',
      );
    }
    this.#at += names[best]!.length;
    return best;
  }

  #field(node: PictureNode, keyword: string, isFixed: boolean): void {
    switch (keyword) {
      case 'AM':
      case 'PM':
        this.#set('isPm', this.#name(['am', 'pm'], node.text) === 1, node.text);
        return;
      case 'A.M.':
      case 'P.M.':
        this.#set('isPm', this.#name(['a.m.', 'p.m.'], node.text) === 1, node.text);
        return;
      case 'AD':
      case 'BC':
        this.#set('isBc', this.#name(['ad', 'bc'], node.text) === 1, node.text);
        return;
      case 'A.D.':
      case 'B.C.':
        this.#set('isBc', this.#name(['a.d.', 'b.c.'], node.text) === 1, node.text);
        return;
      case 'MONTH':
        this.#set('month', this.#name(MONTHS, node.text) + 1, node.text);
        return;
      case 'MON':
        this.#set(
          'month',
          this.#name(
            MONTHS.map((name) => name.slice(0, 3)),
            node.text,
          ) + 1,
          node.text,
        );
        return;
      case 'RM':
        this.#set('month', this.#name(ROMAN_MONTHS, node.text) + 1, node.text);
        return;
      case 'DAY':
        this.#set('weekday', this.#name(WEEKDAYS, node.text), node.text);
        return;
      case 'DY':
        this.#set(
          'weekday',
          this.#name(
            WEEKDAYS.map((name) => name.slice(0, 3)),
            node.text,
          ),
          node.text,
        );
        return;
      case 'TZ':
      case 'OF':
        this.#zone(keyword);
        return;
      case 'TZH': {
        const sign = this.#text[this.#at];
        if (sign === '-' || sign === '+') this.#at += 1;
        this.p.offsetSign = sign === '-' ? -1 : 1;
        this.#set('offsetHours', this.#number(keyword, isFixed), keyword);
        return;
      }
      case 'Y,YYY': {
        const match = /^(\d+),(\d{3})/.exec(this.#text.slice(this.#at));
        if (match === null) throw badDate('invalid input string for "Y,YYY"');
        this.#at += match[0].length;
        this.#set('year', Number(match[1]) * 1000 + Number(match[2]), keyword);
        this.p.yearDigits = 4;
        return;
      }
      default:
        this.#numberField(keyword, isFixed);
    }
  }

  #zone(keyword: string): void {
    const match = /^([+-]\d{1,2}(?::?\d{2})?|[A-Za-z]+)/.exec(this.#text.slice(this.#at));
    if (keyword === 'OF' || match === null || /^[+-]/.test(match[0])) {
      throw new SqlError('0A000', `formatting field "${keyword}" is only supported in to_char`);
    }
    const offset = abbreviationOffset(match[0]);
    if (offset === undefined)
      throw badDate(
        `invalid value "${match[0]}" for "TZ"`,
        'Time zone abbreviation is not recognized.',
      );
    this.#at += match[0].length;
    this.#set('offset', offset, keyword);
  }

  #fraction(digits: number, keyword: string, isFixed: boolean): number {
    const start = this.#at;
    const value = this.#number(keyword, isFixed);
    const size = this.#text.slice(start, this.#at).trim().length;
    return Math.round(value * 10 ** (digits - size));
  }

  #numberField(keyword: string, isFixed: boolean): void {
    switch (keyword) {
      case 'HH':
      case 'HH12':
        this.p.isTwelve = true;
        this.#set('hour', this.#number(keyword, isFixed), keyword);
        return;
      case 'MS':
        this.#set('ms', this.#fraction(3, keyword, isFixed), keyword);
        return;
      case 'US':
      case 'FF1':
      case 'FF2':
      case 'FF3':
      case 'FF4':
      case 'FF5':
      case 'FF6':
        this.#set('us', this.#fraction(6, keyword, isFixed), keyword);
        return;
      case 'D':
        this.#set('weekday', (this.#number(keyword, isFixed) + 6) % 7, keyword);
        return;
      case 'Q':
        // Has no effect, as in PostgreSQL.
        this.#number(keyword, isFixed);
        return;
      case 'YYYY':
      case 'YYY':
      case 'YY':
      case 'Y':
        this.#year('year', keyword, isFixed);
        return;
      case 'IYYY':
      case 'IYY':
      case 'IY':
      case 'I':
        this.#year('isoYear', keyword, isFixed);
        return;
      default: {
        const key = PLAIN_FIELDS[keyword];
        if (key !== undefined) this.#set(key, this.#number(keyword, isFixed), keyword);
      }
    }
  }

  /** Fewer than four digits of the picture: the year nearest to 2020. */
  #year(key: 'year' | 'isoYear', keyword: string, isFixed: boolean): void {
    const start = this.#at;
    const value = this.#number(keyword, isFixed);
    const size = this.#text.slice(start, this.#at).trim().length;
    const digits = keyword.startsWith('I') ? keyword.length : keyword.length;
    this.#set(key, digits < 4 && size < 4 ? nearestYear(value) : value, keyword);
    this.p.yearDigits = digits;
  }
}

const PLAIN_FIELDS: Readonly<
  Record<
    string,
    keyof Parsed &
      (
        | 'hour'
        | 'minute'
        | 'second'
        | 'secondOfDay'
        | 'month'
        | 'day'
        | 'dayOfYear'
        | 'isoDayOfYear'
        | 'isoDay'
        | 'week'
        | 'weekOfMonth'
        | 'isoWeek'
        | 'century'
        | 'julian'
        | 'offsetMinutes'
      )
  >
> = {
  HH24: 'hour',
  MI: 'minute',
  SS: 'second',
  SSSS: 'secondOfDay',
  SSSSS: 'secondOfDay',
  MM: 'month',
  DD: 'day',
  DDD: 'dayOfYear',
  IDDD: 'isoDayOfYear',
  ID: 'isoDay',
  WW: 'week',
  W: 'weekOfMonth',
  IW: 'isoWeek',
  CC: 'century',
  J: 'julian',
  TZM: 'offsetMinutes',
};

/** adjust_partial_year_to_2020. */
function nearestYear(year: number): number {
  if (year < 70) return year + 2000;
  if (year < 100) return year + 1900;
  if (year < 520) return year + 2000;
  return year < 1000 ? year + 1000 : year;
}
