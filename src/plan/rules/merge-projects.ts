/**
 * Rule merge-projects: a projection of a projection is one; a projection that changes nothing is none.
 *
 * Why: every Project copies columns or costs a pass; other rules look through one level only.
 * Never: where it would evaluate a computed column twice, or a volatile one at another place.
 */

import { must } from '../../base/assert.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { rewritePlan } from '../build.ts';
import { substituteColumns, visitExpr } from '../expr-tree.ts';
import type { PlanNode, ProjectNode } from '../plan-node.ts';

export function mergeProjects(node: PlanNode): PlanNode {
  return rewritePlan(node, (part) => {
    if (part.kind !== 'project') return part;
    const merged = merge(part);
    return isIdentity(merged) ? merged.input : merged;
  });
}

function merge(node: ProjectNode): ProjectNode {
  const below = node.input;
  if (below.kind !== 'project') return node;
  const uses = new Map<number, number>();
  for (const expr of node.expressions) {
    visitExpr(expr, (part) => {
      if (part.kind === 'column') uses.set(part.index, (uses.get(part.index) ?? 0) + 1);
    });
  }
  const isCheap = [...uses].every(([index, count]) => {
    const expr = must(below.expressions[index]);
    return count === 1 || expr.kind === 'column' || expr.kind === 'literal';
  });
  const isBare = node.expressions.every((expr) => expr.kind === 'column');
  const movesGuarded = !isBare && below.expressions.some((expr) => isGuarding(expr));
  if (!isCheap || movesGuarded) return node;
  const inline = (index: number): BoundExpr => must(below.expressions[index]);
  return {
    ...node,
    input: below.input,
    expressions: node.expressions.map((expr) => substituteColumns(expr, inline)),
  };
}

/** Calls below might be evaluated under a CASE above, or not at all: fewer errors than written, so they stay. */
function isGuarding(expr: BoundExpr): boolean {
  return expr.kind !== 'column' && expr.kind !== 'literal';
}

/** The same columns under the same names: nobody sees a difference. */
function isIdentity(node: ProjectNode): boolean {
  const { columns } = node.input;
  if (node.expressions.length !== columns.length) return false;
  return node.expressions.every(
    (expr, i) =>
      expr.kind === 'column' && expr.index === i && columns[i]?.name === node.columns[i]?.name,
  );
}
