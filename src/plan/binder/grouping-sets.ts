/**
 * GROUP BY's elements as a list of grouping sets: plain expressions, ROLLUP, CUBE and GROUPING SETS stand beside each other,
 * so each choice of one set from every element is one set of the query.
 */

import { SqlError } from '../../base/sql-error.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import type { Expr, GroupingElement } from '../../sql/ast.ts';
import { exprKey } from '../expr-tree.ts';

/** The keys of one grouping set. */
export type GroupingSet = readonly BoundExpr[];

/** Binds one expression of GROUP BY; a list in parentheses gives several, a constant none. */
type BindKeys = (expr: Expr) => GroupingSet;

/** PostgreSQL's limits. */
const CUBE_ELEMENTS_MAX = 12;
const SETS_MAX = 4096;

/** All sets in order; without GROUP BY one empty set. `isDistinct`: equal ones once (GROUP BY DISTINCT). */
export function groupingSets(
  elements: readonly GroupingElement[],
  isDistinct: boolean,
  bindKeys: BindKeys,
): readonly GroupingSet[] {
  let sets: readonly GroupingSet[] = [[]];
  for (const element of elements) {
    const own = setsOf(element, bindKeys);
    if (sets.length * own.length > SETS_MAX) {
      throw new SqlError('54001', `too many grouping sets present (maximum ${SETS_MAX})`, {
        position: element.position,
      });
    }
    sets = sets.flatMap((before) => own.map((set) => [...before, ...set]));
  }
  return isDistinct ? withoutRepeats(sets) : sets;
}

/** Every key of any of the sets, once. */
export function keysOfSets(sets: readonly GroupingSet[]): GroupingSet {
  const byKey = new Map(sets.flat().map((expr) => [exprKey(expr), expr]));
  return [...byKey.values()];
}

function setsOf(element: GroupingElement, bindKeys: BindKeys): readonly GroupingSet[] {
  switch (element.kind) {
    case 'group_empty':
      return [[]];
    case 'group_expr':
      return [bindKeys(element.expr)];
    case 'grouping_sets':
      return element.items.flatMap((item) => setsOf(item, bindKeys));
    case 'rollup': {
      const parts = partsOf(element, bindKeys);
      return Array.from({ length: parts.length + 1 }, (_, i) =>
        parts.slice(0, parts.length - i).flat(),
      );
    }
    case 'cube': {
      const parts = partsOf(element, bindKeys);
      if (parts.length > CUBE_ELEMENTS_MAX) {
        const message = `CUBE is limited to ${CUBE_ELEMENTS_MAX} elements`;
        throw new SqlError('54011', message, { position: element.position });
      }
      return Array.from({ length: 2 ** parts.length }, (_, mask) =>
        parts.filter((_part, i) => (mask & (1 << i)) === 0).flat(),
      );
    }
  }
}

/** The elements of ROLLUP and CUBE: each an expression or a list of them. */
function partsOf(
  element: Extract<GroupingElement, { readonly items: unknown }>,
  bindKeys: BindKeys,
): readonly GroupingSet[] {
  return element.items.map((item) => setsOf(item, bindKeys).flat());
}

function withoutRepeats(sets: readonly GroupingSet[]): readonly GroupingSet[] {
  const known = new Set<string>();
  return sets.filter((set) => {
    const key = JSON.stringify([...new Set(set.map(exprKey))].sort());
    if (known.has(key)) return false;
    known.add(key);
    return true;
  });
}
