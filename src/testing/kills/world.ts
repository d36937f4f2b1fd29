/**
 * What all clients share and the outside of the server: a table with a view and a sink, a followed file with good, bad and
 * late lines, the nexmark generator, a table large enough for a backfill in slices. Each with what it must come to.
 */

import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../base/random.ts';
import type { SqlClient } from '../sql-client.ts';

const DRAIN_TIMEOUT_MS = 30_000;
const WINDOW_SECONDS = 10;
const DELAY_SECONDS = 5;
const BIG_ROWS = 30_000;

const NEXMARK_VIEWS: Readonly<Record<string, string>> = {
  bids: 'SELECT auction, count(*) AS n, sum(price) AS s, max(date_time) AS last FROM bid GROUP BY auction',
  bid_windows: `SELECT window_start, count(*) AS n, count(DISTINCT bidder) AS bidders
    FROM TUMBLE(bid, date_time, INTERVAL '10 seconds') GROUP BY window_start EMIT ON WINDOW CLOSE`,
};

function bidSource(eventsMax: number, pace: string): string {
  return `CREATE SOURCE bid (auction bigint, bidder bigint, price bigint, date_time timestamp,
    WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds') WITH (connector = 'nexmark',
    nexmark.table.type = 'bid', nexmark.max.events = ${eventsMax}, nexmark.event.rate = 2000, nexmark.pace = '${pace}')`;
}

/** Statements over nexmark's bids; `pace` says how fast they come. */
export function nexmarkStatements(eventsMax: number, pace: 'realtime' | 'fast'): string[] {
  const views = Object.entries(NEXMARK_VIEWS).map(
    ([name, query]) => `CREATE MATERIALIZED VIEW ${name} AS ${query}`,
  );
  return [bidSource(eventsMax, pace), ...views];
}

/** What the views over nexmark's bids hold. */
export async function nexmarkContents(connection: SqlClient): Promise<string[]> {
  const contents: string[] = [];
  for (const name of Object.keys(NEXMARK_VIEWS)) contents.push(await sortedRows(connection, name));
  return contents;
}

export class World {
  readonly #directory: string;
  readonly #random: Random;
  readonly #bad: string[] = [];
  /** On-time rows by start of window, in seconds. */
  readonly #windows = new Map<number, number>();
  readonly #late: string[] = [];
  readonly #byGroup = new Map<number, { n: number; s: number }>();
  #lines = 0;
  #seconds = 0;
  #watermark = Number.NEGATIVE_INFINITY;
  #rest = '';

