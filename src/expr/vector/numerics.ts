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
const POWERS: readonly bigint[] = Array.from({ length: 19 }, (_, i) => 10n ** BigInt(i));

/** The 64-bit unscaled value of an inline numeric at u32 word `at` (of the view). */
function unscaledOf(u32: Uint32Array, at: number): bigint {
  return BigInt.asIntN(64, (BigInt(u32[at + 3]!) << 32n) | BigInt(u32[at + 2]!));
}

/** Inline and finite: 12 bytes long, kind 0. */
function isPlain(u32: Uint32Array, at: number): boolean {
  return u32[at] === INLINE_LENGTH && u32[at + 1]! >>> 16 === 0;
}

function writePlain(u32: Uint32Array, at: number, scale: number, unscaled: bigint): void {
  u32[at] = INLINE_LENGTH;
  u32[at + 1] = scale;
  u32[at + 2] = Number(BigInt.asUintN(32, unscaled));
  u32[at + 3] = Number(BigInt.asUintN(32, unscaled >> 32n));
}

/** Exact in 64 bits? Then written; else the row is left to the per-value body. */
type PlainOperation = (
  a: bigint,
  aScale: number,
  b: bigint,
  bScale: number,
  out: PlainResult,
) => boolean;

/** Where an operation leaves its result: one object for the whole loop. */
interface PlainResult {
  unscaled: bigint;
  scale: number;
}

function fits(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value;
}

function addScaled(
  a: bigint,
  aScale: number,
  b: bigint,
  bScale: number,
  sign: bigint,
  out: PlainResult,
): boolean {
  const gap = aScale - bScale;
  if (gap > 18 || gap < -18) return false;
  const left = gap < 0 ? a * POWERS[-gap]! : a;
  const right = gap > 0 ? b * POWERS[gap]! : b;
  out.unscaled = left + sign * right;
  out.scale = gap < 0 ? bScale : aScale;
  return fits(out.unscaled);
}

const add: PlainOperation = (a, aScale, b, bScale, out) => addScaled(a, aScale, b, bScale, 1n, out);
const subtract: PlainOperation = (a, aScale, b, bScale, out) =>
  addScaled(a, aScale, b, bScale, -1n, out);
const multiply: PlainOperation = (a, aScale, b, bScale, out) => {
  out.unscaled = a * b;
  out.scale = aScale + bScale;
  return out.scale <= SCALE_MAX && fits(out.unscaled);
};

function arithmetic(id: string, operation: PlainOperation): VectorBody {
  return ([a, b], n, ctx, call) => {
    const values = allocValues(ctx, 'view', n);
    const validity = commonValidity(ctx, [a!, b!], n);
    const { u32 } = ctx.memory;
    const out: PlainResult = { unscaled: 0n, scale: 0 };
    const slow: number[] = [];
    for (let i = 0; i < n; i += 1) {
      const x = (a!.values >>> 2) + 4 * i;
      const y = (b!.values >>> 2) + 4 * i;
      const to = (values >>> 2) + 4 * i;
      if (!isValid(ctx.memory, validity, i)) {
        u32.fill(0, to, to + 4);
      } else if (
        isPlain(u32, x) &&
        isPlain(u32, y) &&
        operation(unscaledOf(u32, x), u32[x + 1]!, unscaledOf(u32, y), u32[y + 1]!, out)
      ) {
        writePlain(u32, to, out.scale, out.unscaled);
      } else {
        slow.push(i);
      }
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

defineVector('+(numeric,numeric)', arithmetic('+(numeric,numeric)', add));
defineVector('-(numeric,numeric)', arithmetic('-(numeric,numeric)', subtract));
defineVector('*(numeric,numeric)', arithmetic('*(numeric,numeric)', multiply));

function comparison(id: string, test: (order: bigint) => boolean): VectorBody {
  return ([a, b], n, ctx, call) => {
    const values = allocValues(ctx, 'u8', n);
    const validity = commonValidity(ctx, [a!, b!], n);
    const { u8, u32 } = ctx.memory;
    const body = bodyOf(must(functionById(id)));
    for (let i = 0; i < n; i += 1) {
      if (!isValid(ctx.memory, validity, i)) continue;
      const x = (a!.values >>> 2) + 4 * i;
      const y = (b!.values >>> 2) + 4 * i;
      const gap = u32[x + 1]! - u32[y + 1]!;
      if (isPlain(u32, x) && isPlain(u32, y) && gap <= 18 && gap >= -18) {
        const left = unscaledOf(u32, x) * (gap < 0 ? POWERS[-gap]! : 1n);
        const right = unscaledOf(u32, y) * (gap > 0 ? POWERS[gap]! : 1n);
        u8[values + i] = test(left - right) ? 1 : 0;
      } else {
        const args = [a!, b!].map((arg, k) => columnReader(ctx.memory, arg, call.argTypes[k]!)(i));
        u8[values + i] = body(args, call) === true ? 1 : 0;
      }
    }
    return { storage: 'u8', values, validity };
  };
}

const COMPARISONS: readonly (readonly [string, (order: bigint) => boolean])[] = [
  ['=', (order) => order === 0n],
  ['<>', (order) => order !== 0n],
  ['<', (order) => order < 0n],
  ['<=', (order) => order <= 0n],
  ['>', (order) => order > 0n],
  ['>=', (order) => order >= 0n],
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
