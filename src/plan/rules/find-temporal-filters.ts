/**
 * Rule find-temporal-filters: comparisons of now() with columns become a TemporalFilter, which lets rows in and takes
 * them out as time passes.
 *
 * Why: in a view now() moves by itself; a plain filter would keep its first answer. Required for views: what is left of
 * now() afterwards is refused (0A000).
 */

import type { BoundExpr } from '../../expr/bound-expr.ts';
import { INTERVAL, TIMESTAMPTZ, UNKNOWN } from '../../types/data-type.ts';
import { appendColumns, filterNode, pickColumns, range, rewritePlan } from '../build.ts';
import { comparisonOf } from '../expr-facts.ts';
import { castTo, functionCall, literal } from '../expr-make.ts';
import { conjunction, conjuncts, someExpr } from '../expr-tree.ts';
import type { FilterNode, PlanNode } from '../plan-node.ts';
import { fixedIntervalUs } from '../time-shift.ts';

export function findTemporalFilters(node: PlanNode): PlanNode {
  return rewritePlan(node, (part) => (part.kind === 'filter' ? splitFilter(part) : part));
}

export function readsNow(expr: BoundExpr): boolean {
  return someExpr(expr, (part) => part.kind === 'now');
}

/** The instants between which a row lives: valid from `from` on, until before `until` (timestamptz). */
interface Lifetime {
  readonly from: BoundExpr | null;
  readonly until: BoundExpr | null;
}

function splitFilter(node: FilterNode): PlanNode {
  const plain: BoundExpr[] = [];
  const lifetimes: Lifetime[] = [];
  for (const part of conjuncts(node.predicate)) {
    const lifetime = readsNow(part) ? lifetimeOf(part) : null;
    if (lifetime === null) plain.push(part);
    else lifetimes.push(lifetime);
  }
  let result = filterNode(node.input, conjunction(plain));
  for (const lifetime of lifetimes) result = temporalFilter(result, lifetime);
  return result;
}

function temporalFilter(input: PlanNode, lifetime: Lifetime): PlanNode {
  const width = input.columns.length;
  const items: { name: string; expr: BoundExpr }[] = [];
  const add = (name: string, expr: BoundExpr | null): number | null => {
    if (expr === null) return null;
    items.push({ name, expr });
    return width + items.length - 1;
  };
  const validFrom = add('valid_from', lifetime.from);
  const validUntil = add('valid_until', lifetime.until);
  const extended = appendColumns(input, items);
  const filtered: PlanNode = {
    kind: 'temporal_filter',
    input: extended,
    validFrom,
    validUntil,
    columns: extended.columns,
  };
  return pickColumns(filtered, range(0, width));
}

/** now() moved by constants: now() + shift OP x, as x compared with now(). */
function lifetimeOf(part: BoundExpr): Lifetime | null {
  const comparison = comparisonOf(part);
  if (comparison === null) return null;
  const left = nowShift(comparison.left);
  const right = nowShift(comparison.right);
  if ((left === null) === (right === null)) return null;
  const shiftUs = (left ?? right) as bigint;
  const other = left === null ? comparison.left : comparison.right;
  if (readsNow(other)) return null;
  // now + shift OP other, that is now OP other - shift.
  const instant = shifted(castTo(other, TIMESTAMPTZ, 'assignment'), -shiftUs);
  const operator = left === null ? MIRRORED[comparison.operator] : comparison.operator;
  switch (operator) {
    case '<':
      return { from: null, until: instant };
    case '<=':
      return { from: null, until: shifted(instant, 1n) };
    case '>=':
      return { from: instant, until: null };
    case '>':
      return { from: shifted(instant, 1n), until: null };
    case '=':
      return { from: instant, until: shifted(instant, 1n) };
    default:
      return null;
  }
}

const MIRRORED: Readonly<Record<string, string>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
  '=': '=',
  '<>': '<>',
};

/** The constant that is added to now(), in µs; null: not now() moved by a constant of fixed length. */
function nowShift(expr: BoundExpr): bigint | null {
  if (expr.kind === 'now') return 0n;
  if (expr.kind !== 'call') return null;
  const [base, amount] = expr.args;
  if (base === undefined) return null;
  if (expr.args.length === 1 && /^timestamp(tz)?\(timestamp(tz)?\)$/.test(expr.function)) {
    return nowShift(base);
  }
  const match = /^([+-])\((timestamp|timestamptz),interval\)$/.exec(expr.function);
  if (match === null || amount === undefined) return null;
  const inner = nowShift(base);
  const us = fixedIntervalUs(amount, true);
  if (inner === null || us === null) return null;
  return match[1] === '-' ? inner - us : inner + us;
}

function shifted(expr: BoundExpr, us: bigint): BoundExpr {
  if (us === 0n) return expr;
  const amount = castTo(literal(`${us} microseconds`, UNKNOWN), INTERVAL, 'implicit');
  return functionCall('+', [expr, amount]);
}
