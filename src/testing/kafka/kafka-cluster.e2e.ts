/**
 * A Kafka source and three brokers, through TLS and SCRAM: leaders that move when a broker is killed, partitions that are added
 * meanwhile, a transaction that is aborted; and windows that close although one partition of four is silent.
 */

import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { KAFKA_USERS } from '../services/kafka.ts';
import type { SqlClient } from '../sql-client.ts';
import { type KafkaFixture, kafkaSkip } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';

const SKIP = kafkaSkip();

let scene: KafkaScene | undefined;
let kafka: KafkaFixture;
let sql: SqlClient;

before(async () => {
  if (SKIP !== false) return;
  // How soon leaders move: 9 s by default.
  const properties = {
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
  };
  scene = await KafkaScene.start({}, { nodeCount: 3, heapMiB: 256, properties });
  ({ kafka, sql } = scene);
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

const record = (partition: number, id: number) => ({ partition, value: `{"id": ${id}}` });

test('leaders that move: each record counts once, also those of new partitions', {
  skip: SKIP,
}, async (context: TestContext) => {
  await kafka.createTopic('moving', 3, {}, 3);
  await sql.query(`CREATE SOURCE moving (id int) INCLUDE PARTITION AS p ${options('moving')}`);
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
