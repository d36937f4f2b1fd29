/** Hostile and odd texts: whatever comes in, the parser answers with statements or a SqlError, in bounded time. */

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Random } from '../base/random.ts';
import { SqlError } from '../base/sql-error.ts';
import { loadParser, parseStatements } from './parse.ts';

const SEED = 20_261_121;
const CASES = 3000;

const SEEDS = [
  "CREATE MATERIALIZED VIEW w AS SELECT a, count(*) FROM TUMBLE(bids, ts, INTERVAL '1 minute') GROUP BY a, window_start EMIT ON WINDOW CLOSE",
  "CREATE SOURCE s (id BIGINT, ts TIMESTAMPTZ, WATERMARK FOR ts AS ts - INTERVAL '5 seconds') WITH (connector = 'file', path = 'x.csv') FORMAT PLAIN ENCODE CSV (header = true)",
  "CREATE MATERIALIZED VIEW v WITH (allowed_lateness = '1 hour') AS SELECT * FROM HOP(TABLE b, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND) EMIT PERIODIC INTERVAL '2 seconds'",
  'SUBSCRIBE TO v WITH (SNAPSHOT = true)',
  "SELECT $tag$ EMIT ON WINDOW CLOSE; $tag$, 'it''s', E'\\n', \"Emit\" /* SUBSCRIBE /* nested */ */ -- ;\nFROM t",
  'INSERT INTO t (a, "b c") VALUES (1, $1), (DEFAULT, NULL) ON CONFLICT (a) DO UPDATE SET a = excluded.a RETURNING *',
  'COPY t FROM STDIN WITH (FORMAT csv, HEADER true)',
  'CREATE SINK IF NOT EXISTS s INTO t (a) AS SELECT a FROM v EMIT ON UPDATE WITH (x = -1) FORMAT UPSERT ENCODE JSON',
  'CREATE TABLE t (a int AS (b + 1), d AS (a), WATERMARK FOR a AS a) APPEND ONLY INCLUDE KEY AS k',
  'COPY (SUBSCRIBE (SELECT 1) AS OF 5 ENVELOPE UPSERT (KEY (a))) TO STDOUT',
  "REPLAY DEAD LETTERS FOR s WHERE reason LIKE U&'a'",
];

const PIECES = [
  '(',
  ')',
  '((',
  '))',
  "'",
  '"',
  '$$',
  '$a$',
  '/*',
  '*/',
  '--',
  '\n',
  ';',
  ',',
  '\\',
  '\u0000',
  '😀',
  'é',
  'EMIT',
  'WATERMARK FOR',
  'SUBSCRIBE',
  'TABLE(',
  'DESCRIPTOR(',
  'SESSION(',
  'ASOF JOIN',
  'FOR SYSTEM_TIME AS OF',
  'AS',
  'SELECT',
  'FROM',
  '::',
  '$1',
  '$999999',
  '1e999',
  '0x',
  '..',
  'INTERVAL',
  'WITH (',
  'FORMAT PLAIN ENCODE',
  'INCLUDE KEY AS',
  'ENVELOPE UPSERT (KEY',
  'EMIT PERIODIC',
  'WITH NO DATA',
  'INTO',
  'U&"',
];

before(() => loadParser());

/** Parses; a SqlError is an answer, anything else a failure. */
function parses(text: string): boolean {
  try {
    parseStatements(text);
    return true;
  } catch (error) {
    assert.ok(error instanceof SqlError, `${JSON.stringify(text)}: ${String(error)}`);
    assert.match(error.sqlstate, /^[0-9A-Z]{5}$/);
    const position = error.fields.position ?? 0;
    assert.ok(
      position >= 0 && position <= text.length,
      `${JSON.stringify(text)}: position ${position}`,
    );
    return false;
  }
}

function mutate(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  const piece = PIECES[random.below(PIECES.length)]!;
  switch (random.below(4)) {
    case 0:
      return text.slice(0, at) + piece + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(Math.min(text.length, at + 1 + random.below(8)));
    case 2:
      return text.slice(0, at) + piece + text.slice(Math.min(text.length, at + piece.length));
    default:
      return text.slice(at) + text.slice(0, at);
  }
}

test('the seeds themselves parse', () => {
  for (const text of SEEDS) assert.ok(parses(text), text);
});

test(`mutated texts never crash the parser (seed ${SEED})`, () => {
  const random = new Random(SEED);
  let accepted = 0;
  for (let round = 0; round < CASES; round++) {
    let text = SEEDS[random.below(SEEDS.length)]!;
    for (let times = 1 + random.below(4); times > 0; times--) text = mutate(text, random);
    if (parses(text)) accepted++;
  }
  assert.ok(accepted > 0 && accepted < CASES, `${accepted} of ${CASES} accepted`);
  assert.ok(parses('SELECT 1'), 'the parser is well afterwards');
});

test('a statement of 1 MiB parses, whole and as a list of rows', () => {
  assert.ok(parses(`SELECT '${'x'.repeat(1024 * 1024)}'`));
  const rows = Array.from({ length: 40_000 }, (_, index) => `(${index}, 'row ${index}')`);
  assert.ok(parses(`INSERT INTO t VALUES ${rows.join(', ')}`));
});

test('depth is answered, not crashed on', () => {
  for (const depth of [3000, 5000, 100_000]) {
    parses(`SELECT ${'('.repeat(depth)}1${')'.repeat(depth)}`);
    parses(`SELECT ${'NOT '.repeat(depth)}true`);
    parses(`SELECT 1${' + 1'.repeat(depth)}`);
  }
  assert.ok(parses('SELECT 1'), 'the parser is well afterwards');
});

/** A view whose query only the grammar can cut off. */
function view(query: string): string {
  return `CREATE MATERIALIZED VIEW v AS ${query} EMIT ON UPDATE`;
}

test('the grammar takes long statements and any depth, in linear time', () => {
  const open = 100_000;
  assert.ok(parses(view(`SELECT '${'x'.repeat(1024 * 1024)}'`)));
  assert.ok(parses(view(`SELECT a FROM t WHERE a IN (${'1, '.repeat(50_000)}1)`)));
  assert.ok(parses(view(`SELECT ${'('.repeat(5000)}1${')'.repeat(5000)}`)));
  assert.ok(parses(`CREATE SINK s FROM v WITH (${'a.b = 1, '.repeat(20_000)}c)`));
  assert.ok(parses(`DESCRIBE a${'.a'.repeat(open)}`));
  for (const text of [
    view(`SELECT ${'('.repeat(open)}`),
    view(`SELECT ${'('.repeat(open)}1${')'.repeat(open)}`),
    view(`SELECT 1 ${'emit on update = '.repeat(20_000)}`),
    view(`SELECT 1 ${'with no data '.repeat(20_000)}`),
    `SUBSCRIBE ${'('.repeat(open)}`,
    `CREATE SOURCE s (${'a (b, '.repeat(20_000)}`,
    `CREATE SOURCE s (a ${'as '.repeat(open)}(`,
    `CREATE SINK s AS ${'SELECT ('.repeat(20_000)}`,
    `EXPLAIN ${'EXPLAIN '.repeat(open)}`,
  ]) {
    assert.ok(!parses(text), text.slice(0, 60));
  }
});
