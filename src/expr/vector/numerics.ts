/**
 * numeric over columns where every value is finite and fits the inline form (12 bytes: scale u16, kind u8, 0, unscaled
 * i64): +, -, *, comparison and casts from integers, without a Decimal. Other rows go through the per-value body.
 */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { Column } from '../../batch/delta-batch.ts';
import type { EvalContext } from '../eval-context.ts';
import { type CallContext, defineVector, functionById, type VectorBody } from '../registry.ts';
import { bodyOf } from '../scalar-body.ts';
import { allocValues, commonValidity, isValid, withNulls } from './columns.ts';
import { columnReader, writeValue } from './values.ts';

const INLINE_LENGTH = 12;
const SCALE_MAX = 1000;
const HALF = 4294967296;
const EXACT_MAX = Number.MAX_SAFE_INTEGER;
const GAP_MAX = 15;
const POWERS: readonly number[] = Array.from({ length: GAP_MAX + 1 }, (_, i) => 10 ** i);

/** Inline and finite: 12 bytes long, kind 0. */
function isPlain(u32: Uint32Array, at: number): boolean {
  return u32[at] === INLINE_LENGTH && u32[at + 1]! >>> 16 === 0;
}

/** The unscaled 64-bit integer of an inline numeric at word `at`: exact up to 2^53, else only near it. */
function unscaledOf(i32: Int32Array, u32: Uint32Array, at: number): number {
  return i32[at + 3]! * HALF + u32[at + 2]!;
}

function writePlain(u32: Uint32Array, at: number, scale: number, unscaled: number): void {
  u32[at] = INLINE_LENGTH;
  u32[at + 1] = scale;
  u32[at + 2] = unscaled;
  u32[at + 3] = Math.floor(unscaled / HALF);
}

function isExact(value: number): boolean {
  return value <= EXACT_MAX && value >= -EXACT_MAX;
}

/** `value` at a scale `gap` digits longer; NaN where that is not exact in a double. */
function rescaled(value: number, gap: number): number {
  if (!isExact(value)) return Number.NaN;
  if (gap <= 0) return value;
  if (gap > GAP_MAX) return value === 0 ? 0 : Number.NaN;
  const wide = value * POWERS[gap]!;
  return isExact(wide) ? wide : Number.NaN;
}

/** The unscaled result at the result's scale; not exact (or NaN): the row is left to the per-value body. */
type PlainOperation = (a: number, aScale: number, b: number, bScale: number) => number;
type ResultScale = (aScale: number, bScale: number) => number;

const add: PlainOperation = (a, aScale, b, bScale) =>
  rescaled(a, bScale - aScale) + rescaled(b, aScale - bScale);
const subtract: PlainOperation = (a, aScale, b, bScale) =>
  rescaled(a, bScale - aScale) - rescaled(b, aScale - bScale);
const multiply: PlainOperation = (a, aScale, b, bScale) =>
  isExact(a) && isExact(b) && aScale + bScale <= SCALE_MAX ? a * b : Number.NaN;

function arithmetic(id: string, operation: PlainOperation, scaleOf: ResultScale): VectorBody {
  return ([a, b], n, ctx, call) => {
    const values = allocValues(ctx, 'view', n);
    const validity = commonValidity(ctx, [a!, b!], n);
    const { i32, u32 } = ctx.memory;
    const slow: number[] = [];
    for (let i = 0; i < n; i += 1) {
      const x = (a!.values >>> 2) + 4 * i;
      const y = (b!.values >>> 2) + 4 * i;
      const to = (values >>> 2) + 4 * i;
      if (!isValid(ctx.memory, validity, i)) {
        u32.fill(0, to, to + 4);
        continue;
      }
      let result = Number.NaN;
      if (isPlain(u32, x) && isPlain(u32, y)) {
        result = operation(
          unscaledOf(i32, u32, x),
          u32[x + 1]!,
          unscaledOf(i32, u32, y),
          u32[y + 1]!,
        );
      }
      if (isExact(result)) writePlain(u32, to, scaleOf(u32[x + 1]!, u32[y + 1]!), result);
      else slow.push(i);
    }
    const column: Column = { storage: 'view', values, validity };
    return slow.length === 0 ? column : finishSlowly(id, [a!, b!], slow, column, n, ctx, call);
  };
}

