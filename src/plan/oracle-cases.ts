/**
 * Queries with the answers that PostgreSQL (PGlite) gave: subqueries, joins, grouping, NULLs. Rows are columns joined by
 * `|`, ∅ for NULL; `error` is the SQLSTATE. Used by oracle.test.ts.
 */

export const SCHEMA = `
CREATE TABLE t (a INT PRIMARY KEY, b INT, c TEXT);
CREATE TABLE u (x INT, y INT, z TEXT);
CREATE TABLE e (k INT NOT NULL, v INT NOT NULL);
CREATE TABLE n (q NUMERIC, f FLOAT8);
`;

/** Values as text, NULL as null. */
export const ROWS: Readonly<Record<string, readonly (readonly (string | null)[])[]>> = {
  t: [
    ['1', '10', 'one'],
    ['2', '20', 'two'],
    ['3', null, 'three'],
    ['4', '10', null],
    ['5', '50', 'five'],
  ],
  u: [
    ['1', '100', 'p'],
    ['1', '101', 'q'],
    ['2', null, 'r'],
    [null, '103', 's'],
    ['9', '104', null],
    ['4', '10', 'one'],
  ],
  e: [],
  n: [
    ['1.0', '0'],
    ['1.00', '-0'],
    ['2.50', 'NaN'],
    [null, 'NaN'],
  ],
};

export interface OracleCase {
  readonly sql: string;
  readonly rows?: readonly string[];
  readonly error?: string;
}

