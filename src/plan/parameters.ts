/** Putting values in the place of parameters: before a plan leaves the session it holds none. */

import { must } from '../base/assert.ts';
import type { BoundExpr, BoundLiteral } from '../expr/bound-expr.ts';
import type { DmlPlan, OnConflictPlan, ReturningClause } from './bound-statement.ts';
import { mapExpressions, mapInputs } from './build.ts';
import { rewriteExpr } from './expr-tree.ts';
import type { PlanNode, QueryPlan } from './plan-node.ts';

type Values = readonly BoundLiteral[];

function inExpr(expr: BoundExpr, values: Values): BoundExpr {
  return rewriteExpr(expr, (part) => {
    if (part.kind !== 'parameter') return part;
    return must(values[part.index], `no value for parameter $${part.index + 1}`);
  });
}

function inNode(node: PlanNode, values: Values): PlanNode {
  const mapped = mapInputs(node, (input) => inNode(input, values));
  return mapExpressions(mapped, (expr) => inExpr(expr, values));
}

export function bindParametersInPlan(plan: QueryPlan, values: Values): QueryPlan {
  return {
    ...plan,
    node: inNode(plan.node, values),
    limit: plan.limit === null ? null : inExpr(plan.limit, values),
    offset: plan.offset === null ? null : inExpr(plan.offset, values),
  };
}

function inReturning(returning: ReturningClause | null, values: Values): ReturningClause | null {
  if (returning === null) return null;
  return { ...returning, expressions: returning.expressions.map((expr) => inExpr(expr, values)) };
}

function inConflict(conflict: OnConflictPlan | null, values: Values): OnConflictPlan | null {
  if (conflict === null) return null;
  return {
    ...conflict,
    newRow: conflict.newRow.map((expr) => inExpr(expr, values)),
    where: conflict.where === null ? null : inExpr(conflict.where, values),
  };
}

export function bindParametersInDml(plan: DmlPlan, values: Values): DmlPlan {
  const rows = bindParametersInPlan(plan.rows, values);
  const returning = inReturning(plan.returning, values);
  if (plan.kind !== 'insert') return { ...plan, rows, returning };
  return { ...plan, rows, returning, onConflict: inConflict(plan.onConflict, values) };
}
