/**
 * Subqueries in expressions. Binding an expression leaves a placeholder for each; when the expression is put on a plan,
 * `attach` joins the subquery to that plan and gives the expression over the joined columns.
 *
 * - scalar      LEFT JOIN; a second row is an error at run time (21000)
 * - EXISTS      LEFT JOIN with the distinct outer values that have a row
 * - x IN (...)  LEFT JOIN with the distinct values (found?), and with counts (empty? holds a NULL?)
 * - x op ANY/ALL, row IN: bool_or / bool_and of the comparison over the rows, with SQL's NULLs
 * - ARRAY(...)  LEFT JOIN with array_agg
 *
 * A WHERE that is a plain [NOT] EXISTS or IN becomes a semi or anti join (`attachPredicate`).
 */

import { must, unreachable } from '../../base/assert.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { BOOL, type DataType, INT8 } from '../../types/data-type.ts';
import {
  aggregateNode,
  appendColumns,
  columnRef,
  filterNode,
  joinNode,
  pickColumns,
  plainCall,
  projectNode,
  range,
  topNNode,
  withExpressions,
} from '../build.ts';
import { dependentRows } from '../decorrelate.ts';
import { canFail } from '../expr-facts.ts';
import { aggregateId, functionCall, singleRowCheck } from '../expr-make.ts';
import {
  conjunction,
  conjuncts,
  FALSE,
  isNullTest,
  mapChildren,
  mapColumns,
  notExpr,
  substituteColumns,
  TRUE,
} from '../expr-tree.ts';
import { canonicalKeys } from '../grouping.ts';
import { type NotNullLookup, neverNull, neverNullColumn } from '../nullability.ts';
import {
  hasOuterReference,
  type OuterReference,
  outerReference,
  placeholderNumber,
  replaceOuterInExpr,
} from '../placeholder.ts';
import type { PlanNode, SortKey } from '../plan-node.ts';

export interface BoundSubquery {
  readonly kind: 'scalar' | 'exists' | 'in' | 'any' | 'all' | 'array';
  /** The subquery's plan; its first `width` columns are its result. */
  readonly plan: PlanNode;
  readonly width: number;
  /** ARRAY(... ORDER BY): over the plan's columns. */
  readonly order: readonly SortKey[];
  /** IN, ANY, ALL: the left side. */
  readonly left: readonly BoundExpr[];
  /** The comparison of left values with a row's. */
  readonly compare: ((left: readonly BoundExpr[], row: readonly BoundExpr[]) => BoundExpr) | null;
  readonly type: DataType;
}

/** Which column of the plan an outer reference means; undefined: a query further out. */
export type Locate = (reference: OuterReference) => number | undefined;

export class SubqueryAttacher {
  readonly #subqueries: readonly BoundSubquery[];
  readonly #newScope: () => number;
  readonly #declaredNotNull: NotNullLookup;

  constructor(
    subqueries: readonly BoundSubquery[],
    newScope: () => number,
    declaredNotNull: NotNullLookup,
  ) {
    this.#subqueries = subqueries;
    this.#newScope = newScope;
    this.#declaredNotNull = declaredNotNull;
  }

