/**
 * sum and avg of float4 and float8: the exact sum in a fixed-point number that spans every double (a superaccumulator,
 * Kulisch), rounded once at the end (semantics.md rule 12). NaN and infinities are counted apart.
 *
 * Slot: f64 counts of finite values, NaN, +infinity and -infinity, then WORDS u32 words: a two's complement integer in units of
 * 2^-1074. Its 2208 bits leave 64 for the number of addends.
 */

import { SqlError } from '../../base/sql-error.ts';
import type { Column } from '../../batch/delta-batch.ts';
import type { Memory } from '../../memory/memory.ts';
import { type AggregateInstance, isValidAt, type SlotContext, weightAt } from './aggregate.ts';
import { readBigInt } from './numeric-bytes.ts';
import { ResultColumn } from './result-column.ts';

const WORDS = 70;
const COUNT = 0;
const NANS = 8;
const PLUS = 16;
const MINUS = 24;
const SUM = 32;
export const FLOAT_SUM_SLOT_BYTES = SUM + WORDS * 4;
const UNIT_EXPONENT = -1074;

export class FloatSumAggregate implements AggregateInstance {
  readonly #context: SlotContext;
  readonly #isAverage: boolean;
  readonly #isFloat4: boolean;

  constructor(context: SlotContext, isAverage: boolean, isFloat4: boolean) {
    this.#context = context;
    this.#isAverage = isAverage;
    this.#isFloat4 = isFloat4 && !isAverage;
  }

  update(groupRows: number, args: readonly Column[], weights: number, n: number): void {
    const { memory, base } = this.#context;
    const { values, validity } = args[0]!;
    const { u8, u32, i32, f64 } = memory;
    for (let i = 0; i < n; i += 1) {
      const weight = weightAt(i32, weights, i);
      if (weight === 0 || !isValidAt(u8, validity, i)) continue;
      const slot = u32[(groupRows >>> 2) + i]! * 8 + base;
      const word = (values >>> 2) + 2 * i;
      const high = u32[word + 1]!;
      if (((high >>> 20) & 0x7ff) === 0x7ff) {
        const value = f64[(values >>> 3) + i]!;
        const counter = Number.isNaN(value) ? NANS : value > 0 ? PLUS : MINUS;
        f64[(slot + counter) >>> 3]! += weight;
        continue;
      }
      f64[(slot + COUNT) >>> 3]! += weight;
      addDouble(u32, (slot + SUM) >>> 2, u32[word]!, high, weight);
    }
  }

  result(groupRows: number, n: number): Column {
    const { memory, scratch, base } = this.#context;
    const out = new ResultColumn(scratch, 'f64', n);
    for (let i = 0; i < n; i += 1) {
      const slot = memory.u32[(groupRows >>> 2) + i]! * 8 + base;
      const value = this.#value(memory, slot);
      if (value === null) out.setNull(i);
      else out.setF64(i, value);
    }
    return out.build();
  }

  #value(memory: Memory, slot: number): number | null {
    const { f64, u8 } = memory;
    const count = f64[(slot + COUNT) >>> 3]!;
    const nans = f64[(slot + NANS) >>> 3]!;
    const plus = f64[(slot + PLUS) >>> 3]!;
    const minus = f64[(slot + MINUS) >>> 3]!;
    if (nans > 0 || (plus > 0 && minus > 0)) return Number.NaN;
    if (plus > 0) return Number.POSITIVE_INFINITY;
    if (minus > 0) return Number.NEGATIVE_INFINITY;
    if (count === 0) return null;
    const sum = readBigInt(u8, slot + SUM, WORDS * 4);
    const value = roundRatio(sum, this.#isAverage ? BigInt(count) : 1n, UNIT_EXPONENT);
    const result = this.#isFloat4 ? Math.fround(value) : value;
    if (!Number.isFinite(result)) {
      throw new SqlError('22003', 'value out of range: overflow');
    }
    return result;
  }

  release(): void {}
}

