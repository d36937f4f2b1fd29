/**
 * FORMAT UPSERT against a real broker: records that change rows, as sources and as tables; what is refused and what becomes a
 * dead letter; and kill -9 while a producer writes, compared with a model. Kills: MILLRACE_TEST_KAFKA_KILLS (6), seed:
 * MILLRACE_TEST_SEED.
 */

import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Message, Producer } from 'kafkajs';
import { Random, systemRandom } from '../../base/random.ts';
import type { ServerProcess } from '../server-process.ts';
import type { SqlClient } from '../sql-client.ts';
import { type KafkaFixture, kafkaSkip } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';
import { KILLS, killOften, Writing } from './kill-often.ts';

const SEED = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());
const SKIP = kafkaSkip();

let scene: KafkaScene | undefined;
let kafka: KafkaFixture;
let server: ServerProcess;
let sql: SqlClient;

before(async () => {
  if (SKIP !== false) return;
  scene = await KafkaScene.start({ tuning: { checkpointIntervalMs: 700 } });
  ({ kafka, server, sql } = scene);
});

after(() => scene?.dispose());

const options = (topic: string, format = 'FORMAT UPSERT ENCODE JSON') =>
  `WITH (connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${kafka.bootstrap}') ${format}`;

test('a source keeps the newest row of each key; two views and a later one read it', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('people');
  await kafka.send('people', [
    { key: '1', value: '{"id": 99, "name": "Ada", "town": "London"}' },
    { key: '2', value: '{"name": "Grace", "town": "New York"}' },
    { key: '1', value: '{"name": "Ada", "town": "Turin"}' },
    { key: '3', value: null },
  ]);
  await sql.query(
    `CREATE SOURCE people (id int PRIMARY KEY, name text, town text) ${options('people')}`,
  );
  assert.match(sql.takeNoticeTexts().join(), /keeps the newest row of each key/);
  await sql.query(
    'CREATE MATERIALIZED VIEW towns AS SELECT town, count(*) AS n FROM people GROUP BY town',
  );
  await sql.query('CREATE MATERIALIZED VIEW names AS SELECT id, name FROM people');
  await sql.awaitRows('SELECT id, name, town FROM people ORDER BY id', [
    ['1', 'Ada', 'Turin'],
    ['2', 'Grace', 'New York'],
  ]);
  await sql.awaitRows('SELECT * FROM towns ORDER BY town', [
    ['New York', '1'],
    ['Turin', '1'],
  ]);
  await server.killAndRestart(sql);
  await kafka.send('people', [
    { key: '2', value: null },
    { key: '1', value: '{"name": "Ada", "town": "Paris"}' },
    { key: '1', value: null },
    { key: '1', value: '{"name": "Ada L.", "town": "Paris"}' },
  ]);
  await sql.awaitRows('SELECT * FROM towns ORDER BY town', [['Paris', '1']]);
  await sql.awaitRows('SELECT * FROM names', [['1', 'Ada L.']]);
  await sql.query('CREATE MATERIALIZED VIEW later AS SELECT * FROM people');
  await sql.awaitRows('SELECT * FROM later', [['1', 'Ada L.', 'Paris']]);
  await sql.awaitRows('EXPLAIN SELECT id FROM people', [['Scan stored source public.people [id]']]);
  await sql.awaitRows(
    "SELECT rows_read, rows_decoded, rows_rejected, unknown_deletes FROM millrace.sources WHERE name = 'people'",
    [['8', '8', '0', '1']],
  );
});

test('keys as JSON objects, as JSON strings and as the bytes of INCLUDE KEY', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('orders');
  await kafka.send('orders', [
    { key: '{"shop": "a", "number": 1}', value: '{"amount": 1.5}' },
    { key: '{"number": 1, "shop": "b", "more": true}', value: '{"amount": 2}' },
    { key: '{"shop": "a", "number": 1}', value: null },
    { key: '{"shop": "c"}', value: '{"amount": 3}' },
  ]);
  await sql.query(
    `CREATE TABLE orders (shop text, number int, amount numeric, PRIMARY KEY (number, shop)) INCLUDE OFFSET AS o ${options('orders')}`,
  );
  await sql.awaitRows('SELECT * FROM orders', [['b', '1', '2', '1']]);
  await kafka.createTopic('quoted');
  await kafka.send('quoted', [
    { key: '"x\\u0041"', value: '{"v": 1}' },
    { key: 'plain', value: '{"v": 2}' },
  ]);
  await sql.query(`CREATE TABLE quoted (k text PRIMARY KEY, v int) ${options('quoted')}`);
  await sql.awaitRows('SELECT * FROM quoted ORDER BY v', [
    ['xA', '1'],
    ['plain', '2'],
  ]);
  await sql.query(
    `CREATE TABLE raw (v int, PRIMARY KEY (k)) INCLUDE KEY AS k ${options('quoted')}`,
  );
  await sql.awaitRows("SELECT convert_from(k, 'UTF8'), v FROM raw ORDER BY v", [
    ['"x\\u0041"', '1'],
    ['plain', '2'],
  ]);
});

