/**
 * variance and stddev, of a sample or of the population: exact sums of x and x^2 and a count, for each scale that occurs
 * (numeric: the result's scale follows the greatest present), rounded once at the end. Integers and numeric give numeric with
 * PostgreSQL's scales; floats give the correctly rounded double (semantics.md rule 12). NaN and infinities give NaN.
 *
 * Slot: u32 address and u32 size of a block: f64 count of values that are not finite; then for each scale: scale u32, bytes of
 * sum(x) u32, bytes of sum(x^2) u32, 0, count f64, 0, both sums in two's complement. Doubles are integers in units of 2^-1074
 * under scale 0. A batch is summed by group first, then each block is rewritten once. Cost: O(digits) for each value.
 */

import { SqlError } from '../../base/sql-error.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { Memory } from '../../memory/memory.ts';
import { viewData } from '../../memory/views.ts';
import { Decimal, divideRounded, encodeDecimal, pow10 } from '../../types/decimal.ts';
import { type AggregateInstance, isValidAt, type SlotContext, weightAt } from './aggregate.ts';
import { roundRatio } from './float-sum.ts';
import { bigIntBytes, readBigInt, writeBigInt } from './numeric-bytes.ts';
import { ResultColumn } from './result-column.ts';

export const VARIANCE_SLOT_BYTES = 8;
const HEADER_BYTES = 8;
const ENTRY_BYTES = 32;
const FLOAT_UNIT = -1074;

export type VarianceInput = 'integer' | 'numeric' | 'float';

export interface VarianceKind {
  readonly input: VarianceInput;
  readonly isSample: boolean;
  readonly isDeviation: boolean;
}

interface Sums {
  count: number;
  x: bigint;
  xx: bigint;
}

interface VarianceState {
  special: number;
  readonly byScale: Map<number, Sums>;
}

export class VarianceAggregate implements AggregateInstance {
  readonly #context: SlotContext;
  readonly #kind: VarianceKind;
  #bytes = 0;

  constructor(context: SlotContext, kind: VarianceKind) {
    this.#context = context;
    this.#kind = kind;
  }

  update(groupRows: number, args: readonly Column[], weights: number, n: number): void {
    const { memory } = this.#context;
    const column = args[0]!;
    const { u8, u32, i32 } = memory;
    const touched = new Map<number, VarianceState>();
    for (let i = 0; i < n; i += 1) {
      const weight = weightAt(i32, weights, i);
      if (weight === 0 || !isValidAt(u8, column.validity, i)) continue;
      const row = u32[(groupRows >>> 2) + i]!;
      let state = touched.get(row);
      if (state === undefined) {
        state = this.#read(row);
        touched.set(row, state);
      }
      this.#add(state, column, i, weight);
    }
    for (const [row, state] of touched) this.#write(row, state);
  }

