/**
 * CSV as PostgreSQL's COPY reads it: fields between delimiters, quotes anywhere in a field, inside quotes the escape byte
 * before a quote or itself, records end with LF or CR LF, an unquoted field equal to the null text is NULL.
 *
 * Cost: one pass over a record's bytes finds its fields; values are read from the bytes. A record that does not end in the
 * given bytes is looked at again from its start when there are more.
 */

import { type DataError, SqlError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import type { DataType } from '../types/data-type.ts';
import { encodingError } from '../types/encoding-error.ts';
import type { ValueSettings } from '../types/value.ts';
import { errorOf, orThrow, type RecordDecoder, userError } from './record-decoder.ts';
import { type TextAppender, textAppender } from './text-value.ts';

export interface CsvOptions {
  readonly hasHeader: boolean;
  /** One ASCII character each. */
  readonly delimiter: string;
  readonly quote: string;
  readonly escape: string;
  readonly nullText: string;
}

export const DEFAULT_CSV_OPTIONS: CsvOptions = Object.freeze({
  hasHeader: true,
  delimiter: ',',
  quote: '"',
  escape: '"',
  nullText: '',
});

export interface DecodedColumn {
  readonly name: string;
  readonly type: DataType;
}

const LF = 10;
const CR = 13;

/** Classes of bytes: 0 is ordinary. */
const DELIMITER = 1;
const QUOTE = 2;
const LINE_FEED = 3;
const CARRIAGE_RETURN = 4;
/** Zero and bytes of longer UTF-8 characters: the record is checked as a whole. */
const SUSPECT = 5;

/** Forms of fields. */
const PLAIN = 0;
/** Quotes around all of it and none inside. */
const QUOTED = 1;
/** Quotes or escapes inside: it is copied without them. */
const MIXED = 2;

export class CsvDecoder implements RecordDecoder {
  readonly #names: readonly string[];
  readonly #appenders: readonly TextAppender[];
  readonly #classes: Uint8Array;
  readonly #quote: number;
  readonly #escape: number;
  readonly #nullText: Buffer;
  /** Field of each builder. */
  #fieldOf: Int32Array;
  /** Names of all fields of a record, for messages. */
  #fieldNames: readonly string[];
  #starts = new Int32Array(32);
  #ends = new Int32Array(32);
  #forms = new Uint8Array(32);
  #fieldCount = 0;
  #start = 0;
  #end = 0;
  #lineCount = 0;
  #isSuspect = false;
  /** Offset of a carriage return that ends no line, -1: none. */
  #badReturn = -1;
  #isUnterminated = false;
  /** Offset behind the last quoted run. */
  #quotedEnd = -1;
  #errorOffset = 0;
  #copy = Buffer.alloc(256);

  /**
   * `columns`: what the builders hold, in their order. `fieldNames`: all columns of a file without a header, in the order of
   * its fields; with a header, `matchHeader` gives the order.
   */
  constructor(
    options: CsvOptions,
    columns: readonly DecodedColumn[],
    fieldNames: readonly string[],
    settings: ValueSettings,
  ) {
    this.#names = columns.map((column) => column.name);
    this.#appenders = columns.map((column) => textAppender(column.type, settings));
    this.#quote = options.quote.charCodeAt(0);
    this.#escape = options.escape.charCodeAt(0);
    this.#nullText = Buffer.from(options.nullText);
    this.#classes = byteClasses(options.delimiter.charCodeAt(0), this.#quote);
    this.#fieldNames = fieldNames;
    this.#fieldOf = Int32Array.from(this.#names, (name) => fieldNames.indexOf(name));
  }

  get isBlank(): boolean {
    return this.#fieldCount === 1 && this.#start === this.#end && this.#fieldNames.length !== 1;
  }

  get lineCount(): number {
    return this.#lineCount;
  }

  get errorOffset(): number {
    return this.#errorOffset;
  }

  /** Fields of the record found, as texts: a header's names. Throws as `append` does. */
  texts(bytes: Buffer): string[] {
    this.#checkRecord(bytes);
    return Array.from({ length: this.#fieldCount }, (_, field) => {
      const [from, start, end] = this.#field(bytes, field);
      return from.toString('utf8', start, end);
    });
  }

  /** Takes a header's names as the order of the fields: by exact name, then without case. 42703, 42702. */
  matchHeader(header: readonly string[]): void {
    const lower = header.map((name) => name.toLowerCase());
    this.#fieldNames = header;
    this.#fieldOf = Int32Array.from(this.#names, (name) => {
      const isExact = header.includes(name);
      const names = isExact ? header : lower;
      const wanted = isExact ? name : name.toLowerCase();
      const field = names.indexOf(wanted);
      if (field < 0) throw missingColumn(name, header);
      if (field === names.lastIndexOf(wanted)) return field;
      throw new SqlError('42702', `column "${name}" is more than once in the header of the file`);
    });
  }

  scan(bytes: Buffer, at: number, end: number, isLast: boolean): number {
    const classes = this.#classes;
    this.#begin(at);
    for (let i = at; ; i += 1) {
      let kind = 0;
      while (i < end && (kind = classes[bytes[i]!]!) === 0) i += 1;
      if (i >= end) return isLast ? this.#finish(end, end, 0) : -1;
      if (kind === DELIMITER) this.#closeField(i);
      else if (kind === LINE_FEED) return this.#finish(i, i + 1, 1);
      else if (kind === SUSPECT) this.#isSuspect = true;
      else if (kind === CARRIAGE_RETURN) {
        if (i + 1 >= end && !isLast) return -1;
        if (i + 1 >= end) return this.#finish(i, end, 0);
        if (bytes[i + 1] === LF) return this.#finish(i, i + 2, 1);
        if (this.#badReturn < 0) this.#badReturn = i;
      } else {
        i = this.#skipQuoted(bytes, i, end);
        if (i < 0 && !isLast) return -1;
        if (i < 0) return this.#finishUnterminated(bytes, at, end);
      }
    }
  }

  append(bytes: Buffer, builders: readonly ColumnBuilder[]): DataError | null {
    try {
      this.#checkRecord(bytes);
      this.#checkFieldCount();
    } catch (error) {
      return userError(error);
    }
    for (const [i, builder] of builders.entries()) {
      const error = this.#appendField(bytes, i, builder);
      if (error !== null) return errorOf(error, this.#names[i]!);
    }
    return null;
  }

  #appendField(bytes: Buffer, i: number, to: ColumnBuilder): DataError | null {
    const field = this.#fieldOf[i]!;
    const form = this.#forms[field]!;
    const start = this.#starts[field]!;
    const end = this.#ends[field]!;
    this.#errorOffset = start;
    if (form === PLAIN) return this.#appendPlain(bytes, start, end, i, to);
    const appender = this.#appenders[i]!;
    if (form === QUOTED) return appender(to, bytes, start + 1, end - 1);
    const length = this.#unquote(bytes, start, end);
    return appender(to, this.#copy, 0, length);
  }

  #appendPlain(
    bytes: Buffer,
    start: number,
    end: number,
    i: number,
    to: ColumnBuilder,
  ): DataError | null {
    const nullText = this.#nullText;
    const isNull = end - start === nullText.length && isEqual(bytes, start, nullText);
    if (!isNull) return this.#appenders[i]!(to, bytes, start, end);
    to.appendNull();
    return null;
  }

  #begin(at: number): void {
    this.#start = at;
    this.#fieldCount = 0;
    this.#starts[0] = at;
    this.#forms[0] = PLAIN;
    this.#lineCount = 0;
    this.#isSuspect = false;
    this.#badReturn = -1;
    this.#isUnterminated = false;
  }

  /** Ends the field before `at` and begins the next one behind it. */
  #closeField(at: number): void {
    this.#endField(at);
    const next = this.#fieldCount + 1;
    if (next >= this.#starts.length) this.#growFields();
    this.#starts[next] = at + 1;
    this.#forms[next] = PLAIN;
    this.#fieldCount = next;
  }

  #endField(at: number): void {
    const field = this.#fieldCount;
    this.#ends[field] = at;
    if (this.#forms[field] === QUOTED && this.#quotedEnd !== at) this.#forms[field] = MIXED;
  }

  #growFields(): void {
    const grow = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const grown = new Int32Array(old.length * 2);
      grown.set(old);
      return grown;
    };
    this.#starts = grow(this.#starts);
    this.#ends = grow(this.#ends);
    const forms = new Uint8Array(this.#forms.length * 2);
    forms.set(this.#forms);
    this.#forms = forms;
  }

  /** The quoted run that opens at `at`: returns its closing quote's offset, -1 when it does not close. */
  #skipQuoted(bytes: Buffer, at: number, end: number): number {
    const classes = this.#classes;
    const quote = this.#quote;
    const escaper = this.#escape;
    const field = this.#fieldCount;
    const isFirst = this.#forms[field] === PLAIN && this.#starts[field] === at;
    let form = isFirst ? QUOTED : MIXED;
    for (let i = at + 1; i < end; i += 1) {
      const byte = bytes[i]!;
      const next = i + 1 < end ? bytes[i + 1] : -1;
      if (byte === escaper && (next === quote || next === escaper)) {
        form = MIXED;
        i += 1;
        continue;
      }
      if (byte === quote) {
        this.#forms[field] = form;
        this.#quotedEnd = i + 1;
        return i;
      }
      if (byte === LF) this.#lineCount += 1;
      else if (classes[byte] === SUSPECT) this.#isSuspect = true;
    }
    return -1;
  }

  #finish(at: number, next: number, lines: number): number {
    this.#endField(at);
    this.#fieldCount += 1;
    this.#end = at;
    this.#lineCount += lines;
    return next;
  }

  /** A quote that never closes spoils its first line only: what follows is read as if the quote were not there. */
  #finishUnterminated(bytes: Buffer, at: number, end: number): number {
    const lineEnd = bytes.indexOf(LF, at);
    const isWhole = lineEnd >= 0 && lineEnd < end;
    this.#fieldCount = 1;
    this.#end = isWhole ? lineEnd : end;
    this.#starts[0] = at;
    this.#ends[0] = this.#end;
    this.#lineCount = isWhole ? 1 : 0;
    this.#isUnterminated = true;
    return isWhole ? lineEnd + 1 : end;
  }

  #checkRecord(bytes: Buffer): void {
    this.#errorOffset = this.#start;
    if (this.#isUnterminated) throw new SqlError('22P04', 'unterminated CSV quoted field');
    if (this.#badReturn >= 0) {
      this.#errorOffset = this.#badReturn;
      throw new SqlError('22P04', 'unquoted carriage return found in data', {
        hint: 'Use quoted CSV field to represent carriage return.',
      });
    }
    if (!this.#isSuspect) return;
    orThrow(encodingError(bytes, this.#start, this.#end));
  }

  #checkFieldCount(): void {
    const names = this.#fieldNames;
    if (this.#fieldCount === names.length) return;
    if (this.#fieldCount > names.length) {
      this.#errorOffset = this.#starts[names.length]!;
      throw EXTRA_DATA;
    }
    this.#errorOffset = this.#end;
    throw missingData(names[this.#fieldCount]!);
  }

  /** Where a field's text lies without quotes and escapes. */
  #field(bytes: Buffer, field: number): [Buffer, number, number] {
    const start = this.#starts[field]!;
    const end = this.#ends[field]!;
    const form = this.#forms[field];
    if (form === PLAIN) return [bytes, start, end];
    if (form === QUOTED) return [bytes, start + 1, end - 1];
    return [this.#copy, 0, this.#unquote(bytes, start, end)];
  }

  /** Copies a field without its quotes and escapes; returns the length. */
  #unquote(bytes: Buffer, start: number, end: number): number {
    if (this.#copy.length < end - start) this.#copy = Buffer.alloc(2 * (end - start));
    const copy = this.#copy;
    const quote = this.#quote;
    const escaper = this.#escape;
    let length = 0;
    let isInside = false;
    for (let i = start; i < end; i += 1) {
      const byte = bytes[i]!;
      const next = i + 1 < end ? bytes[i + 1] : -1;
      if (isInside && byte === escaper && (next === quote || next === escaper)) {
        copy[length++] = bytes[++i]!;
      } else if (byte === quote) isInside = !isInside;
      else copy[length++] = byte;
    }
    return length;
  }
}

// Equal errors are one object: bad records often come in numbers.
const EXTRA_DATA = new SqlError('22P04', 'extra data after last expected column');
let lastMissing = { name: '', error: missingDataOf('') };

function missingData(name: string): SqlError {
  if (name !== lastMissing.name) lastMissing = { name, error: missingDataOf(name) };
  return lastMissing.error;
}

function missingDataOf(column: string): SqlError {
  return new SqlError('22P04', `missing data for column "${column}"`);
}

function missingColumn(name: string, header: readonly string[]): SqlError {
  const names = header.map((text) => `"${text}"`).join(', ');
  return new SqlError('42703', `column "${name}" is not in the header of the file`, {
    hint: `The header has ${names}. Where the first line is data, say header = false.`,
  });
}

function byteClasses(delimiter: number, quote: number): Uint8Array {
  const classes = new Uint8Array(256);
  classes.fill(SUSPECT, 128);
  classes[0] = SUSPECT;
  classes[LF] = LINE_FEED;
  classes[CR] = CARRIAGE_RETURN;
  classes[delimiter] = DELIMITER;
  classes[quote] = QUOTE;
  return classes;
}

function isEqual(bytes: Buffer, start: number, text: Buffer): boolean {
  for (let i = 0; i < text.length; i += 1) if (bytes[start + i] !== text[i]) return false;
  return true;
}
