/** The Kafka source against a real broker: what is read, once, through restarts; what is refused and why. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { encode } from '@msgpack/msgpack';
import { CompressionTypes } from 'kafkajs';
import type { ServerProcess } from '../server-process.ts';
import { KAFKA_USERS } from '../services/kafka.ts';
import { SqlClient } from '../sql-client.ts';
import { type KafkaFixture, kafkaSkip } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';

const SKIP = kafkaSkip();

let scene: KafkaScene | undefined;
let kafka: KafkaFixture;
let server: ServerProcess;
let sql: SqlClient;

before(async () => {
  if (SKIP !== false) return;
  scene = await KafkaScene.start();
  ({ kafka, server, sql } = scene);
});

after(() => scene?.dispose());

const options = (topic: string, more = '') =>
  `WITH (connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${kafka.bootstrap}'${more}) FORMAT PLAIN ENCODE JSON`;

test('reads what is there and what comes, in all partitions, with keys, offsets and headers', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('basics', 2);
  await kafka.send('basics', [
    { partition: 0, key: 'a', value: '{"id": 1, "v": 1.50}', headers: { trace: 't1' } },
    { partition: 1, key: null, value: '{"id": 2}' },
  ]);
  await sql.query(
    `CREATE SOURCE basics (id int, v numeric) INCLUDE KEY AS k, PARTITION AS p, OFFSET AS o, TIMESTAMP AS at, HEADER 'trace' AS trace, HEADERS AS hs ${options('basics')}`,
  );
  await sql.query(
    'CREATE MATERIALIZED VIEW basics_view AS SELECT id, v, k, p, o, at IS NOT NULL AS has_time, trace, hs FROM basics',
  );
  await sql.awaitValue('SELECT count(*) FROM basics_view', '2');
  await kafka.send('basics', [{ partition: 1, key: 'b', value: null }]);
  await sql.awaitValue('SELECT count(*) FROM basics_view', '3');
  const { rows } = await sql.query('SELECT * FROM basics_view ORDER BY p, o');
  assert.deepEqual(rows, [
    ['1', '1.50', '\\x61', '0', '0', 't', '\\x7431', '[{"key": "trace", "value": "t1"}]'],
    ['2', null, null, '1', '0', 't', null, '[]'],
    [null, null, '\\x62', '1', '1', 't', null, '[]'],
  ]);
});

test('sources of one cluster do not wait for each other', { skip: SKIP }, async () => {
  const patient = options('quiet', ", properties.fetch.wait.max.ms = '25000'");
  await kafka.createTopic('quiet');
  await sql.query(`CREATE SOURCE quiet (id int) ${patient}`);
  await sql.query('CREATE MATERIALIZED VIEW quiet_view AS SELECT id FROM quiet');
  await sql.awaitValue(
    "SELECT count(*) FROM millrace.sources WHERE name = 'quiet' AND split IS NOT NULL",
    '1',
  );
  await kafka.createTopic('lively');
  await sql.query(`CREATE SOURCE lively (id int) ${options('lively')}`);
  await sql.query('CREATE MATERIALIZED VIEW lively_view AS SELECT id FROM lively');
  await kafka.send('lively', [{ value: '{"id": 1}' }]);
  await sql.awaitValue('SELECT id FROM lively_view', '1', 12_000);
  await kafka.send('quiet', [{ value: '{"id": 2}' }]);
  await sql.awaitValue('SELECT id FROM quiet_view', '2', 12_000);
  await sql.query('DROP SOURCE quiet CASCADE');
});

test('aborted transactions are never seen, open ones not yet', { skip: SKIP }, async () => {
  await kafka.createTopic('transactions');
  await sql.query(`CREATE SOURCE transactions (id int) ${options('transactions')}`);
  await sql.query('CREATE MATERIALIZED VIEW committed AS SELECT id FROM transactions');
  const producer = await kafka.producer('tests');
  const transaction = async (id: number, isCommit: boolean) => {
    const one = await producer.transaction();
    await one.send({
      topic: 'transactions',
      messages: [{ key: '\0\0\0\0', value: `{"id": ${id}}` }],
    });
    await (isCommit ? one.commit() : one.abort());
  };
  await transaction(1, true);
  await transaction(2, false);
  await transaction(3, false);
  await transaction(4, true);
  await sql.awaitValue('SELECT max(id) FROM committed', '4');
  const open = await producer.transaction();
  await open.send({ topic: 'transactions', messages: [{ value: '{"id": 5}' }] });
  await kafka.send('transactions', [{ value: '{"id": 6}' }]);
  await delay(300);
  assert.deepEqual((await sql.query('SELECT id FROM committed ORDER BY id')).rows, [['1'], ['4']]);
  await open.commit();
  await sql.awaitValue('SELECT count(*) FROM committed', '4');
  await producer.disconnect();
});

test('compressed batches', { skip: SKIP }, async () => {
  await kafka.createTopic('compressed');
  const producer = await kafka.producer();
  const messages = Array.from({ length: 500 }, (_, id) => ({ value: JSON.stringify({ id }) }));
  await producer.send({ topic: 'compressed', messages, compression: CompressionTypes.GZIP });
  await sql.query(`CREATE SOURCE compressed (id bigint) ${options('compressed')}`);
  assert.equal(await sql.value('SELECT id FROM compressed LIMIT 1 OFFSET 2'), '2');
  assert.equal(await sql.value('SELECT max(id) FROM compressed WHERE id < 100'), '99');
  await sql.query('CREATE MATERIALIZED VIEW unpacked AS SELECT count(*), sum(id) FROM compressed');
  await sql.awaitValue("SELECT count || ' ' || sum FROM unpacked", '500 124750');
});

test('latest begins where the topic ends, and keeps that through a restart without records', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('latest');
  await kafka.send('latest', [{ value: '{"id": 1}' }]);
  await sql.query(
    `CREATE SOURCE latest (id int) ${options('latest', ", scan.startup.mode = 'latest'")}`,
  );
  await sql.query('CREATE MATERIALIZED VIEW latest_view AS SELECT id FROM latest');
  await sql.awaitValue(
    "SELECT count(*) FROM millrace.sources WHERE name = 'latest' AND split IS NOT NULL",
    '1',
  );
  await sql.close();
  await server.kill();
  await kafka.send('latest', [{ value: '{"id": 2}' }]);
  await server.restart();
  await sql.reconnect(server.url);
  await sql.awaitValue("SELECT string_agg(id::text, ',') FROM latest_view", '2');
});

test('begins at a time, at offsets, and in every topic of a pattern', { skip: SKIP }, async () => {
  const record = (id: number) => ({ value: `{"id": ${id}}`, timestamp: String(id * 1000) });
  for (const topic of ['begin.a', 'begin.b', 'other']) await kafka.createTopic(topic);
  await kafka.send('begin.a', [1, 2, 3, 4].map(record));
  await kafka.send('begin.b', [5, 6].map(record));
  await kafka.send('other', [record(7)]);
  const ids = async (name: string, where: string): Promise<void> => {
    await sql.query(
      `CREATE SOURCE ${name} (id int) WITH (connector = 'kafka', properties.bootstrap.server = '${kafka.bootstrap}', ${where}) FORMAT PLAIN ENCODE JSON`,
    );
    await sql.query(`CREATE MATERIALIZED VIEW ${name}_view AS SELECT id FROM ${name}`);
  };
  const shows = (name: string, expected: string) =>
    sql.awaitValue(`SELECT string_agg(id::text, ',' ORDER BY id) FROM ${name}_view`, expected);
  const at = "scan.startup.mode = 'timestamp', scan.startup.timestamp.millis = 2500";
  await ids('timed', `topic = 'begin.a', ${at}`);
  const offsets = "scan.startup.mode = 'specific-offsets'";
  await ids(
    'placed',
    `topic = 'begin.a', ${offsets}, scan.startup.specific-offsets = 'partition:0,offset:1'`,
  );
  await ids('matched', "topic.pattern = 'begin\\..*'");
  await ids('newest', "topic.pattern = 'begin\\..*', scan.startup.mode = 'latest'");
  await shows('timed', '3,4');
  await shows('placed', '2,3,4');
  await shows('matched', '1,2,3,4,5,6');
  await sql.awaitValue("SELECT count(split) FROM millrace.sources WHERE name = 'newest'", '2');
  await server.killAndRestart(sql);
  await kafka.send('begin.b', [record(8)]);
  await shows('timed', '3,4');
  await shows('matched', '1,2,3,4,5,6,8');
  await shows('newest', '8');
});

test('new partitions are read from their beginning', { skip: SKIP }, async () => {
  await kafka.createTopic('growing');
  await sql.query(
    `CREATE SOURCE growing (id int) ${options('growing', ", scan.startup.mode = 'latest', properties.metadata.max.age.ms = 200")}`,
  );
  await sql.query('CREATE MATERIALIZED VIEW growing_view AS SELECT id FROM growing');
  await sql.awaitValue(
    "SELECT count(*) FROM millrace.sources WHERE name = 'growing' AND split IS NOT NULL",
    '1',
  );
  await kafka.setPartitions('growing', 2);
  await kafka.send('growing', [{ partition: 1, value: '{"id": 7}' }]);
  await sql.awaitValue("SELECT string_agg(id::text, ',') FROM growing_view", '7');
});

test('records that cannot be decoded are dead letters, and hold nothing up', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('poison');
  await kafka.send('poison', [
    { value: '{"id": 1}' },
    { value: '{"id": ' },
    { key: 'k', value: '{"id": "x"}' },
    { value: '[1]' },
    { value: Buffer.from([0xff, 0xfe]) },
    { value: '{"id": 2}' },
  ]);
  await sql.query(`CREATE SOURCE poison (id int) ${options('poison')}`);
  await sql.query('CREATE MATERIALIZED VIEW clean AS SELECT id FROM poison');
  await sql.awaitValue("SELECT string_agg(id::text, ',' ORDER BY id) FROM clean", '1,2');
  await sql.awaitValue("SELECT count(*) FROM millrace.dead_letters WHERE source = 'poison'", '4');
  const { rows } = await sql.query(
    `SELECT "row", raw, key, topic, partition, record_offset, sqlstate, is_cut FROM millrace.dead_letters WHERE source = 'poison' ORDER BY id`,
  );
  const at = (offset: number, sqlstate: string) => ['poison', '0', String(offset), sqlstate, 'f'];
  assert.deepEqual(rows, [
    ['{"id": ', '\\x7b226964223a20', null, ...at(1, '22P02')],
    ['{"id": "x"}', '\\x7b226964223a202278227d', '\\x6b', ...at(2, '22P02')],
    ['[1]', '\\x5b315d', null, ...at(3, '22P02')],
    ['\ufffd\ufffd', '\\xfffe', null, ...at(4, '22P02')],
  ]);
  const counters =
    "SELECT rows_read || ' ' || rows_decoded || ' ' || rows_rejected FROM millrace.sources WHERE name = 'poison'";
  assert.equal(await sql.value(counters), '6 2 4');
});

test('rejected records go through again after the schema is mended, once, through kill -9', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('mended', 2);
  /** Every tenth has no amount, every 25th is no JSON. */
  const value = (id: number) => {
    if (id % 25 === 0) return `{"id": ${id}, `;
    return id % 10 === 0 ? `{"id": ${id}}` : `{"id": ${id}, "amount": 1}`;
  };
  const records = Array.from({ length: 200 }, (_, i) => {
    const id = i + 1;
    return { partition: id % 2, key: `k${id}`, value: value(id), headers: { trace: `t${id}` } };
  });
  await kafka.send('mended', records);
  await sql.query(
    `CREATE SOURCE mended (id int, amount int NOT NULL) INCLUDE KEY AS k, OFFSET AS o, TIMESTAMP AS at, HEADER 'trace' AS trace ${options('mended')}`,
  );
  await sql.query('CREATE MATERIALIZED VIEW mended_early AS SELECT * FROM mended');
  // 20 have no amount, 8 are no JSON, 4 are both.
  await sql.awaitValue('SELECT count(*) FROM mended_early', '176');
  const accounts =
    "SELECT rows_read || ' ' || rows_decoded || ' ' || rows_rejected FROM (SELECT DISTINCT rows_read, rows_decoded, rows_rejected FROM millrace.sources WHERE name = 'mended') AS s";
  assert.equal(await sql.value(accounts), '200 176 24');
  await sql.query('ALTER SOURCE mended ALTER COLUMN amount DROP NOT NULL');
  await sql.query(
    "CREATE MATERIALIZED VIEW mended_late AS SELECT count(*) AS n, count(DISTINCT id) AS ids FROM mended WHERE o >= 0 AND k <> ''",
  );
  await sql.awaitValue('SELECT n FROM mended_late', '192');
  await sql.query('REPLAY DEAD LETTERS FOR mended');
  await server.killAndRestart(sql);
  assert.equal(await sql.value(accounts), '200 192 8');
  assert.equal(
    await sql.value("SELECT count(*) || ' ' || count(DISTINCT id) FROM mended_early"),
    '192 192',
  );
  assert.equal(await sql.value("SELECT n || ' ' || ids FROM mended_late"), '192 192');
  const { rows } = await sql.query(
    "SELECT amount, convert_from(k, 'UTF8'), o, convert_from(trace, 'UTF8'), at > now() - INTERVAL '1 hour' FROM mended_early WHERE id = 10",
  );
  assert.deepEqual(rows, [[null, 'k10', '4', 't10', 't']]);
  await sql.query('REPLAY DEAD LETTERS FOR mended');
  assert.equal(await sql.value('SELECT count(*) FROM mended_early'), '192');
  assert.equal(await sql.value(accounts), '200 192 8');
  const left = "SELECT count(*) FROM millrace.dead_letters WHERE source = 'mended'";
  assert.equal(await sql.value(left), '8');
});

