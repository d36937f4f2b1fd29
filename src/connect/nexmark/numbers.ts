/**
 * Whole numbers and times of events (design nexmark.md), a column at a time. Integer division throughout. `out` is the
 * address of 8-byte values; all are below 2^53.
 */

import { drawBelow, drawBits, drawKey } from './draws.ts';
import type { EventRows } from './event-rows.ts';

export const FIRST_ID = 1000;
const CYCLE = 50;
const AUCTIONS_A_CYCLE = 3;
const ACTIVE_PEOPLE = 1000;
const AUCTIONS_IN_FLIGHT = 100;
const ID_LEAD = 10;
const HOT_BATCH = 100;
/** 2015-07-15 00:00:00 UTC in milliseconds. */
const BASE_MS = 1_436_918_400_000;
const WORD = 0x1_0000_0000;

/** Field numbers: each has its own draws. */
const IS_HOT_AUCTION = drawKey(0, 0);
const COLD_AUCTION = drawKey(0, 1);
const IS_HOT_BIDDER = drawKey(1, 0);
const COLD_BIDDER = drawKey(1, 1);
const IS_HOT_SELLER = drawKey(2, 0);
const COLD_SELLER = drawKey(2, 1);
const PRICE = drawKey(3, 0);
const RESERVE = drawKey(4, 0);
const CATEGORY = drawKey(5, 0);
const RUN = drawKey(6, 0);

function writeLong(u32: Uint32Array, word: number, value: number): void {
  u32[word] = value;
  u32[word + 1] = value / WORD;
}

function firstWord(out: number): number {
  return out >>> 2;
}

/** Number of the newest auction as of an auction or a bid. */
function lastAuction(cycle: number, place: number): number {
  const inCycle = place > AUCTIONS_A_CYCLE ? AUCTIONS_A_CYCLE : place;
  return cycle * AUCTIONS_A_CYCLE + inCycle - 1;
}

/** A person who is active, or will be soon. */
function nextPerson(cycle: number, bits: number, key: number): number {
  const people = cycle + 1;
  const active = Math.min(people, ACTIVE_PEOPLE);
  return people - active + drawBelow(bits, key, active + ID_LEAD);
}

export function fillPersonId({ count, cycles }: EventRows, u32: Uint32Array, out: number): void {
  const word = firstWord(out);
  for (let row = 0; row < count; row += 1) writeLong(u32, word + 2 * row, cycles[row]! + FIRST_ID);
}

export function fillAuctionId(rows: EventRows, u32: Uint32Array, out: number): void {
  const { count, cycles, places } = rows;
  const word = firstWord(out);
  for (let row = 0; row < count; row += 1) {
    writeLong(u32, word + 2 * row, lastAuction(cycles[row]!, places[row]!) + FIRST_ID);
  }
}

/** One of two: the hot auction; else one in flight. */
export function fillBidAuction(rows: EventRows, u32: Uint32Array, out: number): void {
  const { count, cycles, bases } = rows;
  const word = firstWord(out);
  for (let row = 0; row < count; row += 1) {
    const last = cycles[row]! * AUCTIONS_A_CYCLE + AUCTIONS_A_CYCLE - 1;
    const base = bases[row]!;
    let auction: number;
    if (drawBits(base, IS_HOT_AUCTION) < 0) auction = Math.floor(last / HOT_BATCH) * HOT_BATCH;
    else {
      const first = Math.max(last - AUCTIONS_IN_FLIGHT, 0);
      auction = first + drawBelow(base, COLD_AUCTION, last - first + 1 + ID_LEAD);
    }
    writeLong(u32, word + 2 * row, auction + FIRST_ID);
  }
}

/** Three of four: the hot person. */
export function fillBidBidder(rows: EventRows, u32: Uint32Array, out: number): void {
  const { count, cycles, bases } = rows;
  const word = firstWord(out);
  for (let row = 0; row < count; row += 1) {
    const base = bases[row]!;
    const cycle = cycles[row]!;
    const isHot = drawBits(base, IS_HOT_BIDDER) >>> 30 > 0;
    const person = isHot
      ? Math.floor(cycle / HOT_BATCH) * HOT_BATCH + 1
      : nextPerson(cycle, base, COLD_BIDDER);
    writeLong(u32, word + 2 * row, person + FIRST_ID);
  }
}

