/** NDJSON: one JSON object a line (json-object.ts); blank lines are no rows. */

import type { DataError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import type { JsonObjectDecoder } from './json-object.ts';
import type { RecordDecoder } from './record-decoder.ts';

const LF = 10;

export class JsonLinesDecoder implements RecordDecoder {
  readonly #objects: JsonObjectDecoder;
  #start = 0;
  #end = 0;
  /** Bytes that are there behind the record. */
  #behind = 0;
  /** Where the next record starts, if the bytes are the same ones still. */
  #next = 0;
  #isBlank = false;
  #lineCount = 0;

  constructor(objects: JsonObjectDecoder) {
    this.#objects = objects;
  }

  get isBlank(): boolean {
    return this.#isBlank;
  }

  get lineCount(): number {
    return this.#lineCount;
  }

  get errorOffset(): number {
    return this.#objects.errorOffset;
  }

  scan(bytes: Buffer, at: number, end: number, isLast: boolean): number {
    // Who reads on from elsewhere may have moved the bytes.
    if (at !== this.#next) this.#objects.forget();
    const found = bytes.indexOf(LF, at);
    const isWhole = found >= 0 && found < end;
    this.#next = isWhole ? found + 1 : isLast ? end : -1;
    if (!isWhole && !isLast) return -1;
    this.#start = at;
    this.#end = isWhole ? found : end;
    this.#lineCount = isWhole ? 1 : 0;
    this.#isBlank = isOnlySpace(bytes, at, this.#end);
    this.#behind = end;
    return this.#next;
  }

  append(bytes: Buffer, builders: readonly ColumnBuilder[]): DataError | null {
    return this.#objects.append(bytes, this.#start, this.#end, builders, this.#behind);
  }
}

function isOnlySpace(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i += 1) {
    const byte = bytes[i]!;
    if (byte !== 32 && byte !== 9 && byte !== 13) return false;
  }
  return true;
}
