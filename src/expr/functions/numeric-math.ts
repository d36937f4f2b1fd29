/**
 * sqrt, exp, ln, log and power of numeric, with PostgreSQL 15's result scales (numeric.c): at least 16 significant digits.
 *
 * Computed in binary fixed point on BigInts with guard digits, then rounded half away from zero once. Cost: O(digits^2 log digits).
 */

import { SqlError } from '../../base/sql-error.ts';
import { Decimal, leadingDigit, numericOverflow, pow10 } from '../../types/decimal.ts';
import { defineFunction, defineOperator } from '../registry.ts';
import { divisionByZero } from './arithmetic.ts';

const SCALE_MAX = 1000;
const DIGITS_MIN = 16;
const RESULT_SCALE_MAX = 2000;
const LOG10_E = 0.434294481903252;
const LN_10 = Math.LN10;
const BITS_PER_DIGIT = 3.3219280948873626;

function clampScale(...scales: readonly number[]): number {
  return Math.min(SCALE_MAX, Math.max(0, ...scales));
}

function integerSqrt(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

function squareRoot(a: Decimal): Decimal {
  if (a.isNaN) return a;
  if (a.sign < 0) throw new SqlError('2201F', 'cannot take square root of a negative number');
  if (!a.isFinite) return a;
  const scale = clampScale(DIGITS_MIN - ((leadingDigit(a).weight + 1) * 2 - 1), a.scale);
  // One digit more than is shown; the last digit decides the rounding.
  const root = integerSqrt(shifted(a.unscaled, 2 * (scale + 1) - a.scale));
  return new Decimal((root + 5n) / 10n, scale);
}

function shifted(value: bigint, digits: number): bigint {
  return digits >= 0 ? value * pow10(digits) : value / pow10(-digits);
}

/** Binary fixed point: value = n / 2^bits. */
function toFixed(a: Decimal, bits: number): bigint {
  return (a.unscaled << BigInt(bits)) / pow10(a.scale);
}

function fromFixed(value: bigint, bits: number, scale: number): Decimal {
  const scaled = (value < 0n ? -value : value) * pow10(scale);
  const rounded = (scaled + (1n << BigInt(bits - 1))) >> BigInt(bits);
  return new Decimal(value < 0n ? -rounded : rounded, scale);
}

/** 2 atanh(num / den) in fixed point; |num / den| <= 1/3 or so. */
function twiceAtanh(num: bigint, den: bigint, bits: number): bigint {
  const y = (num << BigInt(bits)) / den;
  const square = (y * y) >> BigInt(bits);
  let term = y;
  let sum = y;
  for (let k = 3n; term !== 0n; k += 2n) {
    term = (term * square) >> BigInt(bits);
    sum += term / k;
    if (term === -1n) break;
  }
  return 2n * sum;
}

function lnTwo(bits: number): bigint {
  return twiceAtanh(1n, 3n, bits);
}

/** ln of a positive number in fixed point of `bits`. */
function lnFixed(a: Decimal, bits: number): bigint {
  const work = bits + 32;
  const shift = binaryExponent(a);
  // a = m * 2^shift with m near 1: kept as a ratio, so that tiny and huge numbers lose nothing.
  const num = shift >= 0 ? a.unscaled : a.unscaled << BigInt(-shift);
  const den = shift >= 0 ? pow10(a.scale) << BigInt(shift) : pow10(a.scale);
  const ln = twiceAtanh(num - den, num + den, work) + BigInt(shift) * lnTwo(work);
  return ln >> 32n;
}

function binaryExponent(a: Decimal): number {
  return a.unscaled.toString(2).length - pow10(a.scale).toString(2).length;
}

/** e^x in fixed point of `bits`; x in the same. */
function expFixed(x: bigint, bits: number): bigint {
  const work = bits + 64;
  const wide = x << 64n;
  const two = lnTwo(work);
  const k = wide / two;
  const halvings = 16n;
  const r = (wide - k * two) >> halvings;
  let term = 1n << BigInt(work);
  let sum = term;
  for (let i = 1n; term !== 0n && term !== -1n; i += 1n) {
    term = ((term * r) >> BigInt(work)) / i;
    sum += term;
  }
  for (let i = 0n; i < halvings; i += 1n) sum = (sum * sum) >> BigInt(work);
  const down = 64n - k;
  return down >= 0n ? sum >> down : sum << -down;
}

/** Decimal weight of ln(a), roughly (estimate_ln_dweight). */
function lnWeight(a: Decimal): number {
  const x = a.toNumber();
  if (x >= 0.9 && x <= 1.1) {
    const off = a.subtract(Decimal.ONE);
    if (off.sign === 0) return 0;
    const { weight, digit } = leadingDigit(off);
    return weight * 4 + Math.floor(Math.log10(digit));
  }
  return Math.trunc(Math.log10(Math.abs(lnEstimate(a))));
}

/** ln(a) as a double, also where a is beyond doubles. */
function lnEstimate(a: Decimal): number {
  const digits = a.unscaled.toString();
  const head = Number(digits.slice(0, 16));
  return Math.log(head) + (digits.length - Math.min(16, digits.length) - a.scale) * LN_10;
}

function bitsFor(scale: number, magnitudeDigits = 0): number {
  return Math.ceil((scale + Math.max(0, magnitudeDigits) + 12) * BITS_PER_DIGIT);
}

function checkLogArgument(a: Decimal): void {
  if (a.sign > 0 || a.isNaN) return;
  const what = a.sign === 0 ? 'zero' : 'a negative number';
  throw new SqlError('2201E', `cannot take logarithm of ${what}`);
}

function naturalLog(a: Decimal): Decimal {
  checkLogArgument(a);
  if (!a.isFinite) return a;
  const scale = clampScale(DIGITS_MIN - lnWeight(a), a.scale);
  const bits = bitsFor(scale);
  return fromFixed(lnFixed(a, bits), bits, scale);
}

function logarithm(base: Decimal, a: Decimal): Decimal {
  checkLogArgument(base);
  checkLogArgument(a);
  if (base.isNaN || a.isNaN) return Decimal.NAN;
  if (!base.isFinite) return a.isFinite ? Decimal.ZERO : Decimal.NAN;
  if (!a.isFinite) return a;
  const weight = lnWeight(a) - lnWeight(base);
  const scale = clampScale(DIGITS_MIN - weight, base.scale, a.scale);
  const bits = bitsFor(scale + 8, Math.max(0, -lnWeight(base)) * 2);
  const divisor = lnFixed(base, bits);
  if (divisor === 0n) throw divisionByZero();
  return fromFixed((lnFixed(a, bits) << BigInt(bits)) / divisor, bits, scale);
}

function exponential(a: Decimal): Decimal {
  if (a.isNaN) return a;
  if (!a.isFinite) return a.sign > 0 ? a : Decimal.ZERO;
  const x = a.toNumber();
  const weight = Math.trunc(Math.min(RESULT_SCALE_MAX, Math.max(-RESULT_SCALE_MAX, x * LOG10_E)));
  const scale = clampScale(DIGITS_MIN - weight, a.scale);
  return expAtScale(a, x, scale);
}

function expAtScale(a: Decimal, x: number, scale: number): Decimal {
  if (x > RESULT_SCALE_MAX * 3) throw numericOverflow();
  if (x < -RESULT_SCALE_MAX * 3) return new Decimal(0n, scale);
  const bits = bitsFor(scale, Math.ceil(Math.abs(x) * LOG10_E) + 4);
  return fromFixed(expFixed(toFixed(a, bits), bits), bits, scale);
}

function isInteger(a: Decimal): boolean {
  return a.unscaled % pow10(a.scale) === 0n;
}

function power(base: Decimal, exponent: Decimal): Decimal {
  if (base.isNaN || exponent.isNaN) return powerOfNaN(base, exponent);
  if (base.sign === 0 && exponent.sign < 0) {
    throw new SqlError('2201F', 'zero raised to a negative power is undefined');
  }
  if (!base.isFinite || !exponent.isFinite) return powerOfInfinity(base, exponent);
  const isWhole = isInteger(exponent);
  if (base.sign < 0 && !isWhole) {
    throw new SqlError('2201F', 'a negative number raised to a non-integer power yields a complex result');
  }
  const whole = isWhole ? exponent.unscaled / pow10(exponent.scale) : 0n;
  if (isWhole && BigInt.asIntN(32, whole) === whole) {
    return powerOfInteger(base, Number(whole), clampScale(DIGITS_MIN, base.scale));
  }
  if (base.sign === 0) return new Decimal(0n, DIGITS_MIN);
  return powerByLog(base, exponent, whole);
}

/** Only 1 to any power and any to the zeroth are not NaN. */
function powerOfNaN(base: Decimal, exponent: Decimal): Decimal {
  const isOne = exponent.sign === 0 && !exponent.isNaN ? true : base.isFinite && base.compare(Decimal.ONE) === 0;
  return isOne ? Decimal.ONE : Decimal.NAN;
}

function powerOfInfinity(base: Decimal, exponent: Decimal): Decimal {
  if (base.isFinite && base.compare(Decimal.ONE) === 0) return Decimal.ONE;
  if (exponent.sign === 0) return Decimal.ONE;
  if (!exponent.isFinite) {
    const order = base.abs().compare(Decimal.ONE);
    if (order === 0) return Decimal.ONE;
    return order > 0 === exponent.sign > 0 ? Decimal.INFINITY : Decimal.ZERO;
  }
  if (exponent.sign < 0) return Decimal.ZERO;
  if (base.sign > 0) return Decimal.INFINITY;
  if (!isInteger(exponent)) {
    throw new SqlError('2201F', 'a negative number raised to a non-integer power yields a complex result');
  }
  const isOdd = (exponent.unscaled / pow10(exponent.scale)) % 2n !== 0n;
  return isOdd ? Decimal.MINUS_INFINITY : Decimal.INFINITY;
}

/** By squaring, intermediate results kept to the digits that matter. */
function powerOfInteger(base: Decimal, exponent: number, scale: number): Decimal {
  if (exponent === 0) return Decimal.ONE.round(scale);
  if (exponent === 1) return base.round(scale);
  if (exponent === -1) return Decimal.ONE.divideAtScale(base, scale);
  if (base.sign === 0) return new Decimal(0n, scale);
  const weight = (lnEstimate(base.abs()) / LN_10) * exponent;
  if (weight > 131072) throw numericOverflow();
  if (weight + 1 < -scale || weight + 1 < -SCALE_MAX) return new Decimal(0n, scale);
  const digits = Math.ceil(Math.abs(weight)) + scale + Math.ceil(Math.log(Math.abs(exponent))) + 12;
  let factor = base;
  let product: Decimal | null = null;
  for (let left = Math.abs(exponent); left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) product = product === null ? factor : significant(product, factor, digits);
    if (left > 1) factor = significant(factor, factor, digits);
  }
  const result = product ?? Decimal.ONE;
  return exponent < 0 ? Decimal.ONE.divideAtScale(result, scale) : result.round(scale);
}

