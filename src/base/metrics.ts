/**
 * Metrics: every name that /metrics shows, in one place, so that nobody invents a second spelling. docs/operations.md lists
 * them. Most are read off the engine when they are asked for (session/engine-gauges.ts); the rest is counted where it happens.
 */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { HistogramCounts } from './histogram.ts';

const STATEMENT_SECONDS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];

/** A histogram whose counts are kept elsewhere. */
export class ShownHistogram extends Histogram {
  readonly #name: string;
  readonly #help: string;
  #shown: HistogramCounts = { bounds: [], counts: [0], sum: 0 };

  constructor(name: string, help: string, registry: Registry) {
    super({ name, help, registers: [registry] });
    this.#name = name;
    this.#help = help;
  }

  /** These are its counts now. */
  show(counts: HistogramCounts): void {
    this.#shown = counts;
  }

  /** What the registry asks for when it renders text. */
  async getForPromString() {
    const { bounds, counts, sum } = this.#shown;
    let count = 0;
    const buckets = [...bounds, '+Inf'].map((le, i) => {
      count += counts[i] ?? 0;
      return { metricName: `${this.#name}_bucket`, labels: { le }, value: count };
    });
    const values = [
      ...buckets,
      { metricName: `${this.#name}_sum`, labels: {}, value: sum },
      { metricName: `${this.#name}_count`, labels: {}, value: count },
    ];
    return { name: this.#name, help: this.#help, type: 'histogram', values };
  }
}

/** The server's metrics; one instance a process. Labels are object names, never values of rows. */
export class Metrics {
  readonly registry = new Registry();

  readonly rowsIn = this.#counter('rows_in_total', 'Rows taken in by tables and sources');
  readonly sourceRows = this.#counter('source_rows_total', 'Records read', ['source']);
  readonly sourceLagRows = this.#gauge('source_lag_rows', 'Records not read yet', ['source']);
  readonly sourceLagBytes = this.#gauge('source_lag_bytes', 'Bytes of files not read yet', [
    'source',
  ]);
  readonly jobRowsIn = this.#counter('job_rows_in_total', 'Rows into a view or sink', ['job']);
  readonly jobRowsOut = this.#counter(
    'job_rows_out_total',
    'Changes of a view, rows that a sink sent',
    ['job'],
  );
  readonly jobFailed = this.#gauge('job_failed', '1: the view or sink has stopped', ['job']);
  readonly epochs = this.#counter('epochs_total', 'Epochs published');
  readonly epochSeconds = this.#histogram('epoch_seconds', 'From cut to publishing');
  readonly epochRows = this.#histogram('epoch_rows', 'Rows that an epoch takes in');
  readonly publishedEpoch = this.#gauge('published_epoch', 'Newest epoch that reads see');
  readonly freshnessSeconds = this.#gauge(
    'view_freshness_seconds',
    "From the arrival of an epoch's oldest row to its publishing",
    ['view'],
  );
  readonly epochLag = this.#gauge('view_epoch_lag', 'Epochs behind the published one', ['view']);
  readonly watermarkLagSeconds = this.#gauge('watermark_lag_seconds', 'now() minus watermark', [
    'relation',
  ]);
  readonly operatorStateBytes = this.#gauge('operator_state_bytes', 'State of an operator', [
    'job',
    'operator',
  ]);
  readonly operatorRows = this.#gauge('operator_state_rows', 'Rows in the state of an operator', [
    'job',
    'operator',
  ]);
  readonly lateRows = this.#counter('late_rows_total', 'Rows behind the watermark', ['job']);
  readonly deadLetters = this.#counter('dead_letters_total', 'Rows set aside', [
    'relation',
    'reason',
  ]);
  readonly deadLettersKept = this.#gauge('dead_letters', 'Dead letters that are kept');
  readonly deadLetterBytes = this.#gauge('dead_letter_bytes', 'What they take');
  readonly deadLettersTrimmed = this.#counter(
    'dead_letters_trimmed_total',
    'Dead letters dropped by size or age',
  );
  readonly deadLettersReplayed = this.#counter(
    'dead_letters_replayed_total',
    'Dead letters whose records were taken in after all',
  );
  readonly withheldRows = this.#gauge('withheld_rows', 'Rows kept out because they fail', ['job']);
  readonly workerRequests = this.#gauge(
    'worker_requests',
    'Requests that the dataflow worker has not answered',
  );
  readonly commitQueue = this.#gauge('commit_queue_length', 'Commits that wait for an epoch');
  readonly commitQueueBytes = this.#gauge('commit_queue_bytes', 'Their rows');
  readonly sinkBacklogEpochs = this.#gauge(
    'sink_backlog_epochs',
    'Epochs that a sink has not taken',
    ['sink'],
  );
  readonly sinkBacklogRows = this.#gauge('sink_backlog_rows', 'Their rows', ['sink']);
  readonly sinkHeldRows = this.#gauge(
    'sink_held_rows',
    'Rows held back: until the period of EMIT PERIODIC is over, or the outside takes them',
    ['sink'],
  );
  readonly sinkSpooledBytes = this.#gauge(
    'sink_spooled_bytes',
    'Bytes in the spool of a sink that are not delivered',
    ['sink'],
  );
  readonly sinkConnected = this.#gauge('sink_connected', 'Whether a sink reaches its outside', [
    'sink',
  ]);
  readonly sinkRowsDropped = this.#counter(
    'sink_rows_dropped_total',
    'Dead letters that are not sent, for want of room',
    ['sink'],
  );
  readonly backpressureSeconds = this.#counter(
    'backpressure_seconds_total',
    'Time that sources were held back, or that results waited for clients to read',
    ['where'],
  );
  readonly webhookPosts = this.#counter('webhook_posts_total', 'Bodies posted to a source', [
    'source',
    'status',
  ]);
  readonly memoryBytes = this.#gauge('memory_bytes', 'Bytes of engine memory', ['kind']);
  readonly checkpoints = this.#counter('checkpoints_total', 'Checkpoints by outcome', ['outcome']);
  readonly checkpointSeconds = this.#histogram('checkpoint_seconds', 'Writing a checkpoint');
  readonly checkpointBytes = this.#counter('checkpoint_bytes_total', 'Bytes that they wrote');
  readonly logBytes = this.#gauge('input_log_bytes', 'Bytes of input log kept');
  readonly eventLoopDelay = this.#gauge(
    'event_loop_delay_seconds',
    'How long timers of a thread were kept waiting, over the last half minute or more',
    ['thread', 'quantile'],
  );
  readonly connections = this.#gauge('connections', 'Open client connections');
  readonly connectionsTotal = this.#counter('connections_total', 'Connections by outcome', [
    'outcome',
  ]);
  readonly statements = this.#counter('statements_total', 'Statements by outcome', ['outcome']);
  readonly statementSeconds = new Histogram({
    name: 'millrace_statement_seconds',
    help: 'Statement run time',
    buckets: STATEMENT_SECONDS,
    registers: [this.registry],
  });

  /** `withProcess`: also the process's own (CPU, heap, event-loop delay); once a process. */
  constructor(withProcess = false) {
    if (withProcess) collectDefaultMetrics({ register: this.registry, prefix: 'millrace_' });
  }

  /** The text of /metrics. */
  render(): Promise<string> {
    return this.registry.metrics();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name: `millrace_${name}`, help, labelNames, registers: [this.registry] });
  }

  #gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name: `millrace_${name}`, help, labelNames, registers: [this.registry] });
  }

  #histogram(name: string, help: string): ShownHistogram {
    return new ShownHistogram(`millrace_${name}`, help, this.registry);
  }
}
