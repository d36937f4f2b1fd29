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

/** Words of the dialect where PostgreSQL may have them as names. */
const PLAIN_SQL = [
  'SELECT emit FROM t',
  'SELECT a AS emit FROM t',
  'SELECT "emit" FROM t AS "watermark"',
  "SELECT 'EMIT ON WINDOW CLOSE' FROM t",
  'SELECT t.subscribe, t.watermark FROM t',
  'SELECT a FROM t -- EMIT ON WINDOW CLOSE',
  'SELECT a /* WATERMARK FOR x AS y */ FROM t',
  'SELECT $$ FORMAT PLAIN ENCODE JSON $$',
  'SELECT tumble(1, 2), session(3)',
  'SELECT (SELECT a FROM session) FROM tumble',
  'CREATE TABLE emit (watermark int, format text, "FOR" int)',
  'SELECT session, hop FROM t GROUP BY session, hop',
];

test('words of the dialect are names where PostgreSQL has names', () => {
  for (const text of PLAIN_SQL) assert.ok(parses(text), text);
});
