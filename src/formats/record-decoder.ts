/**
 * What decoders of line formats (CSV, NDJSON) have in common: they find the next record in a buffer, then put it into column
 * builders, without an object per row.
 *
 * Use: `scan` at an offset; -1 asks for more bytes; else `append` or leave it out. `append` throws the value's SqlError with
 * `errorOffset` set; the builders then hold a part of the row, which the caller takes back with `truncate`.
 */

import { SqlError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';

export interface RecordDecoder {
  /**
   * Finds the record that starts at `at`, in bytes[at, end); returns the offset behind it (its line end included), or -1 when
   * it does not end there. `isLast`: no more bytes follow, the end of the bytes ends the record.
   */
  scan(bytes: Buffer, at: number, end: number, isLast: boolean): number;
  /** Of the record found: it holds nothing and is no row. */
  readonly isBlank: boolean;
  /** Of the record found: line ends in it, its own included. */
  readonly lineCount: number;
  /** Appends the record found: one value to each builder. */
  append(bytes: Buffer, builders: readonly ColumnBuilder[]): void;
  /** After append threw: offset in `bytes` of the value or byte that is wrong. */
  readonly errorOffset: number;
}

/** The same error, told of a column. */
export function inColumn(error: unknown, column: string): unknown {
  if (!(error instanceof SqlError)) return error;
  return new SqlError(error.sqlstate, `column "${column}": ${error.message}`, error.fields);
}
