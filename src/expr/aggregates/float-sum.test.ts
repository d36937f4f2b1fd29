import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roundRatio } from './float-sum.ts';
import { divideNumeric } from './numeric-bytes.ts';

test('the exact ratio is rounded once, to even, down to the least double', () => {
  assert.equal(roundRatio(1n, 3n, 0), 1 / 3);
  assert.equal(roundRatio(-2n, 3n, 0), -2 / 3);
  assert.equal(roundRatio(1n, 1n, -1074), Number.MIN_VALUE);
  assert.equal(roundRatio(1n, 2n, -1074), 0);
  assert.equal(roundRatio(3n, 2n, -1074), 2 * Number.MIN_VALUE);
  assert.equal(roundRatio(5n, 2n, -1074), 2 * Number.MIN_VALUE);
  assert.equal(roundRatio((1n << 53n) + 1n, 1n, 0), 2 ** 53);
  assert.equal(roundRatio((1n << 53n) + 3n, 1n, 0), 2 ** 53 + 4);
  assert.equal(roundRatio((1n << 53n) - 1n, 1n, 971), Number.MAX_VALUE);
  assert.equal(roundRatio(1n, 1n, 1024), Number.POSITIVE_INFINITY);
  assert.equal(roundRatio(10n ** 40n, 7n, 0), Number(10n ** 40n / 7n));
});

test('a quotient has the scale that PostgreSQL gives it', () => {
  assert.deepEqual(divideNumeric(10n, 0, 4n), { unscaled: 25000000000000000n, scale: 16 });
  assert.deepEqual(divideNumeric(1n, 0, 3n), { unscaled: 33333333333333333333n, scale: 20 });
  assert.deepEqual(divideNumeric(-2n, 0, 3n), { unscaled: -66666666666666666667n, scale: 20 });
});