test('ENCODE CSV and BYTES', { skip: SKIP }, async () => {
  await kafka.createTopic('texts');
  await kafka.send('texts', [
    { value: '1,"a ""b"", c"' },
    { value: '2;x\n' },
    { value: '3,y\n4,z' },
    { value: '' },
    { value: '5,\n' },
  ]);
  const csv = options('texts').replace('JSON', 'CSV');
  await sql.query(`CREATE SOURCE csv_texts (id int, t text) ${csv}`);
  await sql.query(
    "CREATE MATERIALIZED VIEW csv_view AS SELECT id, coalesce(t, '-') AS t FROM csv_texts",
  );
  await sql.awaitValue("SELECT string_agg(id || t, '|' ORDER BY id) FROM csv_view", '1a "b", c|5-');
  await sql.awaitValue(
    "SELECT count(*) FROM millrace.dead_letters WHERE source = 'csv_texts'",
    '3',
  );
  const bytes = options('texts').replace('JSON', 'BYTES');
  await sql.query(`CREATE SOURCE raw_texts (b bytea) INCLUDE OFFSET AS o ${bytes}`);
  await sql.query('CREATE MATERIALIZED VIEW raw_view AS SELECT o, b FROM raw_texts');
  await sql.awaitValue(
    "SELECT string_agg(o || encode(b, 'hex'), '|' ORDER BY o) FROM raw_view WHERE o IN (1, 3)",
    '1323b780a|3',
  );
  const wide = await sql.refused(`CREATE SOURCE wide (a bytea, b bytea) ${bytes}`);
  assert.equal(wide.code, '42804');
});

