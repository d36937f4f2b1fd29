/** The Kafka sink against a real broker: what arrives, once, through restarts; what is refused and why. */

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { polled } from '../polled.ts';
import { ServerProcess } from '../server-process.ts';
import { SqlClient } from '../sql-client.ts';
import {
  type CommittedRecord,
  committedRecords,
  eachCommittedRecord,
} from './committed-records.ts';
import { HungSink } from './hung-sink.ts';
import { type KafkaFixture, kafkaSkip } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';

const SKIP = kafkaSkip();

let scene: KafkaScene | undefined;
let kafka: KafkaFixture;
let server: ServerProcess;
let sql: SqlClient;

before(async () => {
  if (SKIP !== false) return;
  // Brokers take a batch of a transaction that nobody has begun: so one can be made to hang.
  const properties = { 'transaction.partition.verification.enable': 'false' };
  scene = await KafkaScene.start({}, { properties });
  ({ kafka, server, sql } = scene);
});

after(() => scene?.dispose());

const sinkOptions = (topic: string, more = '') =>
  `WITH (connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${kafka.bootstrap}'${more})`;

const pairs = (records: readonly CommittedRecord[]) =>
  records.map(({ key, value }) => [key, value]);

test('upsert: the snapshot, the newest row of each key, tombstones', { skip: SKIP }, async () => {
  await kafka.createTopic('totals');
  await sql.query('CREATE TABLE sales (region text, amount numeric)');
  await sql.query("INSERT INTO sales VALUES ('n', 1.50), ('s', 2), ('s', 3)");
  await sql.query(
    'CREATE MATERIALIZED VIEW totals AS SELECT region, sum(amount) AS total FROM sales GROUP BY region',
  );
  await sql.query(
    `CREATE SINK totals_out FROM totals ${sinkOptions('totals', ", type = 'upsert', primary_key = 'region', header.epoch = true")} FORMAT UPSERT ENCODE JSON`,
  );
  const snapshot = await kafka.awaitRecords('totals', 2);
  assert.deepEqual(pairs(snapshot), [
    ['{"region":"n"}', '{"region":"n","total":1.50}'],
    ['{"region":"s"}', '{"region":"s","total":5}'],
  ]);
  const epochs = new Set(snapshot.map(({ headers }) => headers['millrace.epoch']));
  assert.equal(epochs.size, 1);
  await sql.query("INSERT INTO sales VALUES ('n', 1)");
  await sql.query("DELETE FROM sales WHERE region = 's'");
  assert.deepEqual(pairs((await kafka.awaitRecords('totals', 4)).slice(2)), [
    ['{"region":"n"}', '{"region":"n","total":2.50}'],
    ['{"region":"s"}', null],
  ]);
});

test('append-only: every row once, through kill -9, with a witness', { skip: SKIP }, async () => {
  await kafka.createTopic('events', 3);
  await sql.query('CREATE TABLE events (id int, at timestamp) APPEND ONLY');
  await sql.query("INSERT INTO events VALUES (1, '2024-01-01 00:00:01.5')");
  await sql.query(
    `CREATE SINK events_out FROM events ${sinkOptions('events', ", primary_key = 'id', timestamp.column = 'at', properties.compression.type = 'gzip'")} FORMAT PLAIN ENCODE JSON`,
  );
  for (let id = 2; id <= 30; id += 1) {
    await sql.query(`INSERT INTO events VALUES (${id}, '2024-01-01 00:00:0${id % 10}')`);
    if (id % 10 !== 0) continue;
    await server.killAndRestart(sql);
  }
  const records = await kafka.awaitRecords('events', 30);
  const ids = records.map(({ value }) => (JSON.parse(value!) as { id: number }).id);
  assert.deepEqual(
    ids.sort((a, b) => a - b),
    Array.from({ length: 30 }, (_, i) => i + 1),
  );
  const first = records.find(({ key }) => key === '{"id":1}')!;
  assert.equal(first.timestampMs, Date.parse('2024-01-01T00:00:01.500Z'));
  const seen = await kafka.consume('events', 30);
  assert.deepEqual(seen.map(({ key, value }) => [key, value]).sort(), pairs(records).sort());
});

