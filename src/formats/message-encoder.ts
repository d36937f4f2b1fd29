/**
 * What encoders of single messages (a Kafka record's key or value) have in common: a row's columns become the bytes of one
 * message, which the decoder of the same format reads back as equal values.
 */

import { SqlError } from '../base/sql-error.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { VIEW_INLINE_MAX } from '../memory/views.ts';
import type { DataType, Value } from '../types/data-type.ts';
import type { ByteWriter } from './byte-writer.ts';

export interface MessageEncoder {
  /**
   * Appends row `row` of the batch. Throws SqlError for a value that the format cannot carry; `out` then holds a part of the
   * message, which the caller takes back with `truncate`.
   */
  append(batch: DeltaBatch, row: number, out: ByteWriter): void;
}

/** A field of the message. */
export interface EncodedColumn {
  readonly name: string;
  readonly type: DataType;
  /** Which of the batch's columns it is. */
  readonly index: number;
}

/** Writes the value at `row`, which is not NULL. */
export type ColumnWriter = (
  batch: DeltaBatch,
  column: Column,
  row: number,
  out: ByteWriter,
) => void;

/** Writes a value that is not NULL. */
export type ValueWriter = (value: NonNullable<Value>, out: ByteWriter) => void;

/** Where the bytes of a `view` value lie, and how many they are. */
export interface Span {
  at: number;
  size: number;
}

/** The bytes of the view at `row`, into `span`. */
export function viewSpan({ memory }: DeltaBatch, column: Column, row: number, span: Span): void {
  const view = column.values + 16 * row;
  const size = memory.u32[view >>> 2]!;
  span.size = size;
  span.at = size > VIEW_INLINE_MAX ? memory.u32[(view >>> 2) + 3]! : view + 4;
}

const span: Span = { at: 0, size: 0 };

/** The bytes of the view at `row`, where they lie. */
export function viewBytes(batch: DeltaBatch, column: Column, row: number): Uint8Array {
  viewSpan(batch, column, row, span);
  return batch.memory.u8.subarray(span.at, span.at + span.size);
}

/**
 * 42602 where a schema cannot have this name (which may be qualified) or these columns as its fields. `format` and `kind`: what
 * it is the name of, such as "an Avro" "record".
 */
export function checkSchemaNames(
  format: string,
  kind: string,
  name: string,
  columns: readonly { readonly name: string }[],
): void {
  checkName(name, /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/, `${format} ${kind}`);
  for (const column of columns) checkName(column.name, /^[A-Za-z_]\w*$/, `${format} field`);
}

function checkName(name: string, pattern: RegExp, what: string): void {
  if (pattern.test(name)) return;
  throw new SqlError('42602', `"${name}" cannot be the name of ${what}`, {
    hint: 'Names are letters, digits and underscores: rename the column with AS.',
  });
}