test('numbers as times, in keys as well; a DEFAULT where a member is missing', {
  skip: SKIP,
}, async () => {
  const json = "FORMAT UPSERT ENCODE JSON (timestamp.handling = 'milli')";
  await kafka.createTopic('readings');
  await kafka.send('readings', [
    { key: '{"at": 1700000000123, "id": 1}', value: '{"seen": 1700000000000}' },
    { key: '{"at": 1700000000123, "id": 1}', value: '{"seen": 0, "v": null}' },
    { key: '{"at": 1700000000124, "id": 1}', value: '{}' },
  ]);
  await sql.query(
    `CREATE TABLE readings (id int, at timestamp, seen timestamp, v int DEFAULT 2 * 21, PRIMARY KEY (id, at)) ${options('readings', json)}`,
  );
  await sql.awaitRows('SELECT * FROM readings ORDER BY at', [
    ['1', '2023-11-14 22:13:20.123', '1970-01-01 00:00:00', null],
    ['1', '2023-11-14 22:13:20.124', null, '42'],
  ]);
  await kafka.createTopic('instants');
  await kafka.send('instants', [
    { key: '1700000000123', value: '{"v": 1}' },
    { key: '2023-11-14 22:13:20.123', value: '{"v": 2}' },
    { key: '"2023-11-14 22:13:21"', value: '{"v": 3}' },
  ]);
  await sql.query(
    `CREATE TABLE instants (at timestamp PRIMARY KEY, v int) ${options('instants', json)}`,
  );
  await sql.awaitRows('SELECT * FROM instants ORDER BY at', [
    ['2023-11-14 22:13:20.123', '2'],
    ['2023-11-14 22:13:21', '3'],
  ]);
  const wrong = [
    [`(id int DEFAULT 1 PRIMARY KEY, v int) ${options('readings')}`, '0A000'],
    [
      `(id int PRIMARY KEY, v int DEFAULT 1) ${options('readings', 'FORMAT DEBEZIUM ENCODE JSON')}`,
      '0A000',
    ],
    [`(id int PRIMARY KEY) ${options('readings', json.replace('UPSERT', 'DEBEZIUM'))}`, '22023'],
  ] as const;
  for (const [definition, code] of wrong) {
    const statement = `CREATE TABLE wrong ${definition}`;
    const error = await sql.refused(statement);
    const at = /DEFAULT 1|timestamp\.handling/.exec(statement)!;
    const skipped = at[0].startsWith('DEFAULT') ? 'DEFAULT '.length : 0;
    assert.deepEqual([error.code, error.position], [code, at.index + 1 + skipped]);
    assert.ok(error.hint);
  }
});

test('what cannot be decoded leaves the old row and is a dead letter', { skip: SKIP }, async () => {
  await kafka.createTopic('broken');
  await kafka.send('broken', [
    { key: '1', value: '{"v": 1}' },
    { key: null, value: '{"v": 2}' },
    { key: '1', value: '{"v": ' },
    { key: 'x', value: '{"v": 3}' },
    { key: '1', value: '{"w": 4}' },
    { key: '2', value: '{"v": 5}' },
  ]);
  await sql.query(
    `CREATE TABLE broken (id int PRIMARY KEY, v int NOT NULL, twice int GENERATED ALWAYS AS (v * 2) STORED) ${options('broken')}`,
  );
  await sql.awaitRows('SELECT * FROM broken ORDER BY id', [
    ['1', '1', '2'],
    ['2', '5', '10'],
  ]);
  await sql.awaitRows(
    "SELECT sqlstate, count(*) FROM millrace.dead_letters WHERE source = 'broken' GROUP BY sqlstate ORDER BY sqlstate",
    [
      ['22P02', '2'],
      ['23502', '2'],
    ],
  );
});

