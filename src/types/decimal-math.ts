/**
 * Roots, powers, exponentials and logarithms of Decimal, with the result scales of PostgreSQL 15's numeric.c.
 *
 * Computed in fixed point with guard digits on BigInt and rounded once. Cost: a few hundred multiplications of the working
 * precision at most.
 */

import { SqlError } from '../base/sql-error.ts';
import {
  Decimal,
  DISPLAY_SCALE_MAX,
  digitCount,
  divideRounded,
  numericOverflow,
  pow10,
  SIGNIFICANT_DIGITS_MIN,
} from './decimal.ts';

const GUARD_DIGITS = 12;
const LN10 = Math.LN10;
const LOG10_E = Math.LOG10E;
/** exp's argument at most: beyond it the result is no numeric. */
const EXP_MAX = 6000;

function clampScale(scale: number): number {
  return Math.min(Math.max(scale, 0), DISPLAY_SCALE_MAX);
}

/** Integer square root: the greatest r with r * r <= value. */
function integerRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** The weight of the first base-10000 digit. */
function weightOf(value: Decimal): number {
  return value.unscaled === 0n ? 0 : Math.floor((digitCount(value.unscaled) - 1 - value.scale) / 4);
}

/** sqrt; 2201F for negative numbers. */
export function squareRoot(value: Decimal): Decimal {
  if (value.isNaN) return value;
  if (value.sign < 0) {
    throw new SqlError('2201F', 'cannot take square root of a negative number');
  }
  if (!value.isFinite) return value;
  const weight = Math.trunc(((weightOf(value) + 1) * 4) / 2) - 1;
  const scale = clampScale(Math.max(SIGNIFICANT_DIGITS_MIN - weight, value.scale));
  // floor(sqrt(x * 10^2k)) with one digit more, so that rounding is exact (no tie can occur at an inexact root).
  const shift = 2 * (scale + 1) - value.scale;
  const shifted = shift >= 0 ? value.unscaled * pow10(shift) : value.unscaled / pow10(-shift);
  return new Decimal(divideRounded(integerRoot(shifted), 10n), scale);
}

/** A fixed-point number of `digits` decimal digits behind the point. */
function fixedPoint(value: Decimal, digits: number): bigint {
  const shift = digits - value.scale;
  return shift >= 0 ? value.unscaled * pow10(shift) : divideRounded(value.unscaled, pow10(-shift));
}

/** e^x in fixed point; x within about ±14000. */
function expFixed(x: bigint, digits: number): bigint {
  // e^x = (e^(x / 2^k))^(2^k), with |x / 2^k| < 2^-8; each squaring may double the error.
  const whole = x / pow10(digits);
  const size = (whole < 0n ? -whole : whole).toString(2).length;
  const halvings = size + 8;
  const extra = Math.ceil(halvings * 0.302) + Math.max(0, Math.ceil(Number(whole) * LOG10_E)) + 4;
  const work = digits + extra;
  const one = pow10(work);
  const reduced = (x * pow10(extra)) / (1n << BigInt(halvings));
  let sum = one;
  let term = one;
  for (let i = 1n; term !== 0n; i += 1n) {
    term = (term * reduced) / (one * i);
    sum += term;
  }
  for (let i = 0; i < halvings; i += 1) sum = (sum * sum) / one;
  return divideRounded(sum, pow10(extra));
}

/** ln of the positive fixed-point number `x`. */
function lnFixed(x: bigint, digits: number): bigint {
  // Square roots bring x near 1, then ln x = 2 artanh((x - 1) / (x + 1)).
  const extra = 20;
  const work = digits + extra + Math.max(0, digits + 1 - digitCount(x));
  const one = pow10(work);
  let y = x * pow10(work - digits);
  let doublings = 1n;
  while (y > one + one / 100n || y < one - one / 100n) {
    y = integerRoot(y * one);
    doublings *= 2n;
  }
  const z = ((y - one) * one) / (y + one);
  const square = (z * z) / one;
  let sum = 0n;
  let power = z;
  for (let i = 1n; power !== 0n; i += 2n) {
    sum += power / i;
    power = (power * square) / one;
  }
  return divideRounded(sum * 2n * doublings, pow10(work - digits));
}

