/**
 * A real Debezium on a real PostgreSQL: snapshot, inserts, updates, deletes, transactions, changes of the schema, values that
 * were not sent because they have not changed, and restarts of Connect and of our server. The source equals the table, from JSON
 * and from Avro with a real registry.
 */

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ServerProcess } from '../server-process.ts';
import { avroConverters, Debezium, type DebeziumOptions } from '../services/debezium.ts';
import { PostgresServer, postgresProblem } from '../services/postgres.ts';
import { SqlClient } from '../sql-client.ts';
import { type KafkaFixture, kafkaSkip } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';
import { RegistryFixture } from './registry-fixture.ts';

function skip(): string | false {
  const problem = postgresProblem();
  if (problem === null) return kafkaSkip();
  if (process.env.CI === 'true') throw new Error(problem);
  return problem;
}

const SKIP = skip();
const COLUMNS = `id int PRIMARY KEY, name text, price numeric(10,2), weight numeric, at timestamp, at_ms timestamp(3),
  seen timestamptz, day date, clock time, took interval, doc jsonb, raw bytea, tags text[], score float8, ok bool, ref uuid,
  nums int[], ids uuid[]`;
const NAMES =
  'id, name, price, weight, at, at_ms, seen, day, clock, took, doc, raw, tags, score, ok, ref, nums, ids';

let scene: KafkaScene | undefined;
let registry: RegistryFixture;
let directory: string;
let kafka: KafkaFixture;
let postgres: PostgresServer;
let debezium: Debezium;
let server: ServerProcess;
let origin: SqlClient;
let sql: SqlClient;

const connect = (properties: Readonly<Record<string, string>>, prefix: string) => ({
  bootstrap: kafka.bootstrap,
  postgresPort: postgres.port,
  prefix,
  tables: 'public.items',
  properties: { 'poll.interval.ms': '50', ...properties },
});

const JSON_CONVERTER = 'org.apache.kafka.connect.json.JsonConverter';

/** The same changes three times: as bare JSON, as JSON that carries its schema, and as Avro. */
function connectors(): DebeziumOptions[] {
  const bare = { 'decimal.handling.mode': 'string', 'skipped.operations': 'none' };
  const wrapped = {
    'value.converter': JSON_CONVERTER,
    'value.converter.schemas.enable': 'true',
    'key.converter': JSON_CONVERTER,
    'key.converter.schemas.enable': 'true',
  };
  return [
    connect(bare, 'cdc'),
    connect(wrapped, 'wrapped'),
    connect(avroConverters(registry.url), 'avro'),
  ];
}

before(async () => {
  if (SKIP !== false) return;
  directory = mkdtempSync(join(tmpdir(), 'millrace-debezium-'));
  // PostgreSQL runs as a user of its own.
  chmodSync(directory, 0o755);
  for (const name of ['postgres', 'connect']) mkdirSync(join(directory, name));
  [scene, registry] = await Promise.all([
    KafkaScene.start({ tuning: { checkpointIntervalMs: 700 } }),
    RegistryFixture.start(),
  ]);
  ({ kafka, server, sql } = scene);
  for (const prefix of ['cdc', 'wrapped', 'avro'])
    await kafka.createTopic(`${prefix}.public.items`);
  postgres = await PostgresServer.start(join(directory, 'postgres'));
  origin = await SqlClient.connect(postgres.url);
  await origin.query(`CREATE TABLE items (${COLUMNS})`);
  for (const column of ['name', 'nums', 'ids']) {
    await origin.query(`ALTER TABLE items ALTER COLUMN ${column} SET STORAGE EXTERNAL`);
  }
  await insert(1, 20);
  debezium = await Debezium.at(join(directory, 'connect'));
  await debezium.start(...connectors());
});

