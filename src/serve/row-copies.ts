/** Weighted rows as rows that each stand for themselves. */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import { select } from '../batch/select.ts';
import type { Scratch } from '../memory/scratch.ts';

/** The rows of a batch as often as their (positive) weights say, in batches no larger than it. */
export function* rowCopies(batch: DeltaBatch, scratch: Scratch): Generator<DeltaBatch> {
  if (batch.weights === 0) {
    yield batch;
    return;
  }
  for (let copy = 0; ; copy++) {
    const selection = scratch.alloc(4 * batch.rowCount + 16);
    const { i32, u32 } = batch.memory;
    let count = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      if (i32[(batch.weights >>> 2) + row]! > copy) u32[(selection >>> 2) + count++] = row;
    }
    if (count === 0) return;
    yield select(batch, selection, count, scratch);
  }
}
