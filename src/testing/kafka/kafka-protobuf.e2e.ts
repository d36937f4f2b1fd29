/**
 * ENCODE PROTOBUF against a real Kafka and a real schema registry, protobufjs being the witness; every encoding out and in
 * again: what a sink writes, a source reads as it was; and the pages of the documentation that need both.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import avro from 'avsc';
import protobuf from 'protobufjs';
import type { SchemaRegistryClient } from '../../connect/schema-registry/registry-client.ts';
import { testPages } from '../docs/pages.ts';
import type { ServerProcess } from '../server-process.ts';
import type { ServerError, SqlClient } from '../sql-client.ts';
import { type KafkaFixture, kafkaSkip } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';
import { framed, RegistryFixture } from './registry-fixture.ts';
import { TokenEndpoint } from './token-endpoint.ts';

const SKIP = kafkaSkip();

let scene: KafkaScene | undefined;
let registry: RegistryFixture;
let tokens: TokenEndpoint;
let kafka: KafkaFixture;
let server: ServerProcess;
let sql: SqlClient;
let client: SchemaRegistryClient;

before(async () => {
  if (SKIP !== false) return;
  tokens = await TokenEndpoint.start();
  [scene, registry] = await Promise.all([
    KafkaScene.start({}, { tokenKeysUrl: tokens.keysUrl }),
    RegistryFixture.start(),
  ]);
  ({ kafka, server, sql } = scene);
  ({ client } = registry);
});

after(async () => {
  await registry?.dispose();
  await scene?.dispose();
  await tokens?.dispose();
});

const FIRST = `syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Other { int32 v = 1; }
message Order {
  enum State { OPEN = 0; PAID = 1; }
  message Buyer { string name = 1; }
  int64 id = 1;
  string price = 2;
  google.protobuf.Timestamp at = 3;
  State state = 4;
  repeated string tags = 5;
  Buyer buyer = 6;
  map<string, int32> counts = 7;
  optional int32 level = 8;
}
`;

/** Has a field more and one less; one may be missed now. */
const SECOND = FIRST.replace('  repeated string tags = 5;\n', '')
  .replace('int64 id', 'optional int64 id')
  .replace('}\n}', '}\n  oneof extra { string note = 9; int32 code = 10; }\n}')
  .replace('level = 8;', 'level = 8;\n  string note = 9;');

function order(text: string, value: object): Buffer {
  const { root } = protobuf.parse(text, { keepCase: true });
  root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')!.nested!);
  const type = root.resolveAll().lookupType('shop.Order');
  return Buffer.from(type.encode(type.fromObject(value as Record<string, unknown>)).finish());
}

/** Path [1]: the second message of the schema. */
function message(id: number, body: Buffer, path = [2, 2]): Buffer {
  return framed(id, Buffer.from(path), body);
}

const options = (topic: string, encode: string, format = 'PLAIN ENCODE PROTOBUF') =>
  `WITH (connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${kafka.bootstrap}') FORMAT ${format} ${encode === '' ? '' : `(${encode})`}`;

const shown = ({ code, message }: ServerError) => `${code}: ${message}`;

const fromRegistry = () => `schema.registry = '${registry.url}'`;

const columnTypes = async (table: string) =>
  (
    await sql.query(
      `SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '${table}' ORDER BY ordinal_position`,
    )
  ).rows;

