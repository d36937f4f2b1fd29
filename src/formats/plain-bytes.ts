/** A message as it is: all of its bytes in one bytea column, or in one text column where they are UTF-8. */

import { type DataError, SqlError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { isNull } from '../batch/read-value.ts';
import { encodingError } from '../types/encoding-error.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { MessageDecoder } from './message-decoder.ts';
import { type EncodedColumn, type MessageEncoder, viewBytes } from './message-encoder.ts';

export class PlainBytesDecoder implements MessageDecoder {
  readonly #isText: boolean;
  errorOffset = 0;

  constructor(isText: boolean) {
    this.#isText = isText;
  }

  append(
    bytes: Buffer,
    start: number,
    end: number,
    builders: readonly ColumnBuilder[],
  ): DataError | null {
    this.errorOffset = start;
    const error = this.#isText ? encodingError(bytes, start, end) : null;
    if (error === null) builders[0]!.appendBytes(bytes.subarray(start, end));
    return error;
  }
}

export class PlainBytesEncoder implements MessageEncoder {
  readonly #column: EncodedColumn;

  constructor(column: EncodedColumn) {
    this.#column = column;
  }

  append(batch: DeltaBatch, row: number, out: ByteWriter): void {
    const { name, index } = this.#column;
    const column = batch.columns[index]!;
    if (isNull(batch, column, row)) {
      throw new SqlError('22004', `column "${name}" is null, and ENCODE BYTES has no null`, {
        hint: 'Use COALESCE in the query, or another encoding.',
      });
    }
    out.bytes(viewBytes(batch, column, row));
  }
}
