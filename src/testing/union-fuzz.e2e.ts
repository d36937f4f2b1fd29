/**
 * Windows over two tables, each with a watermark of its own: random inserts, updates and deletes of both, alone and in
 * transactions. After each commit a view over windows has the rows of the tables without those that are dead letters, key by
 * key; what is final stays, and is what the live view has; when all windows are over both have the same.
 * MILLRACE_TEST_SEED repeats a run, MILLRACE_TEST_FUZZ_SECONDS makes it longer.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Random } from '../base/random.ts';
import { type ServerOptions, ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';
import { SEED, seededRuns } from './view-fuzz/seeded-runs.ts';

const COMMITS = 20;
const TABLES = ['a', 'b'] as const;
/** Of rows that close all windows. */
const LAST_KEY = 99;
const UNION = '(SELECT * FROM a UNION ALL SELECT * FROM b)';
const VIEWS = {
  tumble: `TUMBLE(${UNION}, ts, INTERVAL '10 seconds')`,
  session: `SESSION(${UNION} PARTITION BY k, ts, INTERVAL '4 seconds')`,
};

/** Rows, and the sum of their values. */
type Sums = Map<number, { rows: number; total: number }>;

class UnionRun {
  readonly #server: ServerProcess;
  readonly #client: SqlClient;
  readonly #random: Random;
  readonly #killChance: number;
  readonly #statements: string[] = [];
  readonly #finals = new Map<string, readonly string[]>();
  #lastValue = 0;
  /** About where rows come, in seconds. */
  #now = 20;

  constructor(server: ServerProcess, client: SqlClient, random: Random, killChance: number) {
    this.#server = server;
    this.#client = client;
    this.#random = random;
    this.#killChance = killChance;
  }

  async run(): Promise<void> {
    for (const table of TABLES) {
      const delay = this.#random.below(4);
      await this.#send(
        `CREATE TABLE ${table} (k int, v int, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '${delay} seconds')`,
      );
    }
    for (const [name, from] of Object.entries(VIEWS)) {
      const query = `SELECT k, window_start, window_end, count(*) AS n, sum(v) AS total FROM ${from} GROUP BY window_start, window_end, k`;
      await this.#send(`CREATE MATERIALIZED VIEW ${name}_live AS ${query}`);
      await this.#send(`CREATE MATERIALIZED VIEW ${name}_final AS ${query} EMIT ON WINDOW CLOSE`);
    }
    for (let i = 0; i < COMMITS; i += 1) {
      await this.#commit();
      if (this.#random.chance(this.#killChance)) await this.#server.killAndRestart(this.#client);
      for (const name of Object.keys(VIEWS)) await this.#check(name);
    }
    await this.#closeAll();
    for (const name of Object.keys(VIEWS)) {
      const live = await this.#rowsOf(`${name}_live`);
      this.#same(`${name} when all is over`, await this.#rowsOf(`${name}_final`), live);
    }
  }

  async #commit(): Promise<void> {
    this.#now += this.#random.below(6);
    if (this.#random.chance(0.4)) return this.#statement();
    await this.#send('BEGIN');
    for (let i = this.#random.between(2, 6); i > 0; i -= 1) await this.#statement();
    await this.#send('COMMIT');
  }

  async #statement(): Promise<void> {
    const random = this.#random;
    const table = random.pick(TABLES);
    const one = random.chance(0.7)
      ? `v = ${random.between(1, this.#lastValue + 1)}`
      : `k = ${random.below(3)} AND v > ${this.#lastValue - 10}`;
    if (random.chance(0.6)) await this.#insert(table);
    else if (random.chance(0.5)) await this.#send(`DELETE FROM ${table} WHERE ${one}`);
    else {
      this.#lastValue += 1;
      const set = `v = v + ${this.#lastValue}, ts = ts + INTERVAL '${random.between(-3, 3)} seconds'`;
      await this.#send(`UPDATE ${table} SET ${set} WHERE ${one}`);
    }
  }

  async #insert(table: string): Promise<void> {
    const random = this.#random;
    const values = Array.from({ length: random.between(1, 5) }, () => {
      this.#lastValue += 1;
      const second = Math.max(0, this.#now + random.between(-14, 8));
      const time = random.chance(0.05) ? 'NULL' : timeOf(second);
      return `(${random.below(3)}, ${this.#lastValue}, ${time})`;
    });
    await this.#send(`INSERT INTO ${table} VALUES ${values.join(', ')}`);
  }

