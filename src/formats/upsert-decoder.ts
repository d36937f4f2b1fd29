/**
 * FORMAT UPSERT: a record's key names a row, its value is the row's newest state, and no value means that the row is gone.
 * Columns of the key come from the record's key: of a JSON object by name, or of what the value's encoding packs; a single one
 * may be the key itself, as text or as a JSON string or number.
 */

import { type DataError, SqlError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import { encodingError } from '../types/encoding-error.ts';
import type { ValueSettings } from '../types/settings.ts';
import { type ChangeDecoder, DELETE, type KeyedRecord, UPSERT } from './change-decoder.ts';
import type { DecodedColumn } from './csv.ts';
import { JsonObjectDecoder, type TokenAppender } from './json-object.ts';
import { NO_PATHS } from './json-paths.ts';
import { JsonScanner, OBJECT_START, STRING } from './json-scanner.ts';
import type { MessageDecoder, WriterSchema } from './message-decoder.ts';
import { userError } from './record-decoder.ts';
import { RowKey } from './row-key.ts';
import { type TextAppender, textAppender } from './text-value.ts';

const NONE: readonly number[] = [];

export class UpsertDecoder implements ChangeDecoder {
  readonly unavailable = NONE;
  readonly #key: RowKey;
  readonly #keyDecoder: KeyDecoder;
  readonly #valueDecoder: MessageDecoder;
  #isInKey = false;

  /** `key`: numbers of the key's columns; `keyDecoder` is of these, `valueDecoder` of the others. */
  constructor(
    columns: readonly DecodedColumn[],
    key: readonly number[],
    keyDecoder: KeyDecoder,
    valueDecoder: MessageDecoder,
  ) {
    this.#key = new RowKey(columns, key);
    this.#keyDecoder = keyDecoder;
    this.#valueDecoder = valueDecoder;
  }

  get errorOffset(): number {
    return this.#isInKey ? this.#keyDecoder.errorOffset : this.#valueDecoder.errorOffset;
  }

  append(record: KeyedRecord, builders: readonly ColumnBuilder[]): number | DataError {
    this.#key.part(builders);
    const { bytes, keyStart, keyLength, valueStart, valueLength } = record;
    this.#isInKey = true;
    const wrong = this.#appendKey(bytes, keyStart, keyLength);
    if (wrong !== null) return wrong;
    this.#isInKey = false;
    if (valueLength >= 0) {
      const end = valueStart + valueLength;
      return this.#valueDecoder.append(bytes, valueStart, end, this.#key.others) ?? UPSERT;
    }
    this.#key.appendNullOthers();
    return DELETE;
  }

  #appendKey(bytes: Buffer, start: number, length: number): DataError | null {
    if (length < 0) return new SqlError('23502', 'the record has no key');
    if (this.#key.columns.length === 0) return null;
    const { builders } = this.#key;
    return this.#keyDecoder.append(bytes, start, start + length, builders) ?? this.#key.violation();
  }

  learnSchema(id: number, schema: WriterSchema): void {
    this.#keyDecoder.learnSchema?.(id, schema);
    this.#valueDecoder.learnSchema?.(id, schema);
  }
}

/** Decodes the key's columns. */
export type KeyDecoder = MessageDecoder;

/** As JSON writes it. */
const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

/** A key that is text: a JSON object by names, or the one column itself. */
export class TextKeyDecoder implements KeyDecoder {
  readonly #object: JsonObjectDecoder;
  readonly #single: TextAppender | null;
  /** How the single column is read from a number; null: as any text. */
  readonly #number: TokenAppender | null;
  readonly #names: string;
  readonly #scanner = new JsonScanner();
  #errorOffset = 0;

  /** `tokens`: as of JsonObjectDecoder. */
  constructor(
    columns: readonly DecodedColumn[],
    settings: ValueSettings,
    tokens: readonly (TokenAppender | null)[] = [],
  ) {
    const [only, ...others] = columns;
    this.#object = new JsonObjectDecoder(columns, settings, NO_PATHS, tokens);
    this.#number = tokens[0] ?? null;
    this.#single =
      only === undefined || others.length > 0 ? null : textAppender(only.type, settings);
    this.#names = columns.map(({ name }) => name).join(', ');
  }

  get errorOffset(): number {
    return this.#errorOffset;
  }

  append(
    bytes: Buffer,
    start: number,
    end: number,
    builders: readonly ColumnBuilder[],
  ): DataError | null {
    this.#errorOffset = start;
    if (bytes[start] === OBJECT_START && start < end) {
      const error = this.#object.append(bytes, start, end, builders);
      this.#errorOffset = this.#object.errorOffset;
      return error;
    }
    if (this.#single === null) {
      return new SqlError('22P02', `the record's key is no JSON object with ${this.#names}`);
    }
    const error = encodingError(bytes, start, end);
    if (error !== null) return error;
    try {
      return this.#appendSingle(bytes, start, end, this.#single, builders[0]!);
    } catch (thrown) {
      return userError(thrown);
    }
  }

  #appendSingle(
    bytes: Buffer,
    start: number,
    end: number,
    appender: TextAppender,
    builder: ColumnBuilder,
  ): DataError | null {
    const isString = end - start >= 2 && bytes[start] === STRING && bytes[end - 1] === STRING;
    if (!isString) {
      const isNumber = this.#number !== null && NUMBER.test(bytes.toString('latin1', start, end));
      if (!isNumber) return appender(builder, bytes, start, end);
      this.#number(builder, bytes, start, end);
      return null;
    }
    this.#scanner.start(bytes, start, end);
    this.#scanner.skipString();
    this.#scanner.expectEnd();
    const length = this.#scanner.unescape(bytes, start + 1, end - 1);
    return appender(builder, this.#scanner.text, 0, length);
  }
}

/** By a key's first two bytes, as no text begins: it is packed. `second`: absent where there is one byte. */
type IsPacked = (first: number, second: number | undefined) => boolean;

/** Packed keys carry the id of a schema behind a zero byte. */
export const isFramedKey: IsPacked = (first) => first === 0;

/** Packed keys are MessagePack maps. Of a letter that begins as a large one the second byte is 0x80 or more, as no map's is. */
export const isMapKey: IsPacked = (first, second = 0) =>
  first >>> 4 === 0x8 || ((first === 0xde || first === 0xdf) && second < 0x80);

/** Keys that are packed as the values are, or text. */
export class PackedOrTextKeyDecoder implements KeyDecoder {
  readonly #packed: MessageDecoder;
  readonly #text: MessageDecoder;
  readonly #isPacked: IsPacked;
  #last: MessageDecoder;

  constructor(packed: MessageDecoder, text: MessageDecoder, isPacked: IsPacked) {
    this.#packed = packed;
    this.#text = text;
    this.#isPacked = isPacked;
    this.#last = text;
  }

  get errorOffset(): number {
    return this.#last.errorOffset;
  }

  append(
    bytes: Buffer,
    start: number,
    end: number,
    builders: readonly ColumnBuilder[],
  ): DataError | null {
    const second = start + 1 < end ? bytes[start + 1] : undefined;
    const isPacked = start < end && this.#isPacked(bytes[start]!, second);
    this.#last = isPacked ? this.#packed : this.#text;
    return this.#last.append(bytes, start, end, builders);
  }

  learnSchema(id: number, schema: WriterSchema): void {
    this.#packed.learnSchema?.(id, schema);
  }
}
