import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../base/random.ts';
import { sortInSteps } from './sort.ts';

/** The rows sorted, and after how many steps. */
function sorted(rows: readonly number[], compare: (a: number, b: number) => number) {
  const result = Uint32Array.from(rows);
  let steps = 0;
  for (const _ of sortInSteps(result, compare)) steps += 1;
  return { rows: [...result], steps };
}

test('a sort in steps is a stable sort, whatever the number of rows', () => {
  const random = new Random(7);
  // Rows are compared by a part of their number: many are equal.
  const compare = (a: number, b: number) => (a % 100) - (b % 100);
  for (const count of [0, 1, 2, 4095, 4096, 4097, 8192, 8193, 12_289, 40_000]) {
    const rows = Array.from({ length: count }, () => random.below(1_000_000));
    const { rows: result, steps } = sorted(rows, compare);
    assert.deepEqual(result, rows.toSorted(compare), `${count} rows`);
    assert.equal(steps === 0, count <= 4096);
  }
});
