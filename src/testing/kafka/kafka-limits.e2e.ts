/** What brokers limit: how long a login is good for, and how large a batch may be. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { ServerProcess } from '../server-process.ts';
import { freePorts } from '../services/free-ports.ts';
import { KAFKA_USERS } from '../services/kafka.ts';
import type { SqlClient } from '../sql-client.ts';
import { type KafkaFixture, kafkaSkip } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';
import { TokenEndpoint } from './token-endpoint.ts';

const SKIP = kafkaSkip();

let scene: KafkaScene | undefined;
let endpoint: TokenEndpoint | undefined;
let kafka: KafkaFixture;
let server: ServerProcess;
let sql: SqlClient;
let tokens: TokenEndpoint;

before(async () => {
  if (SKIP !== false) return;
  endpoint = await TokenEndpoint.start();
  tokens = endpoint;
  const session = 'listener.name.sasl_plaintext.scram-sha-256.connections.max.reauth.ms';
  const properties = { [session]: '1000' };
  const environment = { NODE_EXTRA_CA_CERTS: endpoint.authority };
  const cluster = { tokenKeysUrl: endpoint.keysUrl, properties };
  scene = await KafkaScene.start({ environment }, cluster);
  ({ kafka, server, sql } = scene);
});

after(async () => {
  await scene?.dispose();
  await endpoint?.dispose();
});

const withLogin = (topic: string, mechanism: string, login: string) =>
  `WITH (connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${kafka.cluster.bootstrap('sasl')}',
    properties.security.protocol = 'sasl_plaintext', properties.sasl.mechanism = '${mechanism}', ${login}) FORMAT PLAIN ENCODE JSON`;

const withToken = (topic: string, login: string) => withLogin(topic, 'oauthbearer', login);

const secret = (name: string, value: string) =>
  sql.query(`CREATE SECRET ${name} WITH (backend = 'meta') AS '${value}'`);

/** A source, a view over it, and a sink that sends what comes: NAME, NAME_view, NAME_out, which are the topics' names, too. */
async function pipe(name: string, options: (topic: string) => string): Promise<void> {
  await kafka.createTopic(name);
  await kafka.createTopic(`${name}_out`);
  await sql.query(`CREATE SOURCE ${name} (id int) ${options(name)}`);
  await sql.query(`CREATE MATERIALIZED VIEW ${name}_view AS SELECT id FROM ${name}`);
  await sql.query(`CREATE SINK ${name}_out FROM ${name}_view ${options(`${name}_out`)}`);
}

/** Of a source or sink. */
const stateOf = (name: string) =>
  `SELECT state FROM (SELECT name, state FROM millrace.sources UNION ALL SELECT name, state FROM millrace.sinks) AS s
    WHERE name = '${name}'`;

const errorOf = (name: string) =>
  sql.value(`SELECT error FROM millrace.sources WHERE name = '${name}'`);

const sendId = (topic: string, id: number) => kafka.send(topic, [{ value: `{"id": ${id}}` }]);

/** Records that follow each other through a pipe, each seen by the view before the next one is sent, until `isOver`: the last one's id. */
async function stream(name: string, from: number, isOver: () => boolean): Promise<number> {
  for (let id = from; ; id += 1) {
    await sendId(name, id);
    await sql.awaitValue(`SELECT count(*) FROM ${name}_view`, String(id));
    if (isOver()) return id;
  }
}

/** As `stream`, and at no time something else than running. */
async function streamSteadily(name: string, from: number, isOver: () => boolean): Promise<number> {
  for (let id = from; ; id += 1) {
    await stream(name, id, () => true);
    assert.equal(await sql.value(stateOf(name)), 'running');
    assert.equal(await sql.value(stateOf(`${name}_out`)), 'running');
    if (isOver()) return id;
  }
}

async function assertSentOnce(topic: string, count: number): Promise<void> {
  const records = await kafka.awaitRecords(topic, count);
  const expected = Array.from({ length: count }, (_, index) => `{"id":${index + 1}}`);
  assert.deepEqual(
    records.map(({ value }) => value),
    expected,
  );
}

