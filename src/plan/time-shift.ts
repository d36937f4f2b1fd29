/** Expressions that are a time column moved by a constant: watermarks and interval joins see through them. */

import type { BoundExpr } from '../expr/bound-expr.ts';
import { parseInterval } from '../types/interval.ts';

export interface ShiftedColumn {
  readonly column: number;
  readonly shiftUs: string;
}

const DAY_US = 86_400_000_000n;
const SHIFT_FUNCTION = /^([+-])\((timestamp|timestamptz),interval\)$/;

/** `c`, `c + INTERVAL` or `c - INTERVAL`, nested; null: something else. Days count only where they are 24 hours. */
export function constantShiftUs(expr: BoundExpr): ShiftedColumn | null {
  if (expr.kind === 'column') return { column: expr.index, shiftUs: '0' };
  if (expr.kind !== 'call') return null;
  const match = SHIFT_FUNCTION.exec(expr.function);
  const [base, amount] = expr.args;
  if (match === null || base === undefined || amount === undefined) return null;
  const inner = constantShiftUs(base);
  const us = fixedIntervalUs(amount, match[2] === 'timestamp');
  if (inner === null || us === null) return null;
  const shift = match[1] === '-' ? -us : us;
  return { column: inner.column, shiftUs: String(BigInt(inner.shiftUs) + shift) };
}

/** Microseconds of an interval literal of fixed length; null: it has months, or days where they vary. */
export function fixedIntervalUs(expr: BoundExpr, dayIsFixed: boolean): bigint | null {
  if (expr.kind !== 'literal' || expr.type.id !== 'interval' || expr.text === null) return null;
  const interval = parseInterval(expr.text);
  if (interval.months !== 0 || (interval.days !== 0 && !dayIsFixed)) return null;
  return interval.microseconds + BigInt(interval.days) * DAY_US;
}

/** Greatest length of what date_trunc cuts off, in µs; a day more where clocks are set forward or back. */
const TRUNCATED_US: Readonly<Record<string, bigint>> = {
  microseconds: 1n,
  milliseconds: 1000n,
  second: 1_000_000n,
  minute: 60_000_000n,
  hour: 3_600_000_000n,
  day: DAY_US,
  week: 7n * DAY_US,
  month: 31n * DAY_US,
  quarter: 92n * DAY_US,
  year: 366n * DAY_US,
};

/** How far a zone's clock is set back at most, in one go. */
const CLOCK_CHANGE_US = 2n * 3_600_000_000n;

/**
 * A lower bound: the expression is never less than its column plus `shiftUs`, and it is monotone. That is enough for a
 * watermark to pass through (semantics.md rule 16), not for the bounds of an interval join.
 */
export function lowerBoundShiftUs(expr: BoundExpr): ShiftedColumn | null {
  const exact = constantShiftUs(expr);
  if (exact !== null) return exact;
  if (expr.kind !== 'call') return null;
  const unit = /^date_trunc\(text,(timestamp|timestamptz)(,text)?\)$/.exec(expr.function);
  const [first, time] = expr.args;
  if (first === undefined || time === undefined) return null;
  const inner = lowerBoundShiftUs(time);
  if (inner === null) return null;
  const down = (us: bigint): ShiftedColumn => ({
    column: inner.column,
    shiftUs: String(BigInt(inner.shiftUs) + 1n - us),
  });
  if (unit !== null) {
    if (first.kind !== 'literal' || first.text === null) return null;
    const us = TRUNCATED_US[first.text.toLowerCase()];
    if (us === undefined) return null;
    return down(unit[1] === 'timestamp' || us <= 60_000_000n ? us : us + CLOCK_CHANGE_US);
  }
  if (!/^date_bin\(interval,(timestamp|timestamptz),\1\)$/.test(expr.function)) return null;
  const stride = fixedIntervalUs(first, true);
  return stride === null || stride <= 0n ? null : down(stride);
}
