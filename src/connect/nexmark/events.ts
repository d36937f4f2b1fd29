/**
 * The Nexmark events (design nexmark.md): numbers and texts of persons, auctions and bids as functions of the event number.
 * Integer division throughout; of each 50 events 1 is a person, 3 are auctions, 46 bids.
 */

import type { RandomStream } from '../random-stream.ts';

export type EventKind = 'person' | 'auction' | 'bid';

export const FIRST_ID = 1000;
const CYCLE = 50;
const ACTIVE_PEOPLE = 1000;
const AUCTIONS_IN_FLIGHT = 100;
const ID_LEAD = 10;
const HOT_BATCH = 100;
/** 2015-07-15 00:00:00 UTC in milliseconds. */
const BASE_MS = 1_436_918_400_000;

const PEOPLE_FIRST = [
  'Peter',
  'Paul',
  'Luke',
  'John',
  'Saul',
  'Vicky',
  'Kate',
  'Julie',
  'Sarah',
  'Deiter',
  'Walter',
];
const PEOPLE_LAST = [
  'Shultz',
  'Abrams',
  'Spencer',
  'White',
  'Bartels',
  'Walton',
  'Smith',
  'Jones',
  'Noris',
];
const CITIES = [
  'Phoenix',
  'Los Angeles',
  'San Francisco',
  'Boise',
  'Portland',
  'Bend',
  'Redmond',
  'Seattle',
  'Kent',
  'Cheyenne',
];
const STATES = ['AZ', 'CA', 'ID', 'OR', 'WA', 'WY'];
const CHANNELS = ['Google', 'Facebook', 'Baidu', 'Apple'];

/** Kind of event `n`. */
export function kindOf(n: number): EventKind {
  const rest = n % CYCLE;
  return rest === 0 ? 'person' : rest < 4 ? 'auction' : 'bid';
}

/** Milliseconds since 1970 of event `n` at `rate` events per second. */
export function timestampMs(n: number, rate: number): number {
  return BASE_MS + Math.floor((n * 1000) / rate);
}

export function lastPerson(n: number): number {
  return Math.floor(n / CYCLE);
}

export function lastAuction(n: number): number {
  const epoch = Math.floor(n / CYCLE);
  const rest = n % CYCLE;
  if (rest < 1) return (epoch - 1) * 3 + 2;
  return rest >= 4 ? epoch * 3 + 2 : epoch * 3 + rest - 1;
}

function nextPerson(n: number, random: RandomStream): number {
  const people = lastPerson(n) + 1;
  const active = Math.min(people, ACTIVE_PEOPLE);
  return people - active + random.below(active + ID_LEAD);
}

function nextAuction(n: number, random: RandomStream): number {
  const last = lastAuction(n);
  const first = Math.max(last - AUCTIONS_IN_FLIGHT, 0);
  return first + random.below(last - first + 1 + ID_LEAD);
}

export function bidAuction(n: number, random: RandomStream): number {
  const isHot = random.below(2) > 0;
  const auction = isHot
    ? Math.floor(lastAuction(n) / HOT_BATCH) * HOT_BATCH
    : nextAuction(n, random);
  return auction + FIRST_ID;
}

export function bidBidder(n: number, random: RandomStream): number {
  const isHot = random.below(4) > 0;
  const bidder = isHot
    ? Math.floor(lastPerson(n) / HOT_BATCH) * HOT_BATCH + 1
    : nextPerson(n, random);
  return bidder + FIRST_ID;
}

export function auctionSeller(n: number, random: RandomStream): number {
  const isHot = random.below(4) > 0;
  const seller = isHot ? Math.floor(lastPerson(n) / HOT_BATCH) * HOT_BATCH : nextPerson(n, random);
  return seller + FIRST_ID;
}

export function price(random: RandomStream): number {
  return Math.round(10 ** (random.unit() * 6) * 100);
}

export function category(random: RandomStream): number {
  return 10 + random.below(5);
}

/** How long an auction runs, in ms: 1 + up to twice the time that 100 auctions take. */
export function auctionRunMs(random: RandomStream, rate: number): number {
  const events = Math.floor((AUCTIONS_IN_FLIGHT * CYCLE) / 3);
  const horizonMs = Math.max(1, Math.floor((events * 1000) / rate));
  return 1 + random.below(Math.max(1, 2 * horizonMs));
}

/** A random string: 3 to max - 1 characters, each with chance 1/13 the separator, trimmed. */
export function randomText(random: RandomStream, max: number, separator = ' '): string {
  let text = '';
  for (let length = 3 + random.below(max - 3); length > 0; length--) {
    text += random.below(13) === 0 ? separator : letter(random);
  }
  return text.trim();
}

function letter(random: RandomStream): string {
  return String.fromCharCode(97 + random.below(26));
}

export function personName(random: RandomStream): string {
  return `${pick(random, PEOPLE_FIRST)} ${pick(random, PEOPLE_LAST)}`;
}

export function emailAddress(random: RandomStream): string {
  return `${randomText(random, 7)}@${randomText(random, 5)}.com`;
}

export function creditCard(random: RandomStream): string {
  const group = (): string => String(random.below(10_000)).padStart(4, '0');
  return `${group()} ${group()} ${group()} ${group()}`;
}

export function city(random: RandomStream): string {
  return pick(random, CITIES);
}

export function state(random: RandomStream): string {
  return pick(random, STATES);
}

const OTHER_CHANNELS = 10_000;
/** The named channels, then the others. */
export const CHANNEL_COUNT = CHANNELS.length + OTHER_CHANNELS;

/** Channel number of a bid, below CHANNEL_COUNT. */
export function channelNumber(random: RandomStream): number {
  return random.below(2) > 0
    ? random.below(CHANNELS.length)
    : CHANNELS.length + random.below(OTHER_CHANNELS);
}

export function channelName(channel: number): string {
  return CHANNELS[channel] ?? `channel-${channel - CHANNELS.length}`;
}

/** The url of a channel; `random` stands at a place fixed by the channel alone. */
export function channelUrl(channel: number, random: RandomStream): string {
  const path = [5, 5, 5].map((max) => randomText(random, max, '_')).join('/');
  const url = `https://www.nexmark.com/${path}/item.htm?query=1`;
  if (channel < CHANNELS.length || random.below(10) === 0) return url;
  return `${url}&channel_id=${reverseBits(channel - CHANNELS.length)}`;
}

/** The 32 bits of `value` in reverse, without its sign. */
function reverseBits(value: number): number {
  let reversed = 0;
  for (let bit = 0; bit < 32; bit++) reversed = (reversed << 1) | ((value >>> bit) & 1);
  return Math.abs(reversed);
}

function pick(random: RandomStream, choices: readonly string[]): string {
  return choices[random.below(choices.length)]!;
}
