/** The Nexmark cases: which queries are measured, what each reads of the generator, and where its result goes. */

import { NEXMARK_QUERIES, NEXMARK_SCHEMA } from '../src/plan/nexmark-queries.ts';

export type NexmarkQuery = keyof typeof NEXMARK_QUERIES;
export type EventKind = 'person' | 'auction' | 'bid';

/** Columns by stream; a stream that is not named is not read. */
export type ColumnsRead = Readonly<Partial<Record<EventKind, readonly string[]>>>;

/** Measured where `--queries` is not given. */
export const MEASURED_QUERIES: readonly NexmarkQuery[] = [
  ...(['q0', 'q1', 'q2', 'q3', 'q4', 'q5', 'q7', 'q8', 'q9', 'q10', 'q11', 'q12'] as const),
  ...(['q14', 'q15', 'q16', 'q17', 'q18', 'q19', 'q20', 'q21', 'q22'] as const),
];

/** With `--sink auto` these go to a blackhole, as the peers' do; the others feed a served view. */
const DISCARDED: ReadonlySet<NexmarkQuery> = new Set([
  ...(['q0', 'q1', 'q2', 'q14', 'q20', 'q21', 'q22'] as const),
]);

const ALL_COLUMNS: Readonly<Record<EventKind, readonly string[]>> = {
  person: ['id', 'name', 'email_address', 'credit_card', 'city', 'state', 'date_time', 'extra'],
  auction: [
    ...['id', 'item_name', 'description', 'initial_bid', 'reserve'],
    ...['date_time', 'expires', 'seller', 'category', 'extra'],
  ],
  bid: ['auction', 'bidder', 'price', 'channel', 'url', 'date_time', 'extra'],
};

const BID_WITH_EXTRA = ['auction', 'bidder', 'price', 'date_time', 'extra'];
const BANDS = ['auction', 'bidder', 'price', 'date_time'];

/** What each query makes the generator make; date_time is always among it, for the watermark. */
const COLUMNS_READ: Readonly<Record<NexmarkQuery, ColumnsRead>> = {
  q0: { bid: BID_WITH_EXTRA },
  q1: { bid: BID_WITH_EXTRA },
  q2: { bid: ['auction', 'price', 'date_time'] },
  q3: {
    auction: ['id', 'seller', 'category', 'date_time'],
    person: ['id', 'name', 'city', 'state', 'date_time'],
  },
  q4: {
    auction: ['id', 'category', 'date_time', 'expires'],
    bid: ['auction', 'price', 'date_time'],
  },
  q5: { bid: ['auction', 'date_time'] },
  q6: {
    auction: ['id', 'seller', 'date_time', 'expires'],
    bid: ['auction', 'price', 'date_time'],
  },
  q7: { bid: BID_WITH_EXTRA },
  q8: { person: ['id', 'name', 'date_time'], auction: ['seller', 'date_time'] },
  q9: { auction: ALL_COLUMNS.auction, bid: BID_WITH_EXTRA },
  q10: { bid: BID_WITH_EXTRA },
  q11: { bid: ['bidder', 'date_time'] },
  q12: { bid: ['bidder', 'date_time'] },
  q13: { bid: ['auction', 'bidder', 'price', 'date_time'] },
  q14: { bid: BID_WITH_EXTRA },
  q15: { bid: BANDS },
  q16: { bid: [...BANDS, 'channel'] },
  q17: { bid: ['auction', 'price', 'date_time'] },
  q18: { bid: ALL_COLUMNS.bid },
  q19: { bid: ALL_COLUMNS.bid },
  q20: { bid: ALL_COLUMNS.bid, auction: ALL_COLUMNS.auction },
  q21: { bid: ['auction', 'bidder', 'price', 'channel', 'url', 'date_time'] },
  q22: { bid: ['auction', 'bidder', 'price', 'channel', 'url', 'date_time'] },
};

/** The generator alone, every column of every stream. */
export const EVERYTHING: ColumnsRead = ALL_COLUMNS;

export function isNexmarkQuery(name: string): name is NexmarkQuery {
  return Object.hasOwn(NEXMARK_QUERIES, name);
}

export function queryText(name: NexmarkQuery): string {
  return NEXMARK_QUERIES[name];
}

export function columnsRead(name: NexmarkQuery): ColumnsRead {
  return COLUMNS_READ[name];
}

export function streamsOf(name: NexmarkQuery): readonly EventKind[] {
  return Object.keys(COLUMNS_READ[name]) as EventKind[];
}

export type SinkChoice = 'auto' | 'view' | 'discard';

/** Where a query's result goes. */
export function sinkOf(name: NexmarkQuery, choice: SinkChoice): 'view' | 'discard' {
  if (choice !== 'auto') return choice;
  return DISCARDED.has(name) ? 'discard' : 'view';
}

/** How much the generator makes, and how it spreads over event time. */
export interface Volume {
  readonly events: number;
  /** Events per second of event time. */
  readonly rate: number;
  /** One record of so many cannot be decoded; absent: none. Only of events as text. */
  readonly poisonEvery?: number;
}

/** The statements of NEXMARK_SCHEMA, the sources bounded to `volume`. */
export function schemaStatements({ events, rate }: Volume): string[] {
  const bounds = `nexmark.max.events = ${events}, nexmark.event.rate = ${rate}`;
  return NEXMARK_SCHEMA.split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
    .map((statement) => statement.replace(/\)$/, (end) => `, ${bounds}${end}`))
    .map((statement) => statement.replace(/(PRIMARY KEY, value TEXT), nexmark.*$/, '$1)'));
}

/** Rows of q13's side table: one for each value of auction % 10000. */
export const FILL_SIDE_INPUT =
  "INSERT INTO side_input SELECT n, 'value ' || n FROM generate_series(0, 9999) AS s(n)";
