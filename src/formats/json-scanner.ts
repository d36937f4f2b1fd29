/**
 * A validating scanner over one JSON text in bytes (RFC 8259): it finds where values end and makes nothing of them.
 *
 * Every failure is 22P02 with `at` on the byte that is wrong. Nesting is bounded: 54001 beyond. Cost: one step a byte.
 */

import { SqlError } from '../base/sql-error.ts';
import {
  WRONG_COLON,
  WRONG_CONTROL,
  WRONG_DIGIT,
  WRONG_ELEMENT_END,
  WRONG_ESCAPE,
  WRONG_HEX,
  WRONG_MEMBER_END,
  WRONG_NAME,
  WRONG_NO_OBJECT,
  WRONG_STRING_END,
  WRONG_TEXT_END,
  WRONG_VALUE,
} from '../kernels/json-layout.ts';

export const STRING = 34;
export const OBJECT_START = 123;
const OBJECT_END = 125;
export const ARRAY_START = 91;
const ARRAY_END = 93;
const BACKSLASH = 92;
const COMMA = 44;
const COLON = 58;
const MINUS = 45;
const ZERO = 48;
const NINE = 57;
const DEPTH_MAX = 1024;
const WORDS: ReadonlyMap<number, Buffer> = new Map([
  [116, Buffer.from('true')],
  [102, Buffer.from('false')],
  [110, Buffer.from('null')],
]);

/** Bytes inside a string: 0 ordinary, else quote, backslash, control or part of a longer character. */
const CONTROL = 1;
const HIGH = 2;
const STRING_CLASSES = stringClasses();

export class JsonScanner {
  at = 0;
  /** Bytes of longer UTF-8 characters were seen since `start`: the text has yet to be checked. */
  isSuspect = false;
  /** What `unescape` wrote. */
  text: Buffer = Buffer.alloc(1024);
  #bytes: Buffer = Buffer.alloc(0);
  #end = 0;
  /** For each open bracket: 1 for an object. */
  readonly #open = new Uint8Array(DEPTH_MAX);

  start(bytes: Buffer, at: number, end: number): void {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
    this.isSuspect = false;
  }

  /** The byte at hand; -1 at the end. */
  peek(): number {
    return this.at < this.#end ? this.#bytes[this.at]! : -1;
  }

  skipSpace(): void {
    const bytes = this.#bytes;
    let at = this.at;
    while (at < this.#end) {
      const byte = bytes[at]!;
      if (byte !== 32 && byte !== 9 && byte !== 13 && byte !== 10) break;
      at += 1;
    }
    this.at = at;
  }

  /** Takes the } of an empty object, if it is there. */
  takeObjectEnd(): boolean {
    if (this.peek() !== OBJECT_END) return false;
    this.at += 1;
    return true;
  }

  /** Takes the ] of an empty array, if it is there. */
  takeArrayEnd(): boolean {
    if (this.peek() !== ARRAY_END) return false;
    this.at += 1;
    return true;
  }

  /** Behind an element: true after ], false after a comma (then a value is at hand). */
  takeElementEnd(): boolean {
    return this.#takeClose(false);
  }

  /** Behind a member's value: true after }, false after a comma (then a name is at hand). */
  takeMemberEnd(): boolean {
    this.skipSpace();
    const byte = this.peek();
    if (byte !== OBJECT_END && byte !== COMMA) throw this.#wrong(WRONG_MEMBER_END);
    this.at += 1;
    if (byte === OBJECT_END) return true;
    this.skipSpace();
    return false;
  }

  expectColon(): void {
    this.skipSpace();
    if (this.peek() !== COLON) throw this.#wrong(WRONG_COLON);
    this.at += 1;
    this.skipSpace();
  }

