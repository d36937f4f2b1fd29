/**
 * Transactions in conflict against PostgreSQL: connections at the same time insert (with and without ON CONFLICT), update,
 * delete and truncate in explicit transactions, with few keys, the same ones again within a statement and a transaction.
 * Each transaction is repeated on PGlite as soon as it has ended, in the order of the ends (tables are locked until then): its
 * rows and errors must be the same, but for conflicts. Then tables and views must be equal, also after kill -9.
 * MILLRACE_TEST_SEED repeats the statements, MILLRACE_TEST_FUZZ_SECONDS makes a run longer.
 */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Random } from '../base/random.ts';
import { closeOracle, type Oracle, oracle } from './oracle.ts';
import { type ServerOptions, ServerProcess } from './server-process.ts';
import { SqlClient, serverError } from './sql-client.ts';
import { SEED, seededRuns } from './view-fuzz/seeded-runs.ts';

const CONNECTIONS = 3;
const TRANSACTIONS_A_ROUND = 12;
const KEYS = 5;
/** Errors that only concurrent transactions meet. */
const CONFLICTS = new Set(['40001', '40P01', '55P03']);

interface TableShape {
  readonly name: string;
  readonly columns: string;
  /** Conflict targets. */
  readonly keys: readonly string[];
  /** Only Millrace's. */
  readonly watermark: string;
}

const TABLES: readonly TableShape[] = [
  { name: 'one', columns: 'a int PRIMARY KEY, b int, c text', keys: ['a'], watermark: '' },
  {
    name: 'two',
    columns: 'a int PRIMARY KEY, b int UNIQUE, c text',
    keys: ['a', 'b'],
    watermark: '',
  },
  { name: 'pair', columns: 'a int, b int, c text, UNIQUE (a, b)', keys: ['a, b'], watermark: '' },
  { name: 'bag', columns: 'a int, b int, c text', keys: [], watermark: '' },
  {
    name: 'timed',
    columns: 'a int PRIMARY KEY, b int, c text, ts timestamp GENERATED ALWAYS AS (TO) STORED',
    keys: ['a'],
    watermark: ', WATERMARK FOR ts AS ts',
  },
];
/** An immutable expression of a time. */
const TIME = "TIMESTAMP '2024-01-01' + b * INTERVAL '1 second'";

const VIEWS: readonly (readonly [name: string, query: string])[] = [
  ...TABLES.map(
    ({ name }) =>
      [`all_${name}`, `SELECT b, count(*) AS n, sum(a) AS s FROM ${name} GROUP BY b`] as const,
  ),
  ['joined', 'SELECT one.a, one.c, two.c AS d FROM one LEFT JOIN two ON one.a = two.a'],
  ['above', 'SELECT count(*) AS n, max(d) AS d FROM joined'],
];

type Rows = readonly (readonly (string | null)[])[];

interface Ended {
  readonly statements: readonly string[];
  /** RETURNING's rows of each statement that succeeded, sorted. */
  readonly results: readonly (readonly string[])[];
  /** SQLSTATE of the statement behind them, or of COMMIT; null: it committed. */
  readonly error: string | null;
  readonly isRolledBack: boolean;
}

function sorted(rows: Rows): string[] {
  return rows.map((row) => row.map((value) => value ?? 'NULL').join('|')).sort();
}

/** Random statements over the tables. */
class Statements {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  transaction(): { readonly begin: string; readonly statements: readonly string[]; end: string } {
    const random = this.#random;
    const level = random.chance(0.3)
      ? ` ISOLATION LEVEL ${random.pick(['REPEATABLE READ', 'SERIALIZABLE'])}`
      : '';
    const statements = Array.from({ length: random.pick([1, 2, 3, 5]) }, () =>
      this.#statement(random.pick(TABLES)),
    );
    return { begin: `BEGIN${level}`, statements, end: random.chance(0.2) ? 'ROLLBACK' : 'COMMIT' };
  }

