/** FROM: table references to a plan and the names that it shows. Columns are numbered left to right over the clause. */

import { must, unreachable } from '../../base/assert.ts';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { resolveFunction } from '../../expr/resolve.ts';
import type {
  Expr,
  FunctionCall,
  Join,
  Query,
  TableFunction,
  TableName,
  TableRef,
} from '../../sql/ast.ts';
import { INT8, OID } from '../../types/data-type.ts';
import {
  columnRef,
  filterNode,
  joinNode,
  mapExpressions,
  ONE_ROW,
  pickColumns,
  projectNode,
  range,
} from '../build.ts';
import { dependentRows } from '../decorrelate.ts';
import { coerceArgs } from '../expr-make.ts';
import { mapColumns, rewriteExpr, someExpr } from '../expr-tree.ts';
import {
  hasOuterReference,
  type OuterReference,
  outerReference,
  replaceOuter,
} from '../placeholder.ts';
import type { JoinKind, PlanNode } from '../plan-node.ts';
import type { BindState } from './bind-state.ts';
import { aliased, type BoundTable, columnAliases } from './bound-table.ts';
import { type ExprContext, ExpressionBinder } from './expression.ts';
import { functionName } from './function-call.ts';
import { type CommonTables, relationOf } from './relations.ts';
import { Scope, type ScopeColumn, type ScopeTable, type VisibleColumn } from './scope.ts';
import { tableFunctionColumns } from './table-functions.ts';
import { bindTimeWindow } from './time-window.ts';

export interface QueryBinding {
  /** Binds a derived table or a subquery that sees `parent`. */
  bindInner(query: Query, parent: Scope | null, common: CommonTables): InnerQuery;
}

export interface InnerQuery {
  readonly plan: PlanNode;
  readonly names: readonly string[];
}

export class FromBinder {
  readonly state: BindState;
  readonly scope: Scope;
  readonly #common: CommonTables;
  readonly #queries: QueryBinding;
  readonly #bindSubquery: ExprContext['bindSubquery'];

  constructor(
    state: BindState,
    scope: Scope,
    common: CommonTables,
    queries: QueryBinding,
    bindSubquery: ExprContext['bindSubquery'],
  ) {
    this.state = state;
    this.scope = scope;
    this.#common = common;
    this.#queries = queries;
    this.#bindSubquery = bindSubquery;
  }

  /** The whole clause: a cross join of its items, each of which may see those before it (LATERAL). */
  bindAll(refs: readonly TableRef[]): PlanNode {
    let current: BoundTable | null = null;
    for (const ref of refs) {
      const base: number = current === null ? 0 : current.plan.columns.length;
      const before: readonly ScopeTable[] = current?.tables ?? [];
      const right = this.bind(ref, base, this.#lateralScope(current));
      for (const table of right.tables) this.#refuseDuplicate(before, table, ref.position);
      current = current === null ? right : this.#crossJoin(current, right);
    }
    this.scope.tables = current?.tables ?? [];
    this.scope.visible = current?.visible ?? [];
    return current?.plan ?? ONE_ROW;
  }

  bind(ref: TableRef, base: number, lateral: Scope): BoundTable {
    switch (ref.kind) {
      case 'table_name':
        return this.#table(ref, base);
      case 'derived_table': {
        const parent = ref.isLateral ? lateral : this.scope.parent;
        const inner = this.#queries.bindInner(ref.query, parent, this.#common);
        return aliased(inner.plan, inner.names, ref.alias, 'unnamed_subquery', base, ref.position);
      }
      case 'table_function':
        return this.#function(ref, base, lateral);
      case 'window_function':
        return bindTimeWindow(this, ref, base, lateral);
      case 'join':
        return this.#join(ref, base, lateral);
      default:
        return unreachable(ref);
    }
  }

  /** A binder of expressions over the given tables, their columns numbered as in the scope. */
  expressions(tables: BoundTable | null, clause: string): ExpressionBinder {
    return this.#binder(this.#lateralScope(tables, this.scope.parent), clause);
  }

  #binder(scope: Scope, clause: string): ExpressionBinder {
    return new ExpressionBinder(this.state, {
      scope,
      clause,
      aggregates: null,
      windows: null,
      namedWindows: new Map(),
      bindSubquery: this.#bindSubquery,
    });
  }