test('a token: source and sink work with it, until it expires and ALTER SECRET brings another', {
  skip: SKIP,
}, async () => {
  await secret('token', tokens.token());
  const login = 'properties.sasl.oauthbearer.token = secret token';
  await pipe('bearer', (topic) => withToken(topic, login));
  await sendId('bearer', 1);
  await sql.awaitValue('SELECT count(*) FROM bearer_view', '1');
  const { nowSeconds: now } = tokens;
  const short = tokens.token({ exp: now + 2 });
  await sql.query(`ALTER SECRET token AS '${short}'`);
  await sql.awaitValue(stateOf('bearer'), 'failed');
  const end = new Date((now + 2) * 1000).toISOString();
  assert.equal(
    await errorOf('bearer'),
    `Kafka refused the login: the token is refused (invalid_token), it expired at ${end}`,
  );
  await sendId('bearer', 2);
  await sql.query(`ALTER SECRET token AS '${tokens.token()}'`);
  await sql.awaitValue('SELECT count(*) FROM bearer_view', '2');
  await assertSentOnce('bearer_out', 2);
  assert.equal(await sql.value(stateOf('bearer_out')), 'running');
  const shown = (await sql.query('SHOW CREATE SOURCE bearer')).rows.flat().join(' ');
  assert.match(shown, /oauthbearer\.token = secret token/);
  await sql.query('DROP SINK bearer_out');
});

test('a token that the brokers refuse: CREATE says so, and does not show it', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('refused');
  const { nowSeconds: now } = tokens;
  const cases: readonly [token: string, message: RegExp][] = [
    [tokens.token({ iat: now - 60, exp: now - 1 }), /refused \(invalid_token\), it expired at 20/],
    [tokens.token({ aud: 'somebody else' }), /refused \(invalid_token\)$/],
    [`${tokens.token().slice(0, -8)}AAAAAAAA`, /refused \(invalid_token\)$/],
    ['marked-guess', /refused \(invalid_token\)$/],
  ];
  for (const [token, message] of cases) {
    const login = `properties.sasl.oauthbearer.token = '${token}'`;
    const error = await sql.refused(
      `CREATE SOURCE refused (id int) ${withToken('refused', login)}`,
    );
    assert.equal(error.code, '28000');
    assert.match(error.message, message);
    assert.ok(!JSON.stringify(error).includes(token));
    assert.ok(!server.log.includes(token));
  }
});

test('tokens of an endpoint: renewed before they expire, also with another client secret', {
  skip: SKIP,
}, async () => {
  // Their ends are whole seconds.
  tokens.lifetimeSeconds = 5;
  tokens.toldSeconds = 4;
  await secret('client_secret', tokens.clientSecret);
  const login = `properties.sasl.oauthbearer.token.endpoint.url = '${tokens.secureUrl}',
    properties.sasl.oauthbearer.client.credentials.client.id = 'client',
    properties.sasl.oauthbearer.client.credentials.client.secret = secret client_secret,
    properties.sasl.oauthbearer.scope = 'records other', properties.sasl.oauthbearer.extensions = 'logicalCluster=lkc-1'`;
  await pipe('renewed', (topic) => withToken(topic, login));
  const hasGiven = (more: number) => {
    const { length } = tokens.given;
    return () => tokens.given.length >= length + more;
  };
  const steady = await streamSteadily('renewed', 1, hasGiven(2));
  // It is wrong about their lifetime: brokers refuse one that was kept, and another one is asked for.
  tokens.lifetimeSeconds = 1;
  tokens.toldSeconds = 3600;
  const count = await stream('renewed', steady + 1, hasGiven(2));
  tokens.lifetimeSeconds = 5;
  tokens.toldSeconds = null;
  await assertSentOnce('renewed_out', count);
  assert.equal(tokens.given[0]!.form, 'grant_type=client_credentials&scope=records+other');

  tokens.refusal = { status: 503, body: 'come back later' };
  await sql.awaitValue(stateOf('renewed'), 'disconnected');
  assert.equal(await errorOf('renewed'), `no token from ${tokens.secureUrl}: 503 come back later`);
  await sendId('renewed', count + 1);
  tokens.refusal = null;
  await sql.awaitValue(`SELECT count(*) FROM renewed_view`, String(count + 1));

  tokens.clientSecret = 'later-client-secret';
  await sql.awaitValue(stateOf('renewed'), 'failed');
  assert.equal(
    await errorOf('renewed'),
    `Kafka refused the login: no token from ${tokens.secureUrl}: 401 invalid_client: no such client`,
  );
  await sendId('renewed', count + 2);
  await sql.query(`ALTER SECRET client_secret AS '${tokens.clientSecret}'`);
  await assertSentOnce('renewed_out', count + 2);
  await server.killAndRestart(sql);
  await sendId('renewed', count + 3);
  await assertSentOnce('renewed_out', count + 3);
  const shown = (await sql.query('SHOW CREATE SOURCE renewed')).rows.flat().join(' ');
  assert.ok(shown.includes(`token.endpoint.url = '${tokens.secureUrl}'`), shown);
  assert.match(shown, /client\.secret = secret client_secret/);
  await sql.query('DROP SINK renewed_out');
  assert.ok(tokens.given.every(({ token }) => !server.log.includes(token)));
  tokens.lifetimeSeconds = 3600;
});

