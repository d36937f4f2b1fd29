/** ENCODE AVRO against a real Kafka and a real schema registry; avsc encodes, as the witness. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import avro from 'avsc';
import type { SchemaRegistryClient } from '../../connect/schema-registry/registry-client.ts';
import type { ServerProcess } from '../server-process.ts';
import type { ServerError, SqlClient } from '../sql-client.ts';
import { type KafkaFixture, kafkaSkip } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';
import { framed, RegistryFixture } from './registry-fixture.ts';

const SKIP = kafkaSkip();

let scene: KafkaScene | undefined;
let registry: RegistryFixture;
let kafka: KafkaFixture;
let server: ServerProcess;
let sql: SqlClient;
let client: SchemaRegistryClient;

before(async () => {
  if (SKIP !== false) return;
  [scene, registry] = await Promise.all([KafkaScene.start(), RegistryFixture.start()]);
  ({ kafka, server, sql } = scene);
  ({ client } = registry);
});

after(async () => {
  await registry?.dispose();
  await scene?.dispose();
});

const FIRST = {
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 10, scale: 2 } },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: 'state', type: { type: 'enum', name: 'State', symbols: ['OPEN', 'PAID'] } },
    { name: 'tags', type: { type: 'array', items: 'string' } },
    {
      name: 'buyer',
      type: ['null', { type: 'record', name: 'B', fields: [{ name: 'n', type: 'string' }] }],
      default: null,
    },
  ],
};

/** Has a field more, one less, and one under another name. */
const SECOND = {
  ...FIRST,
  fields: [
    { name: 'note', type: ['null', 'string'], default: null },
    ...FIRST.fields.filter(({ name }) => name !== 'tags' && name !== 'id'),
    { name: 'order_id', type: 'long', aliases: ['id'] },
  ],
};

const AT = 1_700_000_000_000_001;

function order(schema: object, value: object): Buffer {
  const type = avro.Type.forSchema(schema as avro.Schema, { wrapUnions: true });
  const common = { price: Buffer.from([0x00, 0x96]), at: AT, state: 'PAID', buyer: null };
  return type.toBuffer({ ...common, ...value });
}

const options = (topic: string, encode: string) =>
  `WITH (connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${kafka.bootstrap}') FORMAT PLAIN ENCODE AVRO (${encode})`;

const shown = ({ code, message }: ServerError) => `${code}: ${message}`;

const fromRegistry = () => `schema.registry = '${registry.url}'`;

test('columns from the registry; schemas change while it runs; unknown ids are dead letters', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('orders');
  const first = await client.register('orders-value', 'AVRO', JSON.stringify(FIRST));
  await sql.query(`CREATE SOURCE orders INCLUDE OFFSET AS o ${options('orders', fromRegistry())}`);
  assert.deepEqual(
    (
      await sql.query(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'orders' ORDER BY ordinal_position",
      )
    ).rows,
    [
      ['id', 'bigint'],
      ['price', 'numeric'],
      ['at', 'timestamp with time zone'],
      ['state', 'text'],
      ['tags', 'ARRAY'],
      ['buyer', 'jsonb'],
      ['o', 'bigint'],
    ],
  );
  await sql.query('CREATE MATERIALIZED VIEW orders_view AS SELECT * FROM orders');
  const body = order(FIRST, { id: 1, tags: ['a', 'b'], buyer: { 'shop.B': { n: 'Ann' } } });
  await kafka.send('orders', [
    { value: framed(first, body) },
    { value: framed(987_654, body) },
    { value: Buffer.from('{"id": 1}') },
    { value: framed(first, body.subarray(0, 6)) },
  ]);
  await sql.awaitValue('SELECT count(*) FROM orders_view', '1');
  const second = await client.register('orders-value', 'AVRO', JSON.stringify(SECOND));
  assert.notEqual(second, first);
  await kafka.send('orders', [
    { value: framed(second, order(SECOND, { order_id: 2, note: { string: 'x' } })) },
    { value: framed(first, order(FIRST, { id: 3, tags: [] })) },
  ]);
  await sql.awaitValue('SELECT count(*) FROM orders_view', '3');
  const rows = async () =>
    (
      await sql.query(
        "SELECT id, price, at AT TIME ZONE 'UTC', state, tags, buyer, o FROM orders_view ORDER BY o",
      )
    ).rows;
  const at = '2023-11-14 22:13:20.000001';
  const expected = [
    ['1', '1.50', at, 'PAID', '{a,b}', '{"n": "Ann"}', '0'],
    ['2', '1.50', at, 'PAID', null, null, '4'],
    ['3', '1.50', at, 'PAID', '{}', null, '5'],
  ];
  assert.deepEqual(await rows(), expected);
  const letters = await sql.query('SELECT sqlstate, reason FROM millrace.dead_letters');
  assert.deepEqual([...letters.rows].sort(), [
    ['22P03', 'column "at": invalid Avro record: it ends too early'],
    ['22P03', 'invalid Avro record: it does not begin with 0 and a schema id'],
    ['22P03', 'schema 987654 is not in the schema registry'],
  ]);
  await server.killAndRestart(sql);
  assert.deepEqual(await rows(), expected);
  await kafka.send('orders', [
    { value: framed(second, order(SECOND, { order_id: 4, note: null })) },
  ]);
  await sql.awaitValue('SELECT count(*) FROM orders_view', '4');
});

