/** What the adapters of libpg-query's tree share: places, lifted clauses, and each other (they are mutually recursive). */

import type { Expr, QualifiedName, Query } from './ast.ts';
import type { Lifted, Span } from './lift.ts';

/** A node of libpg-query's JSON: a foreign tree, checked where it is read. */
// biome-ignore lint/suspicious/noExplicitAny: the one place where a foreign tree enters
export type Raw = any;

export interface AdaptContext {
  /** A byte offset of the parsed text -> position; undefined (which means 0) and -1 (unknown) too. */
  at(location: number | undefined): number;
  readonly lifted: Lifted;
  readonly text: string;
  expr(raw: Raw): Expr;
  query(raw: Raw): Query;
  /** An expression that was lifted out. */
  liftedExpr(span: Span): Expr;
  liftedExprs(span: Span): readonly Expr[];
}

/** The strings of a list of String nodes. */
export function strings(list: Raw): string[] {
  return (list ?? []).map((item: Raw) => item.String?.sval ?? '');
}

/** The name of a RangeVar. */
export function relationName(raw: Raw, context: AdaptContext): QualifiedName {
  const parts = [raw.catalogname, raw.schemaname, raw.relname].filter((part) => part !== undefined);
  return { kind: 'qualified_name', position: context.at(raw.location), parts };
}

/** Freezes a node. */
export function node<T extends object>(value: T): T {
  return Object.freeze(value);
}

/** The first key of a wrapped node: {FuncCall: {...}} -> ['FuncCall', {...}]. */
export function unwrap(raw: Raw): [string, Raw] {
  const key = Object.keys(raw)[0] ?? '';
  return [key, raw[key]];
}

/** The least and greatest known location in a raw subtree. */
export function locationRange(raw: Raw): { min: number; max: number } {
  let min = Number.POSITIVE_INFINITY;
  let max = -1;
  const pending: Raw[] = [raw];
  while (pending.length > 0) {
    const next = pending.pop();
    if (next === null || typeof next !== 'object') continue;
    for (const key of Object.keys(next)) {
      const value = next[key];
      if (key === 'location' && typeof value === 'number' && value >= 0) {
        if (value < min) min = value;
        if (value > max) max = value;
      } else if (typeof value === 'object') pending.push(value);
    }
  }
  return { min, max };
}
