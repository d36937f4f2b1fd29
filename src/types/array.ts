/**
 * ArrayValue: a PostgreSQL array: values in row-major order, dimensions, lower bounds.
 *
 * Bytes (view): count of dimensions u8, element NULLs u8 (1: a flag byte stands before each element), 0, 0; for each dimension
 * length i32 and lower bound i32; then the elements: bool 1 byte, i32 4, i64 and f64 8, others length u32 + bytes (as encodeBytes
 * of the element type). Little-endian. Equal arrays have equal bytes where their elements do.
 */

import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import type { DataType, Value } from './data-type.ts';

const DIMENSIONS_MAX = 6;
const ITEMS_MAX = 134217727;

export class ArrayValue {
  /** Row-major. */
  readonly items: readonly Value[];
  /** Lengths; [] for the empty array. */
  readonly dimensions: readonly number[];
  readonly lowerBounds: readonly number[];

  constructor(
    items: readonly Value[],
    dimensions: readonly number[],
    lowerBounds: readonly number[] = dimensions.map(() => 1),
  ) {
    this.items = items;
    this.dimensions = dimensions;
    this.lowerBounds = lowerBounds;
  }

  static readonly EMPTY = new ArrayValue([], []);

  /** One dimension from index 1. */
  static of(items: readonly Value[]): ArrayValue {
    return items.length === 0 ? ArrayValue.EMPTY : new ArrayValue(items, [items.length]);
  }

  /** An array of arrays of equal shape; 2202E where shapes differ. */
  static nest(parts: readonly ArrayValue[]): ArrayValue {
    const first = parts[0];
    if (first === undefined || parts.every((part) => part.dimensions.length === 0)) {
      return ArrayValue.EMPTY;
    }
    for (const part of parts) {
      if (!sameNumbers(part.dimensions, first.dimensions)) {
        throw new SqlError(
          '2202E',
          'multidimensional arrays must have array expressions with matching dimensions',
        );
      }
    }
    if (first.dimensions.length >= DIMENSIONS_MAX)
      throw tooManyDimensions(first.dimensions.length + 1);
    return new ArrayValue(
      parts.flatMap((part) => part.items),
      [parts.length, ...first.dimensions],
      [1, ...first.lowerBounds],
    );
  }

  get length(): number {
    return this.items.length;
  }

  /** Element of a one-dimensional array by SQL subscript; NULL outside. */
  at(subscript: number): Value {
    if (this.dimensions.length !== 1) return null;
    return this.items[subscript - this.lowerBounds[0]!] ?? null;
  }

  /** Element by one subscript for each dimension; NULL outside or when their number differs. */
  get(subscripts: readonly number[]): Value {
    if (subscripts.length !== this.dimensions.length || subscripts.length === 0) return null;
    let index = 0;
    for (let d = 0; d < subscripts.length; d += 1) {
      const offset = subscripts[d]! - this.lowerBounds[d]!;
      if (offset < 0 || offset >= this.dimensions[d]!) return null;
      index = index * this.dimensions[d]! + offset;
    }
    return this.items[index] ?? null;
  }
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}

function tooManyDimensions(count: number): SqlError {
  return new SqlError(
    '54000',
    `number of array dimensions (${count}) exceeds the maximum allowed (${DIMENSIONS_MAX})`,
  );
}

/** array_cmp: elements in order (NULL after all), then their number, dimensions, lower bounds. */
export function compareArrays(
  a: ArrayValue,
  b: ArrayValue,
  compareItems: (x: NonNullable<Value>, y: NonNullable<Value>) => number,
): number {
  const count = Math.min(a.items.length, b.items.length);
  for (let i = 0; i < count; i += 1) {
    const x = a.items[i]!;
    const y = b.items[i]!;
    if (x === null || y === null) {
      if (x === y) continue;
      return x === null ? 1 : -1;
    }
    const order = compareItems(x, y);
    if (order !== 0) return order;
  }
  return (
    a.items.length - b.items.length ||
    a.dimensions.length - b.dimensions.length ||
    compareNumbers(a.dimensions, b.dimensions) ||
    compareNumbers(a.lowerBounds, b.lowerBounds)
  );
}

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}

// ------------------------------------------------------------------------------------------------ text

/** As array_out. */
export function formatArray(
  value: ArrayValue,
  formatItem: (item: NonNullable<Value>) => string,
): string {
  if (value.dimensions.length === 0) return '{}';
  let prefix = '';
  if (value.lowerBounds.some((bound) => bound !== 1)) {
    prefix = value.dimensions
      .map((length, d) => `[${value.lowerBounds[d]}:${value.lowerBounds[d]! + length - 1}]`)
      .join('');
    prefix += '=';
  }
  let next = 0;
  const level = (d: number): string => {
    const parts: string[] = [];
    for (let i = 0; i < value.dimensions[d]!; i += 1) {
      if (d + 1 < value.dimensions.length) {
        parts.push(level(d + 1));
      } else {
        const item = value.items[next++]!;
        parts.push(item === null ? 'NULL' : quoteItem(formatItem(item)));
      }
    }
    return `{${parts.join(',')}}`;
  };
  return prefix + level(0);
}

