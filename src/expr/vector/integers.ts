/**
 * Integers, dates and timestamps over columns: comparison and arithmetic, one loop for each storage and operator, since a
 * loop shared by several array types runs an order of magnitude slower. int8 sums are exact: 64-bit wrap, then a sign test.
 */

import { SqlError } from '../../base/sql-error.ts';
import type { Column } from '../../batch/delta-batch.ts';
import type { EvalContext } from '../eval-context.ts';
import { defineVector, type VectorBody } from '../registry.ts';
import { allocValues, commonValidity, isValid, withNulls } from './columns.ts';

type CompareI32 = (
  a: Int32Array,
  x: number,
  y: number,
  out: Uint8Array,
  to: number,
  n: number,
) => void;
type CompareI64 = (
  a: BigInt64Array,
  x: number,
  y: number,
  out: Uint8Array,
  to: number,
  n: number,
) => void;

function eqI32(a: Int32Array, x: number, y: number, out: Uint8Array, to: number, n: number): void {
  for (let i = 0; i < n; i += 1) out[to + i] = a[x + i]! === a[y + i]! ? 1 : 0;
}

function neI32(a: Int32Array, x: number, y: number, out: Uint8Array, to: number, n: number): void {
  for (let i = 0; i < n; i += 1) out[to + i] = a[x + i]! !== a[y + i]! ? 1 : 0;
}

function ltI32(a: Int32Array, x: number, y: number, out: Uint8Array, to: number, n: number): void {
  for (let i = 0; i < n; i += 1) out[to + i] = a[x + i]! < a[y + i]! ? 1 : 0;
}

function leI32(a: Int32Array, x: number, y: number, out: Uint8Array, to: number, n: number): void {
  for (let i = 0; i < n; i += 1) out[to + i] = a[x + i]! <= a[y + i]! ? 1 : 0;
}

function gtI32(a: Int32Array, x: number, y: number, out: Uint8Array, to: number, n: number): void {
  for (let i = 0; i < n; i += 1) out[to + i] = a[x + i]! > a[y + i]! ? 1 : 0;
}

function geI32(a: Int32Array, x: number, y: number, out: Uint8Array, to: number, n: number): void {
  for (let i = 0; i < n; i += 1) out[to + i] = a[x + i]! >= a[y + i]! ? 1 : 0;
}

function neI64(
  a: BigInt64Array,
  x: number,
  y: number,
  out: Uint8Array,
  to: number,
  n: number,
): void {
  for (let i = 0; i < n; i += 1) out[to + i] = a[x + i]! !== a[y + i]! ? 1 : 0;
}

function ltI64(
  a: BigInt64Array,
  x: number,
  y: number,
  out: Uint8Array,
  to: number,
  n: number,
): void {
  for (let i = 0; i < n; i += 1) out[to + i] = a[x + i]! < a[y + i]! ? 1 : 0;
}

function leI64(
  a: BigInt64Array,
  x: number,
  y: number,
  out: Uint8Array,
  to: number,
  n: number,
): void {
  for (let i = 0; i < n; i += 1) out[to + i] = a[x + i]! <= a[y + i]! ? 1 : 0;
}

function gtI64(
  a: BigInt64Array,
  x: number,
  y: number,
  out: Uint8Array,
  to: number,
  n: number,
): void {
  for (let i = 0; i < n; i += 1) out[to + i] = a[x + i]! > a[y + i]! ? 1 : 0;
}

function geI64(
  a: BigInt64Array,
  x: number,
  y: number,
  out: Uint8Array,
  to: number,
  n: number,
): void {
  for (let i = 0; i < n; i += 1) out[to + i] = a[x + i]! >= a[y + i]! ? 1 : 0;
}

/** Equality of 64-bit values by halves: no BigInt is made. */
function eqHalves(
  memory: Int32Array,
  x: number,
  y: number,
  out: Uint8Array,
  to: number,
  n: number,
): void {
  for (let i = 0; i < n; i += 1) {
    const a = x + 2 * i;
    const b = y + 2 * i;
    out[to + i] = memory[a] === memory[b] && memory[a + 1] === memory[b + 1] ? 1 : 0;
  }
}

