/** INSERT, UPDATE, DELETE: the rows to write as a query, with what must hold of them. */

import { must } from '../../base/assert.ts';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import {
  type CatalogColumn,
  constraintKey,
  kindName,
  type TableObject,
} from '../../catalog/objects.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import type {
  Expr,
  QualifiedName,
  Query,
  SelectItem,
  TableRef,
  WithClause,
} from '../../sql/ast.ts';
import type { Assignment, Delete, Insert, OnConflict, Update } from '../../sql/statements.ts';
import type { DataType } from '../../types/data-type.ts';
import { typeName } from '../../types/value.ts';
import type {
  BoundCheck,
  BoundKey,
  DeletePlan,
  InsertPlan,
  OnConflictPlan,
  ReturningClause,
  UpdatePlan,
} from '../bound-statement.ts';
import {
  columnRef,
  joinNode,
  ONE_ROW,
  pickColumns,
  projectNode,
  range,
  topNNode,
} from '../build.ts';
import { literal } from '../expr-make.ts';
import { someExpr, substituteColumns } from '../expr-tree.ts';
import type { PlanNode, ScanNode } from '../plan-node.ts';
import type { BindState } from './bind-state.ts';
import type { ExpressionBinder } from './expression.ts';
import { FromBinder } from './from.ts';
import { type BoundQuery, castOutputs } from './outputs.ts';
import { finishQuery, QueryBinder } from './query.ts';
import { type CommonTables, findRelation } from './relations.ts';
import { Scope, type ScopeColumn, type ScopeTable } from './scope.ts';
import { expandStar, outputName } from './select.ts';

interface Target {
  readonly table: TableObject;
  readonly alias: string;
  readonly schema: string;
}

/** The table, or who cannot be written. */
function targetTable(
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
  const schema = state.context.catalog.schemaName(found);
  return { table: found, alias: alias ?? last, schema };
}

function scanOf(target: Target): ScanNode {
  const { table, schema } = target;
  return {
    kind: 'scan',
    relation: { kind: 'table', id: table.id, schema, name: table.name },
    columnIndexes: range(0, table.columns.length),
    columns: table.columns.map((column) => ({ name: column.name, type: column.type })),
  };
}

function scopeTable(target: Target, alias: string, base: number): ScopeTable {
  const columns: ScopeColumn[] = target.table.columns.map((column, i) => ({
    name: column.name,
    expr: { kind: 'column', index: base + i, type: column.type },
    origin: { tableOid: target.table.id, attribute: i + 1 },
  }));
  return { alias, schema: null, columns, isVisible: true };
}

function scopeOf(tables: readonly ScopeTable[], state: BindState): Scope {
  const scope = new Scope(state.newScopeId(), null);
  scope.tables = tables;
  scope.visible = tables.flatMap((table) =>
    table.columns.map((column) => ({ ...column, table: table.alias })),
  );
  return scope;
}

function checksOf(table: TableObject): readonly BoundCheck[] {
  return table.constraints.flatMap((constraint) =>
    constraint.kind === 'check'
      ? [{ name: constraint.name, expr: constraint.expr as unknown as BoundExpr }]
      : [],
  );
}

