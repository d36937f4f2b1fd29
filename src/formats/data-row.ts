/**
 * DataRow messages from a batch: 'D', length, column count, then each value's length and bytes, in text or binary format.
 *
 * Text strings are copied from memory as bytes; integers are written digit by digit where they are small; the rest goes
 * through one value at a time. Cost: O(bytes written).
 */

import { must } from '../base/assert.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { isNull, readValue } from '../batch/read-value.ts';
import type { DataType } from '../types/data-type.ts';
import { formatValue, type ValueSettings } from '../types/value.ts';
import { sendValue } from './binary.ts';
import { int64Text } from './int64-text.ts';

/** The output buffer; whole messages are written at `length`. */
export interface RowSink {
  /** Replaced by `ensure`: read it again after each. */
  buffer: Buffer;
  length: number;
  /** Encoding stops behind the row that takes `length` past this. */
  readonly softLimit: number;
  /** At least `size` free bytes behind `length`. */
  ensure(size: number): void;
}

const DATA_ROW = 0x44;
const NULL_LENGTH = -1;
const HEADER_BYTES = 7;
const INLINE_BYTES = 12;

/** Writes a value's length and bytes at `sink.length`. */
type ValueWriter = (batch: DeltaBatch, column: Column, row: number, sink: RowSink) => void;

/** Rows from `fromRow` on; gives the next row to encode (batch.rowCount when all are done). */
export function encodeDataRows(
  batch: DeltaBatch,
  types: readonly DataType[],
  formats: readonly number[],
  settings: ValueSettings,
  sink: RowSink,
  fromRow = 0,
): number {
  const writers = types.map((type, index) => writerOf(type, formats[index] ?? 0, settings));
  const columns = types.map((_, index) => must(batch.columns[index]));
  for (let row = fromRow; row < batch.rowCount; row++) {
    if (sink.length > sink.softLimit) return row;
    encodeRow(batch, columns, writers, row, sink);
  }
  return batch.rowCount;
}

function encodeRow(
  batch: DeltaBatch,
  columns: readonly Column[],
  writers: readonly ValueWriter[],
  row: number,
  sink: RowSink,
): void {
  const start = sink.length;
  sink.ensure(HEADER_BYTES);
  sink.buffer[start] = DATA_ROW;
  sink.buffer.writeInt16BE(columns.length, start + 5);
  sink.length = start + HEADER_BYTES;
  for (let index = 0; index < columns.length; index++) {
    const column = columns[index]!;
    if (isNull(batch, column, row)) {
      sink.ensure(4);
      sink.buffer.writeInt32BE(NULL_LENGTH, sink.length);
      sink.length += 4;
    } else writers[index]!(batch, column, row, sink);
  }
  sink.buffer.writeInt32BE(sink.length - start - 1, start + 1);
}

const BYTES_AS_THEY_ARE: ReadonlySet<string> = new Set([
  'text',
  'varchar',
  'bpchar',
  'name',
  'json',
  'unknown',
  'char',
]);

function writerOf(type: DataType, format: number, settings: ValueSettings): ValueWriter {
  if (BYTES_AS_THEY_ARE.has(type.id) || (type.id === 'jsonb' && format === 0)) return writeView;
  if (format === 1) return binaryWriter(type, settings);
  switch (type.id) {
    case 'bool':
      return writeBool;
    case 'int2':
    case 'int4':
      return writeInt32;
    case 'int8':
    case 'oid':
      return writeInt64;
    default:
      return textWriter(type, settings);
  }
}

function writeBool({ memory }: DeltaBatch, column: Column, row: number, sink: RowSink): void {
  writeAscii(memory.u8[column.values + row] === 0 ? 'f' : 't', sink);
}

function writeInt32({ memory }: DeltaBatch, column: Column, row: number, sink: RowSink): void {
  writeAscii(String(memory.i32[(column.values >>> 2) + row]), sink);
}

function writeInt64({ memory }: DeltaBatch, column: Column, row: number, sink: RowSink): void {
  writeAscii(int64Text(memory, column.values + 8 * row), sink);
}

function writeAscii(text: string, sink: RowSink): void {
  sink.ensure(4 + text.length);
  sink.buffer.writeInt32BE(text.length, sink.length);
  sink.buffer.write(text, sink.length + 4, 'latin1');
  sink.length += 4 + text.length;
}

/** A string's bytes as they lie in memory. */
function writeView({ memory }: DeltaBatch, column: Column, row: number, sink: RowSink): void {
  const at = column.values + 16 * row;
  const size = memory.u32[at >>> 2]!;
  const from = size <= INLINE_BYTES ? at + 4 : memory.u32[(at >>> 2) + 3]!;
  sink.ensure(4 + size);
  sink.buffer.writeInt32BE(size, sink.length);
  sink.buffer.set(memory.u8.subarray(from, from + size), sink.length + 4);
  sink.length += 4 + size;
}

function writeBytes(bytes: Uint8Array, sink: RowSink): void {
  sink.ensure(4 + bytes.length);
  sink.buffer.writeInt32BE(bytes.length, sink.length);
  sink.buffer.set(bytes, sink.length + 4);
  sink.length += 4 + bytes.length;
}

function textWriter(type: DataType, settings: ValueSettings): ValueWriter {
  return (batch, column, row, sink) => {
    const value = must(readValue(batch.memory, column, type, row));
    writeBytes(Buffer.from(formatValue(type, value, settings)), sink);
  };
}

function binaryWriter(type: DataType, settings: ValueSettings): ValueWriter {
  return (batch, column, row, sink) => {
    const value = must(readValue(batch.memory, column, type, row));
    writeBytes(sendValue(type, value, settings), sink);
  };
}
