/** The metrics that show the engine as it is when they are asked for. */

import { EventLoopDelay, type EventLoopDelays } from '../base/event-loop-delay.ts';
import type { Metrics } from '../base/metrics.ts';
import { isRelation } from '../catalog/objects.ts';
import type { JobStatus, SourceStatus, WorkerStatus } from '../dataflow/port.ts';
import type { Database } from './database.ts';

/** A counter whose totals are kept elsewhere, or a gauge. */
interface Resettable {
  reset(): void;
}
interface TotalsMetric extends Resettable {
  inc(labels: Labels, value: number): void;
}
interface GaugeMetric extends Resettable {
  set(labels: Labels, value: number): void;
}

type Labels = Record<string, string>;
/** null: there is no value. */
type Entry = readonly [labels: Labels, value: number | null];

const MICROSECONDS = 1e6;
/** The end of time, of a source that has ended: no lag. */
const WATERMARK_END = 2n ** 63n - 1n;

export class EngineGauges {
  readonly #database: Database;
  readonly #metrics: Metrics;
  readonly #loopDelay = new EventLoopDelay();
  /** Seconds that results waited for their clients. */
  readonly #socketSeconds: () => number;

  constructor(database: Database, socketSeconds: () => number) {
    this.#database = database;
    this.#metrics = database.metrics;
    this.#socketSeconds = socketSeconds;
  }

  /** Reads the engine and renders everything. */
  async render(): Promise<{ readonly contentType: string; readonly text: string }> {
    const status = await this.#database.engine.status();
    this.#showEpochs(status);
    this.#showSources(status);
    this.#showJobs(status);
    this.#showSinks(status);
    this.#showLetters(status);
    this.#showQueues(status);
    this.#showStorage(status);
    this.#showDelays('main', this.#loopDelay.read());
    this.#showDelays('dataflow', status.eventLoopDelay);
    return { contentType: this.#metrics.contentType, text: await this.#metrics.render() };
  }

  close(): void {
    this.#loopDelay.close();
  }

  /** An object as its schema and name. */
  #nameOf({ id, name }: { readonly id: number; readonly name: string }): string {
    const { catalog } = this.#database;
    const object = catalog.object(id);
    if (object === undefined || !isRelation(object)) return name;
    return `${catalog.schemaName(object)}.${object.name}`;
  }