  /** Puts expressions on a plan: their subqueries are joined to it. Columns of `plan` keep their numbers. */
  attachAll(
    plan: PlanNode,
    expressions: readonly BoundExpr[],
    locate: Locate,
  ): { readonly plan: PlanNode; readonly expressions: readonly BoundExpr[] } {
    let current = plan;
    const attached = expressions.map((expr) =>
      this.#attachIn(expr, (subquery) => {
        const result = this.#attach(current, subquery, locate);
        current = result.plan;
        return result.expr;
      }),
    );
    return { plan: current, expressions: attached };
  }

  /** A filter on the plan; plain [NOT] EXISTS and IN among its parts become semi and anti joins. */
  filter(plan: PlanNode, predicate: BoundExpr | null, locate: Locate): PlanNode {
    const width = plan.columns.length;
    const plain: BoundExpr[] = [];
    const joins: { readonly subquery: BoundSubquery; readonly isNegated: boolean }[] = [];
    for (const part of conjuncts(predicate)) {
      const join = this.#semiJoinOf(part);
      if (join === null) plain.push(part);
      else joins.push(join);
    }
    let current = plan;
    const independent = plain.filter((part) => !this.#holdsSubquery(part));
    current = filterNode(current, conjunction(independent));
    const late: BoundExpr[] = plain.filter((part) => this.#holdsSubquery(part));
    for (const { subquery, isNegated } of joins) {
      const joined = this.#semiJoin(current, subquery, isNegated, locate);
      if (joined !== null) current = joined;
      else {
        const { plan: next, expr } = this.#attach(current, subquery, locate);
        current = pickColumns(filterNode(next, isNegated ? notExpr(expr) : expr), range(0, width));
      }
    }
    for (const part of late) {
      const { plan: next, expressions } = this.attachAll(current, [part], locate);
      current = pickColumns(filterNode(next, must(expressions[0])), range(0, width));
    }
    return current;
  }

  #holdsSubquery(expr: BoundExpr): boolean {
    let holds = false;
    this.#attachIn(expr, () => {
      holds = true;
      return TRUE;
    });
    return holds;
  }

  /** Replaces every subquery placeholder in `expr`, the left sides of IN first. */
  #attachIn(expr: BoundExpr, f: (subquery: BoundSubquery) => BoundExpr): BoundExpr {
    const number = placeholderNumber(expr, 'subquery');
    if (number === undefined) return mapChildren(expr, (part) => this.#attachIn(part, f));
    const subquery = must(this.#subqueries[number]);
    const left = subquery.left.map((part) => this.#attachIn(part, f));
    return f({ ...subquery, left });
  }

  #attach(plan: PlanNode, subquery: BoundSubquery, locate: Locate): Attached {
    const mapped = mapLeft(subquery, locate, plan);
    switch (mapped.kind) {
      case 'scalar':
        return attachScalar(plan, mapped, locate);
      case 'exists':
        return attachExists(plan, mapped, locate);
      case 'in':
        return (
          attachIn(plan, mapped, locate) ??
          this.#attachQuantified(plan, { ...mapped, kind: 'any' }, locate)
        );
      case 'any':
      case 'all':
        return this.#attachQuantified(plan, mapped, locate);
      case 'array':
        return attachArray(plan, mapped, locate);
      default:
        return unreachable(mapped.kind);
    }
  }

  /** The comparison is put into the subquery, whose left side it reads as outer columns, and folded there. */
  #attachQuantified(plan: PlanNode, subquery: BoundSubquery, locate: Locate): Attached {
    const scope = this.#newScope();
    const { node: outer, indexes } = withExpressions(plan, subquery.left);
    const left = indexes.map((index) => outerReference(scope, index, columnRef(outer, index).type));
    const row = range(0, subquery.width).map((index) => columnRef(subquery.plan, index));
    const compare = must(subquery.compare)(left, row);
    const compared = projectNode(subquery.plan, [
      { name: 'p', expr: compare },
      { name: 'p_is_null', expr: isNullTest(compare) },
    ]);
    const fold = subquery.kind === 'all' ? 'bool_and' : 'bool_or';
    const counted = { ...plainCall('count()', [], INT8), filter: 1 };
    const folded = aggregateNode(
      compared,
      [],
      [plainCall(aggregateId(fold, [BOOL]), [0], BOOL), counted],
    );
    const isOwn: Locate = (r) => (r.scope === scope ? r.column : locate(r));
    const joined = joinDependent(outer, folded, isOwn, true);
    const result = columnRef(joined.plan, joined.start);
    const nulls = columnRef(joined.plan, joined.start + 1);
    const decisive = subquery.kind === 'all' ? 'false' : 'true';
    const zero: BoundExpr = { kind: 'literal', text: '0', type: INT8 };
    const expr: BoundExpr = {
      kind: 'case',
      branches: [
        {
          condition: { kind: 'is', test: decisive, negated: false, arg: result, type: BOOL },
          result: decisive === 'true' ? TRUE : FALSE,
        },
        {
          condition: functionCall('>', [nulls, zero]),
          result: { kind: 'literal', text: null, type: BOOL },
        },
      ],
      otherwise: decisive === 'true' ? FALSE : TRUE,
      type: BOOL,
    };
    return { plan: joined.plan, expr };
  }

  #semiJoinOf(part: BoundExpr): { subquery: BoundSubquery; isNegated: boolean } | null {
    const isNegated = part.kind === 'not';
    const number = placeholderNumber(isNegated ? part.arg : part, 'subquery');
    if (number === undefined) return null;
    const subquery = must(this.#subqueries[number]);
    if (subquery.kind !== 'exists' && subquery.kind !== 'in') return null;
    if (subquery.left.some((left) => this.#holdsSubquery(left))) return null;
    return { subquery, isNegated };
  }

  /** null: NOT IN whose sides may be NULL, which a join alone does not answer. */
  #semiJoin(
    plan: PlanNode,
    unmapped: BoundSubquery,
    isNegated: boolean,
    locate: Locate,
  ): PlanNode | null {
    const subquery = mapLeft(unmapped, locate, plan);
    if (isNegated && subquery.kind === 'in') {
      const declared = this.#declaredNotNull;
      const leftIsSure = subquery.left.every((left) => neverNull(left, plan, declared));
      const rightIsSure = range(0, subquery.width).every((i) =>
        neverNullColumn(subquery.plan, i, declared),
      );
      if (!leftIsSure || !rightIsSure) return null;
    }
    const kind = isNegated ? 'anti' : 'semi';
    const width = plan.columns.length;
    const { core, on, result } = pullUpFilters(subquery);
    const compare =
      subquery.kind === 'in'
        ? [
            must(subquery.compare)(
              subquery.left,
              result.map((expr) => shift(expr, width)),
            ),
          ]
        : [];
    const isLocal = (r: OuterReference): boolean => locate(r) !== undefined;
    if (!hasOuterReference(core, isLocal)) {
      const conditions = on.map((part) => locateIn(shift(part, width), plan, locate));
      const residual = conjunction([...conditions, ...compare]);
      return joinNode(kind, plan, core, { residual });
    }
    const { node, outerColumns } = dependentRows(subquery.plan, plan, locate);
    const row = range(0, subquery.width).map((i) => shift(columnRef(node, i), width));
    const start = node.columns.length - outerColumns.length;
    return joinNode(kind, plan, node, {
      leftKeys: outerColumns,
      rightKeys: range(start, node.columns.length),
      nullsEqual: true,
      residual: subquery.compare === null ? null : subquery.compare(subquery.left, row),
    });
  }
}

