/**
 * A JSON object as a row: its members are matched to columns by exact name, then without case; others are ignored, a missing
 * member and null are NULL. Values go to columns as in PostgreSQL's json_populate_record: a scalar's text goes to the type's
 * input function (so int8 and numeric are exact), an object or array as JSON text, to an array column as an array.
 *
 * Cost: one pass over the bytes checks the whole text against RFC 8259 and notes where the wanted values lie; no JavaScript
 * value is made of it. The last of several members of one name counts.
 */

import { SqlError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import { encodingError } from '../types/encoding-error.ts';
import type { ValueSettings } from '../types/value.ts';
import type { DecodedColumn } from './csv.ts';
import { arrayText } from './json-array-text.ts';
import { ARRAY_START, JsonScanner, OBJECT_START, STRING } from './json-scanner.ts';
import type { MessageDecoder } from './message-decoder.ts';
import { inColumn } from './record-decoder.ts';
import { type TextAppender, textAppender } from './text-value.ts';

const MISSING = -1;
/** The n of null. */
const NULL_START = 110;

export class JsonObjectDecoder implements MessageDecoder {
  readonly #columns: readonly DecodedColumn[];
  readonly #appenders: readonly TextAppender[];
  readonly #byName: ReadonlyMap<string, number>;
  readonly #byLowerName: ReadonlyMap<string, readonly number[]>;
  readonly #isJson: readonly boolean[];
  readonly #isArray: readonly boolean[];
  readonly #scanner = new JsonScanner();
  /** Where each column's value lies; -1: missing. */
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #isExact: Uint8Array;
  /** Members of the object before, which the next one most likely has in the same order: name bytes and columns. */
  #memberNames: Buffer[] = [];
  #memberTargets: (readonly number[])[] = [];
  #start = 0;
  #end = 0;
  #errorOffset = 0;

  /** `columns`: what the builders hold, in their order. */
  constructor(columns: readonly DecodedColumn[], settings: ValueSettings) {
    this.#columns = columns;
    this.#appenders = columns.map((column) => textAppender(column.type, settings));
    this.#byName = new Map(columns.map((column, i) => [column.name, i]));
    this.#byLowerName = groupByLowerName(columns);
    this.#isJson = columns.map(({ type }) => type.id === 'json' || type.id === 'jsonb');
    this.#isArray = columns.map(({ type }) => type.id === 'array');
    this.#starts = new Int32Array(columns.length);
    this.#ends = new Int32Array(columns.length);
    this.#isExact = new Uint8Array(columns.length);
  }

  get errorOffset(): number {
    return this.#errorOffset;
  }

  append(bytes: Buffer, start: number, end: number, builders: readonly ColumnBuilder[]): void {
    this.#start = start;
    this.#end = end;
    this.#errorOffset = start;
    this.#readObject(bytes);
    for (let i = 0; i < builders.length; i += 1) {
      const from = this.#starts[i]!;
      if (from === MISSING) {
        builders[i]!.appendNull();
        continue;
      }
      this.#errorOffset = from;
      try {
        this.#appendValue(bytes, from, this.#ends[i]!, i, builders[i]!);
      } catch (error) {
        throw inColumn(error, this.#columns[i]!.name);
      }
    }
  }

  #appendValue(bytes: Buffer, start: number, end: number, i: number, to: ColumnBuilder): void {
    const appender = this.#appenders[i]!;
    const first = bytes[start];
    if (first === NULL_START) to.appendNull();
    else if (this.#isJson[i]) appender(to, bytes, start, end);
    else if (first === STRING) {
      if (!hasBackslash(bytes, start, end)) appender(to, bytes, start + 1, end - 1);
      else {
        const length = this.#scanner.unescape(bytes, start + 1, end - 1);
        appender(to, this.#scanner.text, 0, length);
      }
    } else if (this.#isArray[i] && first === ARRAY_START) {
      const text = Buffer.from(arrayText(bytes.toString('utf8', start, end)));
      appender(to, text, 0, text.length);
    } else appender(to, bytes, start, end);
  }

  /** Checks the text and notes where the columns' values are. */
  #readObject(bytes: Buffer): void {
    const scanner = this.#scanner;
    scanner.start(bytes, this.#start, this.#end);
    this.#starts.fill(MISSING);
    this.#isExact.fill(0);
    try {
      this.#readMembers(bytes, scanner);
    } catch (error) {
      this.#errorOffset = Math.min(scanner.at, this.#end);
      throw error;
    }
    if (!scanner.isSuspect) return;
    const error = encodingError(bytes, this.#start, this.#end);
    if (error !== null) throw error;
  }

  #readMembers(bytes: Buffer, scanner: JsonScanner): void {
    scanner.skipSpace();
    if (scanner.peek() !== OBJECT_START) {
      // Not JSON at all, or JSON that is no object: say which.
      scanner.skipValue();
      scanner.expectEnd();
      scanner.at = this.#start;
      throw new SqlError('22P02', 'invalid JSON record: it must be an object');
    }
    scanner.at += 1;
    scanner.skipSpace();
    if (scanner.takeObjectEnd()) {
      scanner.expectEnd();
      return;
    }
    for (let member = 0; ; member += 1) {
      const nameStart = scanner.at;
      scanner.skipString();
      const targets = this.#targetsOf(bytes, nameStart, scanner.at, member);
      scanner.expectColon();
      const start = scanner.at;
      scanner.skipValue();
      for (let i = 0; i < targets.length; i += 1) {
        this.#note(targets[i]!, start, scanner.at);
      }
      if (scanner.takeMemberEnd()) break;
    }
    scanner.expectEnd();
  }

  /** A target is a column number; -1 - column: matched without case only. */
  #note(target: number, start: number, end: number): void {
    const column = target >= 0 ? target : -1 - target;
    if (target < 0 && this.#isExact[column] === 1) return;
    if (target >= 0) this.#isExact[column] = 1;
    this.#starts[column] = start;
    this.#ends[column] = end;
  }

  /** Columns that the name in bytes[start, end), quotes included, stands for. */
  #targetsOf(bytes: Buffer, start: number, end: number, member: number): readonly number[] {
    const known = this.#memberNames[member];
    if (known !== undefined && isSame(bytes, start, end, known))
      return this.#memberTargets[member]!;
    const targets = this.#findTargets(bytes, start, end);
    if (member < MEMBERS_KNOWN_MAX && end - start <= NAME_KNOWN_BYTES_MAX) {
      this.#memberNames[member] = Buffer.from(bytes.subarray(start, end));
      this.#memberTargets[member] = targets;
    }
    return targets;
  }

  #findTargets(bytes: Buffer, start: number, end: number): readonly number[] {
    const length = this.#scanner.unescape(bytes, start + 1, end - 1);
    const name = this.#scanner.text.toString('utf8', 0, length);
    const exact = this.#byName.get(name);
    const others = this.#byLowerName.get(name.toLowerCase()) ?? [];
    const loose = others.filter((column) => column !== exact).map((column) => -1 - column);
    return exact === undefined ? loose : [exact, ...loose];
  }
}

/** Bounds of what is remembered of the object before. */
const MEMBERS_KNOWN_MAX = 1000;
const NAME_KNOWN_BYTES_MAX = 256;

function groupByLowerName(columns: readonly DecodedColumn[]): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const [i, { name }] of columns.entries()) {
    const lower = name.toLowerCase();
    const group = groups.get(lower);
    if (group === undefined) groups.set(lower, [i]);
    else group.push(i);
  }
  return groups;
}

function isSame(bytes: Buffer, start: number, end: number, name: Buffer): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i += 1) if (bytes[start + i] !== name[i]) return false;
  return true;
}

function hasBackslash(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i += 1) if (bytes[i] === 92) return true;
  return false;
}
