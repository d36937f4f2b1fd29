/**
 * Rule find-top-n: row_number() OVER (PARTITION BY p ORDER BY o) with a filter `rank <= n` above becomes a Top-N.
 *
 * Why: an Over node numbers every row of a partition again when one changes; a Top-N looks at the first n only.
 * Never: for other window functions, with more than one call, or where the bound is not a constant.
 */

import { must } from '../../base/assert.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { filterNode, range, rewritePlan, topNNode } from '../build.ts';
import { comparisonOf } from '../expr-facts.ts';
import { columnsOf, conjunction, conjuncts, mapColumns } from '../expr-tree.ts';
import type { FilterNode, OverNode, PlanNode } from '../plan-node.ts';

export function findTopN(node: PlanNode): PlanNode {
  return rewritePlan(node, (part) => (part.kind === 'filter' ? rankFilter(part) : part));
}

interface Ranked {
  readonly over: OverNode;
  /** Output column of the Over node behind each column of the filter's input. */
  readonly source: readonly (number | null)[];
}

/** The Over node right below, seen through projections of plain columns. */
function rankedInput(node: PlanNode): Ranked | null {
  if (node.kind === 'over') {
    const call = node.calls[0];
    const isRank = node.calls.length === 1 && call?.function === 'row_number';
    return isRank ? { over: node, source: range(0, node.columns.length) } : null;
  }
  if (node.kind !== 'project') return null;
  const below = rankedInput(node.input);
  if (below === null) return null;
  const source = node.expressions.map((expr) =>
    expr.kind === 'column' ? (below.source[expr.index] ?? null) : null,
  );
  return { over: below.over, source };
}

function rankFilter(node: FilterNode): PlanNode {
  const ranked = rankedInput(node.input);
  if (ranked === null) return node;
  const rank = ranked.over.input.columns.length;
  let limit: number | null = null;
  const rest: BoundExpr[] = [];
  for (const part of conjuncts(node.predicate)) {
    const bound = rankBound(part, (index) => ranked.source[index] === rank);
    if (bound === null) rest.push(part);
    else limit = limit === null ? bound : Math.min(limit, bound);
  }
  if (limit === null) return node;
  const replaced = replaceOver(node.input, ranked.over, Math.max(0, limit));
  return filterNode(replaced, conjunction(rest));
}

/** n of `rank <= n`, `rank < n + 1`, `rank = 1` and their mirror images. */
function rankBound(part: BoundExpr, isRank: (index: number) => boolean): number | null {
  const comparison = comparisonOf(part);
  if (comparison === null) return null;
  const sides = [comparison.left, comparison.right].map(withoutWidening);
  const [left, right] = sides as [BoundExpr, BoundExpr];
  const isRankLeft = left.kind === 'column' && isRank(left.index);
  const isRankRight = right.kind === 'column' && isRank(right.index);
  if (isRankLeft === isRankRight) return null;
  const constant = integerOf(isRankLeft ? right : left);
  if (constant === null) return null;
  const { operator } = comparison;
  if (operator === '=' && constant === 1) return 1;
  if (operator === (isRankLeft ? '<=' : '>=')) return constant;
  if (operator === (isRankLeft ? '<' : '>')) return constant - 1;
  return null;
}

function withoutWidening(expr: BoundExpr): BoundExpr {
  const inner = expr.kind === 'call' && expr.args.length === 1 ? expr.args[0] : undefined;
  const isCast = expr.kind === 'call' && /^(int8|numeric)\((int2|int4|int8)\)$/.test(expr.function);
  return isCast && inner !== undefined ? inner : expr;
}

function integerOf(expr: BoundExpr): number | null {
  if (expr.kind !== 'literal' || expr.text === null || !/^-?\d{1,9}$/.test(expr.text)) return null;
  return Number(expr.text);
}

function replaceOver(node: PlanNode, over: OverNode, limit: number): PlanNode {
  if (node === over) {
    const { partition, order } = over;
    const rankName = must(over.columns.at(-1)).name;
    return topNNode(over.input, { partition, order, limit, withRank: true, rankName });
  }
  if (node.kind !== 'project') return node;
  return { ...node, input: replaceOver(node.input, over, limit) };
}

/**
 * A Top-N whose rank nobody reads needs no rank: its rows then change only when they enter or leave. Run after pruning
 * knows which columns are read, which is here where a Project above leaves it out.
 */
export function dropUnreadRank(node: PlanNode): PlanNode {
  return rewritePlan(node, (part) => {
    if (part.kind !== 'project' || part.input.kind !== 'top_n' || !part.input.withRank) return part;
    const top = part.input;
    const rank = top.columns.length - 1;
    const isRead = part.expressions.some((expr) => columnsOf(expr).has(rank));
    if (isRead) return part;
    const { partition, order, limit, offset } = top;
    const input = topNNode(top.input, { partition, order, limit, offset });
    const expressions = part.expressions.map((expr) => mapColumns(expr, (index) => index));
    return { ...part, input, expressions };
  });
}
