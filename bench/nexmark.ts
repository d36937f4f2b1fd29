/**
 * `bench nexmark`: the queries of the auction site, each in a server of its own: checked against a batch answer, run once to
 * warm up, then timed from the CREATE that starts the reading to the epoch that holds its last row. Of several rounds the one in
 * the middle by CPU seconds is reported (of two of them the slower one), with the worst and the best of its eventsPerBusyCore.
 */

import { choiceOf, countOf, textOf, UsageError, type Values } from './arguments.ts';
import { generatorCpuSeconds } from './generator.ts';
import { rounded } from './latencies.ts';
import { MeasuredServer } from './measured-server.ts';
import {
  columnsRead,
  EVERYTHING,
  isNexmarkQuery,
  MEASURED_QUERIES,
  type NexmarkQuery,
  type SinkChoice,
  sinkOf,
  streamsOf,
  type Volume,
} from './nexmark-cases.ts';
import { checkQuery } from './nexmark-check.ts';
import { type NexmarkInput, openInput } from './nexmark-input.ts';
import {
  createSources,
  dropSources,
  JOB,
  resultRowCount,
  startJob,
  stateBytes,
  waitForEnd,
} from './nexmark-job.ts';
import { NexmarkOracle } from './nexmark-oracle.ts';
import { threadsSince } from './process-usage.ts';
import { Report } from './report.ts';
import { hashOfQuery } from './result-hash.ts';

export const NEXMARK_DEFAULTS = {
  queries: MEASURED_QUERIES.join(','),
  events: '1M',
  rate: '10000',
  workers: '1',
  input: 'generator',
  sink: 'auto',
  durable: 'true',
  check: 'pglite',
  'check-events': '20k',
  warmup: 'true',
  rounds: '1',
  json: '',
};

/** What the table on the terminal shows; `--json` has the rest. */
const COLUMNS = [
  ...['case', 'sink', 'events', 'wallSeconds', 'cpuSeconds', 'eventsPerSecond'],
  ...['eventsPerBusyCore', 'worst', 'best', 'generatorCpuSeconds', 'resultRows', 'checkedAgainst'],
];

/** The generator alone, as a case. */
const GENERATOR_ONLY = 'q-null';
/** Event time of the checked run: slow, so that windows, sessions and auctions open and close many times. */
const CHECK_RATE = 200;

interface Settings {
  readonly volume: Volume;
  readonly checkVolume: Volume;
  readonly workers: number;
  readonly sink: SinkChoice;
  readonly isDurable: boolean;
  readonly isWarmedUp: boolean;
  readonly rounds: number;
}

export async function benchNexmark(values: Values): Promise<void> {
  const settings = settingsOf(values);
  const queries = queriesOf(textOf(values, 'queries'));
  const check = choiceOf(values, 'check', ['pglite', 'batch', 'off']);
  const kind = choiceOf(values, 'input', ['generator', 'ndjson', 'kafka']);
  if (kind !== 'generator') for (const query of queries) checkReadsBids(query);
  const report = new Report(textOf(values, 'json') || null, COLUMNS);
  const input = await openInput(kind);
  const oracle = check === 'pglite' ? await NexmarkOracle.open() : null;
  try {
    for (const query of queries) {
      report.note(`${query} ...`);
      if (query === GENERATOR_ONLY) reportGenerator(report, settings);
      else await measure(query, input, settings, check === 'off' ? null : { oracle }, report);
    }
  } finally {
    await oracle?.close();
    await input.dispose();
  }
}

function settingsOf(values: Values): Settings {
  return {
    volume: { events: countOf(values, 'events'), rate: countOf(values, 'rate') },
    checkVolume: { events: countOf(values, 'check-events'), rate: CHECK_RATE },
    workers: countOf(values, 'workers'),
    sink: choiceOf(values, 'sink', ['auto', 'view', 'discard']),
    isDurable: choiceOf(values, 'durable', ['true', 'false']) === 'true',
    isWarmedUp: choiceOf(values, 'warmup', ['true', 'false']) === 'true',
    rounds: countOf(values, 'rounds'),
  };
}

type Case = NexmarkQuery | typeof GENERATOR_ONLY;

