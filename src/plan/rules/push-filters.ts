/**
 * Rule push-filters: moves the parts of WHERE and ON as far down as they may go, and makes equalities between the two
 * sides of a join its hash keys.
 *
 * Why: a cross join with a filter above is quadratic; a filter below a join or aggregate keeps its state small.
 * Never: below an outer join's side that it may not judge; below a window (late rows are judged before the filter, as
 * written); a fallible predicate below anything that could have removed the row first (semantics.md rule 11); a volatile
 * one anywhere.
 */

import { must } from '../../base/assert.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { filterNode, mapInputs, pickColumns, range, withExpressions } from '../build.ts';
import { canFail, equalityKeys, isVolatile } from '../expr-facts.ts';
import {
  columnsOf,
  conjunction,
  conjuncts,
  mapColumns,
  substituteColumns,
  TRUE,
} from '../expr-tree.ts';
import type { JoinNode, PlanNode } from '../plan-node.ts';

/** The plan with every filter where it belongs. */
export function pushFilters(node: PlanNode): PlanNode {
  return push(node, []);
}

function push(node: PlanNode, predicates: readonly BoundExpr[]): PlanNode {
  switch (node.kind) {
    case 'filter':
      return push(node.input, [...conjuncts(node.predicate).filter(isNotTrue), ...predicates]);
    case 'project': {
      const [down, stay] = split(predicates, (p) => canPassProject(p, node.expressions));
      const below = down.map((p) => substituteColumns(p, (i) => must(node.expressions[i])));
      return stayAbove({ ...node, input: push(node.input, below) }, stay);
    }
    case 'join':
      return pushIntoJoin(node, predicates);
    case 'aggregate': {
      const isOnKeys = (p: BoundExpr): boolean =>
        node.keys.length > 0 && movesFreely(p) && isWithin(p, 0, node.keys.length);
      const [down, stay] = split(predicates, isOnKeys);
      const below = down.map((p) => mapColumns(p, (index) => must(node.keys[index])));
      return stayAbove({ ...node, input: push(node.input, below) }, stay);
    }
    case 'union': {
      const [down, stay] = split(predicates, (p) => !isVolatile(p));
      return stayAbove({ ...node, inputs: node.inputs.map((input) => push(input, down)) }, stay);
    }
    case 'top_n':
    case 'over': {
      const isOnPartition = (p: BoundExpr): boolean =>
        movesFreely(p) && [...columnsOf(p)].every((index) => node.partition.includes(index));
      const [down, stay] = split(predicates, isOnPartition);
      return stayAbove({ ...node, input: push(node.input, down) }, stay);
    }
    case 'table_function': {
      const width = node.input.columns.length;
      const [down, stay] = split(predicates, (p) => movesFreely(p) && isWithin(p, 0, width));
      return stayAbove({ ...node, input: push(node.input, down) }, stay);
    }
    default:
      return stayAbove(mapInputs(node, pushFilters), predicates);
  }
}

function isNotTrue(expr: BoundExpr): boolean {
  return !(expr.kind === 'literal' && expr.text === TRUE_TEXT);
}
const TRUE_TEXT = TRUE.kind === 'literal' ? TRUE.text : 't';

function stayAbove(node: PlanNode, predicates: readonly BoundExpr[]): PlanNode {
  return filterNode(node, conjunction(predicates));
}

/** Splits a conjunction into what goes and what stays; what stands behind a part that stays may have been guarded by it. */
function split(
  predicates: readonly BoundExpr[],
  goes: (predicate: BoundExpr) => boolean,
): readonly [readonly BoundExpr[], readonly BoundExpr[]] {
  const down: BoundExpr[] = [];
  const stay: BoundExpr[] = [];
  for (const predicate of predicates) {
    const isGuarded = stay.length > 0 && canFail(predicate);
    (goes(predicate) && !isGuarded ? down : stay).push(predicate);
  }
  return [down, stay];
}

function movesFreely(predicate: BoundExpr): boolean {
  return !isVolatile(predicate) && !canFail(predicate);
}

function isWithin(predicate: BoundExpr, from: number, to: number): boolean {
  return [...columnsOf(predicate)].every((index) => index >= from && index < to);
}

/** A predicate may be evaluated below where what it reads is a plain column or cannot fail. */
function canPassProject(predicate: BoundExpr, expressions: readonly BoundExpr[]): boolean {
  if (isVolatile(predicate)) return false;
  return [...columnsOf(predicate)].every((index) => movesFreely(must(expressions[index])));
}