test('an endpoint that gives no token: CREATE says why', { skip: SKIP }, async () => {
  const create = (url: string, clientSecret: string) =>
    `CREATE SOURCE refused (id int) ${withToken(
      'refused',
      `properties.sasl.oauthbearer.token.endpoint.url = '${url}', properties.sasl.oauthbearer.client.credentials.client.id = 'client',
       properties.sasl.oauthbearer.client.credentials.client.secret = '${clientSecret}'`,
    )}`;
  const wrong = await sql.refused(create(tokens.url, 'marked-guess'));
  assert.deepEqual(
    [wrong.code, wrong.message],
    [
      '28000',
      `Kafka refused the login: no token from ${tokens.url}: 401 invalid_client: no such client`,
    ],
  );
  const [port] = await freePorts(1);
  const nobody = await sql.refused(create(`http://127.0.0.1:${port}/token`, 'marked-guess'));
  assert.equal(nobody.code, '08001');
  assert.match(nobody.message, /: no token from http:\S+: .*ECONNREFUSED/);
  const open = await sql.refused(create('http://example.com/token', 'marked-guess'));
  assert.equal(open.code, '22023');
  assert.doesNotMatch(JSON.stringify([wrong, nobody, open]), /marked-guess/);
});

test('brokers that end a session: another connection takes its place before', {
  skip: SKIP,
}, async () => {
  const { name, password } = KAFKA_USERS.scram;
  const login = `properties.sasl.username = '${name}', properties.sasl.password = '${password}'`;
  await pipe('sessions', (topic) => withLogin(topic, 'scram-sha-256', login));
  const began = performance.now();
  const count = await streamSteadily('sessions', 1, () => performance.now() - began > 2000);
  await assertSentOnce('sessions_out', count);
  await sql.query('DROP SINK sessions_out');
});

const MB = 1_000_000;
const SMALL_FETCHES = `, properties.fetch.max.bytes = '1024', properties.max.partition.fetch.bytes = '1024', properties.queued.max.bytes = '65536'`;

const plain = (topic: string, more = '') =>
  `WITH (connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${kafka.bootstrap}'${more}) FORMAT PLAIN ENCODE JSON`;

/** A record of so many bytes. */
const wide = (id: number, size: number, partition = 0) => {
  const begin = `{"id": ${id}, "pad": "`;
  return { partition, value: `${begin}${'x'.repeat(size - begin.length - 2)}"}` };
};

/** The most memory that the server had, in MB. */
const peakMb = () =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1]) / 1000;