function compareI32(loop: CompareI32): VectorBody {
  return ([a, b], n, ctx) => {
    const values = allocValues(ctx, 'u8', n);
    const validity = commonValidity(ctx, [a!, b!], n);
    loop(ctx.memory.i32, a!.values >>> 2, b!.values >>> 2, ctx.memory.u8, values, n);
    return { storage: 'u8', values, validity };
  };
}

function compareI64(loop: CompareI64): VectorBody {
  return ([a, b], n, ctx) => {
    const values = allocValues(ctx, 'u8', n);
    const validity = commonValidity(ctx, [a!, b!], n);
    loop(ctx.memory.i64, a!.values / 8, b!.values / 8, ctx.memory.u8, values, n);
    return { storage: 'u8', values, validity };
  };
}

const equalI64: VectorBody = ([a, b], n, ctx) => {
  const values = allocValues(ctx, 'u8', n);
  const validity = commonValidity(ctx, [a!, b!], n);
  eqHalves(ctx.memory.i32, a!.values >>> 2, b!.values >>> 2, ctx.memory.u8, values, n);
  return { storage: 'u8', values, validity };
};

const COMPARE_I32: readonly (readonly [string, CompareI32])[] = [
  ['=', eqI32],
  ['<>', neI32],
  ['<', ltI32],
  ['<=', leI32],
  ['>', gtI32],
  ['>=', geI32],
];
const COMPARE_I64: readonly (readonly [string, CompareI64])[] = [
  ['<>', neI64],
  ['<', ltI64],
  ['<=', leI64],
  ['>', gtI64],
  ['>=', geI64],
];
const I32_PAIRS = ['int2,int2', 'int4,int4', 'int2,int4', 'int4,int2', 'date,date'];
const I64_PAIRS = [
  'int8,int8',
  'timestamp,timestamp',
  'timestamptz,timestamptz',
  'time,time',
  'oid,oid',
];

for (const pair of I32_PAIRS) {
  for (const [name, loop] of COMPARE_I32) defineVector(`${name}(${pair})`, compareI32(loop));
}
for (const pair of I64_PAIRS) {
  defineVector(`=(${pair})`, equalI64);
  for (const [name, loop] of COMPARE_I64) defineVector(`${name}(${pair})`, compareI64(loop));
}

const OUT_OF_RANGE = {
  int2: 'smallint out of range',
  int4: 'integer out of range',
  int8: 'bigint out of range',
};

/** Reports the failed rows that are not NULL anyhow, and makes them NULL. */
export function finishChecked(
  ctx: EvalContext,
  column: Column,
  n: number,
  failed: readonly number[] | null,
  error: () => SqlError,
): Column {
  if (failed === null) return column;
  const rows = failed.filter((row) => isValid(ctx.memory, column.validity, row));
  for (const row of rows) ctx.onError(row, error());
  return withNulls(ctx, column, n, rows);
}

function outOfRange(type: keyof typeof OUT_OF_RANGE): () => SqlError {
  return () => new SqlError('22003', OUT_OF_RANGE[type]);
}

type LoopI32 = (m: Int32Array, x: number, y: number, to: number, n: number) => number[] | null;

function addI32(m: Int32Array, x: number, y: number, to: number, n: number): number[] | null {
  let failed: number[] | null = null;
  for (let i = 0; i < n; i += 1) {
    const sum = m[x + i]! + m[y + i]!;
    m[to + i] = sum;
    if (sum !== (sum | 0)) (failed ??= []).push(i);
  }
  return failed;
}

function subtractI32(m: Int32Array, x: number, y: number, to: number, n: number): number[] | null {
  let failed: number[] | null = null;
  for (let i = 0; i < n; i += 1) {
    const difference = m[x + i]! - m[y + i]!;
    m[to + i] = difference;
    if (difference !== (difference | 0)) (failed ??= []).push(i);
  }
  return failed;
}

