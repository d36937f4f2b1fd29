/** sum and avg of interval: three exact sums (microseconds, days, months) and a count. */

import { SqlError } from '../../base/sql-error.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { viewData } from '../../memory/views.ts';
import {
  type AggregateInstance,
  isValidAt,
  readCount,
  type SlotContext,
  weightAt,
} from './aggregate.ts';
import { readI128 } from './integer-sum.ts';
import { readBigInt, writeBigInt } from './numeric-bytes.ts';
import { ResultColumn } from './result-column.ts';

/** i128 of µs, f64 days, f64 months, i64 count. */
export const INTERVAL_SLOT_BYTES = 40;
const DAYS = 16;
const MONTHS = 24;
const COUNT = 32;

export class IntervalSumAggregate implements AggregateInstance {
  readonly #context: SlotContext;
  readonly #isAverage: boolean;

  constructor(context: SlotContext, isAverage: boolean) {
    this.#context = context;
    this.#isAverage = isAverage;
  }

  update(groupRows: number, args: readonly Column[], weights: number, n: number): void {
    const { memory, base } = this.#context;
    const { values, validity } = args[0]!;
    const { u8, u32, i32, i64, f64 } = memory;
    for (let i = 0; i < n; i += 1) {
      const weight = weightAt(i32, weights, i);
      if (weight === 0 || !isValidAt(u8, validity, i)) continue;
      const slot = u32[(groupRows >>> 2) + i]! * 8 + base;
      const data = viewData(memory, values + 16 * i);
      const view = new DataView(u8.buffer, data, 16);
      const sum = readI128(memory, slot) + readBigInt(u8, data, 8) * BigInt(weight);
      writeBigInt(u8, slot, sum, 16);
      f64[(slot + DAYS) >>> 3]! += view.getInt32(8, true) * weight;
      f64[(slot + MONTHS) >>> 3]! += view.getInt32(12, true) * weight;
      i64[(slot + COUNT) >>> 3]! += BigInt(weight);
    }
  }

  result(groupRows: number, n: number): Column {
    const { memory, scratch, base } = this.#context;
    const out = new ResultColumn(scratch, 'view', n);
    for (let i = 0; i < n; i += 1) {
      const slot = memory.u32[(groupRows >>> 2) + i]! * 8 + base;
      const count = readCount(memory, slot + COUNT);
      if (count === 0) {
        out.setNull(i);
        continue;
      }
      const us = readI128(memory, slot);
      const days = memory.f64[(slot + DAYS) >>> 3]!;
      const months = memory.f64[(slot + MONTHS) >>> 3]!;
      const bytes = this.#isAverage
        ? divideInterval(us, days, months, count)
        : intervalBytes(us, days, months);
      out.setBytes(i, bytes);
    }
    return out.build();
  }

  release(): void {}
}

/** As PostgreSQL's interval_div: fractions of months spill into days, fractions of days into time. */
function divideInterval(us: bigint, days: number, months: number, count: number): Uint8Array {
  const monthPart = Math.trunc(months / count);
  const dayPart = Math.trunc(days / count);
  let monthDays = roundSixDigits((months / count - monthPart) * 30);
  let seconds = (days / count - dayPart + monthDays - Math.trunc(monthDays)) * 86_400;
  seconds = roundSixDigits(seconds);
  monthDays = Math.trunc(monthDays);
  let extraDays = 0;
  if (Math.abs(seconds) >= 86_400) {
    extraDays = Math.trunc(seconds / 86_400);
    seconds -= extraDays * 86_400;
  }
  const divisor = BigInt(count);
  const spill = BigInt(Math.round(seconds * 1e6));
  const doubled = us * 2n + (us < 0n ? -divisor : divisor);
  return intervalBytes(
    doubled / (2n * divisor) + spill,
    dayPart + monthDays + extraDays,
    monthPart,
  );
}

function roundSixDigits(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

function intervalBytes(us: bigint, days: number, months: number): Uint8Array {
  const fits =
    BigInt.asIntN(64, us) === us &&
    days === Math.trunc(days) &&
    (days | 0) === days &&
    (months | 0) === months;
  if (!fits) throw new SqlError('22008', 'interval out of range');
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, us, true);
  view.setInt32(8, days, true);
  view.setInt32(12, months, true);
  return bytes;
}