test('ENCODE MSGPACK', { skip: SKIP }, async () => {
  await kafka.createTopic('packed');
  const message = (value: unknown) => ({ value: Buffer.from(encode(value)) });
  await kafka.send('packed', [
    message({ id: 1, tags: ['a', 'b'], more: { x: 1.5 } }),
    { value: Buffer.from([0x81, 0xa2]) },
    message({ id: 2 ** 40 }),
  ]);
  const packed = options('packed').replace('JSON', 'MSGPACK');
  await sql.query(
    `CREATE SOURCE packed (id bigint, tags text[] DEFAULT ARRAY['none'], more jsonb) ${packed}`,
  );
  await sql.query('CREATE MATERIALIZED VIEW packed_view AS SELECT id, tags, more FROM packed');
  await sql.awaitValue(
    "SELECT string_agg(id::text, ',' ORDER BY id) FROM packed_view",
    '1,1099511627776',
  );
  const { rows } = await sql.query('SELECT tags, more FROM packed_view ORDER BY id');
  assert.deepEqual(rows, [
    ['{a,b}', '{"x": 1.5}'],
    ['{none}', null],
  ]);
  await sql.awaitValue("SELECT count(*) FROM millrace.dead_letters WHERE source = 'packed'", '1');
});

test('an offset that is gone is an error state, never a jump', { skip: SKIP }, async () => {
  await kafka.createTopic('trimmed');
  await kafka.send('trimmed', [{ value: '{"id": 1}' }]);
  await sql.query(`CREATE SOURCE trimmed (id int) ${options('trimmed')}`);
  await sql.query('CREATE MATERIALIZED VIEW trimmed_view AS SELECT id FROM trimmed');
  await sql.awaitValue('SELECT count(*) FROM trimmed_view', '1');
  await sql.close();
  await server.stop();
  await kafka.send('trimmed', [{ value: '{"id": 2}' }, { value: '{"id": 3}' }]);
  await kafka.deleteRecords('trimmed', 0, 2);
  await server.restart();
  await sql.reconnect(server.url);
  await sql.awaitValue("SELECT state FROM millrace.sources WHERE name = 'trimmed'", 'failed');
  const error = await sql.value("SELECT error FROM millrace.sources WHERE name = 'trimmed'");
  assert.match(error ?? '', /offset 1 of trimmed-0 is not there: the broker has 2 to 3/);
  assert.equal(await sql.value('SELECT count(*) FROM trimmed_view'), '1');
});