  /** Twice: what the first commit brings is judged by the watermarks before it. */
  async #closeAll(): Promise<void> {
    for (const second of [5000, 9000]) {
      for (const table of TABLES) {
        await this.#send(`INSERT INTO ${table} VALUES (${LAST_KEY}, 0, ${timeOf(second)})`);
      }
    }
  }

  async #check(name: string): Promise<void> {
    const [live, final] = [`${name}_live`, `${name}_final`];
    for (const view of [live, final]) {
      const { rows } = await this.#client.query(
        `SELECT state, rows_in - used - late - null_time - withheld FROM millrace.jobs WHERE name = '${view}'`,
      );
      this.#same(`${view}: state, rows not accounted for`, rows[0]!, ['running', '0']);
    }
    const shown = await this.#sums(`SELECT k, n, total FROM ${live}`);
    this.#same(live, lines(shown), lines(await this.#taken(live)));
    const now = await this.#rowsOf(final);
    const before = this.#finals.get(final) ?? [];
    this.#same(
      `${final}: what was final before`,
      before.filter((row) => now.includes(row)),
      before,
    );
    this.#finals.set(final, now);
    const all = await this.#rowsOf(live);
    this.#same(
      `${final} in ${live}`,
      now.filter((row) => all.includes(row)),
      now,
    );
  }

  /** The rows of both tables without those that the view has as dead letters. */
  async #taken(view: string): Promise<Sums> {
    const sums = await this.#sums(`SELECT k, 1, v FROM ${UNION} AS both_tables`);
    const { rows } = await this.#client.query(
      `SELECT op, "row" FROM millrace.dead_letters WHERE view = '${view}'`,
    );
    for (const [op, text] of rows) {
      const { k, v } = JSON.parse(text!) as { k: string; v: string };
      const sign = op === 'delete' ? 1 : -1;
      add(sums, Number(k), sign, sign * Number(v));
    }
    return sums;
  }

  /** Of rows key, count, total. */
  async #sums(query: string): Promise<Sums> {
    const sums: Sums = new Map();
    const { rows } = await this.#client.query(query);
    for (const [key, count, total] of rows) {
      add(sums, Number(key), Number(count), Number(total));
    }
    return sums;
  }

  async #rowsOf(view: string): Promise<string[]> {
    const { rows } = await this.#client.query(
      `SELECT k, window_start, window_end, n, total FROM ${view} WHERE k <> ${LAST_KEY}`,
    );
    return rows.map((row) => row.join('|')).sort();
  }

  async #send(sql: string): Promise<void> {
    this.#statements.push(sql);
    await this.#client.query(sql);
  }

  #same(what: string, got: readonly (string | null)[], expected: readonly (string | null)[]): void {
    const script = this.#statements.map((sql) => `${sql};`).join('\n');
    assert.deepEqual(got, expected, `${what}: got ${got}, expected ${expected}\n${script}`);
  }
}

function timeOf(second: number): string {
  return `TIMESTAMP '2024-01-01' + INTERVAL '${second} seconds'`;
}

function add(sums: Sums, key: number, rows: number, total: number): void {
  const one = sums.get(key) ?? { rows: 0, total: 0 };
  one.rows += rows;
  one.total += total;
  sums.set(key, one);
}

function lines(sums: Sums): string[] {
  return [...sums]
    .filter(([, { rows, total }]) => rows !== 0 || total !== 0)
    .map(([key, { rows, total }]) => `${key}: ${rows} rows, ${total}`)
    .sort();
}

async function runFor(options: ServerOptions, killChance = 0): Promise<void> {
  const server = await ServerProcess.start(options);
  const client = await SqlClient.connect(server.url);
  try {
    await seededRuns(async (random) => {
      await new UnionRun(server, client, random, killChance).run();
      for (const table of TABLES) await client.query(`DROP TABLE ${table} CASCADE`);
    });
  } finally {
    await client.close();
    await server.dispose();
  }
}

test(`windows over two tables (seed ${SEED})`, () => runFor({ dataDir: ':memory:' }));

test(`the same with kill -9 in the middle (seed ${SEED})`, () => runFor({}, 0.1));