test('without a registry: an inline schema, bare messages', { skip: SKIP }, async () => {
  await kafka.createTopic('bare');
  const schema = `schema = '${JSON.stringify(FIRST)}'`;
  await sql.query(`CREATE SOURCE bare (id numeric, state text) ${options('bare', schema)}`);
  await sql.query('CREATE MATERIALIZED VIEW bare_view AS SELECT id, state FROM bare');
  await kafka.send('bare', [{ value: order(FIRST, { id: 2 ** 50, tags: [] }) }]);
  await sql.awaitValue("SELECT id || ' ' || state FROM bare_view", '1125899906842624 PAID');
});

async function replayed(statement: string): Promise<number | null> {
  return (await sql.query(statement)).rowCount;
}

test('records before their schema: nothing changes until REPLAY, which takes them once, through kill -9', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('ahead');
  const first = await client.register(
    'ahead-value',
    'AVRO',
    JSON.stringify({ ...FIRST, doc: '1' }),
  );
  const next = first + 1;
  await sql.query(`CREATE SOURCE ahead INCLUDE OFFSET AS o ${options('ahead', fromRegistry())}`);
  await sql.query('CREATE MATERIALIZED VIEW ahead_early AS SELECT id, o FROM ahead');
  const body = (id: number) => order(FIRST, { id, tags: [] });
  await kafka.send('ahead', [
    { value: framed(first, body(1)) },
    { value: framed(next, body(2)) },
    { value: framed(next, body(3).subarray(0, 6)) },
    { value: framed(987_655, body(4)) },
    { value: framed(next, body(5)) },
  ]);
  const left = "SELECT count(*) FROM millrace.dead_letters WHERE source = 'ahead'";
  await sql.awaitValue(left, '4');
  assert.equal(await replayed('REPLAY DEAD LETTERS FOR ahead'), 0);
  assert.deepEqual(sql.takeNoticeTexts(), ['dead letters that were rejected again: 4']);
  const second = { ...FIRST, doc: '2' };
  assert.equal(await client.register('ahead-value', 'AVRO', JSON.stringify(second)), next);
  // The source has not heard of it: neither a later view nor a recovery decodes what was rejected.
  await sql.query('CREATE MATERIALIZED VIEW ahead_between AS SELECT id, o FROM ahead');
  await server.killAndRestart(sql);
  const ids = async (view: string) =>
    sql.value(`SELECT string_agg(id || '@' || o, ' ' ORDER BY id) FROM ${view}`);
  assert.equal(await ids('ahead_early'), '1@0');
  assert.equal(await ids('ahead_between'), '1@0');
  assert.equal(
    await sql.value("SELECT DISTINCT state FROM millrace.sources WHERE name = 'ahead'"),
    'running',
  );
  assert.equal(await replayed('REPLAY DEAD LETTERS FOR ahead WHERE record_offset < 4'), 1);
  await server.killAndRestart(sql);
  assert.equal(await ids('ahead_early'), '1@0 2@1');
  assert.equal(await ids('ahead_between'), '1@0 2@1');
  const accounts =
    "SELECT DISTINCT rows_read || ' ' || rows_decoded || ' ' || rows_rejected FROM millrace.sources WHERE name = 'ahead'";
  assert.equal(await sql.value(accounts), '5 2 3');
  assert.equal(
    await sql.value(
      "SELECT string_agg(reason, ', ' ORDER BY id) FROM millrace.dead_letters WHERE source = 'ahead' AND record_offset < 4",
    ),
    'column "at": invalid Avro record: it ends too early, schema 987655 is not in the schema registry',
  );
  // One that comes now reads the last record for itself.
  await sql.query('CREATE MATERIALIZED VIEW ahead_late AS SELECT id, o FROM ahead');
  assert.equal(await ids('ahead_late'), '1@0 2@1 5@4');
  assert.equal(await replayed('REPLAY DEAD LETTERS FOR ahead'), 1);
  await kafka.send('ahead', [{ value: framed(next, body(6)) }]);
  for (const view of ['ahead_early', 'ahead_between', 'ahead_late']) {
    await sql.awaitValue(`SELECT count(*) FROM ${view}`, '4');
    assert.equal(await ids(view), '1@0 2@1 5@4 6@5');
  }
  assert.equal(await replayed('REPLAY DEAD LETTERS FOR ahead'), 0);
  assert.equal(await sql.value(accounts), '6 4 2');
  assert.equal(await sql.value(left), '2');
});

