/**
 * `millrace demo --kafka`: every result that is shown, also after kill -9; what it refuses; and the Kafka that a checkout starts for
 * it, which is gone with it.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { must } from '../../base/assert.ts';
import { SqlClient as DemoClient } from '../../client/sql-client.ts';
import { createDemo, DEMO_DATA_DIR, demoTour } from '../../demo/demo.ts';
import { compareShown } from '../demo-results.ts';
import { polled } from '../polled.ts';
import type { ServerProcess } from '../server-process.ts';
import { SqlClient } from '../sql-client.ts';
import { committedRecords } from './committed-records.ts';
import { type KafkaFixture, kafkaSkip } from './kafka-fixture.ts';
import { KafkaScene } from './kafka-scene.ts';

const SKIP = kafkaSkip();
const LAUNCHER = join(import.meta.dirname, '../../launch.mjs');
/** 90 days in a second. */
const REPLAY_SPEED = 7_776_000;
const CLOSED_WINDOWS = '359';
const ANY_PORT = ['--port', '0', '--http-port', 'off', '--log-level', 'error'];

const folder = mkdtempSync(join(tmpdir(), 'millrace-demo-test-'));
let scene: KafkaScene | undefined;
let kafka: KafkaFixture;
let server: ServerProcess;
let sql: SqlClient;

before(async () => {
  if (SKIP !== false) return;
  scene = await KafkaScene.start({ args: ['--file-root', DEMO_DATA_DIR] });
  ({ kafka, server, sql } = scene);
});

after(async () => {
  await scene?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** `millrace demo`, with its temporary files in `directory`. */
function demo(args: readonly string[], directory: string): ChildProcess {
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, TMPDIR: directory };
  return spawn(process.execPath, [LAUNCHER, 'demo', ...ANY_PORT, ...args], { env });
}

test('the demo shows what it prints, also after kill -9', { skip: SKIP }, async () => {
  const brokers = kafka.bootstrap;
  assert.equal(await createDemo(server.url, brokers, REPLAY_SPEED), true);
  await compareAtTheEnd(brokers);
  await server.killAndRestart(sql);
  assert.equal(await createDemo(server.url, brokers, REPLAY_SPEED), false, 'it is there already');
  await compareAtTheEnd(brokers);
  await assert.rejects(createDemo(server.url, 'elsewhere:9092'), {
    sqlstate: '55000',
    message: 'the demo in this data directory does not use Kafka at elsewhere:9092',
  });
  const flights = await committedRecords(brokers, 'flights');
  assert.equal(flights.length, 20_000);
  const { key, value } = must(flights[0]);
  assert.equal(key, JSON.stringify({ origin: JSON.parse(must(value)).origin }));
});

async function compareAtTheEnd(brokers: string): Promise<void> {
  await sql.awaitValue('SELECT sum(flights) FROM delays_per_hour', '20000');
  await sql.awaitValue('SELECT count(*) FROM delays_rolling', CLOSED_WINDOWS);
  const waiting = 'SELECT max(pending_rows + spooled_bytes) FROM millrace.sinks';
  await sql.awaitValue(waiting, '0');
  const client = await DemoClient.connect(server.url);
  try {
    await compareShown(client, demoTour(brokers));
  } finally {
    await client.close();
  }
}

test('brokers that have the topics, or are not there: one line, exit 1', {
  skip: SKIP,
}, async () => {
  const refusals: readonly [brokers: string, line: RegExp][] = [
    [
      kafka.bootstrap,
      /^millrace: Kafka at \S+ has a topic "flights" already: Delete "flights" and/,
    ],
    ['127.0.0.1:1', /^millrace: could not reach Kafka at 127\.0\.0\.1:1: .*ECONNREFUSED/],
  ];
  for (const [brokers, line] of refusals) {
    const child = demo([`--kafka=${brokers}`, '--data-dir', ':memory:'], folder);
    const exited = once(child, 'exit');
    const lines = (await text(must(child.stderr))).trimEnd().split('\n');
    assert.deepEqual(await exited, [1, null]);
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(must(lines[0]), line);
  }
});

test('a checkout starts a Kafka, which is gone when the demo ends', { skip: SKIP }, async () => {
  const directory = mkdtempSync(join(folder, 'own-'));
  const child = demo(['--kafka'], directory);
  const exited = once(child, 'exit');
  let printed = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    printed += bytes.toString();
  });
  await polled(
    () => printed,
    (all) => all.includes('Ctrl-C stops the server.') || child.exitCode !== null,
  );
  const [, url] = must(/millrace ready: (\S+)/.exec(printed), printed);
  const [, port] = must(/Kafka at 127\.0\.0\.1:(\d+)/.exec(printed), printed);
  const client = await SqlClient.connect(must(url));
  await client.awaitValue('SELECT count(*) > 0 FROM delays_per_hour', 't');
  await client.close();
  child.kill('SIGINT');
  assert.deepEqual(await exited, [0, null]);
  assert.deepEqual(readdirSync(directory), []);
  const broker = connect(Number(port), '127.0.0.1');
  await assert.rejects(once(broker, 'connect'), { code: 'ECONNREFUSED' });
});
