/**
 * kill -9 at random moments, recovery included, while a producer writes 10,000 records a second: committed ones, aborted ones
 * and poison. The views equal the batch answer over what was committed. Kills: MILLRACE_TEST_KAFKA_KILLS (6), seed:
 * MILLRACE_TEST_SEED.
 */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Producer } from 'kafkajs';
import { Random, systemRandom } from '../../base/random.ts';
import { ServerProcess } from '../server-process.ts';
import { SqlClient } from '../sql-client.ts';
import { KafkaFixture, kafkaSkip } from './kafka-fixture.ts';

const KILLS = Number(process.env.MILLRACE_TEST_KAFKA_KILLS ?? 6);
const SEED = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());
const PARTITIONS = 3;
const BATCH_RECORDS = 500;
const BATCH_MS = 50;
/** Of the records, one in so many cannot be decoded. */
const POISON_EVERY = 97;
/** Of the batches, one in so many is written in a transaction that is aborted. */
const ABORT_EVERY = 10;
const UP_MS_MAX = 1500;
const DEADLINE_MS = 120_000;
/** Event time: a millisecond a record, windows of a second. */
const WINDOW_RECORDS = 1000;

/** Writes records 0, 1, 2, ... until it is stopped. */
class Writer {
  readonly #plain: Producer;
  readonly #aborting: Producer;
  readonly #topic: string;
  /** Records that were committed. */
  count = 0;
  #isStopped = false;
  #run: Promise<void> | null = null;

  constructor(plain: Producer, aborting: Producer, topic: string) {
    this.#plain = plain;
    this.#aborting = aborting;
    this.#topic = topic;
  }

  start(): void {
    this.#run = this.#write();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#run;
  }

  async #write(): Promise<void> {
    for (let batch = 1; !this.#isStopped; batch += 1) {
      const started = performance.now();
      if (batch % ABORT_EVERY === 0) await this.#abort();
      await this.#plain.send({ topic: this.#topic, messages: this.#messages() });
      this.count += BATCH_RECORDS;
      await delay(Math.max(0, BATCH_MS - (performance.now() - started)));
    }
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

/** Kills the server at random moments, while it starts or when it runs; the last start is waited for. */
async function killOften(server: ServerProcess, random: Random): Promise<void> {
  for (let kill = 1; kill <= KILLS; kill += 1) {
    if (random.below(3) > 0) await server.ready();
    await delay(random.below(UP_MS_MAX));
    await server.kill();
    server.spawn();
  }
  await server.ready();
}

async function awaitRow(sql: SqlClient, query: string, expected: readonly string[]): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    const { rows } = await sql.query(query);
    const isEqual = JSON.stringify(rows[0]) === JSON.stringify(expected);
    if (isEqual) return;
    if (performance.now() > end) assert.deepEqual(rows[0], expected, query);
    await delay(50);
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
     WITH (connector = 'kafka', topic = 'events', properties.bootstrap.server = '${bootstrap}') FORMAT PLAIN ENCODE JSON`,
  );
  await sql.query(
    'CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n, count(DISTINCT id) AS ids, sum(id) AS s FROM events',
  );
  await sql.query(
    "CREATE MATERIALIZED VIEW per_second AS SELECT window_start, count(*) AS n FROM TUMBLE(events, at, INTERVAL '1 second') GROUP BY window_start",
  );
}

test('kills while a producer writes: the views equal the batch answer', {
  skip: kafkaSkip(),
}, async (context: TestContext) => {
  context.diagnostic(`MILLRACE_TEST_SEED=${SEED}, ${KILLS} kills`);
  const kafka = await KafkaFixture.start();
  context.after(() => kafka.dispose());
  const server = await ServerProcess.start({ tuning: { checkpointIntervalMs: 700 } });
  context.after(() => server.dispose());
  await kafka.createTopic('events', PARTITIONS);
  const before = await SqlClient.connect(server.url);
  await create(before, kafka.bootstrap);
  await before.close();
  const aborting = await kafka.producer('aborting');
  const writer = new Writer(await kafka.producer(), aborting, 'events');
  writer.start();
  await killOften(server, new Random(SEED));
  await writer.stop();
  await aborting.disconnect();
  const sql = await SqlClient.connect(server.url);
  context.after(() => sql.close());
  const { rows, sum, windows, poison } = answer(writer.count);
  context.diagnostic(`${writer.count} records committed, ${poison} of them poison`);
  await awaitRow(sql, 'SELECT n, ids, s FROM totals', [`${rows}`, `${rows}`, `${sum}`]);
  await awaitRow(sql, 'SELECT count(*), sum(n) FROM per_second', [`${windows}`, `${rows}`]);
  await awaitRow(
    sql,
    "SELECT rows_read, rows_decoded, rows_rejected FROM millrace.sources WHERE name = 'events' LIMIT 1",
    [`${rows + poison}`, `${rows}`, `${poison}`],
  );
  await awaitRow(sql, "SELECT count(*) FROM millrace.dead_letters WHERE source = 'events'", [
    `${poison}`,
  ]);
});