test('rejected records that are replayed never overwrite newer ones', { skip: SKIP }, async () => {
  await kafka.createTopic('mended');
  await kafka.send('mended', [
    { key: '1', value: '{"v": null}' },
    { key: '2', value: '{"v": null}' },
    { key: '3', value: '{"v": 3}' },
    { key: '1', value: '{"v": 1}' },
    { key: '3', value: '{}' },
  ]);
  await sql.query(`CREATE SOURCE mended (id int PRIMARY KEY, v int NOT NULL) ${options('mended')}`);
  await sql.awaitRows('SELECT * FROM mended ORDER BY id', [
    ['1', '1'],
    ['3', '3'],
  ]);
  await sql.awaitRows("SELECT count(*) FROM millrace.dead_letters WHERE source = 'mended'", [
    ['3'],
  ]);
  assert.equal((await sql.refused('ALTER SOURCE mended ALTER id DROP NOT NULL')).code, '42P16');
  await sql.query('ALTER SOURCE mended ALTER v DROP NOT NULL');
  await sql.query('CREATE MATERIALIZED VIEW mended_view AS SELECT * FROM mended');
  await sql.query('REPLAY DEAD LETTERS FOR mended');
  await server.killAndRestart(sql);
  for (const relation of ['mended', 'mended_view']) {
    await sql.awaitRows(`SELECT * FROM ${relation} ORDER BY id`, [
      ['1', '1'],
      ['2', null],
      ['3', null],
    ]);
  }
  await sql.awaitRows("SELECT count(*) FROM millrace.dead_letters WHERE source = 'mended'", [
    ['0'],
  ]);
});

