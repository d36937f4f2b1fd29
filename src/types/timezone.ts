/**
 * Time zones: offsets of named zones out of Intl, kept as transitions by year; abbreviations; POSIX forms (`+03`, `UTC-5`).
 *
 * Offsets are seconds east of UTC. Cost: offset lookup O(log transitions of the year) after the first of a (zone, year), which
 * asks Intl some 30 times. Years from 2400 on are looked up 400-year cycles earlier, where the calendar is the same.
 */

import { SqlError } from '../base/sql-error.ts';
import { civilOf, daysOf, SECOND_US, splitDay } from './calendar.ts';

export interface TimeZone {
  readonly name: string;
  /** Seconds east of UTC at an instant. */
  offsetAt(us: bigint): number;
  /** Instant of a local time: in a gap as before it, in an overlap the later one (as PostgreSQL). */
  toUtc(localUs: bigint): bigint;
  toLocal(us: bigint): bigint;
  /** Abbreviation in force, as far as it is known; else `+hh`. */
  abbreviationAt(us: bigint): string;
}

class FixedZone implements TimeZone {
  readonly name: string;
  readonly #offset: number;
  readonly #abbreviation: string;

  constructor(name: string, offset: number, abbreviation = formatOffset(offset)) {
    this.name = name;
    this.#offset = offset;
    this.#abbreviation = abbreviation;
  }

  offsetAt(): number {
    return this.#offset;
  }
  toUtc(localUs: bigint): bigint {
    return localUs - BigInt(this.#offset) * SECOND_US;
  }
  toLocal(us: bigint): bigint {
    return us + BigInt(this.#offset) * SECOND_US;
  }
  abbreviationAt(): string {
    return this.#abbreviation;
  }
}

interface YearOffsets {
  /** Seconds of the transitions, growing; offsets[i] holds before transitions[i], the last one after all. */
  readonly transitions: readonly number[];
  readonly offsets: readonly number[];
}

const STEP_SECONDS = 12 * 86400;
const YEAR_CYCLE_SECONDS = 146097 * 86400;

class NamedZone implements TimeZone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #short: Intl.DateTimeFormat;
  readonly #years = new Map<number, YearOffsets>();

  constructor(name: string) {
    this.name = name;
    this.#format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
    this.#short = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'short' });
  }

  offsetAt(us: bigint): number {
    return this.#offsetAtSecond(
      cycled(Number((us - (((us % SECOND_US) + SECOND_US) % SECOND_US)) / SECOND_US)),
    );
  }

  toLocal(us: bigint): bigint {
    return us + BigInt(this.offsetAt(us)) * SECOND_US;
  }

  toUtc(localUs: bigint): bigint {
    const day = 86_400n * SECOND_US;
    const before = this.offsetAt(localUs - day);
    const after = this.offsetAt(localUs + day);
    const late = localUs - BigInt(after) * SECOND_US;
    if (before === after) return late;
    // In an overlap both hold and the later one is meant; in a gap none holds and the old offset is meant.
    if (this.offsetAt(late) === after) return late;
    return localUs - BigInt(before) * SECOND_US;
  }

  abbreviationAt(us: bigint): string {
    const offset = this.offsetAt(us);
    const second = cycled(Number(us / SECOND_US));
    const part = this.#short
      .formatToParts(new Date(second * 1000))
      .find((p) => p.type === 'timeZoneName');
    const name = part?.value ?? '';
    if (offset % 60 !== 0) return 'LMT';
    const { year } = civilOf(Math.floor(second / 86400));
    const winter = this.#offsetAtSecond(daysOf(year, 1, 1) * 86400);
    const isSummer = offset > winter;
    const own = ABBREVIATIONS.get(this.name) ?? this.#european(winter);
    if (own !== undefined) return isSummer ? (own[1] ?? formatOffset(offset)) : own[0];
    return /^[A-Z]{3,5}$/.test(name) ? name : formatOffset(offset);
  }

