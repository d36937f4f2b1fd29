/** What can be said of a bound expression without running it: fallibility, volatility, which comparison it is. */

import type { BoundExpr } from '../expr/bound-expr.ts';
import { functionById } from '../expr/registry.ts';
import type { DataType } from '../types/data-type.ts';
import { isIdentityEquality } from '../types/value.ts';
import { canonical } from './expr-make.ts';
import { someExpr } from './expr-tree.ts';

/** May throw for some row. */
export function canFail(expr: BoundExpr): boolean {
  return someExpr(expr, (part) => {
    if (part.kind !== 'call') return false;
    return functionById(part.function)?.canFail ?? !part.function.startsWith('$');
  });
}

export function isVolatile(expr: BoundExpr): boolean {
  return someExpr(
    expr,
    (part) => part.kind === 'call' && functionById(part.function)?.volatility === 'volatile',
  );
}

export interface Comparison {
  readonly operator: '<' | '<=' | '=' | '>=' | '>' | '<>';
  readonly left: BoundExpr;
  readonly right: BoundExpr;
}

const COMPARISON = /^(<|<=|=|>=|>|<>)\(([^,]+),([^,]+)\)$/;

/** The expression as a comparison; null: it is something else. */
export function comparisonOf(expr: BoundExpr): Comparison | null {
  if (expr.kind !== 'call') return null;
  const match = COMPARISON.exec(expr.function);
  const [left, right] = expr.args;
  if (match === null || left === undefined || right === undefined) return null;
  return { operator: match[1] as Comparison['operator'], left, right };
}

export function isTimestampType(type: DataType): boolean {
  return type.id === 'timestamp' || type.id === 'timestamptz';
}

/** Whole-number types, widened to int8 to meet as hash keys. */
const INTEGER_RANK: Readonly<Record<string, number>> = { int2: 1, int4: 2, int8: 3 };
const TEXT_LIKE: ReadonlySet<string> = new Set(['text', 'varchar', 'name']);

/**
 * Both sides of an equality as values that are the same bytes exactly when SQL calls them equal; null: not an equality, or
 * one of types that do not meet in one representation.
 */
export function equalityKeys(expr: BoundExpr): readonly [BoundExpr, BoundExpr] | null {
  const comparison = comparisonOf(expr);
  if (comparison === null || comparison.operator !== '=') return null;
  return hashableSides(comparison.left, comparison.right);
}

export function hashableSides(
  left: BoundExpr,
  right: BoundExpr,
): readonly [BoundExpr, BoundExpr] | null {
  if (left.type.oid === right.type.oid) {
    // Scales or lengths that differ: equal values are not the same bytes on both sides.
    const isOneShape = left.type.typmod === right.type.typmod || isIdentityEquality(left.type);
    return isOneShape
      ? [canonicalKey(left), canonicalKey(right)]
      : [canonical(left), canonical(right)];
  }
  const a = INTEGER_RANK[left.type.id];
  const b = INTEGER_RANK[right.type.id];
  if (a !== undefined && b !== undefined) {
    return a < b ? [widened(left, right.type), right] : [left, widened(right, left.type)];
  }
  if (TEXT_LIKE.has(left.type.id) && TEXT_LIKE.has(right.type.id)) return [left, right];
  return null;
}

function widened(expr: BoundExpr, type: DataType): BoundExpr {
  if (expr.type.storage === type.storage) return expr;
  const id = `cast(${expr.type.id},${type.id})`;
  return { kind: 'call', function: id, args: [expr], type };
}

/** The expression as a key: itself where equal values have equal bytes. */
export function canonicalKey(expr: BoundExpr): BoundExpr {
  return needsCanonical(expr.type) ? canonical(expr) : expr;
}

/** A declared scale or length makes equal values the same bytes: numeric(12,2), char(10). */
export function needsCanonical(type: DataType): boolean {
  if (isIdentityEquality(type)) return false;
  return !(type.typmod !== -1 && (type.id === 'numeric' || type.id === 'bpchar'));
}