test('batches of 20 MB, fetched by 1 KB: whole, and other partitions have their turn', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('wide', 2, { 'max.message.bytes': String(21 * MB) });
  await kafka.createTopic('wide_out');
  for (let id = 1; id <= 10; id += 1) await kafka.send('wide', [wide(id, 2000)]);
  await kafka.send('wide', [wide(11, 20 * MB)]);
  await kafka.send(
    'wide',
    Array.from({ length: 20_000 }, (_, index) => wide(100 + index, 1000)),
  );
  // A dead letter.
  await kafka.send('wide', [{ partition: 0, value: 'x'.repeat(20 * MB) }]);
  await kafka.send('wide', [wide(12, 20 * MB)]);
  await kafka.send('wide', [wide(50, 100, 1)]);
  const before = peakMb();
  await sql.query(`CREATE SOURCE wide (id int, pad text) ${plain('wide', SMALL_FETCHES)}`);
  await sql.query(
    'CREATE MATERIALIZED VIEW wide_view AS SELECT count(*) AS rows, sum(length(pad)) AS total, max(length(pad)) AS longest FROM wide',
  );
  await sql.query(
    `CREATE SINK wide_out AS SELECT id FROM wide WHERE id < 100 ${plain('wide_out')}`,
  );
  await sql.awaitValue('SELECT rows FROM wide_view', '20013');
  assert.deepEqual((await sql.query('SELECT total, longest FROM wide_view')).rows, [
    ['59550636', '19999979'],
  ]);
  assert.ok(peakMb() - before < 400, `${peakMb()} MB, ${before} before`);
  const ids = (await kafka.awaitRecords('wide_out', 13)).map(({ value }) => value);
  assert.ok(ids.indexOf('{"id":50}') < ids.indexOf('{"id":12}'), ids.join(' '));
  const letters = "SELECT count(*) FROM millrace.dead_letters WHERE source = 'wide'";
  assert.equal(await sql.value(letters), '1');
  assert.equal(await sql.value(stateOf('wide')), 'running');
  await server.killAndRestart(sql);
  await kafka.send('wide', [wide(51, 100, 1)]);
  await sql.awaitValue('SELECT rows FROM wide_view', '20014');
  await kafka.awaitRecords('wide_out', 14);
  await sql.query('DROP SINK wide_out');
});

test('a batch beyond properties.message.max.bytes: what comes before it is read, then the source says why it stops', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('bounded');
  await kafka.send('bounded', [wide(1, 500)]);
  await kafka.send('bounded', [wide(2, 5000)]);
  await kafka.send('bounded', [wide(3, 500)]);
  const limit = ", properties.message.max.bytes = '2000'";
  await sql.query(`CREATE SOURCE bounded (id int) ${plain('bounded', limit)}`);
  await sql.query('CREATE MATERIALIZED VIEW bounded_view AS SELECT id FROM bounded');
  await sql.awaitValue(stateOf('bounded'), 'failed');
  assert.equal(
    await errorOf('bounded'),
    'record batch at offset 1 of bounded-0 has more than 2000 bytes. ' +
      'To read it, drop the source and create it again with a larger properties.message.max.bytes.',
  );
  assert.deepEqual((await sql.query('SELECT id FROM bounded_view')).rows, [['1']]);
});

test('a row that is too large for the topic: the sink says so, and goes on with it once it may', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('tight', 2, { 'max.message.bytes': '4000' });
  await sql.query('CREATE TABLE items (id int PRIMARY KEY, pad text)');
  await sql.query('CREATE MATERIALIZED VIEW tight_view AS SELECT id, pad FROM items');
  await sql.query(
    `CREATE SINK tight FROM tight_view ${plain('tight', ", primary_key = 'id'").replace('PLAIN', 'UPSERT')}`,
  );
  // Batches of many small rows are made smaller.
  const insert = (ids: string, width: string) =>
    sql.query(
      `INSERT INTO items SELECT id, repeat('x', ${width}) FROM generate_series(${ids}) AS id`,
    );
  await insert('1, 300', '100');
  await kafka.awaitRecords('tight', 300);
  await insert('301, 310', 'CASE id WHEN 305 THEN 5000 ELSE 10 END');
  const failed = [
    'failed',
    'a record of 5099 bytes (key {"id":305}) is too large for the topic "tight". ' +
      "Raise the topic's max.message.bytes, then RESUME SINK (for dead letters RESUME SOURCE).",
  ];
  const status = "SELECT state, error FROM millrace.sinks WHERE name = 'tight'";
  await sql.awaitRows(status, [failed]);
  await sql.query("UPDATE items SET pad = 'later' WHERE id = 1");
  assert.equal(await sql.value('SELECT pad FROM tight_view WHERE id = 1'), 'later');
  await sql.query('RESUME SINK tight');
  await sql.awaitRows(status, [failed]);
  await kafka.awaitRecords('tight', 300);
  await kafka.configureTopic('tight', { 'max.message.bytes': '6000' });
  await sql.query('RESUME SINK tight');
  const records = await kafka.awaitRecords('tight', 311);
  const last = new Map(records.map(({ key, value }) => [key, value]));
  assert.equal(last.size, 310);
  assert.equal(last.get('{"id":1}'), '{"id":1,"pad":"later"}');
  assert.equal(last.get('{"id":305}')?.length, 5019);
  assert.equal(await sql.value(stateOf('tight')), 'running');
  await sql.query('DROP SINK tight');
});
