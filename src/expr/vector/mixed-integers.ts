/**
 * int8 compared with int4 or int2, on columns: the 64-bit side as a double. Where that is not exact (beyond 2^53) it is far
 * outside the other side's range, and stays there. One loop for each operator.
 */

import type { Column } from '../../batch/delta-batch.ts';
import type { EvalContext } from '../eval-context.ts';
import { defineVector, type VectorBody } from '../registry.ts';
import { allocValues, commonValidity } from './columns.ts';

const WORD = 0x1_0000_0000;

interface Sides {
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly out: Uint8Array;
  /** Word index of the 64-bit values. */
  readonly wide: number;
  /** Word index of the 32-bit values. */
  readonly narrow: number;
  readonly to: number;
}

type Loop = (sides: Sides, n: number) => void;

function equal({ u32, i32, out, wide, narrow, to }: Sides, n: number): void {
  for (let i = 0; i < n; i += 1) {
    const value = i32[wide + 2 * i + 1]! * WORD + u32[wide + 2 * i]!;
    out[to + i] = value === i32[narrow + i]! ? 1 : 0;
  }
}

function notEqual({ u32, i32, out, wide, narrow, to }: Sides, n: number): void {
  for (let i = 0; i < n; i += 1) {
    const value = i32[wide + 2 * i + 1]! * WORD + u32[wide + 2 * i]!;
    out[to + i] = value !== i32[narrow + i]! ? 1 : 0;
  }
}

function less({ u32, i32, out, wide, narrow, to }: Sides, n: number): void {
  for (let i = 0; i < n; i += 1) {
    const value = i32[wide + 2 * i + 1]! * WORD + u32[wide + 2 * i]!;
    out[to + i] = value < i32[narrow + i]! ? 1 : 0;
  }
}

function atMost({ u32, i32, out, wide, narrow, to }: Sides, n: number): void {
  for (let i = 0; i < n; i += 1) {
    const value = i32[wide + 2 * i + 1]! * WORD + u32[wide + 2 * i]!;
    out[to + i] = value <= i32[narrow + i]! ? 1 : 0;
  }
}

function more({ u32, i32, out, wide, narrow, to }: Sides, n: number): void {
  for (let i = 0; i < n; i += 1) {
    const value = i32[wide + 2 * i + 1]! * WORD + u32[wide + 2 * i]!;
    out[to + i] = value > i32[narrow + i]! ? 1 : 0;
  }
}

function atLeast({ u32, i32, out, wide, narrow, to }: Sides, n: number): void {
  for (let i = 0; i < n; i += 1) {
    const value = i32[wide + 2 * i + 1]! * WORD + u32[wide + 2 * i]!;
    out[to + i] = value >= i32[narrow + i]! ? 1 : 0;
  }
}

/** The loop with the 64-bit side on the left, and the one that says the same with it on the right. */
const LOOPS: readonly (readonly [string, Loop, Loop])[] = [
  ['=', equal, equal],
  ['<>', notEqual, notEqual],
  ['<', less, more],
  ['<=', atMost, atLeast],
  ['>', more, less],
  ['>=', atLeast, atMost],
];

function compare(loop: Loop, isWideLeft: boolean): VectorBody {
  return (args, n, ctx) => {
    const [left, right] = args as [Column, Column];
    return compared(loop, isWideLeft ? left : right, isWideLeft ? right : left, n, ctx);
  };
}

function compared(loop: Loop, wide: Column, narrow: Column, n: number, ctx: EvalContext): Column {
  const values = allocValues(ctx, 'u8', n);
  const validity = commonValidity(ctx, [wide, narrow], n);
  const { u8, i32, u32 } = ctx.memory;
  const words = { wide: wide.values >>> 2, narrow: narrow.values >>> 2 };
  loop({ u32, i32, out: u8, ...words, to: values }, n);
  return { storage: 'u8', values, validity };
}

for (const [name, wideLeft, wideRight] of LOOPS) {
  for (const narrow of ['int4', 'int2']) {
    defineVector(`${name}(int8,${narrow})`, compare(wideLeft, true));
    defineVector(`${name}(${narrow},int8)`, compare(wideRight, false));
  }
}
