/** Rows that wait inside an epoch (retractions that came before their inserts), in segments that no reader sees. */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import { SEGMENT_ROWS_MAX, SEGMENT_ROWS_MIN, Segment, type SegmentShape } from './segment.ts';

export class PendingRows {
  readonly #memory: Memory;
  readonly #shape: SegmentShape;
  #segments: Segment[] = [];

  constructor(memory: Memory, shape: SegmentShape) {
    this.#memory = memory;
    this.#shape = shape;
  }

  /** Keeps `count` copies of a row. */
  add(batch: DeltaBatch, row: number, count: number): void {
    const selection = Uint32Array.of(row);
    for (let k = 0; k < count; k++) {
      this.#open().append(batch.memory, batch.columns, selection, 0, 1, 0);
    }
  }

  /** Gives the segments to `use`, then frees them. */
  drain(use: (segment: Segment) => void): void {
    const segments = this.#segments;
    this.#segments = [];
    for (const segment of segments) {
      use(segment);
      segment.free();
    }
  }

  #open(): Segment {
    const last = this.#segments.at(-1);
    if (last !== undefined && !last.isFull) return last;
    const capacity = last === undefined ? SEGMENT_ROWS_MIN : SEGMENT_ROWS_MAX;
    const segment = Segment.create(this.#memory, this.#shape, 0, capacity, 0, []);
    this.#segments.push(segment);
    return segment;
  }
}
