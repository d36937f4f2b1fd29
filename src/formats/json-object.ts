/**
 * A JSON object as a row: its members are matched to columns by exact name, then without case, or a column has a path of exact
 * names (json-paths.ts); others are ignored, a missing member and null are NULL. Values go to columns as in PostgreSQL's json_populate_record: a scalar's text goes to the type's
 * input function (so int8 and numeric are exact), an object or array as JSON text, to an array column as an array.
 *
 * Cost: one pass over the bytes checks the whole text against RFC 8259 and notes where the wanted values lie; no JavaScript
 * value is made of it. The last of several members of one name counts. Where a kernel can (json-kernel.ts) it does all of that,
 * and what is written here says what it means.
 */

import type { DataError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import { TEXT_LEFT, WRONG_ENCODING, WRONG_NO_OBJECT } from '../kernels/json-layout.ts';
import type { Value } from '../types/data-type.ts';
import { encodingError } from '../types/encoding-error.ts';
import type { ValueSettings } from '../types/value.ts';
import type { DecodedColumn } from './csv.ts';
import { arrayText } from './json-array-text.ts';
import { canMatchNames, JsonKernel } from './json-kernel.ts';
import { type JsonNode, type JsonPaths, jsonTree, NO_PATHS } from './json-paths.ts';
import { ARRAY_START, JsonScanner, OBJECT_START, STRING, wrongJson } from './json-scanner.ts';
import type { MessageDecoder } from './message-decoder.ts';
import { missingValues } from './missing-values.ts';
import { errorOf, orThrow, userError } from './record-decoder.ts';
import { type TextAppender, textAppender } from './text-value.ts';

const MISSING = -1;
/** The n of null. */
const NULL_START = 110;

/** Appends a value from its JSON text bytes[start, end), which is not null; throws the type's SqlError, and then appends nothing. */
export type TokenAppender = (
  builder: ColumnBuilder,
  bytes: Buffer,
  start: number,
  end: number,
) => void;

/** What a member's name stands for. */
interface Found {
  readonly node: JsonNode | null;
  /** Columns that it matches without case only. */
  readonly loose: readonly number[];
}

export class JsonObjectDecoder implements MessageDecoder {
  readonly #columns: readonly DecodedColumn[];
  readonly #appenders: readonly TextAppender[];
  readonly #tokens: readonly (TokenAppender | null)[];
  readonly #missing: readonly Value[];
  readonly #root: JsonNode;
  readonly #byLowerName: ReadonlyMap<string, readonly number[]>;
  readonly #isJson: readonly boolean[];
  readonly #isArray: readonly boolean[];
  readonly #scanner = new JsonScanner();
  /** null: names of these columns are beyond it. */
  readonly #kernel: JsonKernel | null;
  /** Where each column's value lies; -1: missing. */
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #isExact: Uint8Array;
  /** By node: members of the object before, which the next one most likely has in the same order. */
  readonly #known = new Map<JsonNode, { readonly names: Buffer[]; readonly found: Found[] }>();
  #bytes: Buffer = Buffer.alloc(0);
  #builders: readonly ColumnBuilder[] = [];
  #start = 0;
  #end = 0;
  #errorOffset = 0;
  /** Of the column that was appended last; null: nothing is wrong with it. */
  #columnError: DataError | null = null;

  /**
   * `columns`: what the builders hold, in their order; paths of those that are no members of the object itself; `tokens`: by
   * column, how it is read where that differs; `defaults`: what columns are whose member is missing, as input texts.
   */
  constructor(
    columns: readonly DecodedColumn[],
    settings: ValueSettings,
    paths: JsonPaths = NO_PATHS,
    tokens: readonly (TokenAppender | null)[] = [],
    defaults: Readonly<Record<string, string>> = {},
  ) {
    this.#columns = columns;
    this.#missing = missingValues(columns, defaults);
    this.#tokens = columns.map((_, i) => tokens[i] ?? null);
    this.#appenders = columns.map((column) => textAppender(column.type, settings));
    this.#root = jsonTree(columns, paths);
    this.#byLowerName = groupByLowerName(columns, paths);
    this.#isJson = columns.map(({ type }) => type.id === 'json' || type.id === 'jsonb');
    this.#isArray = columns.map(({ type }) => type.id === 'array');
    const hasKernel = columns.length > 0 && canMatchNames(this.#root);
    const isLeft = (column: number) =>
      this.#tokens[column] !== null || this.#missing[column] !== null;
    this.#kernel = hasKernel ? new JsonKernel(columns, this.#root, isLeft) : null;
    this.#starts = new Int32Array(columns.length);
    this.#ends = new Int32Array(columns.length);
    this.#isExact = new Uint8Array(columns.length);
  }

  get errorOffset(): number {
    return this.#errorOffset;
  }

  /** The bytes given so far may be others now. */
  forget(): void {
    this.#kernel?.forget();
  }

  /** `behind`: the bytes before it stay what they are until `forget`. */
  append(
    bytes: Buffer,
    start: number,
    end: number,
    builders: readonly ColumnBuilder[],
    behind = bytes.length,
  ): DataError | null {
    this.#start = start;
    this.#end = end;
    this.#errorOffset = start;
    this.#bytes = bytes;
    this.#builders = builders;
    this.#columnError = null;
    const kernel = this.#kernel;
    if (!kernel?.append(bytes, start, end, behind, builders, this.#appendColumn)) {
      const error = this.#columnError ?? this.#refusal() ?? this.#appendRead();
      if (error !== null) return error;
    }
    // What is wrong with the row as a whole is wrong where it starts.
    this.#errorOffset = start;
    return null;
  }

  /** As the kernel does, of any text. */
  #appendRead(): DataError | null {
    try {
      this.#readObject(this.#bytes);
    } catch (error) {
      return userError(error);
    }
    for (let i = 0; i < this.#builders.length; i += 1) {
      if (!this.#appendColumn(i, this.#starts[i]!, this.#ends[i]!)) return this.#columnError;
    }
    return null;
  }

  /** What the kernel says is wrong; null where it leaves that to the bytes, and they do not tell. */
  #refusal(): DataError | null {
    if (this.#kernel === null) return null;
    const { wrong, wrongAt: at } = this.#kernel;
    if (wrong === TEXT_LEFT) return null;
    this.#errorOffset = at;
    if (wrong !== WRONG_ENCODING) return wrongJson(wrong, at < this.#end ? this.#bytes[at]! : -1);
    return encodingError(this.#bytes, this.#start, this.#end);
  }

  /** Errors are caught next to where they are thrown: the more calls there are between, the longer that takes V8. */
  readonly #appendColumn = (column: number, from: number, to: number): boolean => {
    const builder = this.#builders[column]!;
    if (from === MISSING) {
      builder.appendValue(this.#missing[column]!);
      return true;
    }
    this.#errorOffset = from;
    let error: DataError | null;
    try {
      error = this.#appendValue(this.#bytes, from, to, column, builder);
    } catch (thrown) {
      error = userError(thrown);
    }
    if (error === null) return true;
    this.#columnError = errorOf(error, this.#columns[column]!.name);
    return false;
  };

  #appendValue(
    bytes: Buffer,
    start: number,
    end: number,
    i: number,
    to: ColumnBuilder,
  ): DataError | null {
    const appender = this.#appenders[i]!;
    const token = this.#tokens[i]!;
    const first = bytes[start];
    if (first === NULL_START) {
      to.appendNull();
      return null;
    }
    if (token !== null) {
      token(to, bytes, start, end);
      return null;
    }
    if (first === STRING && !this.#isJson[i]) {
      if (!hasBackslash(bytes, start, end)) return appender(to, bytes, start + 1, end - 1);
      const length = this.#scanner.unescape(bytes, start + 1, end - 1);
      return appender(to, this.#scanner.text, 0, length);
    }
    if (this.#isArray[i] && first === ARRAY_START) {
      const text = Buffer.from(arrayText(bytes.toString('utf8', start, end)));
      return appender(to, text, 0, text.length);
    }
    return appender(to, bytes, start, end);
  }

  /** Checks the text and notes where the columns' values are. */
  #readObject(bytes: Buffer): void {
    const scanner = this.#scanner;
    scanner.start(bytes, this.#start, this.#end);
    this.#starts.fill(MISSING);
    this.#isExact.fill(0);
    try {
      this.#readRecord(bytes, scanner);
    } catch (error) {
      this.#errorOffset = Math.min(scanner.at, this.#end);
      throw error;
    }
    if (!scanner.isSuspect) return;
    orThrow(encodingError(bytes, this.#start, this.#end));
  }

  #readRecord(bytes: Buffer, scanner: JsonScanner): void {
    scanner.skipSpace();
    if (scanner.peek() !== OBJECT_START) {
      // Not JSON at all, or JSON that is no object: say which.
      scanner.skipValue();
      scanner.expectEnd();
      scanner.at = this.#start;
      throw wrongJson(WRONG_NO_OBJECT, OBJECT_START);
    }
    this.#readMembers(bytes, scanner, this.#root);
    scanner.expectEnd();
  }

  /** The object at hand. */
  #readMembers(bytes: Buffer, scanner: JsonScanner, node: JsonNode): void {
    scanner.at += 1;
    scanner.skipSpace();
    if (scanner.takeObjectEnd()) return;
    for (let member = 0; ; member += 1) {
      const nameStart = scanner.at;
      scanner.skipString();
      const { node: child, loose } = this.#foundFor(bytes, nameStart, scanner.at, node, member);
      scanner.expectColon();
      const start = scanner.at;
      this.#readValue(bytes, scanner, child);
      for (const column of loose) {
        if (this.#isExact[column] === 0) this.#note(column, start, scanner.at);
      }
      if (scanner.takeMemberEnd()) return;
    }
  }

  /** The array at hand. */
  #readElements(bytes: Buffer, scanner: JsonScanner, node: JsonNode): void {
    scanner.at += 1;
    scanner.skipSpace();
    if (scanner.takeArrayEnd()) return;
    for (let index = 0; ; index += 1) {
      this.#readValue(bytes, scanner, node.elements.get(index) ?? null);
      if (scanner.takeElementEnd()) return;
    }
  }

  #readValue(bytes: Buffer, scanner: JsonScanner, node: JsonNode | null): void {
    if (node === null) {
      scanner.skipValue();
      return;
    }
    const start = scanner.at;
    for (const column of node.below) this.#starts[column] = MISSING;
    const first = scanner.peek();
    if (first === OBJECT_START && node.members.size > 0) this.#readMembers(bytes, scanner, node);
    else if (first === ARRAY_START && node.elements.size > 0) {
      this.#readElements(bytes, scanner, node);
    } else scanner.skipValue();
    for (const column of node.columns) {
      this.#isExact[column] = 1;
      this.#note(column, start, scanner.at);
    }
  }

  #note(column: number, start: number, end: number): void {
    this.#starts[column] = start;
    this.#ends[column] = end;
  }

  /** What the name in bytes[start, end), quotes included, stands for among the members of `node`. */
  #foundFor(bytes: Buffer, start: number, end: number, node: JsonNode, member: number): Found {
    let known = this.#known.get(node);
    if (known === undefined) {
      known = { names: [], found: [] };
      this.#known.set(node, known);
    }
    const name = known.names[member];
    if (name !== undefined && isSame(bytes, start, end, name)) return known.found[member]!;
    const found = this.#find(bytes, start, end, node);
    if (member < MEMBERS_KNOWN_MAX && end - start <= NAME_KNOWN_BYTES_MAX) {
      known.names[member] = Buffer.from(bytes.subarray(start, end));
      known.found[member] = found;
    }
    return found;
  }

  #find(bytes: Buffer, start: number, end: number, node: JsonNode): Found {
    const length = this.#scanner.unescape(bytes, start + 1, end - 1);
    const name = this.#scanner.text.toString('utf8', 0, length);
    const child = node.members.get(name) ?? null;
    if (node !== this.#root) return { node: child, loose: [] };
    const others = this.#byLowerName.get(name.toLowerCase()) ?? [];
    return { node: child, loose: others.filter((column) => !child?.columns.includes(column)) };
  }
}

/** Bounds of what is remembered of the object before. */
const MEMBERS_KNOWN_MAX = 1000;
const NAME_KNOWN_BYTES_MAX = 256;

/** Columns without a path. */
function groupByLowerName(
  columns: readonly DecodedColumn[],
  paths: JsonPaths,
): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const [i, { name }] of columns.entries()) {
    if (Object.hasOwn(paths, name)) continue;
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
