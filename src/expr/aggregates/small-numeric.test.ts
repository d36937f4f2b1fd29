import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../base/random.ts';
import { divideNumeric, numericBytes } from './numeric-bytes.ts';
import { smallAverage, smallNumeric } from './small-numeric.ts';

const LIMIT = Number.MAX_SAFE_INTEGER;
const EDGES = [0, 1, 2, 3, 7, 9999, 10_000, 10_001, 99_999_999, 100_000_000, 2 ** 31, 2 ** 32];
const COUNTS = [1, 2, 3, 6, 7, 9999, 10_000, 10_001, 12_345_678, 2 ** 32, 900_719_925_474];

function check(sum: number, count: number): void {
  assert.deepEqual(new Uint8Array(smallNumeric(sum)), numericBytes(0, BigInt(sum), 0), `${sum}`);
  const { unscaled, scale } = divideNumeric(BigInt(sum), 0, BigInt(count));
  const average = smallAverage(sum, count);
  assert.ok(average, `${count}`);
  assert.deepEqual(new Uint8Array(average), numericBytes(0, unscaled, scale), `${sum} / ${count}`);
}

test('sums and averages in plain numbers have the bytes of exact ones', () => {
  for (const count of COUNTS) {
    for (const edge of [...EDGES, 2 ** 52, LIMIT - 1, LIMIT]) {
      check(edge, count);
      if (edge > 0) check(-edge, count);
    }
  }
  const random = new Random(20261121);
  for (let i = 0; i < 20_000; i += 1) {
    const sum = Math.floor(2 ** random.below(54) * (random.below(1_000_000) / 1_000_000));
    const count = 1 + random.below(2 ** random.below(32));
    check(i % 2 === 0 || sum === 0 ? sum : -sum, count);
  }
  assert.equal(smallAverage(1, 2 ** 40), null);
});
