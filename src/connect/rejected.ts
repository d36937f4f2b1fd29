/** What readers have in common where they reject records: NOT NULL, the error as a letter shows it, and the bytes that are kept. */

import { SqlError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import type { RawRecord, RejectedRecord, SourceColumn } from './source.ts';

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

/** What a letter says of the error that its record was rejected with. */
export function rejectedWith({
  sqlstate,
  message,
  fields: { detail },
}: SqlError): Pick<RejectedRecord, 'sqlstate' | 'reason'> {
  return { sqlstate, reason: detail === undefined ? message : `${message} (${detail})` };
}

/** Copies of at most `bytesMax` bytes of key and value: the buffers that they lie in are used again. */
export function rawRecord(
  key: Uint8Array | null,
  value: Uint8Array | null,
  context: string,
  bytesMax: number,
): RawRecord {
  // Not `slice`: of a Buffer that is a view, not a copy.
  const kept = (bytes: Uint8Array | null) =>
    bytes === null
      ? null
      : Buffer.from(bytes.length > bytesMax ? bytes.subarray(0, bytesMax) : bytes);
  const isCut = (key?.length ?? 0) > bytesMax || (value?.length ?? 0) > bytesMax;
  return { key: kept(key), value: kept(value), isCut, context };
}
