/**
 * From the bound parts of one SELECT to its plan, in SQL's order of evaluation: FROM, WHERE, GROUP BY and aggregates,
 * HAVING, window functions, the select list, DISTINCT. Subqueries are joined in where the expression that holds them is
 * evaluated.
 */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { type DataType, INT4 } from '../../types/data-type.ts';
import {
  columnOf,
  columnRef,
  filterNode,
  pickColumns,
  projectNode,
  range,
  withExpressions,
} from '../build.ts';
import { canonicalKey } from '../expr-facts.ts';
import { literal } from '../expr-make.ts';
import { exprKey, replaceExpr, someExpr } from '../expr-tree.ts';
import { groupNode } from '../grouping.ts';
import { placeholderNumber } from '../placeholder.ts';
import type { OverNode, PlanNode, SortKey } from '../plan-node.ts';
import type { BindState } from './bind-state.ts';
import { type GroupingSet, keysOfSets } from './grouping-sets.ts';
import type { Scope } from './scope.ts';
import type { Locate } from './subquery.ts';

export interface SortItem {
  readonly expr: BoundExpr;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** An aggregate as it stands in an expression of the query. */
export interface AggregateUse {
  readonly function: string;
  readonly name: string;
  readonly args: readonly BoundExpr[];
  readonly isDistinct: boolean;
  readonly filter: BoundExpr | null;
  readonly orderBy: readonly SortItem[];
  readonly type: DataType;
}

/** A window function call; its arguments may hold aggregates. */
export interface WindowUse {
  readonly function: string;
  readonly name: string;
  readonly args: readonly BoundExpr[];
  readonly partition: readonly BoundExpr[];
  readonly order: readonly SortItem[];
  readonly frame: OverNode['calls'][number]['frame'];
  readonly type: DataType;
}

export interface SelectParts {
  readonly from: PlanNode;
  readonly scope: Scope;
  readonly where: BoundExpr | null;
  /** GROUP BY: one set, unless ROLLUP, CUBE or GROUPING SETS name several. */
  readonly groupingSets: readonly GroupingSet[];
  /** Arguments of each GROUPING(...). */
  readonly groupings: readonly (readonly BoundExpr[])[];
  readonly isGrouped: boolean;
  readonly having: BoundExpr | null;
  readonly aggregates: readonly AggregateUse[];
  readonly windows: readonly WindowUse[];
  /** Everything that is evaluated behind the grouping: select list, HAVING, ORDER BY. */
  readonly outputs: readonly BoundExpr[];
}

/** The plan under the select list, and how the query's expressions read over it. */
export class SelectBuilder {
  readonly #state: BindState;
  readonly #parts: SelectParts;
  #plan: PlanNode;
  /** Column of the grouped plan by the key of the expression that it holds. */
  #groupColumns: ReadonlyMap<string, number> | null = null;
  #aggregateStart = 0;
  readonly #windowColumns = new Map<number, number>();

  constructor(state: BindState, parts: SelectParts) {
    this.#state = state;
    this.#parts = parts;
    this.#plan = parts.from;
    this.#filterRows();
    if (parts.isGrouped) this.#group();
    if (parts.having !== null) this.#filterGroups(parts.having);
    this.#addWindows();
  }

  /** The select list (and hidden ORDER BY columns) as a Project. */
  project(items: readonly { readonly name: string; readonly expr: BoundExpr }[]): PlanNode {
    const exprs = items.map((item) => this.#over(item.expr));
    const attached = this.#attach(this.#plan, exprs);
    return projectNode(
      attached.plan,
      items.map((item, i) => ({ name: item.name, expr: must(attached.expressions[i]) })),
    );
  }

  #filterRows(): void {
    const { where } = this.#parts;
    if (where === null) return;
    this.#plan = this.#state.attacher.filter(this.#plan, where, this.#locateRow);
  }

  readonly #locateRow: Locate = (reference) =>
    reference.scope === this.#parts.scope.id ? reference.column : undefined;

  /** Behind GROUP BY, the outer columns that a subquery reads must be group keys. */
  readonly #locateGrouped: Locate = (reference) => {
    if (reference.scope !== this.#parts.scope.id) return undefined;
    if (this.#groupColumns === null) return reference.column;
    const column: BoundExpr = { kind: 'column', index: reference.column, type: reference.type };
    const found = this.#groupColumns.get(exprKey(column));
    if (found !== undefined) return found;
    const name = this.#columnName(reference.column);
    throw new SqlError('42803', `subquery uses ungrouped column "${name}" from outer query`);
  };

  #attach(
    plan: PlanNode,
    expressions: readonly BoundExpr[],
  ): { readonly plan: PlanNode; readonly expressions: readonly BoundExpr[] } {
    return this.#state.attacher.attachAll(plan, expressions, this.#locateGrouped);
  }

