/** The real psql against the real server (where there is one on the PATH), and `millrace sql`, the small shell. */

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

const LAUNCHER = fileURLToPath(new URL('../launch.mjs', import.meta.url));
const SETUP = `
  CREATE TABLE flights (id int PRIMARY KEY, origin varchar(3) NOT NULL, delay int DEFAULT 0 CHECK (delay < 10000));
  CREATE INDEX flights_origin ON flights (origin);
  COMMENT ON TABLE flights IS 'what left';
  CREATE VIEW late AS SELECT * FROM flights WHERE delay > 15;
  CREATE MATERIALIZED VIEW by_origin AS SELECT origin, count(*) AS n, avg(delay) AS delay FROM flights GROUP BY origin;
  CREATE SOURCE radar (n bigint, s text) WITH (connector = 'datagen', number.of.rows = 3);
  INSERT INTO flights VALUES (1, 'SEA', 20), (2, 'SEA', 0), (3, 'JFK', 5);
`;

let server: ServerProcess;
let home: string;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[], input = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { timeout: 60_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

function psql(input: string, flags: readonly string[] = []): Promise<Ended> {
  return run('psql', ['-X', ...flags, server.url], input);
}

/** psql's version; null: there is none. */
function psqlVersion(): string | null {
  try {
    return execFileSync('psql', ['--version'], { encoding: 'utf8' }).trim();
  } catch {
    return null;
  }
}

/** Each backslash command, with what its output must show. */
const COMMANDS: readonly (readonly [command: string, ...shows: RegExp[]])[] = [
  ['\\d', /flights +\| table/, /late +\| view/, /by_origin +\| materialized view/],
  ['\\d+', /flights .*what left/],
  ['\\dt', /flights +\| table/],
  ['\\dt+', /what left/],
  ['\\dm', /by_origin +\| materialized view/],
  ['\\dv', /late +\| view/],
  ['\\di', /flights_origin .*flights/, /flights_pkey/],
  ['\\dn', /public/],
  ['\\du', /millrace .*Superuser/],
  ['\\df', /List of functions/],
  ['\\df lower', /lower +\| text +\| text +\| func\n\(1 row\)/],
  ['\\dT', /List of data types/],
  ['\\dp', /flights/],
  ['\\dx', /List of installed extensions/],
  ['\\l', /millrace/],
  [
    '\\d flights',
    /Table "public\.flights"/,
    /origin +\| character varying\(3\) +\| +\| not null/,
    /delay +\| integer +\| +\| +\| 0/,
    /"flights_pkey" PRIMARY KEY/,
    /"flights_origin" btree \(origin\)/,
    /Check constraints:/,
  ],
  ['\\d+ flights', /Storage/, /Indexes:/],
  ['\\d late', /View "public\.late"/, /id +\| integer +\| +\| +\| *$/m],
  ['\\d radar', /Foreign table "public\.radar"/, /s +\| text/, /Server: datagen/],
  ['\\d+ late', /View definition:/, /delay > 15/],
  ['\\d by_origin', /Materialized view "public\.by_origin"/, /n +\| bigint/],
  ['\\d+ by_origin', /View definition:/, /GROUP BY/],
  ['\\sv late', /CREATE OR REPLACE VIEW public\.late AS/],
  ['\\conninfo', /You are connected to database "millrace" as user "millrace"/],
  ['\\timing on\nSELECT 1;', /Timing is on/, /Time: [\d.]+ ms/],
  ['SELECT 1 AS a, now() AS b \\gdesc', /a +\| integer/, /b +\| timestamp with time zone/],
  ['SELECT 42 AS x \\gset\n\\echo :x', /^42$/m],
  ['SELECT n FROM by_origin ORDER BY n \\gx', /-\[ RECORD 1 \]/],
  ['\\encoding', /UTF8/],
  ['\\dC', /List of casts/],
  ['\\dL', /List of languages\n.*\n-.*\n\(0 rows\)/],
  ['\\dF', /List of text search configurations\n.*\n-.*\n\(0 rows\)/],
  ['\\dconfig timezone', /UTC|timezone/i],
];

async function passwordRefused(): Promise<void> {
  // Without a terminal of its own psql asks on stderr and reads stdin.
  const { stdout, stderr } = await run(
    'setsid',
    ['--wait', 'psql', '-X', server.url, '-c', '\\password'],
    'new\nnew\n',
  );
  assert.equal(stdout, '');
  assert.match(stderr, /ERROR: {2}ALTER ROLE is not supported\n(.*\n)*HINT: .* --password-file /);
}

async function copyInAndOut(): Promise<void> {
  const file = join(home, 'copy.csv');
  const rows = '10,LAX,1\n11,"BO""S",\n';
  fs.writeFileSync(file, `id,origin,delay\n${rows}`);
  const ended = await psql(
    `CREATE TABLE copied (id int, origin text, delay int);
     \\copy copied FROM '${file}' WITH (FORMAT csv, HEADER)
     \\copy (SELECT * FROM copied ORDER BY id) TO '${file}.out' WITH (FORMAT csv)
     DROP TABLE copied;\n`,
  );
  assert.equal(ended.stderr, '');
  assert.match(ended.stdout, /COPY 2\nCOPY 2/);
  assert.equal(fs.readFileSync(`${file}.out`, 'utf8'), rows);
}

describe('psql', { skip: psqlVersion() === null ? 'no psql on the PATH' : false }, () => {
  before(startServer);
  after(stopServer);

  test('is told which one it is', (context) => context.diagnostic(psqlVersion() ?? ''));

  for (const [command, ...shows] of COMMANDS) {
    test(command.replaceAll('\n', ' '), async () => {
      const { stdout, stderr } = await psql(`${command}\n`);
      assert.equal(stderr, '');
      for (const pattern of shows) assert.match(stdout, pattern);
    });
  }

  test('\\ds: there are no sequences', async () => {
    const { stdout, stderr } = await psql('\\ds\n');
    assert.deepEqual([stdout, stderr], ['', 'Did not find any relations.\n']);
  });

  test('\\password: asked twice, then told where the password is kept', passwordRefused);

  test('\\copy in and out', copyInAndOut);

  test('\\watch', async () => {
    // psql 15 watches until it is interrupted or a statement fails: the third run divides by zero.
    const ended = await psql(
      `CREATE TABLE ticks (n int); INSERT INTO ticks VALUES (3);
       WITH gone AS (SELECT min(n) AS n FROM ticks) SELECT 6 / n FROM gone \\watch 0.1\n`,
      ['-v', 'ON_ERROR_STOP=1', '-c', 'SELECT 1'],
    );
    assert.match(ended.stdout, /1/);
    const watched = run(
      'timeout',
      ['-s', 'INT', '2', 'psql', '-X', server.url],
      'SELECT 5 AS five \\watch 0.2\n',
    );
    const { stdout } = await watched;
    assert.ok((stdout.match(/^ +5$/gm)?.length ?? 0) >= 2, stdout);
  });

  test('errors, with the place', async () => {
    const { stderr } = await psql('SELECT nosuch FROM flights;\n', ['-v', 'VERBOSITY=verbose']);
    assert.match(
      stderr,
      /^ERROR: {2}42703: column "nosuch" does not exist\nLINE 1: SELECT nosuch FROM flights;\n {15}\^/,
    );
  });

  test('a transaction, and its prompt-free output', async () => {
    const { stdout, stderr } = await psql(
      "BEGIN; INSERT INTO flights VALUES (9, 'OSL', 1); SELECT count(*) FROM flights; ROLLBACK; SELECT count(*) FROM flights;\n",
      ['-At'],
    );
    assert.equal(stderr, '');
    assert.equal(stdout, 'BEGIN\nINSERT 0 1\n4\nROLLBACK\n3\n');
  });
});

/** What psql 15 asks when the tab key is pressed (tab-complete.c), for tables and for columns. */
const COMPLETIONS: readonly (readonly [query: string, found: string])[] = [
  [
    `SELECT c.relname, NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE (c.relname) LIKE 'fli%' AND (c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p')) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog') AND pg_catalog.pg_table_is_visible(c.oid)
UNION ALL
SELECT NULL::pg_catalog.text, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'fli%' AND n.nspname NOT LIKE E'pg\\\\_%'
LIMIT 1000`,
    'flights',
  ],
  [
    `SELECT DISTINCT attname, NULL::pg_catalog.text FROM pg_catalog.pg_attribute a, pg_catalog.pg_class c WHERE c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped and (attname) LIKE 'ori%' AND (c.relname) = 'flights' AND pg_catalog.pg_table_is_visible(c.oid)
LIMIT 1000`,
    'origin',
  ],
];

describe('millrace sql', () => {
  before(startServer);
  after(stopServer);

  const shell = (...args: string[]) =>
    run(process.execPath, [LAUNCHER, 'sql', ...args, server.url]);

  test('-c', async () => {
    const ended = await shell('-c', 'SELECT origin, n FROM by_origin ORDER BY origin');
    assert.equal(ended.stderr, '');
    assert.match(ended.stdout, /JFK +\| +1\n *SEA +\| +2\n\(2 rows\)/);
    assert.equal(ended.code, 0);
  });

  test('whole command tags', async () => {
    const text = 'CREATE TABLE tagged (a int); INSERT INTO tagged VALUES (1); DROP TABLE tagged';
    assert.equal((await shell('-c', text)).stdout, 'CREATE TABLE\nINSERT 0 1\nDROP TABLE\n');
  });

  test('-c with an error', async () => {
    const ended = await shell('-c', 'SELECT nosuch FROM flights');
    assert.match(ended.stderr, /column "nosuch" does not exist/);
    assert.equal(ended.code, 1);
  });

  test('-f', async () => {
    const file = join(home, 'file.sql');
    fs.writeFileSync(
      file,
      "SELECT 1 AS one;\n-- a comment; with a semicolon\nSELECT 'a;b' AS two;\n",
    );
    const ended = await shell('-f', file);
    assert.equal(ended.stderr, '');
    assert.match(ended.stdout, /one[\s\S]*\(1 row\)[\s\S]*a;b/);
    assert.equal(ended.code, 0);
  });

  test('backslash commands', async () => {
    const args = [LAUNCHER, 'sql', server.url];
    const ended = await run(process.execPath, args, '\\dt\n\\d flights\n\\q\n');
    assert.equal(ended.stderr, '');
    assert.match(ended.stdout, /public \| flights/);
    assert.match(ended.stdout, /origin +\| character varying\(3\)/);
  });

  test("the queries of psql's tab completion", async () => {
    const sql = await SqlClient.connect(server.url);
    try {
      for (const [query, found] of COMPLETIONS) assert.equal(await sql.value(query), found);
    } finally {
      await sql.close();
    }
  });
});

async function startServer(): Promise<void> {
  home = fs.mkdtempSync(join(tmpdir(), 'millrace-psql-'));
  server = await ServerProcess.start({ dataDir: ':memory:' });
  const sql = await SqlClient.connect(server.url);
  await sql.query(SETUP);
  await sql.close();
}

async function stopServer(): Promise<void> {
  await server.dispose();
  fs.rmSync(home, { recursive: true, force: true });
}
