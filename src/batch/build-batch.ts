/** Batches from rows of JavaScript values and back: for literals, tests and small results, not for the data path. */

import type { Scratch } from '../memory/scratch.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { ColumnBuilder } from './column-builder.ts';
import type { Column, DeltaBatch } from './delta-batch.ts';
import { readValue } from './read-value.ts';
import { selectColumn } from './select.ts';

/** A batch of rows of JavaScript values; `weights` absent: all +1. */
export function buildBatch(
  types: readonly DataType[],
  rows: readonly (readonly Value[])[],
  scratch: Scratch,
  weights: readonly number[] | null = null,
): DeltaBatch {
  const { memory } = scratch;
  const columns = types.map((type, c) => {
    const builder = new ColumnBuilder(memory, scratch, type, rows.length);
    for (const row of rows) builder.appendValue(row[c] ?? null);
    return builder.build();
  });
  let address = 0;
  if (weights !== null) {
    address = scratch.alloc(Math.max(16, 4 * rows.length));
    memory.i32.set(weights, address >>> 2);
  }
  return { memory, rowCount: rows.length, columns, weights: address, rowWatermarks: 0 };
}

/** A column of n times the same value. */
export function constantColumn(type: DataType, value: Value, n: number, scratch: Scratch): Column {
  const one = buildBatch([type], [[value]], scratch).columns[0]!;
  if (n === 1) return one;
  const zeros = scratch.allocZeroed(Math.max(16, 4 * n));
  return selectColumn(scratch.memory, one, zeros, n, scratch);
}

/** Row `row` of a batch as JavaScript values. */
export function readRow(batch: DeltaBatch, types: readonly DataType[], row: number): Value[] {
  return batch.columns.map((column, c) => readValue(batch.memory, column, types[c]!, row));
}