test('a topic deleted and created again is an error state', { skip: SKIP }, async () => {
  await kafka.createTopic('again');
  await kafka.send('again', [{ value: '{"id": 1}' }]);
  await sql.query(
    `CREATE SOURCE again (id int) ${options('again', ', properties.metadata.max.age.ms = 200')}`,
  );
  await sql.query('CREATE MATERIALIZED VIEW again_view AS SELECT id FROM again');
  await sql.awaitValue('SELECT count(*) FROM again_view', '1');
  await kafka.deleteTopic('again');
  await kafka.createTopic('again');
  await kafka.send('again', [{ value: '{"id": 8}' }, { value: '{"id": 9}' }]);
  await sql.awaitValue("SELECT state FROM millrace.sources WHERE name = 'again'", 'failed');
  assert.match(
    (await sql.value("SELECT error FROM millrace.sources WHERE name = 'again'")) ?? '',
    /topic "again" was deleted and created again/,
  );
});

test('a broker that dies and comes back', { skip: SKIP }, async () => {
  await kafka.createTopic('outage');
  await kafka.send('outage', [{ value: '{"id": 1}' }]);
  await sql.query(`CREATE SOURCE outage (id int) ${options('outage')}`);
  await sql.query('CREATE MATERIALIZED VIEW outage_view AS SELECT id FROM outage');
  await sql.awaitValue('SELECT count(*) FROM outage_view', '1');
  await sql.query('CREATE TABLE meanwhile (a int)');
  await kafka.cluster.kill();
  await sql.awaitValue("SELECT state FROM millrace.sources WHERE name = 'outage'", 'disconnected');
  // A view that has to read again what is there waits, and holds nobody up.
  const late = sql.query('CREATE MATERIALIZED VIEW outage_late AS SELECT max(id) FROM outage');
  const other = await SqlClient.connect(server.url);
  await other.query('INSERT INTO meanwhile VALUES (1)');
  assert.equal(await other.value('SELECT count(*) FROM meanwhile'), '1');
  await other.close();
  await kafka.cluster.start();
  await late;
  assert.equal(await sql.value('SELECT max FROM outage_late'), '1');
  await kafka.send('outage', [{ value: '{"id": 2}' }]);
  await sql.awaitValue('SELECT count(*) FROM outage_view', '2');
});

