/** `dead_letter.topic` against a real broker: rejected records in another topic, as they came, once; what CREATE refuses. */

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { KafkaMessage } from 'kafkajs';
import { polled } from '../polled.ts';
import type { ServerProcess } from '../server-process.ts';
import { KAFKA_USERS } from '../services/kafka.ts';
import type { SqlClient } from '../sql-client.ts';
import type { CommittedRecord } from './committed-records.ts';
import { type KafkaFixture, kafkaSkip } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';

const SKIP = kafkaSkip();

let scene: KafkaScene | undefined;
let kafka: KafkaFixture;
let server: ServerProcess;
let sql: SqlClient;

before(async () => {
  if (SKIP !== false) return;
  // Everybody may do everything but what is denied.
  const properties = {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    'allow.everyone.if.no.acl.found': 'true',
  };
  scene = await KafkaScene.start({}, { properties });
  ({ kafka, server, sql } = scene);
});

after(() => scene?.dispose());

const options = (topic: string, letters: string, more = '') =>
  `WITH (connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${kafka.bootstrap}', dead_letter.topic = '${letters}'${more}) FORMAT PLAIN ENCODE JSON`;

const state = (name: string, columns: string) =>
  `SELECT ${columns} FROM millrace.sinks WHERE name = '${name}' AND kind = 'dead_letters'`;

/** As the witness has them; by offset of the original. */
function shown({ key, value, headers = {}, timestamp }: KafkaMessage) {
  const texts = Object.entries(headers).map(([name, one]) => [name, String(one)]);
  return { key, value, timestamp, headers: Object.fromEntries(texts) };
}

test('rejected records come as they were, with the reason', { skip: SKIP }, async () => {
  await kafka.createTopic('claims');
  await kafka.createTopic('claims.dlq');
  const garbage = Buffer.from([0xff, 0x00, 0xfe]);
  const long = Buffer.alloc(70_000, 'x');
  const timestamp = '1700000000123';
  await kafka.send('claims', [
    { value: '{"id": 1}', timestamp },
    { key: 'k', value: '{"id": "x"}', headers: { trace: 't1' }, timestamp },
    { key: garbage, value: garbage, timestamp },
    { value: '{}', timestamp },
    { value: null, timestamp },
    { value: long, timestamp },
  ]);
  await sql.query(`CREATE SOURCE claims (id int NOT NULL) ${options('claims', 'claims.dlq')}`);
  for (const view of ['claims_a', 'claims_b']) {
    await sql.query(`CREATE MATERIALIZED VIEW ${view} AS SELECT id FROM claims`);
  }
  const seen = await kafka.consumeMessages('claims.dlq', 5);
  const expected = (offset: number, sqlstate: string, error: string, more = {}) => ({
    'millrace.source': 'claims',
    'millrace.reason': 'rejected',
    'millrace.sqlstate': sqlstate,
    'millrace.error': error,
    'millrace.topic': 'claims',
    'millrace.partition': '0',
    'millrace.offset': `${offset}`,
    'millrace.letter': `${offset}`,
    ...more,
  });
  const json = (detail: string) => `invalid input syntax for type json (${detail})`;
  const isNull = 'null value in column "id"';
  assert.deepEqual(seen.map(shown), [
    {
      key: Buffer.from('k'),
      value: Buffer.from('{"id": "x"}'),
      timestamp,
      headers: expected(1, '22P02', 'column "id": invalid input syntax for type integer: "x"', {
        trace: 't1',
      }),
    },
    {
      key: garbage,
      value: garbage,
      timestamp,
      headers: expected(2, '22P02', json('Expected JSON value, but found byte 255.')),
    },
    {
      key: null,
      value: Buffer.from('{}'),
      timestamp,
      headers: expected(3, '23502', isNull),
    },
    { key: null, value: null, timestamp, headers: expected(4, '23502', isNull) },
    {
      key: null,
      value: long.subarray(0, 65_536),
      timestamp,
      headers: expected(5, '22P02', json('Expected JSON value, but found "x".'), {
        'millrace.truncated': 'true',
      }),
    },
  ]);
  assert.deepEqual((await sql.query(state('claims', 'connector, state, rows_sent'))).rows, [
    ['kafka', 'running', '5'],
  ]);
});

