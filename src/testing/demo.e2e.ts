/**
 * The demo does what it prints: its objects over the real data, history played faster, every result that is shown compared
 * (demo-results.ts), and the command itself on a directory that has them already. Through Kafka: kafka/demo-kafka.e2e.ts.
 */

import assert from 'node:assert/strict';
import { exec } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { must } from '../base/assert.ts';
import { SqlClient } from '../client/sql-client.ts';
import { createDemo, DEMO_DATA_DIR, demoText, demoTour } from '../demo/demo.ts';
import { TOUR } from '../demo/tour.ts';
import { compareShown } from './demo-results.ts';
import { polled } from './polled.ts';
import { ServerProcess } from './server-process.ts';

/** 90 days in a second. */
const REPLAY_SPEED = 7_776_000;
const FLIGHTS = '20000';

test('the demo shows what it prints, also after a restart', async () => {
  const server = await ServerProcess.start({ args: ['--file-root', DEMO_DATA_DIR] });
  try {
    assert.equal(await createDemo(server.url, null, REPLAY_SPEED), true);
    let client = await SqlClient.connect(server.url);
    await untilPlayed(client);
    await compareShown(client, TOUR);
    await client.close();
    await server.kill();
    await server.restart();
    assert.equal(await createDemo(server.url, null, REPLAY_SPEED), false, 'it is there already');
    client = await SqlClient.connect(server.url);
    await compareShown(client, TOUR);
    await client.close();
    await printedShell(server.url);
  } finally {
    await server.dispose();
  }
});

/** The line for our own shell, as it is printed, run from the checkout. */
async function printedShell(url: string): Promise<void> {
  const line = must(/\(or: (.*)\)/.exec(demoText(url, null, true))?.[1]);
  const { stdout } = await promisify(exec)(
    `${line} -c 'SELECT sum(flights) FROM delays_per_hour'`,
    {
      cwd: fileURLToPath(new URL('../../', import.meta.url)),
      timeout: 30_000,
    },
  );
  assert.match(stdout, new RegExp(`^ *${FLIGHTS}$`, 'm'));
}

async function untilPlayed(client: SqlClient): Promise<void> {
  const progress = async () => {
    const flights = await client.query('SELECT sum(flights)::text FROM delays_per_hour');
    const ended = await client.query(
      "SELECT is_ended::text FROM millrace.sources WHERE name = 'flights'",
    );
    return [flights.rows[0]?.[0], ended.rows[0]?.[0]];
  };
  const end = [FLIGHTS, 'true'];
  assert.deepEqual(await polled(progress, (found) => found.join() === end.join()), end);
}

test('the printed text names every query and its result', () => {
  for (const brokers of [null, '127.0.0.1:9092']) {
    const text = demoText('postgres://millrace@127.0.0.1:4432/millrace', brokers, true);
    for (const stop of demoTour(brokers)) {
      assert.ok(text.includes(stop.text), stop.text);
      for (const line of stop.shown?.split('\n') ?? [])
        assert.ok(text.includes(line.trimEnd()), line);
    }
  }
});
