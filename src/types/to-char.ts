/** to_char of timestamps and intervals (formatting.c, DCH_to_char; C locale names). Numbers: number-picture.ts. */

import { SqlError } from '../base/sql-error.ts';
import {
  civilOf,
  dayOfWeek,
  daysOf,
  isFiniteUs,
  isoWeek,
  JULIAN_OF_EPOCH,
  splitDay,
} from './calendar.ts';
import { two } from './datetime-format.ts';
import { type PictureNode, parsePicture } from './format-picture.ts';
import type { Interval } from './interval.ts';
import { formatOffset, timeZone } from './timezone.ts';

export const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
export const WEEKDAYS = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
];
export const ROMAN_MONTHS = [
  'I',
  'II',
  'III',
  'IV',
  'V',
  'VI',
  'VII',
  'VIII',
  'IX',
  'X',
  'XI',
  'XII',
];

interface Moment {
  readonly isInterval: boolean;
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly dayOfYear: number;
  /** Days since 1970-01-01; 0 in an interval. */
  readonly days: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly micros: number;
  /** Abbreviation and seconds east; null without a zone. */
  readonly zone: { readonly name: string; readonly offset: number } | null;
}

/** to_char(timestamp, text); NULL for the infinities. */
export function timestampToChar(us: bigint, format: string): string | null {
  return isFiniteUs(us) ? render(momentOf(us, null), format) : null;
}

/** to_char(timestamptz, text) in `zoneName`. */
export function timestamptzToChar(us: bigint, format: string, zoneName: string): string | null {
  if (!isFiniteUs(us)) return null;
  const zone = timeZone(zoneName);
  const offset = zone.offsetAt(us);
  return render(momentOf(zone.toLocal(us), { name: zone.abbreviationAt(us), offset }), format);
}

/** to_char(interval, text). */
export function intervalToChar(interval: Interval, format: string): string {
  const year = Math.trunc(interval.months / 12);
  const month = interval.months - year * 12;
  const micros = Number(interval.microseconds % 60_000_000n);
  const minutes = Number(interval.microseconds / 60_000_000n);
  return render(
    {
      isInterval: true,
      year,
      month,
      day: interval.days,
      dayOfYear: (year * 12 + month) * 30 + interval.days,
      days: 0,
      hour: Math.trunc(minutes / 60),
      minute: minutes % 60,
      second: Math.trunc(micros / 1_000_000),
      micros: micros % 1_000_000,
      zone: null,
    },
    format,
  );
}

function momentOf(us: bigint, zone: Moment['zone']): Moment {
  const { days, time } = splitDay(us);
  const { year, month, day } = civilOf(days);
  const micros = Number(time);
  const seconds = Math.floor(micros / 1_000_000);
  return {
    isInterval: false,
    year,
    month,
    day,
    dayOfYear: days - daysOf(year, 1, 1) + 1,
    days,
    hour: Math.floor(seconds / 3600),
    minute: Math.floor(seconds / 60) % 60,
    second: seconds % 60,
    micros: micros % 1_000_000,
    zone,
  };
}

function render(moment: Moment, format: string): string {
  let out = '';
  for (const node of parsePicture(format)) {
    if (node.keyword === null) {
      out += node.text;
      continue;
    }
    const text = field(node, node.keyword, moment);
    out += node.ordinal === '' ? text : text + ordinalSuffix(text, node.ordinal);
  }
  return out;
}

/** st, nd, rd, th. */
export function ordinalSuffix(number: string, form: string): string {
  const last = number.at(-1) ?? '0';
  const isTeen = number.length > 1 && number.at(-2) === '1';
  const suffix = isTeen
    ? 'th'
    : last === '1'
      ? 'st'
      : last === '2'
        ? 'nd'
        : last === '3'
          ? 'rd'
          : 'th';
  return form === 'TH' ? suffix.toUpperCase() : suffix;
}

/** `%0*d`: the sign counts as a digit. */
function padded(value: number, width: number, isFill: boolean): string {
  if (isFill) return String(value);
  const text = String(Math.abs(value));
  return value < 0 ? `-${text.padStart(width, '0')}` : text.padStart(width, '0');
}

/** `%0*d` where the width counts the sign. */
function printed(value: number, width: number, isFill: boolean): string {
  return padded(value, value < 0 ? width - 1 : width, isFill);
}

function cased(name: string, written: string): string {
  if (written === written.toUpperCase()) return name.toUpperCase();
  return written === written.toLowerCase() ? name.toLowerCase() : name;
}

function named(name: string, node: PictureNode, width: number): string {
  const text = cased(name, node.text);
  return node.isFill || node.isTranslated ? text : text.padEnd(width);
}

function field(node: PictureNode, keyword: string, t: Moment): string {
  switch (keyword) {
    case 'A.M.':
    case 'P.M.':
      return cased(t.hour % 24 >= 12 ? 'P.M.' : 'A.M.', node.text);
    case 'AM':
    case 'PM':
      return cased(t.hour % 24 >= 12 ? 'PM' : 'AM', node.text);
    case 'HH':
    case 'HH12':
      return padded(t.hour % 12 === 0 ? 12 : t.hour % 12, 2, node.isFill);
    case 'HH24':
      return padded(t.hour, 2, node.isFill);
    case 'MI':
      return padded(t.minute, 2, node.isFill);
    case 'SS':
      return padded(t.second, 2, node.isFill);
    case 'FF1':
    case 'FF2':
    case 'FF3':
    case 'FF4':
    case 'FF5':
    case 'FF6': {
      const digits = Number(keyword[2]);
      return fraction(t.micros, digits);
    }
    case 'MS':
      return fraction(t.micros, 3);
    case 'US':
      return fraction(t.micros, 6);
    case 'SSSS':
    case 'SSSSS':
      return String(t.hour * 3600 + t.minute * 60 + t.second);
    default:
      return dateField(node, keyword, t);
  }
}

