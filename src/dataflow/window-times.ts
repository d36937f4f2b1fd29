/**
 * WindowTimes: a batch's times and the instants up to which windows are closed for each of its rows, as doubles, so that
 * windows are assigned with plain arithmetic. Doubles hold times up to 2^53 µs (the year 2255) exactly.
 *
 * Cost: O(rows); a BigInt only for a time or a watermark beyond that.
 */

import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import type { WindowNode } from '../plan/plan-node.ts';
import { WATERMARK_END, WATERMARK_NONE } from './operator.ts';
import { isValid } from './rows.ts';
import { rowWatermarkShift, shiftWatermark } from './watermark.ts';

const WORD = 0x1_0000_0000;
const SAFE_HIGH = 0x0020_0000;

/** What a row's time is: exact in `times`, beyond 2^53 µs, NULL or infinite. */
export const NEAR = 0;
export const FAR = 1;
export const NO_TIME = 2;

export class WindowTimes {
  times = new Float64Array(0);
  kinds = new Uint8Array(0);
  /** Windows whose end is at or before this instant are closed for the row; -Infinity: none is. */
  closed = new Float64Array(0);
  /** Every row is NEAR. */
  isNear = false;
  readonly #hasWatermark: boolean;
  readonly #latenessUs: bigint;
  /** Added to the watermark that rows carry; null: they carry none. */
  readonly #rowShiftUs: bigint | null;

  constructor(node: WindowNode) {
    this.#hasWatermark = node.watermark !== null;
    this.#latenessUs = BigInt(node.allowedLatenessUs);
    this.#rowShiftUs =
      node.watermark === null ? null : rowWatermarkShift(node.input, node.watermark);
  }

  /** `inputWatermark`: of the epoch before, where rows carry none. */
  read(batch: DeltaBatch, column: Column, inputWatermark: bigint): void {
    if (this.times.length < batch.rowCount) {
      this.times = new Float64Array(batch.rowCount);
      this.kinds = new Uint8Array(batch.rowCount);
      this.closed = new Float64Array(batch.rowCount);
    }
    this.#readTimes(batch, column);
    this.#readClosed(batch, inputWatermark);
  }

  #readTimes({ memory, rowCount }: DeltaBatch, column: Column): void {
    const { i32, u32 } = memory;
    const { times, kinds } = this;
    const isWhole = column.validity === 0;
    let other = 0;
    for (let row = 0, at = column.values >>> 2; row < rowCount; row++, at += 2) {
      const high = i32[at + 1]!;
      const low = u32[at]!;
      times[row] = high * WORD + low;
      let kind = high < SAFE_HIGH && high >= -SAFE_HIGH ? NEAR : FAR;
      if (kind === FAR && isInfinite(low, high)) kind = NO_TIME;
      if (!isWhole && !isValid(memory, column, row)) kind = NO_TIME;
      kinds[row] = kind;
      other |= kind;
    }
    this.isNear = other === 0;
  }

  #readClosed(batch: DeltaBatch, inputWatermark: bigint): void {
    const { rowCount, rowWatermarks, memory } = batch;
    const shift = this.#rowShiftUs;
    if (!this.#hasWatermark) this.closed.fill(Number.NEGATIVE_INFINITY, 0, rowCount);
    else if (rowWatermarks === 0 || shift === null) {
      this.closed.fill(this.#closedBy(inputWatermark), 0, rowCount);
    } else {
      const { i32, u32, i64 } = memory;
      const plus = Number(shift - this.#latenessUs);
      for (let row = 0, at = rowWatermarks >>> 2; row < rowCount; row++, at += 2) {
        const high = i32[at + 1]!;
        const isNear = high < SAFE_HIGH && high >= -SAFE_HIGH;
        this.closed[row] = isNear
          ? high * WORD + u32[at]! + plus
          : this.#closedBy(shiftWatermark(i64[at >>> 1]!, shift));
      }
    }
  }

  #closedBy(watermark: bigint): number {
    if (watermark === WATERMARK_NONE) return Number.NEGATIVE_INFINITY;
    if (watermark === WATERMARK_END) return Number.POSITIVE_INFINITY;
    return Number(watermark - this.#latenessUs);
  }
}

function isInfinite(low: number, high: number): boolean {
  return (low === 0xffff_ffff && high === 0x7fff_ffff) || (low === 0 && high === -0x8000_0000);
}
