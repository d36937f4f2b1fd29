/** date_trunc, date_bin, extract, date_part, age. */

import { SqlError } from '../../base/sql-error.ts';
import {
  civilOf,
  DAY_US,
  dayOfWeek,
  daysInMonth,
  daysOf,
  isFiniteUs,
  isoWeek,
  splitDay,
} from '../../types/calendar.ts';
import {
  dateToTimestamp,
  timestampToTimestamptz,
  timestamptzToTimestamp,
} from '../../types/datetime.ts';
import { Decimal } from '../../types/decimal.ts';
import { Interval } from '../../types/interval.ts';
import { defineFunction } from '../registry.ts';
import { isInfiniteDay, joinTimestamp } from './calendar.ts';

const STABLE = { volatility: 'stable' } as const;

/** Spellings of units to their singular. */
const UNITS: ReadonlyMap<string, string> = new Map(
  (
    [
      ['microseconds', 'us usec usecs usecond useconds microsecond microseconds microsecon'],
      ['milliseconds', 'ms msec msecs msecond mseconds millisecond milliseconds millisecon'],
      ['second', 's sec secs second seconds'],
      ['minute', 'm min mins minute minutes'],
      ['hour', 'h hr hrs hour hours'],
      ['day', 'd day days'],
      ['week', 'w week weeks'],
      ['month', 'mon mons month months'],
      ['quarter', 'qtr quarter'],
      ['year', 'y yr yrs year years'],
      ['decade', 'dec decs decade decades'],
      ['century', 'c cent century centuries'],
      ['millennium', 'mil mils millennia millennium'],
      ['epoch', 'epoch'],
      ['dow', 'dow'],
      ['isodow', 'isodow'],
      ['doy', 'doy'],
      ['isoyear', 'isoyear'],
      ['julian', 'julian j jd'],
      ['timezone', 'timezone'],
      ['timezone_hour', 'timezone_h timezone_hour'],
      ['timezone_minute', 'timezone_m timezone_minute'],
    ] as const
  ).flatMap(([unit, names]) => names.split(' ').map((name) => [name, unit] as const)),
);

type TimeTypeName =
  | 'timestamp without time zone'
  | 'timestamp with time zone'
  | 'interval'
  | 'date'
  | 'time without time zone';

function unknownUnit(unit: string, type: TimeTypeName): SqlError {
  return new SqlError('22023', `unit "${unit}" not recognized for type ${type}`);
}

function unsupportedUnit(unit: string, type: TimeTypeName): SqlError {
  return new SqlError('0A000', `unit "${unit}" not supported for type ${type}`);
}

/** Fields that no time can be cut to: date_trunc does not know their names. */
const EXTRACT_ONLY = new Set(['epoch', 'dow', 'isodow', 'doy', 'isoyear', 'julian']);

const FIXED_US: Readonly<Record<string, bigint>> = {
  microseconds: 1n,
  milliseconds: 1000n,
  second: 1_000_000n,
  minute: 60_000_000n,
  hour: 3_600_000_000n,
  day: DAY_US,
};

function floorTo(value: bigint, step: bigint): bigint {
  return value - (((value % step) + step) % step);
}

function truncateTimestamp(unit: string, us: bigint, type: TimeTypeName): bigint {
  const name = UNITS.get(unit.toLowerCase());
  if (name === undefined || EXTRACT_ONLY.has(name)) throw unknownUnit(unit.toLowerCase(), type);
  const fixed = FIXED_US[name];
  if (!isFiniteUs(us)) return us;
  if (fixed !== undefined) return floorTo(us, fixed);
  const { days } = splitDay(us);
  return joinTimestamp(truncateDays(name, unit, days, type), 0n);
}

function truncateDays(name: string, unit: string, days: number, type: TimeTypeName): number {
  const { year, month } = civilOf(days);
  switch (name) {
    case 'week':
      return days - ((dayOfWeek(days) + 6) % 7);
    case 'month':
      return daysOf(year, month, 1);
    case 'quarter':
      return daysOf(year, month - ((month - 1) % 3), 1);
    case 'year':
      return daysOf(year, 1, 1);
    case 'decade':
      return daysOf(Math.floor(year / 10) * 10, 1, 1);
    case 'century':
      return daysOf(Math.floor((year - 1) / 100) * 100 + 1, 1, 1);
    case 'millennium':
      return daysOf(Math.floor((year - 1) / 1000) * 1000 + 1, 1, 1);
    default:
      throw unsupportedUnit(unit.toLowerCase(), type);
  }
}

