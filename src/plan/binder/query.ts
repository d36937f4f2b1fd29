/**
 * Queries: WITH, SELECT, VALUES, set operations, ORDER BY and LIMIT, to a plan with a presentation order.
 */

import { must } from '../../base/assert.ts';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { CatalogColumn } from '../../catalog/objects.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import type { Expr, Query, Values, WithClause } from '../../sql/ast.ts';
import { type DataType, INT8, TEXT } from '../../types/data-type.ts';
import { plainTypeName } from '../../types/type-name.ts';
import { columnRef, ONE_ROW, pickColumns, projectNode, range, scannedRelations } from '../build.ts';
import { castTo } from '../expr-make.ts';
import { someExpr } from '../expr-tree.ts';
import { declaredNotNull, neverNullColumn } from '../nullability.ts';
import { optimizePlan } from '../optimize.ts';
import { assertNoPlaceholders, placeholderNumber } from '../placeholder.ts';
import type { PlanColumn, PlanNode, QueryPlan, SortKey } from '../plan-node.ts';
import { catalogProperties } from '../properties.ts';
import { foldExpr } from '../rules/fold-constants.ts';
import type { BindState } from './bind-state.ts';
import { ExpressionBinder, type SubqueryPlan } from './expression.ts';
import type { InnerQuery, QueryBinding } from './from.ts';
import { withoutColumns } from './no-columns.ts';
import {
  type BodyOptions,
  type BoundQuery,
  limited,
  outputColumn,
  rankedRows,
  rowsOf,
} from './outputs.ts';
import type { CommonTableBinding, CommonTables } from './relations.ts';
import { Scope } from './scope.ts';
import { bindSelect } from './select.ts';
import { bindSetOperation } from './set-operation.ts';

export class QueryBinder implements QueryBinding {
  readonly state: BindState;

  constructor(state: BindState) {
    this.state = state;
  }

  bind(
    query: Query,
    parent: Scope | null,
    outerCommon: CommonTables,
    options: BodyOptions = { keepsUnknown: false },
  ): BoundQuery {
    if (query.isLocking)
      throw notSupported('FOR UPDATE or FOR SHARE', { position: query.position });
    if (query.isWithTies) throw notSupported('FETCH FIRST WITH TIES', { position: query.position });
    const common =
      query.with === null ? outerCommon : this.commonTables(query.with, parent, outerCommon);
    const body = this.#body(query, parent, common, options);
    const limit = this.#count(query.limit, 'LIMIT', common);
    const offset = this.#count(query.offset, 'OFFSET', common);
    const bound = { ...body, limit, offset };
    const isSubquery = [limit, offset].some((count) => count !== null && holdsSubquery(count));
    return isSubquery ? this.#limitedBySubquery(bound) : bound;
  }

