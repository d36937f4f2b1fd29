/**
 * Rule fold-constants: an immutable call of literals is evaluated now.
 *
 * Why: `bigint % 123` would cast 123 for every row; other rules look for literals.
 * Never: where the call fails (the error belongs to the rows that reach it, if any do), or reads a setting.
 */

import { SqlError } from '../../base/sql-error.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { literalOf } from '../../expr/coerce.ts';
import { functionById } from '../../expr/registry.ts';
import { evaluateValue } from '../../expr/scalar.ts';
import { DEFAULT_SETTINGS } from '../../types/value.ts';
import { mapExpressions, rewritePlan } from '../build.ts';
import { rewriteExpr } from '../expr-tree.ts';
import type { PlanNode } from '../plan-node.ts';

export function foldConstants(node: PlanNode): PlanNode {
  return rewritePlan(node, (part) => mapExpressions(part, foldExpr));
}

export function foldExpr(expr: BoundExpr): BoundExpr {
  return rewriteExpr(expr, foldCall);
}

function foldCall(expr: BoundExpr): BoundExpr {
  if (expr.kind !== 'call' || !expr.args.every((arg) => arg.kind === 'literal')) return expr;
  if (functionById(expr.function)?.volatility !== 'immutable') return expr;
  try {
    const value = evaluateValue(expr, [], { settings: DEFAULT_SETTINGS, nowUs: 0n });
    return literalOf(expr.type, value);
  } catch (error) {
    if (error instanceof SqlError) return expr;
    throw error;
  }
}