  /** What a LATERAL item sees: the items before it under this scope's number, then the enclosing query. */
  #lateralScope(before: BoundTable | null, parent: Scope | null = this.scope.parent): Scope {
    const scope = new Scope(this.scope.id, parent);
    scope.tables = before?.tables ?? [];
    scope.visible = before?.visible ?? [];
    return scope;
  }

  #refuseDuplicate(before: readonly ScopeTable[], table: ScopeTable, position: number): void {
    const same = before.find(
      (other) =>
        other.isVisible &&
        table.isVisible &&
        other.alias === table.alias &&
        (other.schema === table.schema || other.schema === null || table.schema === null),
    );
    if (same === undefined || table.alias === 'unnamed_subquery') return;
    const message = `table name "${table.alias}" specified more than once`;
    throw new SqlError('42712', message, { position });
  }

  #table(ref: TableName, base: number): BoundTable {
    if (ref.asOf !== null) {
      throw notSupported('FOR SYSTEM_TIME AS OF', { position: ref.asOf.position });
    }
    const relation = relationOf(ref.name, this.#common, this.state);
    const alias = ref.alias?.name ?? (ref.name.parts.at(-1) as string);
    const names = columnAliases(relation.names, ref.alias, alias, ref.position);
    const columns: ScopeColumn[] = names.map((name, i) => ({
      name,
      expr: { kind: 'column', index: base + i, type: must(relation.plan.columns[i]).type },
      origin: relation.oid === null ? null : { tableOid: relation.oid, attribute: i + 1 },
    }));
    const visible = columns.map((column) => ({ ...column, table: alias }));
    const hidden: ScopeColumn[] =
      relation.oid === null || names.includes('tableoid')
        ? []
        : [{ name: 'tableoid', expr: oidLiteral(relation.oid), origin: null, isHidden: true }];
    const schema = ref.alias === null ? relation.schema : null;
    const relationName = ref.name.parts.at(-1) as string;
    const table = {
      alias,
      schema,
      relationName,
      columns: [...columns, ...hidden],
      isVisible: true,
    };
    return { plan: relation.plan, base, tables: [table], visible };
  }

  #function(ref: TableFunction, base: number, lateral: Scope): BoundTable {
    const { position } = ref;
    const only = must(ref.functions[0]);
    if (ref.functions.length > 1)
      throw notSupported('ROWS FROM with several functions', { position });
    if (ref.columns.length > 0 || only.columns.length > 0) {
      throw notSupported('a column definition list', { position });
    }
    const binder = this.#binder(lateral, 'functions in FROM');
    const call = only.call;
    const name = call.kind === 'function_call' ? functionName(binder, call) : null;
    const produced =
      call.kind === 'function_call' && name !== null
        ? this.#rowsOf(binder, call, name, ref)
        : this.#scalarRow(binder, call, 'value');
    const alias = ref.alias?.name ?? name ?? 'value';
    const names = produced.columns.map((column) => column.name);
    const isSingle = ref.alias !== null && names.length - (ref.withOrdinality ? 1 : 0) === 1;
    if (isSingle) names[0] = alias;
    return aliased(pinColumns(produced, lateral.id), names, ref.alias, alias, base, position);
  }

  #rowsOf(
    binder: ExpressionBinder,
    call: FunctionCall,
    name: string,
    ref: TableFunction,
  ): PlanNode {
    const { position } = call;
    if (call.isVariadic) throw notSupported('VARIADIC in a call', { position });
    const args = binder.bindAll(call.args.map((arg) => arg.value));
    const resolved = resolveFunction(
      name,
      args.map((arg) => arg.type),
      position,
    );
    if (resolved.definition.kind !== 'table') {
      if (ref.withOrdinality) throw notSupported('WITH ORDINALITY of this function', { position });
      return this.#scalarRow(binder, call, name);
    }
    const columns = tableFunctionColumns(resolved);
    const ordinality = ref.withOrdinality ? [{ name: 'ordinality', type: INT8 }] : [];
    return {
      kind: 'table_function',
      input: ONE_ROW,
      function: resolved.id,
      args: coerceArgs(resolved, args, this.state, position),
      withOrdinality: ref.withOrdinality,
      isOuter: false,
      columns: [...columns, ...ordinality],
    };
  }

  #scalarRow(binder: ExpressionBinder, call: Expr, name: string): PlanNode {
    return projectNode(ONE_ROW, [{ name, expr: binder.bind(call) }]);
  }

  #crossJoin(left: BoundTable, right: BoundTable): BoundTable {
    const plan = this.#joinPlans('inner', left, right, null);
    return {
      plan,
      base: left.base,
      tables: [...left.tables, ...right.tables],
      visible: [...left.visible, ...right.visible],
    };
  }

  #join(ref: Join, base: number, outer: Scope): BoundTable {
    if (ref.isAsOf) throw notSupported('ASOF JOIN', { position: ref.position });
    const left = this.bind(ref.left, base, outer);
    const seen = new Scope(this.scope.id, outer.parent);
    seen.tables = [...outer.tables, ...left.tables];
    seen.visible = [...outer.visible, ...left.visible];
    const right = this.bind(ref.right, base + left.plan.columns.length, seen);
    for (const table of right.tables) this.#refuseDuplicate(left.tables, table, ref.right.position);
    const kind: JoinKind = ref.type === 'cross' ? 'inner' : ref.type;
    const shared = ref.isNatural ? commonNames(left, right) : ref.using;
    if (shared !== null)
      return hideBehindAlias(this.#joinUsing(ref, kind, left, right, shared), ref);
    const sides: BoundTable = {
      plan: left.plan,
      base,
      tables: [...left.tables, ...right.tables],
      visible: [...left.visible, ...right.visible],
    };
    const scope = new Scope(this.scope.id, outer.parent);
    scope.tables = sides.tables;
    scope.visible = sides.visible;
    const binder = this.#binder(scope, 'JOIN conditions');
    const on = ref.on === null ? null : binder.condition(ref.on, 'JOIN/ON');
    return hideBehindAlias({ ...sides, plan: this.#joinPlans(kind, left, right, on) }, ref);
  }

  #joinUsing(
    ref: Join,
    kind: JoinKind,
    left: BoundTable,
    right: BoundTable,
    names: readonly string[],
  ): BoundTable {
    const binder = this.#binder(this.scope, 'JOIN/USING');
    const merged: VisibleColumn[] = [];
    const conditions: BoundExpr[] = [];
    for (const name of names) {
      const a = usingColumn(left, name, 'left', ref.position);
      const b = usingColumn(right, name, 'right', ref.position);
      conditions.push(binder.forms.operator('=', a.expr, b.expr, ref.position));
      const both = binder.forms.unify([a.expr, b.expr], 'JOIN/USING', ref.position);
      const [x, y] = both.operands as [BoundExpr, BoundExpr];
      const expr: BoundExpr =
        kind === 'full'
          ? { kind: 'coalesce', args: [x, y], type: both.type }
          : kind === 'right'
            ? y
            : x;
      merged.push({ name, expr, origin: kind === 'right' ? b.origin : a.origin, table: null });
    }
    const on: BoundExpr | null =
      conditions.length === 0
        ? null
        : conditions.length === 1
          ? must(conditions[0])
          : { kind: 'and', args: conditions, type: must(conditions[0]).type };
    const rest = (side: BoundTable): readonly VisibleColumn[] =>
      side.visible.filter((column) => !names.includes(column.name));
    return {
      plan: this.#joinPlans(kind, left, right, on),
      base: left.base,
      tables: [...left.tables, ...right.tables],
      visible: [...merged, ...rest(left), ...rest(right)],
    };
  }

  /** The join of two bound sides; `on` numbers columns as the scope does. A right side that reads the left is LATERAL. */
  #joinPlans(kind: JoinKind, left: BoundTable, right: BoundTable, on: BoundExpr | null): PlanNode {
    const { base } = left;
    const width = left.plan.columns.length;
    const locate = (r: OuterReference): number | undefined => {
      const isLeft = r.scope === this.scope.id && r.column >= base && r.column < base + width;
      return isLeft ? r.column - base : undefined;
    };
    const local = on === null ? null : mapColumns(on, (index) => index - base);
    if (!hasOuterReference(right.plan, (r) => locate(r) !== undefined)) {
      return this.#plainJoin(kind, left.plan, right.plan, local, base);
    }
    if (kind !== 'inner' && kind !== 'left') {
      const message =
        'invalid reference to FROM-clause entry: the combining JOIN type must be INNER or LEFT for a LATERAL reference';
      throw new SqlError('42P10', message);
    }
    const direct = directFunction(kind, left.plan, right.plan, local, locate);
    if (direct !== null) return direct;
    const { node, outerColumns } = dependentRows(right.plan, left.plan, locate);
    const joined = joinNode(kind, left.plan, node, {
      leftKeys: outerColumns,
      rightKeys: range(node.columns.length - outerColumns.length, node.columns.length),
      nullsEqual: true,
      residual: local,
    });
    return pickColumns(joined, range(0, width + right.plan.columns.length));
  }

  #plainJoin(
    kind: JoinKind,
    left: PlanNode,
    right: PlanNode,
    on: BoundExpr | null,
    base: number,
  ): PlanNode {
    const holdsSubquery =
      on !== null &&
      someExpr(on, (part) => part.kind === 'call' && part.function.startsWith('$subquery:'));
    if (!holdsSubquery) return joinNode(kind, left, right, { residual: on });
    if (kind !== 'inner') throw notSupported('a subquery in the ON clause of an outer join');
    const crossed = joinNode('inner', left, right);
    return this.state.attacher.filter(crossed, on, (reference) =>
      reference.scope === this.scope.id ? reference.column - base : undefined,
    );
  }
}

