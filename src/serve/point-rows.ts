/** The rows of a point lookup, pulled as those of any query. */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import { selectRange } from '../batch/select.ts';
import type { EpochPin } from '../state/epoch-control.ts';
import type { DataType } from '../types/data-type.ts';
import type { PointLookup, PointRun } from './point-lookup.ts';
import type { QueryMemoryPool } from './query-memory.ts';
import type { RowSource } from './row-source.ts';

export class PointRows implements RowSource {
  readonly types: readonly DataType[];
  readonly #run: PointRun;
  readonly #pin: EpochPin;
  readonly #memories: QueryMemoryPool;
  readonly #batches: Iterator<DeltaBatch>;
  #batch: DeltaBatch | null = null;
  #offset = 0;
  #isClosed = false;

  /** Owns the pin and the run's memory from here on. */
  constructor(lookup: PointLookup, run: PointRun, pin: EpochPin, memories: QueryMemoryPool) {
    this.types = lookup.types;
    this.#run = run;
    this.#pin = pin;
    this.#memories = memories;
    this.#batches = lookup.run(run);
  }

  async next(rowsMax: number): Promise<DeltaBatch | null> {
    if (this.#isClosed) return null;
    if (this.#batch === null || this.#offset === this.#batch.rowCount) {
      this.#pin.check();
      const next = this.#batches.next();
      if (next.done === true) return null;
      this.#batch = next.value;
      this.#offset = 0;
    }
    const count = Math.min(rowsMax, this.#batch.rowCount - this.#offset);
    const part = selectRange(this.#batch, this.#offset, count, this.#run.memory.scratch);
    this.#offset += count;
    return part;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pin.release();
    this.#memories.release(this.#run.memory);
  }
}
