/** float4 and float8 as text: shortest exact output (extra_float_digits >= 1), %g otherwise; strtod's input. */

import { SqlError } from '../base/sql-error.ts';

const BLANKS = /^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** 22P02, 22003. */
export function parseFloat8(text: string, typeName = 'double precision'): number {
  const trimmed = text.replace(BLANKS, '');
  if (NUMBER.test(trimmed)) {
    const value = Number(trimmed);
    const isLost = value === 0 && /[1-9]/.test(trimmed.replace(/[eE].*$/, ''));
    if (!Number.isFinite(value) || isLost) throw outOfRange(trimmed, typeName);
    return value;
  }
  switch (trimmed.toLowerCase()) {
    case 'nan':
      return Number.NaN;
    case 'infinity':
    case '+infinity':
    case 'inf':
    case '+inf':
      return Number.POSITIVE_INFINITY;
    case '-infinity':
    case '-inf':
      return Number.NEGATIVE_INFINITY;
    default:
      throw new SqlError('22P02', `invalid input syntax for type ${typeName}: "${text}"`);
  }
}

export function parseFloat4(text: string): number {
  const wide = parseFloat8(text, 'real');
  const value = toNearestFloat4(wide, text);
  if ((!Number.isFinite(value) && Number.isFinite(wide)) || (value === 0 && wide !== 0)) {
    throw outOfRange(text.replace(BLANKS, ''), 'real');
  }
  return value;
}

/** Rounding through a double goes wrong only where the double lies exactly between two floats: then the text decides. */
function toNearestFloat4(wide: number, text: string): number {
  const rounded = Math.fround(wide);
  if (rounded === wide || !Number.isFinite(rounded)) return rounded;
  const other = wide > rounded ? nextFloat4(rounded, 1) : nextFloat4(rounded, -1);
  if (Math.abs(wide - rounded) !== Math.abs(other - wide)) return rounded;
  const order = compareToText(wide, text.replace(BLANKS, ''));
  if (order === 0) return rounded;
  return order < 0 ? Math.max(rounded, other) : Math.min(rounded, other);
}

const CELL = new DataView(new ArrayBuffer(8));

function nextFloat4(value: number, direction: 1 | -1): number {
  CELL.setFloat32(0, value);
  const bits = CELL.getInt32(0);
  CELL.setInt32(0, value > 0 === direction > 0 ? bits + 1 : bits - 1);
  return CELL.getFloat32(0);
}

/** Sign of (value - the number that the text says), exactly. */
function compareToText(value: number, text: string): number {
  const [mantissa, exponent] = text.toLowerCase().split('e') as [string, string | undefined];
  const [whole, fraction] = mantissa.split('.') as [string, string | undefined];
  const digits = BigInt(`${whole.replace(/[+-]/, '')}${fraction ?? ''}` || '0');
  const power = Number(exponent ?? 0) - (fraction ?? '').length;
  CELL.setFloat64(0, Math.abs(value));
  const bits = CELL.getBigUint64(0);
  const binaryExponent = Number(bits >> 52n) - 1075;
  const significand = (bits & 0xf_ffff_ffff_ffffn) | (1n << 52n);
  const left =
    significand *
    (binaryExponent > 0 ? 1n << BigInt(binaryExponent) : 1n) *
    (power < 0 ? 10n ** BigInt(-power) : 1n);
  const right =
    digits *
    (binaryExponent < 0 ? 1n << BigInt(-binaryExponent) : 1n) *
    (power > 0 ? 10n ** BigInt(power) : 1n);
  const order = left < right ? -1 : left > right ? 1 : 0;
  return value < 0 ? -order : order;
}

function outOfRange(text: string, typeName: string): SqlError {
  return new SqlError('22003', `"${text}" is out of range for type ${typeName}`);
}

function special(value: number): string | null {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return null;
  return value > 0 ? 'Infinity' : '-Infinity';
}

export function formatFloat8(value: number, extraFloatDigits = 1): string {
  if (Number.isInteger(value) && extraFloatDigits > 0 && Math.abs(value) < 1e15) {
    return Object.is(value, -0) ? '-0' : String(value);
  }
  const name = special(value);
  if (name !== null) return name;
  if (extraFloatDigits <= 0) return general(value, Math.max(1, 15 + extraFloatDigits));
  return layout(value.toExponential(), 15);
}

export function formatFloat4(value: number, extraFloatDigits = 1): string {
  const name = special(value);
  if (name !== null) return name;
  if (Object.is(value, -0)) return '-0';
  if (extraFloatDigits <= 0) return general(value, Math.max(1, 6 + extraFloatDigits));
  for (let digits = 0; digits < 9; digits += 1) {
    const text = value.toExponential(digits);
    if (toNearestFloat4(Number(text), text) === value) return layout(text, 6);
  }
  return layout(value.toExponential(8), 6);
}

/** %.{precision}g. */
function general(value: number, precision: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const text = value.toExponential(precision - 1);
  return layout(text.replace(/\.?0+e/, 'e'), precision);
}

/** `d.ddde[+-]x` in plain digits for exponents -4 .. limit - 1, else with an exponent of two digits or more. */
function layout(exponential: string, limit: number): string {
  const [mantissa, exponentText] = exponential.split('e') as [string, string];
  const exponent = Number(exponentText);
  const sign = mantissa.startsWith('-') ? '-' : '';
  const trimmed = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
  if (exponent < -4 || exponent >= limit) {
    const size = String(Math.abs(exponent)).padStart(2, '0');
    return `${trimmed}e${exponent < 0 ? '-' : '+'}${size}`;
  }
  const digits = trimmed.replace(/[-.]/g, '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  if (digits.length <= exponent + 1) return sign + digits.padEnd(exponent + 1, '0');
  return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}

/** Order of floats: NaN is equal to itself and above all; -0 = 0. */
export function compareFloats(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}
