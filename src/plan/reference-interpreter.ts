/**
 * Runs a plan over rows of plain values, the slow and obvious way: what the planner's rewrites are tested against. For
 * tests only; knows the nodes and aggregates that those use.
 */

import { AssertionError, must } from '../base/assert.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import { callContext, evaluateValue } from '../expr/scalar.ts';
import { expandTableFunction } from '../expr/table-functions.ts';
import { ArrayValue } from '../types/array.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { compareValues, DEFAULT_SETTINGS, formatValue } from '../types/value.ts';
import { range } from './build.ts';
import type { AggregateCall, JoinNode, PlanNode, QueryPlan, SortKey } from './plan-node.ts';

export type Row = readonly Value[];
/** Rows of the scanned relations by name. */
export type Tables = ReadonlyMap<string, readonly Row[]>;

const CONTEXT = { settings: DEFAULT_SETTINGS, nowUs: 0n };

/** Rows as text, in presentation order, visible columns only. */
export function runQuery(plan: QueryPlan, tables: Tables): readonly string[] {
  const { columns } = plan.node;
  const rows = sorted(
    runNode(plan.node, tables),
    plan.order,
    columns.map((c) => c.type),
  );
  const count = (expr: BoundExpr | null): number | null =>
    expr === null ? null : Number(evaluate(expr, []));
  const from = count(plan.offset) ?? 0;
  const limit = count(plan.limit);
  const shown = rows.slice(from, limit === null ? undefined : from + limit);
  return shown.map((row) =>
    row
      .slice(0, plan.visibleCount)
      .map((value, i) => text(must(columns[i]).type, value))
      .join('|'),
  );
}

function text(type: DataType, value: Value): string {
  return value === null ? '∅' : formatValue(type, value, DEFAULT_SETTINGS);
}

function evaluate(expr: BoundExpr, row: Row): Value {
  return evaluateValue(expr, row, CONTEXT);
}

export function runNode(node: PlanNode, tables: Tables): readonly Row[] {
  switch (node.kind) {
    case 'scan': {
      const rows = must(tables.get(node.relation.name), `no rows of ${node.relation.name}`);
      return rows.map((row) => node.columnIndexes.map((index) => row[index] ?? null));
    }
    case 'values':
      return node.rows.map((row) => row.map((expr) => evaluate(expr, [])));
    case 'filter':
      return runNode(node.input, tables).filter((row) => evaluate(node.predicate, row) === true);
    case 'project':
      return runNode(node.input, tables).map((row) =>
        node.expressions.map((expr) => evaluate(expr, row)),
      );
    case 'join':
      return join(node, tables);
    case 'aggregate':
      return aggregate(node, tables);
    case 'union':
      return node.inputs.flatMap((input) => runNode(input, tables));
    case 'top_n':
      return topN(node, tables);
    case 'over':
      return over(node, tables);
    case 'set_operation':
      return setOperation(node, tables);
    case 'table_function':
      return tableFunction(node, tables);
    default:
      throw new AssertionError(`the reference interpreter has no ${node.kind}`);
  }
}

function key(values: Row): string {
  return JSON.stringify(values, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value instanceof ArrayValue ? value.items : value,
  );
}

function join(node: JoinNode, tables: Tables): readonly Row[] {
  const left = runNode(node.left, tables);
  const right = runNode(node.right, tables);
  const meets = (a: Row, b: Row): boolean => {
    const isEqual = node.leftKeys.every((column, i) => {
      const x = a[column] ?? null;
      const y = b[must(node.rightKeys[i])] ?? null;
      return node.nullsEqual || (x !== null && y !== null) ? key([x]) === key([y]) : false;
    });
    return isEqual && (node.residual === null || evaluate(node.residual, [...a, ...b]) === true);
  };
  const matched = new Set<Row>();
  const out: Row[] = [];
  const { joinKind } = node;
  for (const a of left) {
    const partners = right.filter((b) => meets(a, b));
    for (const b of partners) matched.add(b);
    if (joinKind === 'semi' || joinKind === 'anti') {
      if (partners.length > 0 === (joinKind === 'semi')) out.push(a);
      continue;
    }
    for (const b of partners) out.push([...a, ...b]);
    const isKept = joinKind === 'left' || joinKind === 'full';
    if (partners.length === 0 && isKept) out.push([...a, ...node.right.columns.map(() => null)]);
  }
  if (joinKind === 'right' || joinKind === 'full') {
    for (const b of right) {
      if (!matched.has(b)) out.push([...node.left.columns.map(() => null), ...b]);
    }
  }
  return out;
}

function groups(rows: readonly Row[], keys: readonly number[]): Map<string, Row[]> {
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const id = key(keys.map((column) => row[column] ?? null));
    const group = found.get(id);
    if (group === undefined) found.set(id, [row]);
    else group.push(row);
  }
  return found;
}

function aggregate(node: Extract<PlanNode, { kind: 'aggregate' }>, tables: Tables): readonly Row[] {
  const rows = runNode(node.input, tables);
  const all = groups(rows, node.keys);
  if (node.keys.length === 0 && all.size === 0) all.set('', []);
  const types = node.input.columns.map((column) => column.type);
  return [...all.values()].map((group) => [
    ...node.keys.map((column) => group[0]?.[column] ?? null),
    ...node.calls.map((call) => result(call, group, types)),
  ]);
}