export function fillAuctionSeller(rows: EventRows, u32: Uint32Array, out: number): void {
  const { count, cycles, bases } = rows;
  const word = firstWord(out);
  for (let row = 0; row < count; row += 1) {
    const base = bases[row]!;
    const cycle = cycles[row]!;
    const isHot = drawBits(base, IS_HOT_SELLER) >>> 30 > 0;
    const person = isHot
      ? Math.floor(cycle / HOT_BATCH) * HOT_BATCH
      : nextPerson(cycle, base, COLD_SELLER);
    writeLong(u32, word + 2 * row, person + FIRST_ID);
  }
}

const POWER_STEPS = 4096;
/** 10^(6 i / 4096) * 100. */
const POWERS = Float64Array.from(
  { length: POWER_STEPS },
  (_, i) => 10 ** ((6 * i) / POWER_STEPS) * 100,
);
/** ln(10^6) / 2^32: what one unit of the 32 bits adds to the logarithm. */
const LOG_STEP = (6 * Math.LN10) / WORD;

/** round(10^(u * 6) * 100) for u = bits / 2^32: a power from the table times e^x of the rest (x < 0.0034), by its series. */
function priceOf(bits: number): number {
  const x = (bits & 0xf_ffff) * LOG_STEP;
  const rest = 1 + x * (1 + (x / 2) * (1 + (x / 3) * (1 + x / 4)));
  return Math.round(POWERS[bits >>> 20]! * rest);
}

export function fillPrice({ count, bases }: EventRows, u32: Uint32Array, out: number): void {
  const word = firstWord(out);
  for (let row = 0; row < count; row += 1) {
    writeLong(u32, word + 2 * row, priceOf(drawBits(bases[row]!, PRICE)));
  }
}

/** The first bid, and as much again of another draw. */
export function fillReserve({ count, bases }: EventRows, u32: Uint32Array, out: number): void {
  const word = firstWord(out);
  for (let row = 0; row < count; row += 1) {
    const base = bases[row]!;
    const reserve = priceOf(drawBits(base, PRICE)) + priceOf(drawBits(base, RESERVE));
    writeLong(u32, word + 2 * row, reserve);
  }
}

export function fillCategory({ count, bases }: EventRows, u32: Uint32Array, out: number): void {
  const word = firstWord(out);
  for (let row = 0; row < count; row += 1) {
    writeLong(u32, word + 2 * row, 10 + drawBelow(bases[row]!, CATEGORY, 5));
  }
}

/** Microseconds since 1970 at `rate` events a second, in whole milliseconds. */
export function fillTime(rows: EventRows, u32: Uint32Array, out: number, rate: number): void {
  const { count, numbers } = rows;
  const word = firstWord(out);
  for (let row = 0; row < count; row += 1) {
    const ms = BASE_MS + Math.floor((numbers[row]! * 1000) / rate);
    writeLong(u32, word + 2 * row, ms * 1000);
  }
}

/** When an auction ends: 1 ms and up to twice the time that 100 auctions take after its beginning. */
export function fillExpires(rows: EventRows, u32: Uint32Array, out: number, rate: number): void {
  const { count, numbers, bases } = rows;
  const word = firstWord(out);
  const events = Math.floor((AUCTIONS_IN_FLIGHT * CYCLE) / AUCTIONS_A_CYCLE);
  const horizonMs = Math.max(1, Math.floor((events * 1000) / rate));
  for (let row = 0; row < count; row += 1) {
    const ms = BASE_MS + Math.floor((numbers[row]! * 1000) / rate);
    const runMs = 1 + drawBelow(bases[row]!, RUN, 2 * horizonMs);
    writeLong(u32, word + 2 * row, (ms + runMs) * 1000);
  }
}
