import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import { loadParser } from '../sql/parse.ts';
import { BOOL, INT4, INT8, TEXT } from '../types/data-type.ts';
import { ScriptedCatalog } from './scripted-catalog.ts';

let scripted: ScriptedCatalog;

before(async () => {
  await loadParser();
  scripted = new ScriptedCatalog().define(`
    CREATE TABLE t (a INT PRIMARY KEY, b INT, c TEXT, ts TIMESTAMPTZ);
    CREATE TABLE u (a INT, d NUMERIC(6,2));
    CREATE TABLE g (id INT PRIMARY KEY, n INT NOT NULL DEFAULT 7 CHECK (n > 0), twice INT GENERATED ALWAYS AS (n * 2) STORED);
    CREATE TABLE log (x INT) APPEND ONLY;
    CREATE VIEW v AS SELECT a, b + 1 AS b1 FROM t;
    CREATE MATERIALIZED VIEW m AS SELECT b, count(*) AS n FROM t GROUP BY b;
  `);
});

/** `sql` has ^ where the error points at (left out: no position wanted). */
function fails(
  sql: string,
  sqlstate: string,
  message: string,
  run: (text: string) => unknown,
): void {
  const position = sql.indexOf('^');
  const text = sql.replace('^', '');
  let thrown: unknown;
  try {
    run(text);
  } catch (error) {
    thrown = error;
  }
  assert.ok(thrown instanceof SqlError, `no SqlError but ${String(thrown)}`);
  assert.equal(`${thrown.sqlstate} ${thrown.message}`, `${sqlstate} ${message}`);
  if (position >= 0) assert.equal(thrown.fields.position, position);
}

describe('errors of queries', () => {
  const CASES: readonly (readonly [string, string, string])[] = [
    ['SELECT * FROM ^nowhere', '42P01', 'relation "nowhere" does not exist'],
    ['SELECT * FROM ^s.t', '42P01', 'relation "s.t" does not exist'],
    ['SELECT ^x FROM t', '42703', 'column "x" does not exist'],
    ['SELECT ^t.x FROM t', '42703', 'column t.x does not exist'],
    ['SELECT ^w.a FROM t', '42P01', 'missing FROM-clause entry for table "w"'],
    ['SELECT ^a FROM t, u', '42702', 'column reference "a" is ambiguous'],
    ['SELECT * FROM t, ^t', '42712', 'table name "t" specified more than once'],
    [
      'SELECT a FROM t WHERE ^b',
      '42804',
      'argument of WHERE must be type boolean, not type integer',
    ],
    [
      'SELECT a FROM t WHERE ^count(*) > 1',
      '42803',
      'aggregate functions are not allowed in WHERE',
    ],
    [
      'SELECT a FROM t JOIN u USING (a) WHERE ^sum(b) > 1',
      '42803',
      'aggregate functions are not allowed in WHERE',
    ],
    [
      'SELECT a FROM t WHERE ^row_number() OVER () = 1',
      '42P20',
      'window functions are not allowed in WHERE',
    ],
    ['SELECT sum(^sum(b)) FROM t', '42803', 'aggregate function calls cannot be nested'],
    [
      'SELECT b, count(*) FROM t',
      '42803',
      'column "t.b" must appear in the GROUP BY clause or be used in an aggregate function',
    ],
    [
      'SELECT b + 1 FROM t GROUP BY b + 2',
      '42803',
      'column "t.b" must appear in the GROUP BY clause or be used in an aggregate function',
    ],
    ['SELECT b FROM t GROUP BY ^3', '42P10', 'GROUP BY position 3 is not in select list'],
    ['SELECT b FROM t ORDER BY ^3', '42P10', 'ORDER BY position 3 is not in select list'],
    [
      'SELECT DISTINCT b FROM t ORDER BY a',
      '42P10',
      'for SELECT DISTINCT, ORDER BY expressions must appear in select list',
    ],
    ['SELECT a ^+ c FROM t', '42883', 'operator does not exist: integer + text'],
    ['SELECT ^nofunction(a) FROM t', '42883', 'function nofunction(integer) does not exist'],
    ['SELECT a::^nothing FROM t', '42704', 'type "nothing" does not exist'],
    ["SELECT ^'x'::int", '22P02', 'invalid input syntax for type integer: "x"'],
    ['SELECT a FROM t WHERE a ^IN (SELECT a, b FROM t)', '42601', 'subquery has too many columns'],
    ['SELECT (SELECT a, b FROM t)', '42601', 'subquery must return only one column'],
    [
      'SELECT a FROM t UNION SELECT ^a, d FROM u',
      '42601',
      'each UNION query must have the same number of columns',
    ],
    ['VALUES (1, 2), (^3)', '42601', 'VALUES lists must all be the same length'],
    ['SELECT 1 LIMIT -1', '2201W', 'LIMIT must not be negative'],
    ['SELECT *', '42601', 'SELECT * with no tables specified is not valid'],
    [
      'SELECT a FROM t x(p, q, r, s, z)',
      '42P10',
      'table "x" has 4 columns available but 5 columns specified',
    ],
    [
      'SELECT * FROM t JOIN u USING (b)',
      '42703',
      'column "b" specified in USING clause does not exist in right table',
    ],
    ['SELECT * FROM t FOR UPDATE', '0A000', 'FOR UPDATE or FOR SHARE is not supported'],
    ['SELECT ROLLUP FROM t', '42703', 'column "rollup" does not exist'],
    ['SELECT $2', '42P18', 'could not determine data type of parameter $1'],
    [
      "SELECT * FROM TUMBLE(t, ^a, INTERVAL '1 minute')",
      '42804',
      'time column "a" of TUMBLE must be of type timestamp or timestamptz, not integer',
    ],
    [
      "SELECT * FROM TUMBLE(t, ts, ^INTERVAL '1 month')",
      '22023',
      'TUMBLE needs a fixed duration: months and years vary',
    ],
    [
      "SELECT * FROM TUMBLE(t, ts, ^INTERVAL '0')",
      '22023',
      'TUMBLE needs an interval greater than zero',
    ],
    [
      "SELECT * FROM HOP(t, ts, ^INTERVAL '-1 s', INTERVAL '1 s')",
      '22023',
      'HOP needs an interval greater than zero',
    ],
  ];
  for (const [sql, sqlstate, message] of CASES) {
    test(sql, () => fails(sql, sqlstate, message, (text) => scripted.query(text)));
  }
});

