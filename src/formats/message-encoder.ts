/**
 * What encoders of single messages (a Kafka record's key or value) have in common: a row's columns become the bytes of one
 * message, which the decoder of the same format reads back as equal values.
 */

import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { VIEW_INLINE_MAX } from '../memory/views.ts';
import type { DataType } from '../types/data-type.ts';
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
