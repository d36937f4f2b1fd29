/**
 * psql driven for real, where it is on the PATH (else one line says that it is not): what its backslash commands print must be
 * what they print on PostgreSQL 15.
 */

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

const SETUP = [
  'CREATE TABLE dept (id int PRIMARY KEY, name varchar(20) NOT NULL UNIQUE)',
  `CREATE TABLE emp (id bigint NOT NULL, dept_id int, salary numeric(10,2) DEFAULT 0, note text DEFAULT 'x'::text,
    hired timestamptz, PRIMARY KEY (id), CHECK (salary >= 0))`,
  'CREATE INDEX emp_dept ON emp (dept_id)',
  'CREATE VIEW rich AS SELECT id, salary FROM emp WHERE salary > 100',
  'CREATE MATERIALIZED VIEW per_dept AS SELECT dept_id, count(*) AS c FROM emp GROUP BY dept_id',
  `COMMENT ON TABLE emp IS 'people'`,
  'CREATE SCHEMA other',
  'CREATE TABLE other.o (a int)',
  'INSERT INTO emp (id, dept_id, salary) VALUES (1, 1, 50), (2, 1, 150.5)',
];

/** What PostgreSQL 15's psql prints, without the blanks around cells (psql -A). */
const PRINTED: Readonly<Record<string, readonly string[]>> = {
  '\\d': [
    'List of relations',
    'Schema|Name|Type|Owner',
    'public|dept|table|millrace',
    'public|emp|table|millrace',
    'public|per_dept|materialized view|millrace',
    'public|rich|view|millrace',
    '(4 rows)',
  ],
  '\\dt': [
    'List of relations',
    'Schema|Name|Type|Owner',
    'public|dept|table|millrace',
    'public|emp|table|millrace',
    '(2 rows)',
  ],
  '\\dm': [
    'List of relations',
    'Schema|Name|Type|Owner',
    'public|per_dept|materialized view|millrace',
    '(1 row)',
  ],
  '\\dv': ['List of relations', 'Schema|Name|Type|Owner', 'public|rich|view|millrace', '(1 row)'],
  '\\di': [
    'List of relations',
    'Schema|Name|Type|Owner|Table',
    'public|dept_name_key|index|millrace|dept',
    'public|dept_pkey|index|millrace|dept',
    'public|emp_dept|index|millrace|emp',
    'public|emp_pkey|index|millrace|emp',
    '(4 rows)',
  ],
  '\\dt other.*': [
    'List of relations',
    'Schema|Name|Type|Owner',
    'other|o|table|millrace',
    '(1 row)',
  ],
  '\\df': [
    'List of functions',
    'Schema|Name|Result data type|Argument data types|Type',
    '(0 rows)',
  ],
  '\\dT': ['List of data types', 'Schema|Name|Description', '(0 rows)'],
  '\\dp': [
    'Access privileges',
    'Schema|Name|Type|Access privileges|Column privileges|Policies',
    'public|dept|table|||',
    'public|emp|table|||',
    'public|per_dept|materialized view|||',
    'public|rich|view|||',
    '(4 rows)',
  ],
  '\\d emp': [
    'Table "public.emp"',
    'Column|Type|Collation|Nullable|Default',
    'id|bigint||not null|',
    'dept_id|integer|||',
    'salary|numeric(10,2)|||0',
    "note|text|||'x'::text",
    'hired|timestamp with time zone|||',
    'Indexes:',
    '"emp_pkey" PRIMARY KEY, btree (id)',
    '"emp_dept" btree (dept_id)',
    'Check constraints:',
    '"emp_salary_check" CHECK (salary >= 0::numeric)',
  ],
  '\\d rich': [
    'View "public.rich"',
    'Column|Type|Collation|Nullable|Default',
    'id|bigint|||',
    'salary|numeric(10,2)|||',
  ],
  '\\d per_dept': [
    'Materialized view "public.per_dept"',
    'Column|Type|Collation|Nullable|Default',
    'dept_id|integer|||',
    'c|bigint|||',
  ],
  '\\d dept': [
    'Table "public.dept"',
    'Column|Type|Collation|Nullable|Default',
    'id|integer||not null|',
    'name|character varying(20)||not null|',
    'Indexes:',
    '"dept_pkey" PRIMARY KEY, btree (id)',
    '"dept_name_key" UNIQUE CONSTRAINT, btree (name)',
  ],
};

