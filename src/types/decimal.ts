/**
 * Decimal: PostgreSQL's numeric as an unscaled bigint with a scale, NaN and the infinities apart.
 *
 * Result scales are PostgreSQL's (numeric.c): + - the larger, * the sum, / by select_div_scale (at least 16 significant
 * digits); rounding is half away from zero. Immutable. add, subtract, compare: O(digits); multiply, divide: as BigInt.
 */

import { SqlError } from '../base/sql-error.ts';

export type DecimalKind = 0 | 1 | 2 | 3;
export const FINITE = 0;
export const NOT_A_NUMBER = 1;
export const POSITIVE_INFINITY = 2;
export const NEGATIVE_INFINITY = 3;

/** Digits behind the point at most: of a value, and of what division and the like display. */
const SCALE_MAX = 16383;
const WEIGHT_DIGITS_MAX = 131072;
export const DISPLAY_SCALE_MAX = 1000;
export const SIGNIFICANT_DIGITS_MIN = 16;

const POWERS: bigint[] = [1n];

/** 10^n, cached. */
export function pow10(n: number): bigint {
  if (n > 4096) return 10n ** BigInt(n);
  while (POWERS.length <= n) POWERS.push(POWERS[POWERS.length - 1]! * 10n);
  return POWERS[n]!;
}

/** a / b rounded half away from zero. */
export function divideRounded(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  const rest = a - quotient * b;
  const twice = (rest < 0n ? -rest : rest) * 2n;
  if (twice < (b < 0n ? -b : b)) return quotient;
  return a < 0n === b < 0n ? quotient + 1n : quotient - 1n;
}

/** Decimal digits of |value|; 0 for 0. */
export function digitCount(value: bigint): number {
  if (value === 0n) return 0;
  const text = value.toString();
  return value < 0n ? text.length - 1 : text.length;
}

export function numericOverflow(): SqlError {
  return new SqlError('22003', 'value overflows numeric format');
}

function divisionByZero(): SqlError {
  return new SqlError('22012', 'division by zero');
}

const NUMBER = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d+))?$/;
const BLANKS = /^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g;

export class Decimal {
  readonly unscaled: bigint;
  readonly scale: number;
  readonly kind: DecimalKind;

  constructor(unscaled: bigint, scale: number, kind: DecimalKind = FINITE) {
    this.unscaled = unscaled;
    this.scale = scale;
    this.kind = kind;
  }

  static readonly ZERO = new Decimal(0n, 0);
  static readonly ONE = new Decimal(1n, 0);
  static readonly NAN = new Decimal(0n, 0, NOT_A_NUMBER);
  static readonly INFINITY = new Decimal(0n, 0, POSITIVE_INFINITY);
  static readonly MINUS_INFINITY = new Decimal(0n, 0, NEGATIVE_INFINITY);

  /** From an integer. */
  static of(value: bigint | number, scale = 0): Decimal {
    return new Decimal(BigInt(value), scale);
  }

  /** As numeric_in; 22P02, 22003. */
  static parse(text: string): Decimal {
    const match = NUMBER.exec(text) ?? NUMBER.exec(text.replace(BLANKS, ''));
    if (match === null) return parseSpecial(text);
    const fraction = match[3] ?? match[4] ?? '';
    const digits = (match[2] ?? '') + fraction;
    const exponent = match[5] === undefined ? 0 : Number(match[5]);
    if (Math.abs(exponent) > 1_000_000) {
      if (exponent > 0 && /[1-9]/.test(digits)) throw numericOverflow();
      if (exponent > 2 ** 30 || exponent < -(2 ** 30)) throw invalidNumeric(text);
    }
    const unscaled = BigInt(match[1] === '-' ? `-${digits}` : digits);
    return shifted(unscaled, fraction.length - exponent);
  }

  /** As a cast of float8: 15 significant digits. */
  static fromFloat8(value: number): Decimal {
    return fromFloat(value, 15);
  }

  /** As a cast of float4: 6 significant digits. */
  static fromFloat4(value: number): Decimal {
    return fromFloat(value, 6);
  }

  get isFinite(): boolean {
    return this.kind === FINITE;
  }
  get isNaN(): boolean {
    return this.kind === NOT_A_NUMBER;
  }
  /** -1, 0, 1; 0 for NaN. */
  get sign(): number {
    if (this.kind === FINITE) return this.unscaled > 0n ? 1 : this.unscaled < 0n ? -1 : 0;
    return this.kind === POSITIVE_INFINITY ? 1 : this.kind === NEGATIVE_INFINITY ? -1 : 0;
  }

