/** What INSERT, UPDATE and DELETE share: the target table, what must hold of its rows, assignments. */

import { must } from '../../base/assert.ts';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import {
  type CatalogColumn,
  checkWritable,
  kindName,
  type TableObject,
} from '../../catalog/objects.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import type { Expr, QualifiedName, Query, TableRef, WithClause } from '../../sql/ast.ts';
import { selectQuery } from '../../sql/make-query.ts';
import type { Assignment } from '../../sql/statements.ts';
import type { DataType } from '../../types/data-type.ts';
import { plainTypeName } from '../../types/type-name.ts';
import type { BoundCheck, BoundKey } from '../bound-statement.ts';
import { expressionsOf, inputsOf, range } from '../build.ts';
import { isVolatile } from '../expr-facts.ts';
import { literal } from '../expr-make.ts';
import { someExpr, substituteColumns } from '../expr-tree.ts';
import type { PlanNode, ScanNode } from '../plan-node.ts';
import type { BindState } from './bind-state.ts';
import type { ExpressionBinder } from './expression.ts';
import type { QueryBinder } from './query.ts';
import { type CommonTables, findRelation } from './relations.ts';
import { Scope, type ScopeColumn, type ScopeTable } from './scope.ts';

export interface Target {
  readonly table: TableObject;
  readonly alias: string;
  readonly schema: string;
}

/** The table, or who cannot be written. */
export function targetTable(
  name: QualifiedName,
  alias: string | null,
  verb: string,
  state: BindState,
): Target {
  const found = findRelation(name, state);
  const { position } = name;
  const last = name.parts.at(-1) as string;
  if (found.kind === 'system') {
    throw new SqlError('42501', `permission denied for ${kindName(found)} ${last}`, { position });
  }
  if (found.kind === 'materialized_view') {
    throw new SqlError('42809', `cannot change materialized view "${last}"`, { position });
  }
  if (found.kind === 'view') {
    throw new SqlError('55000', `cannot ${verb} view "${last}"`, {
      position,
      detail: 'Views are not updatable.',
    });
  }
  if (found.kind !== 'table') {
    throw new SqlError('42809', `cannot ${verb} ${kindName(found)} "${last}"`, { position });
  }
  checkWritable(found, verb, position);
  const schema = state.context.catalog.schemaName(found);
  return { table: found, alias: alias ?? last, schema };
}

export function scanOf(target: Target): ScanNode {
  const { table, schema } = target;
  return {
    kind: 'scan',
    relation: { kind: 'table', id: table.id, schema, name: table.name },
    columnIndexes: range(0, table.columns.length),
    columns: table.columns.map((column) => ({ name: column.name, type: column.type })),
  };
}

export function scopeTable(target: Target, alias: string, base: number): ScopeTable {
  const columns: ScopeColumn[] = target.table.columns.map((column, i) => ({
    name: column.name,
    expr: { kind: 'column', index: base + i, type: column.type },
    origin: { tableOid: target.table.id, attribute: i + 1 },
  }));
  return { alias, schema: null, columns, isVisible: true };
}

export function scopeOf(tables: readonly ScopeTable[], state: BindState): Scope {
  const scope = new Scope(state.newScopeId(), null);
  scope.tables = tables;
  scope.visible = tables.flatMap((table) =>
    table.columns.map((column) => ({ ...column, table: table.alias })),
  );
  return scope;
}

export function checksOf(table: TableObject): readonly BoundCheck[] {
  return table.constraints.flatMap((constraint) =>
    constraint.kind === 'check'
      ? [{ name: constraint.name, expr: constraint.expr as unknown as BoundExpr }]
      : [],
  );
}

export function keysOf(table: TableObject, state: BindState): readonly BoundKey[] {
  const own = table.constraints.flatMap((constraint): readonly BoundKey[] => {
    if (constraint.kind === 'check') return [];
    const { name, columns } = constraint;
    return [{ name, columns, isPrimary: constraint.kind === 'primary_key' }];
  });
  const indexes = state.context.catalog.directDependents(table.id).flatMap((object) => {
    if (object.kind !== 'index' || !object.isUnique || object.constraintName !== null) return [];
    const columns = object.keys.map((key) => key.column);
    return [{ name: object.name, columns, isPrimary: false }];
  });
  return [...own, ...indexes];
}

export function notNullOf(table: TableObject): readonly number[] {
  return range(0, table.columns.length).filter((i) => must(table.columns[i]).isNotNull);
}

export function columnOf(table: TableObject, name: string, position: number): number {
  const index = table.columns.findIndex((column) => column.name === name);
  if (index >= 0) return index;
  const message = `column "${name}" of relation "${table.name}" does not exist`;
  throw new SqlError('42703', message, { position });
}