/** Commands whose output is ours in part: lines that must be among it. */
const CONTAINED: Readonly<Record<string, readonly RegExp[]>> = {
  '\\d+': [/^public\|emp\|table\|millrace\|permanent\|.*\|people$/m],
  '\\d+ emp': [
    /^salary\|numeric\(10,2\)\|\|\|0\|main\|/m,
    /^"?emp_pkey" PRIMARY KEY|"emp_pkey" PRIMARY KEY/m,
  ],
  '\\d+ rich': [/View definition:/, /FROM emp/],
  '\\d+ per_dept': [/View definition:/, /GROUP BY/],
  '\\ds': [/Did not find any relations\./],
  '\\dn': [/^other\|millrace$/m, /^public\|millrace$/m],
  '\\du': [/^millrace\|Superuser/m],
  '\\dx': [/List of installed extensions/],
  '\\l': [/^millrace\|millrace\|UTF8\|/m],
  '\\sv rich': [/^CREATE OR REPLACE VIEW public\.rich AS$/m, /FROM emp/],
  '\\d other.o': [/^Table "other\.o"$/m, /^a\|integer\|\|\|$/m],
  '\\d nosuch': [/Did not find any relation named "nosuch"\./],
  '\\conninfo': [/You are connected to database "millrace" as user "millrace"/],
  'SELECT id, salary FROM emp \\gdesc': [/^id\|bigint$/m, /^salary\|numeric\(10,2\)$/m],
  'SELECT nosuch FROM emp;': [
    /ERROR: {2}column "nosuch" does not exist/,
    /LINE 1: SELECT nosuch FROM emp/,
    /^ {15}\^$/m,
  ],
  "SELECT 'é', nosuch FROM emp;": [/^ {20}\^$/m],
};

const hasPsql = spawnSync('psql', ['--version']).status === 0;

if (hasPsql) describe('psql', describePsql);
else test('psql is not on the PATH: not driven', { skip: true }, () => undefined);

function describePsql(): void {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-psql-'));
  let server: ServerProcess;

  before(async () => {
    server = await ServerProcess.start({ dataDir: ':memory:', args: ['--log-level', 'warn'] });
    const client = await SqlClient.connect(server.url);
    for (const sql of SETUP) await client.query(sql);
    await client.close();
  });
  after(async () => {
    await server.dispose();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Runs a script; stdout and stderr together, lines without blanks at their ends. */
  function psql(script: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const args = ['-X', '-A', '-P', 'pager=off', server.url];
      const child = execFile('psql', args, { timeout: 20_000 }, (error, stdout, stderr) => {
        if (error !== null && error.killed === true) reject(error);
        else resolve(`${stdout}${stderr}`);
      });
      child.stdin?.end(`${script}\n`);
    });
  }

  for (const [command, expected] of Object.entries(PRINTED)) {
    test(command, async () => {
      const lines = (await psql(command)).split('\n').map((line) => line.trim());
      assert.deepEqual(
        lines.filter((line) => line !== ''),
        expected,
      );
    });
  }

  for (const [command, patterns] of Object.entries(CONTAINED)) {
    test(command, async () => {
      const output = await psql(command);
      for (const pattern of patterns) assert.match(output, pattern);
    });
  }

  test('\\timing', async () => {
    assert.match(await psql('\\timing on\nSELECT 1;'), /Time: [\d.]+ ms/);
  });

  test('\\watch', async () => {
    const args = ['-X', '-At', server.url];
    const output = await new Promise<string>((resolve) => {
      const child = execFile('psql', args, { timeout: 2500 }, (_error, stdout) => resolve(stdout));
      child.stdin?.end('SELECT count(*) FROM emp \\watch 0.2\n');
    });
    assert.ok(output.split('\n').filter((line) => line === '2').length > 1, output);
  });

  test('\\copy in and out', async () => {
    const file = join(directory, 'rows.csv');
    writeFileSync(file, 'a,b\n1,"x, y"\n2,\n');
    const script = `CREATE TABLE copied (a int, b text);
\\copy copied FROM '${file}' WITH (FORMAT csv, HEADER)
\\copy (SELECT * FROM copied ORDER BY a) TO '${file}.out' WITH (FORMAT csv, HEADER)
DROP TABLE copied;`;
    assert.match(await psql(script), /COPY 2[\s\S]*COPY 2/);
    assert.equal(readFileSync(`${file}.out`, 'utf8'), 'a,b\n1,"x, y"\n2,\n');
  });

  test('tab completion asks for table names', async () => {
    const output = await psql(`SELECT pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_class c
      WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND substring(pg_catalog.quote_ident(c.relname),1,2)='em'
      AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog')
      LIMIT 1000;`);
    assert.match(output, /^emp$/m);
  });

  test('a transaction, an error in it, and its status in the prompt', async () => {
    const output = await psql('BEGIN;\nSELECT 1/0;\nSELECT 1;\nROLLBACK;\nSELECT 2 AS two;');
    assert.match(output, /ERROR: {2}division by zero/);
    assert.match(output, /ERROR: {2}current transaction is aborted/);
    assert.match(output, /two\n2/);
  });
}