  #statement(table: TableShape): string {
    const random = this.#random;
    const kind = random.below(100);
    if (kind < 55) return this.#insert(table);
    if (kind < 75) return this.#update(table);
    if (kind < 97) return `DELETE FROM ${table.name} WHERE ${this.#where()} RETURNING *`;
    return `TRUNCATE ${table.name}`;
  }

  #where(): string {
    const random = this.#random;
    return random.chance(0.7) ? `a = ${random.below(KEYS)}` : `b >= ${random.below(KEYS)}`;
  }

  #insert(table: TableShape): string {
    const random = this.#random;
    const rows = Array.from({ length: random.pick([1, 1, 2, 4]) }, () => {
      const b = random.chance(0.15) ? 'NULL' : random.below(KEYS);
      return `(${random.below(KEYS)}, ${b}, '${random.pick(['x', 'y', 'z'.repeat(40)])}')`;
    });
    const source = random.chance(0.2)
      ? `SELECT (a + 1) % ${KEYS}, b, c FROM ${table.name} WHERE ${this.#where()}`
      : `VALUES ${rows.join(', ')}`;
    return `INSERT INTO ${table.name} (a, b, c) ${source}${this.#onConflict(table)} RETURNING *`;
  }

  #onConflict({ name, keys }: TableShape): string {
    const random = this.#random;
    if (keys.length === 0 || random.chance(0.2)) return '';
    if (random.chance(0.3)) return ' ON CONFLICT DO NOTHING';
    const target = random.pick(keys);
    if (random.chance(0.2)) return ` ON CONFLICT (${target}) DO NOTHING`;
    const set = random.pick([
      'c = excluded.c',
      `c = ${name}.c || 'u'`,
      'b = excluded.b',
      `b = ${random.below(KEYS)}, c = 'w'`,
      `a = ${random.below(KEYS)}`,
    ]);
    const where = random.chance(0.3) ? ` WHERE ${name}.b > ${random.below(KEYS)}` : '';
    return ` ON CONFLICT (${target}) DO UPDATE SET ${set}${where}`;
  }

  /** Keys change only for one row at a time: PostgreSQL checks them row by row. */
  #update({ name }: TableShape): string {
    const random = this.#random;
    const key = random.below(KEYS);
    const [set, where] = random.pick([
      ["c = c || 'v'", this.#where()],
      [`b = ${random.below(KEYS)}`, `a = ${key}`],
      [`a = ${random.below(KEYS)}`, `a = ${key}`],
    ] as const);
    return `UPDATE ${name} SET ${set} WHERE ${where} RETURNING *`;
  }
}

class ConflictRun {
  readonly #server: ServerProcess;
  readonly #reference: Oracle;
  readonly #random: Random;
  readonly #script: string[] = [];
  #clients: SqlClient[] = [];
  #checked: Promise<void> = Promise.resolve();
  #conflictCount = 0;

  constructor(server: ServerProcess, reference: Oracle, random: Random) {
    this.#server = server;
    this.#reference = reference;
    this.#random = random;
  }

  get conflictCount(): number {
    return this.#conflictCount;
  }

  async run(): Promise<void> {
    await this.#connect();
    try {
      await this.#define();
      for (let round = 0; round < 4; round++) {
        await Promise.all(this.#clients.map((client, index) => this.#work(client, index)));
        await this.#checked;
        await this.#compare();
        if (this.#server.dataDir === ':memory:' || !this.#random.chance(0.3)) continue;
        await this.#server.kill();
        await this.#close();
        await this.#server.restart();
        await this.#connect();
        await this.#compare();
      }
      await this.#drop();
    } finally {
      await this.#close();
    }
  }

  async #connect(): Promise<void> {
    const { url } = this.#server;
    this.#clients = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => SqlClient.connect(url)),
    );
    for (const client of this.#clients) await client.query("SET lock_timeout = '300ms'");
  }

  async #close(): Promise<void> {
    for (const client of this.#clients) await client.close();
  }

  async #define(): Promise<void> {
    const [client] = this.#clients;
    for (const { name, columns, watermark } of TABLES) {
      const list = columns.replace('TO', TIME);
      await client!.query(`CREATE TABLE ${name} (${list}${watermark})`);
      await this.#reference.exec(`CREATE TABLE ${name} (${list})`);
    }
    for (const [name, query] of VIEWS) {
      await client!.query(`CREATE MATERIALIZED VIEW ${name} AS ${query}`);
      await this.#reference.exec(`CREATE VIEW ${name} AS ${query}`);
    }
  }

