/** Deparsed text parses to the same AST, places and spelling aside. */

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { deparseQuery } from './deparse.ts';
import { loadParser, parseStatements } from './parse.ts';

before(loadParser);

/** The AST without places; a call in SQL's own syntax is a plain call. */
function shape(text: string): { json: string; again: string } {
  const { ast } = parseStatements(text)[0]!;
  assert(ast.kind === 'select_statement', text);
  const json = JSON.stringify(ast.query, (key, value) => {
    if (key === 'position') return undefined;
    return key === 'syntax' ? 'call' : value;
  });
  return { json, again: deparseQuery(ast.query) };
}

const QUERIES = [
  `SELECT a + -1 * (b - c), -x, NOT (a AND b OR c), a IS NOT NULL, (a = b) IS NOT TRUE, 'it''s', E'a\\\\b' FROM t`,
  `SELECT a LIKE 'x' ESCAPE '!', b NOT ILIKE c, a BETWEEN 1 AND 2, a NOT IN (1, 2), a = ANY (b), a <> ALL (SELECT 1)`,
  `SELECT (a, b) IN (SELECT 1, 2), EXISTS (SELECT), ARRAY(SELECT 1), ARRAY[1, 2], a[1], a[1:2], (r).x, CAST(a AS numeric(10,2)[])`,
  `SELECT EXTRACT(year FROM ts), ts AT TIME ZONE 'x', TRIM(both 'a' FROM b), CURRENT_TIMESTAMP(3), INTERVAL '1' MINUTE`,
  `SELECT INTERVAL '1 minute', ts - INTERVAL '90' SECOND(3) * 2, -(INTERVAL(2) '1.234 s'), '1'::interval day to hour, x::interval, ts::interval(3), ARRAY['1 s']::interval[]`,
  `SELECT count(*) FILTER (WHERE a), string_agg(DISTINCT a, ',' ORDER BY a DESC NULLS LAST), percentile_cont(0.5) WITHIN GROUP (ORDER BY x)`,
  `SELECT sum(a) OVER w, sum(a) OVER (w ROWS BETWEEN 3 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM t WINDOW w AS (PARTITION BY b ORDER BY c)`,
  `WITH RECURSIVE q (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM q), m AS NOT MATERIALIZED (SELECT 2) SELECT DISTINCT ON (n) n AS "From" FROM q, m ORDER BY n DESC LIMIT 1 OFFSET 2`,
  `(SELECT 1 UNION SELECT 2) EXCEPT ALL (VALUES (1), (DEFAULT) ORDER BY 1 LIMIT 3)`,
  `SELECT 1 FROM a LEFT JOIN (b JOIN c USING (x)) ON a.k = b.k NATURAL JOIN d CROSS JOIN LATERAL (SELECT 1) AS e (z)`,
  `SELECT 1 FROM unnest(a, b) WITH ORDINALITY AS u (x, y, n), ROWS FROM (f(1) AS (a int), g(2)), h() AS (b text)`,
  `SELECT 1 FROM t GROUP BY GROUPING SETS ((a), ROLLUP (b, c), ()), d HAVING count(*) > 1`,
  `SELECT * FROM SESSION(bids PARTITION BY a, ts, INTERVAL '5 minutes') AS s, HOP((SELECT * FROM x), ts, '1 s', '2 s')`,
  `SELECT first_value(ts) OVER (ORDER BY ts SESSION WITH GAP INTERVAL '5 minutes') FROM a ASOF LEFT JOIN b ON a.t >= b.t`,
  `SELECT 1 FROM o JOIN d FOR SYSTEM_TIME AS OF o.ts AS x ON o.k = x.k`,
  `SELECT CASE a WHEN 1 THEN 'x' ELSE 'y' END, COALESCE(a, b), NULLIF(a, b), GREATEST(1, 2), a COLLATE "C", a OPERATOR(pg_catalog.+) b`,
];

for (const text of QUERIES) {
  test(`deparse: ${text.slice(0, 60)}`, () => {
    const first = shape(text);
    assert.equal(shape(first.again).json, first.json, first.again);
  });
}

test('an interval is written as people write it', () => {
  const text = "SELECT ts - INTERVAL '1 minute', INTERVAL '1' DAY, CAST(x AS interval) FROM t";
  assert.equal(shape(text).again, text);
});
