/**
 * kill -9 of the broker at random moments while a producer writes and a sink sends: the view and the sink's topic hold each
 * record of the source's topic once. Kills: MILLRACE_TEST_BROKER_KILLS (1), seed: MILLRACE_TEST_SEED.
 */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Random, systemRandom } from '../../base/random.ts';
import { eachCommittedRecord } from './committed-records.ts';
import { kafkaSkip, persistently } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';
import { Writing } from './kill-often.ts';

const KILLS = Number(process.env.MILLRACE_TEST_BROKER_KILLS ?? 1);
const SEED = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());
const PARTITIONS = 3;
const BATCH_RECORDS = 200;
const BATCH_MS = 20;
/** How long the broker goes on after records have come through, and how long it is away, at most. */
const DELAY_MS_MAX = 1000;
const WITHIN_MS = 120_000;

/** How often each id stands in a topic. A producer that was not answered writes again, so an id may come twice into the source's. */
async function idsOf(bootstrap: string, topic: string): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  await eachCommittedRecord(bootstrap, topic, ({ value }) => {
    const { id } = JSON.parse(value!) as { id: number };
    counts.set(id, (counts.get(id) ?? 0) + 1);
  });
  return counts;
}

async function createJobs({ sql, kafka }: KafkaScene): Promise<void> {
  const to = (topic: string) =>
    `WITH (connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${kafka.bootstrap}') FORMAT PLAIN ENCODE JSON`;
  await sql.query(`CREATE SOURCE events (id bigint) ${to('events')}`);
  await sql.query(
    'CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n, count(DISTINCT id) AS ids, sum(id) AS s FROM events',
  );
  await sql.query(`CREATE SINK ids_out AS SELECT id FROM events ${to('ids')}`);
}

/** Kills the broker each time that records have come through since it is back. */
async function killOften({ sql, kafka }: KafkaScene, random: Random): Promise<void> {
  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = Number(await sql.value('SELECT n FROM totals'));
    const query = `SELECT n > ${before + BATCH_RECORDS} FROM totals`;
    await sql.awaitValue(query, 't', WITHIN_MS);
    await delay(random.below(DELAY_MS_MAX));
    await kafka.cluster.kill();
    await delay(random.below(DELAY_MS_MAX));
    await kafka.cluster.start();
  }
}

test('a broker that is killed while records come and go: each counts once', {
  skip: kafkaSkip(),
}, async (context: TestContext) => {
  context.diagnostic(`MILLRACE_TEST_SEED=${SEED}, ${KILLS} kills`);
  const scene = await KafkaScene.start();
  context.after(() => scene.dispose());
  const { kafka, sql } = scene;
  for (const topic of ['events', 'ids']) await kafka.createTopic(topic, PARTITIONS);
  await createJobs(scene);
  const producer = await kafka.producer();
  let nextId = 0;
  const writing = new Writing(async () => {
    const messages = Array.from({ length: BATCH_RECORDS }, (_, i) => {
      const id = nextId + i;
      return { partition: id % PARTITIONS, value: `{"id": ${id}}` };
    });
    await persistently(() => producer.send({ topic: 'events', messages }));
    nextId += BATCH_RECORDS;
    await delay(BATCH_MS);
  });
  await killOften(scene, new Random(SEED));
  await writing.stop();
  const expected = await idsOf(kafka.bootstrap, 'events');
  assert.equal(expected.size, nextId);
  let count = 0;
  let sum = 0;
  for (const [id, times] of expected) {
    count += times;
    sum += id * times;
  }
  context.diagnostic(`${count} records of ${nextId} ids`);
  const totals = [`${count}`, `${nextId}`, `${sum}`];
  await sql.awaitRows('SELECT n, ids, s FROM totals', [totals], WITHIN_MS);
  const isSent = 'SELECT pending_rows + held_rows + spooled_bytes FROM millrace.sinks';
  await sql.awaitValue(isSent, '0', WITHIN_MS);
  const sent = await idsOf(kafka.bootstrap, 'ids');
  const wrong = [...expected].filter(([id, times]) => sent.get(id) !== times);
  assert.deepEqual([wrong.slice(0, 20), sent.size], [[], nextId], `${wrong.length} ids differ`);
});
