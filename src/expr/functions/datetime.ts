/** Dates, times and intervals: arithmetic, make_*, to_char and its kin, AT TIME ZONE, time-bearing system functions. */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import {
  DAY_US,
  daysInMonth,
  daysOf,
  INFINITY_US,
  isFiniteUs,
  MINUS_INFINITY_US,
  splitDay,
} from '../../types/calendar.ts';
import type { Value } from '../../types/data-type.ts';
import {
  checkTimestamp,
  dateToTimestamp,
  timestampToTimestamptz,
  timestamptzToTimestamp,
} from '../../types/datetime.ts';
import { Interval, roundEven } from '../../types/interval.ts';
import { type CallContext, defineFunction, defineGeneral, defineOperator } from '../registry.ts';
import { addMonths, checkedDate, isInfiniteDay, joinTimestamp } from './calendar.ts';
import './date-parts.ts';

const STABLE = { volatility: 'stable' } as const;

/** Months first, then days, then the time. */
export function addInterval(us: bigint, interval: Interval, sign: 1 | -1): bigint {
  if (!isFiniteUs(us)) return us;
  const { days, time } = splitDay(us);
  const moved = interval.months === 0 ? days : addMonths(days, sign * interval.months);
  return checkTimestamp(
    joinTimestamp(moved + sign * interval.days, time) + BigInt(sign) * interval.microseconds,
  );
}

/** In the session's zone for months and days, in absolute time for the rest. */
function addIntervalZoned(us: bigint, interval: Interval, sign: 1 | -1, zone: string): bigint {
  if (!isFiniteUs(us)) return us;
  const time = BigInt(sign) * interval.microseconds;
  if (interval.months === 0 && interval.days === 0) return checkTimestamp(us + time);
  const local = timestamptzToTimestamp(us, zone);
  const moved = addInterval(local, new Interval(interval.months, interval.days, 0n), sign);
  return checkTimestamp(timestampToTimestamptz(moved, zone) + time);
}

defineOperator('+(timestamp,interval)', 'timestamp', (t, i) => addInterval(t, i, 1));
defineOperator('-(timestamp,interval)', 'timestamp', (t, i) => addInterval(t, i, -1));
defineOperator('+(interval,timestamp)', 'timestamp', (i, t) => addInterval(t, i, 1));
defineOperator(
  '+(timestamptz,interval)',
  'timestamptz',
  (t, i, c) => addIntervalZoned(t, i, 1, c.settings.timeZone),
  STABLE,
);
defineOperator(
  '-(timestamptz,interval)',
  'timestamptz',
  (t, i, c) => addIntervalZoned(t, i, -1, c.settings.timeZone),
  STABLE,
);
defineOperator(
  '+(interval,timestamptz)',
  'timestamptz',
  (i, t, c) => addIntervalZoned(t, i, 1, c.settings.timeZone),
  STABLE,
);
defineOperator('+(date,interval)', 'timestamp', (d, i) => addInterval(dateToTimestamp(d), i, 1));
defineOperator('-(date,interval)', 'timestamp', (d, i) => addInterval(dateToTimestamp(d), i, -1));
defineOperator('+(interval,date)', 'timestamp', (i, d) => addInterval(dateToTimestamp(d), i, 1));

function addDays(days: number, count: number): number {
  return isInfiniteDay(days) ? days : checkedDate(days + count);
}

defineOperator('+(date,int4)', 'date', addDays);
defineOperator('+(int4,date)', 'date', (n, d) => addDays(d, n));
defineOperator('-(date,int4)', 'date', (d, n) => addDays(d, -n));
defineOperator('-(date,date)', 'int4', (a, b) => {
  if (isInfiniteDay(a) || isInfiniteDay(b)) {
    throw new SqlError('22008', 'cannot subtract infinite dates');
  }
  return a - b;
});

/** A span as days and time of one sign each. */
function span(us: bigint): Interval {
  const days = us / DAY_US;
  return new Interval(0, Number(days), us - days * DAY_US);
}

