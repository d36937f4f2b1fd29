import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import { loadParser } from '../sql/parse.ts';
import { NEXMARK_QUERIES, NEXMARK_SCHEMA } from './nexmark-queries.ts';
import { ScriptedCatalog } from './scripted-catalog.ts';

let scripted: ScriptedCatalog;
let nexmark: ScriptedCatalog;

before(async () => {
  await loadParser();
  nexmark = new ScriptedCatalog().define(NEXMARK_SCHEMA);
  scripted = new ScriptedCatalog().define(`
    CREATE SOURCE s (k INT, v INT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '5 seconds') WITH (connector = 'x');
    CREATE SOURCE r (k INT, w INT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '1 minute') WITH (connector = 'x');
    CREATE TABLE t (a INT PRIMARY KEY, b NUMERIC, c TEXT, z TIMESTAMPTZ);
  `);
});

function plan(sql: string, wanted: string, options = {}): void {
  assert.equal(scripted.explainView(sql, options), wanted.replace(/^\n/, '').replace(/\n\s*$/, ''));
}

for (const [name, sql] of Object.entries(NEXMARK_QUERIES)) {
  test(`nexmark ${name} plans as a stream, with and without the optimizer`, () => {
    for (const optimize of [true, false]) {
      nexmark.optimize = optimize;
      const view = nexmark.view(sql);
      assert.deepEqual(JSON.parse(JSON.stringify(view.plan)), view.plan);
    }
  });
}

test('a tumbling window closes its groups', () => {
  plan(
    "SELECT window_start, k, sum(v) AS total FROM TUMBLE(s, ts, INTERVAL '1 minute') GROUP BY window_start, k",
    `
Materialize key=(window_start, k) emit=update on_error=withhold
-> Project [window_start, k, sum as total] {key=(window_start, k) watermark=(window_start)}
   -> Aggregate [sum(v)] by (window_start, k) closes on window_start {key=(window_start, k) watermark=(window_start) state=open windows}
      -> Tumble on ts size 1 minute {append-only watermark=(ts, window_start, window_end, window_time)}
         -> Scan source public.s [k, v, ts] {append-only watermark=(ts)}
`,
  );
});

test('EMIT ON WINDOW CLOSE holds rows by the best time column, and its output is append-only', () => {
  plan(
    "SELECT window_end, count(*) AS n FROM HOP(s, ts, INTERVAL '1 s', INTERVAL '10 s') GROUP BY window_start, window_end",
    `
Materialize key=(window_end) emit=window_close on_error=withhold
-> EmitOnClose window_end {key=(window_end) append-only watermark=(window_end) state=open rows}
   -> Project [window_end, count as n] {key=(window_end) watermark=(window_end)}
      -> Aggregate [count()] by (window_start, window_end) closes on window_start {key=(window_start, window_end) watermark=(window_start, window_end) state=open windows}
         -> Hop on ts slide 1 second size 10 seconds {append-only watermark=(ts, window_start, window_end, window_time)}
            -> Scan source public.s [ts] {append-only watermark=(ts)}
`
      .replace('key=(window_end) append-only', 'append-only')
      .replace('n] {key=(window_end) ', 'n] {')
      .replace('Materialize key=(window_end)', 'Materialize key=none'),
    { emit: 'window_close' },
  );
});