after(async () => {
  await origin?.close();
  await debezium?.kill();
  await postgres?.stop();
  await registry?.dispose();
  await scene?.dispose();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

/** Rows of every type; every third one has a text and arrays that are stored apart. */
async function insert(from: number, to: number): Promise<void> {
  await origin.query(`INSERT INTO items SELECT i, CASE WHEN i % 3 = 0 THEN repeat('x', 3000) ELSE 'n' || i END,
    i * 1.5, i / 7.0, timestamp '2024-01-01' + i * interval '1.123456 s', timestamp '2024-01-01' + i * interval '1.123 s',
    timestamptz '2024-06-01 12:00+02' + i * interval '1 h', date '1969-12-30' + i, time '10:00' + i * interval '1.5 s',
    i * interval '1 min', jsonb_build_object('i', i, 't', 'a "b"'), decode(to_hex(255 + i), 'escape'), ARRAY['a' || i, NULL],
    i / 3.0::float8, i % 2 = 0, lpad(i::text, 32, '0')::uuid,
    array_fill(i, ARRAY[CASE WHEN i % 3 = 0 THEN 1000 ELSE 2 END]),
    array_fill(lpad(i::text, 32, '0')::uuid, ARRAY[CASE WHEN i % 3 = 0 THEN 300 ELSE 1 END]) FROM generate_series(${from}, ${to}) i`);
}

async function awaitEqual(query: string, relation = 'items'): Promise<void> {
  const { rows } = await origin.query(query);
  await sql.awaitRows(query.replace('FROM items', `FROM ${relation}`), rows);
}

const ALL = `SELECT ${NAMES} FROM items ORDER BY id`;

async function create(name: string, topic: string): Promise<void> {
  await sql.query(
    `CREATE SOURCE ${name} (${COLUMNS}) WITH (connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${kafka.bootstrap}') FORMAT DEBEZIUM ENCODE JSON`,
  );
}

test('the source equals the table, through changes, transactions and restarts', {
  skip: SKIP,
}, async () => {
  await create('items', 'cdc.public.items');
  await sql.query(`CREATE MATERIALIZED VIEW copy AS SELECT ${NAMES} FROM items`);
  await awaitEqual(ALL);
  await awaitEqual(ALL, 'copy');
  await insert(21, 30);
  await origin.query("UPDATE items SET price = price + 1, tags = '{}' WHERE id % 2 = 0");
  await origin.query('UPDATE items SET weight = NULL, at = NULL WHERE id = 3');
  await origin.query('DELETE FROM items WHERE id % 5 = 0');
  await origin.query(
    "BEGIN; INSERT INTO items (id, name) VALUES (100, 'a'), (101, 'b'); UPDATE items SET id = 200 WHERE id = 100; DELETE FROM items WHERE id = 101; COMMIT",
  );
  await awaitEqual(ALL, 'copy');
  await sql.close();
  await server.kill();
  await origin.query('ALTER TABLE items ADD COLUMN more int DEFAULT 7');
  await origin.query("UPDATE items SET name = name || 'y', more = 8 WHERE id < 10");
  await server.restart();
  await sql.reconnect(server.url);
  await awaitEqual(ALL, 'copy');
  await debezium.kill();
  await origin.query('UPDATE items SET ok = NOT ok');
  await insert(40, 45);
  await debezium.start(...connectors());
  await origin.query('DELETE FROM items WHERE id = 40');
  await awaitEqual(ALL, 'copy');
  await sql.query(
    'CREATE MATERIALIZED VIEW summary AS SELECT count(*), sum(price), max(at) FROM items',
  );
  await awaitEqual('SELECT count(*), sum(price), max(at) FROM items');
  assert.deepEqual(
    (await sql.query('SELECT * FROM summary')).rows,
    (await origin.query('SELECT count(*), sum(price), max(at) FROM items')).rows,
  );
  assert.equal(await sql.value('SELECT count(*) FROM millrace.dead_letters'), '0');
});

test('decimals and times by the schema that messages carry, or the registry has', {
  skip: SKIP,
}, async () => {
  await create('with_schema', 'wrapped.public.items');
  await createAvro('from_avro', 'avro.public.items');
  // Of a decimal without a scale Debezium drops the zeros at its end.
  const short = ALL.replace('weight', 'weight::float8');
  await awaitEqual(short, 'with_schema');
  await awaitEqual(short, 'from_avro');
  await sql.query('CREATE MATERIALIZED VIEW avro_copy AS SELECT * FROM from_avro');
  await origin.query('UPDATE items SET price = -price, weight = -0.001, at_ms = now()');
  await origin.query('DELETE FROM items WHERE id = 41');
  await awaitEqual(ALL, 'with_schema');
  await awaitEqual(ALL, 'avro_copy');
  await origin.query('ALTER TABLE items ADD COLUMN note text DEFAULT 7, DROP COLUMN more');
  await insert(50, 52);
  await origin.query('UPDATE items SET id = 150 WHERE id = 50');
  await server.killAndRestart(sql);
  await origin.query('UPDATE items SET ok = NOT ok WHERE id < 9');
  await awaitEqual(ALL, 'avro_copy');
  assert.equal(await sql.value('SELECT count(*) FROM millrace.dead_letters'), '0');
  await backFromSink();
  await awaitEqual(ALL);
});

const avroOptions = (topic: string) =>
  `WITH (connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${kafka.bootstrap}') FORMAT DEBEZIUM ENCODE AVRO (schema.registry = '${registry.url}')`;

/** Columns and key are those of the registry. */
async function createAvro(name: string, topic: string): Promise<void> {
  await sql.query(`CREATE SOURCE ${name} ${avroOptions(topic)}`);
}

/** What our own sink of change events writes our own source reads as it was. */
async function backFromSink(): Promise<void> {
  await kafka.createTopic('back');
  await sql.query(`CREATE SINK items_out AS SELECT ${NAMES} FROM from_avro ${avroOptions('back')}`);
  await createAvro('back', 'back');
  await awaitEqual(ALL, 'back');
  await origin.query("UPDATE items SET name = 'z' || name, nums = NULL WHERE id % 2 = 1");
  await origin.query('DELETE FROM items WHERE id % 7 = 1');
  await insert(60, 61);
  await awaitEqual(ALL, 'back');
}

test('TRUNCATE', { skip: SKIP }, async () => {
  await origin.query('TRUNCATE items');
  await awaitEqual('SELECT count(*) FROM items');
  await insert(1, 3);
  await awaitEqual(ALL, 'copy');
});