test('columns from the registry; schemas change while it runs; broken messages are dead letters', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('orders');
  const first = await client.register('orders-value', 'PROTOBUF', FIRST);
  const named = `${fromRegistry()}, message = 'Order'`;
  await sql.query(`CREATE SOURCE orders INCLUDE OFFSET AS o ${options('orders', named)}`);
  assert.deepEqual(await columnTypes('orders'), [
    ['id', 'bigint'],
    ['price', 'text'],
    ['at', 'timestamp with time zone'],
    ['state', 'text'],
    ['tags', 'ARRAY'],
    ['buyer', 'jsonb'],
    ['counts', 'jsonb'],
    ['level', 'integer'],
    ['o', 'bigint'],
  ]);
  await sql.query('CREATE MATERIALIZED VIEW orders_view AS SELECT * FROM orders');
  const at = { seconds: 1_700_000_000, nanos: 1999 };
  const one = { id: 1, price: '1.50', at, state: 1, tags: ['a', 'b'], buyer: { name: 'Ann' } };
  const body = order(FIRST, { ...one, counts: { x: 5 }, level: 0 });
  await kafka.send('orders', [
    { value: message(first, body) },
    { value: message(987_654, body) },
    { value: Buffer.from('{"id": 1}') },
    { value: message(first, body.subarray(0, 6)) },
    { value: message(first, body, [0]) },
  ]);
  await sql.awaitValue('SELECT count(*) FROM orders_view', '1');
  const second = await client.register('orders-value', 'PROTOBUF', SECOND);
  assert.notEqual(second, first);
  await kafka.send('orders', [
    { value: message(second, order(SECOND, { price: '2', note: 'x' })) },
    { value: message(first, order(FIRST, {})) },
  ]);
  await sql.awaitValue('SELECT count(*) FROM orders_view', '3');
  const rows = async () =>
    (
      await sql.query(
        "SELECT id, price, at AT TIME ZONE 'UTC', state, tags, buyer, counts, level, o FROM orders_view ORDER BY o",
      )
    ).rows;
  const time = '2023-11-14 22:13:20.000001';
  const expected = [
    ['1', '1.50', time, 'PAID', '{a,b}', '{"name": "Ann"}', '{"x": 5}', '0', '0'],
    [null, '2', null, 'OPEN', null, null, '{}', null, '5'],
    ['0', '', null, 'OPEN', '{}', null, '{}', null, '6'],
  ];
  assert.deepEqual(await rows(), expected);
  const letters = await sql.query(
    "SELECT sqlstate, reason FROM millrace.dead_letters WHERE source = 'orders'",
  );
  assert.deepEqual([...letters.rows].sort(), [
    ['22P03', 'column "price": invalid Protobuf record: it ends too early'],
    ['22P03', 'invalid Protobuf record: it does not begin with 0, a schema id and message indexes'],
    ['22P03', 'schema 987654 is not in the schema registry'],
    ['42804', 'Protobuf message "shop.Other" is not "Order"'],
  ]);
  await server.killAndRestart(sql);
  assert.deepEqual(await rows(), expected);
  await kafka.send('orders', [{ value: message(second, order(SECOND, { id: 4 })) }]);
  await sql.awaitValue('SELECT count(*) FROM orders_view', '4');
});

test('FORMAT UPSERT: schemas of key and value that come later, then REPLAY, through kill -9', {
  skip: SKIP,
}, async () => {
  const texts = ['int32 probe', 'string shop', 'int32 pieces'].map(
    (field) => `syntax = "proto3";\nmessage Ahead { ${field} = 1; }\n`,
  );
  const [probe, key, value] = texts as [string, string, string];
  const encode = (text: string, one: object) => {
    const type = protobuf.parse(text).root.lookupType('Ahead');
    return Buffer.from(type.encode(type.fromObject(one as Record<string, unknown>)).finish());
  };
  await kafka.createTopic('ahead');
  const keyId = 1 + (await client.register('probe-value', 'PROTOBUF', probe));
  const record = (shop: string, pieces: number) => ({
    key: message(keyId, encode(key, { shop }), [0]),
    value: message(keyId + 1, encode(value, { pieces }), [0]),
  });
  await kafka.send('ahead', [record('a', 1), record('b', 2), record('a', 3)]);
  await sql.query(
    `CREATE TABLE ahead (shop text PRIMARY KEY, pieces int) ${options('ahead', fromRegistry(), 'UPSERT ENCODE PROTOBUF')}`,
  );
  const left = "SELECT count(*) FROM millrace.dead_letters WHERE source = 'ahead'";
  await sql.awaitValue(left, '3');
  assert.equal(await client.register('ahead-key', 'PROTOBUF', key), keyId);
  assert.equal((await sql.query('REPLAY DEAD LETTERS FOR ahead')).rowCount, 0);
  const reasons = "SELECT DISTINCT reason FROM millrace.dead_letters WHERE source = 'ahead'";
  assert.equal(await sql.value(reasons), `schema ${keyId + 1} is not in the schema registry`);
  assert.equal(await client.register('ahead-value', 'PROTOBUF', value), keyId + 1);
  assert.equal((await sql.query('REPLAY DEAD LETTERS FOR ahead')).rowCount, 3);
  await server.killAndRestart(sql);
  const content = "SELECT string_agg(shop || '=' || pieces, ' ' ORDER BY shop) FROM ahead";
  assert.equal(await sql.value(content), 'a=3 b=2');
  assert.equal(await sql.value(left), '0');
  await kafka.send('ahead', [record('b', 4)]);
  await sql.awaitValue(content, 'a=3 b=4');
});

test('without a registry: an inline schema, bare messages', { skip: SKIP }, async () => {
  await kafka.createTopic('bare');
  const schema = `schema = '${FIRST}', message = 'shop.Order'`;
  await sql.query(
    `CREATE SOURCE bare (id numeric, state int, price numeric) ${options('bare', schema)}`,
  );
  await sql.query('CREATE MATERIALIZED VIEW bare_view AS SELECT id, state, price FROM bare');
  await kafka.send('bare', [{ value: order(FIRST, { id: 2 ** 50, state: 1, price: '7.10' }) }]);
  await sql.awaitValue(
    "SELECT id || ' ' || state || ' ' || price FROM bare_view",
    '1125899906842624 1 7.10',
  );
});

