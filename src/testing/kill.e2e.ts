/**
 * Kill tests: a server is killed with SIGKILL at random moments (while it writes, copies, runs DDL, makes checkpoints, recovers)
 * and must come back with everything that it had acknowledged and nothing that it refused. A model in this process says what
 * that is; what was under way at the kill may be there or not, but whole. MILLRACE_TEST_KILLS sets how many (30),
 * MILLRACE_TEST_SEED repeats a run.
 */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Random, systemRandom } from '../base/random.ts';
import { ServerProcess } from './server-process.ts';
import { SqlClient, serverError } from './sql-client.ts';

const KILLS = Number(process.env.MILLRACE_TEST_KILLS ?? 30);
const SEED = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());
const WRITERS = 2;
const LIFE_MS_MAX = 700;
const IDS_PER_WRITER = 100_000;

interface Row {
  readonly g: number;
  readonly v: number;
}

/** The rows of one writer by id. */
type Rows = Map<number, Row>;

/** Something a writer asks for: how to send it, and the rows afterwards. */
interface Work {
  readonly what: string;
  readonly run: (client: SqlClient) => Promise<unknown>;
  readonly apply: (rows: Rows) => void;
}

const SETUP = [
  'CREATE TABLE t (id int PRIMARY KEY, w int NOT NULL, g int, v int)',
  'CREATE TABLE names (g int PRIMARY KEY, name text)',
  `INSERT INTO names SELECT g, 'group number ' || g || ' with a long name' FROM generate_series(0, 9) g`,
  `CREATE SOURCE gen (id bigint) WITH (connector = 'datagen', rows.per.second = 20000, seed = 7,
    fields.id.kind = 'sequence', fields.id.start = 1)`,
  'CREATE MATERIALIZED VIEW generated AS SELECT count(*) AS c, max(id) AS hi, sum(id) AS s FROM gen',
];

/** Views that must equal their queries after every recovery. */
const VIEWS: Readonly<Record<string, string>> = {
  v_group: 'SELECT g, count(*) AS c, sum(v) AS s, min(v) AS lo, max(v) AS hi FROM t GROUP BY g',
  v_join: 'SELECT t.id, names.name FROM t LEFT JOIN names ON t.g = names.g',
  v_top: 'SELECT id, v FROM t ORDER BY v DESC, id LIMIT 7',
  v_distinct: 'SELECT DISTINCT v % 13 AS m FROM t',
};

/** One writer: what it has been told is there, and what it asked for last without an answer. */
class Writer {
  readonly number: number;
  readonly #random: Random;
  rows: Rows = new Map();
  pending: Work | null = null;
  #nextId: number;
  #views = 0;

  constructor(number: number, random: Random) {
    this.number = number;
    this.#random = random;
    this.#nextId = number * IDS_PER_WRITER + 1;
  }

  /** Works until the server is gone; any other failure throws. */
  async work(url: string): Promise<void> {
    let client: SqlClient;
    try {
      client = await SqlClient.connect(url);
    } catch {
      return;
    }
    for (;;) {
      const work = this.#choose();
      this.pending = work;
      try {
        await work.run(client);
      } catch (error) {
        const known = serverError(error);
        if (known === null || known.code.startsWith('57P')) return;
        throw new Error(`${work.what}: ${known.code} ${known.message}`);
      }
      work.apply(this.rows);
      this.pending = null;
    }
  }

  /** What the server holds must be what is known, with or without what was under way. */
  settle(found: Rows): void {
    const without = picture(this.rows);
    const actual = picture(found);
    const attempted = this.pending;
    if (attempted !== null) {
      const after = new Map(this.rows);
      attempted.apply(after);
      if (actual === picture(after)) this.rows = after;
    }
    assert.equal(
      actual,
      picture(this.rows),
      `writer ${this.number} lost or gained rows (under way: ${attempted?.what ?? 'nothing'}; known: ${without.length} bytes)`,
    );
    this.pending = null;
    // Ids of a lost insert are not used again: a reader may not tell the two apart.
    for (const id of found.keys()) this.#nextId = Math.max(this.#nextId, id + 1);
  }