  toString(): string {
    switch (this.kind) {
      case NOT_A_NUMBER:
        return 'NaN';
      case POSITIVE_INFINITY:
        return 'Infinity';
      case NEGATIVE_INFINITY:
        return '-Infinity';
      default:
    }
    if (this.scale === 0) return this.unscaled.toString();
    const isNegative = this.unscaled < 0n;
    const digits = (isNegative ? -this.unscaled : this.unscaled)
      .toString()
      .padStart(this.scale + 1, '0');
    const point = digits.length - this.scale;
    return `${isNegative ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`;
  }

  toNumber(): number {
    return Number(this.toString());
  }

  /** The unscaled integer at another scale that is not smaller. */
  atScale(scale: number): bigint {
    return scale === this.scale ? this.unscaled : this.unscaled * pow10(scale - this.scale);
  }

  /** Order of numeric: -Infinity < finite < Infinity < NaN = NaN. */
  compare(other: Decimal): number {
    if (this.kind !== FINITE || other.kind !== FINITE) return rank(this) - rank(other);
    const scale = Math.max(this.scale, other.scale);
    const a = this.atScale(scale);
    const b = other.atScale(scale);
    return a < b ? -1 : a > b ? 1 : 0;
  }

  negate(): Decimal {
    if (this.kind === POSITIVE_INFINITY) return Decimal.MINUS_INFINITY;
    if (this.kind === NEGATIVE_INFINITY) return Decimal.INFINITY;
    return this.kind === FINITE ? new Decimal(-this.unscaled, this.scale) : this;
  }

  abs(): Decimal {
    return this.sign < 0 ? this.negate() : this;
  }

  add(other: Decimal): Decimal {
    if (this.kind === FINITE && other.kind === FINITE) {
      const scale = Math.max(this.scale, other.scale);
      return finite(this.atScale(scale) + other.atScale(scale), scale);
    }
    if (this.isNaN || other.isNaN) return Decimal.NAN;
    if (this.kind === FINITE) return other;
    return other.kind === FINITE || other.kind === this.kind ? this : Decimal.NAN;
  }

  subtract(other: Decimal): Decimal {
    return this.add(other.negate());
  }

  multiply(other: Decimal): Decimal {
    if (this.kind === FINITE && other.kind === FINITE) {
      const scale = this.scale + other.scale;
      return finite(this.unscaled * other.unscaled, scale);
    }
    return infinite(this.sign * other.sign, this.isNaN || other.isNaN);
  }

  divide(other: Decimal): Decimal {
    if (this.isNaN || other.isNaN) return Decimal.NAN;
    if (other.kind !== FINITE) return this.kind === FINITE ? Decimal.ZERO : Decimal.NAN;
    if (other.unscaled === 0n) throw divisionByZero();
    if (this.kind !== FINITE) return infinite(this.sign * other.sign, false);
    return this.divideAtScale(other, divisionScale(this, other));
  }

  /** Finite quotient rounded to `scale` digits. */
  divideAtScale(other: Decimal, scale: number): Decimal {
    if (other.unscaled === 0n) throw divisionByZero();
    const shift = scale + other.scale - this.scale;
    const quotient =
      shift >= 0
        ? divideRounded(this.unscaled * pow10(shift), other.unscaled)
        : divideRounded(this.unscaled, other.unscaled * pow10(-shift));
    return finite(quotient, scale);
  }

  /** div(a, b): the integer quotient, truncated. */
  divideTruncated(other: Decimal): Decimal {
    if (this.isNaN || other.isNaN) return Decimal.NAN;
    if (other.kind !== FINITE) return this.kind === FINITE ? Decimal.ZERO : Decimal.NAN;
    if (other.unscaled === 0n) throw divisionByZero();
    if (this.kind !== FINITE) return infinite(this.sign * other.sign, false);
    const scale = Math.max(this.scale, other.scale);
    return finite(this.atScale(scale) / other.atScale(scale), 0);
  }

  /** Remainder with the sign of the dividend. */
  mod(other: Decimal): Decimal {
    if (this.isNaN || other.isNaN) return Decimal.NAN;
    if (other.kind === FINITE && other.unscaled === 0n) throw divisionByZero();
    if (this.kind !== FINITE) return Decimal.NAN;
    if (other.kind !== FINITE) return this;
    const scale = Math.max(this.scale, other.scale);
    return new Decimal(this.atScale(scale) % other.atScale(scale), scale);
  }

  /** round(x, digits): half away from zero; negative digits round in front of the point. */
  round(digits = 0): Decimal {
    return this.#cut(digits, divideRounded);
  }

  trunc(digits = 0): Decimal {
    return this.#cut(digits, (a, b) => a / b);
  }