  async #drop(): Promise<void> {
    for (const { name } of TABLES) {
      await this.#clients[0]!.query(`DROP TABLE ${name} CASCADE`);
      await this.#reference.exec(`DROP TABLE ${name} CASCADE`);
    }
  }

  async #work(client: SqlClient, index: number): Promise<void> {
    const statements = new Statements(new Random(this.#random.u32()));
    for (let i = 0; i < TRANSACTIONS_A_ROUND; i++) {
      const ended = await this.#transaction(client, statements.transaction(), index);
      if (ended.error !== null) await client.query('ROLLBACK');
    }
  }

  /** Its place among the transactions: where it was committed, or failed (others may end before it is rolled back). */
  #note(ended: Ended, index: number): Ended {
    this.#script.push(`-- connection ${index}: ${ended.error ?? 'ok'}`, ...ended.statements);
    this.#checked = this.#checked.then(() => this.#repeat(ended));
    return ended;
  }

  async #transaction(
    client: SqlClient,
    { begin, statements, end }: ReturnType<Statements['transaction']>,
    index: number,
  ): Promise<Ended> {
    const results: string[][] = [];
    await client.query(begin);
    try {
      for (const sql of statements) results.push(sorted((await client.query(sql)).rows));
      await client.query(end);
      return this.#note(
        { statements, results, error: null, isRolledBack: end === 'ROLLBACK' },
        index,
      );
    } catch (error) {
      const code = serverError(error)?.code;
      if (code === undefined) throw error;
      if (CONFLICTS.has(code)) this.#conflictCount++;
      return this.#note({ statements, results, error: code, isRolledBack: true }, index);
    }
  }

  /** The transaction on PostgreSQL: what it had done up to its end or error. */
  async #repeat({ statements, results, error, isRolledBack }: Ended): Promise<void> {
    await this.#reference.exec('BEGIN');
    for (const [i, sql] of statements.slice(0, results.length).entries()) {
      const { rows } = await this.#reference.query(sql).catch((cause: unknown) => {
        throw new Error(`PostgreSQL refuses ${sql}: ${String(cause)}\n${this.#text()}`);
      });
      assert.deepEqual(results[i], sorted(rows), `${sql}\n${this.#text()}`);
    }
    const failing = statements[results.length];
    if (error !== null && !CONFLICTS.has(error) && failing !== undefined) {
      const code = await this.#reference.query(failing).then(
        () => 'none',
        (cause: { code?: string }) => cause.code,
      );
      assert.equal(error, code, `${failing}\n${this.#text()}`);
    }
    await this.#reference.exec(isRolledBack ? 'ROLLBACK' : 'COMMIT');
  }

  async #compare(): Promise<void> {
    for (const name of [...TABLES.map((table) => table.name), ...VIEWS.map(([view]) => view)]) {
      const sql = `SELECT * FROM ${name}`;
      const ours = sorted((await this.#clients[0]!.query(sql)).rows);
      const theirs = sorted((await this.#reference.query(sql)).rows);
      assert.deepEqual(ours, theirs, `${name}\n${this.#text()}`);
    }
  }

  #text(): string {
    return this.#script.join(';\n');
  }
}

async function runFor(options: ServerOptions): Promise<void> {
  const server = await ServerProcess.start(options);
  try {
    let conflictCount = 0;
    await seededRuns(async (random) => {
      const run = new ConflictRun(server, await oracle(), random);
      await run.run();
      conflictCount += run.conflictCount;
    });
    assert.ok(conflictCount > 0, 'no transactions were in conflict');
  } finally {
    await closeOracle();
    await server.dispose();
  }
}

after(() => closeOracle());

test(`transactions in conflict are PostgreSQL's (seed ${SEED})`, () =>
  runFor({ dataDir: ':memory:' }));

test(`the same with batches of 1 (seed ${SEED})`, () =>
  runFor({ dataDir: ':memory:', tuning: { batchRowsMax: 1 } }));

test(`the same with kill -9 in between (seed ${SEED})`, () => runFor({}));