  #choose(): Work {
    const choice = this.#random.below(100);
    if (choice < 35) return this.#insert(1 + this.#random.below(20));
    if (choice < 50) return this.#update();
    if (choice < 65) return this.#delete();
    if (choice < 80) return this.#transaction();
    if (choice < 90) return this.#copy(200 + this.#random.below(800));
    return this.#ddl();
  }

  #fresh(count: number): [number, Row][] {
    return Array.from({ length: count }, () => [
      this.#nextId++,
      { g: this.#random.below(12), v: this.#random.below(1000) },
    ]);
  }

  #insert(count: number): Work {
    const rows = this.#fresh(count);
    const values = rows.map(([id, { g, v }]) => `(${id}, ${this.number}, ${g}, ${v})`).join(', ');
    return {
      what: `insert of ${count}`,
      run: (client) => client.query(`INSERT INTO t VALUES ${values}`),
      apply: (into) => rows.forEach(([id, row]) => void into.set(id, row)),
    };
  }

  #copy(count: number): Work {
    const rows = this.#fresh(count);
    const text = rows.map(([id, { g, v }]) => `${id}\t${this.number}\t${g}\t${v}\n`).join('');
    return {
      what: `copy of ${count}`,
      run: (client) => client.copyIn('COPY t FROM STDIN', text),
      apply: (into) => rows.forEach(([id, row]) => void into.set(id, row)),
    };
  }

  #update(): Work {
    const [divisor, rest] = [3 + this.#random.below(5), this.#random.below(3)];
    const g = this.#random.below(12);
    return {
      what: 'update',
      run: (client) =>
        client.query(
          `UPDATE t SET v = v + 1, g = ${g} WHERE w = ${this.number} AND id % ${divisor} = ${rest}`,
        ),
      apply: (into) => {
        for (const [id, { v }] of [...into])
          if (id % divisor === rest) into.set(id, { g, v: v + 1 });
      },
    };
  }

  #delete(): Work {
    const [divisor, rest] = [2 + this.#random.below(4), this.#random.below(2)];
    return {
      what: 'delete',
      run: (client) =>
        client.query(`DELETE FROM t WHERE w = ${this.number} AND id % ${divisor} = ${rest}`),
      apply: (into) => {
        for (const id of [...into.keys()]) if (id % divisor === rest) into.delete(id);
      },
    };
  }

  #transaction(): Work {
    const parts = [this.#insert(5), this.#update(), this.#delete(), this.#insert(1)];
    const isCommitted = this.#random.chance(0.8);
    return {
      what: isCommitted ? 'transaction' : 'transaction rolled back',
      run: async (client) => {
        await client.query('BEGIN');
        for (const part of parts) await part.run(client);
        await client.query(isCommitted ? 'COMMIT' : 'ROLLBACK');
      },
      apply: (into) => {
        if (isCommitted) for (const part of parts) part.apply(into);
      },
    };
  }

  #ddl(): Work {
    const name = `extra_${this.number}_${this.#views++ % 3}`;
    return {
      what: `ddl of ${name}`,
      run: async (client) => {
        await client.query(`DROP MATERIALIZED VIEW IF EXISTS ${name}`);
        await client.query(
          `CREATE MATERIALIZED VIEW ${name} AS SELECT w, count(*) AS c FROM t WHERE w = ${this.number} GROUP BY w`,
        );
      },
      apply: () => undefined,
    };
  }
}

function picture(rows: Rows): string {
  return [...rows]
    .sort(([a], [b]) => a - b)
    .map(([id, { g, v }]) => `${id}:${g}:${v}`)
    .join(' ');
}

function linesOf(rows: readonly (readonly (string | null)[])[]): string {
  return rows
    .map((row) => row.join('|'))
    .sort()
    .join('\n');
}

async function checkViews(client: SqlClient): Promise<void> {
  const extra = await client.query(
    `SELECT matviewname, definition FROM pg_matviews WHERE matviewname LIKE 'extra%'`,
  );
  const all = [
    ...Object.entries(VIEWS),
    ...extra.rows.map(([name, query]): [string, string] => [name!, query!.replace(/;\s*$/, '')]),
  ];
  for (const [name, query] of all) {
    const kept = linesOf((await client.query(`SELECT * FROM ${name}`)).rows);
    const direct = linesOf((await client.query(query)).rows);
    assert.equal(kept, direct, `view ${name} is not its query`);
  }
}

/** Each generated row once: their number, the greatest and the sum agree. Never fewer than were seen before. */
async function checkGenerated(client: SqlClient, seenBefore: bigint): Promise<bigint> {
  const { rows } = await client.query('SELECT c, coalesce(hi, 0), coalesce(s, 0) FROM generated');
  const [count, greatest, sum] = rows[0]!.map((value) => BigInt(value!)) as [
    bigint,
    bigint,
    bigint,
  ];
  assert.equal(count, greatest, 'generated rows were lost or doubled');
  assert.equal(sum, (count * (count + 1n)) / 2n, 'generated rows were lost or doubled');
  assert.ok(count >= seenBefore, `versions went back: ${count} rows after ${seenBefore}`);
  return count;
}

async function checkAll(url: string, writers: readonly Writer[], seen: bigint): Promise<bigint> {
  const client = await SqlClient.connect(url);
  try {
    for (const writer of writers) {
      const { rows } = await client.query(`SELECT id, g, v FROM t WHERE w = ${writer.number}`);
      writer.settle(
        new Map(rows.map(([id, g, v]) => [Number(id), { g: Number(g), v: Number(v) }])),
      );
    }
    await checkViews(client);
    return await checkGenerated(client, seen);
  } finally {
    await client.close();
  }
}

/** Brings the server back, killing it on the way now and then. */
async function recover(server: ServerProcess, random: Random): Promise<void> {
  while (random.chance(0.25)) {
    server.spawn();
    await new Promise((resolve) => setTimeout(resolve, random.below(900)));
    await server.kill();
  }
  await server.restart();
}

test(`${KILLS} kills, MILLRACE_TEST_SEED=${SEED}`, {
  timeout: KILLS * 20_000 + 60_000,
}, async (t) => {
  t.diagnostic(`seed ${SEED}`);
  const random = new Random(SEED);
  const server = await ServerProcess.start({
    tuning: { checkpointIntervalMs: 150 },
    args: ['--log-level', 'warn'],
  });
  after(() => server.dispose());
  const first = await SqlClient.connect(server.url);
  for (const sql of SETUP) await first.query(sql);
  for (const [name, query] of Object.entries(VIEWS)) {
    await first.query(`CREATE MATERIALIZED VIEW ${name} AS ${query}`);
  }
  await first.close();
  const writers = Array.from(
    { length: WRITERS },
    (_, i) => new Writer(i, new Random(SEED + i + 1)),
  );
  let seen = 0n;
  for (let kill = 1; kill <= KILLS; kill++) {
    const work = Promise.all(writers.map((writer) => writer.work(server.url)));
    await Promise.race([
      work,
      new Promise((resolve) => setTimeout(resolve, 20 + random.below(LIFE_MS_MAX))),
    ]);
    await server.kill();
    await work;
    await recover(server, random);
    try {
      seen = await checkAll(server.url, writers, seen);
    } catch (error) {
      const message = `kill ${kill} of seed ${SEED}: ${(error as Error).message}\n${server.log}`;
      throw new Error(message, { cause: error });
    }
  }
});