const TS = 'timestamp without time zone';
const TSTZ = 'timestamp with time zone';

function truncateZoned(unit: string, us: bigint, zone: string): bigint {
  if (!isFiniteUs(us)) return truncateTimestamp(unit, us, TSTZ);
  const name = UNITS.get(unit.toLowerCase()) ?? '';
  const local = timestamptzToTimestamp(us, zone);
  const cut = truncateTimestamp(unit, local, TSTZ);
  // Within a day the offset of the instant stays; larger units take the zone's offset at their start.
  return name in FIXED_US && name !== 'day'
    ? us - (local - cut)
    : timestampToTimestamptz(cut, zone);
}

defineFunction('date_trunc(text,timestamp)', 'timestamp', (unit, t) =>
  truncateTimestamp(unit, t, TS),
);
defineFunction(
  'date_trunc(text,timestamptz)',
  'timestamptz',
  (unit, t, c) => truncateZoned(unit, t, c.settings.timeZone),
  STABLE,
);
defineFunction('date_trunc(text,timestamptz,text)', 'timestamptz', truncateZoned, STABLE);
defineFunction('date_trunc(text,interval)', 'interval', truncateInterval);

const MONTHS: Readonly<Record<string, number>> = {
  month: 1,
  quarter: 3,
  year: 12,
  decade: 120,
  century: 1200,
  millennium: 12000,
};

function truncateInterval(unit: string, i: Interval): Interval {
  const name = UNITS.get(unit.toLowerCase());
  if (name === undefined) throw unknownUnit(unit.toLowerCase(), 'interval');
  const months = MONTHS[name];
  if (months !== undefined) return new Interval(i.months - (i.months % months), 0, 0n);
  if (name === 'day') return new Interval(i.months, i.days, 0n);
  const step = FIXED_US[name];
  if (step === undefined) {
    throw name === 'week'
      ? new SqlError('0A000', 'unit "week" not supported for type interval', {
          detail: 'Months usually have fractional weeks.',
        })
      : unsupportedUnit(unit.toLowerCase(), 'interval');
  }
  return new Interval(i.months, i.days, i.microseconds - (i.microseconds % step));
}

function binTimes(stride: Interval, us: bigint, origin: bigint): bigint {
  if (!isFiniteUs(us)) return us;
  if (!isFiniteUs(origin)) throw new SqlError('22008', 'origin out of range');
  if (stride.months !== 0) {
    throw new SqlError(
      '0A000',
      'timestamps cannot be binned into intervals containing months or years',
    );
  }
  const step = stride.microseconds + BigInt(stride.days) * DAY_US;
  if (step <= 0n) throw new SqlError('22008', 'stride must be greater than zero');
  return origin + floorTo(us - origin, step);
}

defineFunction('date_bin(interval,timestamp,timestamp)', 'timestamp', binTimes);
defineFunction('date_bin(interval,timestamptz,timestamptz)', 'timestamptz', binTimes);

/** A number of µs as a decimal of `scale` digits. */
function micro(us: bigint, scale: 3 | 6): Decimal {
  return new Decimal(us, scale);
}

const TIME_FIELDS: Readonly<Record<string, (us: bigint) => Decimal>> = {
  microseconds: (us) => Decimal.of(us % 60_000_000n),
  milliseconds: (us) => micro(us % 60_000_000n, 3),
  second: (us) => micro(us % 60_000_000n, 6),
  minute: (us) => Decimal.of((us / 60_000_000n) % 60n),
  hour: (us) => Decimal.of(us / 3_600_000_000n),
};

/** Fields that grow with time: infinite for infinite times; the others are NULL. */
const MONOTONIC = new Set([
  'year',
  'decade',
  'century',
  'millennium',
  'epoch',
  'isoyear',
  'julian',
]);

function yearField(year: number): number {
  return year > 0 ? year : year - 1;
}

