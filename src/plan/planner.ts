/**
 * The planner's door: AST in, plan out. Pure: it reads the catalog snapshot that it is given, and changes nothing.
 *
 * text -> (sql) AST -> (binder) logical plan -> (rules) stream plan | query plan -> (dataflow) operators.
 */

import '../expr/builtins.ts';
import type { BoundExpr, BoundLiteral } from '../expr/bound-expr.ts';
import type { Expr, Query } from '../sql/ast.ts';
import type { CreateSource, CreateTable, Delete, Insert, Update } from '../sql/statements.ts';
import type { DataType } from '../types/data-type.ts';
import { BindState } from './binder/bind-state.ts';
import { bindConstantExpr } from './binder/expression.ts';
import { bindInsert } from './binder/insert.ts';
import { bindQueryPlan, bindRelationQuery } from './binder/query.ts';
import { bindRelationDefinition } from './binder/relation-definition.ts';
import { bindDelete, bindUpdate } from './binder/update-delete.ts';
import type {
  BoundRelationDefinition,
  DmlPlan,
  PlannedPlainView,
  PlannedView,
} from './bound-statement.ts';
import type { PlannerContext } from './context.ts';
import { bindParametersInDml, bindParametersInPlan } from './parameters.ts';
import type { QueryPlan } from './plan-node.ts';
import { planStream, type ViewOptions } from './stream.ts';

export type { PlannerContext } from './context.ts';
export type { ViewOptions } from './stream.ts';

/** A SELECT or VALUES: optimized, with its presentation order and limit. */
export function planQuery(query: Query, context: PlannerContext): QueryPlan {
  return bindQueryPlan(query, new BindState(context));
}

/** INSERT, UPDATE, DELETE. */
export function planDml(statement: Insert | Update | Delete, context: PlannerContext): DmlPlan {
  switch (statement.kind) {
    case 'insert':
      return bindInsert(statement, new BindState(context));
    case 'update':
      return bindUpdate(statement, new BindState(context));
    case 'delete':
      return bindDelete(statement, new BindState(context));
  }
}

/** CREATE VIEW v (columnNames): the bound query, which stands for the name from then on. */
export function planPlainView(
  query: Query,
  columnNames: readonly string[],
  context: PlannerContext,
): PlannedPlainView {
  const state = new BindState(context);
  const bound = bindRelationQuery(
    query,
    columnNames,
    state,
    'CREATE VIEW specifies more column names than columns',
  );
  refuseParameters(state);
  return { plan: bound.plan, columns: bound.columns, relationIds: [...state.relationIds] };
}

/** CREATE MATERIALIZED VIEW, and the query of a sink. `columnNames` [] keeps the query's. */
export function planView(
  query: Query,
  columnNames: readonly string[],
  options: ViewOptions,
  context: PlannerContext,
): PlannedView {
  const state = new BindState(context, options.allowedLatenessUs);
  const bound = bindRelationQuery(
    query,
    columnNames,
    state,
    'too many column names were specified',
  );
  refuseParameters(state);
  return planStream(bound, options, state);
}

/** CREATE TABLE and CREATE SOURCE: columns, constraints, watermark. */
export function planRelation(
  statement: CreateTable | CreateSource,
  context: PlannerContext,
): BoundRelationDefinition {
  return bindRelationDefinition(statement, new BindState(context));
}

/** An expression without columns (LIMIT of FETCH, EXECUTE's arguments, ALTER ... SET DEFAULT), as a `type` where one is given. */
export function planExpression(
  expr: Expr,
  type: DataType | null,
  context: PlannerContext,
): BoundExpr {
  return bindConstantExpr(expr, type, new BindState(context));
}

/** The query with its parameters replaced by values. */
export function withParameters(plan: QueryPlan, values: readonly BoundLiteral[]): QueryPlan {
  return values.length === 0 ? plan : bindParametersInPlan(plan, values);
}

export function dmlWithParameters(plan: DmlPlan, values: readonly BoundLiteral[]): DmlPlan {
  return values.length === 0 ? plan : bindParametersInDml(plan, values);
}

function refuseParameters(state: BindState): void {
  state.refuseParameters();
}
