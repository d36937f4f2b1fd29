/**
 * Money that only moves: transfers come through Kafka while the server is killed, and whoever looks finds that no money was made
 * or lost: SELECT, a subscription at the end of each epoch, and the sink's topic, epoch by epoch. MILLRACE_TEST_SEED repeats it.
 */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Producer } from 'kafkajs';
import { serialize } from 'pg-protocol';
import { Random, systemRandom } from '../../base/random.ts';
import { polled } from '../polled.ts';
import { RawClient, type RawMessage } from '../raw-client.ts';
import { SqlClient } from '../sql-client.ts';
import { type CommittedRecord, committedRecords } from './committed-records.ts';
import { kafkaSkip } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';
import { Writing } from './kill-often.ts';

const SEED = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());
const KILLS = 3;
/** After what was to be seen was seen. */
const UP_MS_MAX = 1500;
const ACCOUNTS = 50;
const BATCH_TRANSFERS = 100;
const BATCH_MS = 20;

/** Sends transfers, and keeps what everybody then has. */
class Bank {
  readonly balances = new Map<number, number>();
  transferCount = 0;
  readonly #producer: Producer;
  readonly #random: Random;

  constructor(producer: Producer, random: Random) {
    this.#producer = producer;
    this.#random = random;
  }

  async sendBatch(): Promise<void> {
    const messages = Array.from({ length: BATCH_TRANSFERS }, () => ({
      value: JSON.stringify(this.#transfer()),
    }));
    await this.#producer.send({ topic: 'transfers', messages });
    await delay(BATCH_MS);
  }

  #transfer() {
    const payer = this.#random.below(ACCOUNTS);
    const payee = this.#random.below(ACCOUNTS);
    const amount = 1 + this.#random.below(100);
    this.transferCount += 1;
    this.balances.set(payer, (this.balances.get(payer) ?? 0) - amount);
    this.balances.set(payee, (this.balances.get(payee) ?? 0) + amount);
    return { payer, payee, amount };
  }
}

async function create(sql: SqlClient, bootstrap: string): Promise<void> {
  const to = (topic: string) =>
    `connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${bootstrap}'`;
  for (const statement of [
    `CREATE SOURCE transfers (payer int, payee int, amount bigint) WITH (${to('transfers')}) FORMAT PLAIN ENCODE JSON`,
    'CREATE MATERIALIZED VIEW debits AS SELECT payer AS account, sum(amount) AS amount FROM transfers GROUP BY payer',
    'CREATE MATERIALIZED VIEW credits AS SELECT payee AS account, sum(amount) AS amount FROM transfers GROUP BY payee',
    `CREATE MATERIALIZED VIEW balances AS
       SELECT coalesce(c.account, d.account) AS account, coalesce(c.amount, 0) - coalesce(d.amount, 0) AS balance
       FROM credits c FULL JOIN debits d ON c.account = d.account`,
    'CREATE MATERIALIZED VIEW total AS SELECT sum(balance) AS total FROM balances',
    `CREATE SINK balances_out AS SELECT account, sum(balance) AS balance FROM balances GROUP BY account
     WITH (${to('balances')}, primary_key = 'account', header.epoch = true)
     FORMAT UPSERT ENCODE JSON`,
  ]) {
    await sql.query(statement);
  }
}

/** How often somebody looked and found nothing wrong. */
class Sightings {
  reads = 0;
  epochs = 0;

  /** Resolves when totals and changes were seen `count` more times. */
  async more(count: number): Promise<void> {
    const [reads, epochs] = [this.reads + count, this.epochs + count];
    const isThere = () => this.reads >= reads && this.epochs >= epochs;
    assert.ok(await polled(isThere, Boolean), `${this.reads} reads, ${this.epochs} epochs`);
  }
}

/** Asks for the total, in two ways, as long as the server answers. */
async function watchTotals(url: string, sightings: Sightings): Promise<void> {
  const sql = await SqlClient.connect(url).catch(() => null);
  const query = 'SELECT (SELECT total FROM total), (SELECT sum(balance) FROM balances)';
  while (sql !== null) {
    const answer = await sql.query(query).catch(() => null);
    if (answer === null) break;
    for (const total of answer.rows[0]!) assert.ok(total === null || total === '0', `${total}`);
    sightings.reads += 1;
  }
}

