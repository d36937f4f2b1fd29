/** Queries and table references of libpg-query's tree -> ours. */

import { notSupported, SqlError } from '../base/sql-error.ts';
import {
  type AdaptContext,
  locationRange,
  node,
  type Raw,
  relationName,
  strings,
  unwrap,
} from './adapt-context.ts';
import { adaptSortKeys, adaptTypeName, adaptWindow } from './adapt-expr.ts';
import type {
  ColumnDefinitionItem,
  ColumnRef,
  CommonTable,
  Expr,
  GroupingElement,
  Join,
  Query,
  Select,
  SelectItem,
  SetOperation,
  TableAlias,
  TableName,
  TableRef,
  Values,
  WindowFunctionTable,
  WithClause,
} from './ast.ts';

/** A SelectStmt (unwrapped). */
export function adaptQuery(raw: Raw, c: AdaptContext): Query {
  if (raw.intoClause !== undefined) {
    throw notSupported('SELECT INTO here', { position: c.at(raw.intoClause.rel?.location) });
  }
  // In textual order: WITH, body, ORDER BY, LIMIT.
  const withClause = raw.withClause === undefined ? null : adaptWith(raw.withClause, c);
  const body = adaptBody(raw, c);
  return node({
    kind: 'query',
    position: queryPosition(raw, c),
    with: withClause,
    body,
    orderBy: adaptSortKeys(raw.sortClause, c),
    limit: adaptLimit(raw.limitCount, c),
    isWithTies: raw.limitOption === 'LIMIT_OPTION_WITH_TIES',
    offset: adaptLimit(raw.limitOffset, c),
    isLocking: raw.lockingClause !== undefined,
  });
}

function queryPosition(raw: Raw, c: AdaptContext): number {
  const { min } = locationRange(raw.targetList ?? raw.valuesLists ?? raw.larg ?? {});
  return Number.isFinite(min) ? c.at(min) : c.at(0);
}

function adaptLimit(raw: Raw, c: AdaptContext): Expr | null {
  if (raw === undefined) return null;
  const expr = c.expr(raw);
  return expr.kind === 'literal' && expr.type === 'null' ? null : expr;
}

export function adaptWith(raw: Raw, c: AdaptContext): WithClause {
  return node({
    kind: 'with',
    position: c.at(raw.location),
    isRecursive: raw.recursive === true,
    tables: raw.ctes.map((item: Raw) => adaptCommonTable(item.CommonTableExpr, c)),
  });
}

function adaptCommonTable(raw: Raw, c: AdaptContext): CommonTable {
  const position = c.at(raw.location);
  const select = raw.ctequery.SelectStmt;
  if (select === undefined) throw notSupported('INSERT, UPDATE or DELETE in WITH', { position });
  if (raw.search_clause !== undefined || raw.cycle_clause !== undefined) {
    throw notSupported('SEARCH or CYCLE', { position });
  }
  const materialized: Record<string, boolean> = {
    CTEMaterializeAlways: true,
    CTEMaterializeNever: false,
  };
  return node({
    kind: 'common_table',
    position,
    name: raw.ctename,
    columns: strings(raw.aliascolnames),
    isMaterialized: materialized[raw.ctematerialized] ?? null,
    query: c.query(select),
  });
}

const SET_OPERATORS: Readonly<Record<string, SetOperation['operator']>> = {
  SETOP_UNION: 'union',
  SETOP_INTERSECT: 'intersect',
  SETOP_EXCEPT: 'except',
};

function adaptBody(raw: Raw, c: AdaptContext): Select | Values | SetOperation {
  const position = queryPosition(raw, c);
  const operator = SET_OPERATORS[raw.op];
  if (operator !== undefined) {
    return node({
      kind: 'set_operation',
      position,
      operator,
      isAll: raw.all === true,
      left: c.query(raw.larg),
      right: c.query(raw.rarg),
    });
  }
  if (raw.valuesLists !== undefined) {
    const rows = raw.valuesLists.map((row: Raw) => row.List.items.map(c.expr));
    return node({ kind: 'values', position, rows });
  }
  return adaptSelect(raw, c, position);
}

function adaptSelect(raw: Raw, c: AdaptContext, position: number): Select {
  return node({
    kind: 'select',
    position,
    distinct: adaptDistinct(raw.distinctClause, c),
    items: adaptSelectItems(raw.targetList, c),
    from: (raw.fromClause ?? []).map((item: Raw) => adaptTableRef(item, c)),
    where: raw.whereClause === undefined ? null : c.expr(raw.whereClause),
    groupBy: (raw.groupClause ?? []).map((item: Raw) => adaptGrouping(item, c)),
    isGroupByDistinct: raw.groupDistinct === true,
    having: raw.havingClause === undefined ? null : c.expr(raw.havingClause),
    windows: (raw.windowClause ?? []).map((item: Raw) =>
      node({ name: item.WindowDef.name, spec: adaptWindow(item.WindowDef, c) }),
    ),
  });
}

