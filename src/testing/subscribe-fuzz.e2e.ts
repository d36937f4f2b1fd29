/**
 * What SUBSCRIBE sends: while random transactions change a table, the snapshot and the changes folded up to an epoch must be
 * what SELECT shows in that epoch, however fast the client reads: through DECLARE and FETCH, and through COPY ... TO STDOUT.
 * MILLRACE_TEST_SEED repeats the statements, MILLRACE_TEST_FUZZ_SECONDS makes a run longer.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serialize } from 'pg-protocol';
import type { Random } from '../base/random.ts';
import { RawClient } from './raw-client.ts';
import { type ServerOptions, ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';
import { SEED, seededRuns } from './view-fuzz/seeded-runs.ts';

const SECONDS = 3;
const TRANSACTIONS = 40;
const KEYS = 6;
/** The row whose `v` numbers the transaction that was last. */
const MARKER = -1;

const RELATIONS: readonly (readonly [name: string, query: string | null])[] = [
  ['t', null],
  ['bag', 'SELECT k, v % 3 AS v FROM t WHERE k <> -1 UNION ALL SELECT k, v FROM t WHERE k = -1'],
  ['sums', 'SELECT k, sum(v) AS v, count(*) AS n FROM t GROUP BY k'],
];

/** Rows of a relation as one picks them up from a subscription. */
class Folded {
  /** What there was at the end of each step, by the marker's number. */
  readonly contents = new Map<number, readonly string[]>();
  readonly #name: string;
  readonly #weights = new Map<string, number>();
  #epoch: string | null = null;

  constructor(name: string) {
    this.#name = name;
  }

  /** A row (epoch, weight, columns). */
  take([epoch, weight, ...values]: readonly (string | null)[]): void {
    if (this.#epoch !== null && epoch !== this.#epoch) this.#endStep();
    assert.ok(
      this.#epoch === null || BigInt(epoch!) >= BigInt(this.#epoch),
      `${this.#name}: epoch ${epoch} after ${this.#epoch}`,
    );
    this.#epoch = epoch!;
    const row = values.join('|');
    const next = (this.#weights.get(row) ?? 0) + Number(weight);
    if (next === 0) this.#weights.delete(row);
    else this.#weights.set(row, next);
  }

  /** The number in the marker's row. */
  get marker(): number {
    for (const row of this.#weights.keys()) {
      const [key, value] = row.split('|');
      if (Number(key) === MARKER) return Number(value);
    }
    return -1;
  }

  #endStep(): void {
    const rows = [...this.#weights].flatMap(([row, weight]) => {
      assert.ok(weight > 0, `${this.#name}: ${row} has weight ${weight} after ${this.#epoch}`);
      return Array.from({ length: weight }, () => row);
    });
    this.contents.set(this.marker, rows.sort());
  }
}

/** Takes rows until it has seen the marker `last`. */
interface Subscriber {
  readonly folded: Folded;
  readonly relation: string;
  run(last: number): Promise<void>;
  close(): Promise<void>;
}

async function cursorOf(url: string, relation: string, random: Random): Promise<Subscriber> {
  const client = await SqlClient.connect(url);
  await client.query('BEGIN');
  await client.query(`DECLARE c CURSOR FOR SUBSCRIBE ${relation}`);
  const folded = new Folded(`cursor over ${relation}`);
  return {
    folded,
    relation,
    run: async (last) => {
      while (folded.marker < last) {
        const { rows } = await client.query(`FETCH ${random.pick([1, 2, 7, 30])} FROM c`);
        for (const row of rows) folded.take(row);
      }
    },
    close: () => client.close(),
  };
}

async function copyOf(url: string, relation: string): Promise<Subscriber> {
  const client = await RawClient.login(Number(new URL(url).port));
  client.send(serialize.query(`COPY (SUBSCRIBE ${relation}) TO STDOUT`));
  const folded = new Folded(`COPY of ${relation}`);
  return {
    folded,
    relation,
    run: async (last) => {
      while (folded.marker < last) {
        const message = await client.message();
        assert.ok(message !== null && 'Hd'.includes(message.letter), `${message?.letter}`);
        if (message.letter === 'd') folded.take(message.body.toString().trimEnd().split('\t'));
      }
    },
    close: async () => client.destroy(),
  };
}