interface Attached {
  readonly plan: PlanNode;
  readonly expr: BoundExpr;
}

/** References in the left side that mean this plan's columns become columns. */
function mapLeft(subquery: BoundSubquery, locate: Locate, plan: PlanNode): BoundSubquery {
  return { ...subquery, left: subquery.left.map((expr) => locateIn(expr, plan, locate)) };
}

function locateIn(expr: BoundExpr, plan: PlanNode, locate: Locate): BoundExpr {
  return replaceOuterInExpr(expr, (reference) => {
    const column = locate(reference);
    return column === undefined ? undefined : columnRef(plan, column);
  });
}

function shift(expr: BoundExpr, by: number): BoundExpr {
  return mapColumns(expr, (index) => index + by);
}

/** Takes filters off the top of a subquery whose only use is whether rows are there; projections are seen through. */
function pullUpFilters(subquery: BoundSubquery): {
  readonly core: PlanNode;
  readonly on: readonly BoundExpr[];
  readonly result: readonly BoundExpr[];
} {
  let core = subquery.plan;
  let result: readonly BoundExpr[] = range(0, subquery.width).map((i) => columnRef(core, i));
  const on: BoundExpr[] = [];
  for (;;) {
    if (core.kind === 'project') {
      const { expressions } = core;
      const isPlain = expressions.every((expr) => !canFail(expr));
      if (!isPlain) return { core, on, result };
      const inline = (expr: BoundExpr): BoundExpr =>
        substituteColumns(expr, (index) => must(expressions[index]));
      result = result.map(inline);
      on.splice(0, on.length, ...on.map(inline));
      core = core.input;
    } else if (core.kind === 'filter') {
      const parts = conjuncts(core.predicate);
      const dependent = parts.filter(readsOuter);
      if (dependent.length === 0 || parts.some(canFail)) return { core, on, result };
      on.push(...dependent);
      core = filterNode(core.input, conjunction(parts.filter((part) => !readsOuter(part))));
      if (core.kind === 'filter') return { core, on, result };
    } else return { core, on, result };
  }
}

