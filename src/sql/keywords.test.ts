/**
 * Words of the dialect in every place where they could be taken for its clauses. Each text is parsed twice, once with the
 * word and once with a meaningless one of the same length: but for the word, the trees must be equal.
 */

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { loadParser, parseStatements } from './parse.ts';
import type { Statement } from './statements.ts';

before(loadParser);

/** Words of the dialect that PostgreSQL lets be names. */
const WORDS = [
  ...['emit', 'periodic', 'update', 'watermark', 'subscribe', 'include', 'format', 'encode', 'key'],
  ...['tumble', 'hop', 'cumulate', 'session', 'asof', 'gap', 'system_time', 'partition', 'source'],
  ...['sink', 'secret', 'headers', 'header', 'append', 'overwrite', 'envelope', 'upsert', 'replay'],
  ...[
    'dead',
    'letters',
    'pause',
    'resume',
    'describe',
    'show',
    'data',
    'no',
    'always',
    'descriptor',
  ],
  ...[
    'sources',
    'views',
    'jobs',
    'materialized',
    'explain',
    'check_view',
    'swap',
    'plain',
    'debezium',
  ],
];

/** Words that are reserved: names only in quotes and after AS. */
const RESERVED = ['with', 'for', 'into', 'window', 'on', 'as', 'create', 'table'];

const QUERIES = [
  'SELECT # FROM t',
  'SELECT t.#, #.a, s.#.# FROM t, #, s.#',
  'SELECT a AS #, b AS # FROM t AS #',
  'SELECT a FROM t #',
  'SELECT a FROM t # WHERE #.a = 1',
  'SELECT a FROM s.# ORDER BY #, # DESC NULLS LAST LIMIT 1',
  'SELECT #(a, b), x.#(1), count(#) FROM t',
  'SELECT a, #(b, (#)) FROM t WHERE f(#, #(1)) = #',
  'SELECT a FROM (SELECT ((#)) FROM t WHERE (# IN (#, (#)))) AS #',
  'SELECT a FROM t WHERE # AND # = 1 OR # IS NULL GROUP BY # HAVING max(#) > 1',
  'SELECT a FROM t JOIN u AS # ON #.x = t.# LEFT JOIN # AS v USING (#)',
  'SELECT a FROM # JOIN b ON #.x = b.# CROSS JOIN s.#',
  'SELECT a FROM b, # JOIN c ON true',
  'WITH # AS (SELECT 1 AS #) SELECT # FROM # UNION ALL SELECT # FROM #',
  'SELECT CASE WHEN # THEN # ELSE # END, CAST(# AS text), #::text, -#, ARRAY[#, 1] FROM t',
  'SELECT sum(#) OVER (PARTITION BY # ORDER BY #), max(a) OVER # FROM t WINDOW # AS (ORDER BY #)',
  'SELECT a FROM f(#) AS g (#), LATERAL (SELECT # FROM #) AS h (#)',
];

/** Where the word is no word. */
const HIDING_QUERIES = [
  'SELECT "#", t."#", "#"(1) FROM "#" AS "#"',
  "SELECT '#', '''# ', E'\\'# ', $$ # $$, $#$ # $$ # $#$ FROM t",
  `SELECT a AS # FROM t`,
  'SELECT a /* # /* # ( */ # */ FROM t -- # ( on',
  "SELECT U&'#', U&\"#\", 'a''#' FROM t",
  'SELECT ((a)) FROM ((SELECT \'#\' AS "#") UNION (SELECT \')\')) AS "#"',
];

/** What a query can stand in; all but the first are read by the grammar. */
const AROUND = [
  '@',
  'CREATE MATERIALIZED VIEW v AS @\nEMIT ON WINDOW CLOSE',
  'CREATE MATERIALIZED VIEW v AS @\nEMIT ON UPDATE WITH NO DATA',
  "CREATE MATERIALIZED VIEW v (a) WITH (x = 1) AS @\nEMIT PERIODIC INTERVAL '1 second'",
  'CREATE SINK k AS @\nWITH (a = b) FORMAT PLAIN ENCODE JSON',
  'CREATE SINK k AS @\nINTO t (a) EMIT ON UPDATE',
  'SUBSCRIBE (@\n) WITH (snapshot = true) AS OF 5',
  'EXPLAIN CREATE SINK k AS @\nWITH (a = b)',
];