  #showEpochs({ epoch, epochs, rowsIn, measures }: WorkerStatus): void {
    const metrics = this.#metrics;
    metrics.publishedEpoch.set(epoch);
    total(metrics.epochs, [[{}, epochs]]);
    total(metrics.rowsIn, [[{}, rowsIn]]);
    metrics.epochSeconds.show(measures.epochSeconds);
    metrics.epochRows.show(measures.epochRows);
  }

  #showSources({ sources, tableWatermarks }: WorkerStatus): void {
    const metrics = this.#metrics;
    const each = (value: (source: SourceStatus) => number | null) =>
      sources.map((source): Entry => [{ source: this.#nameOf(source) }, value(source)]);
    total(
      metrics.sourceRows,
      each(({ rowsRead }) => rowsRead),
    );
    const lagIn = (unit: SourceStatus['lagUnit']) =>
      each(({ lag, lagUnit }) => (lagUnit === unit ? lag : null));
    gauge(metrics.sourceLagRows, lagIn('rows'));
    gauge(metrics.sourceLagBytes, lagIn('bytes'));
    const nowUs = this.#database.clock.wallUs();
    const lags = tableWatermarks.map(({ id, watermark }): Entry => {
      const relation = this.#nameOf({ id, name: String(id) });
      return [{ relation }, watermarkLag(watermark, nowUs)];
    });
    gauge(metrics.watermarkLagSeconds, lags);
  }

  #showJobs({ jobs, epoch }: WorkerStatus): void {
    const metrics = this.#metrics;
    const each = (
      label: string,
      of: readonly JobStatus[],
      value: (job: JobStatus) => number | null,
    ) => of.map((job): Entry => [{ [label]: this.#nameOf(job) }, value(job)]);
    const views = jobs.filter(({ kind }) => kind === 'materialized_view');
    total(
      metrics.jobRowsIn,
      each('job', jobs, ({ rowsIn }) => rowsIn),
    );
    total(
      metrics.jobRowsOut,
      each('job', jobs, ({ rowsOut }) => rowsOut),
    );
    gauge(
      metrics.jobFailed,
      each('job', jobs, ({ state }) => (state === 'failed' ? 1 : 0)),
    );
    total(
      metrics.lateRows,
      each('job', jobs, ({ late }) => late),
    );
    gauge(
      metrics.withheldRows,
      each('job', jobs, ({ withheld }) => withheld),
    );
    const freshness = ({ freshnessUs }: JobStatus) =>
      freshnessUs === null ? null : freshnessUs / MICROSECONDS;
    gauge(metrics.freshnessSeconds, each('view', views, freshness));
    const published = views.filter(({ state }) => state !== 'building');
    gauge(
      metrics.epochLag,
      each('view', published, (job) => epoch - job.epoch),
    );
    this.#showOperators(jobs);
  }

  /** Sinks, and what rejected records of sources go to. */
  #showSinks({ jobs, sources }: WorkerStatus): void {
    const metrics = this.#metrics;
    const sinks = jobs.flatMap((job) => {
      const { id, name, state, sink } = job;
      return sink === null ? [] : [{ id, name, ...sink, state }];
    });
    const letters = sources.flatMap(({ id, name, letters: sent }) =>
      sent === null ? [] : [{ id, name, ...sent }],
    );
    const all = [...sinks, ...letters];
    const each = (value: (sink: (typeof all)[number]) => number | null) =>
      all.map((sink): Entry => [{ sink: this.#nameOf(sink) }, value(sink)]);
    gauge(
      metrics.sinkBacklogEpochs,
      each(({ pendingEpochs }) => pendingEpochs),
    );
    gauge(
      metrics.sinkBacklogRows,
      each(({ pendingRows }) => pendingRows),
    );
    gauge(
      metrics.sinkHeldRows,
      each(({ heldRows }) => heldRows),
    );
    gauge(
      metrics.sinkSpooledBytes,
      each(({ delivery }) => delivery?.spooledBytes ?? null),
    );
    gauge(
      metrics.sinkConnected,
      each(({ state }) => (state === 'running' ? 1 : 0)),
    );
    total(
      metrics.sinkRowsDropped,
      each(({ rowsDropped }) => rowsDropped),
    );
  }

  #showOperators(jobs: readonly JobStatus[]): void {
    const operators = jobs.flatMap((job) =>
      job.operators.map(({ name, bytes, rows }, position) => {
        return { labels: { job: this.#nameOf(job), operator: `${position}:${name}` }, bytes, rows };
      }),
    );
    gauge(
      this.#metrics.operatorStateBytes,
      operators.map(({ labels, bytes }) => [labels, bytes]),
    );
    gauge(
      this.#metrics.operatorRows,
      operators.map(({ labels, rows }) => [labels, rows]),
    );
  }

  #showLetters({ letters }: WorkerStatus): void {
    const metrics = this.#metrics;
    const counts = letters.counts.map(({ kind, relationId, count }): Entry => {
      const relation = this.#nameOf({ id: relationId, name: String(relationId) });
      return [{ relation, reason: kind }, count];
    });
    total(metrics.deadLetters, counts);
    metrics.deadLettersKept.set(letters.kept);
    metrics.deadLetterBytes.set(letters.bytes);
    total(metrics.deadLettersTrimmed, [[{}, letters.trimmed]]);
    total(metrics.deadLettersReplayed, [[{}, letters.replayed]]);
  }

  #showQueues({ measures }: WorkerStatus): void {
    const metrics = this.#metrics;
    metrics.workerRequests.set(this.#database.engine.pendingRequests);
    metrics.commitQueue.set(measures.queuedCommits);
    metrics.commitQueueBytes.set(measures.queuedCommitBytes);
    total(metrics.backpressureSeconds, [
      [{ where: 'sources' }, measures.sourceHeldSeconds],
      [{ where: 'clients' }, this.#socketSeconds()],
    ]);
  }

  #showStorage({ stateBytes, measures }: WorkerStatus): void {
    const metrics = this.#metrics;
    metrics.memoryBytes.set({ kind: 'state' }, stateBytes);
    const outcomes = Object.entries(measures.checkpoints);
    total(
      metrics.checkpoints,
      outcomes.map(([outcome, count]) => [{ outcome }, count]),
    );
    metrics.checkpointSeconds.show(measures.checkpointSeconds);
    total(metrics.checkpointBytes, [[{}, measures.checkpointBytes]]);
    metrics.logBytes.set(measures.logBytes);
  }

  #showDelays(thread: string, { p50, p99, max }: EventLoopDelays): void {
    for (const [quantile, seconds] of [
      ['0.5', p50],
      ['0.99', p99],
      ['1', max],
    ] as const) {
      this.#metrics.eventLoopDelay.set({ thread, quantile }, seconds);
    }
  }
}

/** What is not named any more is gone. */
function total(metric: TotalsMetric, entries: readonly Entry[]): void {
  metric.reset();
  for (const [labels, value] of entries) if (value !== null) metric.inc({ ...labels }, value);
}

function gauge(metric: GaugeMetric, entries: readonly Entry[]): void {
  metric.reset();
  for (const [labels, value] of entries) if (value !== null) metric.set({ ...labels }, value);
}

/** Seconds; null before the first watermark and after the last. */
function watermarkLag(watermark: string | null, nowUs: bigint): number | null {
  if (watermark === null || BigInt(watermark) === WATERMARK_END) return null;
  return Number(nowUs - BigInt(watermark)) / MICROSECONDS;
}