function subtractTimes(a: bigint, b: bigint): Interval {
  if (!isFiniteUs(a) || !isFiniteUs(b))
    throw new SqlError('22008', 'cannot subtract infinite timestamps');
  return span(a - b);
}

defineOperator('-(timestamp,timestamp)', 'interval', subtractTimes);
defineOperator('-(timestamptz,timestamptz)', 'interval', subtractTimes);
defineOperator('-(time,time)', 'interval', (a, b) => new Interval(0, 0, a - b), { canFail: false });
defineOperator('+(date,time)', 'timestamp', (d, t) => checkTimestamp(dateToTimestamp(d) + t));
defineOperator('+(time,date)', 'timestamp', (t, d) => checkTimestamp(dateToTimestamp(d) + t));
const wrapDay = (us: bigint): bigint => ((us % DAY_US) + DAY_US) % DAY_US;
defineOperator('+(time,interval)', 'time', (t, i) => wrapDay(t + i.microseconds), {
  canFail: false,
});
defineOperator('+(interval,time)', 'time', (i, t) => wrapDay(t + i.microseconds), {
  canFail: false,
});
defineOperator('-(time,interval)', 'time', (t, i) => wrapDay(t - i.microseconds), {
  canFail: false,
});

defineOperator('+(interval,interval)', 'interval', (a, b) => a.add(b));
defineOperator('-(interval,interval)', 'interval', (a, b) => a.subtract(b));
defineOperator('-(interval)', 'interval', (a) => a.negate());
defineOperator('*(interval,float8)', 'interval', (i, x) => i.multiply(x));
defineOperator('*(float8,interval)', 'interval', (x, i) => i.multiply(x));
defineOperator('/(interval,float8)', 'interval', (i, x) => i.divide(x));

defineFunction('make_date(int4,int4,int4)', 'date', (year, month, day) => {
  if (
    year === 0 ||
    month < 1 ||
    month > 12 ||
    day < 1 ||
    day > daysInMonth(year < 0 ? year + 1 : year, month)
  ) {
    throw fieldOutOfRange(`date field value out of range: ${year}-${pad2(month)}-${pad2(day)}`);
  }
  return checkedDate(daysOf(year < 0 ? year + 1 : year, month, day));
});

function fieldOutOfRange(message: string): SqlError {
  return new SqlError('22008', message);
}

function pad2(n: number): string {
  return String(n).padStart(2, '0');
}

function timeOfParts(hour: number, minute: number, second: number): bigint {
  const isInRange =
    hour >= 0 &&
    minute >= 0 &&
    minute <= 59 &&
    second >= 0 &&
    second <= 60 &&
    (hour < 24 || (hour === 24 && minute === 0 && second === 0));
  if (!isInRange) {
    throw fieldOutOfRange(
      `time field value out of range: ${hour}:${pad2(minute)}:${String(second).padStart(2, '0')}`,
    );
  }
  return BigInt(hour * 60 + minute) * 60_000_000n + BigInt(Math.round(second * 1e6));
}

function timestampOfParts([year, month, day, hour, minute, second]: readonly number[]): bigint {
  const y = must(year);
  const astronomical = y < 0 ? y + 1 : y;
  if (
    y === 0 ||
    month! < 1 ||
    month! > 12 ||
    day! < 1 ||
    day! > daysInMonth(astronomical, month!)
  ) {
    throw fieldOutOfRange(`date field value out of range: ${y}-${pad2(month!)}-${pad2(day!)}`);
  }
  return checkTimestamp(
    joinTimestamp(daysOf(astronomical, month!, day!), timeOfParts(hour!, minute!, second!)),
  );
}

defineFunction('make_time(int4,int4,float8)', 'time', (hour, minute, second) =>
  timeOfParts(hour, minute, second),
);