  #cut(digits: number, divide: (a: bigint, b: bigint) => bigint): Decimal {
    if (this.kind !== FINITE) return this;
    const wanted = Math.max(-WEIGHT_DIGITS_MAX, Math.min(SCALE_MAX, digits));
    const scale = Math.max(0, wanted);
    if (wanted >= this.scale) return finite(this.atScale(scale), scale);
    const unit = pow10(this.scale - wanted);
    const cut = divide(this.unscaled, unit);
    return finite(wanted < 0 ? cut * pow10(-wanted) : cut, scale);
  }

  ceil(): Decimal {
    if (this.kind !== FINITE) return this;
    const whole = this.trunc(0);
    return this.compare(whole) > 0 ? new Decimal(whole.unscaled + 1n, 0) : whole;
  }

  floor(): Decimal {
    if (this.kind !== FINITE) return this;
    const whole = this.trunc(0);
    return this.compare(whole) < 0 ? new Decimal(whole.unscaled - 1n, 0) : whole;
  }

  /** The same number with the fewest digits behind the point (trim_scale). */
  normalize(): Decimal {
    if (this.kind !== FINITE || this.scale === 0) return this;
    if (this.unscaled === 0n) return Decimal.ZERO;
    let { unscaled, scale } = this;
    while (scale >= 16 && unscaled % 10_000_000_000_000_000n === 0n) {
      unscaled /= 10_000_000_000_000_000n;
      scale -= 16;
    }
    while (scale > 0 && unscaled % 10n === 0n) {
      unscaled /= 10n;
      scale -= 1;
    }
    return scale === this.scale ? this : new Decimal(unscaled, scale);
  }

  /** Rounded to an integer; NaN and infinities are 0A000 as in PostgreSQL's casts. */
  toInteger(typeName: string): bigint {
    if (this.isNaN) throw new SqlError('0A000', `cannot convert NaN to ${typeName}`);
    if (this.kind !== FINITE) throw new SqlError('0A000', `cannot convert infinity to ${typeName}`);
    return this.scale === 0 ? this.unscaled : divideRounded(this.unscaled, pow10(this.scale));
  }

  toInt8(): bigint {
    const value = this.toInteger('bigint');
    if (BigInt.asIntN(64, value) !== value) throw new SqlError('22003', 'bigint out of range');
    return value;
  }

  toInt4(): number {
    const value = this.toInteger('integer');
    if (BigInt.asIntN(32, value) !== value) throw new SqlError('22003', 'integer out of range');
    return Number(value);
  }

  toInt2(): number {
    const value = this.toInteger('smallint');
    if (BigInt.asIntN(16, value) !== value) throw new SqlError('22003', 'smallint out of range');
    return Number(value);
  }

  /** Casts to float8: 22003 where the magnitude is beyond it. */
  toFloat8(): number {
    const value = this.toNumber();
    const isOut = !Number.isFinite(value) || (value === 0 && this.unscaled !== 0n);
    if (this.kind === FINITE && isOut) {
      throw new SqlError('22003', `"${this.toString()}" is out of range for type double precision`);
    }
    return value;
  }

  toFloat4(): number {
    const value = Math.fround(this.toNumber());
    if (
      this.kind === FINITE &&
      (!Number.isFinite(value) || (value === 0 && this.unscaled !== 0n))
    ) {
      throw new SqlError('22003', `"${this.toString()}" is out of range for type real`);
    }
    return value;
  }
}

/** By kind: finite, NaN, Infinity, -Infinity. */
const RANK_OF_KIND = [0, 2, 1, -1];

function rank(value: Decimal): number {
  return RANK_OF_KIND[value.kind]!;
}

function infinite(sign: number, isUndefined: boolean): Decimal {
  if (isUndefined || sign === 0) return Decimal.NAN;
  return sign > 0 ? Decimal.INFINITY : Decimal.MINUS_INFINITY;
}

/** A finite value within the format's limits. */
function finite(unscaled: bigint, scale: number): Decimal {
  if (scale > SCALE_MAX) {
    return finite(divideRounded(unscaled, pow10(scale - SCALE_MAX)), SCALE_MAX);
  }
  // A cheap bound first: only giant numbers are measured.
  if (
    BigInt.asIntN(4096, unscaled) !== unscaled &&
    digitCount(unscaled) - scale > WEIGHT_DIGITS_MAX
  ) {
    throw numericOverflow();
  }
  return new Decimal(unscaled, scale);
}

/** unscaled * 10^-scale for any scale, negative ones too. */
export function shifted(unscaled: bigint, scale: number): Decimal {
  if (unscaled === 0n) return new Decimal(0n, Math.max(0, Math.min(scale, SCALE_MAX)));
  if (scale >= 0) {
    if (scale > SCALE_MAX + WEIGHT_DIGITS_MAX) return new Decimal(0n, SCALE_MAX);
    return finite(unscaled, scale);
  }
  if (-scale > WEIGHT_DIGITS_MAX) throw numericOverflow();
  return finite(unscaled * pow10(-scale), 0);
}

function invalidNumeric(text: string): SqlError {
  return new SqlError('22P02', `invalid input syntax for type numeric: "${text}"`);
}