  #limitedBySubquery(bound: BoundQuery): BoundQuery {
    const { ranked, condition } = rankedRows(bound);
    const rows = this.state.attacher.filter(ranked, condition, () => undefined);
    const plan = pickColumns(rows, range(0, bound.plan.columns.length));
    return { ...bound, plan, limit: null, offset: null };
  }

  /** A query as a table: ORDER BY counts only together with LIMIT. */
  bindInner(query: Query, parent: Scope | null, common: CommonTables): InnerQuery {
    const bound = this.bind(query, parent, common);
    return { plan: rowsOf(bound), names: bound.names };
  }

  /** A subquery of an expression: its order is kept for ARRAY(...). */
  bindSubquery(query: Query, parent: Scope, common: CommonTables): SubqueryPlan {
    const bound = this.bind(query, parent, common);
    const width = bound.names.length;
    if (bound.limit === null && bound.offset === null) {
      return { plan: bound.plan, width, order: bound.order };
    }
    return { plan: limited(bound), width, order: bound.order };
  }

  /** The tables of a WITH clause beside those already known. */
  commonTables(
    clause: WithClause,
    parent: Scope | null,
    outer: CommonTables,
  ): ReadonlyMap<string, CommonTableBinding> {
    if (clause.isRecursive) throw notSupported('WITH RECURSIVE', { position: clause.position });
    const tables = new Map(outer);
    const own = new Set<string>();
    for (const table of clause.tables) {
      if (own.has(table.name)) {
        const message = `WITH query name "${table.name}" specified more than once`;
        throw new SqlError('42712', message, { position: table.position });
      }
      own.add(table.name);
      const inner = this.bindInner(table.query, parent, tables);
      if (table.columns.length > inner.names.length) {
        const message = `WITH query "${table.name}" has ${inner.names.length} columns available but ${table.columns.length} columns specified`;
        throw new SqlError('42P10', message, { position: table.position });
      }
      const names = inner.names.map((name, i) => table.columns[i] ?? name);
      tables.set(table.name, { plan: inner.plan, names });
    }
    return tables;
  }

  #body(
    query: Query,
    parent: Scope | null,
    common: CommonTables,
    options: BodyOptions,
  ): BoundQuery {
    const { body } = query;
    switch (body.kind) {
      case 'select':
        return bindSelect(this, body, query.orderBy, parent, common, options);
      case 'values':
        return this.#ordered(this.#values(body, parent, common, options), query);
      case 'set_operation':
        return this.#ordered(bindSetOperation(this, body, parent, common, options), query);
    }
  }

  /** ORDER BY over a body without FROM: by output name or number only. */
  #ordered(body: BoundQuery, query: Query): BoundQuery {
    const order = query.orderBy.map((key): SortKey => {
      const column = outputColumn(key.expr, body.names, 'ORDER BY');
      if (column === null && key.expr.kind === 'column_ref' && key.expr.parts.length === 1) {
        throw new SqlError('42703', `column "${key.expr.parts[0]}" does not exist`, {
          position: key.position,
        });
      }
      if (column === null) {
        throw new SqlError('0A000', 'invalid UNION/INTERSECT/EXCEPT ORDER BY clause', {
          position: key.position,
          detail: 'Only result column names can be used, not expressions or functions.',
          hint: 'Add the expression/function to every SELECT, or move the UNION into a FROM clause.',
        });
      }
      const descending = key.direction === 'desc';
      const nullsFirst = key.nulls === null ? descending : key.nulls === 'first';
      return { column, descending, nullsFirst };
    });
    return { ...body, order };
  }

  #values(
    body: Values,
    parent: Scope | null,
    common: CommonTables,
    options: BodyOptions,
  ): BoundQuery {
    const binder = this.expressions(new Scope(this.state.newScopeId(), parent), 'VALUES', common);
    const width = must(body.rows[0]).length;
    for (const row of body.rows) {
      if (row.length === width) continue;
      const position = row[0]?.position ?? body.position;
      throw new SqlError('42601', 'VALUES lists must all be the same length', { position });
    }
    const rows = body.rows.map((row) => binder.bindAll(row));
    const columns = range(0, width).map((i) => {
      const cells = rows.map((row) => must(row[i]));
      const isUntyped = cells.every((cell) => cell.type.id === 'unknown');
      if (isUntyped && options.keepsUnknown) return { cells, type: must(cells[0]).type };
      const position = body.rows[0]?.[i]?.position ?? body.position;
      const unified = binder.forms.unify(cells, 'VALUES', position);
      return { cells: unified.operands, type: unified.type };
    });
    const names = columns.map((_, i) => `column${i + 1}`);
    const shape = columns.map((column, i) => ({ name: must(names[i]), type: column.type }));
    const cells = rows.map((_, r) => columns.map((column) => must(column.cells[r])));
    const plan = this.valuesPlan(cells, shape);
    const origins = names.map(() => null);
    return { plan, names, origins, order: [], limit: null, offset: null };
  }

  /** Rows without subqueries are one Values node; others are a union of projections. */
  valuesPlan(rows: readonly (readonly BoundExpr[])[], columns: readonly PlanColumn[]): PlanNode {
    if (!rows.some((row) => row.some(holdsSubquery))) return { kind: 'values', rows, columns };
    const inputs = rows.map((row) => {
      const attached = this.state.attacher.attachAll(ONE_ROW, row, () => undefined);
      return projectNode(
        attached.plan,
        attached.expressions.map((expr, i) => ({ name: must(columns[i]).name, expr })),
      );
    });
    if (inputs.length === 1) return must(inputs[0]);
    return { kind: 'union', inputs, columns };
  }

  /** The visible rows of a bound query, LIMIT applied. */
  rows(bound: BoundQuery): PlanNode {
    return rowsOf(bound);
  }

  /** What is still without type at the end of binding is text. */
  textIfUnknown(expr: BoundExpr): BoundExpr {
    return expr.type.id === 'unknown' ? castTo(expr, TEXT, 'implicit', this.state) : expr;
  }

  /** A binder of expressions over a scope. */
  expressions(scope: Scope, clause: string, common: CommonTables): ExpressionBinder {
    return new ExpressionBinder(this.state, {
      scope,
      clause,
      aggregates: null,
      windows: null,
      namedWindows: new Map(),
      bindSubquery: (query, inner) => this.bindSubquery(query, inner, common),
    });
  }

  #count(expr: Expr | null, clause: string, common: CommonTables): BoundExpr | null {
    if (expr === null) return null;
    const binder = this.expressions(new Scope(this.state.newScopeId(), null), clause, common);
    const bound = withoutColumns(
      () => binder.bind(expr),
      '42P10',
      `argument of ${clause} must not contain variables`,
    );
    if (bound.kind === 'literal' && bound.text === null) return null;
    const coerced = this.state.coerce(bound, INT8, 'assignment', expr.position);
    const count = coerced === null ? null : foldExpr(coerced);
    if (count === null) {
      const message = `argument of ${clause} must be type bigint, not type ${plainTypeName(bound.type)}`;
      throw new SqlError('42804', message, { position: expr.position });
    }
    if (count.kind === 'literal' && count.text?.startsWith('-')) {
      const sqlstate = clause === 'LIMIT' ? '2201W' : '2201X';
      throw new SqlError(sqlstate, `${clause} must not be negative`);
    }
    return count;
  }
}

