/** Rejected records of files, as dead letters have kept them, once more. */

import { must } from '../../base/assert.ts';
import { type DataError, SqlError } from '../../base/sql-error.ts';
import type { ColumnBuilder } from '../../batch/column-builder.ts';
import { CsvDecoder } from '../../formats/csv.ts';
import type { RecordDecoder } from '../../formats/record-decoder.ts';
import { rejectedRecord } from '../rejected.ts';
import type { KeptRecord, RecordPlace, RejectedRecord } from '../source.ts';
import type { Rejecting } from './file-cursor.ts';

export interface FileRecordsAgain {
  /** By row of the builders: offset of its record. */
  readonly offsets: readonly number[];
  readonly rejected: readonly RejectedRecord[];
}

/** Appends what can be decoded to the builders. */
export function recordsAgain(
  decoder: RecordDecoder,
  { notNull }: Pick<Rejecting, 'notNull'>,
  records: readonly KeptRecord[],
  builders: readonly ColumnBuilder[],
): FileRecordsAgain {
  const offsets: number[] = [];
  const rejected: RejectedRecord[] = [];
  for (const { offset, raw } of records) {
    const error = appendAgain(decoder, raw, builders) ?? notNull.violation(builders);
    if (error === null) offsets.push(offset);
    else {
      for (const builder of builders) builder.truncate(offsets.length);
      rejected.push(rejectedRecord(placeAgain(offset), raw, error));
    }
  }
  return { offsets, rejected };
}

/** Where a kept record stood: its line is not known any more. */
export function placeAgain(offset: number): RecordPlace {
  return { position: null, offset, topic: null, partition: null, byteOffset: null };
}

function appendAgain(
  decoder: RecordDecoder,
  { value, context }: KeptRecord['raw'],
  builders: readonly ColumnBuilder[],
): DataError | null {
  if (context !== null && decoder instanceof CsvDecoder) {
    const { header }: { readonly header: readonly string[] } = JSON.parse(context);
    decoder.matchHeader(header);
  }
  const bytes = Buffer.from(must(value));
  const end = decoder.scan(bytes, 0, bytes.length, true);
  if (end !== bytes.length)
    return new SqlError('22P04', 'there is more behind the end of the record');
  return decoder.append(bytes, builders);
}