function multiplyI32(m: Int32Array, x: number, y: number, to: number, n: number): number[] | null {
  let failed: number[] | null = null;
  for (let i = 0; i < n; i += 1) {
    const product = m[x + i]! * m[y + i]!;
    m[to + i] = product;
    if (product > 2147483647 || product < -2147483648) (failed ??= []).push(i);
  }
  return failed;
}

function arithmeticI32(loop: LoopI32): VectorBody {
  return ([a, b], n, ctx) => {
    const values = allocValues(ctx, 'i32', n);
    const validity = commonValidity(ctx, [a!, b!], n);
    const failed = loop(ctx.memory.i32, a!.values >>> 2, b!.values >>> 2, values >>> 2, n);
    return finishChecked(ctx, { storage: 'i32', values, validity }, n, failed, outOfRange('int4'));
  };
}

for (const pair of ['int4,int4', 'int2,int4', 'int4,int2']) {
  defineVector(`+(${pair})`, arithmeticI32(addI32));
  defineVector(`-(${pair})`, arithmeticI32(subtractI32));
  defineVector(`*(${pair})`, arithmeticI32(multiplyI32));
}

type LoopI64 = (m: BigInt64Array, x: number, y: number, to: number, n: number) => number[] | null;

function addI64(m: BigInt64Array, x: number, y: number, to: number, n: number): number[] | null {
  let failed: number[] | null = null;
  for (let i = 0; i < n; i += 1) {
    const a = m[x + i]!;
    const b = m[y + i]!;
    const sum = BigInt.asIntN(64, a + b);
    m[to + i] = sum;
    if (a >= 0n === b >= 0n && sum >= 0n !== a >= 0n) (failed ??= []).push(i);
  }
  return failed;
}

function subtractI64(
  m: BigInt64Array,
  x: number,
  y: number,
  to: number,
  n: number,
): number[] | null {
  let failed: number[] | null = null;
  for (let i = 0; i < n; i += 1) {
    const a = m[x + i]!;
    const b = m[y + i]!;
    const difference = BigInt.asIntN(64, a - b);
    m[to + i] = difference;
    if (a >= 0n !== b >= 0n && difference >= 0n !== a >= 0n) (failed ??= []).push(i);
  }
  return failed;
}

const HALF = 4294967296;

/** A 64-bit value as a double, where that is exact (|value| <= 2^53); else NaN. */
function exactNumber(words: Int32Array, at: number): number {
  const value = words[at + 1]! * HALF + (words[at]! >>> 0);
  return value >= -9007199254740991 && value <= 9007199254740991 ? value : Number.NaN;
}

const INT8_MAX = 0x7fff_ffff_ffff_ffffn;
const INT8_MIN = -0x8000_0000_0000_0000n;

const multiplyI64: VectorBody = ([a, b], n, ctx) => {
  const values = allocValues(ctx, 'i64', n);
  const validity = commonValidity(ctx, [a!, b!], n);
  const { i32, i64 } = ctx.memory;
  let failed: number[] | null = null;
  const to = values / 8;
  for (let i = 0; i < n; i += 1) {
    const product =
      exactNumber(i32, (a!.values >>> 2) + 2 * i) * exactNumber(i32, (b!.values >>> 2) + 2 * i);
    if (product >= -9007199254740991 && product <= 9007199254740991) {
      i32[2 * (to + i)] = product;
      i32[2 * (to + i) + 1] = Math.floor(product / HALF);
      continue;
    }
    const exact = i64[a!.values / 8 + i]! * i64[b!.values / 8 + i]!;
    if (exact > INT8_MAX || exact < INT8_MIN) (failed ??= []).push(i);
    i64[to + i] = exact;
  }
  return finishChecked(ctx, { storage: 'i64', values, validity }, n, failed, outOfRange('int8'));
};

