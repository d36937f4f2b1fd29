/**
 * SnapshotAge: takes snapshots away that are older than the limit (72000 at their next use), so that a forgotten cursor, a
 * transaction left open or a subscription that nobody reads does not keep every version of every row for ever.
 *
 * State: the published epoch at each tick of the last while. Cost: O(1) a tick, O(reader slots) when a limit passes.
 */

import type { EpochControl } from '../state/epoch-control.ts';

const TICK_MS = 10_000;
/** Snapshots older than this are cancelled (max_snapshot_age). */
export const SNAPSHOT_AGE_MS_MAX = 3_600_000;

export class SnapshotAge {
  readonly #control: EpochControl;
  readonly #ticksMax: number;
  readonly #epochs: number[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(control: EpochControl, ageMsMax = SNAPSHOT_AGE_MS_MAX, tickMs = TICK_MS) {
    this.#control = control;
    this.#ticksMax = Math.max(1, Math.ceil(ageMsMax / tickMs));
    this.#timer = setInterval(() => this.tick(), tickMs).unref();
  }

  /** Notes the newest epoch; what was published before the limit is not readable any longer than its last reader's age. */
  tick(): void {
    this.#epochs.push(this.#control.published);
    if (this.#epochs.length <= this.#ticksMax) return;
    const oldest = this.#epochs.shift()!;
    if (oldest < this.#control.published) this.#control.cancelBefore(oldest);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
