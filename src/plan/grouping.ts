/**
 * GROUP BY and DISTINCT by SQL equality over operators that compare bytes: keys of types whose equality is coarser
 * (numeric, float8, interval ...) are grouped by their canonical value, and the least member is shown (semantics.md rule 8).
 */

import type { BoundExpr } from '../expr/bound-expr.ts';
import {
  aggregateNode,
  columnOf,
  columnRef,
  pickColumns,
  plainCall,
  range,
  withExpressions,
} from './build.ts';
import { canonicalKey, comparisonOf, hashableSides, needsCanonical } from './expr-facts.ts';
import { aggregateId } from './expr-make.ts';
import { mapColumns } from './expr-tree.ts';
import type { AggregateCall, PlanNode } from './plan-node.ts';

/** Groups by the given columns; output: the keys in order, then the calls. */
export function groupNode(
  input: PlanNode,
  keys: readonly number[],
  calls: readonly (AggregateCall & { readonly name?: string })[],
): PlanNode {
  const coarse = keys.filter((key) => needsCanonical(columnOf(input, key).type));
  if (coarse.length === 0) return aggregateNode(input, keys, calls);
  const canonicals = withExpressions(
    input,
    keys.map((key) => canonicalKey(columnRef(input, key))),
    'canonical',
  );
  const shown = coarse.map((key) => {
    const { name, type } = columnOf(input, key);
    return { ...plainCall(aggregateId('least_of', [type]), [key], type), name };
  });
  const grouped = aggregateNode(canonicals.node, canonicals.indexes, [...calls, ...shown]);
  const shownStart = keys.length + calls.length;
  const keyColumns = keys.map((key, i) => {
    const at = coarse.indexOf(key);
    return at < 0 ? i : shownStart + at;
  });
  return pickColumns(grouped, [...keyColumns, ...range(keys.length, shownStart)]);
}

/** Each distinct row once. */
export function distinctNode(input: PlanNode): PlanNode {
  return groupNode(input, range(0, input.columns.length), []);
}

/**
 * Both sides of `x = column` (bound as `comparison`, the row's value being column 0 of another plan) as byte-comparable
 * keys: x's over its own plan, the value's over the other.
 */
export function canonicalKeys(
  comparison: BoundExpr,
  left: readonly BoundExpr[],
  valueColumn: number,
): readonly [BoundExpr, BoundExpr] | null {
  const parts = comparisonOf(comparison);
  if (parts === null || parts.operator !== '=' || left.length !== 1) return null;
  const sides = hashableSides(parts.left, parts.right);
  if (sides === null) return null;
  const [x, value] = sides;
  return [x, mapColumns(value, () => valueColumn)];
}
