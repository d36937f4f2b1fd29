/**
 * `bench postgres-sink`: a view goes into a table of a real PostgreSQL: all of its rows at CREATE SINK, then all of them changed
 * at once, then changes at a rate; each until they are there for good.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { PostgresServer } from '../src/testing/services/postgres.ts';
import { countOf, textOf, type Values } from './arguments.ts';
import { rounded } from './latencies.ts';
import { MeasuredServer, waitUntil } from './measured-server.ts';
import { threadsSince, usageOf } from './process-usage.ts';
import { Report } from './report.ts';

export const POSTGRES_SINK_DEFAULTS = { rows: '1M', rate: '20k', seconds: '20', json: '' };

/** `answered`: the seconds until the statement was, or the last change came; `sinkCpu`: of the thread that talks to PostgreSQL; `postgresCpu`: of the process there that serves it. */
const COLUMNS = [
  ...[
    'case',
    'rows',
    'answered',
    'seconds',
    'rowsPerSecond',
    'cpuSeconds',
    'sinkCpu',
    'postgresCpu',
  ],
];
const DELIVERED =
  'SELECT pending_epochs = 0 AND delivered_epoch = spooled_epoch FROM millrace.sinks';

export async function benchPostgresSink(values: Values): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-postgres-'));
  const postgres = await PostgresServer.start(directory);
  const target = new pg.Client({ connectionString: postgres.url });
  const server = await MeasuredServer.start({ isDurable: true });
  try {
    await target.connect();
    const report = new Report(textOf(values, 'json') || null, COLUMNS);
    const scene = new Scene(server, await server.connect(), target, report);
    await measure(scene, postgres.url, values);
  } finally {
    await target.end();
    await server.stop();
    await postgres.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(scene: Scene, url: string, values: Values): Promise<void> {
  const { source, target } = scene;
  const rows = countOf(values, 'rows');
  await target.query('CREATE TABLE copy (k bigint PRIMARY KEY, v bigint, label text)');
  await source.query('CREATE TABLE origin (k bigint PRIMARY KEY, v bigint, label text)');
  await source.query(
    `INSERT INTO origin SELECT g, 0, 'label ' || (g % 1000) FROM generate_series(1, ${rows}) AS g`,
  );
  await source.query('CREATE MATERIALIZED VIEW all_rows AS SELECT k, v, label FROM origin');
  await scene.run('snapshot', rows, 0, async () => {
    await source.query(sinkOf('all_rows', url));
  });
  await scene.run('all changed', rows, rows, async () => {
    await source.query('UPDATE origin SET v = 1');
  });
  await source.query('DROP SINK copied');
  await target.query('UPDATE copy SET v = 0');
  await target.query('VACUUM ANALYZE copy');
  const rate = countOf(values, 'rate');
  const count = rate * countOf(values, 'seconds');
  await scene.run(`${rate}/s`, count, count, async () => {
    await source.query(
      `CREATE SOURCE hits (k bigint) WITH (connector = 'datagen', rows.per.second = ${rate}, number.of.rows = ${count},
        fields.k.kind = 'random', fields.k.min = 1, fields.k.max = ${rows})`,
    );
    await source.query(
      "CREATE MATERIALIZED VIEW hit_counts AS SELECT k, count(*) AS v, 'label' AS label FROM hits GROUP BY k",
    );
    await source.query(sinkOf('hit_counts', url));
    await waitUntil(source, "SELECT bool_and(is_ended) FROM millrace.sources WHERE name = 'hits'");
  });
}

function sinkOf(view: string, url: string): string {
  return `CREATE SINK copied FROM ${view} WITH (connector = 'postgres', url = '${url}', table = 'copy', primary_key = 'k')`;
}

class Scene {
  readonly source: pg.Client;
  readonly target: pg.Client;
  readonly #server: MeasuredServer;
  readonly #report: Report;

  constructor(server: MeasuredServer, source: pg.Client, target: pg.Client, report: Report) {
    this.#server = server;
    this.source = source;
    this.target = target;
    this.#report = report;
  }

  /** Until the changes of `rows` rows are delivered; `sum` is that of `v` then. */
  async run(name: string, rows: number, sum: number, work: () => Promise<void>): Promise<void> {
    const usedBefore = this.#server.usage.cpuSeconds;
    const threadsBefore = this.#server.threads;
    const writerBefore = await this.#writerCpu();
    const start = performance.now();
    await work();
    const answered = (performance.now() - start) / 1000;
    await waitUntil(this.source, DELIVERED);
    const seconds = (performance.now() - start) / 1000;
    const writer = await this.#writerCpu();
    const threads = threadsSince(threadsBefore, this.#server.threads);
    this.#report.add({
      bench: 'postgres-sink',
      case: name,
      rows,
      answered: rounded(answered),
      seconds: rounded(seconds),
      rowsPerSecond: Math.round(rows / seconds),
      cpuSeconds: rounded(this.#server.usage.cpuSeconds - usedBefore),
      sinkCpu: threads.postgres ?? 0,
      postgresCpu: rounded(writer - writerBefore),
      threads: JSON.stringify(threads),
    });
    const { rows: found } = await this.target.query<{ sum: string }>('SELECT sum(v) FROM copy');
    if (Number(found[0]?.sum) === sum) return;
    throw new Error(`${name}: the copy's sum is ${found[0]?.sum}, not ${sum}`);
  }

  /** CPU seconds of the sink's connection over there; 0: there is none yet. */
  async #writerCpu(): Promise<number> {
    const { rows } = await this.target.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'millrace'",
    );
    return rows.reduce((sum, { pid }) => sum + usageOf(pid).cpuSeconds, 0);
  }
}
