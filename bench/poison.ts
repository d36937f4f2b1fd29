/**
 * `bench poison`: what records that cannot be decoded cost. Two servers read the same events at the same time, so that whatever
 * else the machine does falls on both, one of them with poison among its records; the ratio is the median, over the rounds, of
 * what it reads in a CPU second against what the other does. Each round checks that rows and dead letters are all there.
 */

import type pg from 'pg';
import { choiceOf, countOf, textOf, type Values } from './arguments.ts';
import { rounded } from './latencies.ts';
import { MeasuredServer, textRows, waitUntil } from './measured-server.ts';
import type { Volume } from './nexmark-cases.ts';
import { type NexmarkInput, openInput } from './nexmark-input.ts';
import { Report } from './report.ts';

export const POISON_DEFAULTS = {
  input: 'ndjson',
  events: '1M',
  every: '100',
  rounds: '5',
  warmup: '1',
  json: '',
};

const COLUMNS = [
  ...['case', 'events', 'poison', 'cleanCpuSeconds', 'poisonCpuSeconds', 'ratio', 'worstRatio'],
  'usPerLetter',
];
const RATE = 10_000;
const VIEW = `CREATE MATERIALIZED VIEW bench_job AS
  SELECT count(*) AS n, sum(price) AS total, count(url) AS urls, count(extra) AS extras FROM event`;

interface Round {
  readonly clean: number;
  readonly poison: number;
}

export async function benchPoison(values: Values): Promise<void> {
  const report = new Report(textOf(values, 'json') || null, COLUMNS);
  const input = await openInput(choiceOf(values, 'input', ['ndjson', 'csv', 'kafka']));
  const clean: Volume = { events: countOf(values, 'events'), rate: RATE };
  const poison: Volume = { ...clean, poisonEvery: countOf(values, 'every') };
  const options = { isDurable: true, args: [...input.serverArgs, '--dead-letter-size', '1GB'] };
  const servers = [
    await MeasuredServer.start(options),
    await MeasuredServer.start(options),
  ] as const;
  try {
    // Both are there before either is read.
    for (const volume of [clean, poison]) await input.schema(volume);
    const rounds: Round[] = [];
    for (let round = -countOf(values, 'warmup'); round < countOf(values, 'rounds'); round += 1) {
      const [cleanUsed, poisonUsed] = await Promise.all([
        cpuSeconds(servers[0], input, clean),
        cpuSeconds(servers[1], input, poison),
      ]);
      const used = { clean: cleanUsed, poison: poisonUsed };
      report.note(`${round < 0 ? 'warm-up' : 'round'}: ${JSON.stringify(used)}`);
      if (round >= 0) rounds.push(used);
    }
    report.add({ bench: 'poison', case: input.kind, ...figures(rounds, poison) });
  } finally {
    for (const server of servers) await server.stop();
    await input.dispose();
  }
}

function figures(rounds: readonly Round[], volume: Volume): Record<string, number> {
  const ratios = rounds.map(({ clean, poison }) => clean / poison);
  const cleanCpuSeconds = median(rounds.map(({ clean }) => clean));
  const letters = poisonOf(volume);
  const ratio = median(ratios);
  return {
    events: volume.events,
    poison: letters,
    rounds: rounds.length,
    cleanCpuSeconds: rounded(cleanCpuSeconds),
    poisonCpuSeconds: rounded(median(rounds.map(({ poison }) => poison))),
    ratio: rounded(ratio),
    worstRatio: rounded(Math.min(...ratios)),
    usPerLetter: rounded((cleanCpuSeconds * (1 / ratio - 1) * 1e6) / letters),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How many of the events are poison. */
function poisonOf({ events, poisonEvery }: Volume): number {
  return poisonEvery === undefined ? 0 : Math.floor(events / poisonEvery);
}

/** One reading of all events, from the CREATE of the view that starts it. */
async function cpuSeconds(
  server: MeasuredServer,
  input: NexmarkInput,
  volume: Volume,
): Promise<number> {
  const client = await server.connect();
  for (const statement of await input.schema(volume)) await client.query(statement);
  const before = server.usage.cpuSeconds;
  await client.query(VIEW);
  await waitUntil(
    client,
    `SELECT coalesce(max(rows_read), 0) >= ${volume.events} FROM millrace.sources WHERE name = 'event'`,
  );
  const used = server.usage.cpuSeconds - before;
  await check(client, volume);
  await client.query('DROP SOURCE event CASCADE');
  await client.query('DROP TABLE side_input');
  // What the dead letters of this reading have left to do is not part of the next one.
  await client.query('CHECKPOINT');
  return used;
}

/** Every record is a row of the view or a dead letter. */
async function check(client: pg.Client, volume: Volume): Promise<void> {
  const [found] = await textRows(
    client,
    `SELECT rows_read, rows_rejected, (SELECT n FROM bench_job),
       (SELECT count(*) FROM millrace.dead_letters WHERE source = 'event')
     FROM millrace.sources WHERE name = 'event' LIMIT 1`,
  );
  const { events } = volume;
  const letters = poisonOf(volume);
  const wanted = [events, letters, events - letters, letters].join(' ');
  if (found?.join(' ') !== wanted) {
    throw new Error(`read, rejected, rows, dead letters: ${found?.join(' ')} instead of ${wanted}`);
  }
}