test('tables: what may be done with them, and what not', { skip: SKIP }, async () => {
  await kafka.createTopic('plain');
  await kafka.send('plain', [
    { key: 'a', value: '{"v": 1}' },
    { key: 'a', value: '{"v": 1}' },
  ]);
  const plain = options('plain', 'FORMAT PLAIN ENCODE JSON');
  await sql.query(`CREATE TABLE plain (v int) INCLUDE KEY AS k ${plain}`);
  await sql.awaitRows("SELECT v, convert_from(k, 'UTF8') FROM plain", [
    ['1', 'a'],
    ['1', 'a'],
  ]);
  await server.killAndRestart(sql);
  await sql.query('CREATE INDEX plain_v ON plain (v)');
  await kafka.send('plain', [{ value: '{"v": 2}' }]);
  await sql.awaitRows('SELECT count(*) FROM plain WHERE v = 2', [['1']]);
  await server.killAndRestart(sql);
  await sql.awaitRows('SELECT count(*) FROM plain WHERE v = 1', [['2']]);
  for (const statement of [
    'INSERT INTO plain VALUES (1)',
    'UPDATE plain SET v = 1',
    'DELETE FROM plain',
    'TRUNCATE plain',
  ]) {
    const { code, hint } = await sql.refused(statement);
    assert.equal(code, '0A000');
    assert.match(hint ?? '', /Write to what the connector reads/);
  }
  assert.equal(await sql.value("SELECT relkind FROM pg_class WHERE relname = 'plain'"), 'r');
  const shown = (await sql.query('SHOW CREATE TABLE plain')).rows[0]?.[1];
  assert.match(
    shown ?? '',
    /INCLUDE KEY AS k WITH \(connector = 'kafka'.*FORMAT PLAIN ENCODE JSON$/s,
  );
  await sql.query('DROP TABLE plain');
  assert.equal((await sql.refused('SELECT * FROM plain')).code, '42P01');
  await sql.query((shown ?? '').replace('public.plain', 'again'));
  await sql.awaitRows('SELECT count(*) FROM again', [['3']]);
});

test('UPSERT needs a key of its records', { skip: SKIP }, async () => {
  const create = (columns: string, rest = '') =>
    sql.refused(`CREATE SOURCE refused (${columns}) ${rest} ${options('people')}`);
  const none = await create('id int, v int');
  assert.equal(none.code, '42P16');
  assert.match(none.hint ?? '', /PRIMARY KEY \(id\)/);
  const mixed = await create('id int, PRIMARY KEY (id, k)', 'INCLUDE KEY AS k');
  assert.equal(mixed.code, '42P16');
  const generated = await create('id int, g int GENERATED ALWAYS AS (id + 1) STORED PRIMARY KEY');
  assert.equal(generated.code, '42P16');
  const numeric = await create('id numeric PRIMARY KEY, v int');
  assert.equal(numeric.code, '0A000');
  const plain = options('people', 'FORMAT PLAIN ENCODE JSON');
  const keyed = await sql.refused(`CREATE TABLE refused (id int PRIMARY KEY) ${plain}`);
  assert.equal(keyed.code, '0A000');
  const unknown = await sql.refused(
    `CREATE SOURCE refused (id int) ${options('people', 'FORMAT UPSET ENCODE JSON')}`,
  );
  assert.equal(unknown.code, '22023');
  assert.match(unknown.hint ?? '', /Perhaps you meant "upsert"/);
});

const KEYS = 500;
const PARTITIONS = 3;
const BATCH = 200;

/** Writes random changes, and keeps what they amount to. */
class Changes {
  readonly model = new Map<number, number>();
  readonly #producer: Producer;
  readonly #random: Random;
  poison = 0;
  unknownDeletes = 0;
  count = 0;

  constructor(producer: Producer, random: Random) {
    this.#producer = producer;
    this.#random = random;
  }

  async writeBatch(): Promise<void> {
    const messages = Array.from({ length: BATCH }, () => this.#message());
    await this.#producer.send({ topic: 'changes', messages });
    await delay(20);
  }

  #message(): Message {
    const key = this.#random.below(KEYS);
    const partition = key % PARTITIONS;
    const value = this.#random.below(1_000_000);
    const kind = this.#random.below(20);
    this.count += 1;
    if (kind === 0) {
      this.poison += 1;
      return { partition, key: `${key}`, value: `{"v": "${value}x"}` };
    }
    if (kind < 5) {
      if (!this.model.delete(key)) this.unknownDeletes += 1;
      return { partition, key: `${key}`, value: null };
    }
    this.model.set(key, value);
    return { partition, key: `${key}`, value: JSON.stringify({ v: value }) };
  }
}

test('kills while a producer writes: the store and the views equal the model', {
  skip: SKIP,
}, async (context: TestContext) => {
  context.diagnostic(`MILLRACE_TEST_SEED=${SEED}, ${KILLS} kills`);
  const random = new Random(SEED);
  await kafka.createTopic('changes', PARTITIONS);
  await sql.query(`CREATE SOURCE changes (id int PRIMARY KEY, v int) ${options('changes')}`);
  await sql.query('CREATE MATERIALIZED VIEW kept AS SELECT id, v FROM changes');
  await sql.query(
    'CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n, sum(v) AS s, max(v) AS m FROM changes',
  );
  const changes = new Changes(await kafka.producer(), new Random(SEED + 1));
  const writing = new Writing(() => changes.writeBatch());
  await killOften(server, random);
  await sql.reconnect(server.url);
  await sql.query(
    'CREATE MATERIALIZED VIEW later_total AS SELECT count(*) AS n, sum(v) AS s, max(v) AS m FROM changes',
  );
  await delay(300);
  await writing.stop();
  const { model, count, poison, unknownDeletes } = changes;
  context.diagnostic(`${count} records, ${model.size} keys live`);
  const rows = [...model].sort(([a], [b]) => a - b).map(([id, v]) => [`${id}`, `${v}`]);
  const sum = [...model.values()].reduce((a, b) => a + b, 0);
  const most = Math.max(...model.values());
  await sql.awaitRows('SELECT id, v FROM changes ORDER BY id', rows);
  await sql.awaitRows('SELECT id, v FROM kept ORDER BY id', rows);
  const total = [[`${rows.length}`, `${sum}`, `${most}`]];
  await sql.awaitRows('SELECT n, s, m FROM total', total);
  await sql.awaitRows('SELECT n, s, m FROM later_total', total);
  await sql.awaitRows(
    "SELECT DISTINCT rows_read, rows_rejected, unknown_deletes FROM millrace.sources WHERE name = 'changes'",
    [[`${count}`, `${poison}`, `${unknownDeletes}`]],
  );
});