function pushIntoJoin(node: JoinNode, predicates: readonly BoundExpr[]): PlanNode {
  const width = node.left.columns.length;
  const total = width + node.right.columns.length;
  const { joinKind } = node;
  const isLeftOf = (p: BoundExpr): boolean => movesFreely(p) && isWithin(p, 0, width);
  const isRightOf = (p: BoundExpr): boolean => movesFreely(p) && isWithin(p, width, total);
  const whereGoesLeft = joinKind !== 'right' && joinKind !== 'full';
  const whereGoesRight = joinKind === 'inner' || joinKind === 'right';
  const onGoesLeft = joinKind === 'inner' || joinKind === 'right' || joinKind === 'semi';
  const onGoesRight = joinKind !== 'right' && joinKind !== 'full';

  let on = conjuncts(node.residual).filter(isNotTrue);
  let where = predicates;
  let left: readonly BoundExpr[] = [];
  let right: readonly BoundExpr[] = [];
  if (joinKind === 'inner') {
    const [joined, stay] = split(where, (p) => !isVolatile(p));
    on = [...on, ...joined];
    where = stay;
  }
  if (whereGoesLeft) [left, where] = split(where, isLeftOf);
  if (whereGoesRight) {
    const [down, stay] = split(where, isRightOf);
    right = down;
    where = stay;
  }
  if (onGoesLeft) {
    const [down, stay] = split(on, isLeftOf);
    left = [...left, ...down];
    on = [...stay];
  }
  if (onGoesRight) {
    const [down, stay] = split(on, isRightOf);
    right = [...right, ...down];
    on = [...stay];
  }
  const rightOwn = right.map((p) => mapColumns(p, (index) => index - width));
  const pushed: JoinNode = {
    ...node,
    left: push(node.left, left),
    right: push(node.right, rightOwn),
    residual: conjunction(on),
  };
  return stayAbove(withHashKeys(pushed), where);
}

/** Equalities of the residual become keys; computed keys get a column on their side, dropped again above. */
export function withHashKeys(node: JoinNode): PlanNode {
  if (node.nullsEqual) return node;
  const width = node.left.columns.length;
  const total = width + node.right.columns.length;
  const leftKeys: BoundExpr[] = [];
  const rightKeys: BoundExpr[] = [];
  const rest: BoundExpr[] = [];
  for (const part of conjuncts(node.residual)) {
    const keys = rest.some(canFail) ? null : equalityKeys(part);
    if (keys === null || !keys.every(movesFreely)) {
      rest.push(part);
      continue;
    }
    const [a, b] = keys;
    const isSided = columnsOf(a).size > 0 && columnsOf(b).size > 0;
    if (isSided && isWithin(a, 0, width) && isWithin(b, width, total)) {
      leftKeys.push(a);
      rightKeys.push(mapColumns(b, (index) => index - width));
    } else if (isSided && isWithin(b, 0, width) && isWithin(a, width, total)) {
      leftKeys.push(b);
      rightKeys.push(mapColumns(a, (index) => index - width));
    } else rest.push(part);
  }
  if (leftKeys.length === 0) return node;
  return joinOnExpressions({ ...node, residual: conjunction(rest) }, leftKeys, rightKeys);
}

/** The join with more keys, given as expressions over each side; its output columns stay the same. */
export function joinOnExpressions(
  node: JoinNode,
  leftKeys: readonly BoundExpr[],
  rightKeys: readonly BoundExpr[],
): PlanNode {
  const width = node.left.columns.length;
  const rightWidth = node.right.columns.length;
  const left = withExpressions(node.left, leftKeys, 'key');
  const right = withExpressions(node.right, rightKeys, 'key');
  const added = left.node.columns.length - width;
  const isHalf = node.joinKind === 'semi' || node.joinKind === 'anti';
  const { residual } = node;
  const joined: JoinNode = {
    ...node,
    left: left.node,
    right: right.node,
    leftKeys: [...node.leftKeys, ...left.indexes],
    rightKeys: [...node.rightKeys, ...right.indexes],
    residual:
      residual === null || added === 0
        ? residual
        : mapColumns(residual, (index) => (index >= width ? index + added : index)),
    columns: isHalf ? left.node.columns : [...left.node.columns, ...right.node.columns],
  };
  const own = range(0, width);
  const rightStart = width + added;
  const kept = isHalf ? own : [...own, ...range(rightStart, rightStart + rightWidth)];
  return pickColumns(joined, kept);
}
