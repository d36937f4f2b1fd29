/**
 * Texts of events (design nexmark.md), a column of 16-byte views at a time. `extra` and other random texts are pieces of
 * resident letters; what comes from a list points at the list; only e-mail addresses and card numbers are written out.
 */

import type { Memory } from '../../memory/memory.ts';
import type { Scratch } from '../../memory/scratch.ts';
import { writeViewAt } from '../../memory/views.ts';
import { drawBelow, drawBits, drawKey } from './draws.ts';
import type { EventRows } from './event-rows.ts';
import {
  CHANNELS,
  PIECE_COUNT,
  type ResidentTexts,
  writeLongPiece,
  writeTrimmed,
} from './resident-texts.ts';

/** Where a column of texts is made. */
export interface TextTarget {
  readonly memory: Memory;
  readonly scratch: Scratch;
  readonly texts: ResidentTexts;
  /** Address of the views. */
  readonly out: number;
}

// Field numbers go on behind those of numbers.ts.
const IS_NAMED = drawKey(8, 0);
const NAMED = drawKey(8, 1);
const OTHER = drawKey(8, 2);
const EXTRA_LENGTH = drawKey(9, 0);
const EXTRA_PLACE = drawKey(9, 1);
const ITEM_NAME = 10;
const DESCRIPTION = 11;
const EMAIL = 12;
const CARD = 13;
const NAME = drawKey(14, 0);
const CITY = drawKey(15, 0);
const STATE = drawKey(16, 0);

const FIRST_NAMES = 'Peter Paul Luke John Saul Vicky Kate Julie Sarah Deiter Walter'.split(' ');
const LAST_NAMES = 'Shultz Abrams Spencer White Bartels Walton Smith Jones Noris'.split(' ');
const NAMES = FIRST_NAMES.flatMap((first) => LAST_NAMES.map((last) => `${first} ${last}`));
const CITIES =
  'Phoenix,Los Angeles,San Francisco,Boise,Portland,Bend,Redmond,Seattle,Kent,Cheyenne'.split(',');
const STATES = 'AZ CA ID OR WA WY'.split(' ');

/** Bytes that the other fields of an event take, and what `extra` fills it up to, give or take 20 %. */
export const EXTRA_SIZES = {
  person: { present: 75, target: 200 },
  auction: { present: 110, target: 500 },
  bid: { present: 32, target: 100 },
} as const;

function copyView(u32: Uint32Array, from: number, to: number): void {
  const source = from >>> 2;
  const target = to >>> 2;
  u32[target] = u32[source]!;
  u32[target + 1] = u32[source + 1]!;
  u32[target + 2] = u32[source + 2]!;
  u32[target + 3] = u32[source + 3]!;
}

/** Random letters. */
export function fillExtra(
  { count, bases }: EventRows,
  { memory, texts, out }: TextTarget,
  { present, target }: { readonly present: number; readonly target: number },
): void {
  const missing = target - present;
  const spread = Math.round(missing * 0.2);
  const { u32 } = memory;
  const { letters } = texts;
  for (let row = 0; row < count; row += 1) {
    const base = bases[row]!;
    const length = missing - spread + drawBelow(base, EXTRA_LENGTH, 2 * spread + 1);
    const bytes = letters + 4 * drawBelow(base, EXTRA_PLACE, PIECE_COUNT);
    writeLongPiece(u32, out + 16 * row, bytes, length);
  }
}

/** A text of 3 to max - 1 letters and blanks, trimmed. */
function fillPieces(rows: EventRows, target: TextTarget, max: number, field: number): void {
  const { count, bases } = rows;
  const { memory, texts, out } = target;
  const lengthKey = drawKey(field, 0);
  const placeKey = drawKey(field, 1);
  for (let row = 0; row < count; row += 1) {
    const base = bases[row]!;
    const length = 3 + drawBelow(base, lengthKey, max - 3);
    const bytes = texts.spacedLetters + 4 * drawBelow(base, placeKey, PIECE_COUNT);
    writeTrimmed(memory, out + 16 * row, bytes, length);
  }
}

export function fillItemName(rows: EventRows, target: TextTarget): void {
  fillPieces(rows, target, 20, ITEM_NAME);
}

