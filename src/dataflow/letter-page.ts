/**
 * Dead letters as they are stored: pages, rows of DEAD_LETTERS_ID, each with some letters of one epoch, one after the other.
 *
 * A letter alone is some twenty values, nearly all of which are those of the letter before: a page writes such ones once, and
 * costs its relation one row. Its key is its first letter's number and stays, whichever letters go.
 * Cost: O(1) a letter, and a copy of what it keeps.
 */

import { must } from '../base/assert.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { readValue } from '../batch/read-value.ts';
import type { RawRecord } from '../connect/source.ts';
import { BYTEA, INT4, INT8, TEXT, TIMESTAMPTZ, type Value } from '../types/data-type.ts';
import type { EngineColumn } from './port.ts';
import { type DeadLetter, letterBytes } from './problems.ts';

/** A letter that has its number. */
export interface StoredLetter extends DeadLetter {
  readonly id: number;
  /** Instant of its epoch. */
  readonly atUs: bigint;
  /** The key of its page. */
  readonly page: number;
}

/** `letters`: a PageText; `bytes`: keys and values of the letters' records, one after the other. */
export const LETTER_PAGES = [
  { name: 'id', type: INT8 },
  { name: 'at', type: TIMESTAMPTZ },
  { name: 'letter_count', type: INT4 },
  { name: 'letters', type: TEXT },
  { name: 'bytes', type: BYTEA },
] as const satisfies readonly EngineColumn[];

export const PAGE_KEY = 0;
export const PAGE_COUNT = 2;
/** Columns without the records' bytes, which are much the longest. */
export const PAGE_TEXTS = [0, 1, 2, 3];
export const PAGE_COLUMNS = [...PAGE_TEXTS, 4];

/** Bounds of a page that holds more than one letter. */
const LETTERS_MAX = 1024;
const BYTES_MAX = 65_536;

/** JSON: of each letter, or the one that all of them have. */
type Each<T extends string | number | boolean | null> = T | readonly T[];

/** JSON. */
interface PageText {
  /** Less the page's key. */
  readonly id: Each<number>;
  readonly kind: Each<DeadLetter['kind']>;
  readonly sourceId: Each<number | null>;
  readonly viewId: Each<number | null>;
  readonly split: Each<string | null>;
  readonly position: Each<string | null>;
  readonly row: Each<string | null>;
  readonly reason: Each<string>;
  readonly op: Each<DeadLetter['op']>;
  readonly sqlstate: Each<string | null>;
  readonly lateRow: Each<string | null>;
  readonly topic: Each<string | null>;
  readonly partition: Each<number | null>;
  /** null: the place is not known. */
  readonly offset: Each<number | null>;
  readonly context: Each<string | null>;
  /** null: the record is not known. */
  readonly isCut: Each<boolean | null>;
  /** Bytes; null: there is no key, or no value. */
  readonly keyLength: Each<number | null>;
  readonly valueLength: Each<number | null>;
}

/** The letters of an epoch, numbered from `firstId` on, by pages. */
export function* pagesOf(
  letters: readonly DeadLetter[],
  firstId: number,
): Generator<{ readonly key: number; readonly letters: readonly DeadLetter[] }> {
  for (let from = 0; from < letters.length; ) {
    let bytes = 0;
    let end = from;
    for (; end < letters.length && end - from < LETTERS_MAX && bytes < BYTES_MAX; end += 1) {
      bytes += letterBytes(letters[end]!);
    }
    yield { key: firstId + from, letters: letters.slice(from, end) };
    from = end;
  }
}

