/** Queries that statements stand for: `SELECT exprs FROM table [WHERE where]`, as the parser would give them. */

import type { Expr, QualifiedName, Query, TableRef } from './ast.ts';

export function selectQuery(
  position: number,
  exprs: readonly Expr[],
  from: TableRef,
  where: Expr | null = null,
): Query {
  return {
    kind: 'query',
    position,
    with: null,
    body: {
      kind: 'select',
      position,
      distinct: null,
      items: exprs.map((expr) => ({ kind: 'select_item', position, expr, alias: null })),
      from: [from],
      where,
      groupBy: [],
      isGroupByDistinct: false,
      having: null,
      windows: [],
    },
    orderBy: [],
    limit: null,
    isWithTies: false,
    offset: null,
    isLocking: false,
  };
}

export function namedTable(name: QualifiedName, position: number): TableRef {
  return { kind: 'table_name', position, name, alias: null, asOf: null };
}

/** `*` */
export function star(position: number): Expr {
  return { kind: 'star', position, qualifier: [] };
}