  constructor(directory: string, random: Random) {
    this.#directory = directory;
    this.#random = random;
    writeFileSync(this.#path('lines.ndjson'), '');
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  async create(connection: SqlClient, eventsMax: number): Promise<void> {
    const sink = (name: string, view: string, file: string) =>
      `CREATE SINK ${name} FROM ${view} WITH (connector = 'file', path = '${this.#path(file)}') FORMAT PLAIN ENCODE JSON`;
    const statements = [
      'CREATE TABLE shared (client int, n int, PRIMARY KEY (client, n))',
      'CREATE MATERIALIZED VIEW shared_counts AS SELECT client, count(*) AS n, sum(n) AS s FROM shared GROUP BY client',
      sink('shared_out', 'shared_counts', 'shared.ndjson'),
      `CREATE SOURCE lines (n int, k int, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '${DELAY_SECONDS} seconds')
        WITH (connector = 'file', path = '${this.#path('lines.ndjson')}', follow = true) FORMAT PLAIN ENCODE JSON`,
      'CREATE MATERIALIZED VIEW line_groups AS SELECT k, count(*) AS n, sum(n) AS s FROM lines GROUP BY k',
      `CREATE MATERIALIZED VIEW line_windows AS SELECT window_start, count(*) AS n
        FROM TUMBLE(lines, ts, INTERVAL '${WINDOW_SECONDS} seconds') GROUP BY window_start EMIT ON WINDOW CLOSE`,
      sink('line_out', 'line_groups', 'groups.ndjson'),
      ...nexmarkStatements(eventsMax, 'realtime'),
      'CREATE TABLE big (id int PRIMARY KEY, g int)',
      `INSERT INTO big SELECT i, i % 100 FROM generate_series(1, ${BIG_ROWS}) AS t(i)`,
    ];
    for (const sql of statements) await connection.query(sql);
  }

  // ---- the followed file

  /** Appends some lines, as a writer does that is not careful: the last one may be half there. */
  append(): void {
    let text = this.#rest;
    for (let count = this.#random.between(1, 60); count > 0; count--) text += this.#line();
    const held = this.#random.chance(0.3) ? this.#random.below(Math.min(20, text.length)) : 0;
    this.#rest = text.slice(text.length - held);
    appendFileSync(this.#path('lines.ndjson'), text.slice(0, text.length - held));
  }

  #line(): string {
    const n = ++this.#lines;
    if (this.#random.chance(0.03)) {
      const bad = this.#random.pick([`no json ${n}`, `{"n": "x${n}"}`, `{"n": ${n}, "k":`]);
      this.#bad.push(bad);
      return `${bad}\n`;
    }
    this.#seconds += this.#random.below(3);
    const seconds = Math.max(0, this.#seconds - (this.#random.chance(0.05) ? 40 : 0));
    const k = this.#random.below(20);
    this.#judge(n, k, seconds);
    return `{"n": ${n}, "k": ${k}, "ts": "${timestamp(seconds)}"}\n`;
  }

  /** The brute-force answer: semantics.md rules 13 to 15 for one split, row by row. */
  #judge(n: number, k: number, seconds: number): void {
    const group = this.#byGroup.get(k) ?? { n: 0, s: 0 };
    this.#byGroup.set(k, { n: group.n + 1, s: group.s + n });
    const start = seconds - (seconds % WINDOW_SECONDS);
    if (start + WINDOW_SECONDS <= this.#watermark) this.#late.push(timestamp(seconds));
    else this.#windows.set(start, (this.#windows.get(start) ?? 0) + 1);
    this.#watermark = Math.max(this.#watermark, seconds - DELAY_SECONDS);
  }

  /** Finishes the line that was begun. */
  finishLine(): void {
    appendFileSync(this.#path('lines.ndjson'), this.#rest);
    this.#rest = '';
  }

  // ---- checks

  /** Everything from outside has arrived once and only once, in views, dead letters and sinks. */
  async check(connection: SqlClient): Promise<void> {
    this.finishLine();
    const good = [...this.#byGroup.values()].reduce((sum, { n }) => sum + n, 0);
    await eventually(async () => {
      const rejected = `SELECT count(*) FROM millrace.dead_letters WHERE kind = 'rejected'`;
      const count = await connection.value('SELECT coalesce(sum(n), 0) FROM line_groups');
      assert.deepEqual(
        [Number(count), Number(await connection.value(rejected))],
        [good, this.#bad.length],
        'good and bad lines',
      );
    });
    await this.#checkLines(connection);
    await this.#checkDeadLetters(connection);
    await this.#checkBig(connection);
    const shared = 'SELECT client, count(*) AS n, sum(n) AS s FROM shared GROUP BY client';
    assert.equal(
      await sortedRows(connection, 'shared_counts'),
      await sortedRows(connection, `(${shared}) q`),
    );
    await this.#checkSink(connection, 'shared.ndjson', 'shared_counts', ['client', 'n', 's']);
    await this.#checkSink(connection, 'groups.ndjson', 'line_groups', ['k', 'n', 's']);
  }

  async #checkLines(connection: SqlClient): Promise<void> {
    const groups = [...this.#byGroup].map(([k, { n, s }]) => `${k},${n},${s}`).sort();
    assert.equal(await sortedRows(connection, 'line_groups'), groups.join('\n'), 'line_groups');
    const closed = [...this.#windows].filter(([s]) => s + WINDOW_SECONDS <= this.#watermark);
    const windows = closed.map(([start, n]) => `${timestamp(start)},${n}`);
    const found = await sortedRows(connection, 'line_windows');
    assert.equal(found, windows.sort().join('\n'), 'line_windows');
  }

  async #checkDeadLetters(connection: SqlClient): Promise<void> {
    const letters = await connection.query(
      `SELECT kind, row FROM millrace.dead_letters WHERE source = 'lines' OR view = 'line_windows'`,
    );
    const rows = (kind: string) => letters.rows.filter((row) => row[0] === kind);
    assert.deepEqual(
      rows('rejected')
        .map((row) => row[1])
        .sort(),
      [...this.#bad].sort(),
      'rejected lines',
    );
    // A view's letters hold the columns that it reads.
    const late = rows('late').map((row) => /[-\d]{10} [:\d]{8}/.exec(row[1] ?? '')?.[0] ?? row[1]);
    assert.deepEqual(late.sort(), [...this.#late].sort(), 'late rows');
  }

  /** Views over the large table, however far their backfill came, are whole or not there. */
  async #checkBig(connection: SqlClient): Promise<void> {
    const views = await connection.query('SHOW MATERIALIZED VIEWS');
    for (const [, name] of views.rows) {
      if (name === null || !name?.startsWith('big_')) continue;
      const expected = await sortedRows(
        connection,
        '(SELECT g, count(*) AS n, sum(id) AS s FROM big GROUP BY g) q',
      );
      assert.equal(await sortedRows(connection, name), expected, name);
      await connection.query(`DROP MATERIALIZED VIEW ${name}`);
    }
    assert.equal(
      await connection.value(`SELECT count(*) FROM big WHERE id <= ${BIG_ROWS}`),
      String(BIG_ROWS),
      'rows of the large table',
    );
  }

  /** The sink's lines, folded, are the view: nothing is missing, nothing is there twice, epochs never go back. */
  async #checkSink(
    connection: SqlClient,
    file: string,
    view: string,
    columns: readonly string[],
  ): Promise<void> {
    const expected = await sortedRows(connection, view);
    await eventually(async () => {
      const path = this.#path(file);
      const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [''];
      assert.equal(lines.pop(), '', `${file} ends with a whole line`);
      assert.equal(fold(lines, columns), expected, file);
    });
  }
}

/** An instant of the lines, as PostgreSQL writes it. */
function timestamp(seconds: number): string {
  const text = new Date(Date.UTC(2024, 0, 1, 0, 0, seconds)).toISOString();
  return text.slice(0, 19).replace('T', ' ');
}

/** The net rows of a change stream. */
function fold(lines: readonly string[], columns: readonly string[]): string {
  const counts = new Map<string, number>();
  let epoch = 0;
  for (const line of lines) {
    const change = JSON.parse(line) as Record<string, unknown>;
    assert.ok(Number(change.epoch) >= epoch, `epoch ${change.epoch} after ${epoch}`);
    epoch = Number(change.epoch);
    const row = columns.map((name) => String(change[name])).join(',');
    const count = (counts.get(row) ?? 0) + Number(change.weight);
    assert.ok(count === 0 || count === 1, `${row} is there ${count} times after ${line}`);
    counts.set(row, count);
  }
  return [...counts]
    .filter(([, count]) => count === 1)
    .map(([row]) => row)
    .sort()
    .join('\n');
}

async function sortedRows(connection: SqlClient, relation: string): Promise<string> {
  const { rows } = await connection.query(`SELECT * FROM ${relation}`);
  return rows
    .map((row) => row.join(','))
    .sort()
    .join('\n');
}

/** Tries until it holds; the last failure is thrown. */
export async function eventually(attempt: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + DRAIN_TIMEOUT_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const isFinal = !(error instanceof assert.AssertionError) || performance.now() > deadline;
      if (isFinal) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
