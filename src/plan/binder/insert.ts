/** INSERT: the whole rows to write as a query, and what to do on conflict. */

import { must } from '../../base/assert.ts';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { TableObject } from '../../catalog/objects.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import type { Expr, Query } from '../../sql/ast.ts';
import type { Insert, OnConflict } from '../../sql/statements.ts';
import type { InsertPlan, OnConflictPlan } from '../bound-statement.ts';
import { columnRef, ONE_ROW, projectNode, range } from '../build.ts';
import type { PlanNode } from '../plan-node.ts';
import type { BindState } from './bind-state.ts';
import {
  assign,
  assigned,
  checksOf,
  columnOf,
  commonOf,
  defaultOf,
  keysOf,
  mismatch,
  notNullOf,
  refuseGenerated,
  refuseSubquery,
  scopeOf,
  scopeTable,
  type Target,
  targetTable,
  withGenerated,
} from './dml-target.ts';
import { type BoundQuery, castOutputs } from './outputs.ts';
import { finishQuery, QueryBinder } from './query.ts';
import type { CommonTables } from './relations.ts';
import { bindReturning } from './returning.ts';
import { Scope } from './scope.ts';

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
