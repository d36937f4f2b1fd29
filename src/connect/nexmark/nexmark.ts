/** The connector `nexmark`: the auction site's events, made in process, only the columns that somebody reads. */

import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { type DataType, INT8, TEXT, TIMESTAMP } from '../../types/data-type.ts';
import { typeName } from '../../types/type-name.ts';
import { ChunkColumn } from '../chunk-columns.ts';
import { GeneratedSource, type RecordGenerator } from '../generated-source.ts';
import { type CheckRequest, checkOptions, type OptionSchema } from '../options.ts';
import { RandomStream } from '../random-stream.ts';
import type { Json, SourceColumn, SourceContext, SourceReader } from '../source.ts';
import * as events from './events.ts';

const NEXMARK_OPTIONS: OptionSchema = {
  'nexmark.table.type': { kind: 'choice', choices: ['person', 'auction', 'bid'], default: null },
  'nexmark.event.rate': { kind: 'number', min: 0.001, max: 1e9, default: 10_000 },
  'nexmark.max.events': { kind: 'integer', min: 0, default: null },
  'nexmark.seed': { kind: 'integer', min: 0, max: 4_294_967_295, default: 0 },
  'nexmark.pace': { kind: 'choice', choices: ['fast', 'realtime'], default: null },
};

type Kind = events.EventKind;
/** Makes one field of event `n`: the stream stands at the field's place. */
type Maker =
  | { readonly type: 'integer'; readonly make: (n: number, random: RandomStream) => number }
  | { readonly type: 'text'; readonly make: (n: number, random: RandomStream) => string }
  | { readonly type: 'time'; readonly make: (n: number, random: RandomStream) => number };

interface Settings {
  readonly kind: Kind;
  readonly rate: number;
  readonly seed: number;
  readonly eventsMax: number | null;
  readonly pace: 'fast' | 'realtime' | null;
}

const FIELD_TYPES: Readonly<Record<Kind, readonly (readonly [string, DataType])[]>> = {
  person: [
    ['id', INT8],
    ['name', TEXT],
    ['email_address', TEXT],
    ['credit_card', TEXT],
    ['city', TEXT],
    ['state', TEXT],
    ['date_time', TIMESTAMP],
    ['extra', TEXT],
  ],
  auction: [
    ['id', INT8],
    ['item_name', TEXT],
    ['description', TEXT],
    ['initial_bid', INT8],
    ['reserve', INT8],
    ['date_time', TIMESTAMP],
    ['expires', TIMESTAMP],
    ['seller', INT8],
    ['category', INT8],
    ['extra', TEXT],
  ],
  bid: [
    ['auction', INT8],
    ['bidder', INT8],
    ['price', INT8],
    ['channel', TEXT],
    ['url', TEXT],
    ['date_time', TIMESTAMP],
    ['extra', TEXT],
  ],
};

/** The columns that a source without a column list gets. */
export function nexmarkColumns(options: ReadonlyMap<string, string>): SourceColumn[] {
  const { kind } = checkSettings(options);
  return FIELD_TYPES[kind].map(([name, type]) => ({ name, type }));
}

/** Checks the options, and that each column is a field of the stream, in a type that holds it. */
export function checkNexmark({ options, columns }: CheckRequest): Json {
  const settings = checkSettings(options);
  const fields = FIELD_TYPES[settings.kind];
  for (const column of columns) {
    if (column.isGenerated === true) continue;
    const field = fields.find(([name]) => name === column.name.toLowerCase());
    if (field === undefined) {
      throw new SqlError(
        '42703',
        `column "${column.name}" is not a field of nexmark's ${settings.kind}`,
        { hint: `Its fields are ${fields.map(([name]) => name).join(', ')}.` },
      );
    }
    if (!holds(column.type, field[1])) {
      throw new SqlError('42804', `column "${column.name}" must be of type ${typeName(field[1])}`);
    }
  }
  return settings as unknown as Json;
}

export function openNexmark(
  checked: Json,
  columns: readonly SourceColumn[],
  context: SourceContext,
): SourceReader {
  const wanted = context.wanted.map((index) => columns[index]!);
  const settings = checked as unknown as Settings;
  return new GeneratedSource(new NexmarkGenerator(settings, wanted, context), context);
}

function checkSettings(given: ReadonlyMap<string, string>): Settings {
  const options = checkOptions('connector "nexmark"', NEXMARK_OPTIONS, given);
  const kind = options.get('nexmark.table.type') as Kind | null;
  if (kind === null) {
    throw notSupported('the combined nexmark stream', {
      hint: "Give nexmark.table.type = 'person', 'auction' or 'bid'.",
    });
  }
  return {
    kind,
    rate: options.get('nexmark.event.rate') as number,
    seed: options.get('nexmark.seed') as number,
    eventsMax: options.get('nexmark.max.events') as number | null,
    pace: options.get('nexmark.pace') as Settings['pace'],
  };
}