  expectEnd(): void {
    this.skipSpace();
    if (this.at < this.#end) throw this.#wrong(WRONG_TEXT_END);
  }

  /** Skips the value at hand, checking it. */
  skipValue(): void {
    let depth = 0;
    for (;;) {
      const byte = this.peek();
      if (byte === OBJECT_START || byte === ARRAY_START) {
        if (!this.#skipEmpty(byte)) {
          if (depth === DEPTH_MAX) throw tooDeep();
          this.#open[depth++] = byte === OBJECT_START ? 1 : 0;
          if (byte === OBJECT_START) this.#skipName();
          continue;
        }
      } else this.#skipScalar(byte);
      for (;;) {
        if (depth === 0) return;
        if (!this.#takeClose(this.#open[depth - 1] === 1)) break;
        depth -= 1;
      }
    }
  }

  /** Opens a bracket; takes the other one too when nothing is between: then true. */
  #skipEmpty(open: number): boolean {
    this.at += 1;
    this.skipSpace();
    if (this.peek() !== (open === OBJECT_START ? OBJECT_END : ARRAY_END)) return false;
    this.at += 1;
    return true;
  }

  /** Behind an item: true after the closing bracket, false with the next item's value at hand. */
  #takeClose(isObject: boolean): boolean {
    this.skipSpace();
    const byte = this.peek();
    if (byte === (isObject ? OBJECT_END : ARRAY_END)) {
      this.at += 1;
      return true;
    }
    if (byte !== COMMA) throw this.#wrong(isObject ? WRONG_MEMBER_END : WRONG_ELEMENT_END);
    this.at += 1;
    this.skipSpace();
    if (isObject) this.#skipName();
    return false;
  }

  #skipName(): void {
    this.skipString();
    this.expectColon();
  }

  #skipScalar(byte: number): void {
    if (byte === STRING) this.skipString();
    else if (byte === MINUS || (byte >= ZERO && byte <= NINE)) this.#skipNumber();
    else this.#skipWord(byte);
  }

  skipString(): void {
    if (this.peek() !== STRING) throw this.#wrong(WRONG_NAME);
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.at + 1;
    for (;;) {
      let kind = 0;
      while (at < end && (kind = STRING_CLASSES[bytes[at]!]!) === 0) at += 1;
      this.at = at;
      if (at >= end) throw this.#wrong(WRONG_STRING_END);
      if (kind === STRING) break;
      if (kind === CONTROL) throw this.#wrong(WRONG_CONTROL);
      if (kind === HIGH) this.isSuspect = true;
      else at = this.#skipEscape(at);
      at += 1;
    }
    this.at += 1;
  }

  /** The escape at `at`: returns the offset of its last byte. */
  #skipEscape(at: number): number {
    const next = at + 1 < this.#end ? this.#bytes[at + 1]! : -1;
    if (next === 117) {
      for (let i = at + 2; i < at + 6; i += 1) {
        if (i >= this.#end || hexDigit(this.#bytes[i]!) < 0) {
          throw this.#wrong(WRONG_HEX);
        }
      }
      return at + 5;
    }
    if (next < 0 || ESCAPES[next] === 0) throw this.#wrong(WRONG_ESCAPE);
    return at + 1;
  }

  #skipNumber(): void {
    if (this.peek() === MINUS) this.at += 1;
    if (this.peek() === ZERO) this.at += 1;
    else this.#skipDigits();
    if (this.peek() === 46) {
      this.at += 1;
      this.#skipDigits();
    }
    const byte = this.peek();
    if (byte !== 101 && byte !== 69) return;
    this.at += 1;
    const sign = this.peek();
    if (sign === 43 || sign === MINUS) this.at += 1;
    this.#skipDigits();
  }

  #skipDigits(): void {
    const bytes = this.#bytes;
    const start = this.at;
    let at = start;
    while (at < this.#end && bytes[at]! >= ZERO && bytes[at]! <= NINE) at += 1;
    this.at = at;
    if (at === start) throw this.#wrong(WRONG_DIGIT);
  }

  #skipWord(byte: number): void {
    const word = WORDS.get(byte);
    if (word === undefined) throw this.#wrong(WRONG_VALUE);
    for (const expected of word) {
      if (this.peek() !== expected) throw this.#wrong(WRONG_VALUE);
      this.at += 1;
    }
  }

  /** Writes the characters of the string content bytes[start, end) into `text`; returns the length in bytes. */
  unescape(bytes: Buffer, start: number, end: number): number {
    if (this.text.length < end - start) this.text = Buffer.alloc(2 * (end - start));
    const text = this.text;
    let length = 0;
    for (let i = start; i < end; i += 1) {
      const byte = bytes[i]!;
      if (byte !== BACKSLASH) {
        text[length++] = byte;
      } else if (bytes[i + 1] !== 117) {
        i += 1;
        text[length++] = ESCAPES[bytes[i]!]!;
      } else {
        const [code, last] = this.#unicode(bytes, i, end);
        length += text.write(String.fromCodePoint(code), length);
        i = last;
      }
    }
    return length;
  }

  /** The character of \uXXXX at `at`, a pair of surrogates taken together; and the offset of its last byte. */
  #unicode(bytes: Buffer, at: number, end: number): [number, number] {
    const code = hexNumber(bytes, at + 2);
    if (code === 0) {
      throw new SqlError('22P05', 'unsupported Unicode escape sequence', {
        detail: '\\u0000 cannot be converted to text.',
      });
    }
    if (code < 0xd800 || code > 0xdfff) return [code, at + 5];
    if (code > 0xdbff) throw invalid('Unicode low surrogate must follow a high surrogate.');
    const hasNext = at + 12 <= end && bytes[at + 6] === BACKSLASH && bytes[at + 7] === 117;
    const low = hasNext ? hexNumber(bytes, at + 8) : 0;
    if (low < 0xdc00 || low > 0xdfff) {
      throw invalid('Unicode high surrogate must not be followed by anything but a low surrogate.');
    }
    return [0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00), at + 11];
  }

  #wrong(what: number): SqlError {
    return wrongJson(what, this.peek());
  }
}

