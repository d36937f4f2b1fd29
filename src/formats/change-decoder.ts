/**
 * What decoders of records that change rows have in common (FORMAT UPSERT, DEBEZIUM): a record, key and value, becomes what it
 * does to the row of its key, and that row's values.
 *
 * As with MessageDecoder (message-decoder.ts) what is wrong with a record is a result of `append`, `errorOffset` is set, and the
 * builders then hold a part of the row.
 */

import type { DataError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import type { MessageDecoder, WriterSchema } from './message-decoder.ts';

/** The record says nothing of rows. */
export const NO_CHANGE = 0;
export const UPSERT = 1;
export const DELETE = 2;
/** It takes all rows away. */
export const TRUNCATE = 3;

/** Where key and value lie in `bytes`; a negative length: there is none. */
export interface KeyedRecord {
  readonly bytes: Buffer;
  readonly keyStart: number;
  readonly keyLength: number;
  readonly valueStart: number;
  readonly valueLength: number;
}

export interface ChangeDecoder {
  /**
   * Appends the row (but for NO_CHANGE): of a DELETE only the key's columns are not NULL, of a TRUNCATE none is. Returns what
   * the record does, or what is wrong with it.
   */
  append(record: KeyedRecord, builders: readonly ColumnBuilder[]): number | DataError;
  /** Of the last record: builders whose values it leaves out because they have not changed; they were given NULL. */
  readonly unavailable: readonly number[];
  /** Where something was wrong: offset in `bytes` of the value or byte that is wrong. */
  readonly errorOffset: number;
  /** Takes a schema before the records that carry its id. Absent: they carry none. */
  learnSchema?(id: number, schema: WriterSchema): void;
}

const NONE: readonly number[] = [];

/** FORMAT PLAIN: each record is a row of its own; without a value, one of NULLs. */
export class PlainRecordDecoder implements ChangeDecoder {
  readonly unavailable = NONE;
  readonly #decoder: MessageDecoder;

  constructor(decoder: MessageDecoder) {
    this.#decoder = decoder;
  }

  get errorOffset(): number {
    return this.#decoder.errorOffset;
  }

  append(record: KeyedRecord, builders: readonly ColumnBuilder[]): number | DataError {
    const { bytes, valueStart, valueLength } = record;
    if (valueLength >= 0) {
      return this.#decoder.append(bytes, valueStart, valueStart + valueLength, builders) ?? UPSERT;
    }
    for (const builder of builders) builder.appendNull();
    return UPSERT;
  }

  learnSchema(id: number, schema: WriterSchema): void {
    this.#decoder.learnSchema?.(id, schema);
  }
}