/** Follows the changes of the balances until the connection ends. */
async function watchChanges(url: string, sightings: Sightings): Promise<void> {
  const client = await RawClient.login(Number(new URL(url).port)).catch(() => null);
  if (client === null) return;
  client.send(serialize.query('COPY (SUBSCRIBE balances) TO STDOUT'));
  let epoch = '';
  let total = 0;
  for (;;) {
    const message: RawMessage | null = await client.message().catch(() => null);
    if (message === null || !'Hd'.includes(message.letter)) return;
    if (message.letter !== 'd') continue;
    const [at, weight, , balance]: string[] = message.body.toString().trimEnd().split('\t');
    if (at !== epoch) {
      assert.equal(total, 0, `at the end of epoch ${epoch}`);
      epoch = at!;
      sightings.epochs += 1;
    }
    total += Number(weight) * Number(balance);
  }
}

/** The topic's records, epoch by epoch: the newest balances of all accounts make nothing. */
function checkTopic(records: readonly CommittedRecord[], expected: Map<number, number>): number {
  const byEpoch = Map.groupBy(records, ({ headers }) => Number(headers['millrace.epoch']));
  const balances = new Map<number, number>();
  for (const epoch of [...byEpoch.keys()].sort((a, b) => a - b)) {
    for (const { value } of byEpoch.get(epoch)!) {
      const { account, balance } = JSON.parse(value!) as { account: number; balance: number };
      balances.set(account, balance);
    }
    const total = [...balances.values()].reduce((sum, balance) => sum + balance, 0);
    assert.equal(total, 0, `the topic at the end of epoch ${epoch}`);
  }
  assert.deepEqual(sorted(balances), sorted(expected));
  return byEpoch.size;
}

function sorted(balances: ReadonlyMap<number, number>): [number, number][] {
  return [...balances].sort(([a], [b]) => a - b);
}

test('transfers through Kafka, with kills: no money is made or lost in any version', {
  skip: kafkaSkip(),
}, async (context: TestContext) => {
  context.diagnostic(`MILLRACE_TEST_SEED=${SEED}`);
  const random = new Random(SEED);
  const scene = await KafkaScene.start({ tuning: { checkpointIntervalMs: 700 } });
  context.after(() => scene.dispose());
  const { kafka, server, sql } = scene;
  for (const topic of ['transfers', 'balances']) await kafka.createTopic(topic, 3);
  await create(sql, kafka.bootstrap);
  const bank = new Bank(await kafka.producer(), random);
  const sending = new Writing(() => bank.sendBatch());
  const sightings = new Sightings();
  for (let kill = 0; kill < KILLS; kill += 1) {
    const watching = Promise.all([
      watchTotals(server.url, sightings),
      watchChanges(server.url, sightings),
    ]);
    await Promise.race([sightings.more(2), watching]);
    await delay(random.below(UP_MS_MAX));
    await server.kill();
    await watching;
    await server.restart();
  }
  await sending.stop();
  await sql.reconnect(server.url);
  const finished = `SELECT (SELECT max(rows_read) FROM millrace.sources) = ${bank.transferCount}
    AND (SELECT pending_rows + held_rows + spooled_bytes FROM millrace.sinks) = 0`;
  await sql.awaitValue(finished, 't');
  const { rows } = await sql.query('SELECT account, balance FROM balances');
  const shown = new Map(rows.map(([account, balance]) => [Number(account), Number(balance)]));
  assert.deepEqual(sorted(shown), sorted(bank.balances));
  const sent = checkTopic(await committedRecords(kafka.bootstrap, 'balances'), bank.balances);
  context.diagnostic(
    `${sightings.reads} reads, ${sightings.epochs} epochs subscribed to, ${sent} epochs in the topic`,
  );
  assert.ok(sightings.reads > KILLS && sightings.epochs > KILLS && sent > 0);
});