/** Statements with names, options and columns, of PostgreSQL and of the dialect. */
const STATEMENTS = [
  'INSERT INTO # (#) VALUES (1) RETURNING #',
  'UPDATE # SET # = # + 1 WHERE #',
  'DELETE FROM # USING # AS x WHERE #',
  'CREATE TABLE # (# int PRIMARY KEY, b int CHECK (# > 1), c text DEFAULT f(#))',
  'CREATE VIEW # (#) AS SELECT # FROM #',
  'CREATE INDEX # ON # (#)',
  'DROP TABLE #, s.#',
  'CREATE TABLE # (# int, "#" text, b int DEFAULT 1, WATERMARK FOR # AS # - 1, PRIMARY KEY (#))',
  'CREATE TABLE t (a int, # AS (# + 1), b #, c # AS (a), "#" AS (a)) APPEND ONLY WITH (# = #)',
  'CREATE TABLE t (# int GENERATED ALWAYS AS (#) STORED, # int) ON CONFLICT OVERWRITE',
  "CREATE SOURCE s.# (# int) INCLUDE KEY AS #, HEADER '#' AS # WITH (# = #, #.# = '#') FORMAT # ENCODE # (# = #)",
  'CREATE MATERIALIZED VIEW # (#, a) WITH (# = #) AS SELECT 1 AS # EMIT ON UPDATE',
  'CREATE SINK # INTO # (#) FROM # WITH (# = 1)',
  "CREATE SINK # FROM # EMIT PERIODIC # WITH (a = '#')",
  'SUBSCRIBE TO # WITH (#) AS OF # + 1 ENVELOPE UPSERT (KEY (#, "#"))',
  'COPY (SUBSCRIBE s.# WITH (# = #)) TO STDOUT (# #)',
  'DECLARE # CURSOR FOR SUBSCRIBE TO #',
  'DESCRIBE s.#',
  "SHOW TABLES FROM # LIKE '#'",
  'SHOW CREATE SINK #.#',
  'ALTER SOURCE # RENAME TO #',
  'ALTER SINK #.# SET (# = #)',
  'ALTER MATERIALIZED VIEW # RESET (#, "#")',
  'DROP SINK IF EXISTS #, #.# CASCADE',
  "COMMENT ON SOURCE # IS '#'",
  'PAUSE SOURCE #',
  'CHECK MATERIALIZED VIEW #',
  'REPLAY DEAD LETTERS FOR # WHERE # = 1 AND (#)',
];

function tree(text: string): string {
  let statements: readonly { readonly ast: Statement }[];
  try {
    statements = parseStatements(text);
  } catch (error) {
    throw new Error(`${text}: ${String(error)}`);
  }
  assert.equal(statements.length, 1, text);
  return JSON.stringify(statements[0]!.ast, (_key, value) =>
    typeof value === 'bigint' ? `${value}` : value,
  );
}

/** The statement with `word` has the tree that it has with a word that means nothing. */
function assertSameTree(template: string, word: string): void {
  const meaningless = 'z'.repeat(word.length);
  const expected = tree(template.replaceAll('#', meaningless)).replaceAll(meaningless, word);
  assert.equal(tree(template.replaceAll('#', word)), expected, template.replaceAll('#', word));
}

for (const around of AROUND) {
  test(`words of the dialect are names in: ${around.replaceAll('\n', ' ')}`, () => {
    for (const query of QUERIES) {
      for (const word of WORDS)
        assertSameTree(
          around.replace('@', () => query),
          word,
        );
    }
    for (const query of HIDING_QUERIES) {
      for (const word of [...WORDS, ...RESERVED]) {
        assertSameTree(
          around.replace('@', () => query),
          word,
        );
      }
    }
  });
}

test('words of the dialect are names of objects, columns and options', () => {
  for (const statement of STATEMENTS) {
    for (const word of WORDS) {
      assertSameTree(statement, word);
    }
  }
});