export const CASES: readonly OracleCase[] = [
  { sql: 'SELECT * FROM t', rows: ['1|10|one', '2|20|two', '3|∅|three', '4|10|∅', '5|50|five'] },
  { sql: 'SELECT a + b, c FROM t WHERE b > 10 ORDER BY a DESC', rows: ['55|five', '22|two'] },
  { sql: 'SELECT t.a, u.y FROM t JOIN u ON t.a = u.x', rows: ['1|100', '1|101', '2|∅', '4|10'] },
  {
    sql: 'SELECT t.a, u.y FROM t LEFT JOIN u ON t.a = u.x AND u.y > 100',
    rows: ['1|101', '2|∅', '5|∅', '4|∅', '3|∅'],
  },
  {
    sql: 'SELECT t.a, u.y FROM t RIGHT JOIN u ON t.a = u.x',
    rows: ['1|100', '1|101', '2|∅', '∅|103', '∅|104', '4|10'],
  },
  {
    sql: 'SELECT t.a, u.y FROM t FULL JOIN u ON t.a = u.x',
    rows: ['1|100', '1|101', '2|∅', '∅|103', '∅|104', '4|10', '5|∅', '3|∅'],
  },
  {
    sql: 'SELECT t.a, u.y FROM t FULL JOIN u ON t.a = u.x WHERE t.a IS NULL OR u.x IS NULL',
    rows: ['∅|103', '∅|104', '5|∅', '3|∅'],
  },
  { sql: 'SELECT t.a, u.y FROM t, u WHERE t.a = u.x AND t.b = u.y', rows: ['4|10'] },
  { sql: 'SELECT count(*) FROM t CROSS JOIN u', rows: ['30'] },
  { sql: 'SELECT t.a FROM t LEFT JOIN u ON t.a = u.x WHERE u.x IS NULL', rows: ['5', '3'] },
  {
    sql: 'SELECT a, (SELECT max(y) FROM u WHERE u.x = t.a) FROM t',
    rows: ['1|101', '2|∅', '3|∅', '4|10', '5|∅'],
  },
  {
    sql: 'SELECT a, (SELECT count(*) FROM u WHERE u.x = t.a) FROM t',
    rows: ['1|2', '2|1', '3|0', '4|1', '5|0'],
  },
  {
    sql: 'SELECT a, (SELECT count(*) FROM u WHERE u.x = t.b) FROM t',
    rows: ['1|0', '2|0', '3|0', '4|0', '5|0'],
  },
  { sql: 'SELECT a, (SELECT y FROM u WHERE u.x = t.a) FROM t', error: '21000' },
  {
    sql: 'SELECT a, (SELECT y FROM u WHERE u.x = t.a AND u.y = 100) FROM t',
    rows: ['1|100', '2|∅', '3|∅', '4|∅', '5|∅'],
  },
  {
    sql: 'SELECT a, (SELECT max(y) FROM u) FROM t',
    rows: ['1|104', '2|104', '3|104', '4|104', '5|104'],
  },
  { sql: 'SELECT a, (SELECT y FROM u) FROM t', error: '21000' },
  { sql: 'SELECT a, (SELECT v FROM e) FROM t', rows: ['1|∅', '2|∅', '3|∅', '4|∅', '5|∅'] },
  {
    sql: 'SELECT a, (SELECT y FROM u WHERE u.x = t.a ORDER BY y DESC LIMIT 1) FROM t',
    rows: ['1|101', '2|∅', '3|∅', '4|10', '5|∅'],
  },
  { sql: 'SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.x = t.a)', rows: ['1', '2', '4'] },
  { sql: 'SELECT a FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.x = t.a)', rows: ['5', '3'] },
  {
    sql: 'SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.x < t.a AND u.y > t.b)',
    rows: ['2', '4', '5'],
  },
  { sql: 'SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u)', rows: ['1', '2', '3', '4', '5'] },
  { sql: 'SELECT a FROM t WHERE NOT EXISTS (SELECT 1 FROM e)', rows: ['1', '2', '3', '4', '5'] },
  {
    sql: 'SELECT a, EXISTS (SELECT 1 FROM u WHERE u.x = t.a) FROM t',
    rows: ['1|t', '2|t', '3|f', '4|t', '5|f'],
  },
  {
    sql: 'SELECT b, EXISTS (SELECT 1 FROM u WHERE u.x IS NOT DISTINCT FROM t.b) FROM t',
    rows: ['10|f', '20|f', '∅|t', '10|f', '50|f'],
  },
  {
    sql: 'SELECT a, EXISTS (SELECT 1 FROM u) AND b > 10 FROM t',
    rows: ['1|f', '2|t', '3|∅', '4|f', '5|t'],
  },
  {
    sql: 'SELECT a FROM t WHERE EXISTS (SELECT count(*) FROM u WHERE u.x = t.a)',
    rows: ['1', '2', '3', '4', '5'],
  },
  {
    sql: 'SELECT a FROM t WHERE EXISTS (SELECT max(y) FROM u WHERE u.x = t.a HAVING max(y) > 100)',
    rows: ['1'],
  },
  { sql: 'SELECT a FROM t WHERE a IN (SELECT x FROM u)', rows: ['1', '2', '4'] },
  { sql: 'SELECT a FROM t WHERE a NOT IN (SELECT x FROM u)', rows: [] },
  { sql: 'SELECT a FROM t WHERE a NOT IN (SELECT x FROM u WHERE x IS NOT NULL)', rows: ['3', '5'] },
  { sql: 'SELECT b FROM t WHERE b NOT IN (SELECT k FROM e)', rows: ['10', '20', '∅', '10', '50'] },
  { sql: 'SELECT b FROM t WHERE b IN (SELECT k FROM e)', rows: [] },
  {
    sql: 'SELECT a FROM t WHERE b NOT IN (SELECT y FROM u WHERE u.x = t.a)',
    rows: ['1', '3', '5'],
  },
  { sql: 'SELECT a, b IN (SELECT y FROM u) FROM t', rows: ['1|t', '2|∅', '3|∅', '4|t', '5|∅'] },
  { sql: 'SELECT a, b NOT IN (SELECT y FROM u) FROM t', rows: ['1|f', '2|∅', '3|∅', '4|f', '5|∅'] },
  {
    sql: 'SELECT a, b IN (SELECT y FROM u WHERE y IS NOT NULL) FROM t',
    rows: ['1|t', '2|f', '3|∅', '4|t', '5|f'],
  },
  {
    sql: 'SELECT a, b IN (SELECT y FROM u WHERE u.x = t.a) FROM t',
    rows: ['1|f', '2|∅', '3|f', '4|t', '5|f'],
  },
  { sql: 'SELECT a, b IN (SELECT k FROM e) FROM t', rows: ['1|f', '2|f', '3|f', '4|f', '5|f'] },
  { sql: 'SELECT a FROM t WHERE (a, b) IN (SELECT x, y FROM u)', rows: ['4'] },
  {
    sql: 'SELECT a, (a, b) IN (SELECT x, y FROM u) FROM t',
    rows: ['1|f', '2|∅', '3|∅', '4|t', '5|f'],
  },
  { sql: 'SELECT a FROM t WHERE (a, b) NOT IN (SELECT x, y FROM u)', rows: ['1', '5'] },
  {
    sql: 'SELECT a, b > ALL (SELECT y FROM u WHERE u.x = t.a) FROM t',
    rows: ['1|f', '2|∅', '3|t', '4|f', '5|t'],
  },
  {
    sql: 'SELECT a, b < ANY (SELECT y FROM u WHERE u.x = t.a) FROM t',
    rows: ['1|t', '2|∅', '3|f', '4|f', '5|f'],
  },
  { sql: 'SELECT a, b < ANY (SELECT y FROM u) FROM t', rows: ['1|t', '2|t', '3|∅', '4|t', '5|t'] },
  { sql: 'SELECT a, b > ALL (SELECT k FROM e) FROM t', rows: ['1|t', '2|t', '3|t', '4|t', '5|t'] },
  {
    sql: 'SELECT a FROM t WHERE b <> ALL (SELECT y FROM u WHERE y > 100)',
    rows: ['1', '2', '4', '5'],
  },
  {
    sql: 'SELECT a, ARRAY(SELECT y FROM u WHERE u.x = t.a ORDER BY y DESC) FROM t',
    rows: ['1|{101,100}', '2|{NULL}', '3|{}', '4|{10}', '5|{}'],
  },
  {
    sql: 'SELECT a, ARRAY(SELECT k FROM e) FROM t',
    rows: ['1|{}', '2|{}', '3|{}', '4|{}', '5|{}'],
  },
  {
    sql: 'SELECT a FROM t WHERE a IN (SELECT x FROM u WHERE u.y IN (SELECT b + 90 FROM t t2 WHERE t2.a = t.a))',
    rows: ['1'],
  },
  {
    sql: 'SELECT a, (SELECT (SELECT count(*) FROM u u2 WHERE u2.x = t.a AND u2.y >= u1.y) FROM u u1 WHERE u1.x = t.a ORDER BY u1.y LIMIT 1) FROM t',
    rows: ['1|2', '2|0', '3|∅', '4|1', '5|∅'],
  },
  {
    sql: 'SELECT a, (SELECT count(*) FROM u WHERE u.x = t.a AND EXISTS (SELECT 1 FROM t t2 WHERE t2.a = u.x AND t2.b = t.b)) FROM t',
    rows: ['1|2', '2|1', '3|0', '4|1', '5|0'],
  },
  {
    sql: 'SELECT b, count(*), (SELECT count(*) FROM u WHERE u.y = t.b) FROM t GROUP BY b',
    rows: ['∅|1|0', '10|2|1', '50|1|0', '20|1|0'],
  },
  {
    sql: 'SELECT b, sum((SELECT count(*) FROM u WHERE u.x = t.a)) FROM t GROUP BY b',
    rows: ['10|3', '20|1', '50|0', '∅|0'],
  },
  {
    sql: 'SELECT b FROM t GROUP BY b HAVING count(*) > (SELECT count(*) - 5 FROM u)',
    rows: ['10'],
  },
  {
    sql: 'SELECT b FROM t GROUP BY b HAVING EXISTS (SELECT 1 FROM u WHERE u.y = t.b)',
    rows: ['10'],
  },
  {
    sql: 'SELECT t.a, s.m FROM t, LATERAL (SELECT max(y) AS m FROM u WHERE u.x = t.a) s',
    rows: ['1|101', '2|∅', '3|∅', '4|10', '5|∅'],
  },
  {
    sql: 'SELECT t.a, s.y FROM t LEFT JOIN LATERAL (SELECT y FROM u WHERE u.x = t.a ORDER BY y LIMIT 1) s ON true',
    rows: ['1|100', '2|∅', '3|∅', '4|10', '5|∅'],
  },
  {
    sql: 'SELECT t.a, s.y FROM t CROSS JOIN LATERAL (SELECT y FROM u WHERE u.x < t.a) s',
    rows: [
      '2|100',
      '3|100',
      '4|100',
      '5|100',
      '2|101',
      '3|101',
      '4|101',
      '5|101',
      '3|∅',
      '4|∅',
      '5|∅',
      '5|10',
    ],
  },
  {
    sql: 'SELECT t.a, g FROM t, generate_series(1, t.a) g',
    rows: [
      '1|1',
      '2|1',
      '2|2',
      '3|1',
      '3|2',
      '3|3',
      '4|1',
      '4|2',
      '4|3',
      '4|4',
      '5|1',
      '5|2',
      '5|3',
      '5|4',
      '5|5',
    ],
  },
  {
    sql: 'SELECT t.a, g.n FROM t LEFT JOIN LATERAL generate_series(1, t.a - 2) AS g(n) ON true',
    rows: ['1|∅', '2|∅', '3|1', '4|1', '4|2', '5|1', '5|2', '5|3'],
  },
  {
    sql: 'SELECT * FROM generate_series(1, 3) WITH ORDINALITY AS g(v, o)',
    rows: ['1|1', '2|2', '3|3'],
  },
  { sql: 'SELECT generate_series(1, a) FROM t WHERE a < 3', rows: ['1', '1', '2'] },
  {
    sql: 'SELECT b, count(*), count(c), sum(a), min(c), max(c) FROM t GROUP BY b',
    rows: ['∅|1|1|3|three|three', '10|2|1|5|one|one', '50|1|1|5|five|five', '20|1|1|2|two|two'],
  },
  { sql: 'SELECT count(*), sum(a), max(b) FROM t WHERE a > 100', rows: ['0|∅|∅'] },
  { sql: 'SELECT b, count(*) FROM t WHERE a > 100 GROUP BY b', rows: [] },
  { sql: 'SELECT count(DISTINCT b), count(*) FILTER (WHERE b = 10) FROM t', rows: ['3|2'] },
  { sql: 'SELECT b + 1, count(*) FROM t GROUP BY b + 1 HAVING count(*) > 1', rows: ['11|2'] },
  {
    sql: 'SELECT b AS g, count(*) FROM t GROUP BY g ORDER BY g NULLS FIRST',
    rows: ['∅|1', '10|2', '20|1', '50|1'],
  },
  {
    sql: 'SELECT b, count(*) FROM t GROUP BY 1 ORDER BY 2 DESC, 1',
    rows: ['10|2', '20|1', '50|1', '∅|1'],
  },
  {
    sql: 'SELECT t.a, t.c, count(u.y) FROM t LEFT JOIN u ON t.a = u.x GROUP BY t.a',
    rows: ['2|two|0', '3|three|0', '5|five|0', '4|∅|1', '1|one|2'],
  },
  { sql: 'SELECT DISTINCT b FROM t', rows: ['∅', '10', '50', '20'] },
  {
    sql: 'SELECT DISTINCT ON (b) b, a FROM t ORDER BY b, a DESC',
    rows: ['10|4', '20|2', '50|5', '∅|3'],
  },
  { sql: 'SELECT count(DISTINCT q), count(*) FROM n', rows: ['2|4'] },
  { sql: 'SELECT q, count(*) FROM n GROUP BY q', rows: ['∅|1', '2.50|1', '1.0|2'] },
  { sql: 'SELECT f, count(*) FROM n GROUP BY f', rows: ['0|2', 'NaN|2'] },
  { sql: 'SELECT DISTINCT f FROM n', rows: ['0', 'NaN'] },
  {
    sql: 'SELECT n.q, m.q FROM n JOIN n m ON n.q = m.q',
    rows: ['1.0|1.0', '1.0|1.00', '1.00|1.0', '1.00|1.00', '2.50|2.50'],
  },
  { sql: 'SELECT count(*) FROM n JOIN n m ON n.f = m.f', rows: ['8'] },
  { sql: 'SELECT a FROM t UNION SELECT x FROM u', rows: ['∅', '2', '5', '4', '9', '3', '1'] },
  {
    sql: 'SELECT a FROM t UNION ALL SELECT x FROM u',
    rows: ['1', '2', '3', '4', '5', '1', '1', '2', '∅', '9', '4'],
  },
  { sql: 'SELECT b FROM t INTERSECT SELECT y FROM u', rows: ['∅', '10'] },
  { sql: 'SELECT b FROM t EXCEPT SELECT y FROM u', rows: ['50', '20'] },
  { sql: 'SELECT b FROM t EXCEPT ALL SELECT y FROM u', rows: ['10', '50', '20'] },
  { sql: 'SELECT x FROM u INTERSECT ALL SELECT a FROM t', rows: ['4', '2', '1'] },
  { sql: 'SELECT NULL UNION SELECT 1', rows: ['1', '∅'] },
  { sql: "SELECT 'x' UNION SELECT 'y' ORDER BY 1", rows: ['x', 'y'] },
  {
    sql: 'SELECT a FROM t UNION ALL (SELECT x FROM u ORDER BY y LIMIT 2) ORDER BY 1 NULLS FIRST LIMIT 4 OFFSET 1',
    rows: ['1', '2', '3', '4'],
  },
  { sql: "VALUES (1, 'a'), (2, NULL), (NULL, 'c')", rows: ['1|a', '2|∅', '∅|c'] },
  { sql: 'VALUES (1), (2.5), (NULL) ORDER BY 1 DESC', rows: ['∅', '2.5', '1'] },
  {
    sql: 'WITH w AS (SELECT a, b FROM t WHERE b IS NOT NULL) SELECT w1.a, w2.a FROM w w1 JOIN w w2 ON w1.b = w2.b',
    rows: ['1|1', '1|4', '4|1', '4|4', '2|2', '5|5'],
  },
  {
    sql: 'WITH w(p) AS (SELECT a FROM t), v AS (SELECT p + 1 AS p1 FROM w) SELECT * FROM v WHERE p1 > 2',
    rows: ['3', '4', '5', '6'],
  },
  { sql: 'SELECT * FROM (SELECT a, b FROM t) s(p, q) WHERE p > 3', rows: ['4|10', '5|50'] },
  { sql: 'SELECT * FROM t JOIN u USING (a)', error: '42703' },
  {
    sql: 'SELECT * FROM (SELECT a AS x, b FROM t) s JOIN u USING (x)',
    rows: ['1|10|100|p', '1|10|101|q', '2|20|∅|r', '4|10|10|one'],
  },
  {
    sql: 'SELECT x, count(*) FROM (SELECT a AS x FROM t) s FULL JOIN u USING (x) GROUP BY x',
    rows: ['∅|1', '2|1', '3|1', '5|1', '4|1', '9|1', '1|2'],
  },
  {
    sql: 'SELECT * FROM (SELECT a AS x, b FROM t) s NATURAL LEFT JOIN u',
    rows: ['1|10|100|p', '1|10|101|q', '2|20|∅|r', '4|10|10|one', '5|50|∅|∅', '3|∅|∅|∅'],
  },
  {
    sql: 'SELECT a, row_number() OVER (ORDER BY b, a) FROM t',
    rows: ['1|1', '4|2', '2|3', '5|4', '3|5'],
  },
  {
    sql: 'SELECT a FROM (SELECT a, row_number() OVER (PARTITION BY b ORDER BY a) AS r FROM t) s WHERE r = 1',
    rows: ['1', '2', '5', '3'],
  },
  {
    sql: 'SELECT a, r FROM (SELECT a, row_number() OVER (PARTITION BY b ORDER BY a DESC) AS r FROM t) s WHERE r <= 1 AND a > 1',
    rows: ['4|1', '2|1', '5|1', '3|1'],
  },
  {
    sql: 'SELECT b, sum(a) OVER (PARTITION BY b), count(*) OVER () FROM t',
    rows: ['10|5|5', '10|5|5', '20|2|5', '50|5|5', '∅|3|5'],
  },
  { sql: 'SELECT a, sum(a) OVER (ORDER BY a) FROM t', rows: ['1|1', '2|3', '3|6', '4|10', '5|15'] },
  {
    sql: 'SELECT b, sum(sum(a)) OVER (ORDER BY b) FROM t GROUP BY b',
    rows: ['10|5', '20|7', '50|12', '∅|15'],
  },
  {
    sql: 'SELECT CASE b WHEN 10 THEN 1 WHEN 20 THEN 2 ELSE 0 END FROM t',
    rows: ['1', '2', '0', '1', '0'],
  },
  { sql: 'SELECT a FROM t WHERE b IN (10, 50)', rows: ['1', '4', '5'] },
  { sql: 'SELECT a FROM t WHERE b NOT IN (10, NULL)', rows: [] },
  { sql: 'SELECT a FROM t WHERE b BETWEEN 10 AND 20', rows: ['1', '2', '4'] },
  {
    sql: 'SELECT a, b IS DISTINCT FROM 10, NULLIF(b, 10), COALESCE(b, a), GREATEST(a, b) FROM t',
    rows: ['1|f|∅|10|10', '2|t|20|20|20', '3|t|∅|3|3', '4|f|∅|10|10', '5|t|50|50|50'],
  },
  {
    sql: 'SELECT (a, b) = (1, 10), (a, b) < (2, 15) FROM t',
    rows: ['t|t', 'f|f', 'f|f', 'f|f', 'f|f'],
  },
  {
    sql: 'SELECT a FROM t WHERE CASE WHEN a = 3 THEN false ELSE 10 / (a - 3) > 0 END',
    rows: ['4', '5'],
  },
  { sql: 'SELECT a FROM t WHERE a <> 3 AND 10 / (a - 3) > 0', rows: ['4', '5'] },
  {
    sql: 'SELECT a FROM (SELECT a, b FROM t WHERE a > 2) s WHERE b > 10 OR b IS NULL',
    rows: ['3', '5'],
  },
  {
    sql: 'SELECT -2147483648, 2147483648, 9223372036854775808, 1.50, 1e3',
    rows: ['-2147483648|2147483648|9223372036854775808|1.50|1000'],
  },
  { sql: "SELECT 'abc' || a FROM t WHERE c LIKE 't%'", rows: ['abc2', 'abc3'] },
  {
    sql: 'SELECT a FROM t ORDER BY (SELECT max(y) FROM u WHERE u.x = t.a) DESC NULLS LAST, a',
    rows: ['1', '4', '2', '3', '5'],
  },
  { sql: 'SELECT a, b FROM t ORDER BY b DESC, a LIMIT 2', rows: ['3|∅', '5|50'] },
  { sql: 'SELECT a FROM t LIMIT 0', rows: [] },
  { sql: 'SELECT count(*) FROM (SELECT 1 FROM t) s', rows: ['5'] },
  { sql: 'SELECT 1 WHERE false', rows: [] },
  { sql: 'SELECT max(a) FROM t HAVING false', rows: [] },
  { sql: 'SELECT 1 FROM t HAVING true', rows: ['1'] },
  {
    sql: 'SELECT (SELECT count(*) FROM u WHERE x = o.a AND y > (SELECT min(y) FROM u i WHERE i.x = o.a)) FROM t o',
    rows: ['1', '0', '0', '0', '0'],
  },
  {
    sql: 'SELECT o.a FROM t o WHERE o.b = (SELECT max(i.b) FROM t i WHERE i.b < 50 AND i.a >= o.a)',
    rows: ['2', '4'],
  },
  { sql: 'SELECT a FROM t WHERE (SELECT bool_or(u.x = t.a) FROM u)', rows: ['1', '2', '4'] },
  { sql: 'SELECT a FROM t WHERE a = ANY (ARRAY[1, 3, NULL])', rows: ['1', '3'] },
  { sql: 'SELECT (VALUES (1))', rows: ['1'] },
  { sql: 'SELECT a, (VALUES (t.b)) FROM t', rows: ['1|10', '2|20', '3|∅', '4|10', '5|50'] },
  { sql: 'SELECT a, (SELECT t.b + 1) FROM t', rows: ['1|11', '2|21', '3|∅', '4|11', '5|51'] },
  {
    sql: 'SELECT a, (SELECT count(*) FROM (SELECT x FROM u WHERE u.x = t.a UNION SELECT 7) s) FROM t',
    rows: ['1|2', '2|2', '3|1', '4|2', '5|1'],
  },
  {
    sql: 'SELECT a, (SELECT sum(y) FROM u LEFT JOIN e ON e.k = t.a WHERE u.x = t.a) FROM t',
    rows: ['1|201', '2|∅', '3|∅', '4|10', '5|∅'],
  },
  {
    sql: 'SELECT a, (SELECT count(*) FROM e RIGHT JOIN u ON e.k = u.x AND u.x = t.a) FROM t',
    rows: ['1|6', '2|6', '3|6', '4|6', '5|6'],
  },
  {
    sql: 'SELECT a, (SELECT count(e.k) FROM u LEFT JOIN (SELECT k FROM e WHERE e.v = t.b) e ON e.k = u.x WHERE u.x = t.a) FROM t',
    rows: ['1|0', '2|0', '3|0', '4|0', '5|0'],
  },
  {
    sql: 'SELECT a, (SELECT DISTINCT u.z FROM u WHERE u.x = t.a AND u.y = 100) FROM t',
    rows: ['1|p', '2|∅', '3|∅', '4|∅', '5|∅'],
  },
  {
    sql: 'SELECT a, (SELECT r FROM (SELECT y, row_number() OVER (ORDER BY y) AS r FROM u WHERE u.x = t.a) s WHERE y = 101) FROM t',
    rows: ['1|2', '2|∅', '3|∅', '4|∅', '5|∅'],
  },
];
