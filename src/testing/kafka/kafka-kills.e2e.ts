/**
 * kill -9 at random moments, recovery included, while a producer writes 10,000 records a second: committed ones, aborted ones
 * and poison. The views equal the batch answer over what was committed, and a read_committed reader of the sinks' topics finds
 * each row once, each rejected record once, and each change of a view on top of the one before. Kills: MILLRACE_TEST_KAFKA_KILLS (6).
 *
 * And kill -9 of the broker while a producer writes, poison among it, and a sink and a source's dead letters send:
 * MILLRACE_TEST_BROKER_KILLS (0: not done). Seed: MILLRACE_TEST_SEED.
 */

import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Producer } from 'kafkajs';
import { Random, systemRandom } from '../../base/random.ts';
import type { SqlClient } from '../sql-client.ts';
import { awaitNoneOpen, committedRecords, eachCommittedRecord } from './committed-records.ts';
import { kafkaSkip, persistently } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';
import { KILLS, killOften, Writing } from './kill-often.ts';

const SEED = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());
const PARTITIONS = 3;
const BATCH_RECORDS = 500;
const BATCH_MS = 50;
/** Of the records, one in so many cannot be decoded. */
const POISON_EVERY = 97;
/** Of the batches, one in so many is written in a transaction that is aborted. */
const ABORT_EVERY = 10;
const WITHIN_MS = 120_000;
const BROKER_KILLS = Number(process.env.MILLRACE_TEST_BROKER_KILLS ?? 0);
const BROKER_BATCH_RECORDS = 200;
/** How long the broker goes on after records have come through, and how long it is away, at most. */
const BROKER_MS_MAX = 1000;
const SKIP = kafkaSkip();
/** Event time: a millisecond a record, windows of a second. */
const WINDOW_RECORDS = 1000;

/** Writes records 0, 1, 2, ... */
class Writer {
  readonly #plain: Producer;
  readonly #aborting: Producer;
  readonly #topic: string;
  /** Records that were committed. */
  count = 0;
  #batch = 0;

  constructor(plain: Producer, aborting: Producer, topic: string) {
    this.#plain = plain;
    this.#aborting = aborting;
    this.#topic = topic;
  }