  #european(winter: number): readonly [string, string?] | undefined {
    if (!this.name.startsWith('Europe/')) return undefined;
    return EUROPEAN.get(winter);
  }

  #offsetAtSecond(second: number): number {
    const year = civilOf(Math.floor(second / 86400)).year;
    let known = this.#years.get(year);
    if (known === undefined) {
      known = this.#scan(year);
      this.#years.set(year, known);
    }
    let i = 0;
    while (i < known.transitions.length && second >= known.transitions[i]!) i += 1;
    return known.offsets[i]!;
  }

  #scan(year: number): YearOffsets {
    const end = daysOf(year + 1, 1, 1) * 86400;
    let from = daysOf(year, 1, 1) * 86400;
    let offset = this.#ask(from);
    const transitions: number[] = [];
    const offsets = [offset];
    while (from < end) {
      const to = Math.min(from + STEP_SECONDS, end);
      const next = this.#ask(to);
      if (next !== offset) {
        transitions.push(this.#firstWith(from, to, offset));
        offsets.push(next);
        offset = next;
      }
      from = to;
    }
    return { transitions, offsets };
  }

  /** First second in (from, to] whose offset is not `offset`. */
  #firstWith(from: number, to: number, offset: number): number {
    let low = from;
    let high = to;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#ask(middle) === offset) low = middle;
      else high = middle;
    }
    return high;
  }

  #ask(second: number): number {
    const parts = this.#format.formatToParts(new Date(second * 1000));
    const text = parts.find((part) => part.type === 'timeZoneName')?.value ?? 'GMT';
    const match = /^GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text);
    if (match === null || match[1] === undefined) return 0;
    const size = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
    return match[1] === '-' ? -size : size;
  }
}

const CYCLE_START = daysOf(2400, 1, 1) * 86400;

/** The same second of a 400-year cycle before 2400. */
function cycled(second: number): number {
  if (second < CYCLE_START) return Math.max(second, -8_640_000_000_000 + 86400 * 400);
  return second - Math.ceil((second - CYCLE_START + 1) / YEAR_CYCLE_SECONDS) * YEAR_CYCLE_SECONDS;
}

/** Standard and summer abbreviation by winter offset. */
const EUROPEAN: ReadonlyMap<number, readonly [string, string?]> = new Map([
  [0, ['WET', 'WEST']],
  [3600, ['CET', 'CEST']],
  [7200, ['EET', 'EEST']],
] as [number, [string, string]][]);

/** Where Intl's English short name is not the tz database's. Southern summers are the winters of the north: standard time comes second. */
const ABBREVIATIONS: ReadonlyMap<string, readonly [string, string?]> = new Map<
  string,
  [string, string?]
>([
  ['Europe/London', ['GMT', 'BST']],
  ['Europe/Dublin', ['GMT', 'IST']],
  ['Europe/Moscow', ['MSK']],
  ['Asia/Kolkata', ['IST']],
  ['Asia/Calcutta', ['IST']],
  ['Asia/Tokyo', ['JST']],
  ['Asia/Seoul', ['KST']],
  ['Asia/Shanghai', ['CST']],
  ['Asia/Hong_Kong', ['HKT']],
  ['Asia/Jakarta', ['WIB']],
  ['Asia/Karachi', ['PKT']],
  ['Asia/Manila', ['PST']],
  ['Asia/Jerusalem', ['IST', 'IDT']],
  ['America/St_Johns', ['NST', 'NDT']],
  ['America/Halifax', ['AST', 'ADT']],
  ['Africa/Johannesburg', ['SAST']],
  ['Africa/Nairobi', ['EAT']],
  ['Africa/Lagos', ['WAT']],
  ['Africa/Cairo', ['EET', 'EEST']],
  ['Australia/Perth', ['AWST']],
  ['Australia/Brisbane', ['AEST']],
  ['Australia/Darwin', ['ACST']],
]);

export const UTC_ZONE: TimeZone = new FixedZone('UTC', 0, 'UTC');

