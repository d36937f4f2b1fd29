/**
 * COPY's text format: fields by a delimiter, records by line ends, `\N` for NULL, backslash escapes, `\.` as the end of data.
 * Decoding puts each record into column builders (record-decoder.ts); encoding gives a record's line. CSV records of COPY TO
 * are made here too.
 */

import { type DataError, SqlError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import { encodingError } from '../types/encoding-error.ts';
import { type RecordDecoder, userError } from './record-decoder.ts';

export interface CopyTextOptions {
  readonly delimiter: string;
  readonly nullText: string;
}

const LF = 10;
const CR = 13;
const BACKSLASH = 92;

const ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Decodes text records whose builders hold text. */
export class CopyTextDecoder implements RecordDecoder {
  readonly lineCount = 1;
  readonly #options: CopyTextOptions;
  readonly #columnNames: readonly string[];
  #start = 0;
  #end = 0;

  constructor(options: CopyTextOptions, columnNames: readonly string[]) {
    this.#options = options;
    this.#columnNames = columnNames;
  }

  /** A line `\.`: what follows is no data. */
  get isEnd(): boolean {
    return this.#isMarker;
  }

  get isBlank(): boolean {
    return this.#start === this.#end && this.#columnNames.length !== 1;
  }

  get errorOffset(): number {
    return this.#start;
  }

  #isMarker = false;

  scan(bytes: Buffer, at: number, end: number, isLast: boolean): number {
    this.#start = at;
    for (let offset = at; offset < end; offset++) {
      const byte = bytes[offset]!;
      if (byte === BACKSLASH) offset++;
      else if (byte === LF) return this.#found(bytes, offset, offset + 1);
    }
    return isLast && at < end ? this.#found(bytes, end, end) : -1;
  }

  append(bytes: Buffer, builders: readonly ColumnBuilder[]): DataError | null {
    try {
      this.#append(bytes, builders);
      return null;
    } catch (error) {
      return userError(error);
    }
  }

  #append(bytes: Buffer, builders: readonly ColumnBuilder[]): void {
    const problem = encodingError(bytes, this.#start, this.#end);
    if (problem !== null) throw problem;
    const fields = this.#split(bytes.toString('utf8', this.#start, this.#end));
    if (fields.length < builders.length) {
      throw new SqlError(
        '22P04',
        `missing data for column "${this.#columnNames[fields.length] ?? ''}"`,
      );
    }
    if (fields.length > builders.length)
      throw new SqlError('22P04', 'extra data after last expected column');
    for (const [index, field] of fields.entries()) {
      builders[index]!.appendValue(field === this.#options.nullText ? null : unescapeField(field));
    }
  }

  #found(bytes: Buffer, end: number, behind: number): number {
    this.#end = end > this.#start && bytes[end - 1] === CR ? end - 1 : end;
    this.#isMarker =
      this.#end - this.#start === 2 &&
      bytes[this.#start] === BACKSLASH &&
      bytes[this.#start + 1] === 0x2e;
    return behind;
  }

  #split(line: string): string[] {
    const { delimiter } = this.#options;
    if (!line.includes('\\')) return line.split(delimiter);
    const fields: string[] = [];
    let start = 0;
    for (let offset = 0; offset < line.length; offset++) {
      if (line[offset] === '\\') offset++;
      else if (line[offset] === delimiter) {
        fields.push(line.slice(start, offset));
        start = offset + 1;
      }
    }
    fields.push(line.slice(start));
    return fields;
  }
}

/** Backslash escapes of a field: letters, octal, hexadecimal, anything else stands for itself. */
function unescapeField(field: string): string {
  if (!field.includes('\\')) return field;
  if (!/\\([0-7x])/.test(field)) {
    return field.replace(/\\(.)/gs, (_, letter: string) => ESCAPES[letter] ?? letter);
  }
  return unescapeBytes(field);
}

/** With numeric escapes, which give bytes and not characters. */
function unescapeBytes(field: string): string {
  const parts: Buffer[] = [];
  const pattern = /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))|[^\\]+/gs;
  for (const [text, octal, hex, letter] of field.matchAll(pattern)) {
    if (octal !== undefined) parts.push(Buffer.of(Number.parseInt(octal, 8) & 0xff));
    else if (hex !== undefined) parts.push(Buffer.of(Number.parseInt(hex, 16)));
    else parts.push(Buffer.from(letter === undefined ? text : (ESCAPES[letter] ?? letter)));
  }
  const bytes = Buffer.concat(parts);
  const problem = encodingError(bytes, 0, bytes.length);
  if (problem !== null) throw problem;
  return bytes.toString('utf8');
}

const LETTER: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
};

/** A record as a line of COPY's text format, its line end included. */
export function copyTextLine(fields: readonly (string | null)[], options: CopyTextOptions): string {
  const { delimiter, nullText } = options;
  const encoded = fields.map((field) => {
    if (field === null) return nullText;
    const plain = field.replace(/[\b\f\n\r\t\v\\]/g, (character) => LETTER[character]!);
    return delimiter === '\t' ? plain : plain.replaceAll(delimiter, `\\${delimiter}`);
  });
  return `${encoded.join(delimiter)}\n`;
}

export interface CopyCsvOptions extends CopyTextOptions {
  readonly quote: string;
  readonly escape: string;
}

/** A record as a line of CSV, quoted where PostgreSQL quotes. */
export function copyCsvLine(fields: readonly (string | null)[], options: CopyCsvOptions): string {
  const { delimiter, nullText, quote, escape: escapeCharacter } = options;
  const encoded = fields.map((field) => {
    if (field === null) return nullText;
    const needsQuotes =
      field === nullText ||
      field === '\\.' ||
      field.includes(delimiter) ||
      field.includes(quote) ||
      /[\n\r]/.test(field);
    if (!needsQuotes) return field;
    const inner = [...field].map((character) =>
      character === quote || character === escapeCharacter
        ? escapeCharacter + character
        : character,
    );
    return quote + inner.join('') + quote;
  });
  return `${encoded.join(delimiter)}\n`;
}
