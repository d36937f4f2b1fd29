/** How each field of each kind of event is made: a function of the event's number and of the field's random stream. */

import type { RandomStream } from '../random-stream.ts';
import * as events from './events.ts';

export interface NexmarkSettings {
  readonly kind: events.EventKind;
  readonly rate: number;
  readonly seed: number;
  readonly eventsMax: number | null;
  readonly pace: 'fast' | 'realtime' | null;
}

/** One of a bounded number of texts, each made once: by its number, with the random stream at a place of its own. */
export interface Choice {
  readonly kind: 'choice';
  readonly name: string;
  readonly choose: (n: number, random: RandomStream) => number;
  readonly count: number;
  readonly make: (choice: number, random: RandomStream) => string;
}

/** Makes one field of event `n`; the stream stands at the field's place. */
export type Maker =
  | { readonly kind: 'integer'; readonly make: (n: number, random: RandomStream) => number }
  | { readonly kind: 'time'; readonly make: (n: number, random: RandomStream) => number }
  | { readonly kind: 'text'; readonly make: (n: number, random: RandomStream) => string }
  /** Random letters: about as many as are `missing`. */
  | { readonly kind: 'letters'; readonly missing: number }
  | Choice;

/** Sizes that `extra` fills events up to, less what their other fields take on average. */
const PERSON_MISSING = 200 - 75;
const AUCTION_MISSING = 500 - 110;
const BID_MISSING = 100 - 32;
/** Random streams that two fields share. */
const PRICE_FIELD = 3;
const CHANNEL_FIELD = 3;
/** The stream of urls, which are functions of the channel. */
export const URL_FIELD = 100;

export function makersOf(settings: NexmarkSettings): Record<string, Maker> {
  switch (settings.kind) {
    case 'person':
      return personMakers(settings);
    case 'auction':
      return auctionMakers(settings);
    case 'bid':
      return bidMakers(settings);
  }
}

function time({ rate }: NexmarkSettings): Maker {
  return { kind: 'time', make: (n) => events.timestampMs(n, rate) * 1000 };
}

function text(make: (n: number, random: RandomStream) => string): Maker {
  return { kind: 'text', make };
}

function integer(make: (n: number, random: RandomStream) => number): Maker {
  return { kind: 'integer', make };
}

function personMakers(settings: NexmarkSettings): Record<string, Maker> {
  return {
    id: integer((n) => events.lastPerson(n) + events.FIRST_ID),
    name: text((_, random) => events.personName(random)),
    email_address: text((_, random) => events.emailAddress(random)),
    credit_card: text((_, random) => events.creditCard(random)),
    city: text((_, random) => events.city(random)),
    state: text((_, random) => events.state(random)),
    date_time: time(settings),
    extra: { kind: 'letters', missing: PERSON_MISSING },
  };
}

function auctionMakers(settings: NexmarkSettings): Record<string, Maker> {
  const initialBid = (n: number, random: RandomStream): number => {
    random.seek(n, PRICE_FIELD);
    return events.price(random);
  };
  return {
    id: integer((n) => events.lastAuction(n) + events.FIRST_ID),
    item_name: text((_, random) => events.randomText(random, 20)),
    description: text((_, random) => events.randomText(random, 100)),
    initial_bid: integer(initialBid),
    reserve: integer((n, random) => {
      const more = events.price(random);
      return initialBid(n, random) + more;
    }),
    date_time: time(settings),
    expires: integer((n, random) => {
      const runMs = events.auctionRunMs(random, settings.rate);
      return (events.timestampMs(n, settings.rate) + runMs) * 1000;
    }),
    seller: integer(events.auctionSeller),
    category: integer((_, random) => events.category(random)),
    extra: { kind: 'letters', missing: AUCTION_MISSING },
  };
}

function bidMakers(settings: NexmarkSettings): Record<string, Maker> {
  const channelOf = (n: number, random: RandomStream): number => {
    random.seek(n, CHANNEL_FIELD);
    return events.channelNumber(random);
  };
  const count = events.CHANNEL_COUNT;
  return {
    auction: integer(events.bidAuction),
    bidder: integer(events.bidBidder),
    price: integer((_, random) => events.price(random)),
    channel: {
      kind: 'choice',
      name: 'channel',
      choose: channelOf,
      count,
      make: events.channelName,
    },
    url: { kind: 'choice', name: 'url', choose: channelOf, count, make: events.channelUrl },
    date_time: time(settings),
    extra: { kind: 'letters', missing: BID_MISSING },
  };
}
