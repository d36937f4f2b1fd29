/** The dialect's statements, places of errors, hostile texts. */

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import { loadParser, parseStatements } from './parse.ts';
import type { Statement } from './statements.ts';

before(loadParser);

const one = (text: string): Statement => parseStatements(text)[0]!.ast;

function from(text: string) {
  const ast = one(text);
  assert(ast.kind === 'select_statement' && ast.query.body.kind === 'select');
  return ast.query.body.from[0]!;
}

function refusal(text: string): SqlError {
  try {
    parseStatements(text);
  } catch (error) {
    if (error instanceof SqlError) return error;
    throw error;
  }
  throw new Error(`not refused: ${text}`);
}

test('both spellings of a window function give the same node', () => {
  const plain = from(`SELECT * FROM TUMBLE(bids, ts, INTERVAL '1' MINUTE)`);
  const table = from(
    `SELECT * FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '1' MINUTE))`,
  );
  const bare = (node: object) =>
    JSON.stringify(node, (key, value) => (key === 'position' ? 0 : value));
  assert.equal(plain.kind, 'window_function');
  assert.equal(bare(plain), bare(table));
});

test('a quoted or qualified name is no window function', () => {
  assert.equal(from(`SELECT * FROM "tumble"(a, b, c)`).kind, 'table_function');
  assert.equal(from('SELECT * FROM s.tumble(a, b, c)').kind, 'table_function');
});

test('SESSION takes PARTITION BY up to the last two arguments', () => {
  const session = from(`SELECT * FROM SESSION(bids PARTITION BY a, lower(b), ts, '5 min') AS s`);
  assert(session.kind === 'window_function');
  assert.equal(session.partitionBy.length, 2);
  assert.equal(session.timeColumn.parts[0], 'ts');
});

test('ASOF and FOR SYSTEM_TIME go to their join and table', () => {
  const join = from('SELECT 1 FROM a JOIN b ON true ASOF LEFT JOIN c ON a.k = c.k AND c.t <= a.t');
  assert(join.kind === 'join' && join.left.kind === 'join');
  assert.deepEqual([join.isAsOf, join.type, join.left.isAsOf], [true, 'left', false]);
  const lookup = from('SELECT 1 FROM o JOIN d FOR SYSTEM_TIME AS OF PROCTIME() AS x ON o.k = x.k');
  assert(lookup.kind === 'join' && lookup.right.kind === 'table_name');
  assert.equal(lookup.right.asOf?.kind, 'function_call');
  assert.equal(lookup.right.alias?.name, 'x');
  assert.equal(from('SELECT 1 FROM t AS asof JOIN b ON true').kind, 'join');
});

test('a source keeps its columns in order, lifted ones too', () => {
  const ast =
    one(`CREATE SOURCE s (WATERMARK FOR ts AS ts - INTERVAL '5 s', id int, d AS (ts::date),
    e date AS (ts::date), ts timestamptz) WITH (connector = 'file', a.b.c = 1) FORMAT PLAIN ENCODE CSV (header = true)`);
  assert(ast.kind === 'create_source');
  assert.deepEqual(
    ast.columns.map((column) => column.name),
    ['id', 'd', 'e', 'ts'],
  );
  assert.deepEqual(
    ast.columns.map((column) => column.generated !== null),
    [false, true, true, false],
  );
  assert.deepEqual(
    ast.options.map((option) => option.name),
    ['connector', 'a.b.c'],
  );
  assert.equal(ast.watermarks[0]?.column, 'ts');
});

test('EMIT is cut off a view, and its query text is exact', () => {
  const ast = one('CREATE MATERIALIZED VIEW v AS SELECT a AS emit FROM t EMIT ON WINDOW CLOSE');
  assert(ast.kind === 'create_materialized_view');
  assert.equal(ast.queryText, 'SELECT a AS emit FROM t');
  assert.equal(ast.emit?.mode, 'window_close');
  const plain = one('CREATE VIEW v (x) AS (SELECT 1)');
  assert.equal(plain.kind === 'create_view' && plain.queryText, '(SELECT 1)');
});

test('errors stand where the user wrote the wrong thing', () => {
  const places: [string, string, number][] = [
    ['SELECT 1; selec 2', 'syntax error at or near "selec"', 10],
    ["SELECT '😀é', from x", 'syntax error at or near "from"', 14],
    ['CREATE SOURCE s (a int,, b int)', 'syntax error at or near ","', 23],
    ['CREATE SOURCE s (a int) WITH (x =', 'syntax error at end of input', 33],
  ];
  for (const [text, message, position] of places) {
    const error = refusal(text);
    assert.deepEqual(
      [error.sqlstate, error.message, error.fields.position],
      ['42601', message, position],
    );
  }
});

test('strings, comments and dollar quotes hide what looks like a clause', () => {
  const text = `SELECT 'a ASOF JOIN b; FOR SYSTEM_TIME AS OF x' /* ; ASOF /* nested */ JOIN */, $q$; EMIT$q$ -- ;`;
  assert.equal(parseStatements(text).length, 1);
  assert.equal(parseStatements(';; SELECT 1;; SELECT 2;').length, 2);
});

test('deep and hostile texts are refused, and the parser lives on', () => {
  assert.equal(parseStatements(`SELECT ${'('.repeat(5000)}1${')'.repeat(5000)}`).length, 1);
  assert.equal(refusal(`SELECT 1${'+1'.repeat(20000)}`).sqlstate, '54001');
  assert.equal(refusal('SELECT \0').sqlstate, '22021');
  for (const text of [
    "'",
    '"',
    '$$',
    '/*',
    '(',
    ')',
    'CREATE SOURCE',
    'SUBSCRIBE',
    'EXPLAIN',
    "E'\\",
  ]) {
    assert(refusal(text) instanceof SqlError);
  }
  assert.equal(one('SELECT 1').kind, 'select_statement');
});

test('5,000 rows in one INSERT', () => {
  const ast = one(`INSERT INTO t VALUES ${Array(5000).fill("(1, 'x')").join(', ')}`);
  assert(ast.kind === 'insert' && ast.query?.body.kind === 'values');
  assert.equal(ast.query.body.rows.length, 5000);
});
