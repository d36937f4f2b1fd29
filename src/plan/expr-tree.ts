/** Walking and rewriting bound expressions. Every function is O(size of the expression). */

import { unreachable } from '../base/assert.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import { BOOL } from '../types/data-type.ts';

/** The direct parts of an expression, in order of evaluation. */
export function children(expr: BoundExpr): readonly BoundExpr[] {
  switch (expr.kind) {
    case 'column':
    case 'literal':
    case 'parameter':
    case 'now':
      return [];
    case 'call':
    case 'and':
    case 'or':
    case 'coalesce':
      return expr.args;
    case 'not':
    case 'is':
      return [expr.arg];
    case 'case': {
      const parts = expr.branches.flatMap((branch) => [branch.condition, branch.result]);
      return expr.otherwise === null ? parts : [...parts, expr.otherwise];
    }
    case 'array':
      return expr.elements;
    default:
      return unreachable(expr);
  }
}

/** The expression with `f` applied to its direct parts; the same object where none changed. */
export function mapChildren(expr: BoundExpr, f: (part: BoundExpr) => BoundExpr): BoundExpr {
  switch (expr.kind) {
    case 'column':
    case 'literal':
    case 'parameter':
    case 'now':
      return expr;
    case 'call':
    case 'and':
    case 'or':
    case 'coalesce': {
      const args = mapList(expr.args, f);
      return args === expr.args ? expr : { ...expr, args };
    }
    case 'not':
    case 'is': {
      const arg = f(expr.arg);
      return arg === expr.arg ? expr : { ...expr, arg };
    }
    case 'case':
      return {
        ...expr,
        branches: expr.branches.map(({ condition, result }) => ({
          condition: f(condition),
          result: f(result),
        })),
        otherwise: expr.otherwise === null ? null : f(expr.otherwise),
      };
    case 'array': {
      const elements = mapList(expr.elements, f);
      return elements === expr.elements ? expr : { ...expr, elements };
    }
    default:
      return unreachable(expr);
  }
}

function mapList(
  list: readonly BoundExpr[],
  f: (part: BoundExpr) => BoundExpr,
): readonly BoundExpr[] {
  const mapped = list.map(f);
  return mapped.every((part, index) => part === list[index]) ? list : mapped;
}

/** Bottom up: parts first, then `f` on the rebuilt expression. */
export function rewriteExpr(expr: BoundExpr, f: (expr: BoundExpr) => BoundExpr): BoundExpr {
  return f(mapChildren(expr, (part) => rewriteExpr(part, f)));
}

/** Top down: where `f` gives an expression it is taken as it is, else the parts are looked at. */
export function replaceExpr(
  expr: BoundExpr,
  f: (expr: BoundExpr) => BoundExpr | undefined,
): BoundExpr {
  return f(expr) ?? mapChildren(expr, (part) => replaceExpr(part, f));
}

export function visitExpr(expr: BoundExpr, f: (expr: BoundExpr) => void): void {
  f(expr);
  for (const part of children(expr)) visitExpr(part, f);
}

export function someExpr(expr: BoundExpr, f: (expr: BoundExpr) => boolean): boolean {
  return f(expr) || children(expr).some((part) => someExpr(part, f));
}

/** Columns that the expression reads. */
export function columnsOf(expr: BoundExpr, into: Set<number> = new Set()): Set<number> {
  visitExpr(expr, (part) => {
    if (part.kind === 'column') into.add(part.index);
  });
  return into;
}

/** The expression over other columns: `map` gives the new index of each. */
export function mapColumns(expr: BoundExpr, map: (index: number) => number): BoundExpr {
  return rewriteExpr(expr, (part) => {
    if (part.kind !== 'column') return part;
    const index = map(part.index);
    return index === part.index ? part : { ...part, index };
  });
}

/** Each column replaced by an expression: what a filter above a projection means below it. */
export function substituteColumns(
  expr: BoundExpr,
  expressions: (index: number) => BoundExpr,
): BoundExpr {
  return replaceExpr(expr, (part) =>
    part.kind === 'column' ? expressions(part.index) : undefined,
  );
}

/** The parts of a conjunction. */
export function conjuncts(expr: BoundExpr | null): readonly BoundExpr[] {
  if (expr === null) return [];
  return expr.kind === 'and' ? expr.args.flatMap(conjuncts) : [expr];
}

/** AND of the parts; null: none, always true. */
export function conjunction(parts: readonly BoundExpr[]): BoundExpr | null {
  if (parts.length === 0) return null;
  const first = parts[0] as BoundExpr;
  return parts.length === 1 ? first : { kind: 'and', args: parts, type: BOOL };
}

/** Structural equality, positions left out: what GROUP BY and ORDER BY match by. */
export function exprKey(expr: BoundExpr): string {
  return JSON.stringify(expr, (name, value: unknown) => (name === 'position' ? undefined : value));
}

export const TRUE: BoundExpr = Object.freeze({ kind: 'literal', text: 't', type: BOOL });
export const FALSE: BoundExpr = Object.freeze({ kind: 'literal', text: 'f', type: BOOL });

export function isNullTest(arg: BoundExpr, negated = false): BoundExpr {
  return { kind: 'is', test: 'null', negated, arg, type: BOOL };
}

export function notExpr(arg: BoundExpr): BoundExpr {
  return { kind: 'not', arg, type: BOOL };
}
