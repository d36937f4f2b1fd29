/** Whatever a statement held is given back on every way out: success, error, cancel, disconnect. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import {
  NOTHING_HELD,
  RecordingWriter,
  SessionFixture,
  type TestSession,
} from './session-fixture.ts';

let fixture: SessionFixture;
let client: TestSession;

before(async () => {
  fixture = await SessionFixture.start();
  client = await fixture.open();
  await client.ok('CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL, n int CHECK (n > 0))');
  await client.ok("INSERT INTO t SELECT g, 'v' || g, g FROM generate_series(1, 30000) g");
  await client.ok(
    'CREATE MATERIALIZED VIEW m AS SELECT n % 10 AS k, count(*) AS c FROM t GROUP BY 1',
  );
});

after(() => fixture.close());

const STATEMENTS = [
  'SELECT 1',
  'SELECT * FROM t WHERE id = 5',
  'SELECT * FROM t WHERE id = 5 AND 1 / (id - 5) > 0',
  'SELECT 1 / 0',
  'SELECT count(*) FROM t',
  'SELECT count(*) FROM t a JOIN t b USING (id)',
  'SELECT * FROM t ORDER BY v LIMIT 3',
  'SELECT 1 / (id - 29999) FROM t',
  'SELECT * FROM m',
  'SELECT * FROM t LIMIT -1',
  'SELECT id FROM t WHERE id = 5 LIMIT -1',
  'SELECT count(*) FROM pg_class',
  'SELECT name FROM millrace.jobs',
  "INSERT INTO t VALUES (1, 'again', 1)",
  'INSERT INTO t VALUES (-1, NULL, 1)',
  "INSERT INTO t VALUES (-1, 'x', -1)",
  'INSERT INTO t SELECT -id, v, 1 / (id - 29000) FROM t',
  "INSERT INTO t VALUES (-1, 'x', 1), (-1, 'x', 1) ON CONFLICT (id) DO UPDATE SET n = 2",
  "INSERT INTO t VALUES (-2, 'x', 1) RETURNING id, 1 / (id + 2)",
  "INSERT INTO t VALUES (-3, 'x', 1) RETURNING *",
  'UPDATE t SET n = n / (id - 29999)',
  'DELETE FROM t WHERE id < 0',
  'BEGIN; SELECT * FROM t; ROLLBACK',
  "BEGIN; INSERT INTO t VALUES (-4, 'x', 1); SELECT count(*) FROM t; SELECT 1 / 0",
  'ROLLBACK',
  'BEGIN; DECLARE c CURSOR FOR SELECT * FROM t; FETCH 2 FROM c; COMMIT',
  'BEGIN; DECLARE c CURSOR FOR SELECT 1 / (id - 3) FROM t ORDER BY id; FETCH ALL FROM c',
  'ROLLBACK',
  'BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT * FROM t; COMMIT; FETCH 1 FROM h; CLOSE h',
  'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM m; COMMIT',
  'BEGIN; TRUNCATE t; SELECT count(*) FROM t; ROLLBACK',
  'BEGIN; CREATE TABLE gone (a int); INSERT INTO gone VALUES (1); DROP TABLE gone; COMMIT',
  'CREATE TABLE t (a int)',
  'EXPLAIN SELECT * FROM t',
  'SHOW ALL',
  'COPY (SELECT * FROM t) TO STDOUT',
  'COPY (SELECT 1 / (id - 100) FROM t) TO STDOUT',
  'PREPARE p AS SELECT v FROM t WHERE id = $1; EXECUTE p (3); EXECUTE p (4); DEALLOCATE p',
  "SELECT string_agg(repeat('x', 10000), '') FROM generate_series(1, 100000)",
];

for (const text of STATEMENTS) {
  test(`nothing is held after: ${text}`, async () => {
    await client.run(text);
    assert.equal(await fixture.held(), NOTHING_HELD);
  });
}

/** Cancels the session's statement after a while. */
async function cancelled(text: string, afterMs: number): Promise<string> {
  const answer = client.run(text);
  const timer = setTimeout(
    () => client.session.cancel('canceling statement due to user request'),
    afterMs,
  );
  const result = await answer;
  clearTimeout(timer);
  return result;
}

for (const text of [
  'SELECT count(*) FROM generate_series(1, 1000000000)',
  'SELECT a.v FROM t a, t b ORDER BY a.v, b.v',
  'INSERT INTO t SELECT -a.id, b.v, 1 FROM t a, t b',
  'SELECT pg_get_viewdef(g) FROM generate_series(1, 1000000000) g',
]) {
  test(`nothing is held after a cancel of: ${text}`, async () => {
    assert.equal(await cancelled(text, 60), '57014 canceling statement due to user request');
    assert.equal(await fixture.held(), NOTHING_HELD);
    assert.equal(await client.run('SELECT count(*) FROM t'), '30000');
  });
}

