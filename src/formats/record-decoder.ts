/**
 * What decoders of line formats (CSV, NDJSON) have in common: they find the next record in a buffer, then put it into column
 * builders, without an object per row.
 *
 * Use: `scan` at an offset; -1 asks for more bytes; else `append` or leave it out. `append` gives what is wrong with the record,
 * with `errorOffset` set; the builders then hold a part of the row, which the caller takes back with `truncate`. It is a
 * result: to throw an error takes V8 as long as to read three good records.
 */

import { type DataError, SqlError, sqlErrorOf } from '../base/sql-error.ts';
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
  /** Appends the record found: one value to each builder. null: nothing is wrong with it. */
  append(bytes: Buffer, builders: readonly ColumnBuilder[]): DataError | null;
  /** Where something was wrong: offset in `bytes` of the value or byte that is wrong. */
  readonly errorOffset: number;
}

/** What was thrown: an error of the record, told of the column where there is one; another one, also that memory ends, is thrown on. */
export function userError(thrown: unknown, column?: string): SqlError {
  if (!(thrown instanceof SqlError) || thrown.sqlstate.startsWith(NO_RESOURCES)) throw thrown;
  return column === undefined ? thrown : sqlErrorOf(errorOf(thrown, column));
}

/** An error told of the column. */
export function errorOf({ sqlstate, message, fields }: DataError, column: string): DataError {
  return { sqlstate, message: `column "${column}": ${message}`, fields };
}

/** Class 53: no fault of the record. */
const NO_RESOURCES = '53';

/** For those that are called where throwing is the way. */
export function orThrow(error: DataError | null): void {
  if (error !== null) throw sqlErrorOf(error);
}
