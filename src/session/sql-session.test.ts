/** The conversation: transactions, portals, prepared statements, cursors, as PostgreSQL has them. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import { RecordingWriter, SessionFixture, type TestSession } from './session-fixture.ts';

let fixture: SessionFixture;
let a: TestSession;
let b: TestSession;

before(async () => {
  fixture = await SessionFixture.start();
  a = await fixture.open();
  b = await fixture.open();
});

after(() => fixture.close());

async function runs(session: TestSession, pairs: readonly (readonly [string, string])[]) {
  for (const [text, expected] of pairs) assert.equal(await session.run(text), expected, text);
}

const FAILED =
  '25P02 current transaction is aborted, commands ignored until end of transaction block';

test('the statements of one message are one transaction', async () => {
  await runs(a, [
    ['CREATE TABLE one (x int); INSERT INTO one VALUES (1); SELECT * FROM one', '1'],
    ['INSERT INTO one VALUES (2); SELECT 1 / 0', '22012 division by zero'],
    ['SELECT count(*) FROM one', '1'],
    ['CREATE TABLE two (x int); SELECT nothing', '42703 column "nothing" does not exist'],
    ['SELECT * FROM two', '42P01 relation "two" does not exist'],
    [
      'BEGIN; INSERT INTO one VALUES (3); COMMIT; INSERT INTO one VALUES (4); SELECT 1 / 0',
      '22012 division by zero',
    ],
    ["SELECT string_agg(x::text, ',' ORDER BY x) FROM one", '1,3'],
  ]);
});

test('a failed block takes nothing but its end', async () => {
  await runs(a, [
    ['BEGIN', 'BEGIN'],
    ['INSERT INTO one VALUES (9)', 'INSERT 0 1'],
    ['SELECT x FROM one WHERE x = 9', '9'],
    ['SELECT nothing', '42703 column "nothing" does not exist'],
    ['SELECT 1', FAILED],
    ['SET TimeZone = UTC', FAILED],
  ]);
  assert.equal(a.session.status, 'E');
  await runs(a, [
    ['COMMIT', 'ROLLBACK'],
    ['SELECT count(*) FROM one WHERE x = 9', '0'],
  ]);
  assert.equal(a.session.status, 'I');
});

test('serializable transactions that read what the other wrote do not both commit', async () => {
  await runs(a, [['CREATE TABLE l (n int); CREATE TABLE r (n int)', 'CREATE TABLE CREATE TABLE']]);
  for (const session of [a, b]) await session.ok('BEGIN ISOLATION LEVEL SERIALIZABLE');
  await runs(a, [
    ['SELECT count(*) FROM l', '0'],
    ['INSERT INTO r VALUES (1)', 'INSERT 0 1'],
  ]);
  await runs(b, [
    ['SELECT count(*) FROM r', '0'],
    ['INSERT INTO l VALUES (1)', 'INSERT 0 1'],
  ]);
  const [first, second] = await Promise.all([a.run('COMMIT'), b.run('COMMIT')]);
  assert.deepEqual([first, second].sort(), [
    '40001 could not serialize access due to read/write dependencies among transactions',
    'COMMIT',
  ]);
});

test('repeatable read: one epoch, and 40001 where another has written', async () => {
  await a.ok('CREATE TABLE rr (id int PRIMARY KEY, n int); INSERT INTO rr VALUES (1, 1)');
  await runs(a, [
    ['BEGIN ISOLATION LEVEL REPEATABLE READ', 'BEGIN'],
    ['SELECT n FROM rr', '1'],
  ]);
  await b.ok('UPDATE rr SET n = 2');
  await runs(a, [
    ['SELECT n FROM rr WHERE id = 1', '1'],
    ['UPDATE rr SET n = n + 1', '40001 could not serialize access due to concurrent update'],
    ['ROLLBACK', 'ROLLBACK'],
    ['SELECT n FROM rr', '2'],
  ]);
});

test("plain views see a transaction's own writes, materialized ones what is published", async () => {
  await a.ok('CREATE TABLE w (x int); CREATE VIEW wv AS SELECT x FROM w');
  await a.ok('CREATE MATERIALIZED VIEW wm AS SELECT x FROM w');
  await runs(a, [
    ['BEGIN', 'BEGIN'],
    ['INSERT INTO w VALUES (1)', 'INSERT 0 1'],
    ['SELECT * FROM wv', '1'],
    ['SELECT count(*) FROM wm', '0'],
    ['COMMIT', 'COMMIT'],
    ['SELECT * FROM wm', '1'],
  ]);
});

test('an open cursor does not see what is written behind it', async () => {
  await runs(a, [
    ['BEGIN', 'BEGIN'],
    ['INSERT INTO w VALUES (2)', 'INSERT 0 1'],
    ['DECLARE c CURSOR FOR SELECT count(*), max(x) FROM w', 'DECLARE CURSOR'],
    ['INSERT INTO w VALUES (3)', 'INSERT 0 1'],
    ['TRUNCATE w', 'TRUNCATE TABLE'],
    ['FETCH ALL FROM c', '2|2'],
    ['SELECT count(*) FROM w', '0'],
    ['ROLLBACK', 'ROLLBACK'],
    ['SELECT count(*) FROM w', '1'],
  ]);
});

test('cursors WITH HOLD outlive a commit, not a rollback', async () => {
  await runs(a, [
    [
      'BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT * FROM generate_series(1, 5); COMMIT',
      'BEGIN DECLARE CURSOR COMMIT',
    ],
    ['FETCH 2 FROM h', '1 2'],
    ['MOVE 2 IN h', 'MOVE 2'],
    ['FETCH ALL FROM h', '5'],
    ['FETCH 1 FROM h', 'FETCH 0'],
    ['CLOSE h', 'CLOSE CURSOR'],
    ['BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT 1; ROLLBACK', 'BEGIN DECLARE CURSOR ROLLBACK'],
    ['FETCH 1 FROM h', '34000 cursor "h" does not exist'],
  ]);
});

test('a portal gives its rows piece by piece and dies with its transaction', async () => {
  const writer = new RecordingWriter();
  const { session } = a;
  await session.parse('s', 'SELECT g FROM generate_series(1, $1) g', [23], writer);
  await session.bind('p', 's', [], [Buffer.from('5')], []);
  assert.equal(await session.execute('p', 2, writer), 'suspended');
  assert.equal(await session.execute('p', 2, writer), 'suspended');
  assert.equal(await session.execute('p', 2, writer), 'complete');
  assert.deepEqual(writer.lines, ['1', '2', '3', '4', '5']);
  assert.deepEqual(writer.tags, ['SELECT 1']);
  await session.sync(writer);
  await assert.rejects(session.execute('p', 0, writer), { sqlstate: '34000' });
  session.failed();
  session.closeStatement('s');
});

async function executed(session: TestSession, name: string, value: string): Promise<string> {
  const writer = new RecordingWriter();
  try {
    await session.session.bind('', name, [], [Buffer.from(value)], []);
    await session.session.execute('', 0, writer);
    await session.session.sync(writer);
  } catch (error) {
    session.session.failed();
    await session.session.sync(writer);
    if (error instanceof SqlError) return `${error.sqlstate} ${error.message}`;
    throw error;
  }
  return writer.lines.join(' ');
}

test('a prepared statement is planned again after DDL; its result may not change', async () => {
  await a.ok("CREATE TABLE d (id int PRIMARY KEY, v text); INSERT INTO d VALUES (1, 'one')");
  await a.session.parse('q', 'SELECT * FROM d WHERE id = $1', [], new RecordingWriter());
  assert.equal(await executed(a, 'q', '1'), '1|one');
  await b.ok('CREATE INDEX ON d (v)');
  assert.equal(await executed(a, 'q', '1'), '1|one');
  await b.ok('DROP TABLE d; CREATE TABLE d (id int PRIMARY KEY, v text, n int)');
  assert.equal(await executed(a, 'q', '1'), '0A000 cached plan must not change result type');
  await b.ok('DROP TABLE d');
  assert.equal(await executed(a, 'q', '1'), '42P01 relation "d" does not exist');
  a.session.closeStatement('q');
});

test('a setting that planning depends on makes a new plan', async () => {
  const text = "SELECT '2024-06-01 12:00'::timestamptz = $1::timestamptz";
  await a.session.parse('tz', text, [], new RecordingWriter());
  assert.equal(await executed(a, 'tz', '2024-06-01 12:00+00'), 't');
  await a.ok("SET TimeZone = 'Europe/Berlin'");
  assert.equal(await executed(a, 'tz', '2024-06-01 12:00+02'), 't');
  await a.ok('RESET TimeZone');
  a.session.closeStatement('tz');
});

test('locks: a timeout, and the one that would close a cycle is refused', async () => {
  await a.ok('CREATE TABLE k1 (x int); CREATE TABLE k2 (x int)');
  await a.ok('BEGIN; INSERT INTO k1 VALUES (1)');
  await runs(b, [
    ["SET lock_timeout = '30ms'", 'SET'],
    ['INSERT INTO k1 VALUES (2)', '55P03 canceling statement due to lock timeout'],
    ['RESET lock_timeout', 'RESET'],
    ['BEGIN; INSERT INTO k2 VALUES (2)', 'BEGIN INSERT 0 1'],
  ]);
  const waiting = a.run('INSERT INTO k2 VALUES (1)');
  assert.equal(await b.run('INSERT INTO k1 VALUES (2)'), '40P01 deadlock detected');
  assert.equal(await waiting, 'INSERT 0 1');
  await runs(b, [['ROLLBACK', 'ROLLBACK']]);
  await runs(a, [
    ['COMMIT', 'COMMIT'],
    ['SELECT count(*) FROM k1, k2', '1'],
  ]);
});

test('two views in one statement are of one epoch', async () => {
  await a.ok('CREATE TABLE s (x int)');
  await a.ok('CREATE MATERIALIZED VIEW s1 AS SELECT count(*) AS c FROM s');
  await a.ok('CREATE MATERIALIZED VIEW s2 AS SELECT count(*) AS c FROM s');
  let isDone = false;
  const writing = (async () => {
    for (let i = 0; i < 100; i++) await b.ok(`INSERT INTO s VALUES (${i})`);
    isDone = true;
  })();
  while (!isDone) {
    assert.equal(await a.run('SELECT s1.c = s2.c FROM s1, s2'), 't');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await writing;
});

test('texts over 32 KiB are parsed elsewhere, with their errors', async () => {
  const long = 'x'.repeat(100_000);
  assert.equal(await a.run(`SELECT length('${long}')`), '100000');
  assert.equal(
    await a.run(`SELECT '${long}' FROM nowhere`),
    '42P01 relation "nowhere" does not exist',
  );
  assert.match(await a.run(`SELECT '${long}' FRM`), /^42601|^SELECT|^x/);
  assert.match(await a.run(`SELECT ${'('.repeat(50_000)}1${')'.repeat(50_000)}`), /^54001 /);
  assert.equal(await a.run('SELECT 1'), '1');
});