test('debezium: envelopes', { skip: SKIP }, async () => {
  await kafka.createTopic('changes');
  await sql.query('CREATE TABLE items (id int PRIMARY KEY, name text)');
  await sql.query(
    `CREATE SINK items_out FROM items ${sinkOptions('changes', ", type = 'debezium'")} FORMAT DEBEZIUM ENCODE JSON`,
  );
  await sql.query("INSERT INTO items VALUES (1, 'a')");
  await sql.query("UPDATE items SET name = 'b' WHERE id = 1");
  await sql.query('DELETE FROM items');
  const records = await kafka.awaitRecords('changes', 4);
  const withoutTime = records.map(({ key, value }) => [
    key,
    value === null ? null : { ...JSON.parse(value), ts_ms: 0 },
  ]);
  const a = { id: 1, name: 'a' };
  const b = { id: 1, name: 'b' };
  assert.deepEqual(withoutTime, [
    ['{"id":1}', { before: null, after: a, op: 'c', ts_ms: 0 }],
    ['{"id":1}', { before: a, after: b, op: 'u', ts_ms: 0 }],
    ['{"id":1}', { before: b, after: null, op: 'd', ts_ms: 0 }],
    ['{"id":1}', null],
  ]);
});

test('without a snapshot, at least once; what a dropped sink kept goes', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('later');
  await sql.query('CREATE TABLE later (id int) APPEND ONLY');
  await sql.query('INSERT INTO later VALUES (1)');
  const spools = () => readdirSync(join(server.dataDir, 'sinks')).length;
  const before = spools();
  await sql.query(
    `CREATE SINK later_out FROM later ${sinkOptions('later', ", snapshot = false, delivery = 'at-least-once'")} FORMAT PLAIN ENCODE JSON`,
  );
  assert.equal(spools(), before + 1);
  await sql.query('INSERT INTO later VALUES (2)');
  assert.deepEqual(pairs(await kafka.awaitRecords('later', 1)), [[null, '{"id":2}']]);
  await sql.query('DROP SINK later_out');
  assert.equal(await polled(spools, (count) => count <= before), before);
});

test('a sink that has failed goes on with RESUME, once the reason is gone', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('narrow', 1, { 'max.message.bytes': '1000' });
  await sql.query('CREATE TABLE narrow (id int, pad text) APPEND ONLY');
  await sql.query(
    `CREATE SINK narrow_out FROM narrow ${sinkOptions('narrow')} FORMAT PLAIN ENCODE CSV`,
  );
  await sql.query("INSERT INTO narrow VALUES (1, 'short')");
  await kafka.awaitRecords('narrow', 1);
  await sql.query("INSERT INTO narrow VALUES (2, repeat('x', 2000))");
  const state = "SELECT state FROM millrace.sinks WHERE name = 'narrow_out'";
  await sql.awaitValue(state, 'failed');
  await sql.query('RESUME SINK narrow_out');
  await sql.awaitValue(state, 'failed');
  await kafka.configureTopic('narrow', { 'max.message.bytes': '10000' });
  await sql.query("INSERT INTO narrow VALUES (3, '')");
  await sql.query('RESUME SINK narrow_out');
  const records = await kafka.awaitRecords('narrow', 3);
  assert.deepEqual(
    records.map(({ value }) => value!.slice(0, 2)),
    ['1,', '2,', '3,'],
  );
  assert.equal(await sql.value(state), 'running');
  await sql.query('DROP SINK narrow_out');
});

/** Kills the server while it makes a sink, which is not there then, and has left nothing. */
async function killAmid(createSink: string): Promise<void> {
  const directories = () => {
    const sinks = join(server.dataDir, 'sinks');
    return existsSync(sinks) ? readdirSync(sinks) : [];
  };
  const before = directories();
  const other = await SqlClient.connect(server.url);
  const refused = assert.rejects(other.query(createSink));
  await polled(directories, (now) => now.length > before.length, undefined, 1);
  await server.killAndRestart(sql);
  await refused;
  assert.deepEqual(directories(), before);
}

