import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { INT4, TEXT, type Value } from '../types/data-type.ts';
import { readRow } from './build-batch.ts';
import { ColumnBuilder } from './column-builder.ts';
import { copyBatch, weightOf } from './concat.ts';
import type { DeltaBatch } from './delta-batch.ts';

const TYPES = [TEXT, INT4, TEXT];

/** Rows whose texts lie side by side, `gap` bytes between rows. */
function batchOf(rows: readonly (readonly Value[])[], gap: number, scratch: Scratch): DeltaBatch {
  const { memory } = scratch;
  const builders = TYPES.map((type) => new ColumnBuilder(memory, scratch, type, rows.length));
  for (const row of rows) {
    for (const [c, builder] of builders.entries()) builder.appendValue(row[c]!);
    scratch.alloc(16 + gap);
  }
  const weights = scratch.alloc(Math.max(16, 4 * rows.length));
  rows.forEach((_, i) => {
    memory.i32[(weights >>> 2) + i] = i - 1;
  });
  const columns = builders.map((builder) => builder.build());
  return { memory, rowCount: rows.length, columns, weights, rowWatermarks: 0 };
}

/** What a batch holds; then its memory is overwritten, and a copy has to hold it still. */
function assertCopied(rows: readonly (readonly Value[])[], gap: number): void {
  const source = new Scratch(Memory.create());
  const mark = source.mark();
  const batch = batchOf(rows, gap, source);
  const target = new Scratch(Memory.create());
  const copy = copyBatch(batch, target);
  source.release(mark);
  const used = source.alloc(1_000_000);
  source.memory.u8.fill(0xee, used, used + 1_000_000);
  const found = rows.map((_, i) => [weightOf(copy, i), ...readRow(copy, TYPES, i)]);
  assert.deepEqual(
    found,
    rows.map((row, i) => [i - 1, ...row]),
  );
}

test('a copy owns its long texts, whether they lie close together or far apart', () => {
  const long = (i: number) =>
    `${i}: a text of more than twelve bytes, ä${'x'.repeat(Math.abs(i) % 7)}`;
  const rows = Array.from({ length: 100 }, (_, i): Value[] => [
    i % 5 === 0 ? null : long(i),
    i % 3 === 0 ? null : i,
    i % 2 === 0 ? 'short' : long(-i),
  ]);
  for (const gap of [0, 40, 5000]) assertCopied(rows, gap);
  const oneColumn = rows.map(([text, number]): Value[] => [text!, number!, 'short']);
  for (const gap of [0, 5000]) assertCopied(oneColumn, gap);
  assertCopied([['x'.repeat(100_000), 1, null]], 0);
  assertCopied([], 0);
});
