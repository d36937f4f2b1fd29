/** A message as it is: all of its bytes in one bytea column, or in one text column where they are UTF-8. */

import type { ColumnBuilder } from '../batch/column-builder.ts';
import { encodingError } from '../types/encoding-error.ts';
import type { MessageDecoder } from './message-decoder.ts';

export class PlainBytesDecoder implements MessageDecoder {
  readonly #isText: boolean;
  errorOffset = 0;

  constructor(isText: boolean) {
    this.#isText = isText;
  }

  append(bytes: Buffer, start: number, end: number, builders: readonly ColumnBuilder[]): void {
    this.errorOffset = start;
    const error = this.#isText ? encodingError(bytes, start, end) : null;
    if (error !== null) throw error;
    builders[0]!.appendBytes(bytes.subarray(start, end));
  }
}