/** exp(x); 22003 when it is too large. */
export function exponential(value: Decimal): Decimal {
  if (value.isNaN || (!value.isFinite && value.sign > 0)) return value;
  if (!value.isFinite) return Decimal.ZERO;
  const approximate = value.toNumber();
  const digits = Math.max(-2000, Math.min(2000, approximate * LOG10_E));
  const scale = clampScale(Math.max(SIGNIFICANT_DIGITS_MIN - Math.trunc(digits), value.scale));
  if (Math.abs(approximate) >= EXP_MAX) {
    if (approximate > 0) throw numericOverflow();
    return new Decimal(0n, scale);
  }
  return expAtScale(value, scale);
}

function expAtScale(value: Decimal, scale: number): Decimal {
  const digits = Math.max(scale, value.scale) + GUARD_DIGITS;
  // A fixed point of as many digits as a large result has in front needs them behind the point of x, too.
  const large = Math.max(0, Math.ceil(value.toNumber() * LOG10_E));
  const work = digits + large;
  const result = expFixed(fixedPoint(value, work), work);
  return new Decimal(divideRounded(result, pow10(work - scale)), scale);
}

/** estimate_ln_dweight: decimal weight of ln(x). */
function lnWeight(value: Decimal): number {
  if (value.sign <= 0) return 0;
  const low = Decimal.parse('0.9');
  const high = Decimal.parse('1.1');
  if (value.compare(low) >= 0 && value.compare(high) <= 0) {
    const rest = value.subtract(Decimal.ONE);
    if (rest.unscaled === 0n) return 0;
    return digitCount(rest.unscaled) - 1 - rest.scale;
  }
  return Math.trunc(Math.log10(Math.abs(approximateLn(value))));
}

/** ln as a double, for numbers beyond doubles too. */
function approximateLn(value: Decimal): number {
  const text = (value.unscaled < 0n ? -value.unscaled : value.unscaled).toString();
  const head = text.slice(0, 17);
  return Math.log(Number(head)) + (text.length - head.length - value.scale) * LN10;
}

function logarithmError(value: Decimal): void {
  if (value.isNaN) return;
  if (value.sign < 0) throw new SqlError('2201E', 'cannot take logarithm of a negative number');
  if (value.isFinite && value.sign === 0) {
    throw new SqlError('2201E', 'cannot take logarithm of zero');
  }
}

/** ln(x); 2201E for zero and negative numbers. */
export function naturalLog(value: Decimal): Decimal {
  logarithmError(value);
  if (!value.isFinite) return value;
  const scale = clampScale(Math.max(SIGNIFICANT_DIGITS_MIN - lnWeight(value), value.scale));
  return lnAtScale(value, scale);
}

function lnAtScale(value: Decimal, scale: number): Decimal {
  const digits = Math.max(scale, value.scale, -lnWeight(value)) + GUARD_DIGITS;
  const result = lnFixed(fixedPoint(value, digits), digits);
  return new Decimal(divideRounded(result, pow10(digits - scale)), scale);
}

/** log(base, x). */
export function logarithm(base: Decimal, value: Decimal): Decimal {
  if (base.isNaN || value.isNaN) return Decimal.NAN;
  logarithmError(base);
  logarithmError(value);
  if (!base.isFinite) return value.isFinite ? Decimal.ZERO : Decimal.NAN;
  if (!value.isFinite) return value;
  const baseWeight = lnWeight(base);
  const valueWeight = lnWeight(value);
  const resultWeight = valueWeight - baseWeight;
  const scale = clampScale(
    Math.max(SIGNIFICANT_DIGITS_MIN - resultWeight, base.scale, value.scale),
  );
  const digits = Math.max(0, scale + resultWeight + 8);
  const lnBase = lnAtScale(base, Math.max(0, digits - baseWeight));
  const lnValue = lnAtScale(value, Math.max(0, digits - valueWeight));
  return lnValue.divideAtScale(lnBase, scale);
}

/** log10(x). */
export function logarithm10(value: Decimal): Decimal {
  return logarithm(new Decimal(10n, 0), value);
}

