/**
 * IntervalBounds: the time arithmetic of an interval join (left.time + lower <= right.time <= left.time + upper).
 *
 * A left row meets right rows up to left.time + upper: it can go once the right watermark W has passed that (W > ...). A
 * right row meets left rows up to right.time - lower. Rows leave by buckets of a 32nd of the interval, never too early.
 * A row is late when every partner that it could have had is gone: its own side's watermark has passed its time by the
 * width of the interval (semantics.md rules 13, 15, 16).
 */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { JoinNode } from '../plan/plan-node.ts';
import { WATERMARK_NONE } from './operator.ts';
import { isValid } from './rows.ts';
import { minWatermark, rowWatermarkShift, shiftWatermark } from './watermark.ts';

const WORD = 0x1_0000_0000;
const NEAR_HIGH = 0x0010_0000;
const DISTANCE_MAX = 2n ** 51n;

type Interval = NonNullable<JoinNode['interval']>;

export class IntervalBounds {
  readonly #node: JoinNode;
  readonly #times: readonly [number, number];
  /** Last partner's time = own time + reach. */
  readonly #reachUs: readonly [bigint, bigint];
  readonly #widthUs: bigint;
  readonly #gridUs: bigint;
  /** Index of each side's watermark for its time column; -1: it has none. */
  readonly #indexes: readonly [number, number];
  readonly #rowShifts: readonly [bigint | null, bigint | null];
  readonly #current: [bigint, bigint] = [WATERMARK_NONE, WATERMARK_NONE];

  constructor(node: JoinNode, interval: Interval) {
    const lower = BigInt(interval.lowerUs);
    const upper = BigInt(interval.upperUs);
    this.#node = node;
    this.#times = [interval.leftTime, interval.rightTime];
    this.#reachUs = [upper, -lower];
    this.#widthUs = upper > lower ? upper - lower : 0n;
    this.#gridUs = this.#widthUs / 32n + 1n;
    const indexOf = (input: JoinNode['left'], column: number): number =>
      input.properties?.watermarks.findIndex((w) => w.column === column) ?? -1;
    this.#indexes = [
      indexOf(node.left, interval.leftTime),
      indexOf(node.right, interval.rightTime),
    ];
    this.#rowShifts = [
      rowWatermarkShift(node.left, this.#indexes[0]),
      rowWatermarkShift(node.right, this.#indexes[1]),
    ];
  }

  timeColumn(port: 0 | 1): number {
    return this.#times[port];
  }

  /** The bucket of a row: no earlier than the time of its last partner. */
  bucketOf(port: 0 | 1, time: bigint): bigint {
    const last = shiftWatermark(time, this.#reachUs[port]);
    const rest = ((last % this.#gridUs) + this.#gridUs) % this.#gridUs;
    return rest === 0n ? last : shiftWatermark(last, this.#gridUs - rest);
  }

  /** Buckets before this instant can go. */
  expiryLimit(port: 0 | 1): bigint {
    return this.#current[port === 0 ? 1 : 0];
  }

  /** Row numbers of late rows; null: none. */
  lateRows(port: 0 | 1, batch: DeltaBatch): Uint32Array | null {
    const { memory } = batch;
    const { i32, u32 } = memory;
    const column = batch.columns[this.#times[port]]!;
    const shift = this.#rowShifts[port];
    const hasOwn = batch.rowWatermarks !== 0 && shift !== null;
    if (!hasOwn && this.#current[port] === WATERMARK_NONE) return null;
    const isExact = this.#isExact(port) && hasOwn;
    const width = Number(this.#widthUs);
    const plus = Number(shift ?? 0n);
    let late: number[] | null = null;
    for (let row = 0; row < batch.rowCount; row++) {
      const time = (column.values >>> 2) + 2 * row;
      const own = (batch.rowWatermarks >>> 2) + 2 * row;
      if (isExact && isNear(i32[time + 1]!) && isNear(i32[own + 1]!)) {
        const last = i32[time + 1]! * WORD + u32[time]! + width;
        if (last >= i32[own + 1]! * WORD + u32[own]! + plus) continue;
        if (!isValid(memory, column, row)) continue;
      } else if (!this.#isLate(port, batch, row)) continue;
      late ??= [];
      late.push(row);
    }
    return late === null ? null : Uint32Array.from(late);
  }

  /** Distances are small enough for doubles to hold any sum of one with a near time. */
  #isExact(port: 0 | 1): boolean {
    const shift = this.#rowShifts[port] ?? 0n;
    return this.#widthUs < DISTANCE_MAX && shift < DISTANCE_MAX && shift > -DISTANCE_MAX;
  }

  #isLate(port: 0 | 1, { memory, columns, rowWatermarks }: DeltaBatch, row: number): boolean {
    const column = columns[this.#times[port]]!;
    const shift = this.#rowShifts[port];
    let watermark = this.#current[port];
    if (rowWatermarks !== 0 && shift !== null) {
      watermark = shiftWatermark(memory.i64[(rowWatermarks >>> 3) + row]!, shift);
    }
    if (watermark === WATERMARK_NONE || !isValid(memory, column, row)) return false;
    const time = memory.i64[(column.values >>> 3) + row]!;
    return shiftWatermark(time, this.#widthUs) < watermark;
  }

  advance(inputs: readonly (readonly bigint[])[]): void {
    for (const port of [0, 1] as const) {
      this.#current[port] = inputs[port]?.[this.#indexes[port]] ?? WATERMARK_NONE;
    }
  }

  outputWatermarks(): bigint[] {
    const least = minWatermark(this.#current[0], this.#current[1]);
    return (this.#node.properties?.watermarks ?? []).map(({ shiftUs }) =>
      shiftWatermark(least, BigInt(shiftUs)),
    );
  }
}

/** By its upper half: |time| < 2^52 µs, so that doubles add to it exactly. */
function isNear(high: number): boolean {
  return high < NEAR_HIGH && high >= -NEAR_HIGH;
}