test('what fails after it was decoded comes as it was, too', { skip: SKIP }, async () => {
  for (const topic of ['shares', 'shares.dlq', 'stock.dlq']) await kafka.createTopic(topic, 2);
  const records = Array.from({ length: 4000 }, (_, id) => {
    const pad = ' '.repeat(id % 9);
    return {
      partition: id % 2,
      key: `${id}`,
      value: `{"amount": ${id % 100 === 7 ? 0 : 5}}${pad}`,
    };
  });
  await kafka.send('shares', records);
  const generated = 'share int GENERATED ALWAYS AS (100 / amount) STORED';
  await sql.query(
    `CREATE SOURCE shares (amount int, ${generated}) ${options('shares', 'shares.dlq')}`,
  );
  await sql.query('CREATE MATERIALIZED VIEW shares_view AS SELECT sum(share) FROM shares');
  await sql.query(
    `CREATE TABLE stock (id int PRIMARY KEY, amount int, ${generated}) ${options('shares', 'stock.dlq').replace('PLAIN', 'UPSERT')}`,
  );
  const poison = records.filter((_, id) => id % 100 === 7);
  for (const topic of ['shares.dlq', 'stock.dlq']) {
    const sent = await kafka.awaitRecords(topic, poison.length);
    const expected = poison.map(({ partition, key, value }) => [`${partition}`, key, value]);
    const got = sent.map(({ headers, key, value }) => [headers['millrace.partition'], key, value]);
    assert.deepEqual(got.sort(), expected.sort(), topic);
    assert.ok(sent.every(({ headers }) => headers['millrace.sqlstate'] === '22012'));
  }
  const raw =
    "SELECT count(*) FROM millrace.dead_letters WHERE source = 'shares' AND convert_from(raw, 'UTF8') = \"row\"";
  assert.equal(await sql.value(raw), String(poison.length));
});

test('each once, through kill -9 and REPLAY; DROP takes what is kept', { skip: SKIP }, async () => {
  await kafka.createTopic('bills', 2);
  await kafka.createTopic('bills.dlq', 3);
  const spools = () => readdirSync(join(server.dataDir, 'sinks')).length;
  const before = spools();
  await sql.query(
    `CREATE SOURCE bills (id int, amount int NOT NULL) ${options('bills', 'bills.dlq')}`,
  );
  await sql.query('CREATE MATERIALIZED VIEW bills_view AS SELECT * FROM bills');
  assert.equal(spools(), before + 1);
  let next = 0;
  /** One of three has no amount. */
  const send = (count: number) => {
    const messages = Array.from({ length: count }, () => {
      const id = next++;
      const value = id % 3 === 0 ? `{"id": ${id}}` : `{"id": ${id}, "amount": 1}`;
      return { partition: id % 2, key: `k${id}`, value };
    });
    return kafka.send('bills', messages);
  };
  for (let round = 0; round < 4; round += 1) {
    await send(60);
    // At once, before anything is sent; and when all is.
    if (round % 2 === 1) await kafka.awaitRecords('bills.dlq', next / 3);
    await server.killAndRestart(sql);
  }
  const rejected = "SELECT DISTINCT rows_rejected FROM millrace.sources WHERE name = 'bills'";
  await sql.awaitValue(rejected, '80');
  const keysOf = (records: readonly CommittedRecord[]) => records.map(({ key }) => key).sort();
  const keys = Array.from({ length: 80 }, (_, i) => `k${3 * i}`).sort();
  assert.deepEqual(keysOf(await kafka.awaitRecords('bills.dlq', 80)), keys);
  await sql.query('ALTER SOURCE bills ALTER COLUMN amount DROP NOT NULL');
  await sql.query('REPLAY DEAD LETTERS FOR bills WHERE record_offset < 50');
  await server.killAndRestart(sql);
  assert.equal(
    await sql.value('SELECT count(*) FROM bills_view WHERE amount IS NULL'),
    String(80 - Number(await sql.value(rejected))),
  );
  await kafka.send('bills', [{ key: 'last', value: 'poison' }]);
  assert.deepEqual(keysOf(await kafka.awaitRecords('bills.dlq', 81)), [...keys, 'last'].sort());
  await sql.query('DROP SOURCE bills CASCADE');
  assert.equal(await polled(spools, (count) => count <= before), before);
  assert.equal(await sql.value("SELECT count(*) FROM millrace.sinks WHERE name = 'bills'"), '0');
});

