/**
 * ResidentTexts: the bytes that texts of events are made of, once for a memory and for as long as it lives: a block of
 * random letters of which `extra`, `item_name` and `description` are pieces, and the 10,004 channels with their urls. They
 * do not depend on the seed (which piece an event takes does), so there is one set however many sources are read.
 *
 * They lie in scratch pages: no checkpoint holds them. Everything starts at a multiple of 4: whoever copies a text can go
 * by words. Cost: letters are made at once (65,536 draws), a channel when it is first met.
 */

import type { Memory } from '../../memory/memory.ts';
import { PAGE_BYTES } from '../../memory/memory.ts';
import { writeView, writeViewAt } from '../../memory/views.ts';
import { drawBelow, drawKey, eventBase } from './draws.ts';

/** Longest piece of a block of letters. */
const PIECE_BYTES_MAX = 512;
/** How many places a piece may start at. */
export const PIECE_COUNT = (PAGE_BYTES - PIECE_BYTES_MAX) / 4;

const SPACE = 0x20;
const LETTER_A = 0x61;
const NAMED_CHANNELS = ['Google', 'Facebook', 'Baidu', 'Apple'];
const CHANNEL_COUNT = 10_000;
/** All channel numbers: the named ones first. */
export const CHANNELS = { named: NAMED_CHANNELS.length, others: CHANNEL_COUNT } as const;

const TEXT_SEED = 0x7465_7874;
const LETTER_KEY = drawKey(0, 0);
const SPACE_KEY = drawKey(0, 1);

const encoder = new TextEncoder();
const residents = new WeakMap<Memory, ResidentTexts>();

export class ResidentTexts {
  /** Address of 65,536 bytes 'a'..'z'. */
  readonly letters: number;
  /** As many, of which one of 13 is a blank. */
  readonly spacedLetters: number;
  readonly #memory: Memory;
  readonly #generation: number;
  readonly #names: number;
  readonly #urls: number;
  readonly #lists = new Map<readonly string[], number>();
  #next = 0;
  #end = 0;

  private constructor(memory: Memory) {
    this.#memory = memory;
    this.#generation = memory.generation;
    this.letters = memory.allocScratch(PAGE_BYTES);
    this.spacedLetters = memory.allocScratch(PAGE_BYTES);
    this.#fillLetters();
    const viewsBytes = 16 * (CHANNELS.named + CHANNELS.others);
    this.#names = memory.allocScratch(viewsBytes);
    this.#urls = memory.allocScratch(viewsBytes);
    memory.u8.fill(0, this.#names, this.#names + viewsBytes);
    memory.u8.fill(0, this.#urls, this.#urls + viewsBytes);
  }

  static of(memory: Memory): ResidentTexts {
    const known = residents.get(memory);
    if (known !== undefined && known.#generation === memory.generation) return known;
    const made = new ResidentTexts(memory);
    residents.set(memory, made);
    return made;
  }

  /** Address of the view of a channel's name. */
  channelName(channel: number): number {
    const view = this.#names + 16 * channel;
    if (this.#memory.u32[view >>> 2] === 0) {
      this.#put(view, NAMED_CHANNELS[channel] ?? `channel-${channel - NAMED_CHANNELS.length}`);
    }
    return view;
  }

  /** Address of the view of a channel's url. */
  channelUrl(channel: number): number {
    const view = this.#urls + 16 * channel;
    if (this.#memory.u32[view >>> 2] === 0) this.#put(view, channelUrl(channel));
    return view;
  }

  /** Address of the views of fixed texts, one behind the other. */
  list(texts: readonly string[]): number {
    const known = this.#lists.get(texts);
    if (known !== undefined) return known;
    const views = this.alloc(16 * texts.length);
    texts.forEach((text, i) => {
      this.#put(views + 16 * i, text);
    });
    this.#lists.set(texts, views);
    return views;
  }

  /** Room that stays, 16-byte aligned: for writeView. */
  alloc(size: number): number {
    const bytes = (size + 15) & ~15;
    if (this.#end - this.#next < bytes) {
      const pages = Math.max(1, Math.ceil(bytes / PAGE_BYTES));
      this.#next = this.#memory.allocScratch(pages * PAGE_BYTES);
      this.#end = this.#next + pages * PAGE_BYTES;
    }
    const address = this.#next;
    this.#next += bytes;
    return address;
  }

  #put(view: number, text: string): void {
    writeView(this.#memory, view, encoder.encode(text), this);
  }

  #fillLetters(): void {
    const { u8 } = this.#memory;
    for (let i = 0; i < PAGE_BYTES; i += 1) {
      const base = eventBase(TEXT_SEED, i);
      const letter = LETTER_A + drawBelow(base, LETTER_KEY, 26);
      u8[this.letters + i] = letter;
      u8[this.spacedLetters + i] = drawBelow(base, SPACE_KEY, 13) === 0 ? SPACE : letter;
    }
  }
}

/** Writes the view of `length` bytes of the spaced letters from `bytes` on, without blanks at its ends. */
export function writeTrimmed(memory: Memory, view: number, bytes: number, length: number): void {
  const { u8 } = memory;
  let from = bytes;
  let to = bytes + length;
  while (from < to && u8[from] === SPACE) from += 1;
  while (to > from && u8[to - 1] === SPACE) to -= 1;
  writeViewAt(memory, view, from, to - from);
}

/** Writes the view of more than 12 bytes that start at a multiple of 4. */
export function writeLongPiece(
  u32: Uint32Array,
  view: number,
  bytes: number,
  length: number,
): void {
  const word = view >>> 2;
  u32[word] = length;
  u32[word + 1] = u32[bytes >>> 2]!;
  u32[word + 2] = 0;
  u32[word + 3] = bytes;
}

function channelUrl(channel: number): string {
  const base = eventBase(TEXT_SEED, PAGE_BYTES + channel);
  const path = [0, 1, 2].map((part) => pathPart(base, part)).join('/');
  const url = `https://www.nexmark.com/${path}/item.htm?query=1`;
  const hasId = channel >= CHANNELS.named && drawBelow(base, drawKey(4, 0), 10) !== 0;
  return hasId ? `${url}&channel_id=${reverseBits(channel - CHANNELS.named)}` : url;
}

/** 3 or 4 letters, each with chance 1/13 a '_'. */
function pathPart(base: number, part: number): string {
  const length = 3 + drawBelow(base, drawKey(part + 1, 0), 2);
  let text = '';
  for (let i = 0; i < length; i += 1) {
    const isSeparator = drawBelow(base, drawKey(part + 1, 2 * i + 1), 13) === 0;
    const letter = LETTER_A + drawBelow(base, drawKey(part + 1, 2 * i + 2), 26);
    text += isSeparator ? '_' : String.fromCharCode(letter);
  }
  return text;
}

/** The 32 bits of `value` in reverse, without its sign. */
function reverseBits(value: number): number {
  let reversed = 0;
  for (let bit = 0; bit < 32; bit += 1) reversed = (reversed << 1) | ((value >>> bit) & 1);
  return Math.abs(reversed);
}