test('what CREATE refuses', { skip: SKIP }, async () => {
  await kafka.createTopic('refused');
  await client.register('refused-value', 'PROTOBUF', FIRST);
  const create = (columns: string, encode: string) =>
    sql.refused(`CREATE SOURCE refused ${columns} ${options('refused', encode)}`).then(shown);
  assert.equal(
    await create('(id int, tags bigint)', `${fromRegistry()}, message = 'Order'`),
    '42804: column "tags": Protobuf repeated string does not fit type bigint',
  );
  assert.match(await create('', `${fromRegistry()}, message = 'X'`), /^22023: .*no message "X"/);
  assert.match(await create('(id int)', "schema = 'message {'"), /^22023: .*line 1: a name is/);
  const avroEncode = options('refused', fromRegistry(), 'PLAIN ENCODE AVRO');
  assert.match(
    shown(await sql.refused(`CREATE SOURCE refused ${avroEncode}`)),
    /^42804: the schema is PROTOBUF, not AVRO/,
  );
  await sql.query('CREATE TABLE odd (id int, "a b" int) APPEND ONLY');
  const sink = options('refused', fromRegistry());
  assert.match(
    shown(await sql.refused(`CREATE SINK odd_out FROM odd ${sink}`)),
    /^42602: "a b" cannot be the name of a Protobuf field/,
  );
});

const VALUES = `(1, true, -7, 9007199254740993, 1.50, 12.345, 1.5, -0.25, 'grün "x"', '\\x00ff',
  '0123abcd-89ab-cdef-0123-456789abcdef', '{"k": [1, null]}', '2024-02-29', '10:20:30.5',
  '2024-02-29 10:00:00.000001', '2024-02-29 10:00:00+02', '1 mon 2 days', '{1,2}', '{a,""}'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}', '{}')`;
const TYPES = `id int, b boolean, i smallint, l bigint, n numeric, m numeric(10,3), d double precision, f real, t text,
  y bytea, u uuid, j jsonb, day date, tm time, ts timestamp, tz timestamptz, iv interval, a int[], s text[]`;

test('every encoding: what a sink writes, a source reads as it was', { skip: SKIP }, async () => {
  await sql.query(`CREATE TABLE whole (${TYPES}) APPEND ONLY`);
  await sql.query(`INSERT INTO whole VALUES ${VALUES}`);
  const all = 'SELECT * FROM';
  const expected = (await sql.query(`${all} whole ORDER BY id`)).rows;
  for (const encode of ['json', 'csv', 'msgpack', 'avro', 'protobuf']) {
    const topic = `whole_${encode}`;
    await kafka.createTopic(topic);
    const hasSchema = encode === 'avro' || encode === 'protobuf';
    const format = `PLAIN ENCODE ${encode.toUpperCase()}`;
    const place = options(topic, hasSchema ? fromRegistry() : '', format);
    await sql.query(`CREATE SINK ${topic}_out FROM whole ${place}`);
    await sql.query(`CREATE SOURCE ${topic} (${TYPES}) ${place}`);
    await sql.query(`CREATE MATERIALIZED VIEW ${topic}_view AS SELECT * FROM ${topic}`);
    await sql.awaitValue(`SELECT count(*) FROM ${topic}_view`, '2');
    assert.deepEqual((await sql.query(`${all} ${topic}_view ORDER BY id`)).rows, expected, encode);
    if (!hasSchema) continue;
    const found = await client.latest(`${topic}-value`);
    assert.equal(found?.schema.type, encode.toUpperCase());
  }
});

