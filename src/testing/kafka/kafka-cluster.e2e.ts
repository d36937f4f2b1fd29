/**
 * A Kafka source and three brokers, through TLS and SCRAM: leaders that move when a broker is killed, partitions that are added
 * meanwhile, a transaction that is aborted; windows that close although one partition of four is silent; how far the source is,
 * noted under a group; and a password that changes.
 */

import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { polled } from '../polled.ts';
import type { ServerProcess } from '../server-process.ts';
import { KAFKA_USERS } from '../services/kafka.ts';
import type { SqlClient } from '../sql-client.ts';
import { type KafkaFixture, kafkaSkip } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';

const SKIP = kafkaSkip();

let scene: KafkaScene | undefined;
let kafka: KafkaFixture;
let server: ServerProcess;
let sql: SqlClient;

before(async () => {
  if (SKIP !== false) return;
  // How soon leaders move: 9 s by default.
  const properties = {
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
  };
  // What is read again after a kill was read with the passwords of then.
  const tuning = { checkpointIntervalMs: 3_600_000 };
  scene = await KafkaScene.start({ tuning }, { nodeCount: 3, heapMiB: 256, properties });
  ({ kafka, server, sql } = scene);
});

after(() => scene?.dispose());

function options(topic: string, more = ''): string {
  const { name, password } = KAFKA_USERS.scram;
  return `WITH (connector = 'kafka', topic = '${topic}',
    properties.bootstrap.server = '${kafka.cluster.bootstrap('saslTls')}', properties.security.protocol = 'sasl_ssl',
    properties.ssl.ca.pem = '${kafka.pem('ca.pem')}', properties.sasl.mechanism = 'SCRAM-SHA-256',
    properties.sasl.username = '${name}', properties.sasl.password = '${password}',
    properties.metadata.max.age.ms = 500${more}) FORMAT PLAIN ENCODE JSON`;
}

/** How far a source is, noted under a group. */
const noting = (group: string) =>
  `, properties.group.id = '${group}', properties.auto.commit.interval.ms = 1000`;

async function assertCommitted(group: string, topic: string, expected: readonly number[]) {
  const text = JSON.stringify(expected);
  const isSame = (offsets: readonly number[]) => JSON.stringify(offsets) === text;
  assert.deepEqual(await polled(() => kafka.committedOffsets(group, topic), isSame), expected);
}

const record = (partition: number, id: number) => ({ partition, value: `{"id": ${id}}` });

test('leaders that move: each record counts once, also those of new partitions', {
  skip: SKIP,
}, async (context: TestContext) => {
  await kafka.createTopic('moving', 3, {}, 3);
  await sql.query(
    `CREATE SOURCE moving (id int) INCLUDE PARTITION AS p ${options('moving', noting('movers'))}`,
  );
  await sql.query(
    'CREATE MATERIALIZED VIEW moved AS SELECT count(*) AS rows, count(DISTINCT id) AS ids, sum(id) AS total, max(p) AS p FROM moving',
  );
  await kafka.send('moving', [record(0, 1), record(1, 2), record(2, 3)]);
  await sql.awaitValue('SELECT rows FROM moved', '3');
  const transaction = await (await kafka.producer('moving-tx')).transaction();
  await transaction.send({ topic: 'moving', messages: [record(0, 1000), record(1, 2000)] });
  const leader = await kafka.leader('moving', 0);
  await kafka.cluster.kill(leader);
  context.after(() => kafka.cluster.start(leader));
  await kafka.abort('moving-tx');
  await kafka.send('moving', [record(0, 4), record(1, 5), record(2, 6)]);
  await sql.awaitValue('SELECT rows FROM moved', '6');
  assert.notEqual(await kafka.leader('moving', 0), leader);
  await kafka.setPartitions('moving', 4);
  await sql.awaitValue(
    "SELECT count(*) FROM millrace.sources WHERE name = 'moving' AND split LIKE '%-3'",
    '1',
  );
  // The witness leaves out records of partitions that it has not heard of: another producer asks again.
  const producer = await kafka.producer();
  await producer.send({ topic: 'moving', messages: [record(3, 7), record(0, 8)] });
  await sql.awaitValue('SELECT rows FROM moved', '8');
  assert.deepEqual((await sql.query('SELECT * FROM moved')).rows, [['8', '8', '36', '3']]);
  assert.equal(
    await sql.value("SELECT DISTINCT state FROM millrace.sources WHERE name = 'moving'"),
    'running',
  );
  // With the records and the end of the transaction that was aborted.
  await assertCommitted('movers', 'moving', [5, 4, 2, 1]);
});

test('offsets are noted under a group, the last ones at a stop, and never read', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('noted', 2);
  await sql.query(`CREATE SOURCE noted (id int) ${options('noted', noting('watchers'))}`);
  await sql.query('CREATE MATERIALIZED VIEW noted_view AS SELECT id FROM noted');
  await kafka.send('noted', [record(0, 1), record(0, 2), record(1, 3)]);
  await assertCommitted('watchers', 'noted', [2, 1]);
  await kafka.send('noted', [record(0, 4)]);
  await sql.awaitValue('SELECT count(*) FROM noted_view', '4');
  await server.stop();
  assert.deepEqual(await kafka.committedOffsets('watchers', 'noted'), [3, 1]);
  await kafka.setCommittedOffset('watchers', 'noted', 0);
  await server.restart();
  await sql.reconnect(server.url);
  await kafka.send('noted', [record(0, 5)]);
  await sql.awaitValue('SELECT max(id) FROM noted_view', '5');
  assert.equal(await sql.value('SELECT count(*) FROM noted_view'), '5');
  await assertCommitted('watchers', 'noted', [4, 1]);
});

