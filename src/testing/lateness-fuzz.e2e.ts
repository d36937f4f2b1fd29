/**
 * Watermarks against a model (view-fuzz/lateness-model.ts): random rows, updates and deletes on a table with a watermark; after
 * each statement live and final windows, the counters of rule 24 and the dead letters must be the model's, and final results
 * never change. MILLRACE_TEST_SEED repeats a run, MILLRACE_TEST_FUZZ_SECONDS makes it longer.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random, systemRandom } from '../base/random.ts';
import { type ServerOptions, ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';
import {
  FixedWindows,
  ModelTable,
  SessionWindows,
  type TimedRow,
  type WindowModel,
} from './view-fuzz/lateness-model.ts';

const SEED = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());
const SECONDS = Number(process.env.MILLRACE_TEST_FUZZ_SECONDS ?? 4);
const STATEMENTS = 15;
const DELAY = 3;
/** 2024-01-01: the model's second 0 for the database is this one, so that fixed windows are aligned to it. */
const BASE = "TIMESTAMP '2024-01-01'";

interface ModelledView {
  readonly name: string;
  readonly from: string;
  readonly model: WindowModel;
}

function modelledViews(): ModelledView[] {
  const seconds = (count: number): string => `INTERVAL '${count} seconds'`;
  return [
    { name: 'tumble', from: `TUMBLE(e, ts, ${seconds(10)})`, model: new FixedWindows(10, 10) },
    {
      name: 'hop',
      from: `HOP(e, ts, ${seconds(3)}, ${seconds(10)})`,
      model: new FixedWindows(10, 3),
    },
    {
      name: 'session',
      from: `SESSION(e PARTITION BY k, ts, ${seconds(4)})`,
      model: new SessionWindows(4),
    },
  ];
}

/** A server with one connection to it. */
class Target {
  readonly #server: ServerProcess;
  client: SqlClient;

  private constructor(server: ServerProcess, client: SqlClient) {
    this.#server = server;
    this.client = client;
  }

  static async start(options: ServerOptions): Promise<Target> {
    const server = await ServerProcess.start(options);
    return new Target(server, await SqlClient.connect(server.url));
  }

  async kill9(): Promise<void> {
    await this.#server.kill();
    await this.client.close();
    await this.#server.restart();
    this.client = await SqlClient.connect(this.#server.url);
  }

  async dispose(): Promise<void> {
    await this.client.close();
    await this.#server.dispose();
  }
}

class LatenessRun {
  readonly #target: Target;
  readonly #killChance: number;
  readonly #random: Random;
  readonly #views = modelledViews();
  readonly #table = new ModelTable(
    this.#views.map(({ model }) => model),
    DELAY,
  );
  readonly #statements: string[] = [];
  readonly #finals = new Map<string, readonly string[]>();
  #lastValue = 0;

  constructor(target: Target, random: Random, killChance: number) {
    this.#target = target;
    this.#random = random;
    this.#killChance = killChance;
  }

  async run(): Promise<void> {
    await this.#send(
      `CREATE TABLE e (k int, v int, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '${DELAY} seconds')`,
    );
    for (const { name, from } of this.#views) {
      const query = `SELECT k, window_start, window_end, count(*) AS n, sum(v) AS total FROM ${from}
        GROUP BY window_start, window_end, k`;
      await this.#send(`CREATE MATERIALIZED VIEW ${name}_live AS ${query}`);
      await this.#send(`CREATE MATERIALIZED VIEW ${name}_final AS ${query} EMIT ON WINDOW CLOSE`);
    }
    for (let i = 0; i < STATEMENTS; i++) {
      await this.#transaction();
      if (this.#random.chance(this.#killChance)) await this.#target.kill9();
      for (const view of this.#views) await this.#check(view);
    }
  }

  async #send(sql: string): Promise<void> {
    this.#statements.push(sql);
    await this.#target.client.query(sql);
  }