/** a * b to about `digits` significant digits. */
function significant(a: Decimal, b: Decimal, digits: number): Decimal {
  const unscaled = a.unscaled * b.unscaled;
  const scale = a.scale + b.scale;
  const excess = unscaled.toString().length - digits;
  if (excess <= 0) return new Decimal(unscaled, scale);
  if (excess > scale) return new Decimal(unscaled / pow10(scale), 0);
  return new Decimal(unscaled / pow10(excess), scale - excess);
}

function powerByLog(base: Decimal, exponent: Decimal, whole: bigint): Decimal {
  const magnitude = base.abs();
  const x = lnEstimate(magnitude) * exponent.toNumber();
  if (Math.abs(x) > RESULT_SCALE_MAX * 3.01) {
    if (x > 0) throw numericOverflow();
    return new Decimal(0n, SCALE_MAX);
  }
  const weight = Math.trunc(x * LOG10_E);
  const scale = clampScale(DIGITS_MIN - weight, base.scale, exponent.scale);
  const bits = bitsFor(scale, Math.abs(weight) + exponent.unscaled.toString().length + 8);
  const ln = (lnFixed(magnitude, bits) * exponent.unscaled) / pow10(exponent.scale);
  const result = fromFixed(expFixed(ln, bits), bits, scale);
  return base.sign < 0 && whole % 2n !== 0n ? result.negate() : result;
}

defineFunction('sqrt(numeric)', 'numeric', squareRoot);
defineFunction('exp(numeric)', 'numeric', exponential);
defineFunction('ln(numeric)', 'numeric', naturalLog);
defineFunction('log(numeric)', 'numeric', (a) => logarithm(Decimal.of(10), a));
defineFunction('log10(numeric)', 'numeric', (a) => logarithm(Decimal.of(10), a));
defineFunction('log(numeric,numeric)', 'numeric', logarithm);
defineOperator('^(numeric,numeric)', 'numeric', power);
defineFunction('power(numeric,numeric)', 'numeric', power);
defineFunction('pow(numeric,numeric)', 'numeric', power);