test('a large snapshot goes out in several transactions, through kill -9 amid it and before', {
  skip: SKIP,
}, async () => {
  const rows = 200_000;
  await kafka.createTopic('large');
  await sql.query('CREATE TABLE large (id int, pad text) APPEND ONLY');
  await sql.query(
    `INSERT INTO large SELECT id, repeat('x', 200) FROM generate_series(0, ${rows - 1}) AS id`,
  );
  const createSink = `CREATE SINK large_out FROM large ${sinkOptions('large')} FORMAT PLAIN ENCODE JSON`;
  await killAmid(createSink);
  await sql.query(createSink);
  const sink = (what: string) => `SELECT ${what} FROM millrace.sinks WHERE name = 'large_out'`;
  await sql.awaitValue(sink('spooled_epoch > 0'), 't');
  await server.killAndRestart(sql);
  await sql.query("INSERT INTO large VALUES (-1, '')");
  await sql.awaitValue(sink('delivered_epoch = spooled_epoch AND pending_rows = 0'), 't');
  const seen = new Map<number, number>();
  await eachCommittedRecord(kafka.bootstrap, 'large', ({ value }) => {
    const { id } = JSON.parse(value!) as { id: number };
    seen.set(id, (seen.get(id) ?? 0) + 1);
  });
  assert.equal(seen.size, rows + 1);
  assert.ok([...seen.values()].every((count) => count === 1));
  // Each transaction ends with a marker, which has an offset as well.
  const markers = (await kafka.endOffset('large')) - rows - 1;
  assert.ok(markers >= 4, `${markers} transactions of 50 MB`);
  await sql.query('DROP SINK large_out');
});

test('brokers that are away: views go on, also beyond the spool; nothing is lost', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('away');
  await sql.query('CREATE TABLE away (id int PRIMARY KEY, round int, pad text)');
  await sql.query(
    `CREATE SINK away_out FROM away ${sinkOptions('away', ", spool.max.bytes = '1048576'")} FORMAT UPSERT ENCODE JSON`,
  );
  await sql.query("INSERT INTO away VALUES (0, 0, '')");
  await kafka.awaitRecords('away', 1);
  await kafka.cluster.kill();
  const state = (column: string) => `SELECT ${column} FROM millrace.sinks WHERE name = 'away_out'`;
  for (let round = 1; round <= 6; round += 1) {
    await sql.query(
      `INSERT INTO away SELECT id, ${round}, repeat('x', 1000) FROM generate_series(1, 500) AS id
       ON CONFLICT (id) DO UPDATE SET round = excluded.round`,
    );
  }
  assert.equal(await sql.value('SELECT sum(round) FROM away'), '3000');
  await sql.awaitValue(state('state'), 'disconnected');
  await sql.awaitValue(state('held_rows > 0 AND spooled_bytes >= 1000000'), 't');
  await kafka.cluster.start();
  await sql.awaitValue(state('held_rows = 0 AND pending_rows = 0 AND spooled_bytes = 0'), 't');
  assert.equal(await sql.value(state('state')), 'running');
  const newest = new Map(
    (await committedRecords(kafka.bootstrap, 'away')).map((one) => [one.key, one.value]),
  );
  assert.equal(newest.size, 501);
  newest.delete('{"id":0}');
  for (const value of newest.values())
    assert.equal((JSON.parse(value!) as { round: number }).round, 6);
});

