/** Arithmetic and bit operators over integers, floats and numeric: PostgreSQL's overloads, overflow and division errors. */

import { SqlError } from '../../base/sql-error.ts';
import type { Value } from '../../types/data-type.ts';
import type { Decimal } from '../../types/decimal.ts';
import { defineGeneralOperator, defineOperator } from '../registry.ts';

export type IntType = 'int2' | 'int4' | 'int8';
export const INT_TYPES: readonly IntType[] = ['int2', 'int4', 'int8'];
const BITS: Readonly<Record<IntType, number>> = { int2: 16, int4: 32, int8: 64 };
const NAMES: Readonly<Record<IntType, string>> = {
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
};

export function divisionByZero(): SqlError {
  return new SqlError('22012', 'division by zero');
}

export function intOutOfRange(type: IntType): SqlError {
  return new SqlError('22003', `${NAMES[type]} out of range`);
}

/** The exact result as a value of `type`; 22003 where it does not fit. */
export function intResult(type: IntType, exact: bigint): number | bigint {
  if (BigInt.asIntN(BITS[type], exact) !== exact) throw intOutOfRange(type);
  return type === 'int8' ? exact : Number(exact);
}

function widerOf(a: IntType, b: IntType): IntType {
  return BITS[a] >= BITS[b] ? a : b;
}

function big(value: Value | undefined): bigint {
  return typeof value === 'bigint' ? value : BigInt(value as number);
}

type IntOperation = (a: bigint, b: bigint, type: IntType) => bigint;

function divide(a: bigint, b: bigint): bigint {
  if (b === 0n) throw divisionByZero();
  return a / b;
}

function remainder(a: bigint, b: bigint): bigint {
  if (b === 0n) throw divisionByZero();
  return a % b;
}

const INT_OPERATIONS: readonly (readonly [string, IntOperation])[] = [
  ['+', (a, b) => a + b],
  ['-', (a, b) => a - b],
  ['*', (a, b) => a * b],
  ['/', divide],
];

for (const [name, operation] of INT_OPERATIONS) {
  for (const left of INT_TYPES) {
    for (const right of INT_TYPES) {
      const type = widerOf(left, right);
      const body = ([a, b]: readonly Value[]): Value =>
        intResult(type, operation(big(a), big(b), type));
      defineGeneralOperator(`${name}(${left},${right})`, type, body);
    }
  }
}

/** Bit operators and % take two integers of one type. */
const SAME_TYPE_OPERATIONS: readonly (readonly [string, IntOperation])[] = [
  ['%', remainder],
  ['&', (a, b) => a & b],
  ['|', (a, b) => a | b],
  ['#', (a, b) => a ^ b],
];

for (const type of INT_TYPES) {
  for (const [name, operation] of SAME_TYPE_OPERATIONS) {
    const body = ([a, b]: readonly Value[]): Value =>
      intResult(type, operation(big(a), big(b), type));
    defineGeneralOperator(`${name}(${type},${type})`, type, body, { canFail: name === '%' });
  }
  const wrap = (exact: bigint): Value => intResult(type, BigInt.asIntN(BITS[type], exact));
  // Shift counts wrap at the width of C's int or long, as PostgreSQL's do.
  const mask = BigInt(Math.max(32, BITS[type]) - 1);
  defineGeneralOperator(`<<(${type},int4)`, type, ([a, n]) => wrap(big(a) << (big(n) & mask)), {
    canFail: false,
  });
  defineGeneralOperator(`>>(${type},int4)`, type, ([a, n]) => wrap(big(a) >> (big(n) & mask)), {
    canFail: false,
  });
  defineGeneralOperator(`~(${type})`, type, ([a]) => wrap(~big(a)), { canFail: false });
  defineGeneralOperator(`+(${type})`, type, ([a]) => a ?? null, { canFail: false });
  defineGeneralOperator(`-(${type})`, type, ([a]) => intResult(type, -big(a)));
  defineGeneralOperator(`@(${type})`, type, ([a]) =>
    intResult(type, big(a) < 0n ? -big(a) : big(a)),
  );
}

function floatOverflow(): SqlError {
  return new SqlError('22003', 'value out of range: overflow');
}

function floatUnderflow(): SqlError {
  return new SqlError('22003', 'value out of range: underflow');
}

export type FloatType = 'float4' | 'float8';

/** The result rounded to its type; an infinity or a zero that the operands do not explain is an error. */
export function floatResult(
  type: FloatType,
  raw: number,
  mayBeInfinite: boolean,
  mayBeZero: boolean,
): number {
  const result = type === 'float4' ? Math.fround(raw) : raw;
  if ((result === Infinity || result === -Infinity) && !mayBeInfinite) throw floatOverflow();
  if (result === 0 && !mayBeZero) throw floatUnderflow();
  return result;
}

function isInfinite(x: number): boolean {
  return x === Infinity || x === -Infinity;
}

type FloatOperation = (a: number, b: number, type: FloatType) => number;

function multiplyFloat(a: number, b: number, type: FloatType): number {
  return floatResult(type, a * b, isInfinite(a) || isInfinite(b), a === 0 || b === 0);
}

function divideFloat(a: number, b: number, type: FloatType): number {
  if (b === 0 && !Number.isNaN(a)) throw divisionByZero();
  return floatResult(type, a / b, isInfinite(a), a === 0 || isInfinite(b));
}

const FLOAT_OPERATIONS: readonly (readonly [string, FloatOperation])[] = [
  ['+', (a, b, type) => floatResult(type, a + b, isInfinite(a) || isInfinite(b), true)],
  ['-', (a, b, type) => floatResult(type, a - b, isInfinite(a) || isInfinite(b), true)],
  ['*', multiplyFloat],
  ['/', divideFloat],
];

const FLOAT_PAIRS: readonly (readonly [FloatType, FloatType, FloatType])[] = [
  ['float4', 'float4', 'float4'],
  ['float8', 'float8', 'float8'],
  ['float4', 'float8', 'float8'],
  ['float8', 'float4', 'float8'],
];

for (const [name, operation] of FLOAT_OPERATIONS) {
  for (const [left, right, type] of FLOAT_PAIRS) {
    defineGeneralOperator(`${name}(${left},${right})`, type, ([a, b]) =>
      operation(a as number, b as number, type),
    );
  }
}

for (const type of ['float4', 'float8'] as const) {
  defineOperator(`+(${type})`, type, (a) => a, { canFail: false });
  defineOperator(`-(${type})`, type, (a) => -a, { canFail: false });
  defineOperator(`@(${type})`, type, (a) => Math.abs(a), { canFail: false });
}

type DecimalOperation = (a: Decimal, b: Decimal) => Decimal;

const DECIMAL_OPERATIONS: readonly (readonly [string, DecimalOperation])[] = [
  ['+', (a, b) => a.add(b)],
  ['-', (a, b) => a.subtract(b)],
  ['*', (a, b) => a.multiply(b)],
  ['/', (a, b) => a.divide(b)],
  ['%', (a, b) => a.mod(b)],
];

for (const [name, operation] of DECIMAL_OPERATIONS) {
  const body = ([a, b]: readonly Value[]): Value => operation(a as Decimal, b as Decimal);
  defineGeneralOperator(`${name}(numeric,numeric)`, 'numeric', body);
}

defineOperator('+(numeric)', 'numeric', (a) => a, { canFail: false });
defineOperator('-(numeric)', 'numeric', (a) => a.negate(), { canFail: false });
defineOperator('@(numeric)', 'numeric', (a) => a.abs(), { canFail: false });