/** The rows that the fast loop left, by the per-value body. */
function finishSlowly(
  id: string,
  args: readonly Column[],
  rows: readonly number[],
  column: Column,
  n: number,
  ctx: EvalContext,
  call: CallContext,
): Column {
  const body = bodyOf(must(functionById(id)));
  const failed: number[] = [];
  for (const row of rows) {
    try {
      const values = args.map((arg, i) => columnReader(ctx.memory, arg, call.argTypes[i]!)(row));
      const value = must(body(values, call), 'numeric arithmetic gives no NULL');
      writeValue(ctx, call.type, column.values, row, value);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      const at = (column.values >>> 2) + 4 * row;
      ctx.memory.u32.fill(0, at, at + 4);
      failed.push(row);
      ctx.onError(row, error);
    }
  }
  return withNulls(ctx, column, n, failed);
}

const larger: ResultScale = (a, b) => Math.max(a, b);
defineVector('+(numeric,numeric)', arithmetic('+(numeric,numeric)', add, larger));
defineVector('-(numeric,numeric)', arithmetic('-(numeric,numeric)', subtract, larger));
defineVector(
  '*(numeric,numeric)',
  arithmetic('*(numeric,numeric)', multiply, (a, b) => a + b),
);

/** Sign of a - b; NaN where doubles do not tell. */
function plainOrder(i32: Int32Array, u32: Uint32Array, x: number, y: number): number {
  if (!isPlain(u32, x) || !isPlain(u32, y)) return Number.NaN;
  const gap = u32[x + 1]! - u32[y + 1]!;
  return rescaled(unscaledOf(i32, u32, x), -gap) - rescaled(unscaledOf(i32, u32, y), gap);
}

function comparison(id: string, test: (order: number) => boolean): VectorBody {
  return ([a, b], n, ctx, call) => {
    const values = allocValues(ctx, 'u8', n);
    const validity = commonValidity(ctx, [a!, b!], n);
    const { u8, i32, u32 } = ctx.memory;
    const body = bodyOf(must(functionById(id)));
    for (let i = 0; i < n; i += 1) {
      if (!isValid(ctx.memory, validity, i)) continue;
      const order = plainOrder(i32, u32, (a!.values >>> 2) + 4 * i, (b!.values >>> 2) + 4 * i);
      if (Number.isNaN(order)) {
        const args = [a!, b!].map((arg, k) => columnReader(ctx.memory, arg, call.argTypes[k]!)(i));
        u8[values + i] = body(args, call) === true ? 1 : 0;
      } else {
        u8[values + i] = test(order) ? 1 : 0;
      }
    }
    return { storage: 'u8', values, validity };
  };
}

const COMPARISONS: readonly (readonly [string, (order: number) => boolean])[] = [
  ['=', (order) => order === 0],
  ['<>', (order) => order !== 0],
  ['<', (order) => order < 0],
  ['<=', (order) => order <= 0],
  ['>', (order) => order > 0],
  ['>=', (order) => order >= 0],
];

for (const [name, test] of COMPARISONS) {
  const id = `${name}(numeric,numeric)`;
  defineVector(id, comparison(id, test));
}

/** int8 to numeric: scale 0, the same 64 bits. */
defineVector('cast(int8,numeric)', ([a], n, ctx) => {
  const values = allocValues(ctx, 'view', n);
  const { u32 } = ctx.memory;
  for (let i = 0; i < n; i += 1) {
    const from = (a!.values >>> 2) + 2 * i;
    const to = (values >>> 2) + 4 * i;
    u32[to] = INLINE_LENGTH;
    u32[to + 1] = 0;
    u32[to + 2] = u32[from]!;
    u32[to + 3] = u32[from + 1]!;
  }
  return { storage: 'view', values, validity: a!.validity };
});

const int4ToNumeric: VectorBody = ([a], n, ctx) => {
  const values = allocValues(ctx, 'view', n);
  const { u32, i32 } = ctx.memory;
  for (let i = 0; i < n; i += 1) {
    const value = i32[(a!.values >>> 2) + i]!;
    const to = (values >>> 2) + 4 * i;
    u32[to] = INLINE_LENGTH;
    u32[to + 1] = 0;
    i32[to + 2] = value;
    i32[to + 3] = value >> 31;
  }
  return { storage: 'view', values, validity: a!.validity };
};

defineVector('cast(int4,numeric)', int4ToNumeric);
defineVector('cast(int2,numeric)', int4ToNumeric);
