/** The connector `nexmark`: the auction site's events, made in process, only the columns that somebody reads. */

import { notSupported, SqlError } from '../../base/sql-error.ts';
import { type Column, storageWidth } from '../../batch/delta-batch.ts';
import { type DataType, INT8, TEXT, TIMESTAMP } from '../../types/data-type.ts';
import { typeName } from '../../types/type-name.ts';
import { GeneratedSource, type RecordGenerator } from '../generated-source.ts';
import { type CheckRequest, checkOptions, type OptionSchema } from '../options.ts';
import type { Json, SourceColumn, SourceContext, SourceReader } from '../source.ts';
import { chooseEvents, type EventKind, EventRows } from './event-rows.ts';
import * as numbers from './numbers.ts';
import { ResidentTexts } from './resident-texts.ts';
import * as texts from './texts.ts';

const NEXMARK_OPTIONS: OptionSchema = {
  'nexmark.table.type': { kind: 'choice', choices: ['person', 'auction', 'bid'], default: null },
  'nexmark.event.rate': { kind: 'number', min: 0.001, max: 1e9, default: 10_000 },
  'nexmark.max.events': { kind: 'integer', min: 0, default: null },
  'nexmark.seed': { kind: 'integer', min: 0, max: 4_294_967_295, default: 0 },
  'nexmark.pace': { kind: 'choice', choices: ['fast', 'realtime'], default: null },
};

interface Settings {
  readonly kind: EventKind;
  readonly rate: number;
  readonly seed: number;
  readonly eventsMax: number | null;
  readonly pace: 'fast' | 'realtime' | null;
}

const FIELD_TYPES: Readonly<Record<EventKind, readonly (readonly [string, DataType])[]>> = {
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
  const kind = options.get('nexmark.table.type') as EventKind | null;
  if (kind === null) {
    throw notSupported('the combined nexmark stream');
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

/** Makes one field of the events: numbers and times, or texts. */
type Maker =
  | {
      readonly type: 'number';
      readonly fill: (rows: EventRows, u32: Uint32Array, out: number, rate: number) => void;
    }
  | { readonly type: 'text'; readonly fill: (rows: EventRows, target: texts.TextTarget) => void };

class NexmarkGenerator implements RecordGenerator {
  readonly recordsMax: number | null;
  readonly perSecond: number | null;
  readonly #settings: Settings;
  readonly #rows: EventRows;
  readonly #fields: readonly { readonly maker: Maker; readonly column: SourceColumn }[];
  readonly #context: SourceContext;

  constructor(settings: Settings, wanted: readonly SourceColumn[], context: SourceContext) {
    const isPaced =
      settings.pace === null ? settings.eventsMax === null : settings.pace === 'realtime';
    this.recordsMax = settings.eventsMax;
    this.perSecond = isPaced ? settings.rate : null;
    this.#settings = settings;
    this.#rows = new EventRows(settings.seed);
    this.#context = context;
    const makers = MAKERS[settings.kind];
    this.#fields = wanted.map((column) => {
      return { maker: makers[column.name.toLowerCase()]!, column };
    });
  }

  choose(from: number, limit: number, rowsMax: number, rows: Float64Array): [number, number] {
    return chooseEvents(this.#settings.kind, from, limit, rowsMax, rows);
  }

  columns(rows: Float64Array, count: number): Column[] {
    this.#rows.prepare(rows, count);
    return this.#fields.map(({ maker, column }) => this.#column(maker, column));
  }

  #column(maker: Maker, { type: { storage } }: SourceColumn): Column {
    const { memory, scratch } = this.#context;
    const rows = this.#rows;
    const out = scratch.alloc(Math.max(16, storageWidth(storage) * rows.count));
    if (maker.type === 'number') maker.fill(rows, memory.u32, out, this.#settings.rate);
    else maker.fill(rows, { memory, scratch, texts: ResidentTexts.of(memory), out });
    return { storage, values: out, validity: 0 };
  }
}

function number(fill: Extract<Maker, { type: 'number' }>['fill']): Maker {
  return { type: 'number', fill };
}

function text(fill: Extract<Maker, { type: 'text' }>['fill']): Maker {
  return { type: 'text', fill };
}

function extra(kind: EventKind): Maker {
  return text((rows, target) => texts.fillExtra(rows, target, texts.EXTRA_SIZES[kind]));
}

const MAKERS: Readonly<Record<EventKind, Readonly<Record<string, Maker>>>> = {
  person: {
    id: number(numbers.fillPersonId),
    name: text(texts.fillName),
    email_address: text(texts.fillEmail),
    credit_card: text(texts.fillCard),
    city: text(texts.fillCity),
    state: text(texts.fillState),
    date_time: number(numbers.fillTime),
    extra: extra('person'),
  },
  auction: {
    id: number(numbers.fillAuctionId),
    item_name: text(texts.fillItemName),
    description: text(texts.fillDescription),
    initial_bid: number(numbers.fillPrice),
    reserve: number(numbers.fillReserve),
    date_time: number(numbers.fillTime),
    expires: number(numbers.fillExpires),
    seller: number(numbers.fillAuctionSeller),
    category: number(numbers.fillCategory),
    extra: extra('auction'),
  },
  bid: {
    auction: number(numbers.fillBidAuction),
    bidder: number(numbers.fillBidBidder),
    price: number(numbers.fillPrice),
    channel: text(texts.fillChannel),
    url: text(texts.fillUrl),
    date_time: number(numbers.fillTime),
    extra: extra('bid'),
  },
};