  #add(state: VarianceState, { storage, values }: Column, i: number, weight: number): void {
    const { memory } = this.#context;
    switch (storage) {
      case 'i32':
        addValue(state, 0, BigInt(memory.i32[(values >>> 2) + i]!), weight);
        return;
      case 'i64':
        addValue(state, 0, memory.i64[values / 8 + i]!, weight);
        return;
      case 'f64':
        addFloat(state, memory.f64[values / 8 + i]!, weight);
        return;
      default:
        addNumeric(memory, state, values + 16 * i, weight);
    }
  }

  result(groupRows: number, n: number): Column {
    const { memory, scratch } = this.#context;
    const isFloat = this.#kind.input === 'float';
    const out = new ResultColumn(scratch, isFloat ? 'f64' : 'view', n);
    for (let i = 0; i < n; i += 1) {
      const total = totalOf(this.#read(memory.u32[(groupRows >>> 2) + i]!));
      const count = total.sums.count + total.special;
      if (count === 0 || (this.#kind.isSample && count === 1)) out.setNull(i);
      else if (isFloat) out.setF64(i, this.#float(total));
      else out.setBytes(i, encodeDecimal(this.#numeric(total)));
    }
    return out.build();
  }

  #divisor(count: bigint): bigint {
    return this.#kind.isSample ? count * (count - 1n) : count * count;
  }

  #numeric({ special, sums, scale }: Total): Decimal {
    if (special > 0) return Decimal.NAN;
    const count = BigInt(sums.count);
    const numerator = count * sums.xx - sums.x * sums.x;
    if (numerator <= 0n) return Decimal.ZERO;
    const variance = new Decimal(numerator, 2 * scale).divide(Decimal.of(this.#divisor(count)));
    return this.#kind.isDeviation ? rootAtScale(variance) : variance;
  }

  #float({ special, sums }: Total): number {
    if (special > 0) return Number.NaN;
    const count = BigInt(sums.count);
    const numerator = count * sums.xx - sums.x * sums.x;
    const divisor = this.#divisor(count);
    const result = this.#kind.isDeviation
      ? rootOfRatio(numerator, divisor)
      : roundRatio(numerator, divisor, 2 * FLOAT_UNIT);
    if (!Number.isFinite(result)) throw new SqlError('22003', 'value out of range: overflow');
    return result;
  }

  release(groupRows: number, n: number): void {
    const { memory } = this.#context;
    for (let i = 0; i < n; i += 1) this.#free(memory.u32[(groupRows >>> 2) + i]!);
  }

  stateBytes(): number {
    return this.#bytes;
  }

  #slot(row: number): number {
    return (row * 8 + this.#context.base) >>> 2;
  }

  #free(row: number): void {
    const { memory } = this.#context;
    const slot = this.#slot(row);
    const address = memory.u32[slot]!;
    if (address === 0) return;
    const size = memory.u32[slot + 1]!;
    memory.free(address, size);
    this.#bytes -= Memory.blockBytes(size);
    memory.u32[slot] = 0;
  }

  #read(row: number): VarianceState {
    const { memory } = this.#context;
    const slot = this.#slot(row);
    const address = memory.u32[slot]!;
    const state: VarianceState = { special: 0, byScale: new Map() };
    if (address === 0) return state;
    const end = address + memory.u32[slot + 1]!;
    state.special = memory.f64[address / 8]!;
    for (let at = address + HEADER_BYTES; at < end; ) {
      const [scale, xBytes, xxBytes] = memory.u32.subarray(at >>> 2, (at >>> 2) + 3);
      const data = at + ENTRY_BYTES;
      state.byScale.set(scale!, {
        count: memory.f64[(at + 16) / 8]!,
        x: readBigInt(memory.u8, data, xBytes!),
        xx: readBigInt(memory.u8, data + xBytes!, xxBytes!),
      });
      at = data + xBytes! + xxBytes!;
    }
    return state;
  }

  #write(row: number, state: VarianceState): void {
    const { memory } = this.#context;
    this.#free(row);
    let size = HEADER_BYTES;
    for (const [scale, sums] of state.byScale) {
      if (sums.count === 0 && sums.x === 0n && sums.xx === 0n) state.byScale.delete(scale);
      else size += ENTRY_BYTES + bigIntBytes(sums.x) + bigIntBytes(sums.xx);
    }
    if (state.byScale.size === 0 && state.special === 0) return;
    let at = memory.alloc(size);
    this.#bytes += Memory.blockBytes(size);
    memory.u32[this.#slot(row)] = at;
    memory.u32[this.#slot(row) + 1] = size;
    memory.f64[at / 8] = state.special;
    at += HEADER_BYTES;
    for (const [scale, sums] of state.byScale) at = writeEntry(memory, at, scale, sums);
  }
}

function writeEntry(memory: Memory, at: number, scale: number, sums: Sums): number {
  const xBytes = bigIntBytes(sums.x);
  const xxBytes = bigIntBytes(sums.xx);
  const data = at + ENTRY_BYTES;
  memory.u32.set([scale, xBytes, xxBytes, 0], at >>> 2);
  memory.f64[(at + 16) / 8] = sums.count;
  memory.f64[(at + 24) / 8] = 0;
  writeBigInt(memory.u8, data, sums.x, xBytes);
  writeBigInt(memory.u8, data + xBytes, sums.xx, xxBytes);
  return data + xBytes + xxBytes;
}

function addValue(state: VarianceState, scale: number, value: bigint, weight: number): void {
  let sums = state.byScale.get(scale);
  if (sums === undefined) {
    sums = { count: 0, x: 0n, xx: 0n };
    state.byScale.set(scale, sums);
  }
  const times = BigInt(weight);
  sums.count += weight;
  sums.x += value * times;
  sums.xx += value * value * times;
}

const doubles = new DataView(new ArrayBuffer(8));

function addFloat(state: VarianceState, value: number, weight: number): void {
  if (!Number.isFinite(value)) {
    state.special += weight;
    return;
  }
  doubles.setFloat64(0, value);
  const bits = doubles.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const mantissa = exponent === 0 ? fraction : fraction | 0x10_0000_0000_0000n;
  const magnitude = mantissa << BigInt(Math.max(0, exponent - 1));
  addValue(state, 0, bits >> 63n === 1n ? -magnitude : magnitude, weight);
}

function addNumeric(memory: Memory, state: VarianceState, view: number, weight: number): void {
  const { u8, u32 } = memory;
  const data = viewData(memory, view);
  if (u8[data + 2] !== 0) {
    state.special += weight;
    return;
  }
  const scale = u8[data]! | (u8[data + 1]! << 8);
  addValue(state, scale, readBigInt(u8, data + 4, u32[view >>> 2]! - 4), weight);
}

/** All scales together, at the greatest. */
interface Total {
  readonly special: number;
  readonly sums: Sums;
  readonly scale: number;
}

function totalOf(state: VarianceState): Total {
  const scale = Math.max(0, ...state.byScale.keys());
  const sums: Sums = { count: 0, x: 0n, xx: 0n };
  for (const [own, part] of state.byScale) {
    sums.count += part.count;
    sums.x += part.x * pow10(scale - own);
    sums.xx += part.xx * pow10(2 * (scale - own));
  }
  return { special: state.special, sums, scale };
}

/** floor(sqrt(n)), by Newton's method from above. */
function integerRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

/** The square root at the number's own scale, rounded half away from zero. */
function rootAtScale(value: Decimal): Decimal {
  const root = integerRoot(value.unscaled * pow10(value.scale + 2));
  return new Decimal(divideRounded(root, 10n), value.scale);
}

/** sqrt(numerator / divisor) in units of 2^-1074, rounded once to the nearest double. */
function rootOfRatio(numerator: bigint, divisor: bigint): number {
  if (numerator === 0n) return 0;
  // Enough bits for 66 in the root, then one that says whether something is left.
  const have = numerator.toString(2).length - divisor.toString(2).length;
  const shift = Math.max(0, 70 - (have >> 1));
  const scaled = numerator << BigInt(2 * shift);
  const quotient = scaled / divisor;
  const root = integerRoot(quotient);
  const isExact = root * root === quotient && quotient * divisor === scaled;
  return roundRatio((root << 1n) | (isExact ? 0n : 1n), 1n, FLOAT_UNIT - shift - 1);
}
