/**
 * Timestamps over columns: +/- an interval without months (and, for timestamptz, without days), date_trunc and extract of
 * fixed units by a constant name, on 64-bit integers. Everything else goes through the per-value bodies.
 */

import { must } from '../../base/assert.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { viewsEqualWords } from '../../memory/views.ts';
import { DAY_US, INFINITY_US, TIMESTAMP_MIN_US } from '../../types/calendar.ts';
import { INTERVAL } from '../../types/data-type.ts';
import type { Interval } from '../../types/interval.ts';
import { adaptBody } from '../adapt.ts';
import type { EvalContext } from '../eval-context.ts';
import { defineVector, functionById, type VectorBody } from '../registry.ts';
import { bodyOf } from '../scalar-body.ts';
import { allocValues, commonValidity, isValid } from './columns.ts';
import { columnReader } from './values.ts';

/** The one value of a column whose rows are all equal (a constant); undefined: they differ, or some are NULL. */
function constantView(column: Column, n: number, ctx: EvalContext): number | undefined {
  if (column.validity !== 0 || n === 0) return undefined;
  const { u8, u32 } = ctx.memory;
  for (let i = 1; i < n; i += 1) {
    if (!viewsEqualWords(u32, u8, column.values, column.values + 16 * i)) return undefined;
  }
  return column.values;
}

/** Microseconds of an interval of fixed length, where it is one. */
function fixedShift(interval: Interval, dayIsFixed: boolean): bigint | undefined {
  if (interval.months !== 0 || (interval.days !== 0 && !dayIsFixed)) return undefined;
  return interval.microseconds + BigInt(interval.days) * DAY_US;
}

function shift(id: string, sign: bigint, dayIsFixed: boolean): VectorBody {
  let slow: VectorBody | undefined;
  return (args, n, ctx, call) => {
    slow ??= adaptBody(bodyOf(must(functionById(id))), true);
    const [time, amount] = args as [Column, Column];
    const at = constantView(amount, n, ctx);
    if (at === undefined) return slow(args, n, ctx, call);
    const interval = columnReader(ctx.memory, amount, INTERVAL)(0) as Interval;
    const us = fixedShift(interval, dayIsFixed);
    return us === undefined
      ? slow(args, n, ctx, call)
      : (shiftAll(time, sign * us, n, ctx) ?? slow(args, n, ctx, call));
  };
}

/** Every time moved by `us`; null where some row needs the careful way (infinite or out of range). */
function shiftAll(time: Column, us: bigint, n: number, ctx: EvalContext): Column | null {
  const values = allocValues(ctx, 'i64', n);
  const { i64 } = ctx.memory;
  const from = time.values / 8;
  const to = values / 8;
  let isClean = true;
  for (let i = 0; i < n; i += 1) {
    const value = i64[from + i]!;
    const moved = BigInt.asIntN(64, value + us);
    i64[to + i] = moved;
    if (
      value < TIMESTAMP_MIN_US ||
      value >= INFINITY_US ||
      moved < TIMESTAMP_MIN_US ||
      moved >= INFINITY_US
    ) {
      isClean &&= !isValid(ctx.memory, time.validity, i);
    }
  }
  return isClean ? { storage: 'i64', values, validity: time.validity } : null;
}

defineVector('+(timestamp,interval)', shift('+(timestamp,interval)', 1n, true));
defineVector('-(timestamp,interval)', shift('-(timestamp,interval)', -1n, true));
defineVector('+(timestamptz,interval)', shift('+(timestamptz,interval)', 1n, false));
defineVector('-(timestamptz,interval)', shift('-(timestamptz,interval)', -1n, false));

const UNIT_US: Readonly<Record<string, number>> = {
  microseconds: 1,
  milliseconds: 1e3,
  second: 1e6,
  minute: 60e6,
  hour: 3600e6,
  day: 86400e6,
};
const DAY = 86400e6;

/** date_trunc of a fixed unit: floor by halves as doubles (exact below 2^53 µs, the years 1684 to 2255). */
function truncate(id: string): VectorBody {
  let slow: VectorBody | undefined;
  return (args, n, ctx, call) => {
    slow ??= adaptBody(bodyOf(must(functionById(id))), true);
    const [unit, time] = args as [Column, Column];
    const at = constantView(unit, n, ctx);
    const name =
      at === undefined ? '' : (columnReader(ctx.memory, unit, call.argTypes[0]!)(0) as string);
    const step = UNIT_US[name];
    return step === undefined
      ? slow(args, n, ctx, call)
      : (truncateAll(time, step, n, ctx) ?? slow(args, n, ctx, call));
  };
}

const HALF = 4294967296;

function truncateAll(time: Column, step: number, n: number, ctx: EvalContext): Column | null {
  const values = allocValues(ctx, 'i64', n);
  const { i32, u32 } = ctx.memory;
  for (let i = 0; i < n; i += 1) {
    const from = (time.values >>> 2) + 2 * i;
    const us = i32[from + 1]! * HALF + u32[from]!;
    const to = (values >>> 2) + 2 * i;
    if (us > 9007199254740991 || us < -9007199254740991) {
      if (isValid(ctx.memory, time.validity, i)) return null;
      continue;
    }
    const cut = Math.floor(us / step) * step;
    // A quotient next to a whole number may round up to it.
    const floor = cut > us ? cut - step : cut;
    i32[to] = floor;
    i32[to + 1] = Math.floor(floor / HALF);
  }
  return { storage: 'i64', values, validity: time.validity };
}

defineVector('date_trunc(text,timestamp)', truncate('date_trunc(text,timestamp)'));

/** Fields of the time of day as whole numbers: hour and minute; written as inline numerics of scale 0. */
const WHOLE_FIELDS: Readonly<Record<string, readonly [number, number]>> = {
  hour: [3600e6, 24],
  minute: [60e6, 60],
};

function extract(id: string): VectorBody {
  let slow: VectorBody | undefined;
  return (args, n, ctx, call) => {
    slow ??= adaptBody(bodyOf(must(functionById(id))), true);
    const [unit, time] = args as [Column, Column];
    const at = constantView(unit, n, ctx);
    const name =
      at === undefined ? '' : (columnReader(ctx.memory, unit, call.argTypes[0]!)(0) as string);
    const field = WHOLE_FIELDS[name];
    return field === undefined
      ? slow(args, n, ctx, call)
      : (extractAll(time, field, n, ctx) ?? slow(args, n, ctx, call));
  };
}

function extractAll(
  time: Column,
  field: readonly [number, number],
  n: number,
  ctx: EvalContext,
): Column | null {
  const values = allocValues(ctx, 'view', n);
  const validity = commonValidity(ctx, [time], n);
  const { i32, u32 } = ctx.memory;
  const [unit, modulus] = field;
  for (let i = 0; i < n; i += 1) {
    const from = (time.values >>> 2) + 2 * i;
    const us = i32[from + 1]! * HALF + u32[from]!;
    const to = (values >>> 2) + 4 * i;
    u32.fill(0, to, to + 4);
    if (!isValid(ctx.memory, validity, i)) continue;
    if (us > 9007199254740991 || us < -9007199254740991) return null;
    const rest = us - Math.floor(us / DAY) * DAY;
    // A quotient next to a whole number may round up to it.
    const ofDay = rest < 0 ? rest + DAY : rest;
    u32[to] = 12;
    u32[to + 2] = Math.floor(ofDay / unit) % modulus;
  }
  return { storage: 'view', values, validity };
}

defineVector('extract(text,timestamp)', extract('extract(text,timestamp)'));