describe('errors of views', () => {
  const CASES: readonly (readonly [string, string, string])[] = [
    [
      'SELECT a, ^random() FROM t',
      '0A000',
      'volatile function random() in a materialized view is not supported',
    ],
    [
      'SELECT a, now() FROM t',
      '0A000',
      'now() outside a comparison with a column in a materialized view is not supported',
    ],
    ['SELECT a, a FROM t', '42701', 'column "a" specified more than once'],
    ['SELECT a FROM t WHERE a = ^$1', '42P02', 'a view cannot hold parameters'],
    [
      'SELECT proctime() AS p FROM m',
      '0A000',
      'proctime() over an input that is not append-only is not supported',
    ],
  ];
  for (const [sql, sqlstate, message] of CASES) {
    test(sql, () => fails(sql, sqlstate, message, (text) => scripted.view(text)));
  }
  test('EMIT ON WINDOW CLOSE without a watermark says where it is missing', () => {
    const sql =
      "SELECT window_end, count(*) FROM TUMBLE(t, ts, INTERVAL '1 hour') GROUP BY window_end";
    fails(sql, '42P17', 'EMIT ON WINDOW CLOSE needs a watermark', (text) =>
      scripted.view(text, { emit: 'window_close' }),
    );
  });
});

describe('errors of DML', () => {
  const CASES: readonly (readonly [string, string, string])[] = [
    ['INSERT INTO ^m VALUES (1)', '42809', 'cannot change materialized view "m"'],
    ['INSERT INTO ^v VALUES (1)', '55000', 'cannot insert into view "v"'],
    ['INSERT INTO t (a, ^x) VALUES (1, 2)', '42703', 'column "x" of relation "t" does not exist'],
    ['INSERT INTO t (a, ^a) VALUES (1, 2)', '42701', 'column "a" specified more than once'],
    ['INSERT INTO u VALUES (1, 2, ^3)', '42601', 'INSERT has more expressions than target columns'],
    [
      'INSERT INTO t (a, ^b) VALUES (1)',
      '42601',
      'INSERT has more target columns than expressions',
    ],
    ["INSERT INTO u VALUES (^'x')", '22P02', 'invalid input syntax for type integer: "x"'],
    [
      'INSERT INTO u VALUES (^true)',
      '42804',
      'column "a" is of type integer but expression is of type boolean',
    ],
    [
      'INSERT INTO g VALUES (1, 2, ^3)',
      '428C9',
      'cannot insert a non-DEFAULT value into column "twice"',
    ],
    [
      'INSERT INTO t VALUES (1) ON CONFLICT (b) DO NOTHING',
      '42P10',
      'there is no unique or exclusion constraint matching the ON CONFLICT specification',
    ],
    ['UPDATE t SET x = 1', '42703', 'column "x" of relation "t" does not exist'],
    ['UPDATE g SET twice = ^1', '428C9', 'column "twice" can only be updated to DEFAULT'],
    ['UPDATE ^log SET x = 1', '55000', 'cannot update table "log"'],
    ['DELETE FROM ^log', '55000', 'cannot delete from table "log"'],
    ['DELETE FROM t WHERE ^x = 1', '42703', 'column "x" does not exist'],
  ];
  for (const [sql, sqlstate, message] of CASES) {
    test(sql, () => fails(sql, sqlstate, message, (text) => scripted.dml(text)));
  }
});