test('logins: SASL PLAIN and SCRAM, TLS with and without a client certificate', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('secured');
  await kafka.send('secured', [{ value: '{"id": 1}' }]);
  const { plain, scram } = KAFKA_USERS;
  const quoted = (pem: string) => `'${kafka.pem(pem)}'`;
  const login = (mechanism: string, user: typeof plain | typeof scram) =>
    `properties.sasl.mechanism = '${mechanism}', properties.sasl.username = '${user.name}', properties.sasl.password = '${user.password}'`;
  const ways = [
    ['sasl', `properties.security.protocol = 'sasl_plaintext', ${login('PLAIN', plain)}`],
    ['sasl', `properties.security.protocol = 'sasl_plaintext', ${login('SCRAM-SHA-256', scram)}`],
    [
      'saslTls',
      `properties.security.protocol = 'sasl_ssl', properties.ssl.ca.pem = ${quoted('ca.pem')}, properties.sasl.mechanism = 'SCRAM-SHA-512', properties.sasl.username = secret scram_user, properties.sasl.password = secret scram_password`,
    ],
    ['tls', `properties.security.protocol = 'ssl', properties.ssl.ca.pem = ${quoted('ca.pem')}`],
    [
      'tls',
      `properties.security.protocol = 'ssl', properties.ssl.ca.pem = ${quoted('ca.pem')}, properties.ssl.certificate.pem = ${quoted('client.pem')}, properties.ssl.key.pem = ${quoted('client.key')}`,
    ],
  ] as const;
  for (const [name, value] of [
    ['scram_user', scram.name],
    ['scram_password', scram.password],
    ['guess', 'marked-guess'],
  ]) {
    await sql.query(`CREATE SECRET ${name} WITH (backend = 'meta') AS '${value}'`);
  }
  for (const [index, [listener, security]] of ways.entries()) {
    await sql.query(
      `CREATE SOURCE secured${index} (id int) WITH (connector = 'kafka', topic = 'secured', properties.bootstrap.server = '${kafka.cluster.bootstrap(listener)}', ${security}) FORMAT PLAIN ENCODE JSON`,
    );
    await sql.query(
      `CREATE MATERIALIZED VIEW secured_view${index} AS SELECT id FROM secured${index}`,
    );
    await sql.awaitValue(`SELECT count(*) FROM secured_view${index}`, '1');
    const shown = (await sql.query(`SHOW CREATE SOURCE secured${index}`)).rows.flat().join(' ');
    assert.doesNotMatch(shown, /-secret|PRIVATE KEY/);
  }
  const wrong = await sql.refused(
    `CREATE SOURCE wrong (id int) WITH (connector = 'kafka', topic = 'secured', properties.bootstrap.server = '${kafka.cluster.bootstrap('sasl')}', properties.security.protocol = 'sasl_plaintext', properties.sasl.mechanism = 'PLAIN', properties.sasl.username = secret guess, properties.sasl.password = secret guess) FORMAT PLAIN ENCODE JSON`,
  );
  assert.equal(wrong.code, '28000');
  assert.doesNotMatch(JSON.stringify(wrong), /marked-guess/);
  await kafka.createTopic('secured_out');
  await sql.query(
    `CREATE SINK secured_out FROM secured_view2 WITH (connector = 'kafka', topic = 'secured_out', properties.bootstrap.server = '${kafka.cluster.bootstrap('saslTls')}', ${ways[2][1]}) FORMAT PLAIN ENCODE JSON`,
  );
  await server.killAndRestart(sql);
  await kafka.send('secured', [{ value: '{"id": 2}' }]);
  await sql.awaitValue('SELECT count(*) FROM secured_view2', '2');
  const written = (await kafka.consume('secured_out', 2)).map(({ value }) => value);
  assert.deepEqual(written, ['{"id":1}', '{"id":2}']);
  assert.equal(
    await sql.value("SELECT state FROM millrace.sinks WHERE name = 'secured_out'"),
    'running',
  );
  const error = await sql.refused('DROP SECRET scram_password');
  assert.equal(error.code, '2BP01');
  await sql.query('DROP SINK secured_out');
});

