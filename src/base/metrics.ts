/**
 * Metrics: every name that /metrics shows, in one place, so that nobody invents a second spelling.
 */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const EPOCH_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5,
];
const CHECKPOINT_SECONDS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];
const QUERY_SECONDS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];

/** The server's metrics; one instance a process. Labels are object names, never values of rows. */
export class Metrics {
  readonly registry = new Registry();

  readonly rowsIn = this.#counter('rows_in_total', 'Rows taken in', ['relation']);
  readonly rowsOut = this.#counter('rows_out_total', 'Rows sent out', ['sink']);
  readonly bytesIn = this.#counter('bytes_in_total', 'Bytes read by sources', ['source']);
  readonly lateRows = this.#counter('late_rows_total', 'Rows behind the watermark', ['relation']);
  readonly deadLetters = this.#counter('dead_letters_total', 'Rows set aside', [
    'relation',
    'reason',
  ]);
  readonly epochs = this.#counter('epochs_total', 'Epochs published', []);
  readonly epochSeconds = this.#histogram('epoch_seconds', 'Cut to publish', EPOCH_SECONDS);
  readonly epochRows = this.#histogram(
    'epoch_rows',
    'Input rows of an epoch',
    [1, 10, 100, 1e3, 1e4, 1e5, 1e6],
  );
  readonly publishedEpoch = this.#gauge('published_epoch', 'Newest epoch that reads see', []);
  readonly freshnessSeconds = this.#gauge(
    'view_freshness_seconds',
    'Age of the newest input in a view',
    ['view'],
  );
  readonly watermarkLagSeconds = this.#gauge('watermark_lag_seconds', 'now() minus watermark', [
    'relation',
  ]);
  readonly sourceLag = this.#gauge('source_lag', 'Records not read yet', ['source']);
  readonly operatorStateBytes = this.#gauge('operator_state_bytes', 'State of an operator', [
    'view',
    'operator',
  ]);
  readonly operatorRows = this.#gauge('operator_rows', 'Rows through an operator', [
    'view',
    'operator',
  ]);
  readonly queueRows = this.#gauge('queue_rows', 'Rows waiting in a queue', ['queue']);
  readonly queueBytes = this.#gauge('queue_bytes', 'Bytes waiting in a queue', ['queue']);
  readonly backpressureSeconds = this.#counter(
    'backpressure_seconds_total',
    'Time producers waited',
    ['queue'],
  );
  readonly memoryBytes = this.#gauge('memory_bytes', 'Bytes of engine memory', ['kind']);
  readonly checkpoints = this.#counter('checkpoints_total', 'Checkpoints written', ['outcome']);
  readonly checkpointSeconds = this.#histogram(
    'checkpoint_seconds',
    'Writing a checkpoint',
    CHECKPOINT_SECONDS,
  );
  readonly checkpointBytes = this.#gauge(
    'checkpoint_bytes',
    'Bytes written by the last checkpoint',
    [],
  );
  readonly logBytes = this.#gauge('input_log_bytes', 'Bytes of input log kept', []);
  readonly connections = this.#gauge('connections', 'Open client connections', []);
  readonly connectionsTotal = this.#counter('connections_total', 'Connections by outcome', [
    'outcome',
  ]);
  readonly statements = this.#counter('statements_total', 'Statements by outcome', ['outcome']);
  readonly statementSeconds = this.#histogram(
    'statement_seconds',
    'Statement run time',
    QUERY_SECONDS,
  );

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

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name: `millrace_${name}`, help, labelNames, registers: [this.registry] });
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name: `millrace_${name}`, help, labelNames, registers: [this.registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name: `millrace_${name}`, help, buckets, registers: [this.registry] });
  }
}
