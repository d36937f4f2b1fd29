/** Expressions that are a time column moved by a constant: watermarks and interval joins see through them. */

import type { BoundExpr } from '../expr/bound-expr.ts';
import { DEFAULT_SETTINGS } from '../types/value.ts';
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