function readsOuter(expr: BoundExpr): boolean {
  let reads = false;
  replaceOuterInExpr(expr, () => {
    reads = true;
    return undefined;
  });
  return reads;
}

/** Joins a subquery's plan to the outer one, on the outer columns that it reads. Its columns start at `start`. */
export function joinDependent(
  plan: PlanNode,
  inner: PlanNode,
  locate: Locate,
  alwaysOneRow: boolean,
): { readonly plan: PlanNode; readonly start: number } {
  const { node, outerColumns } = dependentRows(inner, plan, locate);
  const start = plan.columns.length;
  if (outerColumns.length === 0) {
    return { plan: joinNode(alwaysOneRow ? 'inner' : 'left', plan, node), start };
  }
  const keys = range(node.columns.length - outerColumns.length, node.columns.length);
  const joined = joinNode(alwaysOneRow ? 'inner' : 'left', plan, node, {
    leftKeys: outerColumns,
    rightKeys: keys,
    nullsEqual: true,
  });
  return { plan: joined, start };
}

function attachScalar(plan: PlanNode, subquery: BoundSubquery, locate: Locate): Attached {
  const isOneRow = givesOneRow(subquery.plan);
  const inner = pickColumns(subquery.plan, [0]);
  const checked = isOneRow || givesAtMostOneRow(subquery.plan) ? inner : singleRow(inner);
  const joined = joinDependent(plan, checked, locate, isOneRow);
  return { plan: joined.plan, expr: columnRef(joined.plan, joined.start) };
}

/** Passes the row of a one-row input; a second row is an error when it is there (21000). */
function singleRow(inner: PlanNode): PlanNode {
  const ranked = topNNode(inner, { limit: 2, withRank: true });
  const rank = columnRef(ranked, ranked.columns.length - 1);
  return pickColumns(filterNode(ranked, singleRowCheck(rank)), range(0, inner.columns.length));
}

function givesOneRow(node: PlanNode): boolean {
  if (node.kind === 'project') return givesOneRow(node.input);
  if (node.kind === 'aggregate') return node.keys.length === 0;
  return node.kind === 'values' && node.rows.length === 1;
}

function givesAtMostOneRow(node: PlanNode): boolean {
  switch (node.kind) {
    case 'project':
    case 'filter':
      return givesAtMostOneRow(node.input);
    case 'top_n':
      return node.partition.length === 0 && node.limit !== null && node.limit <= 1;
    default:
      return givesOneRow(node);
  }
}

function attachExists(plan: PlanNode, subquery: BoundSubquery, locate: Locate): Attached {
  const marked = projectNode(subquery.plan, [{ name: 'mark', expr: TRUE }]);
  const { node, outerColumns } = dependentRows(marked, plan, locate);
  const found =
    outerColumns.length === 0
      ? topNNode(node, { limit: 1 })
      : aggregateNode(node, range(0, node.columns.length));
  const start = plan.columns.length;
  const joined = joinNode('left', plan, found, {
    leftKeys: outerColumns,
    rightKeys: range(1, 1 + outerColumns.length),
    nullsEqual: outerColumns.length > 0,
  });
  return { plan: joined, expr: isNullTest(columnRef(joined, start), true) };
}

