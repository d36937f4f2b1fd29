/**
 * `bench point-reads`: prepared SELECTs by key, each waited for, over one connection and over several.
 *
 * Cases: `echo` is a server that does nothing (echo-server.ts), asked by the same client with messages of the same sizes: what
 * the two event loops and the kernel take. `table` and `view` are asked by the lean client (raw-connection.ts), which polls
 * for its answers unless `--client asleep` is said. `pg` is the table asked by the ordinary client library.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { MessageBuffer } from '../src/wire/message-buffer.ts';
import { choiceOf, countOf, textOf, type Values } from './arguments.ts';
import { Latencies, rounded } from './latencies.ts';
import { MeasuredServer } from './measured-server.ts';
import { type Usage, usageOf } from './process-usage.ts';
import { RawConnection } from './raw-connection.ts';
import { Report } from './report.ts';

export const POINT_READS_DEFAULTS = {
  keys: '100k',
  connections: '1,16',
  client: 'awake',
  'busy-poll': availableParallelism() > 1 ? '200' : '0',
  seconds: '5',
  warmup: '3',
  json: '',
};

const COLUMNS = [
  ...['case', 'connections', 'readsPerSecond', 'readsPerBusyCore'],
  ...['p50Ms', 'p99Ms', 'p999Ms', 'maxMs'],
];
/** Coprime to any count of keys that is not a multiple of it: all keys are read, none near the one before. */
const STRIDE = 7919;
const ECHO_SERVER = fileURLToPath(new URL('./echo-server.ts', import.meta.url));

const TABLE_TEXT = 'SELECT v, k FROM kv WHERE k = $1';
const RELATIONS = [
  { name: 'table', text: TABLE_TEXT },
  { name: 'view', text: 'SELECT total, k FROM totals WHERE k = $1' },
];

/** A number of connections that are read at once, and the server behind them. */
interface Case {
  readonly name: string;
  readonly connections: readonly Reader[];
  /** The server's. */
  usage(): Usage;
}

/** Reads `keyOf(0)`, `keyOf(1)`, ... one after the other until `endMs`. */
type Reader = (
  keys: (index: number) => number,
  endMs: number,
  latencies: Latencies,
) => Promise<void>;

export async function benchPointReads(values: Values): Promise<void> {
  const report = new Report(textOf(values, 'json') || null, COLUMNS);
  const staysAwake = choiceOf(values, 'client', ['awake', 'asleep']) === 'awake';
  await benchEcho(values, staysAwake, report);
  const keys = countOf(values, 'keys');
  const server = await MeasuredServer.start({
    isDurable: true,
    args: ['--busy-poll', textOf(values, 'busy-poll')],
  });
  const usage = () => server.usage;
  try {
    const client = await server.connect();
    await createRelations(client, keys);
    for (const { name, text } of RELATIONS) {
      for (const count of textOf(values, 'connections').split(',').map(Number)) {
        const opened = await open(server.process.url, text, count);
        const connections = opened.map((connection) => rawReader(connection, staysAwake));
        await measure({ name, connections, usage }, values, report);
        for (const connection of opened) connection.close();
      }
    }
    await measure({ name: 'pg', connections: [pgReader(client)], usage }, values, report);
  } finally {
    await server.stop();
  }
}

async function createRelations(client: pg.Client, keys: number): Promise<void> {
  await client.query('CREATE TABLE kv (k bigint PRIMARY KEY, v bigint)');
  await client.query(
    'CREATE MATERIALIZED VIEW totals AS SELECT k, sum(v) AS total FROM kv GROUP BY k',
  );
  await client.query(`INSERT INTO kv SELECT n, n * 3 FROM generate_series(1, ${keys}) AS s(n)`);
}

