/**
 * A MessagePack map as a row: its text keys are matched to columns by exact name, then without case; others are skipped, a
 * missing key is the column's default, nil NULL. A scalar's text goes to the type's input function (integers and numerics are exact), binary to
 * bytea, the timestamp extension to times, an array or a map as JSON text, to an array column as an array.
 *
 * Cost: one pass over the bytes; no JavaScript value is made of what no column wants. Of several equal keys the last one counts.
 */

import { type DataError, SqlError } from '../../base/sql-error.ts';
import type { ColumnBuilder } from '../../batch/column-builder.ts';
import type { Value } from '../../types/data-type.ts';
import { checkTimestamp } from '../../types/datetime.ts';
import { encodingError } from '../../types/encoding-error.ts';
import { quoteJson } from '../../types/jsonb.ts';
import { coerceTypmod, type ValueSettings } from '../../types/value.ts';
import { instantText } from '../change-lines.ts';
import type { DecodedColumn } from '../csv.ts';
import { arrayText } from '../json-array-text.ts';
import type { MessageDecoder } from '../message-decoder.ts';
import { missingValues } from '../missing-values.ts';
import { orThrow, userError } from '../record-decoder.ts';
import { type TextAppender, textAppender } from '../text-value.ts';
import { corrupt, MessagePackCursor } from './cursor.ts';

const MISSING = -1;
/** The extension type of timestamps. */
const TIMESTAMP = -1;
/** Types that take the extension as it is. */
const INSTANTS: ReadonlySet<string> = new Set(['timestamp', 'timestamptz']);
const INTEGER_MAX: Readonly<Record<string, number>> = { int2: 2 ** 15 - 1, int4: 2 ** 31 - 1 };

export class MessagePackDecoder implements MessageDecoder {
  readonly #columns: readonly DecodedColumn[];
  readonly #appenders: readonly TextAppender[];
  readonly #missing: readonly Value[];
  readonly #byName: ReadonlyMap<string, number>;
  readonly #byLowerName: ReadonlyMap<string, number>;
  readonly #cursor = new MessagePackCursor();
  /** Where each column's value begins; -1: missing. */
  readonly #starts: Int32Array;
  readonly #isExact: Uint8Array;
  errorOffset = 0;

  /** `defaults`: what columns are whose key is missing, as input texts. */
  constructor(
    columns: readonly DecodedColumn[],
    settings: ValueSettings,
    defaults: Readonly<Record<string, string>> = {},
  ) {
    this.#columns = columns;
    this.#missing = missingValues(columns, defaults);
    this.#appenders = columns.map(({ type }) => textAppender(type, settings));
    this.#byName = new Map(columns.map(({ name }, i) => [name, i]));
    this.#byLowerName = new Map(columns.map(({ name }, i) => [name.toLowerCase(), i]));
    this.#starts = new Int32Array(columns.length);
    this.#isExact = new Uint8Array(columns.length);
  }

  append(
    bytes: Buffer,
    start: number,
    end: number,
    builders: readonly ColumnBuilder[],
  ): DataError | null {
    let i = -1;
    try {
      this.#findValues(bytes, start, end);
      for (i = 0; i < builders.length; i += 1) this.#appendFound(bytes, i, end, builders[i]!);
      return null;
    } catch (error) {
      return userError(error, this.#columns[i]?.name);
    }
  }

  #appendFound(bytes: Buffer, i: number, end: number, to: ColumnBuilder): void {
    const from = this.#starts[i]!;
    if (from === MISSING) {
      to.appendValue(this.#missing[i]!);
      return;
    }
    this.errorOffset = from;
    this.#cursor.start(bytes, from, end);
    this.#appendValue(bytes, i, to);
  }

  #findValues(bytes: Buffer, start: number, end: number): void {
    const cursor = this.#cursor;
    cursor.start(bytes, start, end);
    this.#starts.fill(MISSING);
    this.#isExact.fill(0);
    this.errorOffset = start;
    try {
      cursor.head();
      if (cursor.kind !== 'map') throw corrupt('it must be a map');
      for (let left = cursor.number; left > 0; left -= 1) this.#findMember(bytes);
      if (!cursor.isAtEnd) throw corrupt('bytes follow its map');
    } catch (error) {
      this.errorOffset = Math.min(cursor.at, end);
      throw error;
    }
  }

