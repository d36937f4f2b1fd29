import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { BOOL, FLOAT8, INT4, INT8, TEXT, type Value } from '../types/data-type.ts';
import { buildBatch, readRow } from './build-batch.ts';
import { weightOf } from './concat.ts';
import { packBatch, unpackBatch } from './pack.ts';

const TYPES = [BOOL, INT4, INT8, FLOAT8, TEXT];
const ROWS: Value[][] = [
  [true, -1, 2n ** 63n - 1n, -0, 'short'],
  [false, null, null, Number.NaN, 'a text of more than twelve bytes, ä'],
  [null, 7, -(2n ** 63n), 1.5, null],
];

test('packed rows come back, several packs one after the other, cut to the batch size', () => {
  const scratch = new Scratch(Memory.create());
  const batch = buildBatch(TYPES, ROWS, scratch, [1, -2, 3]);
  const bytes = packBatch(batch, TYPES);
  const other = new Scratch(Memory.create());
  const batches = unpackBatch(Buffer.concat([bytes, bytes]), other, 2);
  assert.deepEqual(
    batches.map((part) => part.rowCount),
    [2, 1, 2, 1],
  );
  const rows = batches.flatMap((part) =>
    Array.from({ length: part.rowCount }, (_, row) => [
      weightOf(part, row),
      ...readRow(part, TYPES, row),
    ]),
  );
  const expected = ROWS.map((row, i) => [[1, -2, 3][i], ...row]);
  assert.deepEqual(rows, [...expected, ...expected]);
});

test('damaged packs are refused', () => {
  const scratch = new Scratch(Memory.create());
  const bytes = packBatch(buildBatch(TYPES, ROWS, scratch), TYPES);
  for (let length = 1; length < bytes.length; length += 1) {
    assert.throws(() => unpackBatch(bytes.subarray(0, length), scratch), /packed rows/);
  }
});