test('a schema that a later record brings is known to the source; a registry that is away refuses REPLAY', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('brought');
  const gateway = new Gateway();
  await gateway.open();
  const first = await client.register(
    'brought-value',
    'AVRO',
    JSON.stringify({ ...FIRST, doc: 'b1' }),
  );
  const next = first + 1;
  const encode = `schema.registry = '${gateway.url}'`;
  await sql.query(`CREATE TABLE brought (id bigint, state text) ${options('brought', encode)}`);
  const send = (id: number) =>
    kafka.send('brought', [{ value: framed(next, order(FIRST, { id, tags: [] })) }]);
  await send(1);
  const left = "SELECT count(*) FROM millrace.dead_letters WHERE source = 'brought'";
  await sql.awaitValue(left, '1');
  await gateway.close();
  assert.match(
    shown(await sql.refused('REPLAY DEAD LETTERS FOR brought')),
    /^08001: could not ask the schema/,
  );
  await gateway.open();
  assert.equal(await sql.value(left), '1');
  assert.equal(
    await client.register('brought-value', 'AVRO', JSON.stringify({ ...FIRST, doc: 'b2' })),
    next,
  );
  // A server that starts asks the registry anew.
  await server.killAndRestart(sql);
  await send(2);
  await sql.awaitValue("SELECT string_agg(id::text, ' ') FROM brought", '2');
  assert.equal(await replayed('REPLAY DEAD LETTERS FOR brought'), 1);
  await server.killAndRestart(sql);
  assert.equal(await sql.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM brought"), '1 2');
  assert.equal(await sql.value(left), '0');
  // A restart that finds it in the log would wait for its registry.
  await sql.query('DROP TABLE brought');
  await sql.query('CHECKPOINT');
  await gateway.close();
});

test('what CREATE refuses', { skip: SKIP }, async () => {
  await kafka.createTopic('refused');
  await client.register('refused-value', 'AVRO', JSON.stringify(FIRST));
  const create = (columns: string, encode: string, topic = 'refused') =>
    sql.refused(`CREATE SOURCE refused ${columns} ${options(topic, encode)}`).then(shown);
  assert.equal(
    await create('(id int, state bigint)', fromRegistry()),
    '42804: column "state": Avro enum "shop.State" does not fit type bigint',
  );
  assert.match(await create('', fromRegistry(), 'nothing'), /^42704: the schema registry has no/);
  assert.match(await create('', "schema.registry = 'http://127.0.0.1:1'"), /^08001: .*127.0.0.1:1/);
  assert.match(await create('', "message = 'X'"), /^22023: ENCODE AVRO needs one of/);
  assert.match(await create('(id int)', "schema = '{'"), /^22023: invalid Avro schema: it is not/);
});