/** DISTINCT is a list of one empty node; DISTINCT ON its expressions. */
function adaptDistinct(raw: Raw, c: AdaptContext): { readonly on: readonly Expr[] } | null {
  if (raw === undefined) return null;
  const on = raw.filter((item: Raw) => Object.keys(item).length > 0);
  return node({ on: on.map(c.expr) });
}

export function adaptSelectItems(list: Raw, c: AdaptContext): SelectItem[] {
  return (list ?? []).map((item: Raw): SelectItem => {
    const raw = item.ResTarget;
    return node({
      kind: 'select_item',
      position: c.at(raw.location),
      expr: c.expr(raw.val),
      alias: raw.name ?? null,
    });
  });
}

const GROUPING_KINDS = {
  GROUPING_SET_ROLLUP: 'rollup',
  GROUPING_SET_CUBE: 'cube',
  GROUPING_SET_SETS: 'grouping_sets',
  GROUPING_SET_EMPTY: 'group_empty',
} as const;

function adaptGrouping(item: Raw, c: AdaptContext): GroupingElement {
  const raw = item.GroupingSet;
  if (raw === undefined) {
    const expr = c.expr(item);
    return node({ kind: 'group_expr', position: expr.position, expr });
  }
  return node({
    kind: GROUPING_KINDS[raw.kind as keyof typeof GROUPING_KINDS],
    position: c.at(raw.location),
    items: (raw.content ?? []).map((part: Raw) => adaptGrouping(part, c)),
  });
}

// ---------------------------------------------------------------------------------------------- FROM

export function adaptTableRef(item: Raw, c: AdaptContext): TableRef {
  const [kind, raw] = unwrap(item);
  switch (kind) {
    case 'RangeVar':
      return adaptTableName(raw, c);
    case 'RangeSubselect':
      return node({
        kind: 'derived_table',
        position: queryPosition(raw.subquery.SelectStmt, c),
        query: c.query(raw.subquery.SelectStmt),
        isLateral: raw.lateral === true,
        alias: adaptAlias(raw.alias),
      });
    case 'RangeFunction':
      return adaptRangeFunction(raw, c);
    case 'JoinExpr':
      return adaptJoin(raw, c);
    case 'RangeTableSample':
      throw notSupported('TABLESAMPLE', { position: c.at(raw.location) });
    case 'RangeTableFunc':
      throw notSupported('XMLTABLE', { position: c.at(raw.location) });
    default:
      throw notSupported('JSON_TABLE', { position: c.at(raw.location) });
  }
}

function adaptAlias(raw: Raw): TableAlias | null {
  if (raw === undefined) return null;
  return node({ name: raw.aliasname, columns: strings(raw.colnames) });
}

function adaptTableName(raw: Raw, c: AdaptContext): TableName {
  const name = relationName(raw, c);
  const time = c.lifted.systemTimes.get(name.position);
  c.lifted.systemTimes.delete(name.position);
  return node({
    kind: 'table_name',
    position: name.position,
    name,
    alias: adaptAlias(raw.alias),
    asOf: time === undefined ? null : c.liftedExpr(time),
  });
}

function adaptColumnItems(list: Raw, c: AdaptContext): ColumnDefinitionItem[] {
  return (list ?? []).map((item: Raw) =>
    node({ name: item.ColumnDef.colname, type: adaptTypeName(item.ColumnDef.typeName, c) }),
  );
}

function adaptRangeFunction(raw: Raw, c: AdaptContext): TableRef {
  const first = raw.functions[0].List.items[0];
  const firstName = first.FuncCall === undefined ? [] : strings(first.FuncCall.funcname);
  if (
    !raw.is_rowsfrom &&
    firstName.length === 1 &&
    c.lifted.windowFunctions.has(c.at(first.FuncCall.location))
  ) {
    return adaptWindowFunction(raw, first.FuncCall, c);
  }
  if (firstName.length === 1 && firstName[0] === 'gap_fill') {
    throw notSupported('GAP_FILL', { position: c.at(first.FuncCall.location) });
  }
  const functions = raw.functions.map((item: Raw) => {
    const [call, columns] = item.List.items;
    return node({ call: c.expr(call), columns: adaptColumnItems(columns?.List?.items, c) });
  });
  return node({
    kind: 'table_function',
    position: functions[0].call.position,
    functions,
    isRowsFrom: raw.is_rowsfrom === true,
    isLateral: raw.lateral === true,
    withOrdinality: raw.ordinality === true,
    alias: adaptAlias(raw.alias),
    columns: adaptColumnItems(raw.coldeflist, c),
  });
}

const WINDOW_ARGUMENTS = {
  tumble: [1, 2],
  hop: [2, 3],
  cumulate: [2, 3],
  session: [1, 1],
} as const;