  #group(): void {
    const { aggregates } = this.#parts;
    const keys = [...keysOfSets(this.#parts.groupingSets), ...this.#dependentColumns()];
    const flat: BoundExpr[] = [...keys];
    for (const use of aggregates) {
      flat.push(...use.args, ...use.orderBy.map((item) => item.expr));
      if (use.filter !== null) flat.push(use.filter);
    }
    const attached = this.#state.attacher.attachAll(this.#plan, flat, this.#locateRow);
    const { node, indexes } = withExpressions(attached.plan, attached.expressions);
    const keyIndexes = indexes.slice(0, keys.length);
    let next = keys.length;
    const take = (): number => must(indexes[next++]);
    const calls = aggregates.map((use) => ({
      function: use.function,
      name: use.name,
      args: use.args.map(take),
      orderBy: use.orderBy.map(({ descending, nullsFirst }) => ({
        column: take(),
        descending,
        nullsFirst,
      })),
      filter: use.filter === null ? null : take(),
      isDistinct: use.isDistinct,
      type: use.type,
    }));
    const unique = [...new Set(keyIndexes)];
    const columns = new Map<string, number>();
    keys.forEach((key, i) => {
      columns.set(exprKey(key), unique.indexOf(must(keyIndexes[i])));
    });
    this.#groupColumns = columns;
    this.#aggregateStart = unique.length;
    const [only, ...others] = this.#parts.groupingSets;
    if (only === undefined || others.length === 0) this.#plan = groupNode(node, unique, calls);
    else this.#plan = this.#unionOfSets(node, unique, calls);
  }

  /** One aggregation for each grouping set; a key that is not in the set is NULL. */
  #unionOfSets(
    node: PlanNode,
    keys: readonly number[],
    calls: Parameters<typeof groupNode>[2],
  ): PlanNode {
    const inputs = this.#parts.groupingSets.map((set) => {
      const own = new Set(set.map((key) => this.#groupColumn(key)));
      const places = range(0, keys.length).filter((place) => own.has(place));
      const grouped = groupNode(
        node,
        places.map((place) => must(keys[place])),
        calls,
      );
      const shownKeys = keys.map((index, place) => {
        const { name, type } = columnOf(node, index);
        const at = places.indexOf(place);
        return { name, expr: at < 0 ? literal(null, type) : columnRef(grouped, at) };
      });
      const results = range(places.length, grouped.columns.length).map((index) => ({
        name: columnOf(grouped, index).name,
        expr: columnRef(grouped, index),
      }));
      const bits = this.#parts.groupings.map((args) => ({
        name: 'grouping',
        expr: literal(String(this.#groupingBits(args, own)), INT4),
      }));
      return projectNode(grouped, [...shownKeys, ...results, ...bits]);
    });
    return { kind: 'union', inputs, columns: must(inputs[0]).columns };
  }