function attachArray(plan: PlanNode, subquery: BoundSubquery, locate: Locate): Attached {
  const element = must(subquery.plan.columns[0]).type;
  const call = {
    ...plainCall(aggregateId('array_agg', [element]), [0], subquery.type),
    orderBy: subquery.order,
  };
  const gathered = aggregateNode(subquery.plan, [], [call]);
  const joined = joinDependent(plan, gathered, locate, true);
  const empty: BoundExpr = { kind: 'literal', text: '{}', type: subquery.type };
  const args = [columnRef(joined.plan, joined.start), empty];
  return { plan: joined.plan, expr: { kind: 'coalesce', args, type: subquery.type } };
}

/** x IN (subquery) as a value: true, false or NULL; null: the values do not meet as hash keys. */
function attachIn(plan: PlanNode, subquery: BoundSubquery, locate: Locate): Attached | null {
  const { left, compare } = subquery;
  if (left.length !== 1) return null;
  const { node: rows, outerColumns } = dependentRows(pickColumns(subquery.plan, [0]), plan, locate);
  const keys = canonicalKeys(must(compare)(left, [columnRef(rows, 0)]), left, 0);
  if (keys === null) return null;
  const [x, value] = keys;
  const domain = range(1, rows.columns.length).map((index) => columnRef(rows, index));

  const present = filterNode(rows, isNullTest(columnRef(rows, 0), true));
  const marked = projectNode(
    present,
    [value, ...domain, TRUE].map((expr) => ({ name: 'key', expr })),
  );
  // By identity: `value` is canonical, and the outer columns are joined back as they are (1.0 and 1.00 are two).
  const keyed = aggregateNode(marked, range(0, marked.columns.length));
  const count = outerColumns.length;
  const outer = withExpressions(plan, [x]);
  const matched = joinNode('left', outer.node, keyed, {
    leftKeys: [...outer.indexes, ...outerColumns],
    rightKeys: range(0, 1 + count),
    nullsEqual: true,
  });
  const mark = columnRef(matched, outer.node.columns.length + 1 + count);

  const nullMarked = appendColumns(rows, [
    { name: 'is_null', expr: isNullTest(columnRef(rows, 0)) },
  ]);
  const counts = aggregateNode(nullMarked, range(1, 1 + count), [
    plainCall('count()', [], INT8),
    { ...plainCall('count()', [], INT8), filter: 1 + count },
  ]);
  const start = matched.columns.length;
  const joined = joinNode(count === 0 ? 'inner' : 'left', matched, counts, {
    leftKeys: outerColumns,
    rightKeys: range(0, count),
    nullsEqual: count > 0,
  });
  const total = columnRef(joined, start + count);
  const nulls = columnRef(joined, start + count + 1);
  return {
    plan: joined,
    expr: inResult(mark, columnRef(joined, must(outer.indexes[0])), total, nulls),
  };
}

function inResult(mark: BoundExpr, x: BoundExpr, total: BoundExpr, nulls: BoundExpr): BoundExpr {
  const zero: BoundExpr = { kind: 'literal', text: '0', type: INT8 };
  const isEmpty: BoundExpr = {
    kind: 'or',
    args: [isNullTest(total), functionCall('=', [total, zero])],
    type: BOOL,
  };
  const isUnsure: BoundExpr = {
    kind: 'or',
    args: [isNullTest(x), functionCall('>', [nulls, zero])],
    type: BOOL,
  };
  return {
    kind: 'case',
    branches: [
      { condition: isNullTest(mark, true), result: TRUE },
      { condition: isEmpty, result: FALSE },
      { condition: isUnsure, result: { kind: 'literal', text: null, type: BOOL } },
    ],
    otherwise: FALSE,
    type: BOOL,
  };
}
