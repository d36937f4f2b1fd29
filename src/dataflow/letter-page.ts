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

/**
 * `letters`: a PageText; `texts`: its TEXTS, a line each; `bytes`: keys and values of the letters' records, one after the
 * other.
 */
export const LETTER_PAGES = [
  { name: 'id', type: INT8 },
  { name: 'at', type: TIMESTAMPTZ },
  { name: 'letter_count', type: INT4 },
  { name: 'letters', type: TEXT },
  { name: 'texts', type: TEXT },
  { name: 'bytes', type: BYTEA },
] as const satisfies readonly EngineColumn[];

/** About what an epoch's pages take beside their letters: most epochs with letters have one page. */
export const PAGE_BYTES = 400;

export const PAGE_KEY = 0;
export const PAGE_COUNT = 2;
/** Columns without the records' bytes, which are much the longest. */
export const PAGE_TEXTS = [0, 1, 2, 3, 4];
export const PAGE_COLUMNS = [...PAGE_TEXTS, 5];

/** Pages that are read at once: most are of some 16 KiB. */
export const PAGES_READ = 16;

/** Bounds of a page that holds more than one letter. */
const LETTERS_MAX = 1024;
const BYTES_MAX = 16_384;

type Attribute = string | number | boolean | null;

/** JSON: of each letter, or the one that all of them have. */
type Each<T extends Attribute> = T | readonly T[];

/** JSON: as Each, or TEXTS: each has a line of column `texts`. JSON would write nearly all of them character by character. */
type EachText = Each<string | null> | readonly [];

const TEXTS = [] as const;

/** JSON: numbers near each other, less `base`: short ones are written much faster. */
interface Near {
  readonly base: number;
  readonly each: Each<number | null>;
}