  /** Which key of the grouped plan the expression is. */
  #groupColumn(expr: BoundExpr): number | undefined {
    return this.#groupColumns?.get(exprKey(expr));
  }

  /** GROUPING's value: one bit for each argument, 1 where it is not in the set; the last argument is the lowest bit. */
  #groupingBits(args: readonly BoundExpr[], own: ReadonlySet<number | undefined>): number {
    return args.reduce((bits, arg) => {
      const place = this.#groupColumn(arg);
      if (place === undefined) {
        const message =
          'arguments to GROUPING must be grouping expressions of the associated query level';
        throw new SqlError('42803', message, { position: this.#state.positionOf(arg) });
      }
      return bits * 2 + (own.has(place) ? 0 : 1);
    }, 0);
  }

  /** What GROUPING number `number` is over the grouped plan. */
  #groupingValue(number: number): BoundExpr {
    const { aggregates, groupings, groupingSets } = this.#parts;
    if (groupingSets.length > 1) {
      return columnRef(this.#plan, this.#aggregateStart + aggregates.length + number);
    }
    const all = new Set(this.#groupColumns?.values());
    return literal(String(this.#groupingBits(must(groupings[number]), all)), INT4);
  }

  /** Columns of a table whose primary key is grouped by: they are functions of the keys (SQL's functional dependency). */
  #dependentColumns(): readonly BoundExpr[] {
    const { scope, groupingSets } = this.#parts;
    if (groupingSets.length > 1) return [];
    const grouped = new Set(groupingSets.flat().map(exprKey));
    const { catalog } = this.#state.context;
    const added: BoundExpr[] = [];
    for (const table of scope.tables) {
      const oid = table.columns.find((column) => column.origin !== null)?.origin?.tableOid;
      const object = oid === undefined ? undefined : catalog.object(oid);
      if (object?.kind !== 'table') continue;
      const primary = object.constraints.find((c) => c.kind === 'primary_key');
      if (primary?.kind !== 'primary_key') continue;
      const isGrouped = primary.columns.every((index) => {
        const column = table.columns.find((c) => c.origin?.attribute === index + 1);
        return column !== undefined && grouped.has(exprKey(column.expr));
      });
      if (!isGrouped) continue;
      for (const column of table.columns) {
        if (!grouped.has(exprKey(column.expr)) && this.#isRead(column.expr))
          added.push(column.expr);
      }
    }
    return added;
  }

  #isRead(column: BoundExpr): boolean {
    const key = exprKey(column);
    const reads = (expr: BoundExpr): boolean => someExpr(expr, (part) => exprKey(part) === key);
    return this.#parts.outputs.some(reads);
  }

  #filterGroups(having: BoundExpr): void {
    const width = this.#plan.columns.length;
    const attached = this.#attach(this.#plan, [this.#over(having)]);
    const filtered = filterNode(attached.plan, must(attached.expressions[0]));
    this.#plan = pickColumns(filtered, range(0, width));
  }

  /** The expression over the plan as it stands now. */
  #over(expr: BoundExpr): BoundExpr {
    return replaceExpr(expr, (part) => {
      const window = placeholderNumber(part, 'window');
      if (window !== undefined) return columnRef(this.#plan, must(this.#windowColumns.get(window)));
      if (this.#groupColumns === null) return undefined;
      const grouping = placeholderNumber(part, 'grouping');
      if (grouping !== undefined) return this.#groupingValue(grouping);
      const aggregate = placeholderNumber(part, 'aggregate');
      if (aggregate !== undefined) return columnRef(this.#plan, this.#aggregateStart + aggregate);
      // A constant stays one, unless it is a key that some grouping set leaves out.
      const isKept = part.kind === 'literal' && this.#parts.groupingSets.length <= 1;
      const key = isKept ? undefined : this.#groupColumns.get(exprKey(part));
      if (key !== undefined) return columnRef(this.#plan, key);
      if (part.kind === 'column') throw this.#ungrouped(part.index, this.#state.positionOf(part));
      return undefined;
    });
  }

  #ungrouped(index: number, position: number | undefined): SqlError {
    const message = `column "${this.#columnName(index)}" must appear in the GROUP BY clause or be used in an aggregate function`;
    return new SqlError('42803', message, { position });
  }

  #columnName(index: number): string {
    for (const table of this.#parts.scope.tables) {
      for (const { name, expr } of table.columns) {
        if (expr.kind === 'column' && expr.index === index) return `${table.alias}.${name}`;
      }
    }
    return must(this.#parts.from.columns[index]).name;
  }

  /** One Over node for all calls with the same partition and order. */
  #addWindows(): void {
    const groups = new Map<string, number[]>();
    this.#parts.windows.forEach((use, number) => {
      const order = use.order.map(({ expr, ...direction }) => [exprKey(expr), direction]);
      const key = JSON.stringify([use.partition.map(exprKey), order]);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [number]);
      else group.push(number);
    });
    for (const numbers of groups.values()) this.#addOver(numbers);
  }

  #addOver(numbers: readonly number[]): void {
    const uses = numbers.map((number) => must(this.#parts.windows[number]));
    const first = must(uses[0]);
    const exprs = [
      ...first.partition,
      ...first.order.map((item) => item.expr),
      ...uses.flatMap((use) => use.args),
    ].map((expr) => this.#over(expr));
    const attached = this.#attach(this.#plan, exprs);
    const keyed = attached.expressions.map((expr, i) =>
      i < first.partition.length ? canonicalKey(expr) : expr,
    );
    const { node, indexes } = withExpressions(attached.plan, keyed);
    let next = first.partition.length + first.order.length;
    const order: SortKey[] = first.order.map(({ descending, nullsFirst }, i) => ({
      column: must(indexes[first.partition.length + i]),
      descending,
      nullsFirst,
    }));
    const calls = uses.map((use) => ({
      function: use.function,
      args: use.args.map(() => must(indexes[next++])),
      frame: use.frame,
      type: use.type,
    }));
    numbers.forEach((number, i) => {
      this.#windowColumns.set(number, node.columns.length + i);
    });
    this.#plan = {
      kind: 'over',
      input: node,
      partition: indexes.slice(0, first.partition.length),
      order,
      calls,
      columns: [...node.columns, ...uses.map((use) => ({ name: use.name, type: use.type }))],
    };
  }
}