/** Stands before the registry, to be closed and opened again: the registry forgets its schemas when it stops. */
class Gateway {
  readonly #server = createServer((request, response) => {
    this.logins.add(request.headers.authorization ?? '');
    fetch(`${new URL(registry.url).origin}${request.url}`).then(
      async (answer) => response.writeHead(answer.status).end(await answer.text()),
      () => response.destroy(),
    );
  });
  #port = 0;
  readonly logins = new Set<string>();

  get url(): string {
    return `http://127.0.0.1:${this.#port}${new URL(registry.url).pathname}`;
  }

  async open(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

test('a registry that is away holds the source up and is waited for, until it is dropped', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('waiting');
  const gateway = new Gateway();
  await gateway.open();
  const encode = `schema.registry = '${gateway.url}', schema.registry.username = 'me', schema.registry.password = 'pw'`;
  const id = await client.register('waiting-value', 'AVRO', JSON.stringify(FIRST));
  await sql.query(`CREATE SOURCE waiting ${options('waiting', encode)}`);
  await sql.query('CREATE MATERIALIZED VIEW waiting_view AS SELECT id FROM waiting');
  await kafka.send('waiting', [{ value: framed(id, order(FIRST, { id: 1, tags: [] })) }]);
  await sql.awaitValue('SELECT count(*) FROM waiting_view', '1');
  assert.deepEqual([...gateway.logins], [`Basic ${Buffer.from('me:pw').toString('base64')}`]);
  const third = { ...FIRST, doc: 'again' };
  const other = await client.register('waiting-value', 'AVRO', JSON.stringify(third));
  await gateway.close();
  await kafka.send('waiting', [{ value: framed(other, order(third, { id: 2, tags: [] })) }]);
  await sql.awaitValue("SELECT state FROM millrace.sources WHERE name = 'waiting'", 'disconnected');
  assert.equal(await sql.value('SELECT count(*) FROM waiting_view'), '1');
  await gateway.open();
  await sql.awaitValue('SELECT count(*) FROM waiting_view', '2');
  await sql.awaitValue("SELECT state FROM millrace.sources WHERE name = 'waiting'", 'running');
  await sql.query('DROP SOURCE waiting CASCADE');
  await gateway.close();
  await server.killAndRestart(sql);
});

test('FORMAT UPSERT: keys are Avro as well, records or single values, or text', {
  skip: SKIP,
}, async () => {
  const value = { type: 'record', name: 'Stock', fields: [{ name: 'pieces', type: 'int' }] };
  const key = {
    type: 'record',
    name: 'StockKey',
    fields: [
      { name: 'shop', type: 'string' },
      { name: 'article', type: 'long' },
    ],
  };
  const encode = (schema: object | string, one: unknown) =>
    avro.Type.forSchema(schema as avro.Schema).toBuffer(one);
  await kafka.createTopic('stock');
  const valueId = await client.register('stock-value', 'AVRO', JSON.stringify(value));
  const keyId = await client.register('stock-key', 'AVRO', JSON.stringify(key));
  const a = framed(keyId, encode(key, { shop: 'a', article: 1 }));
  const b = framed(keyId, encode(key, { shop: 'b', article: 1 }));
  const pieces = (count: number) => framed(valueId, encode(value, { pieces: count }));
  await kafka.send('stock', [
    { key: a, value: pieces(1) },
    { key: b, value: pieces(2) },
    { key: a, value: pieces(3) },
    { key: b, value: null },
  ]);
  const upsert = (topic: string) => options(topic, fromRegistry()).replace('PLAIN', 'UPSERT');
  await sql.query(
    `CREATE TABLE stock (shop text, article bigint, pieces int, PRIMARY KEY (shop, article)) ${upsert('stock')}`,
  );
  // Without a list the registry tells the columns, and which of them are the key.
  await sql.query(`CREATE TABLE stock_all ${upsert('stock')}`);
  for (const table of ['stock', 'stock_all']) {
    const content = `SELECT string_agg(shop || article || '=' || pieces, ',') FROM ${table}`;
    await sql.awaitValue(content, 'a1=3');
  }
  await kafka.createTopic('single');
  const singleId = await client.register('single-key', 'AVRO', '"long"');
  await kafka.send('single', [
    { key: framed(singleId, encode('long', 7)), value: pieces(1) },
    { key: '8', value: pieces(2) },
    { key: framed(singleId + 1000, encode('long', 9)), value: pieces(3) },
  ]);
  await sql.query(`CREATE TABLE single (id bigint PRIMARY KEY, pieces int) ${upsert('single')}`);
  await sql.awaitValue(
    "SELECT string_agg(id || '=' || pieces, ',' ORDER BY id) FROM single",
    '7=1,8=2',
  );
  await sql.awaitValue(
    "SELECT sqlstate FROM millrace.dead_letters WHERE source = 'single'",
    '22P03',
  );
});

const ROW = {
  type: 'record',
  name: 'Value',
  fields: [
    { name: 'id', type: 'int' },
    { name: 'name', type: ['null', 'string'], default: null },
  ],
};
const ENVELOPE = {
  type: 'record',
  name: 'Envelope',
  fields: [
    { name: 'before', type: ['null', ROW], default: null },
    { name: 'after', type: ['null', 'Value'], default: null },
    { name: 'op', type: 'string' },
  ],
};

