/** Mathematical functions over floats, numeric and integers, with PostgreSQL's domain errors; random numbers and uuids. */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import { Decimal } from '../../types/decimal.ts';
import { roundEven } from '../../types/interval.ts';
import { defineFunction, defineGeneral, defineOperator } from '../registry.ts';
import { divisionByZero, floatResult, INT_TYPES, intOutOfRange, intResult } from './arithmetic.ts';

const PURE = { canFail: false } as const;

for (const type of INT_TYPES) {
  const big = (v: unknown): bigint => BigInt(v as number | bigint);
  defineGeneral(`abs(${type})`, type, ([a]) => intResult(type, big(a) < 0n ? -big(a) : big(a)));
  defineGeneral(`mod(${type},${type})`, type, ([a, b]) => {
    if (big(b) === 0n) throw divisionByZero();
    return intResult(type, big(a) % big(b));
  });
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let x = a < 0n ? -a : a;
  let y = b < 0n ? -b : b;
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

for (const type of ['int4', 'int8'] as const) {
  const big = (v: unknown): bigint => BigInt(v as number | bigint);
  defineGeneral(`gcd(${type},${type})`, type, ([a, b]) =>
    intResult(type, greatestCommonDivisor(big(a), big(b))),
  );
  defineGeneral(`lcm(${type},${type})`, type, ([a, b]) => {
    const divisor = greatestCommonDivisor(big(a), big(b));
    if (divisor === 0n) return intResult(type, 0n);
    const product = (big(a) / divisor) * big(b);
    return intResult(type, product < 0n ? -product : product);
  });
}

defineFunction('div(numeric,numeric)', 'numeric', (a, b) => a.divideTruncated(b));
defineFunction('mod(numeric,numeric)', 'numeric', (a, b) => a.mod(b));
defineFunction('abs(numeric)', 'numeric', (a) => a.abs(), PURE);
defineFunction('sign(numeric)', 'numeric', (a) => (a.isNaN ? a : Decimal.of(a.sign)), PURE);
defineFunction('round(numeric)', 'numeric', (a) => a.round(0));
defineFunction('round(numeric,int4)', 'numeric', (a, n) => a.round(n));
defineFunction('trunc(numeric)', 'numeric', (a) => a.trunc(0));
defineFunction('trunc(numeric,int4)', 'numeric', (a, n) => a.trunc(n));
for (const name of ['ceil', 'ceiling'] as const) {
  defineFunction(`${name}(numeric)`, 'numeric', (a) => a.ceil());
  defineFunction(`${name}(float8)`, 'float8', (a) => Math.ceil(a), PURE);
}
defineFunction('floor(numeric)', 'numeric', (a) => a.floor());
defineFunction('scale(numeric)', 'int4', (a) => (a.isFinite ? a.scale : null), PURE);
defineFunction(
  'min_scale(numeric)',
  'int4',
  (a) => (a.isFinite ? a.normalize().scale : null),
  PURE,
);
defineFunction('trim_scale(numeric)', 'numeric', (a) => a.normalize(), PURE);

for (const type of ['float4', 'float8'] as const) {
  defineFunction(`abs(${type})`, type, (a) => Math.abs(a), PURE);
}
defineFunction('sign(float8)', 'float8', (a) => (a > 0 ? 1 : a < 0 ? -1 : a), PURE);
defineFunction('round(float8)', 'float8', roundFloat, PURE);
/** rint: ties to even, the sign of a zero kept. */
function roundFloat(a: number): number {
  if (!Number.isFinite(a)) return a;
  const rounded = roundEven(a);
  return rounded === 0 && (a < 0 || Object.is(a, -0)) ? -0 : rounded;
}

defineFunction('trunc(float8)', 'float8', (a) => Math.trunc(a), PURE);
defineFunction('floor(float8)', 'float8', (a) => Math.floor(a), PURE);

function squareRoot(a: number): number {
  if (a < 0) throw new SqlError('2201F', 'cannot take square root of a negative number');
  return Math.sqrt(a);
}

function logarithmArgument(a: number): number {
  if (a === 0) throw new SqlError('2201E', 'cannot take logarithm of zero');
  if (a < 0) throw new SqlError('2201E', 'cannot take logarithm of a negative number');
  return a;
}

function power(a: number, b: number): number {
  if (a === 1 || b === 0) return 1;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.NaN;
  if (a === 0 && b < 0) throw new SqlError('2201F', 'zero raised to a negative power is undefined');
  if (a < 0 && Number.isFinite(b) && !Number.isInteger(b)) {
    throw new SqlError(
      '2201F',
      'a negative number raised to a non-integer power yields a complex result',
    );
  }
  // JavaScript gives NaN for (-1) ** Infinity where C and SQL give 1.
  if (a === -1 && !Number.isFinite(b)) return 1;
  return floatResult(
    'float8',
    a ** b,
    !Number.isFinite(a) || !Number.isFinite(b),
    a === 0 || !Number.isFinite(a) || !Number.isFinite(b),
  );
}

defineFunction('sqrt(float8)', 'float8', squareRoot);
defineOperator('|/(float8)', 'float8', squareRoot);
defineFunction('cbrt(float8)', 'float8', (a) => Math.cbrt(a), PURE);
defineOperator('||/(float8)', 'float8', (a) => Math.cbrt(a), PURE);
defineFunction('exp(float8)', 'float8', (a) =>
  floatResult('float8', Math.exp(a), a === Infinity, a === -Infinity),
);
defineFunction('ln(float8)', 'float8', (a) => Math.log(logarithmArgument(a)));
defineFunction('log(float8)', 'float8', (a) => Math.log10(logarithmArgument(a)));
defineFunction('log10(float8)', 'float8', (a) => Math.log10(logarithmArgument(a)));
defineOperator('^(float8,float8)', 'float8', power);
defineFunction('power(float8,float8)', 'float8', power);
defineFunction('pow(float8,float8)', 'float8', power);
defineFunction('pi()', 'float8', () => Math.PI, PURE);
defineFunction('degrees(float8)', 'float8', (a) =>
  floatResult('float8', a / (Math.PI / 180), !Number.isFinite(a), a === 0),
);
defineFunction('radians(float8)', 'float8', (a) => a * (Math.PI / 180), PURE);

function inDomain(isIn: boolean): void {
  if (!isIn) throw new SqlError('22003', 'input is out of range');
}

type FloatFunction = (a: number) => number;
const TRIGONOMETRY: readonly (readonly [string, FloatFunction, (a: number) => boolean])[] = [
  ['sin', Math.sin, (a) => Number.isFinite(a) || Number.isNaN(a)],
  ['cos', Math.cos, (a) => Number.isFinite(a) || Number.isNaN(a)],
  ['tan', Math.tan, (a) => Number.isFinite(a) || Number.isNaN(a)],
  ['cot', (a) => 1 / Math.tan(a), (a) => Number.isFinite(a) || Number.isNaN(a)],
  ['asin', Math.asin, (a) => !(Math.abs(a) > 1)],
  ['acos', Math.acos, (a) => !(Math.abs(a) > 1)],
  ['atan', Math.atan, () => true],
  ['sinh', Math.sinh, () => true],
  ['cosh', Math.cosh, () => true],
  ['tanh', Math.tanh, () => true],
  ['asinh', Math.asinh, () => true],
  ['acosh', Math.acosh, (a) => !(a < 1)],
  ['atanh', Math.atanh, (a) => !(Math.abs(a) > 1)],
];

for (const [name, apply, isIn] of TRIGONOMETRY) {
  defineGeneral(`${name}(float8)`, 'float8', ([a]) => {
    inDomain(isIn(a as number));
    return apply(a as number);
  });
}
defineFunction('atan2(float8,float8)', 'float8', (a, b) => Math.atan2(a, b), PURE);

defineFunction('factorial(int8)', 'numeric', (n) => {
  if (n < 0n) throw new SqlError('22003', 'factorial of a negative number is undefined');
  if (n > 32177n) throw new SqlError('22003', 'value overflows numeric format');
  let product = 1n;
  for (let i = 2n; i <= n; i += 1n) product *= i;
  return Decimal.of(product);
});

defineFunction('width_bucket(float8,float8,float8,int4)', 'int4', (x, low, high, count) => {
  if (count <= 0) throw new SqlError('2201G', 'count must be greater than zero');
  if (Number.isNaN(x) || Number.isNaN(low) || Number.isNaN(high)) {
    throw new SqlError('2201G', 'operand, lower bound, and upper bound cannot be NaN');
  }
  if (!Number.isFinite(low) || !Number.isFinite(high)) {
    throw new SqlError('2201G', 'lower and upper bounds must be finite');
  }
  if (low === high) throw new SqlError('2201G', 'lower bound cannot equal upper bound');
  const isAscending = low < high;
  if (isAscending ? x < low : x > low) return 0;
  if (isAscending ? x >= high : x <= high) {
    if (count === 2147483647) throw intOutOfRange('int4');
    return count + 1;
  }
  return Math.floor((count * (x - low)) / (high - low)) + 1;
});

const VOLATILE = { volatility: 'volatile', canFail: false } as const;
defineGeneral('random()', 'float8', (_, call) => must(call.random).float(), VOLATILE);
defineGeneral(
  'gen_random_uuid()',
  'uuid',
  (_, call) => uuidOf(must(call.random).bytes(16)),
  VOLATILE,
);

/** A version 4 uuid of 16 random bytes. */
function uuidOf(bytes: Uint8Array): string {
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Buffer.from(bytes).toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