const NEEDS_QUOTES = /[{}",\\ \t\n\v\f\r]/;

function quoteItem(text: string): string {
  if (text !== '' && !NEEDS_QUOTES.test(text) && text.toLowerCase() !== 'null') return text;
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function malformed(text: string, detail: string): SqlError {
  return new SqlError('22P02', `malformed array literal: "${text}"`, { detail });
}

/** As array_in of PostgreSQL 15. `parseItem` gets each element's text. */
export function parseArray(text: string, parseItem: (text: string) => Value): ArrayValue {
  return new ArrayParser(text, parseItem).parse();
}

class ArrayParser {
  readonly #text: string;
  readonly #parseItem: (text: string) => Value;
  #at = 0;
  readonly #items: Value[] = [];
  readonly #lengths: number[] = [];
  #depth = 0;
  #leafDepth = -1;

  constructor(text: string, parseItem: (text: string) => Value) {
    this.#text = text;
    this.#parseItem = parseItem;
  }

  parse(): ArrayValue {
    this.#blanks();
    const bounds = this.#bounds();
    if (this.#peek() !== '{') {
      throw malformed(
        this.#text,
        bounds === null
          ? 'Array value must start with "{" or dimension information.'
          : 'Array contents must start with "{".',
      );
    }
    this.#level(0);
    this.#blanks();
    if (this.#at < this.#text.length)
      throw malformed(this.#text, 'Junk after closing right brace.');
    if (this.#items.length === 0) return ArrayValue.EMPTY;
    if (this.#items.length > ITEMS_MAX)
      throw new SqlError('54000', 'array size exceeds the maximum allowed (134217727)');
    const lengths = this.#lengths;
    if (bounds === null) return new ArrayValue(this.#items, lengths);
    if (
      !sameNumbers(
        bounds.map(([, length]) => length),
        lengths,
      )
    ) {
      throw malformed(this.#text, 'Specified array dimensions do not match array contents.');
    }
    return new ArrayValue(
      this.#items,
      lengths,
      bounds.map(([lower]) => lower),
    );
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #blanks(): void {
    while (/[ \t\n\v\f\r]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #bounds(): [number, number][] | null {
    if (this.#peek() !== '[') return null;
    const bounds: [number, number][] = [];
    while (this.#peek() === '[') {
      const match = /^\[\s*([+-]?\d+)(?::([+-]?\d+))?\s*\]\s*/.exec(this.#text.slice(this.#at));
      if (match === null)
        throw malformed(this.#text, '"[" must introduce explicitly-specified array dimensions.');
      const lower = match[2] === undefined ? 1 : Number(match[1]);
      const upper = Number(match[2] ?? match[1]);
      if (upper < lower) throw new SqlError('2202E', 'upper bound cannot be less than lower bound');
      bounds.push([lower, upper - lower + 1]);
      if (bounds.length > DIMENSIONS_MAX) throw tooManyDimensions(bounds.length);
      this.#at += match[0].length;
    }
    if (this.#peek() !== '=') throw malformed(this.#text, 'Missing "=" after array dimensions.');
    this.#at += 1;
    this.#blanks();
    return bounds;
  }

  /** One `{...}` at nesting depth `d`. */
  #level(d: number): void {
    if (d >= DIMENSIONS_MAX) throw tooManyDimensions(d + 1);
    this.#at += 1;
    this.#blanks();
    let count = 0;
    if (this.#peek() === '}') {
      this.#at += 1;
      if (this.#items.length > 0) throw malformed(this.#text, 'Unexpected "}" character.');
      return;
    }
    for (;;) {
      this.#member(d);
      count += 1;
      this.#blanks();
      const c = this.#peek();
      if (c === ',') {
        this.#at += 1;
        this.#blanks();
        continue;
      }
      if (c === undefined) throw malformed(this.#text, 'Unexpected end of input.');
      if (c !== '}') throw malformed(this.#text, 'Unexpected array element.');
      this.#at += 1;
      break;
    }
    if (this.#lengths[d] === undefined) this.#lengths[d] = count;
    else if (this.#lengths[d] !== count) throw this.#ragged();
  }

  #ragged(): SqlError {
    return malformed(
      this.#text,
      'Multidimensional arrays must have sub-arrays with matching dimensions.',
    );
  }

  #member(d: number): void {
    const c = this.#peek();
    if (c === '{') {
      if (this.#leafDepth !== -1 && this.#leafDepth <= d) throw this.#ragged();
      this.#depth = Math.max(this.#depth, d + 1);
      this.#level(d + 1);
      return;
    }
    if (this.#leafDepth === -1) this.#leafDepth = d;
    if (this.#leafDepth !== d || this.#depth > d) throw this.#ragged();
    this.#items.push(c === '"' ? this.#quoted() : this.#bare());
  }

  #quoted(): Value {
    let out = '';
    for (let i = this.#at + 1; i < this.#text.length; i += 1) {
      const c = this.#text[i]!;
      if (c === '"') {
        this.#at = i + 1;
        return this.#parseItem(out);
      }
      if (c === '\\') i += 1;
      out += this.#text[i] ?? '';
    }
    throw malformed(this.#text, 'Unexpected end of input.');
  }

  #bare(): Value {
    let out = '';
    let kept = 0;
    let hasEscape = false;
    let i = this.#at;
    for (; i < this.#text.length; i += 1) {
      const c = this.#text[i]!;
      if (c === ',' || c === '}') break;
      if (c === '{') throw malformed(this.#text, 'Unexpected "{" character.');
      if (c === '"') throw malformed(this.#text, 'Unexpected array element.');
      if (c === '\\') {
        i += 1;
        hasEscape = true;
        out += this.#text[i] ?? '';
        kept = out.length;
      } else {
        out += c;
        if (!/[ \t\n\v\f\r]/.test(c)) kept = out.length;
      }
    }
    if (i >= this.#text.length) throw malformed(this.#text, 'Unexpected end of input.');
    const item = out.slice(0, kept);
    if (item === '') {
      throw malformed(this.#text, `Unexpected "${this.#text[i]}" character.`);
    }
    this.#at = i;
    return !hasEscape && item.toLowerCase() === 'null' ? null : this.#parseItem(item);
  }
}

// ------------------------------------------------------------------------------------------------ bytes

/** `encodeItem` gives the bytes of elements with storage `view`. */
export function encodeArray(
  element: DataType,
  value: ArrayValue,
  encodeItem: (item: NonNullable<Value>) => Uint8Array,
): Uint8Array {
  const hasNulls = value.items.includes(null);
  const parts: Uint8Array[] = [];
  const head = Buffer.alloc(4 + 8 * value.dimensions.length);
  head[0] = value.dimensions.length;
  head[1] = hasNulls ? 1 : 0;
  value.dimensions.forEach((length, d) => {
    head.writeInt32LE(length, 4 + 8 * d);
    head.writeInt32LE(value.lowerBounds[d]!, 8 + 8 * d);
  });
  parts.push(head);
  for (const item of value.items) {
    if (hasNulls) parts.push(item === null ? IS_NULL : NOT_NULL);
    if (item !== null) parts.push(...itemBytes(element, item, encodeItem));
  }
  const whole = Buffer.concat(parts);
  return new Uint8Array(whole.buffer, whole.byteOffset, whole.length);
}

const IS_NULL = Uint8Array.of(1);
const NOT_NULL = Uint8Array.of(0);

function itemBytes(
  element: DataType,
  item: NonNullable<Value>,
  encodeItem: (item: NonNullable<Value>) => Uint8Array,
): Uint8Array[] {
  switch (element.storage) {
    case 'u8':
      return [Uint8Array.of(item === true ? 1 : 0)];
    case 'i32': {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32LE(item as number);
      return [bytes];
    }
    case 'i64': {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(item as bigint);
      return [bytes];
    }
    case 'f64': {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(item as number);
      return [bytes];
    }
    default: {
      const content = encodeItem(item);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(content.length);
      return [length, content];
    }
  }
}

export function decodeArray(
  element: DataType,
  bytes: Uint8Array,
  decodeItem: (bytes: Uint8Array) => Value,
): ArrayValue {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dimensionCount = buffer[0]!;
  if (dimensionCount === 0) return ArrayValue.EMPTY;
  const hasNulls = buffer[1] === 1;
  const dimensions: number[] = [];
  const lowerBounds: number[] = [];
  for (let d = 0; d < dimensionCount; d += 1) {
    dimensions.push(buffer.readInt32LE(4 + 8 * d));
    lowerBounds.push(buffer.readInt32LE(8 + 8 * d));
  }
  const items: Value[] = [];
  let at = 4 + 8 * dimensionCount;
  while (at < buffer.length) {
    if (hasNulls && buffer[at++] === 1) {
      items.push(null);
      continue;
    }
    switch (element.storage) {
      case 'u8':
        items.push(buffer[at] !== 0);
        at += 1;
        break;
      case 'i32':
        items.push(buffer.readInt32LE(at));
        at += 4;
        break;
      case 'i64':
        items.push(buffer.readBigInt64LE(at));
        at += 8;
        break;
      case 'f64':
        items.push(buffer.readDoubleLE(at));
        at += 8;
        break;
      default: {
        const length = buffer.readUInt32LE(at);
        items.push(decodeItem(bytes.subarray(at + 4, at + 4 + length)));
        at += 4 + length;
      }
    }
  }
  assert(
    items.length === dimensions.reduce((a, b) => a * b, 1),
    'an array has as many items as its dimensions say',
  );
  return new ArrayValue(items, dimensions, lowerBounds);
}
