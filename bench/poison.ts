/**
 * `bench poison`: what records that cannot be decoded cost. One server reads the same events without and with poison among them:
 * in each round clean, poison, poison, clean, so that a machine that becomes slower or faster falls on both. One server, as two
 * differ by more than what is looked for: V8 may compile the same loop otherwise in each. The ratio is the median, over the
 * rounds, of what is read in a CPU second with poison against without. Each reading checks that rows and dead letters are there
 * (up to some 100,000 of them are kept); those of earlier readings are trimmed meanwhile, as in a server that has run for a while.
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
const WARM_EVERY = 20;
const VIEW = `CREATE MATERIALIZED VIEW bench_job AS
  SELECT count(*) AS n, sum(price) AS total, count(url) AS urls, count(extra) AS extras FROM event`;

const ORDER = ['clean', 'poison', 'poison', 'clean'] as const;
const READINGS = 2;

/** CPU seconds of READINGS readings each. */
interface Round {
  readonly clean: number;
  readonly poison: number;
}

export async function benchPoison(values: Values): Promise<void> {
  const report = new Report(textOf(values, 'json') || null, COLUMNS);
  const input = await openInput(choiceOf(values, 'input', ['ndjson', 'csv', 'kafka']));
  const clean: Volume = { events: countOf(values, 'events'), rate: RATE };
  const poison: Volume = { ...clean, poisonEvery: countOf(values, 'every') };
  // What handles errors runs seldom, and so is compiled late.
  const warm: Volume = { ...clean, poisonEvery: WARM_EVERY };
  const options = { isDurable: true, args: input.serverArgs };
  const server = await MeasuredServer.start(options);
  try {
    // All are there before any is read.
    for (const volume of [clean, poison, warm]) await input.schema(volume);
    const client = await server.connect();
    const rounds: Round[] = [];
    for (let round = -countOf(values, 'warmup'); round < countOf(values, 'rounds'); round += 1) {
      const used = { clean: 0, poison: 0 };
      const spoilt = round < 0 ? warm : poison;
      for (const kind of ORDER) {
        used[kind] += await cpuSeconds(server, client, input, kind === 'clean' ? clean : spoilt);
      }
      report.note(`${round < 0 ? 'warm-up' : 'round'}: ${JSON.stringify(used)}`);
      if (round >= 0) rounds.push(used);
    }
    report.add({ bench: 'poison', case: input.kind, ...figures(rounds, poison) });
  } finally {
    await server.stop();
    await input.dispose();
  }
}

function figures(rounds: readonly Round[], volume: Volume): Record<string, number> {
  const ratios = rounds.map(({ clean, poison }) => clean / poison);
  const cleanCpuSeconds = median(rounds.map(({ clean }) => clean)) / READINGS;
  const letters = poisonOf(volume);
  const ratio = median(ratios);
  return {
    events: volume.events,
    poison: letters,
    rounds: rounds.length,
    cleanCpuSeconds: rounded(cleanCpuSeconds),
    poisonCpuSeconds: rounded(median(rounds.map(({ poison }) => poison)) / READINGS),
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
  client: pg.Client,
  input: NexmarkInput,
  volume: Volume,
): Promise<number> {
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
