/**
 * Watermarks against a model (view-fuzz/lateness-model.ts): random rows and copies of rows, updates, deletes and TRUNCATE on a
 * table with a watermark, alone and in transactions; after each commit live and final windows, the counters of rule 24 and the
 * dead letters must be the model's, final results never change, and windows over sessions are those of the sessions' rows.
 * MILLRACE_TEST_SEED repeats a run, MILLRACE_TEST_FUZZ_SECONDS makes it longer.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Random } from '../base/random.ts';
import { type ServerOptions, ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';
import {
  FixedWindows,
  ModelTable,
  SessionWindows,
  type TimedRow,
  type WindowModel,
} from './view-fuzz/lateness-model.ts';
import { SEED, seededRuns } from './view-fuzz/seeded-runs.ts';

const STATEMENTS = 15;
const DELAY = 3;
const GAP = 4;
const ABOVE_SIZE = 10;
/** 2024-01-01: the model's second 0 for the database is this one, so that fixed windows are aligned to it. */
const BASE = "TIMESTAMP '2024-01-01'";

function secondOf(column: string): string {
  return `extract(epoch FROM ${column} - ${BASE})::int`;
}

/** A row's second; NULL where it has none. */
const AT = `CASE WHEN isfinite(ts) THEN ${secondOf('ts')} END`;
const WINDOW = `${secondOf('window_start')}, ${secondOf('window_end')}`;

function valuesOf({ key, value, time }: TimedRow): string {
  const noTime = value % 2 === 0 ? 'NULL::timestamp' : "'infinity'::timestamp";
  return `(${key}, ${value}, ${time === null ? noTime : `${BASE} + INTERVAL '${time} seconds'`})`;
}

interface ModelledView {
  readonly name: string;
  readonly from: string;
  readonly model: WindowModel;
}

function seconds(count: number): string {
  return `INTERVAL '${count} seconds'`;
}

const SESSIONS = `SESSION(e PARTITION BY k, ts, ${seconds(GAP)})`;

function modelledViews(sessions: SessionWindows): ModelledView[] {
  return [
    { name: 'tumble', from: `TUMBLE(e, ts, ${seconds(10)})`, model: new FixedWindows(10, 10) },
    {
      name: 'hop',
      from: `HOP(e, ts, ${seconds(3)}, ${seconds(10)})`,
      model: new FixedWindows(10, 3),
    },
    { name: 'session', from: SESSIONS, model: sessions },
  ];
}

/** Windows over sessions, live and of final sessions; `n` rows with the sum `total`. */
const ABOVE = `
  CREATE MATERIALIZED VIEW session_rows AS SELECT 1 AS n, v, window_time AS t FROM ${SESSIONS};
  CREATE MATERIALIZED VIEW session_groups AS SELECT count(*) AS n, sum(v) AS v, window_time AS t FROM ${SESSIONS}
    GROUP BY window_start, window_end, window_time, k EMIT ON WINDOW CLOSE;
  CREATE MATERIALIZED VIEW above_live AS SELECT window_start, window_end, sum(n) AS n, sum(v) AS total
    FROM TUMBLE(session_rows, t, ${seconds(ABOVE_SIZE)}) GROUP BY window_start, window_end;
  CREATE MATERIALIZED VIEW above_final AS SELECT window_start, window_end, sum(n) AS n, sum(v) AS total
    FROM TUMBLE(session_groups, t, ${seconds(ABOVE_SIZE)}) GROUP BY window_start, window_end;
  CREATE MATERIALIZED VIEW above_closed AS SELECT window_start, window_end, sum(n) AS n, sum(v) AS total
    FROM TUMBLE(session_rows, t, ${seconds(ABOVE_SIZE)}) GROUP BY window_start, window_end EMIT ON WINDOW CLOSE`;

/** A server with one connection to it. */
class Target {
  readonly #server: ServerProcess;
  readonly client: SqlClient;

  private constructor(server: ServerProcess, client: SqlClient) {
    this.#server = server;
    this.client = client;
  }

  static async start(options: ServerOptions): Promise<Target> {
    const server = await ServerProcess.start(options);
    return new Target(server, await SqlClient.connect(server.url));
  }

  async kill9(): Promise<void> {
    await this.#server.killAndRestart(this.client);
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
  readonly #sessions = new SessionWindows(GAP);
  readonly #views = modelledViews(this.#sessions);
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
    for (const sql of ABOVE.split(';')) await this.#send(sql);
    for (let i = 0; i < STATEMENTS; i++) {
      await this.#transaction();
      this.#table.endEpoch();
      if (this.#random.chance(this.#killChance)) await this.#target.kill9();
      for (const view of this.#views) await this.#check(view);
      await this.#checkAbove();
    }
  }

  async #send(sql: string): Promise<readonly (readonly (string | null)[])[]> {
    this.#statements.push(sql.trim());
    const { rows } = await this.#target.client.query(sql);
    return rows;
  }

  async #transaction(): Promise<void> {
    const random = this.#random;
    if (random.chance(0.1)) await this.#rolledBack();
    if (random.chance(0.6)) return this.#statement();
    await this.#send('BEGIN');
    for (let i = 0; i < random.between(2, 5); i++) await this.#statement();
    await this.#send('COMMIT');
  }

