/**
 * `bench restart`: how long a server takes to be there again, empty and with many groups of state, after a stop and after
 * kill -9, and what the groups hold in memory. The contents are compared before and after.
 */

import type pg from 'pg';
import { countOf, textOf, type Values } from './arguments.ts';
import { rounded } from './latencies.ts';
import { MeasuredServer, textRows, waitUntil } from './measured-server.ts';
import { Report } from './report.ts';

export const RESTART_DEFAULTS = { groups: '1M', json: '' };

const COLUMNS = [
  ...['case', 'groups', 'wallSeconds', 'readyMs', 'readableMs'],
  ...['rssOverIdleBytes', 'settledOverIdleBytes', 'peakOverIdleBytes'],
];
const CONTENTS =
  'SELECT count(*), sum(k), sum(n), sum(total), min(total), max(total) FROM groups_view';

export async function benchRestart(values: Values): Promise<void> {
  const report = new Report(textOf(values, 'json') || null, COLUMNS);
  const groups = countOf(values, 'groups');
  const server = await MeasuredServer.start({ isDurable: true });
  try {
    await emptyStart(server, report);
    const idleBytes = server.usage.rssBytes;
    const client = await server.connect();
    await fill(client, groups);
    const contents = await textRows(client, CONTENTS);
    const rssOverIdleBytes = server.usage.rssBytes - idleBytes;
    await waitForCheckpoint(client);
    // A checkpoint that is being saved is a second copy of what changed: it may be in the first figure.
    const settledOverIdleBytes = server.usage.rssBytes - idleBytes;
    const { peakRssBytes } = server.usage;
    for (const ending of ['kill', 'stop'] as const) {
      await server.process[ending]();
      const times = await restart(server, contents);
      report.add({
        bench: 'restart',
        case: `groups-${ending}`,
        durable: true,
        groups,
        rssOverIdleBytes,
        settledOverIdleBytes,
        peakOverIdleBytes: peakRssBytes - idleBytes,
        peakRssBytes,
        ...times,
      });
    }
  } finally {
    await server.stop();
  }
}

async function emptyStart(server: MeasuredServer, report: Report): Promise<void> {
  await server.process.stop();
  const started = performance.now();
  await server.process.restart();
  const readyMs = rounded(performance.now() - started);
  const wallSeconds = rounded(readyMs / 1000);
  report.add({ bench: 'restart', case: 'empty', durable: true, groups: 0, wallSeconds, readyMs });
}

/** One row for each group, generated: 1, 2, 3, ... */
async function fill(client: pg.Client, groups: number): Promise<void> {
  await client.query(`CREATE SOURCE numbers (k bigint, v bigint) WITH (connector = 'datagen',
    number.of.rows = ${groups}, rows.per.second = 1000000000,
    fields.k.kind = 'sequence', fields.k.start = 1, fields.v.min = 0, fields.v.max = 1000000)`);
  await client.query(`CREATE MATERIALIZED VIEW groups_view AS
    SELECT k, count(*) AS n, sum(v) AS total FROM numbers GROUP BY k`);
  await waitUntil(
    client,
    "SELECT coalesce(bool_and(is_ended), false) FROM millrace.sources WHERE name = 'numbers'",
  );
}

/** Until a checkpoint holds what is published now. */
async function waitForCheckpoint(client: pg.Client): Promise<void> {
  const [row] = await textRows(client, 'SELECT published FROM millrace.epochs');
  await waitUntil(client, `SELECT last_checkpoint_epoch >= ${row?.[0]} FROM millrace.epochs`, 120);
}

async function restart(
  server: MeasuredServer,
  contents: readonly (readonly (string | null)[])[],
): Promise<{ wallSeconds: number; readyMs: number; readableMs: number }> {
  const started = performance.now();
  await server.process.restart();
  const readyMs = rounded(performance.now() - started);
  const client = await server.connect();
  await client.query('SELECT k FROM groups_view WHERE k = 1');
  const readableMs = rounded(performance.now() - started);
  const now = await textRows(client, CONTENTS);
  if (JSON.stringify(now) !== JSON.stringify(contents)) {
    throw new Error(
      `after the restart: ${JSON.stringify(now)} instead of ${JSON.stringify(contents)}`,
    );
  }
  return { wallSeconds: rounded(readableMs / 1000), readyMs, readableMs };
}