test('both bounds on event time make an interval join', () => {
  plan(
    "SELECT s.k FROM s JOIN r ON s.k = r.k AND r.at BETWEEN s.ts - INTERVAL '1 minute' AND s.ts + INTERVAL '2 minutes'",
    `
Materialize key=none emit=update on_error=withhold
-> Project [k] {append-only}
   -> InnerJoin on k = k and ((at >= (ts - '00:01:00')) and (at <= (ts + '00:02:00'))) interval [-1 minute, 2 minutes] {append-only watermark=(ts, at) state=rows within the interval}
      -> Scan source public.s [k, ts] {append-only watermark=(ts)}
      -> Scan source public.r [k, at] {append-only watermark=(at)}
`,
  );
  assert.doesNotMatch(
    scripted.explainView('SELECT s.k FROM s JOIN r ON s.k = r.k AND r.at >= s.ts'),
    /interval \[/,
  );
});

test('keys of coarser equality are grouped by their canonical value', () => {
  plan(
    'SELECT b, count(*) AS n FROM t GROUP BY b',
    `
Materialize key=none emit=update on_error=withhold
-> Project [b, count as n]
   -> Aggregate [count(), least_of(b)] by (canonical) {key=(canonical) state=groups}
      -> Project [b, canonical(b) as canonical]
         -> Scan table public.t [b]
`,
  );
});

test('comparisons with now() become a temporal filter', () => {
  plan(
    "SELECT a FROM t WHERE z > now() - INTERVAL '1 hour' AND c = 'x'",
    `
Materialize key=(a) emit=update on_error=withhold
-> Project [a] {key=(a)}
   -> TemporalFilter until valid_until {key=(a) state=live rows}
      -> Project [a, (z + '01:00:00') as valid_until] {key=(a)}
         -> Filter (c = 'x') {key=(a)}
            -> Scan table public.t [a, c, z] {key=(a)}
`,
  );
});

test('row_number() <= n is a Top-N, whose rank goes where nobody reads it', () => {
  plan(
    'SELECT k, v FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY v DESC) AS n FROM s) x WHERE n <= 3',
    `
Materialize key=none emit=update on_error=withhold
-> Project [k, v]
   -> TopN partition by (k) order by v desc limit 3 {state=partitions}
      -> Scan source public.s [k, v, ts] {append-only watermark=(ts)}
`,
  );
  plan(
    'SELECT k, v FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY v DESC) AS n FROM s) x WHERE n = 1',
    `
Materialize key=(k) emit=update on_error=withhold
-> Project [k, v] {key=(k)}
   -> TopN partition by (k) order by v desc limit 1 {key=(k) state=one row a partition}
      -> Scan source public.s [k, v, ts] {append-only watermark=(ts)}
`,
  );
  const other =
    'SELECT k FROM (SELECT k, rank() OVER (PARTITION BY k ORDER BY v) AS n FROM s) x WHERE n <= 3';
  assert.match(scripted.explainView(other), /Over \[rank\(\)\]/);
});

test('filters go below inner joins, not below the filled side of outer ones', () => {
  plan(
    'SELECT s.k FROM s LEFT JOIN t ON s.k = t.a WHERE s.v > 1 AND t.c IS NULL',
    `
Materialize key=none emit=update on_error=withhold
-> Project [k]
   -> Filter (c is null)
      -> LeftJoin on k = a {state=both inputs}
         -> Project [k] {append-only}
            -> Filter (v > 1) {append-only}
               -> Scan source public.s [k, v] {append-only}
         -> Scan table public.t [a, c] {key=(a)}
`.replace(
      '         -> Project [k] {append-only}\n            -> Filter (v > 1) {append-only}\n               -> Scan source',
      '         -> Filter (v > 1) {append-only}\n            -> Scan source',
    ),
  );
});

test('a fallible filter stays above the join that guards it', () => {
  const text = scripted.explainView('SELECT s.k FROM s JOIN t ON s.k = t.a WHERE 10 / s.v > 1');
  assert.match(text, /InnerJoin on k = a and \(\(10 \/ v\) > 1\)/);
});

test('date_trunc passes the watermark on; its groups stay open', () => {
  const sql =
    "SELECT date_trunc('hour', ts) AS h, count(*) AS n FROM s GROUP BY date_trunc('hour', ts)";
  const text = scripted.explainView(sql);
  assert.match(text, /watermark=\(h\)/);
  assert.doesNotMatch(text, /closes on/);
  assert.match(scripted.explainView(sql, { emit: 'window_close' }), /EmitOnClose h/);
});

test('windows over windows, unions and views keep the watermark', () => {
  scripted.define(`CREATE MATERIALIZED VIEW per_second AS
    SELECT window_time, k, count(*) AS n FROM TUMBLE(s, ts, INTERVAL '1 second') GROUP BY window_time, k`);
  const text = scripted.explainView(
    "SELECT window_end, sum(n) AS n FROM TUMBLE(per_second, window_time, INTERVAL '1 minute') GROUP BY window_end",
  );
  assert.match(text, /closes on window_end/);
  const union = scripted.explainView(
    "SELECT window_end, count(*) AS n FROM TUMBLE((SELECT ts FROM s UNION ALL SELECT at FROM r), ts, INTERVAL '1 minute') GROUP BY window_end",
  );
  assert.match(union, /closes on window_end/);
});

test('an error fails reads where a missing row would change others', () => {
  const onError = (sql: string) => scripted.view(sql).plan.onError;
  assert.equal(onError('SELECT 1 / v AS x FROM s'), 'withhold');
  assert.equal(onError('SELECT count(*) FROM s WHERE 1 / v > 0'), 'fail');
  assert.equal(onError('SELECT k FROM s GROUP BY k'), 'withhold');
  const joined = (kind: string) => `SELECT a.k FROM s a ${kind} s b ON a.k = b.k AND 1 / b.v > 0`;
  assert.equal(onError(joined('JOIN')), 'withhold');
  assert.equal(onError(joined('LEFT JOIN')), 'fail');
  assert.equal(scripted.view('SELECT 1 / v AS x FROM s', { onError: 'fail' }).plan.onError, 'fail');
});

test('state without bound is told', () => {
  assert.deepEqual(scripted.view('SELECT k, count(*) FROM s GROUP BY k').plan.notices, [
    'the state of GROUP BY k grows with the number of its groups',
  ]);
  assert.deepEqual(scripted.view('SELECT a, b FROM t').plan.notices, []);
});

test('LIMIT in a view is a Top-N', () => {
  assert.match(
    scripted.explainView('SELECT a, c FROM t ORDER BY c DESC LIMIT 2 OFFSET 1'),
    /TopN order by c desc limit 2 offset 1/,
  );
});

test('allowed_lateness holds the output watermark back', () => {
  const sql =
    "SELECT window_end, count(*) AS n FROM TUMBLE(s, ts, INTERVAL '1 minute') GROUP BY window_end";
  const node = scripted.view(sql, { allowedLatenessUs: '3600000000' }).plan.node;
  assert.match(JSON.stringify(node), /"allowedLatenessUs":"3600000000"/);
  assert.throws(
    () => scripted.view(sql, { allowedLatenessUs: '1', emit: 'window_close' }),
    (error) => error instanceof SqlError && error.sqlstate === '0A000',
  );
});