  #findMember(bytes: Buffer): void {
    const cursor = this.#cursor;
    cursor.head();
    if (cursor.kind === 'text') {
      const from = cursor.at;
      cursor.at = cursor.need(cursor.number);
      this.#note(bytes.toString('utf8', from, cursor.at), cursor.at);
    } else cursor.skipBody();
    cursor.head();
    cursor.skipBody();
  }

  #note(name: string, at: number): void {
    const exact = this.#byName.get(name);
    if (exact !== undefined) {
      this.#starts[exact] = at;
      this.#isExact[exact] = 1;
      return;
    }
    const loose = this.#byLowerName.get(name.toLowerCase());
    if (loose !== undefined && this.#isExact[loose] === 0) this.#starts[loose] = at;
  }

  #appendValue(bytes: Buffer, i: number, to: ColumnBuilder): void {
    const cursor = this.#cursor;
    const { id } = this.#columns[i]!.type;
    cursor.head();
    if (cursor.kind === 'nil') to.appendNull();
    else if (id === 'json' || id === 'jsonb') this.#appendText(i, to, jsonOf(cursor, bytes));
    else if (cursor.kind === 'array' && id === 'array') {
      this.#appendText(i, to, arrayText(jsonOf(cursor, bytes)));
    } else if (cursor.kind === 'text') this.#appendSpan(bytes, i, to);
    else if (cursor.kind === 'binary' && id === 'bytea') {
      to.appendBytes(bytes.subarray(cursor.at, cursor.need(cursor.number)));
    } else if (cursor.kind === 'integer') this.#appendInteger(id, i, to);
    else if (cursor.kind === 'extension' && INSTANTS.has(id)) {
      const { type } = this.#columns[i]!;
      to.appendValue(coerceTypmod(type, instantOf(cursor, bytes), false));
    } else this.#appendText(i, to, scalarText(cursor, bytes));
  }

  #appendSpan(bytes: Buffer, i: number, to: ColumnBuilder): void {
    const { at, number } = this.#cursor;
    const end = this.#cursor.need(number);
    orThrow(encodingError(bytes, at, end));
    orThrow(this.#appenders[i]!(to, bytes, at, end));
  }

  #appendInteger(id: string, i: number, to: ColumnBuilder): void {
    const { number, big } = this.#cursor;
    const max = INTEGER_MAX[id];
    if (max !== undefined && number <= max && number >= -max - 1) to.appendI32(number);
    else if (id === 'int8' && big === null) to.appendI64(BigInt(number));
    else this.#appendText(i, to, String(big ?? number));
  }

  #appendText(i: number, to: ColumnBuilder, text: string): void {
    const bytes = Buffer.from(text);
    orThrow(this.#appenders[i]!(to, bytes, 0, bytes.length));
  }
}

function floatText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The text of a scalar whose head was read; an array or a map is JSON. */
function scalarText(cursor: MessagePackCursor, bytes: Buffer): string {
  switch (cursor.kind) {
    case 'bool':
      return cursor.number === 1 ? 'true' : 'false';
    case 'float':
      return floatText(cursor.number).replace('Infinity', 'infinity');
    case 'binary':
      return `\\x${bytes.toString('hex', cursor.at, cursor.need(cursor.number))}`;
    case 'extension':
      return instantText(instantOf(cursor, bytes));
    default:
      return jsonOf(cursor, bytes);
  }
}

/** The timestamp extension: seconds in 4 bytes, or nanoseconds (30 bits) and seconds (34), or 4 and 8 bytes. */
function instantOf(cursor: MessagePackCursor, bytes: Buffer): bigint {
  const { at, number: size, extensionType } = cursor;
  cursor.need(size);
  if (extensionType !== TIMESTAMP) {
    throw new SqlError('0A000', `MessagePack extension type ${extensionType} is not supported`);
  }
  if (size === 4) return microseconds(BigInt(bytes.readUInt32BE(at)), 0);
  if (size === 8) {
    const packed = bytes.readBigUInt64BE(at);
    return microseconds(packed & 0x3_ffff_ffffn, Number(packed >> 34n));
  }
  if (size !== 12) throw corrupt(`a timestamp of ${size} bytes`);
  return microseconds(bytes.readBigInt64BE(at + 4), bytes.readUInt32BE(at));
}

const DATE_SECONDS_MAX = 8_640_000_000_000n;

function microseconds(seconds: bigint, nanoseconds: number): bigint {
  if (seconds > DATE_SECONDS_MAX || seconds < -DATE_SECONDS_MAX || nanoseconds > 999_999_999) {
    throw new SqlError('22008', 'timestamp out of range');
  }
  return checkTimestamp(seconds * 1_000_000n + BigInt(Math.floor(nanoseconds / 1000)));
}

/** The value whose head was read as JSON text; binary as PostgreSQL's hexadecimal form, times as ISO texts. */
function jsonOf(cursor: MessagePackCursor, bytes: Buffer, depth = 0): string {
  if (depth > 64) throw corrupt('it is nested deeper than 64');
  switch (cursor.kind) {
    case 'nil':
      return 'null';
    case 'bool':
      return cursor.number === 1 ? 'true' : 'false';
    case 'integer':
      return String(cursor.big ?? cursor.number);
    case 'float':
      return Number.isFinite(cursor.number)
        ? floatText(cursor.number)
        : quoteJson(scalarText(cursor, bytes));
    case 'text':
      return quoteJson(textOf(cursor, bytes));
    case 'array':
      return `[${items(cursor, bytes, cursor.number, depth).join(',')}]`;
    case 'map':
      return `{${members(cursor, bytes, cursor.number, depth).join(',')}}`;
    case 'binary':
    case 'extension': {
      const text = scalarText(cursor, bytes);
      cursor.at = cursor.need(cursor.number);
      return quoteJson(text);
    }
  }
}

function items(cursor: MessagePackCursor, bytes: Buffer, count: number, depth: number): string[] {
  const texts: string[] = [];
  for (let left = count; left > 0; left -= 1) {
    cursor.head();
    texts.push(jsonOf(cursor, bytes, depth + 1));
  }
  return texts;
}

function members(cursor: MessagePackCursor, bytes: Buffer, count: number, depth: number): string[] {
  const texts: string[] = [];
  for (let left = count; left > 0; left -= 1) {
    cursor.head();
    const key = jsonOf(cursor, bytes, depth + 1);
    cursor.head();
    texts.push(`${key.startsWith('"') ? key : quoteJson(key)}:${jsonOf(cursor, bytes, depth + 1)}`);
  }
  return texts;
}

function textOf(cursor: MessagePackCursor, bytes: Buffer): string {
  const from = cursor.at;
  cursor.at = cursor.need(cursor.number);
  orThrow(encodingError(bytes, from, cursor.at));
  return bytes.toString('utf8', from, cursor.at);
}