test('a topic that is away stops nothing; a broker that was killed neither', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('gone');
  await kafka.createTopic('gone.dlq');
  await sql.query(`CREATE SOURCE gone (id int) ${options('gone', 'gone.dlq')}`);
  await sql.query('CREATE MATERIALIZED VIEW gone_view AS SELECT id FROM gone');
  await kafka.deleteTopic('gone.dlq');
  await kafka.send('gone', [{ value: 'poison 1' }, { value: '{"id": 1}' }]);
  await sql.awaitValue('SELECT count(*) FROM gone_view', '1');
  await sql.awaitValue(state('gone', "state || ' ' || (spooled_bytes > 0)"), 'disconnected true');
  await kafka.send('gone', [{ value: '{"id": 2}' }]);
  await sql.awaitValue('SELECT count(*) FROM gone_view', '2');
  await kafka.createTopic('gone.dlq');
  await kafka.awaitRecords('gone.dlq', 1);
  await sql.awaitValue(state('gone', "state || ' ' || spooled_bytes"), 'running 0');
  await kafka.send('gone', [{ value: 'poison 2' }]);
  await sql.awaitValue("SELECT count(*) FROM millrace.dead_letters WHERE topic = 'gone'", '2');
  await kafka.cluster.kill();
  await kafka.cluster.start();
  const values = (await kafka.awaitRecords('gone.dlq', 2)).map(({ value }) => value);
  assert.deepEqual(values, ['poison 1', 'poison 2']);
});

test('CREATE says what is wrong', { skip: SKIP }, async () => {
  const { plain } = KAFKA_USERS;
  for (const topic of ['wrong', 'wrong.dlq', 'readonly.dlq', 'hidden.dlq']) {
    await kafka.createTopic(topic);
  }
  await kafka.showOnlyTo(plain.name, 'readonly.dlq');
  await kafka.showOnlyTo('nobody', 'hidden.dlq');
  const login = `, properties.security.protocol = 'sasl_plaintext', properties.sasl.mechanism = 'PLAIN', properties.sasl.username = '${plain.name}', properties.sasl.password = '${plain.password}'`;
  const create = (letters: string) =>
    `CREATE SOURCE wrong (id int) ${options('wrong', letters, login).replace(kafka.bootstrap, kafka.cluster.bootstrap('sasl'))}`;
  const refused = async (letters: string) => {
    const statement = create(letters);
    const { code, message, hint, position } = await sql.refused(statement);
    assert.equal(Number(position), statement.indexOf(`'${letters}'`) + 1, message);
    return [code, message, hint?.replace(/Brokers.*/, '')];
  };
  assert.deepEqual(await refused('nosuch.dlq'), [
    '42704',
    'Kafka has no topic "nosuch.dlq"',
    'Make it first, with as many partitions as it shall have. ',
  ]);
  assert.deepEqual(await refused('readonly.dlq'), [
    '42501',
    'Kafka does not let the login write to topic "readonly.dlq"',
    'Give it the operation WRITE on the topic.',
  ]);
  assert.deepEqual((await refused('hidden.dlq')).slice(0, 2), [
    '42501',
    'Kafka does not let the login see topic "hidden.dlq"',
  ]);
  await kafka.createTopic('progress');
  await kafka.showOnlyTo(plain.name, 'progress');
  const progress = await sql.refused(
    create('wrong.dlq').replace(
      "'wrong.dlq'",
      "'wrong.dlq', dead_letter.progress.topic = 'progress'",
    ),
  );
  assert.equal(progress.message, 'Kafka does not let the login read topic "progress"');
  await sql.query(create('wrong.dlq'));
  await sql.query('DROP SOURCE wrong');
});

test('a secret with another value: letters go on with it', { skip: SKIP }, async () => {
  for (const topic of ['sealed', 'sealed.dlq']) await kafka.createTopic(topic);
  const { name, password } = KAFKA_USERS.plain;
  const login = `, properties.security.protocol = 'sasl_plaintext', properties.sasl.mechanism = 'PLAIN', properties.sasl.username = '${name}', properties.sasl.password = secret sealed`;
  await sql.query(`CREATE SECRET sealed WITH (backend = 'meta') AS '${password}'`);
  await sql.query(
    `CREATE SOURCE sealed (id int) ${options('sealed', 'sealed.dlq', login).replace(kafka.bootstrap, kafka.cluster.bootstrap('sasl'))}`,
  );
  await sql.query('CREATE MATERIALIZED VIEW sealed_view AS SELECT id FROM sealed');
  await kafka.send('sealed', [{ value: 'poison 1' }]);
  await kafka.awaitRecords('sealed.dlq', 1);
  await sql.query("ALTER SECRET sealed AS 'wrong'");
  await sql.awaitValue(state('sealed', 'state'), 'failed');
  await sql.query(`ALTER SECRET sealed AS '${password}'`);
  await kafka.send('sealed', [{ value: 'poison 2' }]);
  await kafka.awaitRecords('sealed.dlq', 2);
  await server.killAndRestart(sql);
  await kafka.send('sealed', [{ value: 'poison 3' }]);
  const values = (await kafka.awaitRecords('sealed.dlq', 3)).map(({ value }) => value);
  assert.deepEqual(values, ['poison 1', 'poison 2', 'poison 3']);
  await sql.query('DROP SOURCE sealed CASCADE');
});