/** JSON. Those of EachText have their lines in this order. */
interface PageText {
  /** Less the page's key; null: they follow each other from there on. */
  readonly id: readonly number[] | null;
  readonly kind: Each<DeadLetter['kind']>;
  readonly sourceId: Each<number | null>;
  readonly viewId: Each<number | null>;
  readonly split: Each<string | null>;
  readonly op: Each<DeadLetter['op']>;
  readonly sqlstate: Each<string | null>;
  readonly topic: Each<string | null>;
  readonly partition: Each<number | null>;
  /** null: the place is not known. */
  readonly offset: Near;
  readonly byteOffset: Each<number | null>;
  /** null: the record is not known. */
  readonly isCut: Each<boolean | null>;
  readonly timestampMs: Near;
  /** Bytes; null: there is no key, or no value. */
  readonly keyLength: Each<number | null>;
  readonly valueLength: Each<number | null>;
  readonly position: EachText;
  readonly reason: EachText;
  readonly row: EachText;
  readonly lateRow: EachText;
  readonly context: EachText;
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

/** A row of LETTER_PAGES; `ids`: the letters' numbers; null: they follow each other from `key` on. */
export function pageRow(
  key: number,
  atUs: bigint,
  letters: readonly DeadLetter[],
  ids: readonly number[] | null,
): Value[] {
  const each = <T extends Attribute>(of: (letter: DeadLetter) => T) => eachOf(letters, of);
  const lines: string[] = [];
  const texts = (of: (letter: DeadLetter) => string | null) => textsOf(each(of), lines);
  const page: PageText = {
    id: ids?.map((id) => id - key) ?? null,
    kind: each(({ kind }) => kind),
    sourceId: each(({ sourceId }) => sourceId),
    viewId: each(({ viewId }) => viewId),
    split: each(({ split }) => split),
    op: each(({ op }) => op),
    sqlstate: each(({ sqlstate }) => sqlstate),
    topic: each(({ place }) => place?.topic ?? null),
    partition: each(({ place }) => place?.partition ?? null),
    offset: nearOf(each(({ place }) => place?.offset ?? null)),
    byteOffset: each(({ place }) => place?.byteOffset ?? null),
    isCut: each(({ raw }) => raw?.isCut ?? null),
    timestampMs: nearOf(each(({ raw }) => raw?.timestampMs ?? null)),
    keyLength: each(({ raw }) => raw?.key?.length ?? null),
    valueLength: each(({ raw }) => raw?.value?.length ?? null),
    position: texts(({ position }) => position),
    reason: texts(({ reason }) => reason),
    row: texts(({ row }) => row),
    lateRow: texts(({ lateRow = null }) => lateRow),
    context: texts(({ raw }) => raw?.context ?? null),
  };
  const records = letters.flatMap(({ raw }) => [raw?.key ?? NOTHING, raw?.value ?? NOTHING]);
  const bytes = Buffer.concat(records);
  return [BigInt(key), atUs, letters.length, JSON.stringify(page), lines.join('\n'), bytes];
}

const NOTHING = new Uint8Array();

function eachOf<T extends Attribute>(
  letters: readonly DeadLetter[],
  of: (letter: DeadLetter) => T,
): Each<T> {
  const first = of(letters[0]!);
  for (let i = 1; i < letters.length; i += 1) if (of(letters[i]!) !== first) return letters.map(of);
  return first;
}

function nearOf(each: Each<number | null>): Near {
  if (!Array.isArray(each)) return { base: 0, each };
  const values = each as readonly (number | null)[];
  const base = values.find((value) => value !== null && Number.isSafeInteger(value)) ?? 0;
  const near = values.map((value) => (value === null ? null : value - base));
  const isExact = near.every((value, i) => value === null || value + base === values[i]);
  return isExact ? { base, each: near } : { base: 0, each };
}

function nearAt({ base, each }: Near, index: number): number | null {
  const value = of(each, index);
  return value === null ? null : value + base;
}

/** What differs from letter to letter goes to `lines`, where each text has one. */
function textsOf(each: Each<string | null>, lines: string[]): EachText {
  if (!Array.isArray(each) || each.includes(null)) return each;
  const ofLetters = each as readonly string[];
  if (ofLetters.some((text) => text.includes('\n'))) return each;
  for (const text of ofLetters) lines.push(text);
  return TEXTS;
}

/** The letters of row `row` of a batch of LETTER_PAGES: of PAGE_COLUMNS, or PAGE_TEXTS; then records are empty. */
export function* lettersOf({ memory, columns }: DeltaBatch, row: number): Generator<StoredLetter> {
  const [key, atUs, count, letters, texts, bytes = null] = columns.map((column, index) =>
    readValue(memory, column, LETTER_PAGES[index]!.type, row),
  ) as [bigint, bigint, number, string, string, Uint8Array?];
  const page = Number(key);
  const text = JSON.parse(letters) as PageText;
  const lines = texts.split('\n');
  const positions = takeLines(text.position, count, lines);
  const reasons = takeLines(text.reason, count, lines);
  const rows = takeLines(text.row, count, lines);
  const lateRows = takeLines(text.lateRow, count, lines);
  const contexts = takeLines(text.context, count, lines);
  const cut = bytes === null ? () => NOTHING : cutter(bytes);
  for (let i = 0; i < count; i += 1) {
    const place = placeOf(text, i);
    const raw = rawOf(text, i, of(contexts, i), cut);
    const lateRow = of(lateRows, i);
    yield {
      id: page + (text.id?.[i] ?? i),
      atUs,
      page,
      kind: of(text.kind, i),
      sourceId: of(text.sourceId, i),
      viewId: of(text.viewId, i),
      split: of(text.split, i),
      position: of(positions, i),
      row: of(rows, i),
      reason: must(of(reasons, i)),
      op: of(text.op, i),
      sqlstate: of(text.sqlstate, i),
      ...(place === null ? {} : { place }),
      ...(raw === null ? {} : { raw }),
      ...(lateRow === null ? {} : { lateRow }),
    };
  }
}

/** The texts of an attribute, which go from `lines` where they stand there. */
function takeLines(each: EachText, count: number, lines: string[]): Each<string | null> {
  return isEmpty(each) ? lines.splice(0, count) : each;
}

function isEmpty(each: EachText): each is readonly [] {
  return Array.isArray(each) && each.length === 0;
}

function of<T extends Attribute>(each: Each<T>, index: number): T {
  return Array.isArray(each) ? (each[index] as T) : (each as T);
}

function placeOf(text: PageText, index: number): DeadLetter['place'] | null {
  const offset = nearAt(text.offset, index);
  if (offset === null) return null;
  const topic = of(text.topic, index);
  const partition = of(text.partition, index);
  return { offset, topic, partition, byteOffset: of(text.byteOffset, index) };
}

function rawOf(
  text: PageText,
  index: number,
  context: string | null,
  cut: (length: number) => Uint8Array,
): RawRecord | null {
  const isCut = of(text.isCut, index);
  if (isCut === null) return null;
  const part = (length: number | null) => (length === null ? null : cut(length));
  const key = part(of(text.keyLength, index));
  const value = part(of(text.valueLength, index));
  return { key, value, isCut, timestampMs: nearAt(text.timestampMs, index), context };
}

/** Where a letter's record stood, for people; null: it is not known. */
export function positionText({ position, place }: DeadLetter): string | null {
  if (position !== null || place === undefined) return position;
  const { topic, partition, offset, byteOffset } = place;
  const known = { topic, partition, offset, byteOffset };
  return JSON.stringify(known, (_, value: unknown) => value ?? undefined);
}

/** Gives the bytes piece by piece. */
function cutter(bytes: Uint8Array): (length: number) => Uint8Array {
  let at = 0;
  return (length) => {
    at += length;
    return bytes.subarray(at - length, at);
  };
}