export function fillDescription(rows: EventRows, target: TextTarget): void {
  fillPieces(rows, target, 100, DESCRIPTION);
}

/** One of two: a named channel; else one of 10,000. */
function channelOf(base: number): number {
  if (drawBits(base, IS_NAMED) < 0) return drawBits(base, NAMED) >>> 30;
  return CHANNELS.named + drawBelow(base, OTHER, CHANNELS.others);
}

export function fillChannel({ count, bases }: EventRows, { memory, texts, out }: TextTarget): void {
  for (let row = 0; row < count; row += 1) {
    const view = texts.channelName(channelOf(bases[row]!));
    copyView(memory.u32, view, out + 16 * row);
  }
}

export function fillUrl({ count, bases }: EventRows, { memory, texts, out }: TextTarget): void {
  for (let row = 0; row < count; row += 1) {
    const view = texts.channelUrl(channelOf(bases[row]!));
    copyView(memory.u32, view, out + 16 * row);
  }
}

function fillFromList(
  { count, bases }: EventRows,
  { memory, texts, out }: TextTarget,
  list: readonly string[],
  key: number,
): void {
  const views = texts.list(list);
  const { u32 } = memory;
  for (let row = 0; row < count; row += 1) {
    copyView(u32, views + 16 * drawBelow(bases[row]!, key, list.length), out + 16 * row);
  }
}

export function fillName(rows: EventRows, target: TextTarget): void {
  fillFromList(rows, target, NAMES, NAME);
}

export function fillCity(rows: EventRows, target: TextTarget): void {
  fillFromList(rows, target, CITIES, CITY);
}

export function fillState(rows: EventRows, target: TextTarget): void {
  fillFromList(rows, target, STATES, STATE);
}

const AT_SIGN = 0x40;
const DOT_COM = [0x2e, 0x63, 0x6f, 0x6d];

/** string(7)@string(5).com. */
export function fillEmail(rows: EventRows, { memory, scratch, texts, out }: TextTarget): void {
  const { count, bases } = rows;
  const room = scratch.alloc(16 * count);
  const { u8 } = memory;
  for (let row = 0; row < count; row += 1) {
    const base = bases[row]!;
    const start = room + 16 * row;
    let at = start;
    for (const [part, max] of [
      [0, 7],
      [2, 5],
    ] as const) {
      const length = 3 + drawBelow(base, drawKey(EMAIL, part), max - 3);
      const place = 4 * drawBelow(base, drawKey(EMAIL, part + 1), PIECE_COUNT);
      at = copyTrimmed(u8, texts.spacedLetters + place, length, at);
      if (part === 0) u8[at++] = AT_SIGN;
    }
    for (const byte of DOT_COM) u8[at++] = byte;
    writeViewAt(memory, out + 16 * row, start, at - start);
  }
}

/** Copies a piece without blanks at its ends; returns the address behind the copy. */
function copyTrimmed(u8: Uint8Array, bytes: number, length: number, to: number): number {
  const blank = 0x20;
  let from = bytes;
  let end = bytes + length;
  while (from < end && u8[from] === blank) from += 1;
  while (end > from && u8[end - 1] === blank) end -= 1;
  let at = to;
  for (; from < end; from += 1) u8[at++] = u8[from]!;
  return at;
}

const CARD_BYTES = 19;
const CARD_ROOM = 32;

/** Four groups of four digits. */
export function fillCard(rows: EventRows, { memory, scratch, out }: TextTarget): void {
  const { count, bases } = rows;
  const room = scratch.alloc(CARD_ROOM * count);
  const { u8 } = memory;
  for (let row = 0; row < count; row += 1) {
    const start = room + CARD_ROOM * row;
    u8.fill(0x20, start, start + CARD_BYTES);
    for (let group = 0; group < 4; group += 1) {
      let digits = drawBelow(bases[row]!, drawKey(CARD, group), 10_000);
      for (let i = 3; i >= 0; i -= 1) {
        u8[start + 5 * group + i] = 0x30 + (digits % 10);
        digits = Math.floor(digits / 10);
      }
    }
    writeViewAt(memory, out + 16 * row, start, CARD_BYTES);
  }
}