describe('errors of definitions', () => {
  const CASES: readonly (readonly [string, string, string])[] = [
    ['CREATE TABLE x (a INT, ^a TEXT)', '42701', 'column "a" specified more than once'],
    ['CREATE TABLE x (a ^nothing)', '42704', 'type "nothing" does not exist'],
    [
      'CREATE TABLE x (a INT PRIMARY KEY, b INT PRIMARY KEY)',
      '42P16',
      'multiple primary keys for table "x" are not allowed',
    ],
    ['CREATE TABLE x (a INT, PRIMARY KEY (b))', '42703', 'column "b" named in key does not exist'],
    ["CREATE TABLE x (a INT DEFAULT ^'z')", '22P02', 'invalid input syntax for type integer: "z"'],
    [
      'CREATE TABLE x (a INT DEFAULT ^true)',
      '42804',
      'column "a" is of type integer but default expression is of type boolean',
    ],
    ['CREATE TABLE x (a INT CHECK (^b > 1))', '42703', 'column "b" does not exist'],
    [
      'CREATE TABLE x (a INT CHECK (^a))',
      '42804',
      'argument of CHECK must be type boolean, not type integer',
    ],
    [
      'CREATE TABLE x (a INT, b INT GENERATED ALWAYS AS (^random()) STORED)',
      '42P17',
      'generation expression is not immutable',
    ],
    [
      'CREATE TABLE x (a INT, WATERMARK FOR a AS a)',
      '42804',
      'watermark column "a" must be of type timestamp or timestamptz, not integer',
    ],
    ['CREATE TABLE x (a INT REFERENCES t (a))', '0A000', 'FOREIGN KEY is not supported'],
    [
      'CREATE TABLE x (a numeric(2000))',
      '22023',
      'NUMERIC precision 2000 must be between 1 and 1000',
    ],
    ['CREATE TABLE x (a varchar(0))', '22023', 'length for type varchar must be at least 1'],
  ];
  for (const [sql, sqlstate, message] of CASES) {
    test(sql, () => fails(sql, sqlstate, message, (text) => scripted.define(text)));
  }
});

test('types of parameters follow from their use', () => {
  const plan = scripted.query('SELECT a FROM t WHERE b = $1 AND c LIKE $2 LIMIT $3');
  assert.deepEqual(plan.parameterTypes, [INT4, TEXT, INT8]);
  const given = scripted.query('SELECT $1, $2::bool', [INT8, null]);
  assert.deepEqual(given.parameterTypes, [INT8, BOOL]);
  const insert = scripted.dml('INSERT INTO t (a, c) VALUES ($1, $2)');
  assert.deepEqual(insert.parameterTypes, [INT4, TEXT]);
});

test('plain columns tell their table and attribute', () => {
  const plan = scripted.query('SELECT c, a + 1 AS next, x.b FROM t x');
  const table = scripted.catalog.findRelation({ schema: null, name: 't' }, ['public']);
  assert.ok(table?.kind === 'table');
  assert.deepEqual(
    plan.columns.map((column) => [column.name, column.tableOid, column.attributeNumber]),
    [
      ['c', table.id, 3],
      ['next', undefined, undefined],
      ['b', table.id, 2],
    ],
  );
});

test('INSERT fills defaults and generated columns', () => {
  const plan = scripted.dml('INSERT INTO g (id) VALUES (1) RETURNING twice, id AS key');
  assert.ok(plan.kind === 'insert');
  assert.deepEqual(
    plan.rows.node.columns.map((column) => column.name),
    ['id', 'n', 'twice'],
  );
  assert.deepEqual(plan.notNull, [0, 1]);
  assert.deepEqual(plan.keys, [{ name: 'g_pkey', columns: [0], isPrimary: true }]);
  assert.deepEqual(
    plan.checks.map((check) => check.name),
    ['g_n_check'],
  );
  assert.deepEqual(
    plan.returning?.columns.map((column) => column.name),
    ['twice', 'key'],
  );
});

test('plans are JSON', () => {
  const plan = scripted.view('SELECT b, count(*) AS n, max(c) AS m FROM t GROUP BY b').plan;
  assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan);
});
