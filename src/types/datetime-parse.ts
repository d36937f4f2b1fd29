/**
 * Reading date, time, timestamp and timestamptz as PostgreSQL does: every order of fields, month names, AM/PM, BC, Julian days,
 * zones by offset, abbreviation or name, infinities, epoch, and (where the settings carry `nowUs`) now and today.
 */

import { notSupported, SqlError } from '../base/sql-error.ts';
import {
  DAY_US,
  DAYS_END,
  DAYS_MIN,
  INFINITY_DAYS,
  INFINITY_US,
  MINUS_INFINITY_DAYS,
  MINUS_INFINITY_US,
  SECOND_US,
  splitDay,
  TIMESTAMP_END_US,
  TIMESTAMP_MIN_US,
} from './calendar.ts';
import {
  DATE_MASK,
  type DateOrder,
  type Decoded,
  Decoder,
  FieldError,
  fail,
  isDay,
  orderOf,
  TIME_MASK,
  validDays,
} from './datetime-decode.ts';
import { badFormat, type Field, tokenize } from './datetime-tokens.ts';
import type { ValueSettings } from './settings.ts';
import { timeZone } from './timezone.ts';

function now(settings: ValueSettings, word: string): bigint {
  if (settings.nowUs !== undefined) return settings.nowUs;
  throw notSupported(`date/time input "${word}" here`);
}

const DAY_SHIFT: Readonly<Record<string, number>> = { today: 0, tomorrow: 1, yesterday: -1 };

interface Instant {
  readonly special: 'infinity' | '-infinity' | 'epoch' | 'now' | null;
  readonly days: number;
  readonly time: bigint;
  readonly decoded: Decoded;
}

function decodeInstant(typeName: string, text: string, settings: ValueSettings): Instant {
  const fields = tokenize(text);
  if (fields === null || fields.length === 0) throw badFormat(typeName, text);
  try {
    const d = new Decoder(fields, orderOf(settings)).decode();
    const reserved = d.reserved;
    if (reserved !== null && !isDay(reserved)) {
      if (fields.length > 1 && (d.mask & (DATE_MASK | TIME_MASK)) !== 0 && reserved !== 'now') {
        throw new FieldError('format');
      }
      return { special: reserved as 'epoch', days: 0, time: 0n, decoded: d };
    }
    if ((d.mask & DATE_MASK) !== DATE_MASK) throw new FieldError('format');
    if (d.meridiem !== null && (d.mask & TIME_MASK) === 0) throw new FieldError('format');
    if (reserved !== null) {
      const today = splitDay(timeZone(settings.timeZone).toLocal(now(settings, reserved))).days;
      return { special: null, days: today + DAY_SHIFT[reserved]!, time: d.time, decoded: d };
    }
    return { special: null, days: validDays(d), time: d.time, decoded: d };
  } catch (error) {
    return fail(error, typeName, text);
  }
}

/** Days since 1970-01-01. */
export function parseDate(text: string, settings: ValueSettings): number {
  const { special, days } = decodeInstant('date', text, settings);
  switch (special) {
    case 'infinity':
      return INFINITY_DAYS;
    case '-infinity':
      return MINUS_INFINITY_DAYS;
    case 'epoch':
      return 0;
    case 'now':
      return splitDay(timeZone(settings.timeZone).toLocal(now(settings, 'now'))).days;
    default:
  }
  if (days < DAYS_MIN || days >= DAYS_END) {
    throw new SqlError('22008', `date out of range: "${text}"`);
  }
  return days;
}

function specialUs(special: string, settings: ValueSettings): bigint {
  if (special === 'infinity') return INFINITY_US;
  if (special === '-infinity') return MINUS_INFINITY_US;
  return special === 'epoch' ? 0n : now(settings, 'now');
}

function checkTimestamp(us: bigint, text: string): bigint {
  if (us < TIMESTAMP_MIN_US || us >= TIMESTAMP_END_US) {
    throw new SqlError('22008', `timestamp out of range: "${text}"`);
  }
  return us;
}

/** µs of the local time; a zone in the text is read and left out, as in PostgreSQL. */
export function parseTimestamp(text: string, settings: ValueSettings): bigint {
  const { special, days, time } = decodeInstant('timestamp', text, settings);
  if (special === 'now') return timeZone(settings.timeZone).toLocal(now(settings, 'now'));
  if (special !== null) return specialUs(special, settings);
  return checkTimestamp(BigInt(days) * DAY_US + time, text);
}

/** µs since 1970-01-01 UTC. */
export function parseTimestamptz(text: string, settings: ValueSettings): bigint {
  const { special, days, time, decoded } = decodeInstant(
    'timestamp with time zone',
    text,
    settings,
  );
  if (special !== null) return specialUs(special, settings);
  const local = BigInt(days) * DAY_US + time;
  if (decoded.offset !== null)
    return checkTimestamp(local - BigInt(decoded.offset) * SECOND_US, text);
  checkTimestamp(local, text);
  return checkTimestamp((decoded.zone ?? timeZone(settings.timeZone)).toUtc(local), text);
}

/** µs since midnight, up to 24:00:00. */
export function parseTime(text: string, settings: ValueSettings): bigint {
  const fields = tokenize(text);
  if (fields === null || fields.length === 0) throw badFormat('time', text);
  try {
    const decoder = new TimeDecoder(fields, orderOf(settings));
    const d = decoder.decode();
    if (d.reserved === 'now') {
      return splitDay(timeZone(settings.timeZone).toLocal(now(settings, 'now'))).time;
    }
    if (d.reserved !== null || (d.mask & TIME_MASK) === 0) throw new FieldError('format');
    if ((d.mask & DATE_MASK) !== 0) validDays(d);
    return d.time;
  } catch (error) {
    return fail(error, 'time', text);
  }
}

/** DecodeTimeOnly: a lone number is a time. */
class TimeDecoder extends Decoder {
  constructor(fields: readonly Field[], order: DateOrder) {
    const digits = fields.length === 1 || !fields.some((field) => field.kind === 'date');
    super(
      digits
        ? fields.map((field) =>
            field.kind === 'number' && /^(\d{4}|\d{6}(\.\d*)?)$/.test(field.text)
              ? { kind: 'time', text: withColons(field.text) }
              : field,
          )
        : fields,
      order,
    );
  }
}

function withColons(text: string): string {
  const seconds = text.length > 4 ? `:${text.slice(4)}` : '';
  return `${text.slice(0, 2)}:${text.slice(2, 4)}${seconds}`;
}

/** time(p), timestamp(p): rounds µs to p digits, half away from zero. */
export function roundMicroseconds(us: bigint, precision: number): bigint {
  if (precision < 0 || precision >= 6 || us === INFINITY_US || us === MINUS_INFINITY_US) return us;
  const unit = 10n ** BigInt(6 - precision);
  const half = unit / 2n;
  return us >= 0n ? ((us + half) / unit) * unit : -(((-us + half) / unit) * unit);
}