function result(call: AggregateCall, group: readonly Row[], types: readonly DataType[]): Value {
  const { filter } = call;
  let rows = filter === null ? group : group.filter((row) => row[filter] === true);
  rows = sorted(rows, call.orderBy, types);
  const column = call.args[0] ?? 0;
  const type = types[column];
  const name = call.function.slice(0, call.function.indexOf('('));
  if (call.args.length === 0) return BigInt(rows.length);
  let values = rows.map((row) => row[column] ?? null);
  if (call.isDistinct) values = [...new Map(values.map((v) => [key([v]), v])).values()];
  if (name === 'array_agg') return values.length === 0 ? null : ArrayValue.of(values);
  const present = values.filter((value) => value !== null);
  if (name === 'count') return BigInt(present.length);
  if (present.length === 0) return null;
  switch (name) {
    case 'sum':
      return present.reduce((a, b) => BigInt(a as bigint) + BigInt(b as bigint), 0n);
    case 'min':
    case 'least_of':
      return present.reduce((a, b) => (compareValues(must(type), a, b) <= 0 ? a : b));
    case 'max':
      return present.reduce((a, b) => (compareValues(must(type), a, b) >= 0 ? a : b));
    case 'bool_or':
      return present.includes(true);
    case 'bool_and':
      return !present.includes(false);
    default:
      throw new AssertionError(`the reference interpreter has no aggregate ${call.function}`);
  }
}

function compareRows(
  a: Row,
  b: Row,
  order: readonly SortKey[],
  types: readonly DataType[],
): number {
  for (const { column, descending, nullsFirst } of order) {
    const [x, y] = [a[column] ?? null, b[column] ?? null];
    if (x === null && y === null) continue;
    if (x === null) return nullsFirst ? -1 : 1;
    if (y === null) return nullsFirst ? 1 : -1;
    const compared = compareValues(must(types[column]), x, y);
    if (compared !== 0) return descending ? -compared : compared;
  }
  return 0;
}

/** Ties by all columns left to right, NULLs last (semantics.md rule 9). */
function sorted(
  rows: readonly Row[],
  order: readonly SortKey[],
  types: readonly DataType[],
): readonly Row[] {
  const canonical = types.map((_, column) => ({ column, descending: false, nullsFirst: false }));
  return [...rows].sort((a, b) => compareRows(a, b, [...order, ...canonical], types));
}

function topN(node: Extract<PlanNode, { kind: 'top_n' }>, tables: Tables): readonly Row[] {
  const types = node.input.columns.map((column) => column.type);
  return [...groups(runNode(node.input, tables), node.partition).values()].flatMap((group) => {
    const ordered = sorted(group, node.order, types).map((row, i) =>
      node.withRank ? [...row, BigInt(i + 1)] : row,
    );
    const end = node.limit === null ? undefined : node.offset + node.limit;
    return ordered.slice(node.offset, end);
  });
}

function over(node: Extract<PlanNode, { kind: 'over' }>, tables: Tables): readonly Row[] {
  const types = node.input.columns.map((column) => column.type);
  return [...groups(runNode(node.input, tables), node.partition).values()].flatMap((group) => {
    const ordered = sorted(group, node.order, types);
    return ordered.map((row, i) => [
      ...row,
      ...node.calls.map((call): Value => {
        if (call.function === 'row_number') return BigInt(i + 1);
        const plain = { ...call, isDistinct: false, filter: null, orderBy: [] };
        if (call.frame === 'partition') return result(plain, ordered, types);
        const isPeer = (other: Row): boolean => compareRows(other, row, node.order, types) <= 0;
        const frame =
          call.frame === 'rows_to_current' ? ordered.slice(0, i + 1) : ordered.filter(isPeer);
        return result(plain, frame, types);
      }),
    ]);
  });
}

function setOperation(
  node: Extract<PlanNode, { kind: 'set_operation' }>,
  tables: Tables,
): readonly Row[] {
  const all = range(0, node.columns.length);
  const left = groups(runNode(node.left, tables), all);
  const right = groups(runNode(node.right, tables), all);
  return [...left].flatMap(([id, rows]) => {
    const others = right.get(id)?.length ?? 0;
    const count =
      node.operation === 'intersect'
        ? Math.min(rows.length, others)
        : Math.max(0, rows.length - others);
    return rows.slice(0, node.isAll ? count : Math.min(count, 1));
  });
}

function tableFunction(
  node: Extract<PlanNode, { kind: 'table_function' }>,
  tables: Tables,
): readonly Row[] {
  const call = {
    kind: 'call',
    function: node.function,
    args: node.args,
    type: must(node.columns.at(-1)).type,
  } as const;
  const width = node.columns.length - node.input.columns.length;
  return runNode(node.input, tables).flatMap((row) => {
    const args = node.args.map((arg) => evaluate(arg, row));
    const made = [...expandTableFunction(node.function, args, callContext(call, CONTEXT))];
    const rows = made.map((values, i) =>
      node.withOrdinality ? [...row, ...values, BigInt(i + 1)] : [...row, ...values],
    );
    if (rows.length > 0 || !node.isOuter) return rows;
    return [[...row, ...range(0, width).map(() => null)]];
  });
}
