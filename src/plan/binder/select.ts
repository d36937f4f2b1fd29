/** One SELECT: its clauses bound in PostgreSQL's order, then put together by SelectBuilder. */

import { must } from '../../base/assert.ts';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { resolveFunction } from '../../expr/resolve.ts';
import type {
  SortKey as AstSortKey,
  Expr,
  Select,
  SelectItem,
  Star,
  WindowSpec,
} from '../../sql/ast.ts';
import { columnRef, pickColumns, range, topNNode, withExpressions } from '../build.ts';
import { canonicalKey } from '../expr-facts.ts';
import { coerceArgs } from '../expr-make.ts';
import { exprKey } from '../expr-tree.ts';
import { distinctNode } from '../grouping.ts';
import type { PlanNode, SortKey } from '../plan-node.ts';
import type { ExpressionBinder } from './expression.ts';
import { FromBinder } from './from.ts';
import { functionName } from './function-call.ts';
import { type GroupingSet, groupingSets } from './grouping-sets.ts';
import {
  type BodyOptions,
  type BoundQuery,
  type ColumnOrigin,
  outputColumn,
  resolveUnknowns,
} from './outputs.ts';
import type { QueryBinder } from './query.ts';
import type { CommonTables } from './relations.ts';
import { Scope } from './scope.ts';
import {
  type AggregateUse,
  SelectBuilder,
  type SortItem,
  type WindowUse,
} from './select-builder.ts';
import { isTableFunctionName, tableFunctionColumns } from './table-functions.ts';

export interface OutputItem {
  readonly name: string;
  readonly expr: BoundExpr;
  readonly origin: ColumnOrigin;
}

export function bindSelect(
  queries: QueryBinder,
  select: Select,
  orderBy: readonly AstSortKey[],
  parent: Scope | null,
  common: CommonTables,
  options: BodyOptions,
): BoundQuery {
  return new SelectBinding(queries, select, parent, common, options).bind(orderBy);
}

class SelectBinding {
  readonly #queries: QueryBinder;
  readonly #select: Select;
  readonly #common: CommonTables;
  readonly #options: BodyOptions;
  readonly #scope: Scope;
  readonly #aggregates: AggregateUse[] = [];
  readonly #windows: WindowUse[] = [];
  readonly #groupings: (readonly BoundExpr[])[] = [];
  /** Places of the select items that GROUP BY names by number or name. */
  readonly #groupedItems = new Set<number>();
  readonly #named: ReadonlyMap<string, WindowSpec>;

  constructor(
    queries: QueryBinder,
    select: Select,
    parent: Scope | null,
    common: CommonTables,
    options: BodyOptions,
  ) {
    this.#queries = queries;
    this.#select = select;
    this.#common = common;
    this.#options = options;
    this.#scope = new Scope(queries.state.newScopeId(), parent);
    this.#named = new Map(select.windows.map((window) => [window.name, window.spec]));
  }

  bind(orderBy: readonly AstSortKey[]): BoundQuery {
    const select = this.#select;
    const from = this.#from();
    const where =
      select.where === null ? null : this.#plain('WHERE').condition(select.where, 'WHERE');
    const rows = this.#rowFunction(from, where);
    const items = rows === null ? this.#items() : rows.items;
    const groupingSets = this.#groupingSets(items);
    const having =
      select.having === null
        ? null
        : this.#grouped('HAVING', false).condition(select.having, 'HAVING');
    const names = items.map((item) => item.name);
    const sorts = orderBy.map((key) => this.#sortItem(key, names, items));
    const on = (select.distinct?.on ?? []).map((expr) =>
      this.#outputOr(expr, names, items, 'DISTINCT ON'),
    );
    const hidden = [...sorts.map((sort) => sort.expr), ...on];
    const isGrouped =
      having !== null ||
      this.#aggregates.length > 0 ||
      this.#groupings.length > 0 ||
      select.groupBy.length > 0;
    const builder = new SelectBuilder(this.#queries.state, {
      from: rows === null ? from : rows.plan,
      scope: this.#scope,
      where: rows === null ? where : null,
      groupingSets,
      groupings: this.#groupings,
      isGrouped,
      having,
      aggregates: this.#aggregates,
      windows: this.#windows,
      outputs: [...items.map((item) => item.expr), ...hidden, ...(having === null ? [] : [having])],
    });
    return this.#finish(builder, items, sorts, on);
  }