export function defaultOf(column: CatalogColumn): BoundExpr {
  if (column.defaultExpr === null) return literal(null, column.type);
  return column.defaultExpr as unknown as BoundExpr;
}

/** The value as the column's type, or 42804. */
export function assigned(
  expr: BoundExpr,
  column: CatalogColumn,
  position: number | undefined,
  state: BindState,
): BoundExpr {
  const cast = state.coerce(expr, column.type, 'assignment', position);
  if (cast !== null) return cast;
  throw mismatch(column, expr.type, position);
}

export function mismatch(
  column: CatalogColumn,
  type: DataType,
  position: number | undefined,
): SqlError {
  const message = `column "${column.name}" is of type ${plainTypeName(column.type)} but expression is of type ${plainTypeName(type)}`;
  const hint = 'You will need to rewrite or cast the expression.';
  return new SqlError('42804', message, { position, hint });
}

/** The row with generated columns computed from the others. */
export function withGenerated(table: TableObject, row: readonly BoundExpr[]): readonly BoundExpr[] {
  return table.columns.map((column, i) => {
    if (column.generatedExpr === null) return must(row[i]);
    const expr = column.generatedExpr as unknown as BoundExpr;
    return substituteColumns(expr, (index) => must(row[index]));
  });
}

export function refuseGenerated(
  column: CatalogColumn,
  verb: 'insert' | 'update',
  position: number,
): never {
  const message =
    verb === 'insert'
      ? `cannot insert a non-DEFAULT value into column "${column.name}"`
      : `column "${column.name}" can only be updated to DEFAULT`;
  const detail = `Column "${column.name}" is a generated column.`;
  throw new SqlError('428C9', message, { position, detail });
}

export function commonOf(clause: WithClause | null, queries: QueryBinder): CommonTables {
  if (clause === null) return new Map();
  return queries.commonTables(clause, null, new Map());
}

/** One SET item: into `values` by column. */
export function assign(
  assignment: Assignment,
  table: TableObject,
  binder: ExpressionBinder,
  values: Map<number, BoundExpr>,
  state: BindState,
): void {
  const { columns, value, position } = assignment;
  const parts = columns.length === 1 ? [value] : rowParts(value, columns.length, position, binder);
  columns.forEach((name, i) => {
    const index = columnOf(table, name, position);
    const column = must(table.columns[index]);
    if (values.has(index)) {
      const message = `multiple assignments to same column "${name}"`;
      throw new SqlError('42601', message, { position });
    }
    const part = must(parts[i]);
    const isDefault = part.kind === 'default';
    if (column.generatedExpr !== null && !isDefault)
      refuseGenerated(column, 'update', part.position);
    const expr = isDefault ? defaultOf(column) : binder.bind(part);
    values.set(index, assigned(expr, column, part.position, state));
  });
}

function rowParts(
  value: Expr,
  count: number,
  position: number,
  binder: ExpressionBinder,
): readonly Expr[] {
  if (value.kind === 'scalar_subquery') return subqueryParts(value, count, binder);
  if (value.kind !== 'row') {
    const message =
      'source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression';
    throw new SqlError('0A000', message, { position: value.position });
  }
  if (value.elements.length !== count) {
    throw new SqlError('42601', 'number of columns does not match number of values', { position });
  }
  return value.elements;
}

/** One scalar subquery for each column of the row: the query is evaluated once for each, so it must give the same row. */
function subqueryParts(
  value: Extract<Expr, { readonly query: Query }>,
  count: number,
  binder: ExpressionBinder,
): readonly Expr[] {
  const { position, query } = value;
  const { plan, width } = binder.context.bindSubquery(query, binder.context.scope);
  if (width !== count) {
    throw new SqlError('42601', 'number of columns does not match number of values', { position });
  }
  if (isVolatilePlan(plan)) {
    throw notSupported('assignment of a volatile subquery to several columns', { position });
  }
  const names = range(0, count).map((i) => `column${i + 1}`);
  const table: TableRef = {
    kind: 'derived_table',
    position,
    query,
    isLateral: false,
    alias: { name: 'source', columns: names },
  };
  const items = query.body.kind === 'select' ? query.body.items : [];
  return names.map((name, i) => {
    const expr: Expr = { kind: 'column_ref', position, parts: ['source', name] };
    const place = items[i]?.position ?? position;
    return {
      kind: 'scalar_subquery',
      position: place,
      query: selectQuery(position, [expr], table),
    };
  });
}

function isVolatilePlan(node: PlanNode): boolean {
  return expressionsOf(node).some(isVolatile) || inputsOf(node).some(isVolatilePlan);
}

export function refuseSubquery(expr: BoundExpr, position: number): void {
  const holds = someExpr(expr, (part) => part.kind === 'call' && part.function.startsWith('$'));
  if (holds) throw notSupported('a subquery in this clause', { position });
}