/** `left, LATERAL f(left.x)` needs no join: the function runs for each left row. */
function directFunction(
  kind: JoinKind,
  left: PlanNode,
  right: PlanNode,
  on: BoundExpr | null,
  locate: (r: OuterReference) => number | undefined,
): PlanNode | null {
  if (right.kind !== 'table_function' || right.input !== ONE_ROW) return null;
  const isTrue = on === null || (on.kind === 'literal' && /^t(rue)?$/.test(on.text ?? ''));
  if (kind === 'left' && !isTrue) return null;
  const resolved = replaceOuter(right, (reference) => {
    const column = locate(reference);
    return column === undefined ? undefined : columnRef(left, column);
  });
  if (resolved.kind !== 'table_function') return null;
  const columns = [...left.columns, ...right.columns];
  const node: PlanNode = { ...resolved, input: left, isOuter: kind === 'left', columns };
  return isTrue ? node : filterNode(node, on);
}

/** A function's arguments stand over no input: what they bound as columns are outer references to the lateral scope. */
function pinColumns(plan: PlanNode, scope: number): PlanNode {
  return mapExpressions(plan, (expr) =>
    rewriteExpr(expr, (part) =>
      part.kind === 'column' ? outerReference(scope, part.index, part.type) : part,
    ),
  );
}