function change(id: number, op: string, before: object | null, after: object | null) {
  const type = avro.Type.forSchema(ENVELOPE as avro.Schema, { wrapUnions: 'never' });
  return { value: framed(id, type.toBuffer({ op, before, after })) };
}

test('FORMAT DEBEZIUM: columns and key of the registry, changes of rows', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('changes');
  const id = await client.register('changes-value', 'AVRO', JSON.stringify(ENVELOPE));
  await kafka.send('changes', [
    change(id, 'r', null, { id: 1, name: 'Ada' }),
    change(id, 'c', null, { id: 2, name: 'Grace' }),
    change(id, 'u', null, { id: 1, name: null }),
    change(id, 'd', { id: 2, name: null }, null),
    { key: 'x', value: null },
  ]);
  const debezium = options('changes', fromRegistry()).replace('PLAIN', 'DEBEZIUM');
  const refused = async (columns: string) =>
    shown(await sql.refused(`CREATE SOURCE wrong ${columns} ${debezium}`));
  assert.equal(await refused(''), '42P16: FORMAT DEBEZIUM needs a PRIMARY KEY');
  assert.match(await refused('(id int PRIMARY KEY, name int[])'), /42804.*column "name"/);
  const key = { type: 'record', name: 'Key', fields: [{ name: 'id', type: 'int' }] };
  await client.register('changes-key', 'AVRO', JSON.stringify(key));
  await sql.query(`CREATE SOURCE changes INCLUDE OFFSET AS o ${debezium}`);
  await sql.query('CREATE MATERIALIZED VIEW changed AS SELECT * FROM changes');
  await sql.awaitRows('SELECT id, name, o FROM changed', [['1', null, '2']]);
  await sql.query(`CREATE SOURCE said (PRIMARY KEY (name)) ${debezium}`);
  const said = [
    ['1', 'Ada'],
    ['2', 'Grace'],
  ];
  await sql.awaitRows('SELECT id, name FROM said ORDER BY id', said);
});

test('FORMAT DEBEZIUM: bad events are dead letters, REPLAY takes those whose schema came', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('bad');
  const id = await client.register('bad-value', 'AVRO', JSON.stringify({ ...ENVELOPE, doc: 'b1' }));
  const none = await client.register('bad-none', 'AVRO', JSON.stringify({ ...ROW, doc: 'none' }));
  const next = none + 1;
  const columns = '(id int PRIMARY KEY, name text)';
  const place = options('bad', fromRegistry()).replace('PLAIN', 'DEBEZIUM');
  await sql.query(`CREATE SOURCE bad ${columns} INCLUDE OFFSET AS o ${place}`);
  await sql.query('CREATE MATERIALIZED VIEW bad_view AS SELECT * FROM bad');
  const one = { id: 1, name: 'a' };
  await kafka.send('bad', [
    change(id, 'c', null, one),
    change(id, 'x', null, one),
    change(id, 'u', one, null),
    change(id, 'd', null, null),
    change(none, 'c', null, one),
    change(next, 'u', null, { id: 1, name: 'b' }),
    { value: change(id, 'c', null, one).value.subarray(0, 9) },
  ]);
  const letters = "FROM millrace.dead_letters WHERE source = 'bad'";
  await sql.awaitValue(`SELECT count(*) ${letters}`, '6');
  const { rows } = await sql.query(`SELECT sqlstate, reason ${letters} ORDER BY record_offset`);
  assert.deepEqual(rows, [
    ['22P02', 'the record has an unknown "op": "x"'],
    ['22P02', 'the record has no "after"'],
    ['22P02', 'the deleting record has no "before"'],
    ['42804', 'the Avro schema is none of Debezium: it needs "before", "after" and "op"'],
    ['22P03', `schema ${next} is not in the schema registry`],
    ['22P03', 'invalid Avro record: it ends too early'],
  ]);
  const schema = JSON.stringify({ ...ENVELOPE, doc: 'b2' });
  assert.equal(await client.register('bad-value', 'AVRO', schema), next);
  assert.equal(await replayed('REPLAY DEAD LETTERS FOR bad'), 1);
  await server.killAndRestart(sql);
  await sql.awaitRows('SELECT * FROM bad_view', [['1', 'b', '5']]);
  assert.equal(await sql.value(`SELECT count(*) ${letters}`), '5');
});