  /** One statement, or several INSERTs in one transaction, which are judged row by row too. */
  async #transaction(): Promise<void> {
    if (this.#random.chance(0.7)) return this.#statement();
    await this.#send('BEGIN');
    for (let i = 0; i < this.#random.between(2, 3); i++) await this.#insert();
    await this.#send('COMMIT');
  }

  async #statement(): Promise<void> {
    const random = this.#random;
    const { rows } = this.#table;
    if (rows.length === 0 || random.chance(0.6)) return this.#insert();
    const { value } = random.pick(rows);
    if (random.chance(0.5)) {
      this.#table.change((row) => row.value === value, null);
      return this.#send(`DELETE FROM e WHERE v = ${value}`);
    }
    const next = ++this.#lastValue;
    this.#table.change(
      (row) => row.value === value,
      (row) => ({ ...row, value: next }),
    );
    return this.#send(`UPDATE e SET v = ${next} WHERE v = ${value}`);
  }

  async #insert(): Promise<void> {
    const random = this.#random;
    const from = Math.max(0, this.#table.watermark);
    const rows = Array.from({ length: random.pick([1, 1, 2, 4, 7]) }, (): TimedRow => {
      const time = random.chance(0.1) ? null : Math.max(0, from + random.between(-12, 9));
      return { key: random.below(3), value: ++this.#lastValue, time };
    });
    this.#table.insert(rows);
    const values = rows.map(({ key, value, time }) => {
      const noTime = random.pick(['NULL', "'infinity'"]);
      const at = time === null ? noTime : `${BASE} + INTERVAL '${time} seconds'`;
      return `(${key}, ${value}, ${at})`;
    });
    return this.#send(`INSERT INTO e VALUES ${values.join(', ')}`);
  }

  async #check({ name, model }: ModelledView): Promise<void> {
    this.#same(`${name}_live`, await this.#rowsOf(`${name}_live`), model.current());
    const final = await this.#rowsOf(`${name}_final`);
    this.#same(`${name}_final`, final, model.final());
    const before = this.#finals.get(name) ?? [];
    this.#same(
      'what was final before',
      before.filter((line) => final.includes(line)),
      before,
    );
    this.#finals.set(name, final);
    for (const view of [`${name}_live`, `${name}_final`]) await this.#checkCounters(view, model);
  }

  async #checkCounters(view: string, { counters }: WindowModel): Promise<void> {
    const { rows } = await this.#target.client.query(
      `SELECT rows_in, used, late, null_time, withheld FROM millrace.jobs WHERE name = '${view}'`,
    );
    const { rowsIn, used, late, nullTime } = counters;
    this.#same(`counters of ${view}`, rows[0]!, [rowsIn, used, late, nullTime, 0].map(String));
    const letters = await this.#target.client.query(
      `SELECT coalesce(sum(weight) FILTER (WHERE kind = 'late'), 0),
         coalesce(sum(weight) FILTER (WHERE kind = 'null_time'), 0)
       FROM millrace.dead_letters WHERE view = '${view}'`,
    );
    this.#same(`dead letters of ${view}`, letters.rows[0]!, [late, nullTime].map(String));
  }

  async #rowsOf(view: string): Promise<string[]> {
    const second = (column: string): string => `extract(epoch FROM ${column} - ${BASE})::int`;
    const { rows } = await this.#target.client.query(
      `SELECT k, ${second('window_start')}, ${second('window_end')}, n, total FROM ${view}`,
    );
    return rows.map((row) => row.join('|')).sort();
  }

  #same(what: string, got: readonly (string | null)[], expected: readonly (string | null)[]): void {
    const script = this.#statements.map((sql) => `${sql};`).join('\n');
    assert.deepEqual(got, expected, `${what}: got ${got}, expected ${expected}\n${script}`);
  }
}

async function runFor(options: ServerOptions, killChance = 0): Promise<void> {
  const target = await Target.start(options);
  try {
    const deadline = performance.now() + SECONDS * 1000;
    for (let seed = SEED; performance.now() < deadline; seed++) {
      try {
        await new LatenessRun(target, new Random(seed), killChance).run();
      } catch (error) {
        throw new Error(`MILLRACE_TEST_SEED=${seed}: ${(error as Error).message}`, {
          cause: error,
        });
      }
      await target.client.query('DROP TABLE e CASCADE');
    }
  } finally {
    await target.dispose();
  }
}

const IN_MEMORY = { dataDir: ':memory:' };

test(`watermarks and late rows are the model's (seed ${SEED})`, () => runFor(IN_MEMORY));

test(`the same with batches of 1 (seed ${SEED})`, () =>
  runFor({ ...IN_MEMORY, tuning: { batchRowsMax: 1 } }));

test(`the same with kill -9 in the middle (seed ${SEED})`, () => runFor({}, 0.1));