function viewOf(text: string) {
  const { ast } = parseStatements(text)[0]!;
  assert(ast.kind === 'create_materialized_view');
  return ast;
}

test('EMIT is the clause only at the end of the query', () => {
  const places: [string, 'update' | 'window_close' | 'periodic'][] = [
    ['SELECT * FROM a JOIN b emit ON update = 1', 'update'],
    ['SELECT * FROM a JOIN b emit ON update.x IS NULL WHERE true', 'window_close'],
    ['SELECT * FROM a JOIN b emit ON update JOIN c ON c.x = emit.y', 'update'],
    ['SELECT emit periodic FROM t', 'update'],
    ['SELECT emit periodic, emit FROM t ORDER BY emit', 'periodic'],
    ['SELECT (SELECT a FROM t emit), emit.on FROM emit', 'update'],
  ];
  const clauses = {
    update: 'EMIT ON UPDATE',
    window_close: 'EMIT ON WINDOW CLOSE',
    periodic: "EMIT PERIODIC INTERVAL '1 s'",
  };
  for (const [query, mode] of places) {
    const clause = clauses[mode];
    const view = viewOf(`CREATE MATERIALIZED VIEW v AS ${query} ${clause}`);
    assert.equal(view.queryText, query);
    assert.equal(view.emit?.mode, mode);
    assert.equal(view.emit?.position, 30 + query.length + 1);
    const plain = viewOf(`CREATE MATERIALIZED VIEW v AS ${query}`);
    assert.deepEqual([plain.query, plain.emit], [view.query, null]);
  }
});

test('clauses stay clauses beside names that look like them', () => {
  const view = viewOf(
    `CREATE MATERIALIZED VIEW emit AS SELECT asof, "ASOF", session.gap AS "with"
     FROM SESSION(session PARTITION BY partition, gap, INTERVAL '1 s') AS asof ASOF JOIN emit ON asof.x = emit.x
     LEFT JOIN tumble FOR SYSTEM_TIME AS OF system_time AS hop ON true EMIT PERIODIC $$1 s$$ WITH NO DATA`,
  );
  const text = JSON.stringify(view.query);
  assert.match(text, /"kind":"window_function"/);
  assert.match(text, /"isAsOf":true/);
  assert.match(text, /"asOf":\{"kind":"column_ref"/);
  assert.deepEqual([view.emit?.mode, view.withData], ['periodic', false]);
});

test('case and comments between the words of a clause change nothing', () => {
  const text = 'create materialized view v as select 1 emit on window close with no data';
  const expected = { ...viewOf(text), queryText: '' };
  assert.deepEqual({ ...viewOf(text.toUpperCase()), queryText: '' }, expected);
  const commented = text.replaceAll(' ', " /* emit ( /* */ ' */ -- with (\n");
  assert.deepEqual(viewOf(commented).emit?.mode, 'window_close');
  assert.equal(viewOf(commented).withData, false);
});

test('only A to Z are folded: no other letter makes a keyword', () => {
  const { ast } = parseStatements('DROP SOURCE É, "É", ſource')[0]!;
  assert(ast.kind === 'drop');
  assert.deepEqual(
    ast.names.map((name) => name.parts[0]),
    ['É', 'É', 'ſource'],
  );
  assert.throws(() => parseStatements('DROP ſINK a'), { sqlstate: '42601' });
  assert.throws(() => parseStatements('REPLAY DEAD LETTERS \u212aOR s'), { sqlstate: '42601' });
});

test('strings and names with escapes in the dialect', () => {
  const { ast } = parseStatements(
    `CREATE SINK U&"d\\0061ta" FROM "a""b" WITH (a = E'x\\ty', b = U&'d\\0061t', c = $q$'$q$, d = 'it''s')`,
  )[0]!;
  assert(ast.kind === 'create_sink');
  assert.deepEqual([ast.name.parts, ast.from?.parts], [['data'], ['a"b']]);
  assert.deepEqual(
    ast.options.map((option) => option.value),
    ['x\ty', 'dat', "'", "it's"],
  );
  assert.throws(() => parseStatements("CREATE SINK s FROM v WITH (a = b'1')"), {
    message: 'a plain string is expected here',
  });
});
