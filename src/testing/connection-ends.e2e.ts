/**
 * Cancels, terminations and timeouts against a real server: whatever their moment, the connection they are for hears of them
 * once, and nothing is left behind.
 */

import assert from 'node:assert/strict';
import { connect as connectSocket } from 'node:net';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { serialize } from 'pg-protocol';
import { Random, systemRandom } from '../base/random.ts';
import { errorFields, RawClient } from './raw-client.ts';
import { ServerProcess } from './server-process.ts';

/** MILLRACE_CANCELS: how many cancel requests are sent (10000 for a long run). */
const CANCELS = Number(process.env.MILLRACE_CANCELS ?? 500);

let server: ServerProcess;
let port: number;
let admin: pg.Client;

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

before(async () => {
  server = await ServerProcess.start({ dataDir: ':memory:' });
  port = Number(new URL(server.url).port);
  admin = await connect();
  await admin.query('CREATE TABLE t (id int PRIMARY KEY, n int)');
});

after(async () => {
  await admin.end();
  await server.dispose();
});

const processIdOf = (client: pg.Client) =>
  (client as unknown as { readonly processID: number }).processID;

/** CancelRequest for the client; resolves when the server has taken it and closed. */
function cancel(client: pg.Client): Promise<void> {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const socket = connectSocket({ port, host: '127.0.0.1' });
  socket.end(serialize.cancel(processID, secretKey));
  return new Promise((resolve, reject) => {
    socket.once('close', () => resolve()).once('error', reject);
    socket.resume();
  });
}

test(`${CANCELS} cancel requests at any moment end statements, never connections`, async () => {
  const seed = systemRandom().u32();
  const random = new Random(seed);
  const client = await connect();
  const texts = ['SELECT 1', 'SELECT count(*) FROM generate_series(1, 200000)'];
  let done = 0;
  let isOver = false;
  const working = (async () => {
    for (let i = 0; !isOver; i++) {
      const text = i % 3 === 2 ? `INSERT INTO t VALUES (${i}, ${i})` : texts[i % 3]!;
      const outcome = await client.query(text).then(
        () => 'done',
        (error: pg.DatabaseError) => `${error.code} ${error.message}`,
      );
      if (outcome === 'done') done++;
      else assert.equal(outcome, '57014 canceling statement due to user request', `seed ${seed}`);
    }
  })();
  for (let sent = 0; sent < CANCELS; ) {
    const count = Math.min(1 + random.below(4), CANCELS - sent);
    await Promise.all(Array.from({ length: count }, () => cancel(client)));
    sent += count;
    for (let turns = random.below(20); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  isOver = true;
  await working;
  assert.ok(done > 0);
  assert.equal((await client.query('SELECT 7 AS x')).rows[0].x, 7);
  await client.end();
  const { rows } = await admin.query('SELECT count(*) = count(DISTINCT id) AS whole FROM t');
  assert.equal(rows[0].whole, true);
});

test('pg_terminate_backend ends idle and running connections, and their transactions', async () => {
  for (const text of ['BEGIN; INSERT INTO t VALUES (-1, 0)', null]) {
    const victim = await connect();
    const ended = new Promise((resolve) => victim.once('end', resolve));
    const messages: string[] = [];
    victim.on('error', (error) => messages.push(String((error as pg.DatabaseError).code)));
    if (text !== null) await victim.query(text);
    const running =
      text === null
        ? victim.query('SELECT count(*) FROM generate_series(1, 1000000000)').then(
            () => 'it ended',
            (error: pg.DatabaseError) => error.code,
          )
        : null;
    const pid = processIdOf(victim);
    const { rows } = await admin.query('SELECT pg_terminate_backend($1) AS done', [pid]);
    assert.equal(rows[0].done, true);
    await ended;
    if (running !== null) assert.match(String(await running), /^57(P01|014)$/);
    else assert.ok(messages.includes('57P01'), messages.join());
  }
  assert.equal((await admin.query('SELECT FROM t WHERE id = -1')).rowCount, 0);
  const { rows } = await admin.query('SELECT pg_terminate_backend(2147483647) AS done');
  assert.equal(rows[0].done, false);
});

test('idle_in_transaction_session_timeout gives back what the client held', async () => {
  const idle = await connect();
  const sentAway = new Promise<pg.DatabaseError>((resolve) => {
    idle.once('error', (thrown) => resolve(thrown as pg.DatabaseError));
  });
  await idle.query("SET idle_in_transaction_session_timeout = '50ms'");
  await idle.query('SELECT 1');
  await idle.query('BEGIN');
  await idle.query('INSERT INTO t VALUES (-2, 0)');
  // The lock on the key waits until the idle transaction is rolled back.
  await admin.query('INSERT INTO t VALUES (-2, 1)');
  const error = await sentAway;
  assert.equal(error.code, '25P03');
  assert.equal(error.message, 'terminating connection due to idle-in-transaction timeout');
  assert.equal((await admin.query('SELECT n FROM t WHERE id = -2')).rows[0].n, 1);
});

test('half a message holds up nobody else, and is finished, terminated or dropped', async () => {
  const query = serialize.query('SELECT 1');
  const clients = [await RawClient.login(port), await RawClient.login(port)] as const;
  for (const client of clients) client.send(query.subarray(0, 7));
  assert.equal((await admin.query('SELECT 1 AS x')).rows[0].x, 1);
  clients[0].send(query.subarray(7));
  assert.deepEqual(await clients[0].untilReady(), ['T', 'D', 'C SELECT 1', 'Z I']);
  clients[0].send(query.subarray(0, 3));
  clients[0].socket.end();
  assert.deepEqual(await clients[0].untilClosed(), []);
  const { rows } = await admin.query(
    'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() ORDER BY pid DESC LIMIT 1',
  );
  await admin.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
  const farewell = 'E FATAL 57P01 terminating connection due to administrator command';
  assert.deepEqual(await clients[1].untilClosed(), [farewell]);
});

test('an error of COPY tells where in the input it was', async () => {
  const client = await RawClient.login(port);
  client.send(serialize.query('COPY t FROM STDIN'));
  assert.equal((await client.message())?.letter, 'G');
  client.send(serialize.copyData(Buffer.from('70001\t1\nx\t2\n')), serialize.copyDone());
  const message = await client.message();
  const fields = errorFields(message?.body ?? Buffer.alloc(0));
  assert.equal(fields.C, '22P02');
  assert.equal(fields.M, 'invalid input syntax for type integer: "x"');
  assert.equal(fields.W, 'COPY t, line 2, column id: "x"');
  assert.equal(fields.D, undefined);
  client.destroy();
});