defineFunction(
  'make_timestamp(int4,int4,int4,int4,int4,float8)',
  'timestamp',
  (y, mo, d, h, mi, s) => timestampOfParts([y, mo, d, h, mi, s]),
);
defineFunction(
  'make_timestamptz(int4,int4,int4,int4,int4,float8)',
  'timestamptz',
  (y, mo, d, h, mi, s, c) =>
    timestampToTimestamptz(timestampOfParts([y, mo, d, h, mi, s]), c.settings.timeZone),
  STABLE,
);
defineFunction(
  'make_timestamptz(int4,int4,int4,int4,int4,float8,text)',
  'timestamptz',
  (y, mo, d, h, mi, s, zone) =>
    timestampToTimestamptz(timestampOfParts([y, mo, d, h, mi, s]), zone),
  STABLE,
);

/** make_interval(years, months, weeks, days, hours, mins, secs): what is left out is 0. */
function intervalOfParts(args: readonly Value[]): Interval {
  const [years = 0, months = 0, weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] =
    args as number[];
  const us =
    (BigInt(hours) * 3600n + BigInt(minutes) * 60n) * 1_000_000n + BigInt(roundEven(seconds * 1e6));
  return Interval.checked(years * 12 + months, weeks * 7 + days, us);
}

const INTERVAL_ARGS = ['int4', 'int4', 'int4', 'int4', 'int4', 'int4', 'float8'];
for (let count = 0; count <= INTERVAL_ARGS.length; count += 1) {
  defineGeneral(
    `make_interval(${INTERVAL_ARGS.slice(0, count).join(',')})`,
    'interval',
    intervalOfParts,
  );
}

defineFunction('to_timestamp(float8)', 'timestamptz', (seconds) => {
  if (Number.isNaN(seconds)) throw new SqlError('22008', 'timestamp cannot be NaN');
  if (!Number.isFinite(seconds)) return seconds > 0 ? INFINITY_US : MINUS_INFINITY_US;
  const whole = Math.floor(seconds);
  if (Math.abs(whole) > 1e14) throw new SqlError('22008', `timestamp out of range: "${seconds}"`);
  return checkTimestamp(BigInt(whole) * 1_000_000n + BigInt(roundEven((seconds - whole) * 1e6)));
});

defineFunction('timezone(text,timestamp)', 'timestamptz', (zone, t) =>
  timestampToTimestamptz(t, zone),
);
defineFunction('timezone(text,timestamptz)', 'timestamp', (zone, t) =>
  timestamptzToTimestamp(t, zone),
);
defineFunction('timezone(interval,timestamp)', 'timestamptz', (zone, t) =>
  shiftByZone(t, zone, -1),
);
defineFunction('timezone(interval,timestamptz)', 'timestamp', (zone, t) => shiftByZone(t, zone, 1));

function shiftByZone(us: bigint, zone: Interval, sign: 1 | -1): bigint {
  if (zone.months !== 0 || zone.days !== 0) {
    throw new SqlError('22023', 'interval time zone must not include months or days');
  }
  return !isFiniteUs(us) ? us : checkTimestamp(us + BigInt(sign) * zone.microseconds);
}

defineFunction('justify_hours(interval)', 'interval', (i) => i.justifyHours());
defineFunction('justify_days(interval)', 'interval', (i) => i.justifyDays());
defineFunction('justify_interval(interval)', 'interval', (i) => i.justify());

const isFiniteTime = ([v]: readonly Value[]): Value => isFiniteUs(v as bigint);
defineGeneral('isfinite(timestamp)', 'bool', isFiniteTime, { canFail: false });
defineGeneral('isfinite(timestamptz)', 'bool', isFiniteTime, { canFail: false });
defineGeneral('isfinite(date)', 'bool', ([d]) => !isInfiniteDay(d as number), { canFail: false });
defineGeneral('isfinite(interval)', 'bool', () => true, { canFail: false });

function nowOf(_: readonly Value[], call: CallContext): Value {
  return call.nowUs;
}

for (const name of ['now', 'transaction_timestamp', 'statement_timestamp', 'proctime']) {
  defineGeneral(`${name}()`, 'timestamptz', nowOf, { volatility: 'stable', canFail: false });
}
defineGeneral('clock_timestamp()', 'timestamptz', (_, call) => must(call.clock).wallUs(), {
  volatility: 'volatile',
  canFail: false,
});