/** A row of LETTER_PAGES; `idOf`: the number of each letter. */
export function pageRow(
  key: number,
  atUs: bigint,
  letters: readonly DeadLetter[],
  idOf: (index: number) => number,
): Value[] {
  const each = <T extends string | number | boolean | null>(of: (letter: DeadLetter) => T) =>
    packed(letters.map(of));
  const text: PageText = {
    id: packed(letters.map((_, index) => idOf(index) - key)),
    kind: each(({ kind }) => kind),
    sourceId: each(({ sourceId }) => sourceId),
    viewId: each(({ viewId }) => viewId),
    split: each(({ split }) => split),
    position: each(({ position }) => position),
    row: each(({ row }) => row),
    reason: each(({ reason }) => reason),
    op: each(({ op }) => op),
    sqlstate: each(({ sqlstate }) => sqlstate),
    lateRow: each(({ lateRow = null }) => lateRow),
    topic: each(({ place }) => place?.topic ?? null),
    partition: each(({ place }) => place?.partition ?? null),
    offset: each(({ place }) => place?.offset ?? null),
    context: each(({ raw }) => raw?.context ?? null),
    isCut: each(({ raw }) => raw?.isCut ?? null),
    keyLength: each(({ raw }) => raw?.key?.length ?? null),
    valueLength: each(({ raw }) => raw?.value?.length ?? null),
  };
  const bytes = letters.flatMap(({ raw }) => [raw?.key ?? NOTHING, raw?.value ?? NOTHING]);
  return [BigInt(key), atUs, letters.length, JSON.stringify(text), Buffer.concat(bytes)];
}

const NOTHING = new Uint8Array();

function packed<T extends string | number | boolean | null>(values: readonly T[]): Each<T> {
  const first = values[0]!;
  return values.every((value) => value === first) ? first : values;
}

/** The letters of row `row` of a batch of LETTER_PAGES: of PAGE_COLUMNS, or PAGE_TEXTS; then records are empty. */
export function* lettersOf({ memory, columns }: DeltaBatch, row: number): Generator<StoredLetter> {
  const [key, atUs, count, letters, bytes = null] = columns.map((column, index) =>
    readValue(memory, column, LETTER_PAGES[index]!.type, row),
  ) as [bigint, bigint, number, string, Uint8Array?];
  const page = Number(key);
  const text = JSON.parse(letters) as PageText;
  const cut = bytes === null ? () => NOTHING : cutter(bytes);
  for (let i = 0; i < count; i += 1) {
    const place = placeOf(text, i);
    const raw = rawOf(text, i, cut);
    const lateRow = of(text.lateRow, i);
    yield {
      id: page + of(text.id, i),
      atUs,
      page,
      kind: of(text.kind, i),
      sourceId: of(text.sourceId, i),
      viewId: of(text.viewId, i),
      split: of(text.split, i),
      position: of(text.position, i),
      row: of(text.row, i),
      reason: of(text.reason, i),
      op: of(text.op, i),
      sqlstate: of(text.sqlstate, i),
      ...(place === null ? {} : { place }),
      ...(raw === null ? {} : { raw }),
      ...(lateRow === null ? {} : { lateRow }),
    };
  }
}

function of<T extends string | number | boolean | null>(each: Each<T>, index: number): T {
  return Array.isArray(each) ? (each[index] as T) : (each as T);
}

function placeOf(text: PageText, index: number): DeadLetter['place'] | null {
  const offset = of(text.offset, index);
  if (offset === null) return null;
  return { offset, topic: of(text.topic, index), partition: of(text.partition, index) };
}

function rawOf(
  text: PageText,
  index: number,
  cut: (length: number) => Uint8Array,
): RawRecord | null {
  const isCut = of(text.isCut, index);
  if (isCut === null) return null;
  const part = (length: number | null) => (length === null ? null : cut(length));
  const key = part(of(text.keyLength, index));
  const value = part(of(text.valueLength, index));
  return { key, value, isCut, context: must(of(text.context, index)) };
}

/** Gives the bytes piece by piece. */
function cutter(bytes: Uint8Array): (length: number) => Uint8Array {
  let at = 0;
  return (length) => {
    at += length;
    return bytes.subarray(at - length, at);
  };
}