test('a group that somebody consumes with: a warning, and the source goes on', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('shared');
  const member = await kafka.member('consumers', 'shared');
  await sql.query(`CREATE SOURCE shared (id int) ${options('shared', noting('consumers'))}`);
  await sql.query('CREATE MATERIALIZED VIEW shared_view AS SELECT id FROM shared');
  await kafka.send('shared', [record(0, 1)]);
  const warning =
    /source \S+shared\S*: its offsets could not be committed to group \S+consumers\S+: the group has active members/;
  const isWarned = () => warning.test(server.log);
  assert.ok(await polled(isWarned, Boolean), server.log);
  await kafka.send('shared', [record(0, 2)]);
  await sql.awaitValue('SELECT count(*) FROM shared_view', '2');
  assert.equal(
    await sql.value("SELECT state FROM millrace.sources WHERE name = 'shared'"),
    'running',
  );
  assert.deepEqual(await kafka.committedOffsets('consumers', 'shared'), [-1]);
  await member.disconnect();
  await assertCommitted('consumers', 'shared', [2]);
  assert.equal(server.log.match(new RegExp(warning, 'g'))?.length, 1);
});

test('one silent partition of four: windows close by the idle timeout', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('silent', 4);
  await sql.query(
    `CREATE SOURCE silent (at timestamp, WATERMARK FOR at AS at) ${options('silent', ", watermark.idle_timeout = '1 second'")}`,
  );
  await sql.query(
    `CREATE MATERIALIZED VIEW closed AS SELECT window_start, count(*) AS c FROM TUMBLE(silent, at, INTERVAL '1 minute') GROUP BY window_start EMIT ON WINDOW CLOSE`,
  );
  const at = (partition: number, time: string) => ({
    partition,
    value: `{"at": "2024-01-01 ${time}"}`,
  });
  for (const time of ['10:00:10', '10:00:50', '10:02:00']) {
    await kafka.send('silent', [at(0, time), at(1, time), at(2, time)]);
  }
  await sql.awaitValue('SELECT c FROM closed', '6');
  assert.equal(
    await sql.value(
      "SELECT is_idle FROM millrace.watermarks WHERE relation LIKE '%silent' AND split LIKE '%-3'",
    ),
    't',
  );
  // What comes late of it is late.
  await kafka.send('silent', [at(3, '10:00:20'), at(3, '10:02:30')]);
  await sql.awaitValue("SELECT count(*) FROM millrace.dead_letters WHERE kind = 'late'", '1');
});

test('ALTER SECRET: a source and a sink whose login was refused go on, also after a kill', {
  skip: SKIP,
}, async () => {
  const { name, password } = KAFKA_USERS.changing;
  const login = `WITH (connector = 'kafka', properties.bootstrap.server = '${kafka.cluster.bootstrap('sasl')}',
    properties.security.protocol = 'sasl_plaintext', properties.sasl.mechanism = 'SCRAM-SHA-256',
    properties.sasl.username = '${name}', properties.sasl.password = secret changing, topic =`;
  await kafka.createTopic('inward');
  await kafka.createTopic('outward');
  await kafka.send('inward', [record(0, 1)]);
  await sql.query(`CREATE SECRET changing WITH (backend = 'meta') AS '${password}'`);
  await sql.query(`CREATE SOURCE inward (id int) ${login} 'inward') FORMAT PLAIN ENCODE JSON`);
  await sql.query('CREATE MATERIALIZED VIEW inward_view AS SELECT id FROM inward');
  await sql.query(
    `CREATE SINK outward FROM inward_view ${login} 'outward') FORMAT PLAIN ENCODE JSON`,
  );
  await sql.awaitValue('SELECT count(*) FROM inward_view', '1');
  const states = `SELECT concat((SELECT state FROM millrace.sources WHERE name = 'inward'), ' ',
    (SELECT state FROM millrace.sinks WHERE name = 'outward'))`;
  await sql.query("ALTER SECRET changing AS 'second-secret'");
  await sql.awaitValue(states, 'failed failed');
  const error = "SELECT error FROM millrace.sources WHERE name = 'inward'";
  assert.match((await sql.value(error)) ?? '', /^Kafka refused the login: /);
  kafka.cluster.changePassword(name, 'second-secret');
  await kafka.send('inward', [record(0, 2)]);
  await sql.query("ALTER SECRET changing AS 'second-secret'");
  await sql.awaitValue(states, 'running running');
  await sql.awaitValue('SELECT count(*) FROM inward_view', '2');
  await server.killAndRestart(sql);
  await kafka.send('inward', [record(0, 3)]);
  await sql.awaitValue('SELECT count(*) FROM inward_view', '3');
  const sent = (await kafka.consume('outward', 3)).map(({ value }) => value);
  assert.deepEqual(sent, ['{"id":1}', '{"id":2}', '{"id":3}']);
  assert.equal(await sql.value(states), 'running running');
  await sql.query('DROP SINK outward');
});
