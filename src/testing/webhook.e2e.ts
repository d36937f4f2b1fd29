/** Rows that are posted to a source: what is answered, what is refused, and what a killed server still has. */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

interface Answer {
  readonly status: number;
  readonly body: { readonly [key: string]: unknown };
}

async function started(t: TestContext): Promise<{ server: ServerProcess; client: SqlClient }> {
  const server = await ServerProcess.start({ isHttpOn: true });
  t.after(() => server.dispose());
  const client = await SqlClient.connect(server.url);
  t.after(() => client.close().catch(() => undefined));
  return { server, client };
}

async function post(
  server: ServerProcess,
  path: string,
  body: string,
  headers: Record<string, string> = {},
  method = 'POST',
): Promise<Answer> {
  const response = await fetch(`${server.httpUrl}/ingest/${path}`, {
    method,
    ...(method === 'GET' ? {} : { body }),
    headers,
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

const JSON_TYPE = { 'content-type': 'application/json' };
const LINES_TYPE = { 'content-type': 'application/x-ndjson' };

test('objects, arrays and lines become rows; bad ones are dead letters with their number', async (t) => {
  const { server, client } = await started(t);
  await client.query(`CREATE SOURCE clicks (id bigint NOT NULL, page text, double bigint AS (id * 2))
    WITH (connector = 'webhook') FORMAT PLAIN ENCODE JSON`);
  await client.query('CREATE MATERIALIZED VIEW v AS SELECT id, page, double FROM clicks');
  const sent: [string, Record<string, string>, unknown][] = [
    ['{"id": 1, "page": "a"}', JSON_TYPE, { accepted: 1, rejected: 0 }],
    [
      '[{"id": 2}, {"id": "x"}, 7, {"page": "b"}, {"id": 3}]',
      JSON_TYPE,
      { accepted: 2, rejected: 3 },
    ],
    ['{"id": 4}\n\n{"id": 5, \n{"id": 6}', LINES_TYPE, { accepted: 2, rejected: 1 }],
    ['{"id": 7}\r\n{"id": 8}\r\n', {}, { accepted: 2, rejected: 0 }],
    ['[]', JSON_TYPE, { accepted: 0, rejected: 0 }],
    ['{\n  "id": 9\n}', {}, { accepted: 1, rejected: 0 }],
  ];
  for (const [body, headers, wanted] of sent) {
    assert.deepEqual(await post(server, 'public/clicks', body, headers), {
      status: 200,
      body: wanted,
    });
  }
  const rows = async () => (await client.query('SELECT id, page, double FROM v ORDER BY id')).rows;
  const expected = ['1:a', 2, 3, 4, 6, 7, 8, 9].map((one) => {
    const [id = '', page = null] = String(one).split(':');
    return [id, page, String(2 * Number(id))];
  });
  assert.deepEqual(await rows(), expected);
  const letters = `SELECT position::jsonb ->> 'index', sqlstate, position::jsonb ->> 'record'
    FROM millrace.dead_letters ORDER BY (position::jsonb ->> 'record')::int`;
  const wanted = [
    ['1', '22P02', '2'],
    ['2', '22P02', '3'],
    ['3', '23502', '4'],
    ['1', '22P02', '7'],
  ];
  assert.deepEqual((await client.query(letters)).rows, wanted);
  const accounts = 'SELECT rows_read, rows_rejected FROM millrace.sources';
  assert.deepEqual((await client.query(accounts)).rows, [['12', '4']]);
  await server.killAndRestart(client);
  assert.deepEqual(await rows(), expected);
  assert.deepEqual((await client.query(letters)).rows, wanted);
  assert.deepEqual((await client.query(accounts)).rows, [['12', '4']]);
  // A view that came later has the rows since its own start.
  await client.query('CREATE MATERIALIZED VIEW later AS SELECT page FROM clicks');
  await client.query('ALTER SOURCE clicks ALTER COLUMN id DROP NOT NULL');
  await client.query("REPLAY DEAD LETTERS FOR clicks WHERE sqlstate = '23502'");
  await server.killAndRestart(client);
  assert.deepEqual(await rows(), [...expected, [null, 'b', null]]);
  assert.deepEqual((await client.query('SELECT * FROM later')).rows, []);
  assert.deepEqual(
    (await client.query(letters)).rows,
    wanted.filter(([, sqlstate]) => sqlstate !== '23502'),
  );
  assert.deepEqual((await client.query(accounts)).rows, [['12', '3']]);
});

test('each view has the rows since its own start; without one nothing is taken', async (t) => {
  const { server, client } = await started(t);
  await client.query(
    `CREATE SOURCE s (id int) WITH (connector = 'webhook') FORMAT PLAIN ENCODE JSON`,
  );
  const refused = await post(server, 'public/s', '{"id": 1}');
  assert.equal(refused.status, 503);
  assert.match(String(refused.body.error), /would be lost: no view reads it/);
  await client.query('CREATE MATERIALIZED VIEW a AS SELECT sum(id) AS n FROM s');
  assert.equal((await post(server, 'public/s', '{"id": 1}')).status, 200);
  await client.query('CREATE MATERIALIZED VIEW b AS SELECT sum(id) AS n FROM s');
  assert.equal((await post(server, 'public/s', '{"id": 10}')).status, 200);
  const sums = 'SELECT (SELECT n FROM a), (SELECT n FROM b)';
  assert.deepEqual((await client.query(sums)).rows, [['11', '10']]);
  await server.killAndRestart(client);
  assert.deepEqual((await client.query(sums)).rows, [['11', '10']]);
  await client.query('DROP MATERIALIZED VIEW a, b');
  assert.equal((await post(server, 'public/s', '{"id": 100}')).status, 503);
  await assert.rejects(client.query('SELECT * FROM s LIMIT 1'), /keeps no rows/);
  await client.query('DROP SOURCE s');
  assert.equal((await post(server, 'public/s', '{"id": 100}')).status, 404);
});

test('a signature is asked for where there is a secret, which nobody is shown', async (t) => {
  const { server, client } = await started(t);
  await client.query(`CREATE SOURCE s (id int) WITH (connector = 'webhook', secret = 'open sesame',
    signature.header = 'X-Signature') FORMAT PLAIN ENCODE JSON`);
  await client.query('CREATE MATERIALIZED VIEW v AS SELECT id FROM s');
  const body = '{"id": 1}';
  const mac = createHmac('sha256', 'open sesame').update(body).digest('hex');
  const signed = (text: string) => post(server, 'public/s', body, { 'x-signature': text });
  assert.equal((await post(server, 'public/s', body)).status, 401);
  assert.equal(
    (await signed(`sha256=${mac.replace(/^./, (c) => (c === '0' ? '1' : '0'))}`)).status,
    403,
  );
  assert.equal((await signed('sha256=')).status, 403);
  assert.equal((await signed(`sha256=${mac}`)).status, 200);
  assert.equal((await signed(mac.toUpperCase())).status, 200);
  assert.equal(await client.value('SELECT count(*) FROM v'), '2');
  const { rows } = await client.query('SHOW CREATE SOURCE s');
  assert.match(JSON.stringify(rows), /secret = '\*+'/);
  assert.doesNotMatch(JSON.stringify(rows), /sesame/);
  assert.doesNotMatch(server.log, /sesame/);
});

test('what cannot be taken is refused, and says why', async (t) => {
  const { server, client } = await started(t);
  await client.query(`CREATE SOURCE s (id int) WITH (connector = 'webhook', body.max.bytes = 100)
    FORMAT PLAIN ENCODE JSON`);
  await client.query('CREATE TABLE t (id int)');
  await client.query('CREATE MATERIALIZED VIEW v AS SELECT id FROM s');
  const status = async (...args: [path: string, body: string, headers?: Record<string, string>]) =>
    (await post(server, ...args)).status;
  assert.equal(await status('public/none', '{}'), 404);
  assert.equal(await status('public/t', '{}'), 404);
  assert.equal((await post(server, 'public/s', '', {}, 'GET')).status, 405);
  for (const body of ['', ' \n', '{"id": 1', '[{"id": 1},\n{"id": 2}\n', 'id=1', '[1] 2']) {
    assert.equal(await status('public/s', body), 400, body);
  }
  assert.equal(await status('public/s', '{"id": 1}\n{"id": 2}', JSON_TYPE), 400);
  assert.equal(await status('public/s', `{"id": 1, "x": "${'x'.repeat(100)}"}`), 413);
  assert.equal(await status('public/s', '{}', { 'content-encoding': 'gzip' }), 415);
  assert.equal(await status('public/s', '{}', { origin: 'https://example.org' }), 403);
  assert.equal(await status('public/s', '{}', { 'idempotency-key': 'k'.repeat(256) }), 400);
  assert.equal(await client.value('SELECT count(*) FROM v'), '0');
  assert.equal(await client.value('SELECT count(*) FROM millrace.dead_letters'), '0');
  for (const [options, wanted] of [
    ["secret = ''", /invalid value for option "secret"/],
    ["signature.header = 'a b'", /invalid value for option "signature.header"/],
    ['body.max.bytes = 0', /invalid value for option "body.max.bytes"/],
    ["sekret = 'x'", /unrecognized option "sekret"/],
  ] as const) {
    const sql = `CREATE SOURCE x (id int) WITH (connector = 'webhook', ${options}) FORMAT PLAIN ENCODE JSON`;
    await assert.rejects(client.query(sql), wanted);
  }
});

test('a full queue tells the sender to come again', async (t) => {
  const { server, client } = await started(t);
  await client.query(`CREATE SOURCE s (id int) WITH (connector = 'webhook', queued.max.bytes = 50)
    FORMAT PLAIN ENCODE JSON`);
  await client.query('CREATE MATERIALIZED VIEW v AS SELECT id FROM s');
  const slowBody = `{"id": 1}${' '.repeat(40)}`;
  const slow = request(`${server.httpUrl}/ingest/public/s`, {
    method: 'POST',
    headers: { 'content-length': slowBody.length, expect: '100-continue' },
  });
  const slowStatus = new Promise((resolve) => {
    slow.once('response', (response) => resolve(response.resume().statusCode));
  });
  // The server has read the head.
  await new Promise((resolve) => {
    slow.once('continue', resolve);
    slow.flushHeaders();
  });
  const response = await fetch(`${server.httpUrl}/ingest/public/s`, {
    method: 'POST',
    body: '{"id": 2}',
  });
  assert.equal(response.status, 429);
  assert.equal(response.headers.get('retry-after'), '1');
  slow.end(slowBody);
  assert.equal(await slowStatus, 200);
  assert.equal((await post(server, 'public/s', '{"id": 3}')).status, 200);
  assert.deepEqual((await client.query('SELECT id FROM v ORDER BY id')).rows, [['1'], ['3']]);
});

const CLIENTS = 2;
const KILLS = 3;
const ROWS_A_POST = 1500;
const POSTS = 12;

test('kill -9: what was answered is there, a body enters whole or not at all, and a key counts once', async (t) => {
  const { server, client } = await started(t);
  await client.query(`CREATE SOURCE s (post text, id int) WITH (connector = 'webhook')
    FORMAT PLAIN ENCODE JSON`);
  await client.query(
    'CREATE MATERIALIZED VIEW v AS SELECT post, count(*) AS n, sum(id) AS s FROM s GROUP BY post',
  );
  const sum = (ROWS_A_POST * (ROWS_A_POST - 1)) / 2;
  const whole = [String(ROWS_A_POST), String(sum)];
  const answered = new Set<string>();
  for (let round = 0; round < KILLS; round += 1) {
    const killable = Promise.withResolvers<void>();
    const answeredThen = answered.size + 3 + round;
    const names = Array.from({ length: POSTS }, (_, i) => `${round}-${i}`);
    const send = async (name: string) => {
      const rows = Array.from({ length: ROWS_A_POST }, (_, id) => ({ post: name, id }));
      const headers = { ...JSON_TYPE, 'idempotency-key': name };
      const { status } = await post(server, 'public/s', JSON.stringify(rows), headers);
      assert.equal(status, 200);
      answered.add(name);
      if (answered.size === answeredThen) killable.resolve();
    };
    const clients = Array.from({ length: CLIENTS }, async (_, number) => {
      for (const [i, name] of names.entries()) if (i % CLIENTS === number) await send(name);
    });
    const ended = Promise.allSettled(clients);
    await Promise.race([killable.promise, ended]);
    await server.kill();
    const ends = await ended;
    assert.ok(
      ends.some(({ status }) => status === 'rejected'),
      'the kill came in the middle',
    );
    await server.restart();
    await client.reconnect(server.url);
    const { rows } = await client.query('SELECT post, n, s FROM v');
    const seen = new Map(rows.map(([name, ...values]) => [name, values]));
    for (const values of seen.values()) assert.deepEqual(values, whole);
    for (const name of answered)
      assert.ok(seen.has(name), `post ${name} was answered, and is lost`);
    // Whoever got no answer sends it again.
    for (const name of names) if (!answered.has(name)) await send(name);
    const after = await client.query('SELECT post, n, s FROM v');
    assert.equal(after.rows.length, (round + 1) * POSTS);
    for (const [, ...values] of after.rows) assert.deepEqual(values, whole);
    const read = await client.value('SELECT rows_read FROM millrace.sources');
    assert.equal(Number(read), (round + 1) * POSTS * ROWS_A_POST);
  }
});

test('a key is known after a checkpoint, too, and by each source for itself', async (t) => {
  const { server, client } = await started(t);
  for (const name of ['s', 't']) {
    await client.query(`CREATE SOURCE ${name} (id int) WITH (connector = 'webhook')
      FORMAT PLAIN ENCODE JSON`);
    await client.query(`CREATE MATERIALIZED VIEW of_${name} AS SELECT id FROM ${name}`);
  }
  const key = { 'idempotency-key': 'one' };
  const send = (source: string) =>
    post(server, `public/${source}`, '[{"id": 1}, {"id": "x"}]', key);
  const answer = { accepted: 1, rejected: 1 };
  assert.deepEqual((await send('s')).body, answer);
  await server.stop();
  await server.restart();
  assert.deepEqual((await send('s')).body, { ...answer, repeated: true });
  assert.deepEqual((await send('t')).body, answer);
  await client.reconnect(server.url);
  const counts = 'SELECT (SELECT count(*) FROM of_s), (SELECT count(*) FROM of_t)';
  assert.deepEqual((await client.query(counts)).rows, [['1', '1']]);
});

test('a table of a webhook keeps its rows without a reader', async (t) => {
  const { server, client } = await started(t);
  await client.query(`CREATE TABLE t (id int, at timestamptz, WATERMARK FOR at AS at)
    WITH (connector = 'webhook') FORMAT PLAIN ENCODE JSON`);
  const body = '{"id": 1, "at": "2026-01-01T00:00:30Z"}\n{"id": 2, "at": "2026-01-01T00:01:30Z"}';
  assert.equal((await post(server, 'public/t', body)).status, 200);
  assert.equal(await client.value('SELECT sum(id) FROM t'), '3');
  await client.query(`CREATE MATERIALIZED VIEW v AS SELECT window_end, count(*) AS n
    FROM TUMBLE(t, at, INTERVAL '1 minute') GROUP BY window_end EMIT ON WINDOW CLOSE`);
  assert.deepEqual((await client.query('SELECT n FROM v')).rows, [['1']]);
  await server.killAndRestart(client);
  assert.equal(await client.value('SELECT sum(id) FROM t'), '3');
  assert.equal(
    (await post(server, 'public/t', '{"id": 4, "at": "2026-01-01T00:03:00Z"}')).status,
    200,
  );
  assert.deepEqual((await client.query('SELECT n FROM v ORDER BY n')).rows, [['1'], ['1']]);
});

test('what is posted ends that a source is idle', async (t) => {
  const { server, client } = await started(t);
  await client.query(`CREATE TABLE t (id int, at timestamptz, WATERMARK FOR at AS at)
    WITH (connector = 'webhook', watermark.idle_timeout = '1 second') FORMAT PLAIN ENCODE JSON`);
  const isIdle = () => client.value("SELECT is_idle FROM millrace.watermarks WHERE relation = 't'");
  const send = async (id: number) => {
    const body = `{"id": ${id}, "at": "2026-01-01T00:00:30Z"}`;
    assert.equal((await post(server, 'public/t', body)).status, 200);
  };
  await send(1);
  assert.equal(await isIdle(), 'f');
  while ((await isIdle()) === 'f') await delay(20);
  await send(2);
  assert.equal(await isIdle(), 'f');
});