function queriesOf(list: string): Case[] {
  return list.split(',').map((name) => {
    if (name === GENERATOR_ONLY || isNexmarkQuery(name)) return name;
    throw new UsageError(`bench: there is no query "${name}": ${MEASURED_QUERIES.join(', ')}`);
  });
}

/** JSON events are read as bids only. */
function checkReadsBids(query: Case): void {
  if (query !== GENERATOR_ONLY && streamsOf(query).every((stream) => stream === 'bid')) return;
  throw new UsageError(`bench: ${query} cannot be run from JSON: only queries over bids`);
}

function reportGenerator(report: Report, { volume }: Settings): void {
  const cpuSeconds = rounded(generatorCpuSeconds(EVERYTHING, volume));
  report.add({
    bench: 'nexmark',
    case: GENERATOR_ONLY,
    input: 'generator',
    events: volume.events,
    cpuSeconds,
    eventsPerBusyCore: Math.round(volume.events / cpuSeconds),
    generatorCpuSeconds: cpuSeconds,
  });
}

async function measure(
  query: NexmarkQuery,
  input: NexmarkInput,
  settings: Settings,
  check: { readonly oracle: NexmarkOracle | null } | null,
  report: Report,
): Promise<void> {
  const { volume, checkVolume, workers, isDurable } = settings;
  const sink = sinkOf(query, settings.sink);
  const server = await MeasuredServer.start({ isDurable, workers, args: input.serverArgs });
  try {
    const client = await server.connect();
    const checkedAgainst =
      check === null ? null : await checkQuery(client, query, check.oracle, input, checkVolume);
    const rounds: Timed[] = [];
    for (let round = settings.isWarmedUp ? 0 : 1; round <= settings.rounds; round += 1) {
      const timed = await run(server, query, input, sink, volume);
      if (round > 0) rounds.push(timed);
      if (round < settings.rounds) await dropSources(client, input);
    }
    rounds.sort((a, b) => a.cpuSeconds - b.cpuSeconds);
    const timed = rounds[rounds.length >>> 1]!;
    const perCore = ({ cpuSeconds }: Timed) => Math.round(volume.events / cpuSeconds);
    const hash = sink === 'view' ? await hashOfQuery(client, `SELECT * FROM ${JOB}`) : null;
    report.add({
      bench: 'nexmark',
      case: query,
      input: input.kind,
      workers,
      durable: isDurable,
      sink,
      events: volume.events,
      wallSeconds: rounded(timed.wallSeconds),
      cpuSeconds: rounded(timed.cpuSeconds),
      eventsPerSecond: Math.round(volume.events / timed.wallSeconds),
      eventsPerBusyCore: perCore(timed),
      rounds: rounds.length,
      worst: perCore(rounds.at(-1)!),
      best: perCore(rounds[0]!),
      generatorCpuSeconds:
        input.kind === 'generator'
          ? rounded(generatorCpuSeconds(columnsRead(query), volume))
          : null,
      dataflowCpuSeconds: timed.threadCpuSeconds.dataflow ?? 0,
      kafkaCpuSeconds: timed.threadCpuSeconds.kafka ?? 0,
      peakRssBytes: timed.peakRssBytes,
      stateBytes: await stateBytes(client),
      resultRows: hash?.rowCount ?? (await resultRowCount(client)),
      resultHash: hash?.toString() ?? null,
      checkedAgainst,
    });
  } finally {
    await server.stop();
  }
}

interface Timed {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
  /** By name; threads that used nothing are left out. */
  readonly threadCpuSeconds: Readonly<Record<string, number>>;
}

/** One run from the first event to the last publish. */
async function run(
  server: MeasuredServer,
  query: NexmarkQuery,
  input: NexmarkInput,
  sink: 'view' | 'discard',
  volume: Volume,
): Promise<Timed> {
  const client = await server.connect();
  await createSources(client, query, input, volume);
  const cpuBefore = server.usage.cpuSeconds;
  const threadsBefore = server.threads;
  const started = performance.now();
  await startJob(client, query, sink);
  await waitForEnd(client, query, input, volume);
  const wallSeconds = (performance.now() - started) / 1000;
  const { cpuSeconds, peakRssBytes } = server.usage;
  return {
    wallSeconds,
    cpuSeconds: Math.max(cpuSeconds - cpuBefore, 0.01),
    peakRssBytes,
    threadCpuSeconds: threadsSince(threadsBefore, server.threads),
  };
}
