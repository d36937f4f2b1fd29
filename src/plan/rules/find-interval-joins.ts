/**
 * Rule find-interval-joins: a join whose condition bounds one side's event time by the other's, both with watermarks,
 * drops rows that can have no partner any more.
 *
 * Why: the state of a regular join grows for ever. Equal window bounds on both sides are the case of width zero.
 * Never: where only one direction is bounded; where a time column has no watermark; for outer joins' preserved side the
 * operator itself keeps a row until it is complete.
 */

import type { BoundExpr } from '../../expr/bound-expr.ts';
import { rewritePlan } from '../build.ts';
import { comparisonOf, isTimestampType } from '../expr-facts.ts';
import { conjuncts } from '../expr-tree.ts';
import type { JoinNode, PlanNode } from '../plan-node.ts';
import { propertiesOf } from '../properties.ts';
import { constantShiftUs } from '../time-shift.ts';

/** Needs properties filled in; they must be derived anew afterwards. */
export function findIntervalJoins(node: PlanNode): PlanNode {
  return rewritePlan(node, (part) => (part.kind === 'join' ? withInterval(part) : part));
}

interface Bounds {
  lower: bigint | null;
  upper: bigint | null;
}

function withInterval(node: JoinNode): JoinNode {
  if (node.interval !== undefined) return node;
  const left = new Set(propertiesOf(node.left).watermarks.map((w) => w.column));
  const right = new Set(propertiesOf(node.right).watermarks.map((w) => w.column));
  if (left.size === 0 || right.size === 0) return node;
  const equal = node.leftKeys.findIndex((key, i) => {
    const other = node.rightKeys[i];
    if (other === undefined || !left.has(key) || !right.has(other)) return false;
    const type = node.left.columns[key]?.type;
    return type !== undefined && isTimestampType(type);
  });
  if (equal >= 0) {
    const leftTime = node.leftKeys[equal] as number;
    const rightTime = node.rightKeys[equal] as number;
    return { ...node, interval: { leftTime, rightTime, lowerUs: '0', upperUs: '0' } };
  }
  return boundedByResidual(node, left, right);
}

function boundedByResidual(
  node: JoinNode,
  left: ReadonlySet<number>,
  right: ReadonlySet<number>,
): JoinNode {
  const width = node.left.columns.length;
  const found = new Map<string, Bounds>();
  for (const part of conjuncts(node.residual)) {
    const bound = boundOf(part, width);
    if (bound === null || !left.has(bound.leftTime) || !right.has(bound.rightTime)) continue;
    const key = `${bound.leftTime}:${bound.rightTime}`;
    const bounds = found.get(key) ?? { lower: null, upper: null };
    const { lower, upper } = bound;
    if (lower !== null && (bounds.lower === null || lower > bounds.lower)) bounds.lower = lower;
    if (upper !== null && (bounds.upper === null || upper < bounds.upper)) bounds.upper = upper;
    found.set(key, bounds);
  }
  for (const [key, { lower, upper }] of found) {
    if (lower === null || upper === null || lower > upper) continue;
    const [leftTime, rightTime] = key.split(':').map(Number) as [number, number];
    const interval = { leftTime, rightTime, lowerUs: String(lower), upperUs: String(upper) };
    return { ...node, interval };
  }
  return node;
}

interface TimeBound extends Bounds {
  readonly leftTime: number;
  readonly rightTime: number;
}

/** What `part` says of right.time - left.time. */
function boundOf(part: BoundExpr, width: number): TimeBound | null {
  const comparison = comparisonOf(part);
  if (comparison === null) return null;
  const a = constantShiftUs(comparison.left);
  const b = constantShiftUs(comparison.right);
  if (a === null || b === null) return null;
  const isLeftFirst = a.column < width;
  if (isLeftFirst === b.column < width) return null;
  const [l, r] = isLeftFirst ? [a, b] : [b, a];
  const operator = isLeftFirst ? comparison.operator : FLIPPED[comparison.operator];
  // left + ls OP right + rs, so right - left compares with ls - rs.
  const distance = BigInt(l.shiftUs) - BigInt(r.shiftUs);
  const at = { leftTime: l.column, rightTime: r.column - width };
  switch (operator) {
    case '<=':
      return { ...at, lower: distance, upper: null };
    case '<':
      return { ...at, lower: distance + 1n, upper: null };
    case '>=':
      return { ...at, lower: null, upper: distance };
    case '>':
      return { ...at, lower: null, upper: distance - 1n };
    case '=':
      return { ...at, lower: distance, upper: distance };
    default:
      return null;
  }
}

const FLIPPED: Readonly<Record<string, string>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
  '=': '=',
  '<>': '<>',
};
