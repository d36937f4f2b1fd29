/** A message that is one record of a line format: exactly one, whether its line ends or not. */

import { type DataError, SqlError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import type { MessageDecoder } from './message-decoder.ts';
import type { RecordDecoder } from './record-decoder.ts';

export class SingleRecordDecoder implements MessageDecoder {
  readonly #records: RecordDecoder;
  #endOfFirst = 0;
  #isMore = false;

  constructor(records: RecordDecoder) {
    this.#records = records;
  }

  get errorOffset(): number {
    return this.#isMore ? this.#endOfFirst : this.#records.errorOffset;
  }

  append(
    bytes: Buffer,
    start: number,
    end: number,
    builders: readonly ColumnBuilder[],
  ): DataError | null {
    this.#endOfFirst = this.#records.scan(bytes, start, end, true);
    this.#isMore = this.#endOfFirst < end;
    if (this.#isMore) return new SqlError('22P04', 'a message must hold a single record');
    return this.#records.append(bytes, builders);
  }
}