/** Adds weight times the finite double (low, high words) to the accumulator at word `to`. */
function addDouble(u32: Uint32Array, to: number, low: number, high: number, weight: number): void {
  const exponent = (high >>> 20) & 0x7ff;
  const mantissaHigh = exponent === 0 ? high & 0xfffff : (high & 0xfffff) | 0x100000;
  const position = exponent === 0 ? 0 : exponent - 1;
  const isNegative = (high >>> 31 === 1) !== weight < 0;
  let bits = Math.abs(weight);
  for (let shift = 0; bits > 0; shift += 1, bits = Math.floor(bits / 2)) {
    if (bits % 2 === 1) addShifted(u32, to, low, mantissaHigh, position + shift, isNegative);
  }
}

/** Adds or subtracts the 53-bit number (low, high) times 2^position. */
function addShifted(
  u32: Uint32Array,
  to: number,
  low: number,
  high: number,
  position: number,
  isNegative: boolean,
): void {
  const shift = position & 31;
  const start = to + (position >>> 5);
  const w0 = (low << shift) >>> 0;
  const w1 = shift === 0 ? high : ((low >>> (32 - shift)) | (high << shift)) >>> 0;
  const w2 = shift === 0 ? 0 : high >>> (32 - shift);
  const sign = isNegative ? -1 : 1;
  let carry = addWord(u32, start, sign * w0);
  carry = addWord(u32, start + 1, sign * w1 + carry);
  carry = addWord(u32, start + 2, sign * w2 + carry);
  for (let w = start + 3; carry !== 0 && w < to + WORDS; w += 1) carry = addWord(u32, w, carry);
}

function addWord(u32: Uint32Array, at: number, value: number): number {
  const sum = u32[at]! + value;
  u32[at] = sum;
  return Math.floor(sum / 0x1_0000_0000);
}

/** numerator / denominator * 2^exponent, rounded once to the nearest double, ties to even; denominator > 0. */
export function roundRatio(numerator: bigint, denominator: bigint, exponent: number): number {
  if (numerator === 0n) return 0;
  const isNegative = numerator < 0n;
  const magnitude = isNegative ? -numerator : numerator;
  // A quotient of at least 66 bits (or of all bits down to the least double's), with a sticky last bit.
  const have = bitLength(magnitude) - bitLength(denominator);
  let shift = Math.max(0, 66 - have);
  // Bits below 2^-1076 only matter as sticky: keeps subnormal results rounded once.
  shift = Math.min(shift, Math.max(0, exponent + 1076));
  const scaled = magnitude << BigInt(shift);
  let quotient = scaled / denominator;
  if (quotient * denominator !== scaled) quotient = (quotient << 1n) | 1n;
  else quotient <<= 1n;
  const value = scaleByPower(quotient, exponent - shift - 1);
  return isNegative ? -value : value;
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}

/** integer * 2^exponent, rounded once; integer > 0. */
function scaleByPower(integer: bigint, exponent: number): number {
  const bits = bitLength(integer);
  // Precision that the result has: 53 bits, fewer where it is subnormal.
  const drop = Math.max(bits - 53, UNIT_EXPONENT - exponent);
  if (drop <= 0) return exactScale(integer, exponent);
  const kept = integer >> BigInt(drop);
  const rest = integer - (kept << BigInt(drop));
  const half = 1n << BigInt(drop - 1);
  const isUp = rest > half || (rest === half && (kept & 1n) === 1n);
  return exactScale(isUp ? kept + 1n : kept, exponent + drop);
}

/** integer (at most 2^53) * 2^exponent where the product is a double (or beyond the largest: infinity). */
function exactScale(integer: bigint, exponent: number): number {
  const value = Number(integer);
  if (exponent < -1022) return value * 2 ** -1022 * 2 ** (exponent + 1022);
  if (exponent > 1000) return value * 2 ** 1000 * 2 ** (exponent - 1000);
  return value * 2 ** exponent;
}