function keysOf(table: TableObject, state: BindState): readonly BoundKey[] {
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

function notNullOf(table: TableObject): readonly number[] {
  return range(0, table.columns.length).filter((i) => must(table.columns[i]).isNotNull);
}

function columnOf(table: TableObject, name: string, position: number): number {
  const index = table.columns.findIndex((column) => column.name === name);
  if (index >= 0) return index;
  const message = `column "${name}" of relation "${table.name}" does not exist`;
  throw new SqlError('42703', message, { position });
}

function defaultOf(column: CatalogColumn): BoundExpr {
  if (column.defaultExpr === null) return literal(null, column.type);
  return column.defaultExpr as unknown as BoundExpr;
}

/** The value as the column's type, or 42804. */
function assigned(
  expr: BoundExpr,
  column: CatalogColumn,
  position: number | undefined,
  state: BindState,
): BoundExpr {
  const cast = state.coerce(expr, column.type, 'assignment', position);
  if (cast !== null) return cast;
  throw mismatch(column, expr.type, position);
}

function mismatch(column: CatalogColumn, type: DataType, position: number | undefined): SqlError {
  const message = `column "${column.name}" is of type ${typeName(column.type)} but expression is of type ${typeName(type)}`;
  const hint = 'You will need to rewrite or cast the expression.';
  return new SqlError('42804', message, { position, hint });
}

/** The row with generated columns computed from the others. */
function withGenerated(table: TableObject, row: readonly BoundExpr[]): readonly BoundExpr[] {
  return table.columns.map((column, i) => {
    if (column.generatedExpr === null) return must(row[i]);
    const expr = column.generatedExpr as unknown as BoundExpr;
    return substituteColumns(expr, (index) => must(row[index]));
  });
}

function refuseGenerated(
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

function commonOf(clause: WithClause | null, queries: QueryBinder): CommonTables {
  if (clause === null) return new Map();
  return queries.commonTables(clause, null, new Map());
}

// ------------------------------------------------------------------------------------------------ INSERT

export function bindInsert(statement: Insert, state: BindState): InsertPlan {
  const target = targetTable(statement.table, statement.alias, 'insert into', state);
  const { table } = target;
  if (statement.overriding !== null)
    throw notSupported('OVERRIDING', { position: statement.position });
  const queries = new QueryBinder(state);
  const columns = insertColumns(statement, table);
  const source = insertRows(statement, target, columns, queries);
  const given = new Map(columns.slice(0, source.width).map((column, i) => [column, i]));
  const row = table.columns.map((column, i) => {
    const at = given.get(i);
    return at === undefined || column.generatedExpr !== null
      ? defaultOf(column)
      : columnRef(source.plan, at);
  });
  const items = (exprs: readonly BoundExpr[]) =>
    exprs.map((expr, i) => ({ name: must(table.columns[i]).name, expr }));
  let plan: PlanNode = projectNode(source.plan, items(row));
  if (table.columns.some((column) => column.generatedExpr !== null)) {
    const plain = range(0, table.columns.length).map((i) => columnRef(plan, i));
    plan = projectNode(plan, items(withGenerated(table, plain)));
  }
  const names = table.columns.map((column) => column.name);
  const bound: BoundQuery = {
    ...source.bound,
    plan,
    names,
    origins: names.map(() => null),
    order: [],
    limit: null,
    offset: null,
  };
  const onConflict =
    statement.onConflict === null ? null : bindOnConflict(statement.onConflict, target, queries);
  const returning = bindReturning(
    statement.returning,
    [scopeTable(target, target.alias, 0)],
    queries,
  );
  const rows = finishQuery(bound, state);
  return {
    kind: 'insert',
    targetId: table.id,
    parameterTypes: rows.parameterTypes,
    checks: checksOf(table),
    keys: keysOf(table, state),
    notNull: notNullOf(table),
    returning,
    rows,
    onConflict,
  };
}

function insertColumns(statement: Insert, table: TableObject): readonly number[] {
  if (statement.columns.length === 0) return range(0, table.columns.length);
  const seen = new Set<number>();
  return statement.columns.map(({ name, position }) => {
    const index = columnOf(table, name, position);
    if (seen.has(index)) {
      throw new SqlError('42701', `column "${name}" specified more than once`, { position });
    }
    seen.add(index);
    return index;
  });
}

interface InsertSource {
  readonly plan: PlanNode;
  /** Columns of the plan that are given, from the first target column on. */
  readonly width: number;
  readonly bound: BoundQuery;
}

function insertRows(
  statement: Insert,
  target: Target,
  columns: readonly number[],
  queries: QueryBinder,
): InsertSource {
  const { query } = statement;
  const common = commonOf(statement.with, queries);
  const nothing: BoundQuery = {
    plan: ONE_ROW,
    names: [],
    origins: [],
    order: [],
    limit: null,
    offset: null,
  };
  if (query === null) return { plan: ONE_ROW, width: 0, bound: nothing };
  const rows = plainRows(query);
  if (rows !== null) return valueRows(rows, statement, target, columns, queries, common);
  const bound = queries.bind(query, null, common, { keepsUnknown: true });
  const width = bound.names.length;
  checkWidth(width, columns.length, statement, query.position);
  const { table } = target;
  const types = columns.slice(0, width).map((index) => must(table.columns[index]).type);
  for (const index of columns.slice(0, width)) {
    const column = must(table.columns[index]);
    if (column.generatedExpr !== null) refuseGenerated(column, 'insert', statement.position);
  }
  const limited = queries.rows(bound);
  const plan = castOutputs(limited, types, 'assignment', queries.state, (i) =>
    mismatch(must(table.columns[must(columns[i])]), must(limited.columns[i]).type, query.position),
  );
  return { plan, width, bound };
}

/** Rows of a bare VALUES, whose cells take the columns' types and may be DEFAULT. */
function plainRows(query: Query): readonly (readonly Expr[])[] | null {
  const { body } = query;
  const isBare = query.orderBy.length === 0 && query.limit === null && query.offset === null;
  return body.kind === 'values' && isBare && query.with === null ? body.rows : null;
}

function valueRows(
  rows: readonly (readonly Expr[])[],
  statement: Insert,
  target: Target,
  columns: readonly number[],
  queries: QueryBinder,
  common: CommonTables,
): InsertSource {
  const { table } = target;
  const binder = queries.expressions(new Scope(queries.state.newScopeId(), null), 'VALUES', common);
  const width = must(rows[0]).length;
  const bound = rows.map((row) => {
    if (row.length !== width) {
      const position = row[0]?.position ?? statement.position;
      throw new SqlError('42601', 'VALUES lists must all be the same length', { position });
    }
    checkWidth(row.length, columns.length, statement, row[columns.length]?.position);
    return row.map((cell, i) => {
      const column = must(table.columns[must(columns[i])]);
      if (cell.kind === 'default') return defaultOf(column);
      if (column.generatedExpr !== null) refuseGenerated(column, 'insert', cell.position);
      return assigned(binder.bind(cell), column, cell.position, queries.state);
    });
  });
  const shape = range(0, width).map((i) => {
    const { name, type } = must(table.columns[must(columns[i])]);
    return { name, type };
  });
  const plan = queries.valuesPlan(bound, shape);
  const names = shape.map((column) => column.name);
  const origins = names.map(() => null);
  return { plan, width, bound: { plan, names, origins, order: [], limit: null, offset: null } };
}

function checkWidth(
  given: number,
  wanted: number,
  statement: Insert,
  position: number | undefined,
): void {
  if (given > wanted) {
    throw new SqlError('42601', 'INSERT has more expressions than target columns', { position });
  }
  if (given < wanted && statement.columns.length > 0) {
    throw new SqlError('42601', 'INSERT has more target columns than expressions', {
      position: statement.columns[given]?.position,
    });
  }
}

function bindOnConflict(clause: OnConflict, target: Target, queries: QueryBinder): OnConflictPlan {
  const { table } = target;
  const { position } = clause;
  if (clause.indexWhere !== null)
    throw notSupported('a partial index in ON CONFLICT', { position });
  const key = conflictKey(clause, target, queries.state);
  if (clause.action === 'nothing') return { key, action: 'nothing', newRow: [], where: null };
  if (key === null) {
    const message = 'ON CONFLICT DO UPDATE requires inference specification or constraint name';
    throw new SqlError('42601', message, {
      position,
      hint: 'For example, ON CONFLICT (column_name).',
    });
  }
  const tables = [
    scopeTable(target, target.alias, 0),
    scopeTable(target, 'excluded', table.columns.length),
  ];
  const scope = scopeOf(tables, queries.state);
  // An unqualified name means the existing row.
  scope.visible = scope.visible.filter((column) => column.table === target.alias);
  const binder = queries.expressions(scope, 'ON CONFLICT DO UPDATE', new Map());
  const values = new Map<number, BoundExpr>();
  for (const assignment of clause.assignments) {
    assign(assignment, table, binder, values, queries.state);
  }
  const current = table.columns.map(
    (column, index): BoundExpr => values.get(index) ?? { kind: 'column', index, type: column.type },
  );
  const where = clause.where === null ? null : binder.condition(clause.where, 'WHERE');
  const newRow = withGenerated(table, current);
  for (const expr of where === null ? newRow : [...newRow, where]) refuseSubquery(expr, position);
  return { key, action: 'update', newRow, where };
}

function conflictKey(
  clause: OnConflict,
  target: Target,
  state: BindState,
): readonly number[] | null {
  const { table } = target;
  const { position } = clause;
  const keys = keysOf(table, state);
  if (clause.constraint !== null) {
    const found = keys.find((key) => key.name === clause.constraint);
    if (found !== undefined) return found.columns;
    const message = `constraint "${clause.constraint}" for table "${table.name}" does not exist`;
    throw new SqlError('42704', message, { position });
  }
  if (clause.columns.length === 0) return null;
  const wanted = new Set(
    clause.columns.map((name) => {
      const index = table.columns.findIndex((column) => column.name === name);
      if (index >= 0) return index;
      throw new SqlError('42703', `column "${name}" does not exist`, { position });
    }),
  );
  const found = keys.find(
    (key) => key.columns.length === wanted.size && key.columns.every((c) => wanted.has(c)),
  );
  if (found !== undefined) return found.columns;
  const message =
    'there is no unique or exclusion constraint matching the ON CONFLICT specification';
  throw new SqlError('42P10', message, { position });
}

/** One SET item: into `values` by column. */
function assign(
  assignment: Assignment,
  table: TableObject,
  binder: ExpressionBinder,
  values: Map<number, BoundExpr>,
  state: BindState,
): void {
  const { columns, value, position } = assignment;
  const parts = columns.length === 1 ? [value] : rowParts(value, columns.length, position);
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

function rowParts(value: Expr, count: number, position: number): readonly Expr[] {
  if (value.kind !== 'row') {
    throw notSupported('assignment of a subquery to several columns', { position });
  }
  if (value.elements.length !== count) {
    throw new SqlError('42601', 'number of columns does not match number of values', { position });
  }
  return value.elements;
}

function refuseSubquery(expr: BoundExpr, position: number): void {
  const holds = someExpr(expr, (part) => part.kind === 'call' && part.function.startsWith('$'));
  if (holds) throw notSupported('a subquery in this clause', { position });
}

// ------------------------------------------------------------------------------------------------ RETURNING

function bindReturning(
  items: readonly SelectItem[],
  tables: readonly ScopeTable[],
  queries: QueryBinder,
): ReturningClause | null {
  if (items.length === 0) return null;
  const scope = scopeOf(tables, queries.state);
  const binder = queries.expressions(scope, 'RETURNING', new Map());
  const outputs = items.flatMap((item) => {
    if (item.expr.kind === 'star') return expandStar(item.expr, scope);
    const expr = binder.bind(item.expr);
    refuseSubquery(expr, item.position);
    const origin =
      scope.visible.find(
        (column) =>
          expr.kind === 'column' &&
          column.expr.kind === 'column' &&
          column.expr.index === expr.index,
      )?.origin ?? null;
    return [{ name: item.alias ?? outputName(item.expr), expr, origin }];
  });
  const expressions = outputs.map(({ expr }) => queries.textIfUnknown(expr));
  const columns = outputs.map(({ name, origin }, i) => {
    const { type } = must(expressions[i]);
    if (origin === null) return { name, type };
    return { name, type, tableOid: origin.tableOid, attributeNumber: origin.attribute };
  });
  return { expressions, columns };
}

// ------------------------------------------------------------------------------------------------ UPDATE, DELETE

interface Matched {
  /** The target's columns, then those of FROM or USING. */
  readonly plan: PlanNode;
  readonly scope: Scope;
  readonly common: CommonTables;
}

function matchedRows(
  target: Target,
  others: readonly TableRef[],
  where: Expr | null,
  clause: WithClause | null,
  queries: QueryBinder,
): Matched {
  const { state } = queries;
  const common = commonOf(clause, queries);
  const scope = new Scope(state.newScopeId(), null);
  const self: TableRef = {
    kind: 'table_name',
    position: 0,
    name: { kind: 'qualified_name', position: 0, parts: [target.schema, target.table.name] },
    alias: { name: target.alias, columns: [] },
    asOf: null,
  };
  const from = new FromBinder(state, scope, common, queries, (query, inner) =>
    queries.bindSubquery(query, inner, common),
  );
  const rows = from.bindAll([self, ...others]);
  if (where === null) return { plan: rows, scope, common };
  const condition = queries.expressions(scope, 'WHERE', common).condition(where, 'WHERE');
  const plan = state.attacher.filter(rows, condition, (reference) =>
    reference.scope === scope.id ? reference.column : undefined,
  );
  return { plan, scope, common };
}

/** Each target row at most once, though several rows of FROM match it: the first in canonical order. */
function oncePerTarget(plan: PlanNode, target: Target, hasOthers: boolean): PlanNode {
  if (!hasOthers) return plan;
  const { table } = target;
  const width = table.columns.length;
  const key = constraintKey(table.columns, table.constraints);
  if (key !== null) return topNNode(plan, { partition: key, limit: 1 });
  const first = topNNode(plan, { partition: range(0, width), limit: 1 });
  const joined = joinNode('inner', scanOf(target), first, {
    leftKeys: range(0, width),
    rightKeys: range(0, width),
    nullsEqual: true,
  });
  return pickColumns(joined, [
    ...range(0, width),
    ...range(2 * width, width + plan.columns.length),
  ]);
}

function returningTables(target: Target, scope: Scope): readonly ScopeTable[] {
  const [, ...others] = scope.tables;
  return [scopeTable(target, target.alias, 0), ...others];
}

export function bindUpdate(statement: Update, state: BindState): UpdatePlan {
  const target = targetTable(statement.table, statement.alias, 'update', state);
  const { table } = target;
  if (table.isAppendOnly) throw appendOnly(table, 'update', statement.table.position);
  const queries = new QueryBinder(state);
  const matched = matchedRows(target, statement.from, statement.where, statement.with, queries);
  const rows = oncePerTarget(matched.plan, target, statement.from.length > 0);
  const binder = queries.expressions(matched.scope, 'UPDATE', matched.common);
  const values = new Map<number, BoundExpr>();
  for (const assignment of statement.assignments) assign(assignment, table, binder, values, state);
  const width = table.columns.length;
  const current = table.columns.map(
    (column, index): BoundExpr => values.get(index) ?? { kind: 'column', index, type: column.type },
  );
  const attached = state.attacher.attachAll(rows, current, (reference) =>
    reference.scope === matched.scope.id ? reference.column : undefined,
  );
  const newRow = withGenerated(table, attached.expressions);
  const old = range(0, width).map((i) => columnRef(rows, i));
  const extra = statement.returning.length > 0 ? range(width, rows.columns.length) : [];
  const items = [
    ...old.map((expr, i) => ({ name: must(table.columns[i]).name, expr })),
    ...newRow.map((expr, i) => ({ name: must(table.columns[i]).name, expr })),
    ...extra.map((i) => ({ name: must(rows.columns[i]).name, expr: columnRef(rows, i) })),
  ];
  const plan = finishRows(projectNode(attached.plan, items), state);
  const tables = returningTables(target, matched.scope);
  const returning = bindReturning(statement.returning, tables, queries);
  return {
    kind: 'update',
    targetId: table.id,
    parameterTypes: plan.parameterTypes,
    checks: checksOf(table),
    keys: keysOf(table, state),
    notNull: notNullOf(table),
    returning,
    rows: plan,
    columnCount: width,
  };
}

export function bindDelete(statement: Delete, state: BindState): DeletePlan {
  const target = targetTable(statement.table, statement.alias, 'delete from', state);
  const { table } = target;
  if (table.isAppendOnly) throw appendOnly(table, 'delete from', statement.table.position);
  const queries = new QueryBinder(state);
  const matched = matchedRows(target, statement.using, statement.where, statement.with, queries);
  const rows = oncePerTarget(matched.plan, target, statement.using.length > 0);
  const width = table.columns.length;
  const kept = statement.returning.length > 0 ? rows.columns.length : width;
  const plan = finishRows(pickColumns(rows, range(0, kept)), state);
  const tables = returningTables(target, matched.scope);
  const returning = bindReturning(statement.returning, tables, queries);
  return {
    kind: 'delete',
    targetId: table.id,
    parameterTypes: plan.parameterTypes,
    checks: [],
    keys: [],
    notNull: [],
    returning,
    rows: plan,
    columnCount: width,
  };
}

function finishRows(plan: PlanNode, state: BindState) {
  const names = plan.columns.map((column) => column.name);
  const origins = names.map(() => null);
  return finishQuery({ plan, names, origins, order: [], limit: null, offset: null }, state);
}

function appendOnly(table: TableObject, verb: string, position: number): SqlError {
  return new SqlError('55000', `cannot ${verb} table "${table.name}"`, {
    position,
    detail: 'The table is APPEND ONLY.',
  });
}