function arithmeticI64(loop: LoopI64): VectorBody {
  return ([a, b], n, ctx) => {
    const values = allocValues(ctx, 'i64', n);
    const validity = commonValidity(ctx, [a!, b!], n);
    const failed = loop(ctx.memory.i64, a!.values / 8, b!.values / 8, values / 8, n);
    return finishChecked(ctx, { storage: 'i64', values, validity }, n, failed, outOfRange('int8'));
  };
}

defineVector('+(int8,int8)', arithmeticI64(addI64));
defineVector('-(int8,int8)', arithmeticI64(subtractI64));
defineVector('*(int8,int8)', multiplyI64);

const divisionByZero = (): SqlError => new SqlError('22012', 'division by zero');

/** The remainder of whole numbers that doubles hold exactly; its sign is the dividend's. */
function exactRemainder(dividend: number, divisor: number): number {
  const size = divisor < 0 ? -divisor : divisor;
  const magnitude = dividend < 0 ? -dividend : dividend;
  let rest = magnitude - Math.floor(magnitude / size) * size;
  // A quotient next to a whole number may round up to it.
  if (rest < 0) rest += size;
  return dividend < 0 ? -rest : rest;
}

/** Remainder on doubles where both sides are exact, else on BigInts. */
const moduloI64: VectorBody = ([a, b], n, ctx) => {
  const values = allocValues(ctx, 'i64', n);
  const validity = commonValidity(ctx, [a!, b!], n);
  const { i32, i64 } = ctx.memory;
  let failed: number[] | null = null;
  const to = values / 8;
  for (let i = 0; i < n; i += 1) {
    const dividend = exactNumber(i32, (a!.values >>> 2) + 2 * i);
    const divisor = exactNumber(i32, (b!.values >>> 2) + 2 * i);
    if (divisor === 0) {
      (failed ??= []).push(i);
      i64[to + i] = 0n;
    } else if (!Number.isNaN(dividend) && !Number.isNaN(divisor)) {
      const rest = exactRemainder(dividend, divisor);
      i32[2 * (to + i)] = rest;
      i32[2 * (to + i) + 1] = Math.floor(rest / HALF);
    } else {
      i64[to + i] = i64[a!.values / 8 + i]! % i64[b!.values / 8 + i]!;
    }
  }
  return finishChecked(ctx, { storage: 'i64', values, validity }, n, failed, divisionByZero);
};

defineVector('%(int8,int8)', moduloI64);
defineVector('mod(int8,int8)', moduloI64);

/** int4 and int2 to int8: sign extension by halves. */
const widen: VectorBody = ([a], n, ctx) => {
  const values = allocValues(ctx, 'i64', n);
  const { i32 } = ctx.memory;
  const from = a!.values >>> 2;
  const to = values >>> 2;
  for (let i = 0; i < n; i += 1) {
    const value = i32[from + i]!;
    i32[to + 2 * i] = value;
    i32[to + 2 * i + 1] = value >> 31;
  }
  return { storage: 'i64', values, validity: a!.validity };
};

defineVector('cast(int4,int8)', widen);
defineVector('cast(int2,int8)', widen);

const int4ToFloat: VectorBody = ([a], n, ctx) => {
  const values = allocValues(ctx, 'f64', n);
  const { i32, f64 } = ctx.memory;
  const from = a!.values >>> 2;
  const to = values / 8;
  for (let i = 0; i < n; i += 1) f64[to + i] = i32[from + i]!;
  return { storage: 'f64', values, validity: a!.validity };
};

const int8ToFloat: VectorBody = ([a], n, ctx) => {
  const values = allocValues(ctx, 'f64', n);
  const { i64, f64 } = ctx.memory;
  const from = a!.values / 8;
  const to = values / 8;
  for (let i = 0; i < n; i += 1) f64[to + i] = Number(i64[from + i]!);
  return { storage: 'f64', values, validity: a!.validity };
};

defineVector('cast(int4,float8)', int4ToFloat);
defineVector('cast(int2,float8)', int4ToFloat);
defineVector('cast(int8,float8)', int8ToFloat);
