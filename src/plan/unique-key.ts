/** A sink's plan with at most one row of each key, where the query's own rows don't promise that (semantics.md rule 31). */

import { appendColumns, columnOf, columnRef, pickColumns, range } from './build.ts';
import type { PlannerContext } from './context.ts';
import { canonicalKey, needsCanonical } from './expr-facts.ts';
import type { OnDuplicateKey, PlanNode, StreamPlan } from './plan-node.ts';
import { catalogProperties, propertiesOf, unboundedState, withProperties } from './properties.ts';
import { defaultOnError } from './stream.ts';

/** Keys are the same where they are equal in SQL, as in GROUP BY; NULLs are one value. */
export function withUniqueKey(
  plan: StreamPlan,
  unique: { readonly columns: readonly number[]; readonly onDuplicate: OnDuplicateKey },
  { catalog }: PlannerContext,
): StreamPlan {
  const { columns, onDuplicate } = unique;
  const unchecked = uniqueKeyNode(plan.node, columns, onDuplicate);
  const node = withProperties(unchecked, catalogProperties(catalog));
  return {
    ...plan,
    node,
    key: propertiesOf(node).key,
    onError: defaultOnError(node),
    notices: [...new Set(unboundedState(node))],
  };
}

function uniqueKeyNode(
  query: PlanNode,
  key: readonly number[],
  onDuplicate: OnDuplicateKey,
): PlanNode {
  const width = query.columns.length;
  const coarse = key.filter((column) => needsCanonical(columnOf(query, column).type));
  const canonical = coarse.map((column) => ({
    name: 'canonical',
    expr: canonicalKey(columnRef(query, column)),
  }));
  const input = appendColumns(query, canonical);
  const partition = key.map((column) => {
    const at = coarse.indexOf(column);
    return at < 0 ? column : width + at;
  });
  const { columns } = input;
  const unique = { kind: 'unique_key', input, key, partition, onDuplicate, columns } as const;
  return pickColumns(unique, range(0, width));
}