function centuries(year: number, size: number): number {
  return year > 0
    ? Math.floor((year + size - 1) / size)
    : -Math.floor((size - 1 - (year - 1)) / size);
}

function dateField(name: string, days: number): number | null {
  const { year, month, day } = civilOf(days);
  switch (name) {
    case 'day':
      return day;
    case 'month':
      return month;
    case 'quarter':
      return Math.floor((month - 1) / 3) + 1;
    case 'year':
      return yearField(year);
    case 'decade':
      return Math.floor(year / 10);
    case 'century':
      return centuries(year, 100);
    case 'millennium':
      return centuries(year, 1000);
    case 'week':
      return isoWeek(days).week;
    case 'isoyear':
      return yearField(isoWeek(days).year);
    case 'dow':
      return dayOfWeek(days);
    case 'isodow':
      return ((dayOfWeek(days) + 6) % 7) + 1;
    case 'doy':
      return days - daysOf(year, 1, 1) + 1;
    default:
      return null;
  }
}

function extractTimestamp(unit: string, us: bigint, type: TimeTypeName): Decimal | null {
  const name = UNITS.get(unit.toLowerCase());
  if (name === undefined) throw unknownUnit(unit.toLowerCase(), type);
  if (!isFiniteUs(us)) {
    if (!MONOTONIC.has(name)) return null;
    return us > 0n ? Decimal.INFINITY : Decimal.MINUS_INFINITY;
  }
  if (name === 'epoch') return micro(us, 6);
  const { days, time: timeUs } = splitDay(us);
  if (name === 'julian') return julian(days, timeUs);
  const timeField = TIME_FIELDS[name];
  if (timeField !== undefined) return timeField(timeUs);
  const field = dateField(name, days);
  if (field === null) throw unsupportedUnit(unit.toLowerCase(), type);
  return Decimal.of(field);
}

function julian(days: number, timeUs: bigint): Decimal {
  const day = Decimal.of(days + 2440588);
  return timeUs === 0n
    ? day.add(new Decimal(0n, 20))
    : day.add(Decimal.of(timeUs).divideAtScale(Decimal.of(DAY_US), 20));
}

function extractZoned(unit: string, us: bigint, zone: string): Decimal | null {
  const name = UNITS.get(unit.toLowerCase());
  if (name === 'epoch' || !isFiniteUs(us)) return extractTimestamp(unit, us, TSTZ);
  const local = timestamptzToTimestamp(us, zone);
  const offset = (local - us) / 1_000_000n;
  if (name === 'timezone') return Decimal.of(offset);
  if (name === 'timezone_hour') return Decimal.of(offset / 3600n);
  if (name === 'timezone_minute') return Decimal.of((offset / 60n) % 60n);
  return extractTimestamp(unit, local, TSTZ);
}

function extractTime(unit: string, us: bigint): Decimal {
  const name = UNITS.get(unit.toLowerCase());
  if (name === undefined) throw unknownUnit(unit.toLowerCase(), 'time without time zone');
  if (name === 'epoch') return micro(us, 6);
  const field = TIME_FIELDS[name];
  if (field === undefined) throw unsupportedUnit(unit.toLowerCase(), 'time without time zone');
  return field(us);
}

function extractInterval(unit: string, i: Interval): Decimal {
  const name = UNITS.get(unit.toLowerCase());
  if (name === undefined) throw unknownUnit(unit.toLowerCase(), 'interval');
  const field = TIME_FIELDS[name];
  if (field !== undefined) return field(i.microseconds);
  const years = Math.trunc(i.months / 12);
  switch (name) {
    case 'epoch': {
      const days =
        (BigInt(Math.trunc(i.months / 12)) * 1461n * DAY_US) / 4n +
        BigInt((i.months % 12) * 30 + i.days) * DAY_US;
      return micro(days + i.microseconds, 6);
    }
    case 'day':
      return Decimal.of(i.days);
    case 'month':
      return Decimal.of(i.months % 12);
    case 'quarter':
      return Decimal.of(Math.trunc((i.months % 12) / 3) + 1);
    case 'year':
      return Decimal.of(years);
    case 'decade':
      return Decimal.of(Math.trunc(years / 10));
    case 'century':
      return Decimal.of(Math.trunc(years / 100));
    case 'millennium':
      return Decimal.of(Math.trunc(years / 1000));
    default:
      throw unsupportedUnit(unit.toLowerCase(), 'interval');
  }
}