test('statement_timeout ends a statement, and the next one runs', async () => {
  await client.ok("SET statement_timeout = '100ms'");
  const answer = await client.run('SELECT count(*) FROM generate_series(1, 1000000000)');
  assert.equal(answer, '57014 canceling statement due to statement timeout');
  await client.ok('RESET statement_timeout');
  assert.equal(await fixture.held(), NOTHING_HELD);
});

test('a COPY that its client leaves applies nothing and holds nothing', async () => {
  const writer = new RecordingWriter();
  writer.input = ['-10\tx\t1\n-11\ty\t1\n', new SqlError('57014', 'COPY from stdin failed')];
  assert.match(await client.run('COPY t FROM STDIN', writer), /^57014/);
  assert.equal(await fixture.held(), NOTHING_HELD);
  assert.equal(await client.run('SELECT count(*) FROM t WHERE id < 0'), '0');
});

test('a disconnect gives back what a transaction, its cursors and its portals held', async () => {
  const other = await fixture.open();
  await other.ok('BEGIN ISOLATION LEVEL SERIALIZABLE');
  await other.ok("INSERT INTO t VALUES (-20, 'x', 1)");
  await other.ok('DECLARE c CURSOR FOR SELECT * FROM t');
  await other.ok('FETCH 1 FROM c');
  const writer = new RecordingWriter();
  await other.session.parse('', 'SELECT * FROM t', [], writer);
  await other.session.bind('p', '', [], [], []);
  assert.equal(await other.session.execute('p', 2, writer), 'suspended');
  assert.notEqual(fixture.pinCount, 0);
  await other.session.end();
  assert.equal(await fixture.held(), NOTHING_HELD);
  assert.equal(await client.run('SELECT count(*) FROM t WHERE id < 0'), '0');
});

test('a subscription holds one snapshot while it waits and none when it ends', async () => {
  const other = await fixture.open();
  const writer = new RecordingWriter();
  const answer = other.run('SUBSCRIBE m', writer);
  while (writer.lines.length < 10) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(fixture.pinCount, 1);
  await client.ok('DELETE FROM t WHERE id = 10');
  while (writer.lines.length < 12) await new Promise((resolve) => setTimeout(resolve, 5));
  other.session.cancel('canceling statement due to user request');
  assert.equal(await answer, '57014 canceling statement due to user request');
  assert.equal(await fixture.held(), NOTHING_HELD);
  const [, ...changes] = writer.lines.slice(9).map((line) => line.split('|').slice(1).join('|'));
  assert.deepEqual(changes.sort(), ['-1|0|3000', '1|0|2999']);
});

test('a subscription to an EMIT PERIODIC view ends at once in its wait, and in the middle of a change', async () => {
  const query = 'SELECT id FROM t WHERE id > 2990';
  await client.ok(`CREATE MATERIALIZED VIEW slow AS ${query} EMIT PERIODIC INTERVAL '10 minutes'`);
  await client.ok(`CREATE MATERIALIZED VIEW fast AS ${query} EMIT PERIODIC INTERVAL '1 ms'`);
  await client.ok(`CREATE MATERIALIZED VIEW rare AS ${query} EMIT PERIODIC INTERVAL '31 minutes'`);
  assert.match(await client.run('SUBSCRIBE rare'), /^0A000 /);
  const count = Number(await client.ok('SELECT count(*) FROM slow'));
  assert.ok(count > 2);

  const other = await fixture.open();
  const writer = new RecordingWriter();
  const answer = other.run('SUBSCRIBE slow', writer);
  while (writer.lines.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  await client.ok('DELETE FROM t WHERE id = 2999');
  other.session.cancel('canceling statement due to user request');
  assert.equal(await answer, '57014 canceling statement due to user request');
  assert.equal(writer.lines.length, count, 'the period is not over');
  assert.equal(await fixture.held(), NOTHING_HELD);

  await other.ok('BEGIN');
  await other.ok('DECLARE c CURSOR FOR SUBSCRIBE fast WITH (snapshot = false)');
  await client.ok('DELETE FROM t WHERE id IN (2997, 2998)');
  assert.match(await other.ok('FETCH 1 FROM c'), /\|-1\|2997$/);
  await other.ok('ROLLBACK');
  assert.equal(await fixture.held(), NOTHING_HELD);
});