  async writeBatch(): Promise<void> {
    const started = performance.now();
    this.#batch += 1;
    if (this.#batch % ABORT_EVERY === 0) await this.#abort();
    await this.#plain.send({ topic: this.#topic, messages: this.#messages() });
    this.count += BATCH_RECORDS;
    await delay(Math.max(0, BATCH_MS - (performance.now() - started)));
  }

  async #abort(): Promise<void> {
    const transaction = await this.#aborting.transaction();
    await transaction.send({ topic: this.#topic, messages: this.#messages() });
    await transaction.abort();
  }

  #messages() {
    return Array.from({ length: BATCH_RECORDS }, (_, i) => {
      const id = this.count + i;
      const at = new Date(Date.UTC(2024, 0, 1) + id).toISOString();
      const value = id % POISON_EVERY === 0 ? `{"id": ${id}` : JSON.stringify({ id, at });
      return { partition: id % PARTITIONS, value };
    });
  }
}

/** What the views must hold over records 0 ... count - 1. */
function answer(count: number) {
  let rows = 0;
  let sum = 0;
  const windows = new Set<number>();
  for (let id = 0; id < count; id += 1) {
    if (id % POISON_EVERY === 0) continue;
    rows += 1;
    sum += id;
    windows.add(Math.floor(id / WINDOW_RECORDS));
  }
  return { rows, sum, windows: windows.size, poison: count - rows };
}

async function create(sql: SqlClient, bootstrap: string): Promise<void> {
  await sql.query(
    `CREATE SOURCE events (id bigint, at timestamp, WATERMARK FOR at AS at - INTERVAL '10 seconds')
     WITH (connector = 'kafka', topic = 'events', properties.bootstrap.server = '${bootstrap}', dead_letter.topic = 'poison') FORMAT PLAIN ENCODE JSON`,
  );
  await sql.query(
    'CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n, count(DISTINCT id) AS ids, sum(id) AS s FROM events',
  );
  await sql.query(
    "CREATE MATERIALIZED VIEW per_second AS SELECT window_start, count(*) AS n FROM TUMBLE(events, at, INTERVAL '1 second') GROUP BY window_start",
  );
  const to = (topic: string) =>
    `WITH (connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${bootstrap}')`;
  await sql.query(
    `CREATE SINK ids_out AS SELECT id FROM events ${to('ids')} FORMAT PLAIN ENCODE JSON`,
  );
  await sql.query(
    `CREATE SINK changes_out FROM per_second ${to('changes')} FORMAT DEBEZIUM ENCODE JSON`,
  );
}

/** Each id that can be decoded is there once. */
async function checkIds(bootstrap: string, count: number): Promise<void> {
  const seen = new Uint8Array(count);
  await eachCommittedRecord(bootstrap, 'ids', ({ value }) => {
    seen[(JSON.parse(value!) as { id: number }).id]! += 1;
  });
  const wrong = [...seen.keys()].filter((id) => seen[id] !== (id % POISON_EVERY === 0 ? 0 : 1));
  assert.deepEqual(wrong.slice(0, 20), [], `${wrong.length} ids are missing or come twice`);
}

/** Each id that cannot be decoded is there once, as it came. */
async function checkPoison(bootstrap: string, count: number): Promise<void> {
  const expected: string[] = [];
  for (let id = 0; id < count; id += POISON_EVERY) expected.push(`{"id": ${id}`);
  const records = await committedRecords(bootstrap, 'poison');
  assert.deepEqual(records.map(({ value }) => value).sort(), expected.sort());
}

interface Change {
  readonly before: { readonly n: number } | null;
  readonly after: { readonly n: number } | null;
}

/** Each change of a key begins where the one before ended; the last ones are the view. */
async function checkChanges(bootstrap: string, sql: SqlClient): Promise<void> {
  const rows = new Map<string, number>();
  let count = 0;
  await eachCommittedRecord(bootstrap, 'changes', ({ key, value }) => {
    const { before, after } = JSON.parse(value!) as Change;
    const name = (JSON.parse(key!) as { window_start: string }).window_start;
    assert.equal(before?.n, rows.get(name), `the change ${value} of ${name}`);
    assert.notEqual(before?.n, after!.n);
    rows.set(name, after!.n);
    count += 1;
  });
  assert.ok(count > rows.size, `${count} changes of ${rows.size} rows`);
  const { rows: view } = await sql.query('SELECT window_start::text, n FROM per_second');
  const normal = [...rows].map(([name, n]) => [name.replace('T', ' ').replace(/Z$/, ''), `${n}`]);
  assert.deepEqual(normal.sort(), [...view].sort());
}

let scene: KafkaScene | undefined;

before(async () => {
  if (SKIP === false) scene = await KafkaScene.start({ tuning: { checkpointIntervalMs: 700 } });
});

after(() => scene?.dispose());

test('kills while a producer writes: the views equal the batch answer', {
  skip: SKIP,
}, async (context: TestContext) => {
  context.diagnostic(`MILLRACE_TEST_SEED=${SEED}, ${KILLS} kills`);
  const { kafka, server, sql } = scene!;
  for (const topic of ['events', 'poison', 'ids', 'changes']) {
    await kafka.createTopic(topic, PARTITIONS);
  }
  await create(sql, kafka.bootstrap);
  const aborting = await kafka.producer('aborting');
  const writer = new Writer(await kafka.producer(), aborting, 'events');
  const writing = new Writing(() => writer.writeBatch());
  await killOften(server, new Random(SEED));
  await writing.stop();
  await aborting.disconnect();
  await sql.reconnect(server.url);
  const { rows, sum, windows, poison } = answer(writer.count);
  context.diagnostic(`${writer.count} records committed, ${poison} of them poison`);
  const shows = (query: string, row: readonly string[]) => sql.awaitRows(query, [row], WITHIN_MS);
  await shows('SELECT n, ids, s FROM totals', [`${rows}`, `${rows}`, `${sum}`]);
  await shows('SELECT count(*), sum(n) FROM per_second', [`${windows}`, `${rows}`]);
  await shows(
    "SELECT rows_read, rows_decoded, rows_rejected FROM millrace.sources WHERE name = 'events' LIMIT 1",
    [`${rows + poison}`, `${rows}`, `${poison}`],
  );
  await shows("SELECT count(*) FROM millrace.dead_letters WHERE source = 'events'", [`${poison}`]);
  await shows('SELECT sum(pending_rows), sum(held_rows), sum(spooled_bytes) FROM millrace.sinks', [
    '0',
    '0',
    '0',
  ]);
  for (const topic of ['ids', 'poison', 'changes']) await awaitNoneOpen(kafka.bootstrap, topic);
  await checkIds(kafka.bootstrap, writer.count);
  await checkPoison(kafka.bootstrap, writer.count);
  await checkChanges(kafka.bootstrap, sql);
});

/** How often each id stands in a topic. A producer that was not answered writes again, so an id may come twice into the source's. */
async function idsOf(bootstrap: string, topic: string): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  await eachCommittedRecord(bootstrap, topic, ({ value }) => {
    const id = Number(/^\{"id": ?(\d+)/.exec(value!)?.[1]);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  });
  return counts;
}

async function createFlow({ sql, kafka }: KafkaScene): Promise<void> {
  const to = (topic: string, more = '') =>
    `WITH (connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${kafka.bootstrap}'${more}) FORMAT PLAIN ENCODE JSON`;
  const letters = ", dead_letter.topic = 'flow_poison'";
  await sql.query(`CREATE SOURCE flow (id bigint) ${to('flow', letters)}`);
  await sql.query(
    'CREATE MATERIALIZED VIEW flow_totals AS SELECT count(*) AS n, count(DISTINCT id) AS ids, sum(id) AS s FROM flow',
  );
  await sql.query(`CREATE SINK flow_out AS SELECT id FROM flow ${to('flow_out')}`);
}

/** Kills the broker each time that records have come through since it is back. */
async function killBrokerOften({ sql, kafka }: KafkaScene, random: Random): Promise<void> {
  for (let kill = 0; kill < BROKER_KILLS; kill += 1) {
    const before = Number(await sql.value('SELECT n FROM flow_totals'));
    const query = `SELECT n > ${before + BROKER_BATCH_RECORDS} FROM flow_totals`;
    await sql.awaitValue(query, 't', WITHIN_MS);
    await delay(random.below(BROKER_MS_MAX));
    await kafka.cluster.kill();
    await delay(random.below(BROKER_MS_MAX));
    await kafka.cluster.start();
  }
}

test('a broker that is killed while records come and go: each counts once', {
  skip: SKIP === false && BROKER_KILLS === 0 ? 'MILLRACE_TEST_BROKER_KILLS is not set' : SKIP,
}, async (context: TestContext) => {
  context.diagnostic(`MILLRACE_TEST_SEED=${SEED}, ${BROKER_KILLS} kills`);
  const { kafka, sql } = scene!;
  for (const topic of ['flow', 'flow_out', 'flow_poison']) {
    await kafka.createTopic(topic, PARTITIONS);
  }
  await createFlow(scene!);
  const producer = await kafka.producer();
  let nextId = 0;
  const writing = new Writing(async () => {
    const messages = Array.from({ length: BROKER_BATCH_RECORDS }, (_, i) => {
      const id = nextId + i;
      const value = id % POISON_EVERY === 0 ? `{"id": ${id}` : `{"id": ${id}}`;
      return { partition: id % PARTITIONS, value };
    });
    await persistently(() => producer.send({ topic: 'flow', messages }));
    nextId += BROKER_BATCH_RECORDS;
    await delay(BATCH_MS);
  });
  await killBrokerOften(scene!, new Random(SEED));
  await writing.stop();
  const all = await idsOf(kafka.bootstrap, 'flow');
  assert.equal(all.size, nextId);
  const expected = new Map([...all].filter(([id]) => id % POISON_EVERY !== 0));
  const poison = new Map([...all].filter(([id]) => id % POISON_EVERY === 0));
  let count = 0;
  let sum = 0;
  for (const [id, times] of expected) {
    count += times;
    sum += id * times;
  }
  context.diagnostic(`${count} records of ${nextId} ids`);
  const totals = [`${count}`, `${expected.size}`, `${sum}`];
  await sql.awaitRows('SELECT n, ids, s FROM flow_totals', [totals], WITHIN_MS);
  const sink =
    "SELECT state, error, rows_sent, pending_rows, held_rows, spooled_bytes FROM millrace.sinks WHERE name = 'flow_out'";
  await sql.awaitRows(sink, [['running', null, `${count}`, '0', '0', '0']], WITHIN_MS);
  for (const topic of ['flow_out', 'flow_poison']) await awaitNoneOpen(kafka.bootstrap, topic);
  const sent = await idsOf(kafka.bootstrap, 'flow_out');
  const wrong = [...expected].filter(([id, times]) => sent.get(id) !== times);
  const right = [[], expected.size];
  assert.deepEqual([wrong.slice(0, 20), sent.size], right, `${wrong.length} ids differ`);
  const letters = [...(await idsOf(kafka.bootstrap, 'flow_poison'))].sort(([a], [b]) => a - b);
  assert.deepEqual(
    letters,
    [...poison].sort(([a], [b]) => a - b),
  );
});