/** power(x, y); 2201F where the result is not real. */
export function power(base: Decimal, exponent: Decimal): Decimal {
  if (!base.isFinite || !exponent.isFinite) return powerOfSpecials(base, exponent);
  if (base.sign === 0 && exponent.sign < 0) {
    throw new SqlError('2201F', 'zero raised to a negative power is undefined');
  }
  const whole = exponent.trunc(0);
  const isWhole = whole.compare(exponent) === 0;
  if (base.sign < 0 && !isWhole) {
    throw new SqlError(
      '2201F',
      'a negative number raised to a non-integer power yields a complex result',
    );
  }
  if (isWhole && BigInt.asIntN(32, whole.unscaled) === whole.unscaled) {
    return integerPower(base, Number(whole.unscaled), exponent.scale);
  }
  if (base.sign === 0) return new Decimal(0n, SIGNIFICANT_DIGITS_MIN);
  const isNegative = base.sign < 0 && whole.unscaled % 2n !== 0n;
  const result = realPower(base.abs(), exponent);
  return isNegative ? result.negate() : result;
}

function integerPower(base: Decimal, exponent: number, exponentScale: number): Decimal {
  const scale = clampScale(Math.max(SIGNIFICANT_DIGITS_MIN, base.scale, exponentScale));
  if (exponent === 0) return new Decimal(pow10(scale), scale);
  if (base.unscaled === 0n) return new Decimal(0n, scale);
  if (exponent === 1) return base.round(scale);
  const weight = exponent * (approximateLn(base) / LN10);
  if (weight > 131072) throw numericOverflow();
  if (weight + 1 < -scale) return new Decimal(0n, scale);
  const size = BigInt(Math.abs(exponent));
  // Exact where it is not too long; else by the logarithm.
  if (digitCount(base.unscaled) * Math.abs(exponent) > 100_000) {
    const result = realPower(base.abs(), Decimal.of(exponent), scale);
    return base.sign < 0 && exponent % 2 !== 0 ? result.negate() : result;
  }
  const unscaled = base.unscaled ** size;
  const exactScale = base.scale * Math.abs(exponent);
  if (exponent > 0) {
    const shift = scale - exactScale;
    return new Decimal(
      shift >= 0 ? unscaled * pow10(shift) : divideRounded(unscaled, pow10(-shift)),
      scale,
    );
  }
  return new Decimal(divideRounded(pow10(exactScale + scale), unscaled), scale);
}

function realPower(base: Decimal, exponent: Decimal, fixedScale?: number): Decimal {
  const approximate = approximateLn(base) * exponent.toNumber();
  if (Math.abs(approximate) > EXP_MAX) {
    if (approximate > 0 && fixedScale === undefined) throw numericOverflow();
    if (approximate < 0) return new Decimal(0n, fixedScale ?? DISPLAY_SCALE_MAX);
  }
  const resultDigits = Math.trunc(approximate * LOG10_E);
  const scale =
    fixedScale ??
    clampScale(Math.max(SIGNIFICANT_DIGITS_MIN - resultDigits, base.scale, exponent.scale));
  const digits =
    scale + Math.max(0, resultDigits) + exponent.trunc(0).toString().length + GUARD_DIGITS;
  const product = lnAtScale(base, digits).multiply(exponent).round(digits);
  return expAtScale(product, scale);
}

function powerOfSpecials(base: Decimal, exponent: Decimal): Decimal {
  if (base.isNaN) return exponent.isFinite && exponent.sign === 0 ? Decimal.ONE : Decimal.NAN;
  if (exponent.isNaN)
    return base.isFinite && base.compare(Decimal.ONE) === 0 ? Decimal.ONE : Decimal.NAN;
  if (base.isFinite && base.compare(Decimal.ONE) === 0) return Decimal.ONE;
  if (exponent.isFinite && exponent.sign === 0) return Decimal.ONE;
  if (base.isFinite && base.sign === 0) {
    if (exponent.sign < 0)
      throw new SqlError('2201F', 'zero raised to a negative power is undefined');
    return Decimal.ZERO;
  }
  if (!exponent.isFinite) {
    const order = base.abs().compare(Decimal.ONE);
    if (order === 0) return Decimal.ONE;
    return order > 0 === exponent.sign > 0 ? Decimal.INFINITY : Decimal.ZERO;
  }
  // base is infinite, exponent finite and not zero.
  const whole = exponent.trunc(0);
  if (base.sign < 0 && whole.compare(exponent) !== 0) {
    throw new SqlError(
      '2201F',
      'a negative number raised to a non-integer power yields a complex result',
    );
  }
  if (exponent.sign < 0) return Decimal.ZERO;
  if (base.sign > 0) return base;
  return whole.unscaled % 2n === 0n ? Decimal.INFINITY : base;
}
