/** `bench point-reads`: prepared SELECTs by key, each waited for, over one connection and over several. */

import { countOf, textOf, type Values } from './arguments.ts';
import { Latencies, rounded } from './latencies.ts';
import { MeasuredServer } from './measured-server.ts';
import { RawConnection } from './raw-connection.ts';
import { Report } from './report.ts';

export const POINT_READS_DEFAULTS = {
  keys: '100k',
  connections: '1,16',
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

const RELATIONS = [
  { case: 'table', text: 'SELECT v, k FROM kv WHERE k = $1' },
  { case: 'view', text: 'SELECT total, k FROM totals WHERE k = $1' },
];

export async function benchPointReads(values: Values): Promise<void> {
  const report = new Report(textOf(values, 'json') || null, COLUMNS);
  const keys = countOf(values, 'keys');
  const server = await MeasuredServer.start({ isDurable: true });
  try {
    const client = await server.connect();
    await client.query('CREATE TABLE kv (k bigint PRIMARY KEY, v bigint)');
    await client.query(
      'CREATE MATERIALIZED VIEW totals AS SELECT k, sum(v) AS total FROM kv GROUP BY k',
    );
    await client.query(`INSERT INTO kv SELECT n, n * 3 FROM generate_series(1, ${keys}) AS s(n)`);
    for (const relation of RELATIONS) {
      for (const count of textOf(values, 'connections').split(',').map(Number)) {
        await measure(server, relation, count, keys, values, report);
      }
    }
  } finally {
    await server.stop();
  }
}

async function measure(
  server: MeasuredServer,
  relation: { readonly case: string; readonly text: string },
  connectionCount: number,
  keys: number,
  values: Values,
  report: Report,
): Promise<void> {
  const connections: RawConnection[] = [];
  for (let index = 0; index < connectionCount; index++) {
    connections.push(await RawConnection.prepare(server.process.url, relation.text));
  }
  await readAll(connections, keys, countOf(values, 'warmup'));
  const usedBefore = server.usage.cpuSeconds;
  const started = performance.now();
  const latencies = await readAll(connections, keys, countOf(values, 'seconds'));
  const wallSeconds = (performance.now() - started) / 1000;
  const cpuSeconds = server.usage.cpuSeconds - usedBefore;
  for (const connection of connections) connection.close();
  report.add({
    bench: 'point-reads',
    case: `${relation.case}-${connectionCount}`,
    durable: true,
    connections: connectionCount,
    keys,
    reads: latencies.count,
    wallSeconds: rounded(wallSeconds),
    cpuSeconds: rounded(cpuSeconds),
    readsPerSecond: Math.round(latencies.count / wallSeconds),
    readsPerBusyCore: Math.round(latencies.count / cpuSeconds),
    peakRssBytes: server.usage.peakRssBytes,
    ...latencies.summary(),
  });
}

async function readAll(
  connections: readonly RawConnection[],
  keys: number,
  seconds: number,
): Promise<Latencies> {
  const latencies = new Latencies();
  const end = performance.now() + seconds * 1000;
  await Promise.all(
    connections.map(async (connection, index) => {
      for (let key = index * 31; ; key = (key + STRIDE) % keys) {
        const sent = performance.now();
        if (sent > end) return;
        const { rowCount, value } = await connection.read(String((key % keys) + 1));
        if (rowCount !== 1 || value !== String(((key % keys) + 1) * 3)) {
          throw new Error(`key ${(key % keys) + 1} gave ${rowCount} rows, value ${value}`);
        }
        latencies.add(performance.now() - sent);
      }
    }),
  );
  return latencies;
}