test('CREATE says what is wrong: broker, login, certificate, topic, options', {
  skip: SKIP,
}, async () => {
  const create = (broker: string, more: string) =>
    `CREATE SOURCE wrong (id int) WITH (connector = 'kafka', topic = 'basics', properties.bootstrap.server = '${broker}'${more}) FORMAT PLAIN ENCODE JSON`;
  const nobody = await sql.refused(create('127.0.0.1:1', ''));
  assert.equal(nobody.code, '08001');
  assert.match(nobody.message, /could not reach Kafka at 127.0.0.1:1: .*ECONNREFUSED/);
  const login = await sql.refused(
    create(
      kafka.cluster.bootstrap('sasl'),
      ", properties.security.protocol = 'sasl_plaintext', properties.sasl.mechanism = 'PLAIN', properties.sasl.username = 'plain', properties.sasl.password = 'secret-guess'",
    ),
  );
  assert.equal(login.code, '28000');
  assert.doesNotMatch(JSON.stringify(login), /secret-guess/);
  const untrusted = await sql.refused(
    create(kafka.cluster.bootstrap('tls'), ", properties.security.protocol = 'ssl'"),
  );
  assert.equal(untrusted.code, '08001');
  assert.match(untrusted.message, /certificate/);
  const topic = await sql.refused(`CREATE SOURCE wrong (id int) ${options('nosuch')}`);
  assert.equal(topic.code, '42704');
  assert.match(topic.message, /no topic "nosuch"/);
  const option = await sql.refused(create(kafka.bootstrap, ", properties.group.idd = 'x'"));
  assert.equal(option.code, '22023');
  const broker = await sql.refused(create('localhost', ''));
  assert.match(broker.message, /invalid broker "localhost"/);
});
