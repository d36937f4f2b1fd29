/** Heavy queries over a real server: they can be stopped, and nobody else waits for them. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { ServerProcess } from './server-process.ts';

/** Generous: the machine that runs tests may be busy. */
const QUICK_MS = 1000;

let server: ServerProcess;
let heavy: pg.Client;
let other: pg.Client;

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

before(async () => {
  server = await ServerProcess.start({ dataDir: ':memory:' });
  heavy = await connect();
  other = await connect();
  await heavy.query('CREATE TABLE t (id int PRIMARY KEY, g int, v text)');
  await heavy.query("INSERT INTO t SELECT n, n % 100, 'v' || n FROM generate_series(1, 50000) n");
});

after(async () => {
  await heavy.end();
  await other.end();
  await server.dispose();
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

for (const text of [
  'SELECT count(*) FROM generate_series(1, 1000000000)',
  'SELECT a.v FROM t a JOIN t b USING (g) ORDER BY a.v, b.v',
  'SELECT a.g, count(*) FROM t a, t b WHERE a.id + b.id = 7 GROUP BY 1',
  'UPDATE t SET g = (SELECT count(*) FROM t a, t b WHERE a.id + b.id = t.id)',
]) {
  test(`it is stopped at once, and others are served meanwhile: ${text}`, async () => {
    const { processID } = heavy as unknown as { readonly processID: number };
    const result = heavy.query(text).then(
      () => 'it ended',
      (error: pg.DatabaseError) => error.code,
    );
    await pause(300);
    for (let i = 0; i < 5; i++) {
      const start = performance.now();
      await other.query('SELECT v FROM t WHERE id = $1', [i + 1]);
      assert.ok(performance.now() - start < QUICK_MS);
    }
    const start = performance.now();
    await other.query('SELECT pg_cancel_backend($1)', [processID]);
    assert.equal(await result, '57014');
    assert.ok(performance.now() - start < QUICK_MS);
    assert.equal((await heavy.query('SELECT count(*)::int AS n FROM t')).rows[0].n, 50_000);
  });
}

test('idle cursors over long results leave room for other queries', async () => {
  const clients = await Promise.all(Array.from({ length: 6 }, connect));
  for (const client of clients) {
    await client.query('BEGIN');
    await client.query('DECLARE c CURSOR FOR SELECT * FROM t');
    assert.equal((await client.query('FETCH 10 FROM c')).rowCount, 10);
  }
  const { rows } = await other.query("SELECT count(*)::int AS n FROM t WHERE v LIKE 'v1%'");
  assert.equal(rows[0].n, 11_111);
  await other.query('DELETE FROM t WHERE id > 49990');
  for (const client of clients) {
    assert.equal((await client.query('FETCH ALL FROM c')).rowCount, 49_990);
    await client.end();
  }
});

test('a client killed in mid-COPY leaves nothing behind', async () => {
  const client = await connect();
  const { connection } = client as unknown as {
    connection: {
      query(text: string): void;
      sendCopyFromChunk(chunk: Buffer): void;
      stream: { destroy(): void };
    };
  };
  connection.query('COPY t FROM STDIN');
  await pause(100);
  connection.sendCopyFromChunk(Buffer.from('-1\t1\tx\n-2\t1\tx\n'.repeat(1)));
  await pause(100);
  connection.stream.destroy();
  await pause(100);
  assert.equal((await other.query('SELECT * FROM t WHERE id < 0')).rowCount, 0);
  assert.equal((await other.query("INSERT INTO t VALUES (-1, 1, 'x')")).rowCount, 1);
});

test('one statement takes 65,535 parameters', async () => {
  const values = Array.from({ length: 65_535 }, (_, index) => index);
  const places = values.map((index) => `($${index + 1}::int)`).join(',');
  const { rows } = await other.query(
    `SELECT sum(x)::int AS s FROM (VALUES ${places}) v(x)`,
    values,
  );
  assert.equal(rows[0].s, 2_147_385_345);
});