function holds(type: DataType, field: DataType): boolean {
  if (field === TEXT) return (type.id === 'text' || type.id === 'varchar') && type.typmod === -1;
  if (field === TIMESTAMP) return type.id === 'timestamp' || type.id === 'timestamptz';
  return type.id === field.id;
}

class NexmarkGenerator implements RecordGenerator {
  readonly recordsMax: number | null;
  readonly perSecond: number | null;
  readonly #kind: Kind;
  readonly #random: RandomStream;
  readonly #fields: readonly {
    readonly number: number;
    readonly maker: Maker;
    readonly column: SourceColumn;
  }[];
  readonly #context: SourceContext;

  constructor(settings: Settings, wanted: readonly SourceColumn[], context: SourceContext) {
    const isPaced =
      settings.pace === null ? settings.eventsMax === null : settings.pace === 'realtime';
    this.recordsMax = settings.eventsMax;
    this.perSecond = isPaced ? settings.rate : null;
    this.#kind = settings.kind;
    this.#random = new RandomStream(settings.seed);
    this.#context = context;
    const makers = makersOf(settings);
    this.#fields = wanted.map((column) => {
      const name = column.name.toLowerCase();
      const number = FIELD_TYPES[settings.kind].findIndex(([field]) => field === name);
      return { number, maker: makers[name]!, column };
    });
  }

  choose(from: number, limit: number, rowsMax: number, rows: Float64Array): [number, number] {
    let count = 0;
    let n = from;
    for (; n < limit && count < rowsMax; n++) {
      if (events.kindOf(n) === this.#kind) rows[count++] = n;
    }
    return [count, n];
  }

  columns(rows: Float64Array, count: number): Column[] {
    const { memory, scratch } = this.#context;
    const random = this.#random;
    return this.#fields.map(({ number, maker, column }) => {
      const out = new ChunkColumn(memory, scratch, column.type.storage, count);
      for (let row = 0; row < count; row++) {
        const n = rows[row]!;
        if (maker.type !== 'time') random.seek(n, number);
        if (maker.type === 'text') out.setText(row, maker.make(n, random));
        else out.setInteger(row, maker.make(n, random));
      }
      return out.build();
    });
  }
}

const PERSON_BYTES = 200;
const AUCTION_BYTES = 500;
const BID_BYTES = 100;
/** Field numbers of streams that are shared between fields. */
const PRICE_FIELD = 3;
const RUN_FIELD = 6;
const CHANNEL_FIELD = 3;
const URL_FIELD = 100;

function makersOf(settings: Settings): Record<string, Maker> {
  switch (settings.kind) {
    case 'person':
      return personMakers(settings);
    case 'auction':
      return auctionMakers(settings);
    case 'bid':
      return bidMakers(settings);
  }
}

function timeMaker({ rate }: Settings): Maker {
  return { type: 'time', make: (n) => events.timestampMs(n, rate) * 1000 };
}

function text(make: (n: number, random: RandomStream) => string): Maker {
  return { type: 'text', make };
}

function integer(make: (n: number, random: RandomStream) => number): Maker {
  return { type: 'integer', make };
}

function personMakers(settings: Settings): Record<string, Maker> {
  return {
    id: integer((n) => events.lastPerson(n) + events.FIRST_ID),
    name: text((_, random) => events.personName(random)),
    email_address: text((_, random) => events.emailAddress(random)),
    credit_card: text((_, random) => events.creditCard(random)),
    city: text((_, random) => events.city(random)),
    state: text((_, random) => events.state(random)),
    date_time: timeMaker(settings),
    extra: text((_, random) => events.extraText(random, 75, PERSON_BYTES)),
  };
}

function auctionMakers(settings: Settings): Record<string, Maker> {
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
    date_time: timeMaker(settings),
    expires: integer((n, random) => {
      random.seek(n, RUN_FIELD);
      const run = events.auctionRunMs(random, settings.rate);
      return (events.timestampMs(n, settings.rate) + run) * 1000;
    }),
    seller: integer(events.auctionSeller),
    category: integer((_, random) => events.category(random)),
    extra: text((_, random) => events.extraText(random, 110, AUCTION_BYTES)),
  };
}

function bidMakers(settings: Settings): Record<string, Maker> {
  const urls = new Map<number, string>();
  const url = (n: number, random: RandomStream): string => {
    random.seek(n, CHANNEL_FIELD);
    const channel = events.channelNumber(random);
    const known = urls.get(channel);
    if (known !== undefined) return known;
    random.seek(channel, URL_FIELD);
    const made = events.channelUrl(channel, random);
    urls.set(channel, made);
    return made;
  };
  return {
    auction: integer(events.bidAuction),
    bidder: integer(events.bidBidder),
    price: integer((_, random) => events.price(random)),
    channel: text((_, random) => events.channelName(events.channelNumber(random))),
    url: text(url),
    date_time: timeMaker(settings),
    extra: text((_, random) => events.extraText(random, 32, BID_BYTES)),
  };
}