function extractDate(unit: string, days: number): Decimal | null {
  const name = UNITS.get(unit.toLowerCase());
  if (name === undefined) throw unknownUnit(unit.toLowerCase(), 'date');
  if (name in TIME_FIELDS || name.startsWith('timezone'))
    throw unsupportedUnit(unit.toLowerCase(), 'date');
  if (!isInfiniteDay(days)) {
    if (name === 'epoch') return Decimal.of(days * 86400);
    if (name === 'julian') return Decimal.of(days + 2440588);
  }
  return extractTimestamp(unit, dateToTimestamp(days), 'date');
}

defineFunction('extract(text,timestamp)', 'numeric', (unit, t) => extractTimestamp(unit, t, TS));
defineFunction(
  'extract(text,timestamptz)',
  'numeric',
  (unit, t, c) => extractZoned(unit, t, c.settings.timeZone),
  STABLE,
);
defineFunction('extract(text,date)', 'numeric', extractDate);
defineFunction('extract(text,time)', 'numeric', extractTime);
defineFunction('extract(text,interval)', 'numeric', extractInterval);

function asFloat(value: Decimal | null): number | null {
  return value === null ? null : value.toNumber();
}

defineFunction('date_part(text,timestamp)', 'float8', (unit, t) =>
  asFloat(extractTimestamp(unit, t, TS)),
);
defineFunction(
  'date_part(text,timestamptz)',
  'float8',
  (unit, t, c) => asFloat(extractZoned(unit, t, c.settings.timeZone)),
  STABLE,
);
defineFunction('date_part(text,date)', 'float8', (unit, d) =>
  asFloat(extractTimestamp(unit, dateToTimestamp(d), TS)),
);
defineFunction('date_part(text,time)', 'float8', (unit, t) => asFloat(extractTime(unit, t)));
defineFunction('date_part(text,interval)', 'float8', (unit, i) =>
  asFloat(extractInterval(unit, i)),
);

/** age(a, b): the difference in years, months, days and time by the calendar. */
function age(a: bigint, b: bigint): Interval {
  if (!isFiniteUs(a) || !isFiniteUs(b)) throw new SqlError('22008', 'timestamp out of range');
  if (a < b) {
    const { months, days, microseconds } = calendarDifference(b, a);
    return new Interval(-months, -days, -microseconds);
  }
  return calendarDifference(a, b);
}

/** `later` - `earlier`; borrowed days are those of the earlier one's month. */
function calendarDifference(later: bigint, earlier: bigint): Interval {
  const l = splitDay(later);
  const e = splitDay(earlier);
  const lc = civilOf(l.days);
  const ec = civilOf(e.days);
  let time = l.time - e.time;
  let days = lc.day - ec.day;
  let months = (lc.year - ec.year) * 12 + lc.month - ec.month;
  if (time < 0n) {
    time += DAY_US;
    days -= 1;
  }
  while (days < 0) {
    days += daysInMonth(ec.year, ec.month);
    months -= 1;
  }
  return new Interval(months, days, time);
}

defineFunction('age(timestamp,timestamp)', 'interval', age);
defineFunction(
  'age(timestamptz,timestamptz)',
  'interval',
  (a, b, c) =>
    age(
      timestamptzToTimestamp(a, c.settings.timeZone),
      timestamptzToTimestamp(b, c.settings.timeZone),
    ),
  STABLE,
);
defineFunction(
  'age(timestamp)',
  'interval',
  (t, c) => age(midnight(c.nowUs, c.settings.timeZone), t),
  STABLE,
);
defineFunction(
  'age(timestamptz)',
  'interval',
  (t, c) =>
    age(midnight(c.nowUs, c.settings.timeZone), timestamptzToTimestamp(t, c.settings.timeZone)),
  STABLE,
);

function midnight(nowUs: bigint, zone: string): bigint {
  return floorTo(timestamptzToTimestamp(nowUs, zone), DAY_US);
}
