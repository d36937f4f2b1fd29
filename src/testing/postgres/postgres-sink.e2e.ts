/** The PostgreSQL sink against a real server: what the table holds, through kills of either side; what is refused and why. */

import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Random, systemRandom } from '../../base/random.ts';
import { testPages } from '../docs/pages.ts';
import { ServerProcess } from '../server-process.ts';
import { makeCertificates } from '../services/certificates.ts';
import { PostgresServer, postgresProblem } from '../services/postgres.ts';
import { SqlClient } from '../sql-client.ts';

const SEED = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());
const problem = postgresProblem();
if (problem !== null && process.env.CI === 'true') throw new Error(problem);
const SKIP = problem ?? false;

let directory: string;
let postgres: PostgresServer;
let target: SqlClient;
let server: ServerProcess;
let sql: SqlClient;

before(async () => {
  if (SKIP !== false) return;
  directory = mkdtempSync(join(tmpdir(), 'millrace-postgres-'));
  postgres = await PostgresServer.start(directory);
  target = await SqlClient.connect(postgres.url);
  server = await ServerProcess.start();
  sql = await SqlClient.connect(server.url);
});

after(async () => {
  await sql?.close();
  await server?.dispose();
  await target?.close();
  await postgres?.stop();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

const sinkOptions = (table: string, more = '') =>
  `WITH (connector = 'postgres', url = '${postgres.url}', table = '${table}'${more})`;

test('upsert: the snapshot, changes and deletes, one row for each key', {
  skip: SKIP,
}, async () => {
  await target.query(
    'CREATE TABLE totals (total numeric, region varchar(10) PRIMARY KEY, at timestamptz DEFAULT now())',
  );
  await sql.query('CREATE TABLE sales (region text, amount numeric)');
  await sql.query("INSERT INTO sales VALUES ('n', 1.50), ('s', 2), ('s', 3), ('it''s', 7)");
  await sql.query(
    'CREATE MATERIALIZED VIEW totals AS SELECT region, sum(amount) AS total FROM sales GROUP BY region',
  );
  await sql.query(`CREATE SINK totals_out FROM totals ${sinkOptions('totals')}`);
  const rows = 'SELECT region, total FROM totals ORDER BY region';
  await target.awaitRows(rows, [
    ["it's", '7'],
    ['n', '1.50'],
    ['s', '5'],
  ]);
  await sql.query("INSERT INTO sales VALUES ('n', 1)");
  await sql.query("DELETE FROM sales WHERE region = 's'");
  await sql.query("INSERT INTO sales VALUES ('w', 4)");
  await target.awaitRows(rows, [
    ["it's", '7'],
    ['n', '2.50'],
    ['w', '4'],
  ]);
});

test('values of every type arrive as they are', { skip: SKIP }, async () => {
  const columns = `id int, b bool, i2 smallint, i8 bigint, f4 real, f8 double precision, n numeric(20,3), t text,
    vc varchar(5), y bytea, u uuid, j json, jb jsonb, d date, ti time, ts timestamp, tz timestamptz, iv interval,
    ia int[], ta text[]`;
  await target.query(`CREATE TABLE kinds (${columns}, PRIMARY KEY (id))`);
  await sql.query(`CREATE TABLE kinds (${columns}, PRIMARY KEY (id))`);
  await sql.query(`CREATE SINK kinds_out FROM kinds ${sinkOptions('kinds')}`);
  await sql.query(String.raw`INSERT INTO kinds VALUES
    (1, true, -32768, 9223372036854775807, 0.1, 'NaN', -12345678901234567.125, E'a"b\\c{},NULL\nä€', 'null',
     '\x00ff5c22', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, null]}', '{"b": "x\"y"}', 'infinity', '23:59:59.999999',
     '0044-03-15 12:00:00 BC', '2024-02-29 12:00:00+05:30', '1 year -2 days 03:04:05.678', '{1,NULL,3}',
     ARRAY['NULL', '', E'q"\\,{}', NULL])`);
  await sql.query('INSERT INTO kinds (id) VALUES (2)');
  await target.awaitRows('SELECT count(*) FROM kinds', [['2']]);
  await sql.query("SET timezone = 'UTC'");
  await target.query("SET timezone = 'UTC'");
  const all = 'SELECT * FROM kinds ORDER BY id';
  assert.deepEqual((await target.query(all)).rows, (await sql.query(all)).rows);
});

test('append-only: every row once, through kills of both servers', { skip: SKIP }, async () => {
  await target.query('CREATE TABLE events (id bigint, note text)');
  await sql.query('CREATE TABLE events (id int, note text) APPEND ONLY');
  await sql.query(
    `CREATE SINK events_out FROM events ${sinkOptions('events', ", type = 'append-only'")}`,
  );
  for (let id = 1; id <= 20; id += 1) {
    await sql.query(`INSERT INTO events VALUES (${id}, 'a'), (${id}, 'a')`);
    if (id === 7) await server.killAndRestart(sql);
    if (id === 10) {
      await postgres.kill();
      await postgres.start();
      await target.reconnect(postgres.url);
    }
  }
  await target.awaitRows('SELECT count(*), count(DISTINCT id), min(note) FROM events', [
    ['40', '20', 'a'],
  ]);
  const [[progress]] = (await target.query('SELECT count(*) FROM millrace_sink_progress')).rows as [
    [string],
  ];
  assert.equal(Number(progress), 3);
});

test('kills in the middle of large epochs: the table equals the view', {
  skip: SKIP,
}, async (t) => {
  t.diagnostic(`MILLRACE_TEST_SEED=${SEED}`);
  const random = new Random(SEED);
  await target.query('CREATE TABLE counts (k int PRIMARY KEY, n bigint, s bigint, pad text)');
  await sql.query('CREATE TABLE facts (k int, v int)');
  await sql.query(
    "CREATE MATERIALIZED VIEW counts AS SELECT k, count(*) AS n, sum(v) AS s, repeat('x', 100) AS pad FROM facts GROUP BY k",
  );
  await sql.query(
    `CREATE SINK counts_out FROM counts ${sinkOptions('counts', ", primary_key = 'k'")}`,
  );
  for (let round = 1; round <= 2; round += 1) {
    const from = random.below(10_000);
    await sql.query(
      `INSERT INTO facts SELECT g, g % 17 FROM generate_series(${from}, ${from + 10_000}) AS g`,
    );
    await sql.query(`DELETE FROM facts WHERE k % ${random.between(2, 9)} = 0`);
    await delay(random.below(300));
    await server.killAndRestart(sql);
  }
  const sums = 'SELECT count(*), sum(k::numeric * n), sum(s) FROM counts';
  await target.awaitRows(sums, (await sql.query(sums)).rows);
  const all = 'SELECT * FROM counts ORDER BY k';
  assert.deepEqual((await target.query(all)).rows, (await sql.query(all)).rows);
});

test('a database that is away: disconnected, then all of it', { skip: SKIP }, async () => {
  await target.close();
  await postgres.stop();
  await sql.query("INSERT INTO sales VALUES ('away', 1)");
  const state = "SELECT state FROM millrace.sinks WHERE name = 'totals_out'";
  await sql.awaitRows(state, [['disconnected']]);
  await server.killAndRestart(sql);
  await sql.query("INSERT INTO sales VALUES ('away', 2)");
  await sql.awaitRows(state, [['disconnected']]);
  const error = await sql.refused(`CREATE SINK more FROM totals ${sinkOptions('totals')}`);
  assert.equal(error.code, '08001');
  await postgres.start();
  await target.reconnect(postgres.url);
  await target.awaitRows("SELECT total FROM totals WHERE region = 'away'", [['3']]);
  await sql.awaitRows(state, [['running']]);
});

test('a row that the table refuses stops the sink with the reason, and no other', {
  skip: SKIP,
}, async () => {
  await target.query('CREATE TABLE few (id int PRIMARY KEY, n int CHECK (n < 10))');
  await sql.query('CREATE TABLE few (id int PRIMARY KEY, n int)');
  await sql.query(`CREATE SINK few_out FROM few ${sinkOptions('few')}`);
  await sql.query('INSERT INTO few VALUES (1, 1)');
  await target.awaitRows('SELECT id, n FROM few', [['1', '1']]);
  await sql.query('INSERT INTO few VALUES (2, 20)');
  const state =
    "SELECT state, error LIKE '%violates check constraint \"few_n_check\"%' FROM millrace.sinks WHERE name = 'few_out'";
  await sql.awaitRows(state, [['failed', 't']]);
  await target.awaitRows('SELECT id, n FROM few', [['1', '1']]);
  await sql.query("INSERT INTO sales VALUES ('after', 1)");
  await target.awaitRows("SELECT total FROM totals WHERE region = 'after'", [['1']]);
  await target.query('ALTER TABLE few DROP CONSTRAINT few_n_check');
  await server.killAndRestart(sql);
  await target.awaitRows('SELECT id, n FROM few ORDER BY id', [
    ['1', '1'],
    ['2', '20'],
  ]);
});

test('a copy of the server is held off; progress that was lost is told', {
  skip: SKIP,
}, async () => {
  await target.query('UPDATE millrace_sink_progress SET generation = generation + 1');
  await sql.query("INSERT INTO sales VALUES ('fenced', 1)");
  await sql.awaitRows(
    "SELECT state, error LIKE 'another server writes to%' FROM millrace.sinks WHERE name = 'totals_out'",
    [['failed', 't']],
  );
  await server.killAndRestart(sql);
  await target.awaitRows("SELECT total FROM totals WHERE region = 'fenced'", [['1']]);
});

test('a key that is not proven unique: the row that came last, through kills of the server', {
  skip: SKIP,
}, async () => {
  await target.query('CREATE TABLE newest (who text PRIMARY KEY, id int)');
  await sql.query('CREATE TABLE visits (id int, who text)');
  await sql.query("INSERT INTO visits VALUES (1, 'a'), (2, 'a'), (5, 'b')");
  const create = (more: string) =>
    `CREATE SINK newest_out FROM visits ${sinkOptions('newest', `, primary_key = 'who'${more}`)}`;
  const rows = 'SELECT who, id FROM newest ORDER BY who';
  await sql.query(create(", on_duplicate_key = 'latest'"));
  await target.awaitRows(rows, [
    ['a', '2'],
    ['b', '5'],
  ]);
  await sql.query("INSERT INTO visits VALUES (0, 'a')");
  await target.awaitRows(rows, [
    ['a', '0'],
    ['b', '5'],
  ]);
  await server.killAndRestart(sql);
  await sql.query("DELETE FROM visits WHERE id = 0 OR who = 'b'");
  await target.awaitRows(rows, [['a', '2']]);
  await sql.query('DROP SINK newest_out');

  // By default the sink waits until a key has one row.
  await target.query('DELETE FROM newest');
  await sql.query(create(''));
  const state =
    "SELECT state, error LIKE '%Key (who)=(a) is duplicated.%' FROM millrace.sinks WHERE name = 'newest_out'";
  await sql.awaitRows(state, [['failed', 't']]);
  await sql.query("INSERT INTO visits VALUES (7, 'c')");
  await server.killAndRestart(sql);
  await sql.awaitRows(state, [['failed', 't']]);
  await target.awaitRows(rows, []);
  await sql.query('DELETE FROM visits WHERE id = 1');
  await target.awaitRows(rows, [
    ['a', '2'],
    ['c', '7'],
  ]);
  await sql.awaitRows(state, [['running', null]]);
});

test('CREATE SINK says what is wrong', { skip: SKIP }, async () => {
  await target.query('CREATE TABLE narrow (k int, v smallint, extra int NOT NULL DEFAULT 1)');
  await target.query('CREATE TABLE needy (k int PRIMARY KEY, v int, extra int NOT NULL)');
  await target.query("CREATE ROLE reader LOGIN PASSWORD 'x'");
  await sql.query('CREATE TABLE wide (k int PRIMARY KEY, v int)');
  const create = (table: string, more = '', from = 'wide') =>
    sql.refused(`CREATE SINK x FROM ${from} ${sinkOptions(table, more)}`);
  const absent = await create('nowhere');
  assert.deepEqual(
    [absent.code, absent.message],
    ['42P01', 'PostgreSQL has no table "public"."nowhere"'],
  );
  assert.match(
    absent.hint!,
    /CREATE TABLE "public"."nowhere" \("k" integer, "v" integer, PRIMARY KEY \("k"\)\)$/,
  );
  assert.equal((await create('narrow')).code, '42804');
  assert.equal((await create('needy')).code, '23502');
  assert.equal((await create('totals')).code, '42703');
  await target.query('ALTER TABLE narrow ALTER v TYPE bigint');
  assert.match((await create('narrow')).message, /no unique key \("k"\)$/);
  await target.query('CREATE UNIQUE INDEX ON narrow (k)');
  assert.match((await create('narrow')).message, /may be NULL$/);
  assert.equal((await create('narrow', ', port = 1')).code, '22023');
  await sql.query('CREATE TABLE inexact (k int PRIMARY KEY, n numeric)');
  const inexact = await create('narrow', ", primary_key = 'k,n'", 'inexact');
  assert.match(inexact.message, /^column "n" of type numeric cannot be part of the key/);
  const read =
    await sql.refused(`CREATE SINK x FROM wide WITH (connector = 'postgres', host = '127.0.0.1', port = ${postgres.port},
    user = 'reader', database = 'postgres', table = 'needy')`);
  assert.equal(read.code, '23502');
  await target.query('ALTER TABLE narrow ALTER k SET NOT NULL');
  const denied =
    await sql.refused(`CREATE SINK x FROM wide WITH (connector = 'postgres', host = '127.0.0.1', port = ${postgres.port},
    user = 'reader', database = 'postgres', table = 'narrow')`);
  assert.equal(denied.code, '42501');
  const login =
    await sql.refused(`CREATE SINK x FROM wide WITH (connector = 'postgres', host = '127.0.0.1', port = ${postgres.port},
    user = 'nobody-known', database = 'postgres', table = 'narrow')`);
  assert.equal(login.code, '28000');
});

/** Roles `secured` come by TLS and with a password only. */
async function secure(): Promise<string> {
  const certificates = join(directory, 'certificates');
  makeCertificates(certificates);
  const data = join(directory, 'data');
  const { uid, gid } = statSync(data);
  for (const name of ['server.key', 'server.pem']) {
    copyFileSync(join(certificates, name), join(data, name));
    chmodSync(join(data, name), 0o600);
    chownSync(join(data, name), uid, gid);
  }
  const rules = join(data, 'pg_hba.conf');
  const secured = 'hostssl all secured all scram-sha-256\nhost all secured all reject\n';
  writeFileSync(rules, secured + readFileSync(rules, 'utf8'));
  const settings = { ssl_cert_file: "'server.pem'", ssl_key_file: "'server.key'", ssl: 'on' };
  for (const [name, value] of Object.entries(settings)) {
    await target.query(`ALTER SYSTEM SET ${name} = ${value}`);
  }
  await target.query('SELECT pg_reload_conf()');
  await target.awaitRows('SHOW ssl', [['on']]);
  return readFileSync(join(certificates, 'ca.pem'), 'utf8');
}

test('TLS and passwords', { skip: SKIP }, async () => {
  await target.query("CREATE ROLE secured LOGIN SUPERUSER PASSWORD 'p@ss'");
  const ca = await secure();
  await target.query('CREATE TABLE safe (id int PRIMARY KEY)');
  await sql.query('CREATE TABLE safe (id int PRIMARY KEY)');
  const create = (host: string, more: string, password = 'p%40ss') =>
    `CREATE SINK safe_out FROM safe WITH (connector = 'postgres', table = 'safe',
      url = 'postgres://secured:${password}@${host}:${postgres.port}/postgres'${more})`;
  const mode = (name: string) => `, sslmode = '${name}'`;
  const authority = `, ssl.ca.pem = '${ca}'`;
  assert.equal((await sql.refused(create('127.0.0.1', ''))).code, '28000');
  assert.equal((await sql.refused(create('127.0.0.1', mode('require'), 'wrong'))).code, '28P01');
  assert.equal((await sql.refused(create('127.0.0.1', mode('verify-full')))).code, '08001');
  const named = create('127.1', mode('verify-full') + authority);
  assert.match((await sql.refused(named)).message, /altnames|certificate/);
  for (const [host, options] of [
    ['127.0.0.1', mode('require')],
    ['127.0.0.1', mode('verify-ca') + authority],
    ['localhost', mode('verify-full') + authority],
  ] as const) {
    await sql.query(create(host, options));
    await sql.query(`DELETE FROM safe`);
    await sql.query(`INSERT INTO safe VALUES (${host.length})`);
    await target.awaitRows('SELECT id FROM safe', [[String(host.length)]]);
    await sql.query('DROP SINK safe_out');
  }
  await sql.query(create('127.0.0.1', mode('require')));
  const [[, shown]] = (await sql.query('SHOW CREATE SINK safe_out')).rows as [[string, string]];
  assert.match(shown, /postgres:\/\/secured:\*{8}@127/);
});

test('a password beside the URL, by a secret: another one in time', { skip: SKIP }, async () => {
  await sql.query("CREATE SECRET database_password WITH (backend = 'meta') AS 'p@ss'");
  await target.query('CREATE TABLE vault (id int PRIMARY KEY)');
  await sql.query('CREATE TABLE vault (id int PRIMARY KEY)');
  await sql.query(
    `CREATE SINK vault_out FROM vault WITH (connector = 'postgres', table = 'vault', sslmode = 'require',
      url = 'postgres://secured@127.0.0.1:${postgres.port}/postgres', password = secret database_password)`,
  );
  await sql.query('INSERT INTO vault VALUES (1)');
  await target.awaitRows('SELECT id FROM vault', [['1']]);
  await target.query("ALTER ROLE secured PASSWORD 'another'");
  await target.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'secured'",
  );
  await sql.query('INSERT INTO vault VALUES (2)');
  const state = "SELECT state, error FROM millrace.sinks WHERE name = 'vault_out'";
  await sql.awaitRows(state, [
    ['failed', 'PostgreSQL refused the login: password authentication failed for user "secured"'],
  ]);
  await sql.query("ALTER SECRET database_password AS 'another'");
  await target.awaitRows('SELECT id FROM vault ORDER BY id', [['1'], ['2']]);
  await sql.awaitRows(state, [['running', null]]);
  await server.killAndRestart(sql);
  await sql.query('DELETE FROM vault WHERE id = 1');
  await target.awaitRows('SELECT id FROM vault', [['2']]);
});

testPages(
  'postgres',
  () => ({
    postgresUrl: postgres.url,
    replacements: [["host = 'localhost'", `host = '127.0.0.1', port = ${postgres.port}`]],
  }),
  SKIP,
);