function oidLiteral(oid: number): BoundExpr {
  return { kind: 'literal', text: String(oid), type: OID };
}

function commonNames(left: BoundTable, right: BoundTable): readonly string[] {
  const names = new Set(right.visible.map((column) => column.name));
  return left.visible.map((column) => column.name).filter((name) => names.has(name));
}

function usingColumn(
  side: BoundTable,
  name: string,
  which: 'left' | 'right',
  position: number,
): VisibleColumn {
  const matches = side.visible.filter((column) => column.name === name);
  if (matches.length > 1) {
    const message = `common column name "${name}" appears more than once in ${which} table`;
    throw new SqlError('42702', message, { position });
  }
  const found = matches[0];
  if (found !== undefined) return found;
  const message = `column "${name}" specified in USING clause does not exist in ${which} table`;
  throw new SqlError('42703', message, { position });
}

/** (a JOIN b) AS j: the inner names are hidden. */
function hideBehindAlias(bound: BoundTable, ref: Join): BoundTable {
  if (ref.alias === null) return bound;
  const names = columnAliases(
    bound.visible.map((column) => column.name),
    ref.alias,
    ref.alias.name,
    ref.position,
  );
  const columns = bound.visible.map((column, i) => ({ ...column, name: must(names[i]) }));
  const table = { alias: ref.alias.name, schema: null, columns, isVisible: true };
  return {
    ...bound,
    tables: [table],
    visible: columns.map((column) => ({ ...column, table: table.alias })),
  };
}