/** The same client and messages of the same sizes, and nobody who looks for a row. */
async function benchEcho(values: Values, staysAwake: boolean, report: Report): Promise<void> {
  const key = countOf(values, 'keys');
  const args = [ECHO_SERVER, answerFor(key).toString('hex'), textOf(values, 'busy-poll')];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  try {
    const [port] = (await once(child.stdout!, 'data')) as [Buffer];
    const url = `postgres://millrace@127.0.0.1:${String(port).trim()}`;
    const [connection] = await open(url, TABLE_TEXT, 1);
    const reader = rawReader(connection!, staysAwake);
    const onlyKey: Reader = (_keys, endMs, latencies) => reader(() => key, endMs, latencies);
    const usage = () => usageOf(child.pid!);
    await measure({ name: 'echo', connections: [onlyKey], usage }, values, report);
    connection!.close();
  } finally {
    child.disconnect();
  }
}

/** What the server answers to an execution for `key`. */
function answerFor(key: number): Buffer {
  const messages = new MessageBuffer(Number.POSITIVE_INFINITY);
  const row = [String(key * 3), String(key)];
  messages.empty('2');
  messages.begin('D').i16(row.length);
  for (const value of row) messages.i32(value.length).bytes(Buffer.from(value));
  messages.end();
  messages.begin('C').text('SELECT 1').end();
  messages.begin('Z').bytes(Buffer.from('I')).end();
  return messages.take();
}

async function open(url: string, text: string, count: number): Promise<RawConnection[]> {
  const connections: RawConnection[] = [];
  for (let index = 0; index < count; index++) {
    connections.push(await RawConnection.prepare(url, text));
  }
  return connections;
}

function rawReader(connection: RawConnection, staysAwake: boolean): Reader {
  return (keyOf, endMs, latencies) => {
    let index = 0;
    let key = 0;
    let sentMs = 0;
    return connection.readAll({
      staysAwake,
      next: () => {
        sentMs = performance.now();
        if (sentMs > endMs) return null;
        key = keyOf(index++);
        return String(key);
      },
      onReading: ({ rowCount, value }) => {
        checkReading(key, rowCount, value);
        latencies.add(performance.now() - sentMs);
      },
    });
  };
}

function pgReader(client: pg.Client): Reader {
  return async (keyOf, endMs, latencies) => {
    for (let index = 0; ; index++) {
      const sentMs = performance.now();
      if (sentMs > endMs) return;
      const key = keyOf(index);
      const { rows } = await client.query<{ v: string }>({
        name: 'bench',
        text: TABLE_TEXT,
        values: [key],
      });
      checkReading(key, rows.length, rows[0]?.v);
      latencies.add(performance.now() - sentMs);
    }
  };
}

function checkReading(key: number, rowCount: number, value: string | undefined): void {
  if (rowCount !== 1 || value !== String(key * 3)) {
    throw new Error(`key ${key} gave ${rowCount} rows, value ${value}`);
  }
}

async function measure(one: Case, values: Values, report: Report): Promise<void> {
  const keys = countOf(values, 'keys');
  await readAll(one, keys, countOf(values, 'warmup'));
  const usedBefore = one.usage().cpuSeconds;
  const started = performance.now();
  const latencies = await readAll(one, keys, countOf(values, 'seconds'));
  const wallSeconds = (performance.now() - started) / 1000;
  const { cpuSeconds: usedAfter, peakRssBytes } = one.usage();
  const cpuSeconds = usedAfter - usedBefore;
  const connections = one.connections.length;
  report.add({
    bench: 'point-reads',
    case: `${one.name}-${connections}`,
    durable: true,
    client: textOf(values, 'client'),
    busyPollUs: Number(textOf(values, 'busy-poll')),
    connections,
    keys,
    reads: latencies.count,
    wallSeconds: rounded(wallSeconds),
    cpuSeconds: rounded(cpuSeconds),
    readsPerSecond: Math.round(latencies.count / wallSeconds),
    readsPerBusyCore: Math.round(latencies.count / cpuSeconds),
    peakRssBytes,
    ...latencies.summary(),
  });
}

async function readAll(one: Case, keys: number, seconds: number): Promise<Latencies> {
  const latencies = new Latencies();
  const endMs = performance.now() + seconds * 1000;
  await Promise.all(
    one.connections.map((read, first) =>
      read((index) => ((first * 31 + index * STRIDE) % keys) + 1, endMs, latencies),
    ),
  );
  return latencies;
}
