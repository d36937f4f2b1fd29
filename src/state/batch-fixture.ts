/** Batches of plain values, for tests of what lies below the value codecs. */

import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { storageWidth } from '../batch/delta-batch.ts';
import type { Scratch } from '../memory/scratch.ts';
import { viewBytes, writeView } from '../memory/views.ts';
import type { DataType } from '../types/data-type.ts';

export type Value = null | boolean | number | bigint | string;

export function buildBatch(
  types: readonly DataType[],
  rows: readonly (readonly Value[])[],
  scratch: Scratch,
  weights?: readonly number[],
): DeltaBatch {
  const columns = types.map((type, c) =>
    buildColumn(
      type,
      rows.map((row) => row[c]!),
      scratch,
    ),
  );
  const address = weights === undefined ? 0 : scratch.alloc(4 * rows.length);
  if (weights !== undefined) scratch.memory.i32.set(weights, address >>> 2);
  const { memory } = scratch;
  return { memory, rowCount: rows.length, columns, weights: address, rowWatermarks: 0 };
}

function buildColumn(type: DataType, values: readonly Value[], scratch: Scratch): Column {
  const { memory } = scratch;
  const base = scratch.allocZeroed(storageWidth(type.storage) * values.length + 16);
  const validity = scratch.allocZeroed((values.length >>> 3) + 1);
  values.forEach((value, row) => {
    if (value === null) return;
    memory.u8[validity + (row >>> 3)]! |= 1 << (row & 7);
    if (typeof value === 'bigint') memory.i64[(base >>> 3) + row] = value;
    else if (typeof value === 'boolean') memory.u8[base + row] = value ? 1 : 0;
    else if (typeof value === 'string') {
      writeView(memory, base + 16 * row, Buffer.from(value), scratch);
    } else if (type.storage === 'i32') memory.i32[(base >>> 2) + row] = value;
    else memory.f64[(base >>> 3) + row] = value;
  });
  const hasNulls = values.includes(null);
  return { storage: type.storage, values: base, validity: hasNulls ? validity : 0 };
}

export function readRow(batch: DeltaBatch, row: number): Value[] {
  return batch.columns.map((column) => readValue(batch, column, row));
}

function readValue({ memory }: DeltaBatch, column: Column, row: number): Value {
  const { storage, values, validity } = column;
  if (validity !== 0 && ((memory.u8[validity + (row >>> 3)]! >>> (row & 7)) & 1) === 0) return null;
  switch (storage) {
    case 'u8':
      return memory.u8[values + row] === 1;
    case 'i32':
      return memory.i32[(values >>> 2) + row]!;
    case 'i64':
      return memory.i64[(values >>> 3) + row]!;
    case 'f64':
      return memory.f64[(values >>> 3) + row]!;
    case 'view':
      return Buffer.from(viewBytes(memory, values + 16 * row)).toString();
  }
}
