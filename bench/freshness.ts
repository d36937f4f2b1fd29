/**
 * `bench freshness`: how long an event takes from being sent to being readable in a view. While a generated source feeds the
 * view at a fixed rate, single rows are inserted into a table that the same view reads; another connection reads the view by
 * key, over and over, until the row shows.
 */

import type pg from 'pg';
import { countOf, textOf, type Values } from './arguments.ts';
import { Latencies, rounded } from './latencies.ts';
import { MeasuredServer, textRows, waitUntil } from './measured-server.ts';
import { RawConnection } from './raw-connection.ts';
import { Report } from './report.ts';

export const FRESHNESS_DEFAULTS = { rates: '0,50000', seconds: '10', warmup: '3', json: '' };

const COLUMNS = ['case', 'probes', 'eventsPerSecond', 'p50Ms', 'p99Ms', 'p999Ms', 'maxMs'];
/** Between two probes; odd, so that they do not fall into step with anything. */
const PAUSE_MS = 7;
/** The group that only probes fall into. */
const PROBE_KEY = '-1';

const VIEW = `CREATE MATERIALIZED VIEW fresh AS
  SELECT auction, max(probe) AS last_probe, count(*) AS events FROM (
    SELECT auction, NULL::bigint AS probe FROM bid UNION ALL SELECT auction, id FROM probes) e
  GROUP BY auction`;

export async function benchFreshness(values: Values): Promise<void> {
  const report = new Report(textOf(values, 'json') || null, COLUMNS);
  for (const rate of textOf(values, 'rates').split(',').map(Number)) {
    await measure(rate, countOf(values, 'warmup'), countOf(values, 'seconds'), report);
  }
}

async function measure(
  rate: number,
  warmUpSeconds: number,
  seconds: number,
  report: Report,
): Promise<void> {
  const server = await MeasuredServer.start({ isDurable: true });
  try {
    const client = await server.connect();
    await createView(client, rate);
    const reader = await RawConnection.prepare(
      server.process.url,
      'SELECT last_probe FROM fresh WHERE auction = $1',
    );
    await probe(client, reader, 0, warmUpSeconds);
    const eventsBefore = await eventsRead(client);
    const usedBefore = server.usage.cpuSeconds;
    const started = performance.now();
    const latencies = await probe(client, reader, 1_000_000, seconds);
    const wallSeconds = (performance.now() - started) / 1000;
    const events = (await eventsRead(client)) - eventsBefore;
    reader.close();
    report.add({
      bench: 'freshness',
      case: rate === 0 ? 'idle' : `rate-${rate}`,
      durable: true,
      eventsPerSecond: Math.round(events / wallSeconds),
      probes: latencies.count,
      wallSeconds: rounded(wallSeconds),
      cpuSeconds: rounded(server.usage.cpuSeconds - usedBefore),
      peakRssBytes: server.usage.peakRssBytes,
      ...latencies.summary(),
    });
  } finally {
    await server.stop();
  }
}

async function createView(client: pg.Client, rate: number): Promise<void> {
  const bounds =
    rate === 0
      ? 'nexmark.max.events = 1'
      : `nexmark.event.rate = ${rate}, nexmark.pace = 'realtime'`;
  await client.query(
    `CREATE SOURCE bid (auction BIGINT) WITH (connector = 'nexmark', nexmark.table.type = 'bid', ${bounds})`,
  );
  await client.query('CREATE TABLE probes (auction bigint, id bigint)');
  await client.query(VIEW);
  await client.query(`INSERT INTO probes VALUES (${PROBE_KEY}, 0)`);
  if (rate > 0) await waitUntil(client, 'SELECT count(*) > 100 FROM fresh');
}

/** Inserts rows numbered from `first` on for some seconds; each one's time until the view shows it. */
async function probe(
  client: pg.Client,
  reader: RawConnection,
  first: number,
  seconds: number,
): Promise<Latencies> {
  const latencies = new Latencies();
  const end = performance.now() + seconds * 1000;
  for (let id = first + 1; performance.now() < end; id++) {
    const sent = performance.now();
    const inserted = client.query({
      name: 'insert-probe',
      text: `INSERT INTO probes VALUES (${PROBE_KEY}, $1)`,
      values: [id],
    });
    await untilShown(reader, String(id));
    latencies.add(performance.now() - sent);
    await inserted;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return latencies;
}

async function untilShown(reader: RawConnection, id: string): Promise<void> {
  while ((await reader.read(PROBE_KEY)).value !== id);
}

/** Events that the generator has made: the position of its split. */
async function eventsRead(client: pg.Client): Promise<number> {
  const [row] = await textRows(client, "SELECT position FROM millrace.sources WHERE name = 'bid'");
  return Number(row?.[0] ?? 0);
}