test('keys of an upsert sink have a schema of their own; the table is the same again', {
  skip: SKIP,
}, async () => {
  await sql.query(
    'CREATE TABLE stock (shop text, article bigint, pieces int, PRIMARY KEY (shop, article))',
  );
  await sql.query("INSERT INTO stock VALUES ('a', 1, 10), ('b', 1, 20)");
  for (const encode of ['AVRO', 'PROTOBUF', 'MSGPACK']) {
    const topic = `stock_${encode.toLowerCase()}`;
    await kafka.createTopic(topic);
    const given = encode === 'MSGPACK' ? '' : `${fromRegistry()}, message = 'shop.Stock'`;
    const place = options(topic, given, `UPSERT ENCODE ${encode}`);
    await sql.query(`CREATE SINK ${topic}_out FROM stock ${place}`);
    await sql.query(
      `CREATE TABLE ${topic} (shop text, article bigint, pieces int, PRIMARY KEY (shop, article)) ${place}`,
    );
    const content = `SELECT string_agg(shop || article || '=' || pieces, ',' ORDER BY shop) FROM ${topic}`;
    await sql.awaitValue(content, 'a1=10,b1=20');
    if (given === '') continue;
    const key = await client.latest(`${topic}-key`);
    assert.match(key!.schema.text, encode === 'AVRO' ? /"shop.StockKey"/ : /message StockKey \{/);
  }
  await sql.query("DELETE FROM stock WHERE shop = 'a'");
  await sql.query("UPDATE stock SET pieces = 21 WHERE shop = 'b'");
  for (const encode of ['avro', 'protobuf', 'msgpack']) {
    await sql.awaitValue(
      `SELECT string_agg(shop || article || '=' || pieces, ',' ORDER BY shop) FROM stock_${encode}`,
      'b1=21',
    );
  }
});

test('change events: the source of an encoding is what its sink was given', {
  skip: SKIP,
}, async () => {
  const columns = 'shop text, article bigint, pieces int, at timestamptz';
  const encodings = ['JSON', 'AVRO', 'PROTOBUF', 'MSGPACK'];
  await sql.query(`CREATE TABLE shelf (${columns}, PRIMARY KEY (shop, article))`);
  await sql.query("INSERT INTO shelf VALUES ('a', 1, 10, '2024-01-01Z'), ('b', 1, 20, NULL)");
  for (const encode of encodings) {
    const topic = `shelf_${encode}`;
    await kafka.createTopic(topic);
    const hasSchema = encode === 'AVRO' || encode === 'PROTOBUF';
    const given = hasSchema ? `${fromRegistry()}, message = 'shop.Shelf'` : '';
    const place = options(topic, given, `DEBEZIUM ENCODE ${encode}`);
    await sql.query(`CREATE SINK ${topic}_out FROM shelf ${place}`);
    // The registry tells columns and key.
    const list = hasSchema ? '' : `(${columns}, PRIMARY KEY (shop, article))`;
    await sql.query(`CREATE SOURCE ${topic} ${list} ${place}`);
    await sql.query(`CREATE MATERIALIZED VIEW ${topic}_view AS SELECT * FROM ${topic}`);
  }
  await sql.query(
    "INSERT INTO shelf VALUES ('c', 9007199254740993, NULL, '1969-12-31 23:59:59.9Z')",
  );
  await sql.query("DELETE FROM shelf WHERE shop = 'a'");
  await sql.query('UPDATE shelf SET pieces = 21, at = now() WHERE article = 1');
  const { rows } = await sql.query('SELECT * FROM shelf ORDER BY shop');
  assert.equal(rows.length, 2);
  for (const encode of encodings) {
    await sql.awaitRows(`SELECT * FROM shelf_${encode}_view ORDER BY shop`, rows);
  }
  assert.match((await client.latest('shelf_AVRO-value'))!.schema.text, /"shop.ShelfValue"/);
  assert.match((await client.latest('shelf_PROTOBUF-value'))!.schema.text, /message ShelfValue \{/);
});

testPages(
  'kafka',
  () => ({
    kafka,
    replacements: [
      ['localhost:9092', kafka.bootstrap],
      ['localhost:9093', kafka.cluster.bootstrap('sasl')],
      ['http://localhost:8081', registry.url],
      ['https://login.example.com/token', tokens.url],
    ],
  }),
  SKIP,
);

test('other readers read what a sink writes', { skip: SKIP }, async () => {
  await sql.query('CREATE TABLE plain (id bigint, name text, price numeric(10,2)) APPEND ONLY');
  await sql.query("INSERT INTO plain VALUES (5, 'x', 1.28)");
  for (const encode of ['AVRO', 'PROTOBUF']) {
    const topic = `witness_${encode.toLowerCase()}`;
    await kafka.createTopic(topic);
    const place = options(topic, fromRegistry(), `PLAIN ENCODE ${encode}`);
    await sql.query(`CREATE SINK ${topic}_out FROM plain ${place}`);
    const [record] = await kafka.consumeBytes(topic, 1);
    const value = record!.value!;
    const schema = (await client.schema(value.readInt32BE(1)))!;
    if (encode === 'AVRO') {
      const type = avro.Type.forSchema(JSON.parse(schema.text) as avro.Schema);
      const read = type.fromBuffer(value.subarray(5)) as object;
      assert.deepEqual({ ...read }, { id: 5, name: 'x', price: Buffer.from([0x00, 0x80]) });
    } else {
      const type = protobuf.parse(schema.text, { keepCase: true }).root.lookupType('Value');
      const read = type.toObject(type.decode(value.subarray(6)), { longs: Number });
      assert.deepEqual(read, { id: 5, name: 'x', price: '1.28' });
    }
  }
});
