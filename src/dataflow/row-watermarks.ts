/**
 * Stamps the rows of a split with the watermark that judges each of them, and moves the split's own watermark along
 * (semantics.md rules 14, 18): W(r) = max(W(e-1), min(running W of the split before r, the others' least)).
 *
 * Times up to 2^53 µs go through doubles, exactly; a batch with a farther one takes the slow way.
 * Cost: O(rows).
 */

import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import type { Scratch } from '../memory/scratch.ts';
import { WATERMARK_END, WATERMARK_NONE } from './operator.ts';
import { isValid } from './rows.ts';
import { maxWatermark, minWatermark, type SplitWatermark } from './watermark.ts';

const WORD = 0x1_0000_0000;
const SAFE_HIGH = 0x0020_0000;

export interface StampBounds {
  readonly delayUs: bigint;
  /** W as of the epoch before. */
  readonly previous: bigint;
  /** Least of the other active splits. */
  readonly others: bigint;
  /** Rule 14: false = all rows are judged by the watermark before the statement. */
  readonly isRowByRow: boolean;
  /** Rule 18: no time moves the split's watermark beyond this; null: any may. */
  readonly limitUs: bigint | null;
}

export interface Stamped {
  readonly batch: DeltaBatch;
  /** Rows whose time is NULL or infinite, by absolute weight. */
  readonly nullTimes: number;
}

/** The batch with row watermarks (in scratch); `split.running` moves on. Retractions move nothing. */
export function stampRowWatermarks(
  batch: DeltaBatch,
  column: Column,
  split: SplitWatermark,
  bounds: StampBounds,
  scratch: Scratch,
): Stamped {
  const out = scratch.alloc(Math.max(16, batch.rowCount * 8));
  const isNear =
    isNearTime(split.running) && isNearTime(bounds.previous) && isNearTime(bounds.others);
  const nullTimes =
    isNear && allNear(batch, column)
      ? stampNear(batch, column, split, bounds, out)
      : stampFar(batch, column, split, bounds, out);
  return { batch: { ...batch, rowWatermarks: out }, nullTimes };
}

function isNearTime(watermark: bigint): boolean {
  const isEdge = watermark === WATERMARK_NONE || watermark === WATERMARK_END;
  return isEdge || (watermark < 9_000_000_000_000_000n && watermark > -9_000_000_000_000_000n);
}

function allNear(batch: DeltaBatch, column: Column): boolean {
  const { i32 } = batch.memory;
  const at = (column.values >>> 2) + 1;
  for (let row = 0; row < batch.rowCount; row++) {
    const high = i32[at + 2 * row]!;
    if (high >= SAFE_HIGH || high < -SAFE_HIGH) return false;
  }
  return true;
}

function toNumber(watermark: bigint): number {
  if (watermark === WATERMARK_NONE) return Number.NEGATIVE_INFINITY;
  return watermark === WATERMARK_END ? Number.POSITIVE_INFINITY : Number(watermark);
}

function stampNear(
  batch: DeltaBatch,
  column: Column,
  split: SplitWatermark,
  bounds: StampBounds,
  out: number,
): number {
  const { memory, weights, rowCount } = batch;
  const { i32, u32 } = memory;
  const previous = toNumber(bounds.previous);
  const others = toNumber(bounds.others);
  const delay = Number(bounds.delayUs);
  const start = toNumber(split.running);
  const limit = bounds.limitUs === null ? Number.POSITIVE_INFINITY : Number(bounds.limitUs);
  const values = column.values >>> 2;
  let running = start;
  let nullTimes = 0;
  for (let row = 0; row < rowCount; row++) {
    const before = bounds.isRowByRow ? running : start;
    writeLong(u32, (out >>> 2) + 2 * row, Math.max(previous, Math.min(before, others)));
    const weight = weights === 0 ? 1 : i32[(weights >>> 2) + row]!;
    if (!isValid(memory, column, row)) {
      nullTimes += Math.abs(weight);
      continue;
    }
    if (weight <= 0) continue;
    const time = i32[values + 2 * row + 1]! * WORD + u32[values + 2 * row]! - delay;
    if (time > running) running = Math.min(time, Math.max(running, limit));
  }
  if (running > start) split.running = BigInt(running);
  return nullTimes;
}

function writeLong(u32: Uint32Array, word: number, value: number): void {
  if (value === Number.NEGATIVE_INFINITY || value === Number.POSITIVE_INFINITY) {
    u32[word] = value > 0 ? 0xffff_ffff : 0;
    u32[word + 1] = value > 0 ? 0x7fff_ffff : 0x8000_0000;
    return;
  }
  const high = Math.floor(value / WORD);
  u32[word] = value - high * WORD;
  u32[word + 1] = high;
}

function stampFar(
  batch: DeltaBatch,
  column: Column,
  split: SplitWatermark,
  bounds: StampBounds,
  out: number,
): number {
  const { memory, weights, rowCount } = batch;
  const start = split.running;
  let nullTimes = 0;
  for (let row = 0; row < rowCount; row++) {
    const before = bounds.isRowByRow ? split.running : start;
    memory.i64[(out >>> 3) + row] = maxWatermark(
      bounds.previous,
      minWatermark(before, bounds.others),
    );
    const weight = weights === 0 ? 1 : memory.i32[(weights >>> 2) + row]!;
    const time = memory.i64[(column.values >>> 3) + row]!;
    const isInfinite = time === WATERMARK_END || time === WATERMARK_NONE;
    if (isInfinite || !isValid(memory, column, row)) nullTimes += Math.abs(weight);
    else if (weight > 0) {
      const moved =
        bounds.limitUs === null
          ? time - bounds.delayUs
          : minWatermark(time - bounds.delayUs, bounds.limitUs);
      split.running = maxWatermark(split.running, moved);
    }
  }
  return nullTimes;
}
