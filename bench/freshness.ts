/**
 * `bench freshness`: how long an event takes from being sent to being readable in a view. While events come at a fixed rate
 * (a generated source, or a Kafka topic with `--input kafka`), single ones are sent beside them (an INSERT into a table that the
 * same view reads, or a record); a connection reads the view by key, over and over, until the event shows.
 */

import { countOf, textOf, type Values } from './arguments.ts';
import { type FreshnessFeed, GeneratorFeed, KafkaFeed, PROBE_KEY } from './freshness-feed.ts';
import { Latencies, rounded } from './latencies.ts';
import { MeasuredServer, waitUntil } from './measured-server.ts';
import { RawConnection } from './raw-connection.ts';
import { Report } from './report.ts';

export const FRESHNESS_DEFAULTS = {
  rates: '0,50000',
  seconds: '10',
  warmup: '3',
  json: '',
  input: 'generator',
};

const COLUMNS = ['case', 'probes', 'eventsPerSecond', 'p50Ms', 'p99Ms', 'p999Ms', 'maxMs'];
/** Between two probes; odd, so that they do not fall into step with anything. */
const PAUSE_MS = 7;

export async function benchFreshness(values: Values): Promise<void> {
  const report = new Report(textOf(values, 'json') || null, COLUMNS);
  const input = textOf(values, 'input');
  if (input !== 'generator' && input !== 'kafka') throw new Error(`unknown input: ${input}`);
  for (const rate of textOf(values, 'rates').split(',').map(Number)) {
    await measure(input, rate, countOf(values, 'warmup'), countOf(values, 'seconds'), report);
  }
}

async function measure(
  input: 'generator' | 'kafka',
  rate: number,
  warmUpSeconds: number,
  seconds: number,
  report: Report,
): Promise<void> {
  const server = await MeasuredServer.start({ isDurable: true });
  const feed = input === 'kafka' ? new KafkaFeed() : new GeneratorFeed();
  try {
    const client = await server.connect();
    await feed.start(client, rate);
    if (rate > 0) await waitUntil(client, 'SELECT count(*) > 100 FROM fresh');
    const reader = await RawConnection.prepare(
      server.process.url,
      'SELECT last_probe FROM fresh WHERE auction = $1',
    );
    await probe(feed, reader, 0, warmUpSeconds);
    const eventsBefore = await feed.eventsRead();
    const usedBefore = server.usage.cpuSeconds;
    const started = performance.now();
    const latencies = await probe(feed, reader, 1_000_000, seconds);
    const wallSeconds = (performance.now() - started) / 1000;
    const events = (await feed.eventsRead()) - eventsBefore;
    reader.close();
    report.add({
      bench: 'freshness',
      case: rate === 0 ? 'idle' : `rate-${rate}`,
      input,
      durable: true,
      eventsPerSecond: Math.round(events / wallSeconds),
      probes: latencies.count,
      wallSeconds: rounded(wallSeconds),
      cpuSeconds: rounded(server.usage.cpuSeconds - usedBefore),
      peakRssBytes: server.usage.peakRssBytes,
      ...latencies.summary(),
    });
  } finally {
    await feed.stop();
    await server.stop();
  }
}

/** Sends events numbered from `first` on for some seconds; each one's time until the view shows it. */
async function probe(
  feed: FreshnessFeed,
  reader: RawConnection,
  first: number,
  seconds: number,
): Promise<Latencies> {
  const latencies = new Latencies();
  const end = performance.now() + seconds * 1000;
  for (let id = first + 1; performance.now() < end; id++) {
    const sent = performance.now();
    const taken = feed.send(id);
    await untilShown(reader, String(id));
    latencies.add(performance.now() - sent);
    await taken;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return latencies;
}

async function untilShown(reader: RawConnection, id: string): Promise<void> {
  while ((await reader.read(PROBE_KEY)).value !== id);
}
