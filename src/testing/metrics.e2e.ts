/** /metrics and schema millrace of a real server: every value moves when what it measures happens, and docs name them all. */

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { serialize } from 'pg-protocol';
import { polled } from './polled.ts';
import { RawClient } from './raw-client.ts';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

const DOCS = new URL('../../docs/operations.md', import.meta.url);

type Samples = ReadonlyMap<string, number>;

/** A server with its client and its metrics. */
class Bench {
  readonly server: ServerProcess;
  readonly sql: SqlClient;
  readonly directory: string;

  private constructor(server: ServerProcess, sql: SqlClient, directory: string) {
    this.server = server;
    this.sql = sql;
    this.directory = directory;
  }

  static async start(context: TestContext): Promise<Bench> {
    const directory = fs.mkdtempSync(join(tmpdir(), 'millrace-metrics-'));
    context.after(() => fs.rmSync(directory, { recursive: true, force: true }));
    const server = await ServerProcess.start({
      isHttpOn: true,
      args: ['--file-root', directory, '--dead-letter-size', '64KB'],
      tuning: { checkpointIntervalMs: 300 },
    });
    context.after(() => server.dispose());
    return new Bench(server, await SqlClient.connect(server.url), directory);
  }

  /** Values by name and labels, as they are written. */
  async samples(): Promise<Samples> {
    const text = await (await fetch(`${this.server.httpUrl}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      lines.map((line): [string, number] => {
        const blank = line.lastIndexOf(' ');
        return [line.slice(0, blank), Number(line.slice(blank + 1))];
      }),
    );
  }

  /** Scrapes until `holds`; the samples for which it did. */
  async until(what: string, holds: (samples: Samples) => boolean): Promise<Samples> {
    const ask = async () => {
      const samples = await this.samples();
      return { samples, isSo: holds(samples) };
    };
    const { samples, isSo } = await polled(ask, (answer) => answer.isSo);
    assert.ok(isSo, `it was never so: ${what}`);
    return samples;
  }
}

function sampleOf(samples: Samples, name: string): number {
  const value = samples.get(`millrace_${name}`);
  assert.notEqual(value, undefined, `${name} is not there`);
  return value!;
}

/** What was added to each between two scrapes. */
function assertMoved(before: Samples, after: Samples, changes: Readonly<Record<string, number>>) {
  for (const [name, by] of Object.entries(changes)) {
    const moved = sampleOf(after, name) - (before.get(`millrace_${name}`) ?? 0);
    assert.equal(moved, by, name);
  }
}

function assertGrew(before: Samples, after: Samples, names: readonly string[]) {
  for (const name of names) {
    const from = before.get(`millrace_${name}`) ?? 0;
    assert.ok(sampleOf(after, name) > from, `${name} stayed at ${from}`);
  }
}

test('rows, epochs, views, sinks', async (context) => {
  const bench = await Bench.start(context);
  const { sql, directory } = bench;
  await sql.query(`
    CREATE TABLE t (k int, v int);
    CREATE MATERIALIZED VIEW m AS SELECT k, sum(v) AS s FROM t GROUP BY k;
    CREATE MATERIALIZED VIEW d AS SELECT 10 / k AS q FROM t;
    CREATE SINK f FROM m WITH (connector = 'file', path = '${directory}/f.ndjson') FORMAT PLAIN ENCODE JSON;
    CREATE SINK p FROM m EMIT PERIODIC INTERVAL '1 hour'
      WITH (connector = 'file', path = '${directory}/p.ndjson') FORMAT PLAIN ENCODE JSON`);
  const before = await bench.samples();
  await sql.query('INSERT INTO t VALUES (1, 1), (2, 2), (0, 3)');
  await sql.query('INSERT INTO t VALUES (1, 4)');
  const after = await bench.until(
    'the sink has its rows',
    (samples) => samples.get('millrace_job_rows_out_total{job="public.f"}') === 5,
  );
  const aggregate = [...after.keys()]
    .map((key) =>
      /^millrace_operator_state_rows(\{job="public.m",operator="\d+:Aggregate"\})$/.exec(key),
    )
    .find((match) => match !== null)?.[1];
  assertMoved(before, after, {
    rows_in_total: 4,
    'job_rows_in_total{job="public.m"}': 4,
    // Three groups, then a retraction and an insert.
    'job_rows_out_total{job="public.m"}': 5,
    'job_rows_out_total{job="public.f"}': 5,
    // The first change went out; what came then is held back.
    'job_rows_out_total{job="public.p"}': 3,
    'sink_held_rows{sink="public.p"}': 2,
    'sink_backlog_epochs{sink="public.f"}': 0,
    'sink_backlog_rows{sink="public.f"}': 0,
    [`operator_state_rows${aggregate}`]: 3,
    'withheld_rows{job="public.d"}': 1,
    'view_epoch_lag{view="public.m"}': 0,
    'job_failed{job="public.m"}': 0,
  });
  assertGrew(before, after, [
    'epochs_total',
    'epoch_seconds_sum',
    'epoch_seconds_count',
    'epoch_rows_sum',
    'epoch_rows_count',
    'published_epoch',
    `operator_state_bytes${aggregate}`,
    'statements_total{outcome="ok"}',
    'statement_seconds_count',
  ]);
  assert.equal(sampleOf(after, 'epoch_seconds_count'), sampleOf(after, 'epochs_total'));
  const freshness = sampleOf(after, 'view_freshness_seconds{view="public.m"}');
  assert.ok(freshness > 0 && freshness < 10, `${freshness} s`);
  await sql.query('DROP SINK p');
  assert.ok(!(await bench.samples()).has('millrace_sink_held_rows{sink="public.p"}'));
  await sql.close();
});

test('sources, watermarks, late and dead letters, trimming', async (context) => {
  const bench = await Bench.start(context);
  const { sql, directory } = bench;
  const file = join(directory, 'in.csv');
  fs.writeFileSync(file, '1,2024-01-01 00:00:00\n');
  await sql.query(`
    CREATE SOURCE s (k int, ts timestamp, WATERMARK FOR ts AS ts)
      WITH (connector = 'file', path = '${file}', follow = true) FORMAT PLAIN ENCODE CSV (header = false);
    CREATE MATERIALIZED VIEW w AS SELECT window_start, count(*) AS n
      FROM TUMBLE(s, ts, INTERVAL '1 minute') GROUP BY window_start`);
  const before = await bench.until(
    'the first row is there',
    (samples) => samples.get('millrace_source_rows_total{source="public.s"}') === 1,
  );
  fs.appendFileSync(file, '2,2024-01-01 01:00:00\n');
  await bench.until(
    'the watermark has moved',
    (samples) =>
      sampleOf(samples, 'watermark_lag_seconds{relation="public.s"}') <
      sampleOf(before, 'watermark_lag_seconds{relation="public.s"}') - 3000,
  );
  fs.appendFileSync(file, '3,2024-01-01 00:00:30\n4,\nx,bad\ny,bad\n');
  const after = await bench.until(
    'all is read',
    (samples) => samples.get('millrace_source_rows_total{source="public.s"}') === 6,
  );
  assertMoved(before, after, {
    'source_rows_total{source="public.s"}': 5,
    'source_lag_bytes{source="public.s"}': 0,
    'late_rows_total{job="public.w"}': 1,
    'dead_letters_total{relation="public.s",reason="rejected"}': 2,
    'dead_letters_total{relation="public.w",reason="late"}': 1,
    'dead_letters_total{relation="public.w",reason="null_time"}': 1,
    dead_letters: 4,
    dead_letters_trimmed_total: 0,
    dead_letters_replayed_total: 0,
  });
  const [row] = (
    await sql.query(
      'SELECT rows_read, rows_decoded, rows_rejected, lag, lag_unit, rows_per_second > 0, state FROM millrace.sources',
    )
  ).rows;
  assert.deepEqual(row, ['6', '4', '2', '0', 'bytes', 't', 'running']);

  const bad = `z,${'bad'.repeat(30)}\n`.repeat(100);
  const trimmed = await bench.until('letters are trimmed', (samples) => {
    fs.appendFileSync(file, bad);
    return sampleOf(samples, 'dead_letters_trimmed_total') > 0;
  });
  assert.ok(sampleOf(trimmed, 'dead_letters') > 0);
  const settled = await bench.until(
    'they are within their bounds',
    (samples) => sampleOf(samples, 'dead_letter_bytes') <= 64 * 1024,
  );
  const [letters] = (await sql.query('SELECT count(*), min(id) > 1 FROM millrace.dead_letters'))
    .rows;
  assert.ok(Number(letters![0]) < 1000, 'few are left');
  assert.equal(letters![1], 't', 'the oldest are gone');
  assert.equal(
    sampleOf(settled, 'dead_letters_total{relation="public.w",reason="late"}'),
    1,
    'what is trimmed stays counted',
  );
  assert.match(bench.server.log, /dead letters have reached their limits/);
  assert.deepEqual((await sql.query('SHOW dead_letter_size')).rows, [['64KB']]);
  assert.deepEqual((await sql.query('SHOW dead_letter_age')).rows, [['7d']]);
  await sql.close();
});

test('checkpoints, memory, queues, delays, connections; docs list every name', async (context) => {
  const bench = await Bench.start(context);
  const { sql, server } = bench;
  const before = await bench.samples();
  await sql.query('CREATE TABLE t (k int, v text)');
  await sql.query(
    "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) AS s(i)",
  );
  const reader = await RawClient.login(Number(new URL(server.url).port));
  reader.socket.pause();
  reader.send(serialize.query('SELECT * FROM t'));
  await bench.until(
    'a client is waited for',
    (samples) => sampleOf(samples, 'connections') > sampleOf(before, 'connections'),
  );
  await sleep(50);
  reader.socket.resume();
  await reader.untilReady();
  const after = await bench.until(
    'a checkpoint was written after the insert',
    (samples) =>
      sampleOf(samples, 'checkpoint_bytes_total') >
      sampleOf(before, 'checkpoint_bytes_total') + 2 ** 20,
  );
  assertGrew(before, after, [
    'checkpoints_total{outcome="written"}',
    'checkpoint_seconds_sum',
    'checkpoint_seconds_count',
    'input_log_bytes',
    'memory_bytes{kind="state"}',
    'backpressure_seconds_total{where="clients"}',
    'connections_total{outcome="accepted"}',
  ]);
  assert.equal(sampleOf(after, 'connections'), 2);
  for (const thread of ['main', 'dataflow']) {
    const [half, most] = ['0.5', '1'].map((quantile) =>
      sampleOf(after, `event_loop_delay_seconds{thread="${thread}",quantile="${quantile}"}`),
    );
    assert.ok(half! >= 0 && most! > 0 && most! >= half!, `${thread}: ${half}, ${most}`);
  }
  for (const name of ['commit_queue_length', 'commit_queue_bytes', 'worker_requests']) {
    assert.equal(sampleOf(after, name), 0, 'nothing waits');
  }
  assert.equal(sampleOf(after, 'backpressure_seconds_total{where="sources"}'), 0);
  const text = await (await fetch(`${server.httpUrl}/metrics`)).text();
  const names = [...text.matchAll(/^# TYPE (millrace_\S+) /gm)].map(([, name]) => name!);
  const own = names.filter((name) => !/^millrace_(process|nodejs)_/.test(name));
  assert.ok(own.length > 35, `${own.length} names`);
  const docs = fs.readFileSync(DOCS, 'utf8');
  assert.deepEqual(
    own.filter((name) => !docs.includes(`\`${name}\``)),
    [],
    'docs/operations.md lists them',
  );
  const documented = [...docs.matchAll(/`(millrace_\w+)`/g)].map(([, name]) => name!);
  assert.deepEqual(
    documented.filter((name) => !names.includes(name)),
    [],
    'docs/operations.md lists no other',
  );
  await sql.close();
});
