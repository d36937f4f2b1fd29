/** What readers have in common where they reject records: NOT NULL, the error as a letter shows it, and the bytes that are kept. */

import { type DataError, SqlError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import { copyBytes } from '../memory/copy-bytes.ts';
import type { RawRecord, RecordPlace, RejectedRecord, SourceColumn } from './source.ts';

/** Bytes [start, end) of a buffer. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

interface CheckedField {
  readonly field: number;
  readonly name: string;
}

const NONE: readonly number[] = [];

/** Fields that must not be NULL. Cost: one look at each of them a record. */
export class NotNullFields {
  readonly #checked: readonly CheckedField[];

  /** `fields`: column of each builder; `notNull`: the columns that are checked, those that are no field left out. */
  constructor(
    fields: readonly number[],
    notNull: readonly number[],
    columns: readonly SourceColumn[],
  ) {
    this.#checked = fields.flatMap((column, field) =>
      notNull.includes(column) ? [{ field, name: columns[column]!.name }] : [],
    );
  }

  /** 23502 where the row appended last breaks it, else null; fields in `unavailable` are filled in later. */
  violation(builders: readonly ColumnBuilder[], unavailable = NONE): SqlError | null {
    for (const { field, name } of this.#checked) {
      if (!builders[field]!.isLastNull || unavailable.includes(field)) continue;
      return new SqlError('23502', `null value in column "${name}"`);
    }
    return null;
  }
}

/** A record as its letter shows it. */
export function rejectedRecord(
  { position, offset, topic, partition, byteOffset }: RecordPlace,
  raw: RawRecord,
  { sqlstate, message, fields: { detail } }: DataError,
): RejectedRecord {
  const reason = detail === undefined ? message : `${message} (${detail})`;
  return { position, offset, topic, partition, byteOffset, raw, sqlstate, reason };
}

/** Copies of at most `bytesMax` bytes of key and value: the buffers that they lie in are used again. */
export function rawRecord(
  bytes: Uint8Array,
  key: Span | null,
  value: Span | null,
  { timestampMs, context }: Pick<RawRecord, 'timestampMs' | 'context'>,
  bytesMax: number,
): RawRecord {
  const isCut = lengthOf(key) > bytesMax || lengthOf(value) > bytesMax;
  const kept = (part: Span | null) => (part === null ? null : beginning(bytes, part, bytesMax));
  return { key: kept(key), value: kept(value), isCut, timestampMs, context };
}

function lengthOf(span: Span | null): number {
  return span === null ? 0 : span.end - span.start;
}

function beginning(bytes: Uint8Array, { start, end }: Span, lengthMax: number): Buffer {
  const kept = Buffer.allocUnsafe(Math.min(end - start, lengthMax));
  copyBytes(bytes, start, start + kept.length, kept, 0);
  return kept;
}