  /** Leaves no trace. */
  async #rolledBack(): Promise<void> {
    await this.#send('BEGIN');
    await this.#send(`INSERT INTO e VALUES ${this.#newRows().map(valuesOf).join(', ')}`);
    await this.#send('DELETE FROM e WHERE k = 1');
    await this.#send('ROLLBACK');
  }

  async #statement(): Promise<void> {
    const random = this.#random;
    const { rows } = this.#table;
    if (rows.length === 0 || random.chance(0.5)) return this.#insert();
    if (random.chance(0.03)) {
      this.#table.change([...rows], []);
      await this.#send('TRUNCATE e');
      return;
    }
    return this.#change();
  }

  /** DELETE or UPDATE of a row with its copies, or of a key. */
  async #change(): Promise<void> {
    const random = this.#random;
    const { rows } = this.#table;
    const { key, value } = random.pick(rows);
    const isKey = random.chance(0.4);
    const where = isKey ? `k = ${key}` : `v = ${value}`;
    const picked = rows.filter((row) => (isKey ? row.key === key : row.value === value));
    if (random.chance(0.4)) {
      this.#table.change(picked, []);
      await this.#send(`DELETE FROM e WHERE ${where}`);
      return;
    }
    const added = ++this.#lastValue;
    const shift = random.chance(0.3) ? random.between(-3, 3) : 0;
    const set = `v = v + ${added}, ts = ts + INTERVAL '${shift} seconds'`;
    const returned = await this.#send(`UPDATE e SET ${set} WHERE ${where} RETURNING k, v, ${AT}`);
    const come = returned.map(
      ([k, v, at]): TimedRow => ({
        key: Number(k),
        value: Number(v),
        time: at === null ? null : Number(at),
      }),
    );
    this.#table.change(picked, come);
  }

  /** Rows around the watermark, some the same as others or as rows of the table. */
  #newRows(): TimedRow[] {
    const random = this.#random;
    const from = Math.max(0, this.#table.watermark);
    const rows: TimedRow[] = [];
    const count = random.pick([1, 1, 2, 4, 7]);
    while (rows.length < count) {
      const known = [...rows, ...this.#table.rows];
      if (known.length > 0 && random.chance(0.15)) {
        rows.push({ ...random.pick(known) });
        continue;
      }
      const time = random.chance(0.1) ? null : Math.max(0, from + random.between(-12, 9));
      rows.push({ key: random.below(3), value: ++this.#lastValue, time });
    }
    return rows;
  }

  async #insert(): Promise<void> {
    const rows = this.#newRows();
    const values = `VALUES ${rows.map(valuesOf).join(', ')}`;
    if (this.#random.chance(0.3)) {
      this.#table.insertTogether(rows);
      await this.#send(`INSERT INTO e SELECT * FROM (${values}) AS given`);
    } else {
      this.#table.insert(rows);
      await this.#send(`INSERT INTO e ${values}`);
    }
  }

  async #checkAbove(): Promise<void> {
    const live = await this.#windowsOf('above_live');
    const closed = await this.#windowsOf('above_closed');
    this.#keepsFinal('above_closed', closed);
    const names = ['above_live', 'above_final', 'above_closed'];
    const { rows } = await this.#target.client.query(
      `SELECT sum(late), sum(rows_in - used - late - null_time)
       FROM millrace.jobs WHERE name IN (${names.map((name) => `'${name}'`).join()})`,
    );
    const [late, rest] = rows[0]!;
    this.#same('rows of windows over sessions not accounted for', [rest ?? null], ['0']);
    if (this.#sessions.hasGrownBack) return;
    this.#same('late rows of windows over sessions', [late ?? null], ['0']);
    this.#same('above_live', live, this.#sessions.tumbled(ABOVE_SIZE, false));
    const final = this.#sessions.tumbled(ABOVE_SIZE, true);
    this.#same('above_final', await this.#windowsOf('above_final'), final);
    this.#same(
      'above_closed in above_live',
      closed,
      closed.filter((line) => live.includes(line)),
    );
  }

  async #check({ name, model }: ModelledView): Promise<void> {
    this.#same(`${name}_live`, await this.#rowsOf(`${name}_live`), model.current());
    const final = await this.#rowsOf(`${name}_final`);
    this.#same(`${name}_final`, final, model.final());
    this.#keepsFinal(name, final);
    for (const view of [`${name}_live`, `${name}_final`]) await this.#checkCounters(view, model);
  }

  #keepsFinal(name: string, final: readonly string[]): void {
    const before = this.#finals.get(name) ?? [];
    this.#same(
      'what was final before',
      before.filter((line) => final.includes(line)),
      before,
    );
    this.#finals.set(name, final);
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

  #rowsOf(view: string): Promise<string[]> {
    return this.#lines(`SELECT k, ${WINDOW}, n, total FROM ${view}`);
  }

  #windowsOf(view: string): Promise<string[]> {
    return this.#lines(`SELECT ${WINDOW}, n, total FROM ${view}`);
  }

  async #lines(query: string): Promise<string[]> {
    const { rows } = await this.#target.client.query(query);
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
    await seededRuns(async (random) => {
      await new LatenessRun(target, random, killChance).run();
      await target.client.query('DROP TABLE e CASCADE');
    });
  } finally {
    await target.dispose();
  }
}

const IN_MEMORY = { dataDir: ':memory:' };

test(`watermarks and late rows are the model's (seed ${SEED})`, () => runFor(IN_MEMORY));

test(`the same with batches of 1 (seed ${SEED})`, () =>
  runFor({ ...IN_MEMORY, tuning: { batchRowsMax: 1 } }));

test(`the same with kill -9 in the middle (seed ${SEED})`, () => runFor({}, 0.1));
