/** A table reference after binding, and aliases. */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { TableAlias } from '../../sql/ast.ts';
import type { PlanNode } from '../plan-node.ts';
import type { ScopeColumn, ScopeTable, VisibleColumn } from './scope.ts';

/** A table reference, bound. Its expressions number columns from `base` on. */
export interface BoundTable {
  readonly plan: PlanNode;
  readonly base: number;
  readonly tables: readonly ScopeTable[];
  readonly visible: readonly VisibleColumn[];
}

/** A plan under an alias. */
export function aliased(
  plan: PlanNode,
  names: readonly string[],
  alias: TableAlias | null,
  fallback: string,
  base: number,
  position: number,
): BoundTable {
  const name = alias?.name ?? fallback;
  const shown = columnAliases(names, alias, name, position);
  const columns: ScopeColumn[] = shown.map((column, i) => ({
    name: column,
    expr: { kind: 'column', index: base + i, type: must(plan.columns[i]).type },
    origin: null,
  }));
  const table = { alias: name, schema: null, columns, isVisible: true };
  return { plan, base, tables: [table], visible: columns.map((c) => ({ ...c, table: name })) };
}

export function columnAliases(
  names: readonly string[],
  alias: TableAlias | null,
  table: string,
  position: number,
): readonly string[] {
  const given = alias?.columns ?? [];
  if (given.length > names.length) {
    const message = `table "${table}" has ${names.length} columns available but ${given.length} columns specified`;
    throw new SqlError('42P10', message, { position });
  }
  return names.map((name, i) => given[i] ?? name);
}
