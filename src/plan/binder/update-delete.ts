/** UPDATE and DELETE: the rows that they change as a query. */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import { constraintKey, type TableObject } from '../../catalog/objects.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import type { Expr, TableRef, WithClause } from '../../sql/ast.ts';
import type { Delete, Update } from '../../sql/statements.ts';
import type { DeletePlan, UpdatePlan } from '../bound-statement.ts';
import { columnRef, joinNode, pickColumns, projectNode, range, topNNode } from '../build.ts';
import type { PlanNode } from '../plan-node.ts';
import type { BindState } from './bind-state.ts';
import {
  assign,
  checksOf,
  commonOf,
  keysOf,
  notNullOf,
  scanOf,
  scopeTable,
  type Target,
  targetTable,
  withGenerated,
} from './dml-target.ts';
import { FromBinder } from './from.ts';
import { finishQuery, QueryBinder } from './query.ts';
import type { CommonTables } from './relations.ts';
import { bindReturning } from './returning.ts';
import { Scope, type ScopeTable } from './scope.ts';

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