function parseSpecial(text: string): Decimal {
  switch (text.replace(BLANKS, '').toLowerCase()) {
    case 'nan':
      return Decimal.NAN;
    case 'infinity':
    case '+infinity':
    case 'inf':
    case '+inf':
      return Decimal.INFINITY;
    case '-infinity':
    case '-inf':
      return Decimal.MINUS_INFINITY;
    default:
      throw invalidNumeric(text);
  }
}

function fromFloat(value: number, digits: number): Decimal {
  if (Number.isNaN(value)) return Decimal.NAN;
  if (value === Number.POSITIVE_INFINITY) return Decimal.INFINITY;
  if (value === Number.NEGATIVE_INFINITY) return Decimal.MINUS_INFINITY;
  // %.15g drops trailing zeros behind the point.
  const [mantissa, exponent] = value.toExponential(digits - 1).split('e') as [string, string];
  const trimmed = mantissa.replace(/\.?0+$/, '');
  return Decimal.parse(`${trimmed}e${exponent}`);
}

/** Weight and value of the first base-10000 digit, as numeric.c sees a number; zero is (0, 0). */
export function leadingDigit(value: Decimal): { readonly weight: number; readonly digit: number } {
  const magnitude = value.unscaled < 0n ? -value.unscaled : value.unscaled;
  if (magnitude === 0n) return { weight: 0, digit: 0 };
  const digits = magnitude.toString();
  // Exponent of the first decimal digit.
  const exponent = digits.length - 1 - value.scale;
  const weight = Math.floor(exponent / 4);
  const length = exponent - weight * 4 + 1;
  return { weight, digit: Number(digits.slice(0, length).padEnd(length, '0')) };
}

/** select_div_scale of numeric.c. */
export function divisionScale(a: Decimal, b: Decimal): number {
  const x = leadingDigit(a);
  const y = leadingDigit(b);
  const weight = x.weight - y.weight - (x.digit <= y.digit ? 1 : 0);
  const scale = Math.max(SIGNIFICANT_DIGITS_MIN - weight * 4, a.scale, b.scale, 0);
  return Math.min(scale, DISPLAY_SCALE_MAX);
}

/** numeric(p,s): rounds to s digits, 22003 where more than p - s digits stand in front of the point. */
export function applyNumericTypmod(value: Decimal, typmod: number): Decimal {
  if (typmod < 4) return value;
  const precision = ((typmod - 4) >> 16) & 0xffff;
  const scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
  if (value.isNaN) return value;
  if (value.kind !== FINITE) throw fieldOverflow(precision, scale, 'an infinite value');
  const rounded = scale === value.scale ? value : value.round(scale);
  const limit = pow10(Math.max(0, precision - scale + rounded.scale));
  const magnitude = rounded.unscaled < 0n ? -rounded.unscaled : rounded.unscaled;
  if (magnitude >= limit && magnitude !== 0n) {
    const digits = precision - scale;
    throw fieldOverflow(precision, scale, digits === 0 ? '1' : `10^${digits}`);
  }
  return rounded;
}

function fieldOverflow(precision: number, scale: number, limit: string): SqlError {
  const detail =
    limit === 'an infinite value'
      ? `A field with precision ${precision}, scale ${scale} cannot hold an infinite value.`
      : `A field with precision ${precision}, scale ${scale} must round to an absolute value less than ${limit}.`;
  return new SqlError('22003', 'numeric field overflow', { detail });
}

/** Bytes of a numeric view: scale u16, kind u8, 0, then the unscaled integer (see the contract in data-type.ts). */
export function encodeDecimal(value: Decimal): Uint8Array {
  const { unscaled } = value;
  if (BigInt.asIntN(64, unscaled) === unscaled) {
    const bytes = new Uint8Array(12);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, value.scale, true);
    bytes[2] = value.kind;
    view.setBigInt64(4, unscaled, true);
    return bytes;
  }
  let words = 2;
  while (BigInt.asIntN(64 * words, unscaled) !== unscaled) words += 1;
  const bytes = new Uint8Array(4 + 8 * words);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, value.scale, true);
  bytes[2] = value.kind;
  let rest = unscaled;
  for (let word = 0; word < words; word += 1) {
    view.setBigUint64(4 + 8 * word, BigInt.asUintN(64, rest), true);
    rest >>= 64n;
  }
  return bytes;
}

export function decodeDecimal(bytes: Uint8Array): Decimal {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const scale = view.getUint16(0, true);
  const kind = bytes[2] as DecimalKind;
  const words = (bytes.length - 4) >> 3;
  let unscaled = view.getBigInt64(4 + 8 * (words - 1), true);
  for (let word = words - 2; word >= 0; word -= 1) {
    unscaled = (unscaled << 64n) | view.getBigUint64(4 + 8 * word, true);
  }
  return new Decimal(unscaled, scale, kind);
}
