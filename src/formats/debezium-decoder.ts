/**
 * FORMAT DEBEZIUM, whatever its encoding: a change event becomes what it does to the row of its key (debezium-change.ts). What
 * was there before the change comes from nowhere but the stored rows: "before" gives the key of a deleted row only. Records
 * without a value (tombstones) say nothing. Columns whose value Debezium left out because it has not changed are told by its
 * placeholder.
 *
 * An EventReader, one for each encoding, finds the parts of an event; what decodes single messages of the encoding decodes the
 * row in it. Cost: the row's bytes are passed twice.
 */

import { must } from '../base/assert.ts';
import type { DataError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import {
  type ChangeDecoder,
  DELETE,
  type KeyedRecord,
  NO_CHANGE,
  TRUNCATE,
  UPSERT,
} from './change-decoder.ts';
import type { DecodedColumn } from './csv.ts';
import { changeOf, columnsNamed, noAfter, noBefore } from './debezium-change.ts';
import type { MessageDecoder, WriterSchema } from './message-decoder.ts';
import { orThrow, userError } from './record-decoder.ts';
import { RowKey } from './row-key.ts';

const NONE: readonly number[] = [];
/** No field is left out. */
export const NO_NAMES: ReadonlySet<string> = new Set();
/** Decoders that are kept for rows with gaps. */
const PARTIAL_MAX = 64;

/** Where a row of an event lies; `start` -1: it is null, or not there. */
export interface Span {
  start: number;
  end: number;
}

/** Of the event that was read last. */
export interface EventReader {
  readonly before: Span;
  readonly after: Span;
  /** null: there is none. */
  readonly op: string | null;
  /** After `read` threw: offset of the byte that is wrong. */
  readonly errorOffset: number;
  /** Finds the parts of an event and gives what decodes its rows; null: it says nothing of rows. */
  read(bytes: Buffer, start: number, end: number): EventRows | null;
  /** Names, in lower case, of the fields of "after" that hold nothing but the placeholder. */
  gaps(bytes: Buffer): ReadonlySet<string>;
  /** As of ChangeDecoder. */
  learnSchema?(id: number, schema: WriterSchema): void;
}

/** Decoders of the rows of one schema. */
export class EventRows {
  /** Of all columns. */
  readonly whole: MessageDecoder;
  readonly key: MessageDecoder;
  readonly #columns: readonly DecodedColumn[];
  readonly #open: (columns: readonly DecodedColumn[]) => MessageDecoder;
  /** By the columns that are left out. */
  readonly #partial = new Map<string, MessageDecoder>();

  /** `key`: numbers of the key's columns; `open`: a decoder of some of the columns. */
  constructor(
    columns: readonly DecodedColumn[],
    key: readonly number[],
    open: (columns: readonly DecodedColumn[]) => MessageDecoder,
  ) {
    this.#columns = columns;
    this.#open = open;
    this.whole = open(columns);
    this.key = open(key.map((column) => must(columns[column])));
  }

  /** Of all columns but these. */
  without(gaps: readonly number[]): MessageDecoder {
    const name = gaps.join();
    const known = this.#partial.get(name);
    if (known !== undefined) return known;
    const made = this.#open(this.#columns.filter((_, column) => !gaps.includes(column)));
    if (this.#partial.size === PARTIAL_MAX) this.#partial.clear();
    this.#partial.set(name, made);
    return made;
  }
}

export class DebeziumDecoder implements ChangeDecoder {
  readonly #columns: readonly DecodedColumn[];
  readonly #key: RowKey;
  readonly #reader: EventReader;
  #unavailable: readonly number[] = NONE;
  #errorOffset = 0;

  /** `key`: numbers of the key's columns. */
  constructor(columns: readonly DecodedColumn[], key: readonly number[], reader: EventReader) {
    this.#columns = columns;
    this.#key = new RowKey(columns, key);
    this.#reader = reader;
  }

  get unavailable(): readonly number[] {
    return this.#unavailable;
  }

  get errorOffset(): number {
    return this.#errorOffset;
  }

  learnSchema(id: number, schema: WriterSchema): void {
    this.#reader.learnSchema?.(id, schema);
  }

  append(
    { bytes, valueStart, valueLength }: KeyedRecord,
    builders: readonly ColumnBuilder[],
  ): number | DataError {
    this.#unavailable = NONE;
    this.#errorOffset = valueStart;
    if (valueLength < 0) return NO_CHANGE;
    this.#key.part(builders);
    try {
      return this.#change(bytes, valueStart, valueStart + valueLength, builders);
    } catch (error) {
      return userError(error);
    }
  }

  /** Throws what is wrong with the event. */
  #change(bytes: Buffer, start: number, end: number, builders: readonly ColumnBuilder[]): number {
    const rows = this.#read(bytes, start, end);
    if (rows === null) return NO_CHANGE;
    const change = changeOf(this.#reader.op);
    if (change === UPSERT) this.#upsert(rows, bytes, builders);
    else if (change === DELETE) this.#delete(rows, bytes);
    else if (change === TRUNCATE) for (const builder of builders) builder.appendNull();
    return change;
  }

  #read(bytes: Buffer, start: number, end: number): EventRows | null {
    try {
      return this.#reader.read(bytes, start, end);
    } catch (error) {
      this.#errorOffset = this.#reader.errorOffset;
      throw error;
    }
  }

  #upsert(rows: EventRows, bytes: Buffer, builders: readonly ColumnBuilder[]): void {
    const { after } = this.#reader;
    if (after.start < 0) throw noAfter();
    const names = this.#reader.gaps(bytes);
    const gaps = names.size === 0 ? NONE : columnsNamed(names, this.#columns);
    if (gaps.length === 0) this.#append(rows.whole, bytes, after, builders);
    else {
      const others = builders.filter((_, column) => !gaps.includes(column));
      this.#append(rows.without(gaps), bytes, after, others);
      for (const column of gaps) must(builders[column]).appendNull();
    }
    this.#unavailable = gaps;
    orThrow(this.#key.violation());
  }

  #delete(rows: EventRows, bytes: Buffer): void {
    const { before } = this.#reader;
    if (before.start < 0) throw noBefore();
    this.#append(rows.key, bytes, before, this.#key.builders);
    orThrow(this.#key.violation());
    this.#key.appendNullOthers();
  }

  #append(
    decoder: MessageDecoder,
    bytes: Buffer,
    { start, end }: Span,
    builders: readonly ColumnBuilder[],
  ): void {
    const error = decoder.append(bytes, start, end, builders);
    this.#errorOffset = decoder.errorOffset;
    orThrow(error);
  }
}
