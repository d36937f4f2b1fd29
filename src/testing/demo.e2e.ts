/**
 * The demo does what it prints: its objects over the real data, history played faster, every result that is shown compared
 * (DEMO_COMPLETE=1 prints them instead), and the command itself on a directory that has them already.
 */

import assert from 'node:assert/strict';
import { exec } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { must } from '../base/assert.ts';
import { SqlClient } from '../client/sql-client.ts';
import { createDemo, DEMO_DATA_DIR, demoText } from '../demo/demo.ts';
import { TOUR } from '../demo/tour.ts';
import { polled } from './polled.ts';
import { ServerProcess } from './server-process.ts';

const isCompleting = process.env.DEMO_COMPLETE === '1';
/** 90 days in a second. */
const REPLAY_SPEED = 7_776_000;
const FLIGHTS = '20000';

const withoutTrailingBlanks = (table: string): string => table.replace(/ +$/gm, '').trimEnd();

test('the demo shows what it prints, also after a restart', async () => {
  const server = await ServerProcess.start({ args: ['--file-root', DEMO_DATA_DIR] });
  try {
    assert.equal(await createDemo(server.url, REPLAY_SPEED), true);
    let client = await SqlClient.connect(server.url);
    await untilPlayed(client);
    await compareAll(client);
    await client.close();
    await server.kill();
    await server.restart();
    assert.equal(await createDemo(server.url, REPLAY_SPEED), false, 'it is there already');
    client = await SqlClient.connect(server.url);
    await compareAll(client);
    await client.close();
    await printedShell(server.url);
  } finally {
    await server.dispose();
  }
});

/** The line for our own shell, as it is printed, run from the checkout. */
async function printedShell(url: string): Promise<void> {
  const line = must(/\(or: (.*)\)/.exec(demoText(url, true))?.[1]);
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

async function compareAll(client: SqlClient): Promise<void> {
  for (const { text, shown } of TOUR) {
    const table = withoutTrailingBlanks(await client.table(text.replace(/;$/, '')));
    if (isCompleting) process.stdout.write(`${text}\n${table}\n\n`);
    else if (shown === null) assert.match(table, /rows?\)$/);
    else assert.equal(table, withoutTrailingBlanks(shown), text);
  }
}

test('the printed text names every query and its result', () => {
  const text = demoText('postgres://millrace@127.0.0.1:4432/millrace', true);
  for (const stop of TOUR) {
    assert.ok(text.includes(stop.text), stop.text);
    for (const line of stop.shown?.split('\n') ?? [])
      assert.ok(text.includes(line.trimEnd()), line);
  }
});