function adaptWindowFunction(raw: Raw, call: Raw, c: AdaptContext): WindowFunctionTable {
  const position = c.at(call.location);
  const name = strings(call.funcname)[0] as WindowFunctionTable['function'];
  const args = call.args ?? [];
  const [least, most] = WINDOW_ARGUMENTS[name];
  if (args.length < least + 2 || args.length > most + 2) {
    const shown = least === most ? `${least + 2}` : `${least + 2} or ${most + 2}`;
    throw new SqlError(
      '42883',
      `${name.toUpperCase()} takes ${shown} arguments, not ${args.length}`,
      {
        position,
        hint: WINDOW_HINTS[name],
      },
    );
  }
  const partition = c.lifted.sessionPartitions.get(position);
  c.lifted.sessionPartitions.delete(position);
  return node({
    kind: 'window_function',
    position,
    function: name,
    input: windowInput(args[0], name, c),
    timeColumn: windowTime(args[1], name, c),
    args: args.slice(2).map(c.expr),
    partitionBy: partition === undefined ? [] : c.liftedExprs(partition),
    alias: adaptAlias(raw.alias),
  });
}

const WINDOW_HINTS = {
  tumble: 'TUMBLE(table, time column, size [, offset])',
  hop: 'HOP(table, time column, slide, size [, offset])',
  cumulate: 'CUMULATE(table, time column, step, size [, offset])',
  session: 'SESSION(table [PARTITION BY ...], time column, gap)',
};

function windowInput(arg: Raw, name: keyof typeof WINDOW_HINTS, c: AdaptContext): TableRef {
  if (arg.ColumnRef?.fields.every((f: Raw) => f.String !== undefined)) {
    const position = c.at(arg.ColumnRef.location);
    const parts = strings(arg.ColumnRef.fields);
    const table = node({ kind: 'qualified_name' as const, position, parts });
    return node({ kind: 'table_name', position, name: table, alias: null, asOf: null });
  }
  if (arg.SubLink?.subLinkType === 'EXPR_SUBLINK') {
    const select = arg.SubLink.subselect.SelectStmt;
    const position = c.at(arg.SubLink.location);
    return node({
      kind: 'derived_table',
      position,
      query: c.query(select),
      isLateral: false,
      alias: null,
    });
  }
  throw new SqlError(
    '42601',
    `the first argument of ${name.toUpperCase()} must be a table or a query`,
    {
      position: c.expr(arg).position,
      hint: WINDOW_HINTS[name],
    },
  );
}

function windowTime(arg: Raw, name: keyof typeof WINDOW_HINTS, c: AdaptContext): ColumnRef {
  const call = arg.FuncCall;
  const isDescriptor =
    call !== undefined && strings(call.funcname).join() === 'descriptor' && call.args?.length === 1;
  const expr = c.expr(isDescriptor ? call.args[0] : arg);
  if (expr.kind === 'column_ref') return expr;
  throw new SqlError('42601', `the time argument of ${name.toUpperCase()} must be a column`, {
    position: expr.position,
    hint: WINDOW_HINTS[name],
  });
}

const JOIN_TYPES: Readonly<Record<string, Join['type']>> = {
  JOIN_INNER: 'inner',
  JOIN_LEFT: 'left',
  JOIN_RIGHT: 'right',
  JOIN_FULL: 'full',
};

function adaptJoin(raw: Raw, c: AdaptContext): Join {
  const asOf = asOfPlace(raw, c);
  const left = adaptTableRef(raw.larg, c);
  const right = adaptTableRef(raw.rarg, c);
  if (raw.join_using_alias !== undefined) {
    throw notSupported('JOIN ... USING (...) AS alias', { position: right.position });
  }
  const type = JOIN_TYPES[raw.jointype] ?? 'inner';
  const hasCondition =
    raw.quals !== undefined || raw.usingClause !== undefined || raw.isNatural === true;
  return node({
    kind: 'join',
    position: asOf ?? right.position,
    type: type === 'inner' && !hasCondition ? 'cross' : type,
    isAsOf: asOf !== null,
    isNatural: raw.isNatural === true,
    left,
    right,
    using: raw.usingClause === undefined ? null : strings(raw.usingClause),
    on: raw.quals === undefined ? null : c.expr(raw.quals),
    alias: adaptAlias(raw.alias),
  });
}

/** The lifted ASOF that stands between the two sides of this join; joins have no place of their own in the tree. */
function asOfPlace(raw: Raw, c: AdaptContext): number | null {
  if (c.lifted.asOfJoins.size === 0) return null;
  const after = c.at(locationRange(raw.larg).max);
  const { min } = locationRange([raw.rarg, raw.quals]);
  if (!Number.isFinite(min)) return null;
  const before = c.at(min);
  for (const place of c.lifted.asOfJoins) {
    if (place <= after || place >= before) continue;
    c.lifted.asOfJoins.delete(place);
    return place;
  }
  return null;
}