  #from(): PlanNode {
    const binder = new FromBinder(
      this.#queries.state,
      this.#scope,
      this.#common,
      this.#queries,
      (query, scope) => this.#queries.bindSubquery(query, scope, this.#common),
    );
    return binder.bindAll(this.#select.from);
  }

  /** Where neither aggregates nor window functions may stand. */
  #plain(clause: string): ExpressionBinder {
    return this.#queries.expressions(this.#scope, clause, this.#common);
  }

  #grouped(clause: string, hasWindows: boolean): ExpressionBinder {
    return this.#plain(clause).within({
      aggregates: this.#aggregates,
      groupings: this.#groupings,
      windows: hasWindows ? this.#windows : null,
      namedWindows: this.#named,
    });
  }

  #items(): readonly OutputItem[] {
    const binder = this.#grouped('SELECT', true);
    return this.#select.items.flatMap((item) => this.#item(item, binder));
  }

  #item(item: SelectItem, binder: ExpressionBinder): readonly OutputItem[] {
    if (item.expr.kind === 'star') return expandStar(item.expr, this.#scope);
    const expr = binder.bind(item.expr);
    return [{ name: item.alias ?? outputName(item.expr), expr, origin: this.#origin(expr) }];
  }

  #origin(expr: BoundExpr): ColumnOrigin {
    if (expr.kind !== 'column') return null;
    for (const table of this.#scope.tables) {
      for (const column of table.columns) {
        if (column.expr.kind === 'column' && column.expr.index === expr.index) return column.origin;
      }
    }
    return null;
  }

  /** A set-returning function as an item of the select list: it runs for each row of FROM. */
  #rowFunction(
    from: PlanNode,
    where: BoundExpr | null,
  ): { plan: PlanNode; items: readonly OutputItem[] } | null {
    const calls = this.#select.items.filter((item) => this.#isTableCall(item.expr));
    const [item] = calls;
    if (item === undefined) return null;
    const { position } = item;
    if (calls.length > 1 || item.expr.kind !== 'function_call') {
      throw notSupported('more than one set-returning function in a select list', { position });
    }
    const isPlain = this.#select.groupBy.length === 0 && this.#select.having === null;
    if (!isPlain) {
      throw notSupported('a set-returning function in this select list', {
        position,
        hint: 'Put the function into FROM.',
      });
    }
    const binder = this.#plain('a set-returning function');
    const name = functionName(binder, item.expr);
    const args = binder.bindAll(item.expr.args.map((arg) => arg.value));
    const resolved = resolveFunction(
      name,
      args.map((arg) => arg.type),
      position,
    );
    const columns = tableFunctionColumns(resolved);
    const input = this.#queries.state.attacher.filter(from, where, (reference) =>
      reference.scope === this.#scope.id ? reference.column : undefined,
    );
    const plan: PlanNode = {
      kind: 'table_function',
      input,
      function: resolved.id,
      args: coerceArgs(resolved, args, this.#queries.state, position),
      withOrdinality: false,
      isOuter: false,
      columns: [...input.columns, ...columns],
    };
    const others = this.#grouped('SELECT', false);
    const items = this.#select.items.flatMap((other): readonly OutputItem[] => {
      if (other !== item) return this.#item(other, others);
      const expr = columnRef(plan, input.columns.length);
      return [{ name: item.alias ?? name, expr, origin: null }];
    });
    return { plan, items };
  }

  #isTableCall(expr: Expr): boolean {
    if (expr.kind !== 'function_call' || expr.over !== null) return false;
    const name = expr.name.parts.at(-1) as string;
    return isTableFunctionName(name);
  }

  #groupingSets(items: readonly OutputItem[]): readonly GroupingSet[] {
    const { groupBy, isGroupByDistinct } = this.#select;
    const sets = groupingSets(groupBy, isGroupByDistinct, (expr) => this.#groupKeys(expr, items));
    if (sets.length > 1) this.#refuseTwins(items);
    return sets;
  }

  /** PostgreSQL tells equal items of the select list apart by their place; keys here are known by their expression only. */
  #refuseTwins(items: readonly OutputItem[]): void {
    const keys = [...this.#groupedItems].map((i) => exprKey(must(items[i]).expr));
    if (new Set(keys).size === keys.length) return;
    const message = 'grouping sets over two equal items of the select list are not supported';
    throw new SqlError('0A000', message, {
      position: must(this.#select.groupBy[0]).position,
      hint: 'Group by the item once, and select it a second time in a query around this one.',
    });
  }

  #groupKeys(expr: Expr, items: readonly OutputItem[]): GroupingSet {
    const binder = this.#plain('GROUP BY');
    if (expr.kind === 'row') return expr.elements.map((part) => binder.bind(part));
    const bound = this.#groupExpr(expr, items, binder);
    if (/\$(aggregate|window):/.test(exprKey(bound))) {
      const what = exprKey(bound).includes('$aggregate:')
        ? 'aggregate functions'
        : 'window functions';
      const sqlstate = what === 'aggregate functions' ? '42803' : '42P20';
      throw new SqlError(sqlstate, `${what} are not allowed in GROUP BY`, {
        position: expr.position,
      });
    }
    const isUntyped = bound.type.id === 'unknown';
    return isUntyped ? [] : [bound];
  }

  /** An input column wins over an output name; numbers are outputs. */
  #groupExpr(expr: Expr, items: readonly OutputItem[], binder: ExpressionBinder): BoundExpr {
    if (expr.kind === 'column_ref' && expr.parts.length === 1) {
      const local = this.#scope.findLocal(expr.parts, expr.position);
      if (local !== null) return local.expr;
    }
    const column = outputColumn(
      expr,
      items.map((item) => item.name),
      'GROUP BY',
    );
    if (column === null) return binder.bind(expr);
    this.#groupedItems.add(column);
    return must(items[column]).expr;
  }

  #outputOr(
    expr: Expr,
    names: readonly string[],
    items: readonly OutputItem[],
    clause: string,
  ): BoundExpr {
    const column = outputColumn(expr, names, clause);
    return column === null ? this.#grouped(clause, true).bind(expr) : must(items[column]).expr;
  }

  #sortItem(key: AstSortKey, names: readonly string[], items: readonly OutputItem[]): SortItem {
    const expr = this.#outputOr(key.expr, names, items, 'ORDER BY');
    return this.#grouped('ORDER BY', true).sortItem(key, expr);
  }

  #finish(
    builder: SelectBuilder,
    items: readonly OutputItem[],
    sorts: readonly SortItem[],
    on: readonly BoundExpr[],
  ): BoundQuery {
    const { state } = this.#queries;
    const outputs = items.map(({ name, expr }) => ({ name, expr }));
    const known = new Map<string, number>();
    items.forEach(({ expr }, i) => {
      if (!known.has(exprKey(expr))) known.set(exprKey(expr), i);
    });
    const place = (expr: BoundExpr): number => {
      const found = known.get(exprKey(expr));
      if (found !== undefined) return found;
      outputs.push({ name: '?sort?', expr });
      known.set(exprKey(expr), outputs.length - 1);
      return outputs.length - 1;
    };
    const order = sorts.map(({ expr, descending, nullsFirst }) => ({
      column: place(expr),
      descending,
      nullsFirst,
    }));
    const onColumns = on.map(place);
    const width = items.length;
    if (this.#select.distinct !== null && onColumns.length === 0 && outputs.length > width) {
      const message = 'for SELECT DISTINCT, ORDER BY expressions must appear in select list';
      const unlisted = sorts.find(
        ({ expr }) => !items.some((item) => exprKey(item.expr) === exprKey(expr)),
      );
      const position = unlisted === undefined ? undefined : state.positionOf(unlisted.expr);
      throw new SqlError('42P10', message, { position: position ?? this.#select.position });
    }
    let plan = builder.project(outputs);
    if (!this.#options.keepsUnknown) plan = resolveUnknowns(plan, outputs.length, state);
    const distinct = this.#distinct(plan, onColumns, order);
    const names = items.map((item) => item.name);
    const origins = items.map((item) => item.origin);
    return { plan: distinct, names, origins, order, limit: null, offset: null };
  }

  #distinct(plan: PlanNode, on: readonly number[], order: readonly SortKey[]): PlanNode {
    const { distinct, position } = this.#select;
    if (distinct === null) return plan;
    if (on.length === 0) return distinctNode(plan);
    const leading = order.slice(0, on.length).every((key) => on.includes(key.column));
    const covered =
      order.length === 0 ||
      (leading && order.length >= on.length) ||
      order.every((key) => on.includes(key.column));
    if (!covered) {
      const message = 'SELECT DISTINCT ON expressions must match initial ORDER BY expressions';
      throw new SqlError('42P10', message, { position });
    }
    const keyed = withExpressions(
      plan,
      on.map((index) => canonicalKey(columnRef(plan, index))),
    );
    const first = topNNode(keyed.node, { partition: keyed.indexes, order, limit: 1 });
    return pickColumns(first, range(0, plan.columns.length));
  }
}

/** `*` and `t.*`. */
export function expandStar(star: Star, scope: Scope): readonly OutputItem[] {
  const { qualifier, position } = star;
  if (qualifier.length === 0) {
    if (scope.tables.length === 0) {
      throw new SqlError('42601', 'SELECT * with no tables specified is not valid', { position });
    }
    return scope.visible.map(({ name, expr, origin }) => ({ name, expr, origin }));
  }
  const table = scope.findTable(qualifier, position);
  if (table === null) {
    const name = qualifier.at(-1) as string;
    throw new SqlError('42P01', `missing FROM-clause entry for table "${name}"`, { position });
  }
  return table.columns
    .filter((column) => column.isHidden !== true)
    .map(({ name, expr, origin }) => ({ name, expr, origin }));
}

/** The name that PostgreSQL gives an output column without alias. */
export function outputName(expr: Expr): string {
  return nameOf(expr).name;
}

/** A weak name gives way to that of a cast or CASE around it (PostgreSQL's FigureColname). */
interface OutputName {
  readonly name: string;
  readonly isStrong: boolean;
}

const strong = (name: string): OutputName => ({ name, isStrong: true });
const weak = (name: string): OutputName => ({ name, isStrong: false });

function nameOf(expr: Expr): OutputName {
  switch (expr.kind) {
    case 'column_ref':
      return strong(expr.parts.at(-1) as string);
    case 'function_call':
      return strong(expr.name.parts.at(-1) as string);
    case 'cast': {
      const inner = nameOf(expr.operand);
      return inner.isStrong ? inner : weak(expr.type.names.at(-1) as string);
    }
    case 'case': {
      const inner = expr.otherwise === null ? weak('case') : nameOf(expr.otherwise);
      return inner.isStrong ? inner : weak('case');
    }
    case 'coalesce':
    case 'greatest':
    case 'least':
    case 'nullif':
    case 'array':
    case 'row':
    case 'exists':
      return strong(expr.kind);
    case 'array_subquery':
      return strong('array');
    case 'value_function':
      return strong(expr.name);
    case 'field':
      return strong(expr.field);
    case 'collate':
    case 'subscript':
      return nameOf(expr.operand);
    case 'grouping':
      return strong('grouping');
    case 'scalar_subquery': {
      const { body } = expr.query;
      const first = body.kind === 'select' ? body.items[0] : undefined;
      if (first === undefined) return weak('?column?');
      return first.alias === null ? nameOf(first.expr) : strong(first.alias);
    }
    default:
      return weak('?column?');
  }
}