function holdsSubquery(expr: BoundExpr): boolean {
  return someExpr(expr, (part) => placeholderNumber(part, 'subquery') !== undefined);
}

/** A whole SELECT for running. */
export function bindQueryPlan(query: Query, state: BindState): QueryPlan {
  const bound = new QueryBinder(state).bind(query, null, new Map());
  return finishQuery(bound, state);
}

/** Optimized, checked, with its parameters' types. */
export function finishQuery(bound: BoundQuery, state: BindState): QueryPlan {
  const { catalog, optimize } = state.context;
  const node = optimizePlan(bound.plan, {
    optimize: optimize ?? true,
    isView: false,
    relations: catalogProperties(catalog),
  });
  assertNoPlaceholders(node);
  return {
    node,
    order: bound.order,
    limit: bound.limit,
    offset: bound.offset,
    visibleCount: bound.names.length,
    columns: bound.names.map((name, i) => {
      const origin = bound.origins[i] ?? null;
      const column = { name, type: must(node.columns[i]).type };
      if (origin === null) return column;
      return { ...column, tableOid: origin.tableOid, attributeNumber: origin.attribute };
    }),
    parameterTypes: state.parameterTypes(),
    relationIds: scannedRelations(node),
  };
}

export interface BoundRelation {
  /** The logical plan; ORDER BY with LIMIT is a Top-N, ORDER BY alone is gone. */
  readonly plan: PlanNode;
  readonly columns: readonly CatalogColumn[];
}

/** The query of a view, with its columns as the catalog keeps them. */
export function bindRelationQuery(
  query: Query,
  columnNames: readonly string[],
  state: BindState,
  tooManyNames: string,
): BoundRelation {
  const bound = new QueryBinder(state).bind(query, null, new Map());
  if (columnNames.length > bound.names.length) {
    throw new SqlError('42601', tooManyNames);
  }
  const names = bound.names.map((name, i) => columnNames[i] ?? name);
  refuseDuplicates(names);
  const rows = rowsOf(bound);
  const plan = { ...rows, columns: rows.columns.map((c, i) => ({ ...c, name: must(names[i]) })) };
  assertNoPlaceholders(plan);
  const declared = declaredNotNull(state.context.catalog);
  const columns = plan.columns.map((column, i): CatalogColumn => {
    if (column.type.id === 'void' || column.type.id === 'record') {
      const message = `column "${column.name}" has pseudo-type ${plainTypeName(column.type)}`;
      throw new SqlError('42P16', message);
    }
    return plainColumn(column.name, column.type, neverNullColumn(rows, i, declared));
  });
  return { plan: renamed(plan), columns };
}

/** Scans and inputs share their column objects with others: new names need a Project of their own. */
function renamed(plan: PlanNode): PlanNode {
  if (plan.kind === 'project') return plan;
  return projectNode(
    plan,
    plan.columns.map((column, i) => ({ name: column.name, expr: columnRef(plan, i) })),
  );
}

function refuseDuplicates(names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) {
      throw new SqlError('42701', `column "${name}" specified more than once`);
    }
    seen.add(name);
  }
}

export function plainColumn(name: string, type: DataType, isNotNull: boolean): CatalogColumn {
  return {
    name,
    type,
    isNotNull,
    defaultText: null,
    defaultExpr: null,
    generatedText: null,
    generatedExpr: null,
    included: null,
    comment: null,
  };
}
