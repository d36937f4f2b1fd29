/**
 * Placeholders: what stands in a bound expression for something that gets its column only later. They are calls whose
 * function begins with `$`, so that every walk over expressions works on them; none is left in a finished plan.
 *
 * - `$outer:S:I`  column I of the FROM clause of the enclosing query with scope number S (a correlated reference)
 * - `$subquery:N` subquery N of the statement's arena
 * - `$aggregate:N`, `$window:N`, `$grouping:N` aggregate, window call or GROUPING N of the query being bound
 */

import { assert } from '../base/assert.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import type { DataType } from '../types/data-type.ts';
import { expressionsOf, inputsOf, mapExpressions, mapInputs } from './build.ts';
import { replaceExpr, visitExpr } from './expr-tree.ts';
import type { PlanNode } from './plan-node.ts';

export type NumberedKind = 'subquery' | 'aggregate' | 'window' | 'grouping';

export interface OuterReference {
  readonly scope: number;
  readonly column: number;
  readonly type: DataType;
}

function placeholder(name: string, type: DataType, position?: number): BoundExpr {
  const call = { kind: 'call', function: name, args: [], type } as const;
  return position === undefined ? call : { ...call, position };
}

export function outerReference(
  scope: number,
  column: number,
  type: DataType,
  position?: number,
): BoundExpr {
  return placeholder(`$outer:${scope}:${column}`, type, position);
}

export function numberedPlaceholder(
  kind: NumberedKind,
  number: number,
  type: DataType,
  position?: number,
): BoundExpr {
  return placeholder(`$${kind}:${number}`, type, position);
}

/** The number of a placeholder of that kind; undefined where `expr` is something else. */
export function placeholderNumber(expr: BoundExpr, kind: NumberedKind): number | undefined {
  const prefix = `$${kind}:`;
  if (expr.kind !== 'call' || !expr.function.startsWith(prefix)) return undefined;
  return Number(expr.function.slice(prefix.length));
}

export function asOuterReference(expr: BoundExpr): OuterReference | undefined {
  if (expr.kind !== 'call' || !expr.function.startsWith('$outer:')) return undefined;
  const [, scope, column] = expr.function.split(':');
  return { scope: Number(scope), column: Number(column), type: expr.type };
}

/** Correlated references of a plan, each once, that `wanted` accepts. */
export function outerReferencesOf(
  node: PlanNode,
  wanted: (reference: OuterReference) => boolean,
): readonly OuterReference[] {
  const found = new Map<string, OuterReference>();
  collectOuter(node, wanted, found);
  return [...found.values()];
}

function collectOuter(
  node: PlanNode,
  wanted: (reference: OuterReference) => boolean,
  into: Map<string, OuterReference>,
): void {
  for (const expr of expressionsOf(node)) {
    visitExpr(expr, (part) => {
      const reference = asOuterReference(part);
      if (reference === undefined || !wanted(reference)) return;
      into.set(`${reference.scope}:${reference.column}`, reference);
    });
  }
  for (const input of inputsOf(node)) collectOuter(input, wanted, into);
}

export function hasOuterReference(
  node: PlanNode,
  wanted: (reference: OuterReference) => boolean,
): boolean {
  return outerReferencesOf(node, wanted).length > 0;
}

/** Every correlated reference in the plan's expressions replaced, where `f` gives something. */
export function replaceOuter(
  node: PlanNode,
  f: (reference: OuterReference) => BoundExpr | undefined,
): PlanNode {
  const mapped = mapInputs(node, (input) => replaceOuter(input, f));
  return mapExpressions(mapped, (expr) => replaceOuterInExpr(expr, f));
}

export function replaceOuterInExpr(
  expr: BoundExpr,
  f: (reference: OuterReference) => BoundExpr | undefined,
): BoundExpr {
  return replaceExpr(expr, (part) => {
    const reference = asOuterReference(part);
    return reference === undefined ? undefined : f(reference);
  });
}

/** A finished plan holds none. */
export function assertNoPlaceholders(node: PlanNode): void {
  for (const expr of expressionsOf(node)) {
    visitExpr(expr, (part) => {
      const isLeft = part.kind === 'call' && part.function.startsWith('$');
      assert(!isLeft, `placeholder ${part.kind === 'call' ? part.function : ''} left in a plan`);
    });
  }
  for (const input of inputsOf(node)) assertNoPlaceholders(input);
}