function fraction(micros: number, digits: number): string {
  const value = Math.trunc(micros / 10 ** (6 - digits));
  return padded(value, digits, false);
}

function dateOnly(t: Moment): void {
  if (!t.isInterval) return;
  throw new SqlError('22007', 'invalid format specification for an interval value', {
    hint: 'Intervals are not tied to specific calendar dates.',
  });
}

function dateField(node: PictureNode, keyword: string, t: Moment): string {
  const { isFill } = node;
  switch (keyword) {
    case 'MM':
      return padded(t.month, 2, isFill);
    case 'DD':
      return printed(t.day, 2, isFill);
    case 'DDD':
      return printed(t.dayOfYear, 3, isFill);
    case 'MONTH':
    case 'MON': {
      dateOnly(t);
      const name = MONTHS[t.month - 1]!;
      return keyword === 'MON' ? cased(name.slice(0, 3), node.text) : named(name, node, 9);
    }
    case 'DAY':
    case 'DY': {
      dateOnly(t);
      const name = WEEKDAYS[dayOfWeek(t.days)]!;
      return keyword === 'DY' ? cased(name.slice(0, 3), node.text) : named(name, node, 9);
    }
    case 'D':
      dateOnly(t);
      return String(dayOfWeek(t.days) + 1);
    case 'ID':
      dateOnly(t);
      return String(dayOfWeek(t.days) || 7);
    case 'W':
      return String(Math.trunc((t.day - 1) / 7) + 1);
    case 'WW':
      return printed(Math.trunc((t.dayOfYear - 1) / 7) + 1, 2, isFill);
    case 'Q':
      return t.month === 0 ? '' : String(Math.trunc((t.month - 1) / 3) + 1);
    case 'RM': {
      if (t.month === 0 && t.year === 0) return '';
      // Negative months count back from December.
      const negative = t.month === 0 ? (t.year >= 0 ? 11 : 0) : 12 + t.month;
      const name = ROMAN_MONTHS[t.month > 0 ? t.month - 1 : negative]!;
      return cased(isFill ? name : name.padEnd(4), node.text);
    }
    case 'J':
      return String(t.days + JULIAN_OF_EPOCH);
    case 'IW':
    case 'IDDD':
    case 'IYYY':
    case 'IYY':
    case 'IY':
    case 'I':
      dateOnly(t);
      return isoField(keyword, isFill, t);
    case 'B.C.':
    case 'A.D.':
      dateOnly(t);
      return cased(t.year <= 0 ? 'B.C.' : 'A.D.', node.text);
    case 'BC':
    case 'AD':
      dateOnly(t);
      return cased(t.year <= 0 ? 'BC' : 'AD', node.text);
    case 'CC':
      return century(t, isFill);
    default:
      return yearOrZone(node, keyword, t);
  }
}

function isoField(keyword: string, isFill: boolean, t: Moment): string {
  const { year, week } = isoWeek(t.days);
  switch (keyword) {
    case 'IW':
      return padded(week, 2, isFill);
    case 'IDDD':
      return padded((week - 1) * 7 + (dayOfWeek(t.days) || 7), 3, isFill);
    default:
      return yearDigits(year > 0 ? year : 1 - year, keyword.length, isFill);
  }
}

function yearDigits(year: number, digits: number, isFill: boolean): string {
  return padded(digits >= 4 ? year : year % 10 ** digits, digits, isFill);
}

function century(t: Moment, isFill: boolean): string {
  let value: number;
  if (t.isInterval) value = Math.trunc(t.year / 100);
  else if (t.year > 0) value = Math.trunc((t.year - 1) / 100) + 1;
  else value = Math.trunc(t.year / 100) - 1;
  return Math.abs(value) <= 99 ? padded(value, 2, isFill) : String(value);
}

function yearOrZone(node: PictureNode, keyword: string, t: Moment): string {
  const shown = t.isInterval || t.year > 0 ? t.year : 1 - t.year;
  switch (keyword) {
    case 'YYYY':
    case 'YYY':
    case 'YY':
    case 'Y':
      return yearDigits(shown, keyword.length, node.isFill);
    case 'Y,YYY': {
      const thousands = Math.trunc(shown / 1000);
      return `${thousands},${String(Math.abs(shown - thousands * 1000)).padStart(3, '0')}`;
    }
    case 'TZ':
      dateOnly(t);
      return t.zone === null ? '' : cased(t.zone.name, node.text);
    case 'TZH':
      dateOnly(t);
      return formatOffset(t.zone?.offset ?? 0).slice(0, 3);
    case 'TZM':
      dateOnly(t);
      return two(Math.floor(Math.abs(t.zone?.offset ?? 0) / 60) % 60);
    case 'OF': {
      dateOnly(t);
      const offset = t.zone?.offset ?? 0;
      const text = formatOffset(offset).slice(0, 6);
      return node.isFill ? text.replace(/^([+-])0/, '$1') : text;
    }
    default:
      // FX has no meaning in output.
      return '';
  }
}