class SubscribeRun {
  readonly #url: string;
  readonly #random: Random;
  readonly #client: SqlClient;
  /** What SELECT showed after each transaction, by relation. */
  readonly #shown = new Map<string, Map<number, readonly string[]>>();

  constructor(url: string, client: SqlClient, random: Random) {
    this.#url = url;
    this.#client = client;
    this.#random = random;
  }

  async run(): Promise<void> {
    await this.#client.query('CREATE TABLE t (k int, v int)');
    await this.#client.query(`INSERT INTO t VALUES (${MARKER}, 0), (1, 1), (1, 1), (2, 5)`);
    for (const [name, query] of RELATIONS) {
      this.#shown.set(name, new Map());
      if (query !== null) await this.#client.query(`CREATE MATERIALIZED VIEW ${name} AS ${query}`);
    }
    await this.#look(0);
    const subscribers: Subscriber[] = [];
    for (const [name] of RELATIONS) {
      subscribers.push(await cursorOf(this.#url, name, this.#random));
      subscribers.push(await copyOf(this.#url, name));
    }
    let isDone = false;
    const done = Promise.all(subscribers.map((subscriber) => subscriber.run(TRANSACTIONS)));
    const end = done.finally(() => {
      isDone = true;
    });
    // FETCH waits until it has as many rows as it asked for.
    for (let i = 1; i <= TRANSACTIONS || !isDone; i++) await this.#transaction(i);
    await end;
    for (const subscriber of subscribers) {
      this.#compare(subscriber);
      await subscriber.close();
    }
    await this.#client.query('DROP TABLE t CASCADE');
  }

  #compare({ folded, relation }: Subscriber): void {
    const shown = this.#shown.get(relation);
    assert.ok(folded.contents.size > 0, `${relation}: no step was seen`);
    for (const [marker, rows] of folded.contents) {
      assert.deepEqual(rows, shown?.get(marker), `${relation} after transaction ${marker}`);
    }
  }

  async #transaction(number: number): Promise<void> {
    await this.#client.query('BEGIN');
    for (let i = 0; i < this.#random.between(1, 3); i++) await this.#client.query(this.#change());
    await this.#client.query(`UPDATE t SET v = ${number} WHERE k = ${MARKER}`);
    await this.#client.query('COMMIT');
    await this.#look(number);
  }

  #change(): string {
    const random = this.#random;
    const key = random.below(KEYS);
    const rows = Array.from(
      { length: random.pick([1, 2, 5, 50]) },
      () => `(${random.below(KEYS)}, ${random.below(4)})`,
    );
    return random.pick([
      `INSERT INTO t VALUES ${rows.join(', ')}`,
      `INSERT INTO t SELECT k, v FROM t WHERE k = ${key} LIMIT 20`,
      `UPDATE t SET v = v + 1 WHERE k = ${key}`,
      `UPDATE t SET k = ${random.below(KEYS)} WHERE k = ${key} AND v < 2`,
      `DELETE FROM t WHERE k = ${key}`,
      `DELETE FROM t WHERE k >= 0 AND v > ${random.below(5)}`,
    ]);
  }

  async #look(number: number): Promise<void> {
    for (const [name] of RELATIONS) {
      const { rows } = await this.#client.query(`SELECT * FROM ${name}`);
      this.#shown.get(name)?.set(number, rows.map((row) => row.join('|')).sort());
    }
  }
}

async function runFor(options: ServerOptions): Promise<void> {
  const server = await ServerProcess.start(options);
  const client = await SqlClient.connect(server.url);
  try {
    await seededRuns((random) => new SubscribeRun(server.url, client, random).run(), SECONDS);
  } finally {
    await client.close();
    await server.dispose();
  }
}

test(`a subscription is its relation (seed ${SEED})`, () => runFor({ dataDir: ':memory:' }));

test(`the same with batches of 7, durable (seed ${SEED})`, () =>
  runFor({ tuning: { batchRowsMax: 7, checkpointIntervalMs: 200 } }));
