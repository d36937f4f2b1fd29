/**
 * Floats over columns: comparison in PostgreSQL's order (NaN equals NaN and is above all; -0 equals 0), and arithmetic with
 * overflow, underflow and division checks. float4 values are kept as doubles that are exact float4 values.
 */

import { SqlError } from '../../base/sql-error.ts';
import type { EvalContext } from '../eval-context.ts';
import { defineVector, type VectorBody } from '../registry.ts';
import { allocValues, commonValidity } from './columns.ts';
import { finishChecked } from './integers.ts';

type Loop = (m: Float64Array, x: number, y: number, out: Uint8Array, to: number, n: number) => void;

function eq(m: Float64Array, x: number, y: number, out: Uint8Array, to: number, n: number): void {
  for (let i = 0; i < n; i += 1) {
    const a = m[x + i]!;
    const b = m[y + i]!;
    out[to + i] = a === b || (Number.isNaN(a) && Number.isNaN(b)) ? 1 : 0;
  }
}

function ne(m: Float64Array, x: number, y: number, out: Uint8Array, to: number, n: number): void {
  for (let i = 0; i < n; i += 1) {
    const a = m[x + i]!;
    const b = m[y + i]!;
    out[to + i] = !(a === b || (Number.isNaN(a) && Number.isNaN(b))) ? 1 : 0;
  }
}

function lt(m: Float64Array, x: number, y: number, out: Uint8Array, to: number, n: number): void {
  for (let i = 0; i < n; i += 1) {
    const a = m[x + i]!;
    const b = m[y + i]!;
    out[to + i] = a < b || (Number.isNaN(b) && !Number.isNaN(a)) ? 1 : 0;
  }
}

function le(m: Float64Array, x: number, y: number, out: Uint8Array, to: number, n: number): void {
  for (let i = 0; i < n; i += 1) {
    const a = m[x + i]!;
    const b = m[y + i]!;
    out[to + i] = a <= b || Number.isNaN(b) ? 1 : 0;
  }
}

function gt(m: Float64Array, x: number, y: number, out: Uint8Array, to: number, n: number): void {
  for (let i = 0; i < n; i += 1) {
    const a = m[x + i]!;
    const b = m[y + i]!;
    out[to + i] = a > b || (Number.isNaN(a) && !Number.isNaN(b)) ? 1 : 0;
  }
}

function ge(m: Float64Array, x: number, y: number, out: Uint8Array, to: number, n: number): void {
  for (let i = 0; i < n; i += 1) {
    const a = m[x + i]!;
    const b = m[y + i]!;
    out[to + i] = a >= b || Number.isNaN(a) ? 1 : 0;
  }
}

function compare(loop: Loop): VectorBody {
  return ([a, b], n, ctx) => {
    const values = allocValues(ctx, 'u8', n);
    const validity = commonValidity(ctx, [a!, b!], n);
    loop(ctx.memory.f64, a!.values / 8, b!.values / 8, ctx.memory.u8, values, n);
    return { storage: 'u8', values, validity };
  };
}

const LOOPS: readonly (readonly [string, Loop])[] = [
  ['=', eq],
  ['<>', ne],
  ['<', lt],
  ['<=', le],
  ['>', gt],
  ['>=', ge],
];

for (const pair of ['float8,float8', 'float4,float4', 'float4,float8', 'float8,float4']) {
  for (const [name, loop] of LOOPS) defineVector(`${name}(${pair})`, compare(loop));
}

type Arithmetic = (m: Float64Array, x: number, y: number, to: number, n: number) => number[] | null;

/** A sum that became infinite out of finite numbers has overflowed. */
function addF64(m: Float64Array, x: number, y: number, to: number, n: number): number[] | null {
  let failed: number[] | null = null;
  for (let i = 0; i < n; i += 1) {
    const sum = m[x + i]! + m[y + i]!;
    m[to + i] = sum;
    if (isNewInfinity(sum, m[x + i]!, m[y + i]!)) (failed ??= []).push(i);
  }
  return failed;
}

function subtractF64(
  m: Float64Array,
  x: number,
  y: number,
  to: number,
  n: number,
): number[] | null {
  let failed: number[] | null = null;
  for (let i = 0; i < n; i += 1) {
    const difference = m[x + i]! - m[y + i]!;
    m[to + i] = difference;
    if (isNewInfinity(difference, m[x + i]!, m[y + i]!)) (failed ??= []).push(i);
  }
  return failed;
}

function isNewInfinity(result: number, a: number, b: number): boolean {
  return (
    (result === Number.POSITIVE_INFINITY || result === Number.NEGATIVE_INFINITY) &&
    Number.isFinite(a) &&
    Number.isFinite(b)
  );
}

function arithmetic(loop: Arithmetic): VectorBody {
  return ([a, b], n, ctx: EvalContext) => {
    const values = allocValues(ctx, 'f64', n);
    const validity = commonValidity(ctx, [a!, b!], n);
    const failed = loop(ctx.memory.f64, a!.values / 8, b!.values / 8, values / 8, n);
    return finishChecked(ctx, { storage: 'f64', values, validity }, n, failed, overflow);
  };
}

function overflow(): SqlError {
  return new SqlError('22003', 'value out of range: overflow');
}

for (const pair of ['float8,float8', 'float4,float8', 'float8,float4']) {
  defineVector(`+(${pair})`, arithmetic(addF64));
  defineVector(`-(${pair})`, arithmetic(subtractF64));
}
