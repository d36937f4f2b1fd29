/** INCLUDE: what stands beside a record's value, as columns. */

import { isUtf8 } from 'node:buffer';
import type { ColumnBuilder } from '../../batch/column-builder.ts';
import type { IncludedField } from '../source.ts';
import type { KafkaRecord } from './kept-record.ts';
import type { RecordHeader } from './record-batch.ts';
import { parseSplitName } from './topic-filter.ts';

/** JSON. */
export interface IncludedColumn extends IncludedField {
  /** Number of the column. */
  readonly column: number;
}

const US_PER_MS = 1000n;

/** Appends what is asked for of the record found. Of a header that comes several times the last one counts, as in Kafka. */
export function appendIncluded(
  builder: ColumnBuilder,
  { kind, header }: IncludedColumn,
  split: string,
  walker: KafkaRecord,
): void {
  switch (kind) {
    case 'key': {
      const { bytes, keyStart, keyLength } = walker;
      if (keyLength < 0) builder.appendNull();
      else builder.appendBytes(bytes.subarray(keyStart, keyStart + keyLength));
      return;
    }
    case 'partition':
      builder.appendI32(parseSplitName(split).partition);
      return;
    case 'offset':
      builder.appendI64(BigInt(walker.offset));
      return;
    case 'timestamp':
      if (walker.timestampMs < 0) builder.appendNull();
      else builder.appendI64(BigInt(walker.timestampMs) * US_PER_MS);
      return;
    case 'header': {
      const value = walker.headers().findLast(({ key }) => key === header)?.value ?? null;
      if (value === null) builder.appendNull();
      else builder.appendBytes(value);
      return;
    }
    case 'headers':
      builder.appendText(Buffer.from(headersJson(walker.headers())));
  }
}

/** [{"key": ..., "value": ...}, ...]: bytes that are no text as PostgreSQL's hexadecimal form of bytea. */
function headersJson(headers: readonly RecordHeader[]): string {
  const items = headers.map(({ key, value }) => ({ key, value: valueText(value) }));
  return JSON.stringify(items);
}

function valueText(value: Buffer | null): string | null {
  if (value === null) return null;
  const isText = isUtf8(value) && !value.includes(0);
  return isText ? value.toString('utf8') : `\\x${value.toString('hex')}`;
}