/** What the grammar wants. */
const EXPECTED: ReadonlyMap<number, string> = new Map([
  [WRONG_MEMBER_END, '"," or "}"'],
  [WRONG_ELEMENT_END, '"," or "]"'],
  [WRONG_COLON, '":"'],
  [WRONG_NAME, 'string'],
  [WRONG_STRING_END, 'end of string'],
  [WRONG_CONTROL, 'escaped control character'],
  [WRONG_DIGIT, 'digit'],
  [WRONG_VALUE, 'JSON value'],
  [WRONG_TEXT_END, 'end of input'],
]);

const known = new Map<number, SqlError>();

/**
 * The error of a text that is wrong (WRONG_*, json-layout.ts) where `byte` stands; -1: its end. Equal ones are one object:
 * bad records often come in numbers.
 */
export function wrongJson(what: number, byte: number): SqlError {
  const key = what * 512 + byte;
  let error = known.get(key);
  if (error === undefined) {
    error = makeWrong(what, byte);
    known.set(key, error);
  }
  return error;
}

function makeWrong(what: number, byte: number): SqlError {
  if (what === WRONG_ESCAPE) return invalid('Escape sequence is invalid.');
  if (what === WRONG_HEX) return invalid('"\\u" must be followed by four hexadecimal digits.');
  if (what === WRONG_NO_OBJECT) {
    return new SqlError('22P02', 'invalid JSON record: it must be an object');
  }
  if (byte < 0) return invalid('The input string ended unexpectedly.');
  const shown = byte >= 32 && byte < 127 ? `"${String.fromCharCode(byte)}"` : `byte ${byte}`;
  return invalid(`Expected ${EXPECTED.get(what)}, but found ${shown}.`);
}

function invalid(detail: string): SqlError {
  return new SqlError('22P02', 'invalid input syntax for type json', { detail });
}

function tooDeep(): SqlError {
  return new SqlError('54001', `JSON is nested deeper than ${DEPTH_MAX} levels`);
}

/** What stands for an escape's letter; 0: it is none. */
const ESCAPES = escapes();

function escapes(): Uint8Array {
  const table = new Uint8Array(256);
  const letters = '"\\/bfnrt';
  const bytes = [34, 92, 47, 8, 12, 10, 13, 9];
  for (const [i, byte] of bytes.entries()) table[letters.charCodeAt(i)] = byte;
  return table;
}

function stringClasses(): Uint8Array {
  const classes = new Uint8Array(256);
  classes.fill(CONTROL, 0, 32);
  classes.fill(HIGH, 128);
  classes[STRING] = STRING;
  classes[BACKSLASH] = BACKSLASH;
  return classes;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function hexNumber(bytes: Buffer, at: number): number {
  let value = 0;
  for (let i = at; i < at + 4; i += 1) value = value * 16 + hexDigit(bytes[i]!);
  return value;
}
