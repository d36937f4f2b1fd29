/** EngineMeasures: what the engine counts of its own work since it started, for /metrics. */

import { Histogram } from '../base/histogram.ts';
import type { EngineMeasuresStatus } from './port.ts';

const EPOCH_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5,
];
const EPOCH_ROWS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6];
const CHECKPOINT_SECONDS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];

export class EngineMeasures {
  readonly #epochSeconds = new Histogram(EPOCH_SECONDS);
  readonly #epochRows = new Histogram(EPOCH_ROWS);
  readonly #checkpointSeconds = new Histogram(CHECKPOINT_SECONDS);
  readonly #checkpoints = { written: 0, skipped: 0, failed: 0 };
  #lastEpochUs = 0;
  #checkpointBytes = 0;

  /** A live epoch was published; `us`: from its cut on. */
  epoch(us: number, rows: number): void {
    this.#lastEpochUs = us;
    this.#epochSeconds.observe(us / 1e6);
    this.#epochRows.observe(rows);
  }

  /** How long the last epoch took. */
  get lastEpochUs(): number {
    return this.#lastEpochUs;
  }

  checkpoint(us: number, bytes: number): void {
    this.#checkpoints.written += 1;
    this.#checkpointSeconds.observe(us / 1e6);
    this.#checkpointBytes += bytes;
  }

  /** None was written: `skipped` because a sink has not taken its changes. */
  noCheckpoint(outcome: 'skipped' | 'failed'): void {
    this.#checkpoints[outcome] += 1;
  }

  status(): Pick<
    EngineMeasuresStatus,
    'epochSeconds' | 'epochRows' | 'checkpointSeconds' | 'checkpoints' | 'checkpointBytes'
  > {
    return {
      epochSeconds: this.#epochSeconds.counts(),
      epochRows: this.#epochRows.counts(),
      checkpointSeconds: this.#checkpointSeconds.counts(),
      checkpoints: { ...this.#checkpoints },
      checkpointBytes: this.#checkpointBytes,
    };
  }
}
