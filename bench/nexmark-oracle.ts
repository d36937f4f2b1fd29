/**
 * The Nexmark queries as PostgreSQL has to be asked: window functions become subqueries, and orders that SQL leaves open get
 * the canonical order (semantics rule 9: the given keys, then every input column, texts by their bytes). PostgreSQL runs in
 * process through PGlite and shares no code with Millrace.
 */

import { PGlite } from '@electric-sql/pglite';
import { type EventKind, type NexmarkQuery, queryText } from './nexmark-cases.ts';
import { ResultHash } from './result-hash.ts';

const TABLES = `
  CREATE TABLE person (id BIGINT, name TEXT, email_address TEXT, credit_card TEXT, city TEXT, state TEXT,
    date_time TIMESTAMP, extra TEXT);
  CREATE TABLE auction (id BIGINT, item_name TEXT, description TEXT, initial_bid BIGINT, reserve BIGINT,
    date_time TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT, extra TEXT);
  CREATE TABLE bid (auction BIGINT, bidder BIGINT, price BIGINT, channel TEXT, url TEXT, date_time TIMESTAMP,
    extra TEXT);
  CREATE TABLE side_input (key BIGINT PRIMARY KEY, value TEXT);
  INSERT INTO side_input SELECT n, 'value ' || n FROM generate_series(0, 9999) AS s(n);`;

const BID_ORDER =
  'auction, bidder, price, channel COLLATE "C", url COLLATE "C", date_time, extra COLLATE "C"';
const AUCTION_BID_ORDER = `a.id, a.item_name COLLATE "C", a.description COLLATE "C", a.initial_bid, a.reserve,
  a.date_time, a.expires, a.seller, a.category, a.extra COLLATE "C", b.auction, b.bidder, b.price,
  b.channel COLLATE "C", b.url COLLATE "C", b.date_time, b.extra COLLATE "C"`;

/** q11 without SESSION: a session starts where the row before is more than the gap away. */
const SESSIONS = `SELECT bidder, count(*), min(date_time), max(date_time) + INTERVAL '10 seconds' FROM (
    SELECT bidder, date_time, count(*) FILTER (WHERE is_first) OVER (PARTITION BY bidder ORDER BY date_time) AS nth
    FROM (SELECT bidder, date_time, date_time - lag(date_time) OVER (PARTITION BY bidder ORDER BY date_time)
        > INTERVAL '10 seconds' AS is_first FROM bid) gaps) sessions
  GROUP BY bidder, nth`;

/** The query in PostgreSQL's own SQL; null: it depends on the time of processing. */
export function oracleText(name: NexmarkQuery): string | null {
  switch (name) {
    case 'q11':
      return SESSIONS;
    case 'q12':
      return null;
    case 'q18':
      return queryText(name).replace('date_time DESC', `date_time DESC, ${BID_ORDER}`);
    case 'q19':
      return queryText(name).replace('price DESC', `price DESC, ${BID_ORDER}`);
    case 'q6':
    case 'q9':
      return queryText(name).replace(
        'b.price DESC, b.date_time',
        `b.price DESC, b.date_time, ${AUCTION_BID_ORDER}`,
      );
    default:
      return queryText(name)
        .replaceAll(/TUMBLE\((\w+), (\w+), (INTERVAL '[^']*')\)/g, tumble)
        .replaceAll(/HOP\((\w+), (\w+), (INTERVAL '[^']*'), (INTERVAL '[^']*')\)/g, hop);
  }
}

const ORIGIN = "TIMESTAMP '1970-01-01'";

function tumble(_: string, table: string, column: string, size: string): string {
  const start = `date_bin(${size}, ${column}, ${ORIGIN})`;
  return `(SELECT *, ${start} AS window_start, ${start} + ${size} AS window_end FROM ${table})`;
}

/** Of a size that is a multiple of the slide, as q5's is. */
function hop(_: string, table: string, column: string, slide: string, size: string): string {
  const last = `date_bin(${slide}, ${column}, ${ORIGIN})`;
  return `(SELECT ${table}.*, start AS window_start, start + ${size} AS window_end
    FROM ${table}, generate_series(${last} - ${size} + ${slide}, ${last}, ${slide}) AS starts(start))`;
}

type Rows = readonly (readonly (string | null)[])[];

const asText = (value: string): string => value;
/** PGlite parses values by their type; these come as the text that PostgreSQL wrote. */
const TEXT_PARSERS = Object.fromEntries(
  [16, 20, 21, 23, 25, 700, 701, 1082, 1083, 1114, 1184, 1700].map((oid) => [oid, asText]),
);

/** PostgreSQL, filled with the same events. */
export class NexmarkOracle {
  readonly #database: PGlite;
  readonly #filled = new Set<EventKind>();

  private constructor(database: PGlite) {
    this.#database = database;
  }

  static async open(): Promise<NexmarkOracle> {
    const database = await PGlite.create();
    await database.exec(TABLES);
    return new NexmarkOracle(database);
  }

  /** Makes `rows` the content of the stream's table; a stream that is filled already stays as it is. */
  async fill(stream: EventKind, rows: Rows): Promise<void> {
    if (this.#filled.has(stream)) return;
    this.#filled.add(stream);
    const csv = rows.map((row) => row.map(csvField).join(',')).join('\n');
    await this.#database.query(`COPY ${stream} FROM '/dev/blob' WITH (FORMAT csv)`, [], {
      blob: new Blob([csv]),
    });
  }

  async hash(text: string): Promise<ResultHash> {
    const { rows } = await this.#database.query<(string | null)[]>(text, [], {
      rowMode: 'array',
      parsers: TEXT_PARSERS,
    });
    const result = new ResultHash();
    for (const row of rows) result.add(row);
    return result;
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}

function csvField(value: string | null): string {
  return value === null ? '' : `"${value.replaceAll('"', '""')}"`;
}