/** Hours east of UTC of the common abbreviations (PostgreSQL's Default set). */
const ABBREVIATION_HOURS: Readonly<Record<string, number>> = {
  utc: 0,
  gmt: 0,
  z: 0,
  zulu: 0,
  ut: 0,
  uct: 0,
  wet: 0,
  wetdst: 1,
  west: 1,
  bst: 1,
  bdst: 2,
  cet: 1,
  cest: 2,
  cetdst: 2,
  met: 1,
  mest: 2,
  metdst: 2,
  mez: 1,
  mesz: 2,
  eet: 2,
  eest: 3,
  eetdst: 3,
  msk: 3,
  msd: 4,
  sast: 2,
  ist: 2,
  idt: 3,
  pkt: 5,
  npt: 5.75,
  hkt: 8,
  sgt: 8,
  pht: 8,
  cct: 8,
  jst: 9,
  kst: 9,
  kdt: 10,
  awst: 8,
  awsst: 9,
  acst: 9.5,
  acdt: 10.5,
  cast: 9.5,
  aest: 10,
  aedt: 11,
  aesst: 11,
  sadt: 10.5,
  nzst: 12,
  nzdt: 13,
  nzt: 12,
  nst: -3.5,
  ndt: -2.5,
  nft: -3.5,
  ast: -4,
  adt: -3,
  awt: -3,
  apt: -3,
  est: -5,
  edt: -4,
  cst: -6,
  cdt: -5,
  mst: -7,
  mdt: -6,
  pst: -8,
  pdt: -7,
  akst: -9,
  akdt: -8,
  hst: -10,
  brt: -3,
  brst: -2,
  art: -3,
  clt: -4,
  clst: -3,
  pyt: -4,
  uyt: -3,
  fnt: -2,
  gst: 10,
  chst: 10,
};

/** Seconds east of UTC of an abbreviation; undefined: none such. */
export function abbreviationOffset(name: string): number | undefined {
  const key = name.toLowerCase();
  const hours = Object.hasOwn(ABBREVIATION_HOURS, key) ? ABBREVIATION_HOURS[key] : undefined;
  return hours === undefined ? undefined : hours * 3600;
}

const POSIX = /^(?:<[^>]+>|[A-Za-z]{3,})?([+-]?)(\d{1,3})(?::(\d{2}))?(?::(\d{2}))?$/;
const zones = new Map<string, TimeZone>();
const ZONES_MAX = 2000;

/** The zone called `name`; undefined where there is none. Names are compared without case; POSIX signs are west-positive. */
export function findTimeZone(name: string): TimeZone | undefined {
  const cached = zones.get(name);
  if (cached !== undefined) return cached;
  const zone = makeZone(name);
  if (zone !== undefined && zones.size < ZONES_MAX) zones.set(name, zone);
  return zone;
}

/** As findTimeZone; 22023. */
export function timeZone(name: string): TimeZone {
  const zone = findTimeZone(name);
  if (zone === undefined) throw new SqlError('22023', `time zone "${name}" not recognized`);
  return zone;
}

function makeZone(name: string): TimeZone | undefined {
  const upper = name.toUpperCase();
  if (upper === 'UTC' || upper === 'GMT' || upper === 'ETC/UTC' || upper === 'Z') {
    return new FixedZone(name, 0, upper === 'GMT' ? 'GMT' : 'UTC');
  }
  const posix = POSIX.exec(name);
  if (posix !== null && (posix[1] !== '' || posix[2]!.length < 4)) {
    const size = Number(posix[2]) * 3600 + Number(posix[3] ?? 0) * 60 + Number(posix[4] ?? 0);
    if (size > 167 * 3600) return undefined;
    return new FixedZone(name, posix[1] === '-' ? size : -size);
  }
  if (/^[A-Za-z][A-Za-z0-9_+\-/]*$/.test(name)) {
    try {
      return new NamedZone(name);
    } catch {
      // Not a name that Intl knows: maybe an abbreviation.
    }
  }
  const offset = abbreviationOffset(name);
  return offset === undefined ? undefined : new FixedZone(name, offset, upper);
}

/** `+hh`, `+hh:mm`, `+hh:mm:ss` as EncodeTimezone. */
export function formatOffset(offset: number): string {
  const size = Math.abs(offset);
  const hours = Math.floor(size / 3600);
  const minutes = Math.floor(size / 60) % 60;
  const seconds = size % 60;
  let text = (offset < 0 ? '-' : '+') + String(hours).padStart(2, '0');
  if (minutes !== 0 || seconds !== 0) text += `:${String(minutes).padStart(2, '0')}`;
  return seconds === 0 ? text : `${text}:${String(seconds).padStart(2, '0')}`;
}

/** Local civil day of an instant: for callers that need only the date. */
export function localDays(us: bigint, zone: TimeZone): number {
  return splitDay(zone.toLocal(us)).days;
}