test('a second server with a copy of the data fences the first', {
  skip: SKIP,
}, async (context) => {
  await kafka.createTopic('fenced');
  const first = await ServerProcess.start();
  context.after(() => first.dispose());
  const one = await SqlClient.connect(first.url);
  await one.query('CREATE TABLE t (id int) APPEND ONLY');
  await one.query(`CREATE SINK k FROM t ${sinkOptions('fenced')} FORMAT PLAIN ENCODE JSON`);
  await one.query('INSERT INTO t VALUES (1)');
  await kafka.awaitRecords('fenced', 1);
  await first.stop();
  const directory = mkdtempSync(join(tmpdir(), 'millrace-copy-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  cpSync(first.dataDir, directory, { recursive: true });
  await first.restart();
  await one.reconnect(first.url);
  await one.query('INSERT INTO t VALUES (2)');
  await kafka.awaitRecords('fenced', 2);
  const second = await ServerProcess.start({ dataDir: directory });
  context.after(() => second.dispose());
  const two = await SqlClient.connect(second.url);
  const state = "SELECT state FROM millrace.sinks WHERE name = 'k'";
  // The copy finds progress that is not its own, and sends nothing; the first finds that it was fenced.
  await two.awaitValue(state, 'failed');
  await one.query('INSERT INTO t VALUES (3)');
  await one.awaitValue(state, 'failed');
  assert.equal(await one.value('SELECT count(*) FROM t'), '3');
  assert.deepEqual(pairs(await kafka.awaitRecords('fenced', 2)), [
    [null, '{"id":1}'],
    [null, '{"id":2}'],
  ]);
  await one.close();
  await two.close();
});

test('a transaction whose end the brokers have lost', { skip: SKIP }, async () => {
  const sink = await HungSink.create(scene!, 'hung');
  // Aborted: it was open when the sink started again.
  await sink.restartAfter(() =>
    sink.other(async (impostor) => {
      await impostor.write('aborted');
      await impostor.hang('aborted, too');
    }),
  );
  await sql.query('INSERT INTO hung VALUES (2), (3)');
  await sink.awaitValues('1', '2', '3');
  // Committed: the coordinator says so.
  await sink.restartAfter(() => sink.commitHalf('4', '5'));
  await sink.awaitValues('1', '2', '3', '4', '5');
  // Nobody knows.
  await sink.restartAfter(() => sink.other((impostor) => impostor.hang('6')));
  await sink.awaitFailure(
    /^a transaction of this sink hangs in hung-1\. The brokers have lost how it ended\. End it with Kafka's kafka-transactions\.sh abort, then RESUME SINK\.$/,
  );
});

test('a crash while a transaction is ended whose end the brokers have lost', {
  skip: SKIP,
}, async () => {
  const sink = await HungSink.create(scene!, 'cut');
  // The coordinator has forgotten how it ended.
  await sink.restartAfter(async () => {
    await sink.commitHalf('2', '3');
    await sink.starts();
    await sink.starts();
  });
  await sink.awaitValues('1', '2', '3');
  // What ends it is open.
  await sink.restartAfter(async () => {
    await sink.commitHalf('4', '5');
    await sink.starts((impostor) => impostor.endHanging());
  });
  await sink.awaitValues('1', '2', '3', '4', '5');
  await sql.query('INSERT INTO cut VALUES (6)');
  await sink.awaitValues('1', '2', '3', '4', '5', '6');
  // The brokers did not wait for it.
  await sink.restartAfter(async () => {
    await sink.commitHalf('7', '8');
    await sink.starts((impostor) => impostor.endHanging());
    await sink.other(async () => {});
  });
  await sink.awaitFailure(
    /^the brokers took back a part of a transaction of "millrace-\S+" that was committed\. They had lost its end, and rows of it are missing: empty the topic, DROP the sink and create it again\.$/,
  );
});

test('a key that is not proven unique: the row that came last, and the one before it when that goes', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('newest');
  await sql.query('CREATE TABLE visits (id int PRIMARY KEY, who text)');
  await sql.query("INSERT INTO visits VALUES (2, 'a'), (1, 'a'), (3, NULL)");
  await sql.query(
    `CREATE SINK newest_out FROM visits ${sinkOptions('newest', ", primary_key = 'who', on_duplicate_key = 'latest'")} FORMAT UPSERT ENCODE JSON`,
  );
  assert.deepEqual(pairs(await kafka.awaitRecords('newest', 2)).sort(), [
    ['{"who":"a"}', '{"id":2,"who":"a"}'],
    ['{"who":null}', '{"id":3,"who":null}'],
  ]);
  const changes = [
    "INSERT INTO visits VALUES (0, 'a')",
    'UPDATE visits SET who = NULL WHERE id = 0',
    'DELETE FROM visits WHERE id = 2',
    'DELETE FROM visits WHERE id = 1',
  ];
  for (const [index, statement] of changes.entries()) {
    await sql.query(statement);
    if (index % 2 === 0) await server.killAndRestart(sql);
  }
  const records = pairs((await kafka.awaitRecords('newest', 7)).slice(2));
  assert.deepEqual(
    records.filter(([key]) => key === '{"who":"a"}').map(([, value]) => value),
    ['{"id":0,"who":"a"}', '{"id":2,"who":"a"}', '{"id":1,"who":"a"}', null],
  );
  assert.deepEqual(
    records.filter(([key]) => key === '{"who":null}'),
    [['{"who":null}', '{"id":0,"who":null}']],
  );
  const state =
    "SELECT rows > 0 AND state_bytes > 0 FROM millrace.operators WHERE operator = 'UniqueKey'";
  assert.equal(await sql.value(state), 't');
  await sql.query('DROP SINK newest_out');
});

test('several rows of one key stop the sink, and nothing else, until they are gone', {
  skip: SKIP,
}, async () => {
  await kafka.createTopic('seats');
  await sql.query('CREATE TABLE seats (id int, seat numeric)');
  await sql.query('CREATE MATERIALIZED VIEW taken AS SELECT count(*) AS n FROM seats');
  await sql.query('INSERT INTO seats VALUES (1, 1.0)');
  await sql.query(
    `CREATE SINK seats_out FROM seats ${sinkOptions('seats', ", primary_key = 'seat'")} FORMAT DEBEZIUM ENCODE JSON`,
  );
  await kafka.awaitRecords('seats', 1);
  // Equal in SQL, though not as texts.
  await sql.query('INSERT INTO seats VALUES (2, 1.00), (3, 3)');
  const failed = `SELECT state, error LIKE '%several rows of one key (23505). Key (seat)=(1.00) is duplicated.%' FROM millrace.sinks
    WHERE name = 'seats_out'`;
  assert.deepEqual((await sql.query(failed)).rows, [['failed', 't']]);
  assert.equal(await sql.value('SELECT n FROM taken'), '3');
  await server.killAndRestart(sql);
  await sql.query('INSERT INTO seats VALUES (4, 4)');
  assert.deepEqual((await sql.query(failed)).rows, [['failed', 't']]);
  assert.equal(await sql.value('SELECT n FROM taken'), '4');
  await sql.query('DELETE FROM seats WHERE id = 1');
  const records = (await kafka.awaitRecords('seats', 6)).slice(1);
  assert.deepEqual(
    records.map(({ key, value }) => [key, value?.replace(/,"ts_ms".*/, '') ?? null]),
    [
      ['{"seat":1.00}', '{"before":null,"after":{"id":2,"seat":1.00},"op":"c"'],
      ['{"seat":3}', '{"before":null,"after":{"id":3,"seat":3},"op":"c"'],
      ['{"seat":4}', '{"before":null,"after":{"id":4,"seat":4},"op":"c"'],
      ['{"seat":1.0}', '{"before":{"id":1,"seat":1.0},"after":null,"op":"d"'],
      ['{"seat":1.0}', null],
    ],
  );
  await sql.awaitValue("SELECT state FROM millrace.sinks WHERE name = 'seats_out'", 'running');
});

test('state without bound is told of', { skip: SKIP }, async () => {
  await kafka.createTopic('ticks');
  await sql.query(
    "CREATE SOURCE ticks (n int, kind text) WITH (connector = 'datagen', number.of.rows = 3)",
  );
  sql.takeNotices();
  await sql.query(
    `CREATE SINK ticks_out FROM ticks ${sinkOptions('ticks', ", primary_key = 'n', on_duplicate_key = 'latest'")} FORMAT UPSERT ENCODE JSON`,
  );
  assert.deepEqual(sql.takeNoticeTexts(), [
    'the state of a sink whose key is not proven unique grows with the number of its keys',
  ]);
});

test('CREATE SINK says what is wrong', { skip: SKIP }, async () => {
  await kafka.createTopic('refused');
  await sql.query('CREATE TABLE plain (a int, b int)');
  const create = (options: string, format = 'PLAIN', topic = 'refused') =>
    sql.refused(
      `CREATE SINK x FROM plain ${sinkOptions(topic, options)} FORMAT ${format} ENCODE JSON`,
    );
  const absent = await create(', force_append_only = true', 'PLAIN', 'no-such-topic');
  assert.deepEqual([absent.code, absent.message], ['42704', 'Kafka has no topic "no-such-topic"']);
  const changing = await create('');
  assert.equal(changing.code, '0A000');
  assert.equal(changing.message, 'an append-only sink cannot take a query whose rows change');
  assert.equal((await create('', 'UPSERT')).code, '22023');
  assert.equal((await create(", primary_key = 'c'", 'UPSERT')).code, '42703');
  assert.equal((await create(", primary_keys = 'a'", 'UPSERT')).code, '22023');
  assert.equal((await create(", delivery = 'twice'")).code, '22023');
});
