/** A bound query's outputs: their names, numbers and types, and what is left of a query inside another. */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import type { Expr } from '../../sql/ast.ts';
import { type DataType, INT8, TEXT } from '../../types/data-type.ts';
import { columnRef, filterNode, pickColumns, projectNode, range, topNNode } from '../build.ts';
import { literal, rowIsWanted } from '../expr-make.ts';
import type { PlanNode, SortKey } from '../plan-node.ts';
import type { BindState } from './bind-state.ts';
import type { ScopeColumn } from './scope.ts';

export type ColumnOrigin = ScopeColumn['origin'];

/** A query with its order still apart: the first `names.length` columns are visible, `order` may use more. */
export interface BoundQuery {
  readonly plan: PlanNode;
  readonly names: readonly string[];
  readonly origins: readonly ColumnOrigin[];
  readonly order: readonly SortKey[];
  readonly limit: BoundExpr | null;
  readonly offset: BoundExpr | null;
}

/** What a query body may be told from outside. */
export interface BodyOptions {
  /** Untyped literals stay so: the caller gives them their type (set operations, INSERT). */
  readonly keepsUnknown: boolean;
}

/** The output column that ORDER BY or GROUP BY names by number or bare name; null: an expression. */
export function outputColumn(expr: Expr, names: readonly string[], clause: string): number | null {
  const { position } = expr;
  if (expr.kind === 'literal' && expr.type === 'integer') {
    const number = Number(expr.text);
    if (number >= 1 && number <= names.length) return number - 1;
    throw new SqlError('42P10', `${clause} position ${number} is not in select list`, { position });
  }
  if (expr.kind === 'literal' && expr.type !== 'null') {
    throw new SqlError('42601', `non-integer constant in ${clause}`, { position });
  }
  if (expr.kind !== 'column_ref' || expr.parts.length !== 1) return null;
  const name = expr.parts[0] as string;
  const matches = range(0, names.length).filter((i) => names[i] === name);
  if (matches.length <= 1) return matches[0] ?? null;
  throw new SqlError('42702', `${clause} "${name}" is ambiguous`, { position });
}

/** Without type at the end: text. Literals of the select list take the type in place. */
export function castOutputs(
  plan: PlanNode,
  types: readonly DataType[],
  context: 'implicit' | 'assignment',
  state: BindState,
  fail: (column: number) => SqlError,
): PlanNode {
  const isSame = types.every((type, i) => {
    const own = must(plan.columns[i]).type;
    return own.oid === type.oid && (own.typmod === type.typmod || type.typmod === -1);
  });
  // Values stay as they are; what is known of their length or scale does not.
  if (isSame) return relabelled(plan, types);
  const cast = (expr: BoundExpr, i: number): BoundExpr => {
    const type = types[i];
    if (type === undefined) return expr;
    return state.coerce(expr, type, context) ?? raise(fail(i));
  };
  if (plan.kind === 'project') {
    const expressions = plan.expressions.map(cast);
    return { ...plan, expressions, columns: retyped(plan, expressions) };
  }
  if (plan.kind === 'values') {
    const rows = plan.rows.map((row) => row.map(cast));
    const columns = plan.columns.map((column, i) => ({ ...column, type: types[i] ?? column.type }));
    return { ...plan, rows, columns };
  }
  return projectNode(
    plan,
    plan.columns.map((column, i) => ({ name: column.name, expr: cast(columnRef(plan, i), i) })),
  );
}

function relabelled(plan: PlanNode, types: readonly DataType[]): PlanNode {
  if (types.every((type, i) => type.typmod === must(plan.columns[i]).type.typmod)) return plan;
  const columns = plan.columns.map((column, i) => ({ ...column, type: types[i] ?? column.type }));
  return { ...plan, columns };
}

function raise(error: SqlError): never {
  throw error;
}

function retyped(plan: PlanNode, expressions: readonly BoundExpr[]): PlanNode['columns'] {
  return plan.columns.map((column, i) => ({ ...column, type: must(expressions[i]).type }));
}

export function resolveUnknowns(plan: PlanNode, width: number, state: BindState): PlanNode {
  const types = range(0, width).map((i) => {
    const { type } = must(plan.columns[i]);
    return type.id === 'unknown' ? TEXT : type;
  });
  return castOutputs(plan, types, 'implicit', state, () => {
    throw new SqlError('42804', 'failed to find conversion function from unknown to text');
  });
}

/** The visible rows of a query whose order does not matter any more. */
export function rowsOf(bound: BoundQuery): PlanNode {
  return pickColumns(limited(bound), range(0, bound.names.length));
}

/** LIMIT and OFFSET inside a plan: a Top-N. */
export function limited(bound: BoundQuery): PlanNode {
  const { plan, order } = bound;
  if (bound.limit === null && bound.offset === null) return plan;
  const limit = constantCount(bound.limit);
  const offset = constantCount(bound.offset);
  if (limit !== undefined && offset !== undefined) {
    return topNNode(plan, { order, limit, offset: offset ?? 0 });
  }
  const { ranked, condition } = rankedRows(bound);
  return pickColumns(filterNode(ranked, condition), range(0, plan.columns.length));
}

/** undefined: it must be computed. */
function constantCount(expr: BoundExpr | null): number | null | undefined {
  if (expr === null) return null;
  if (expr.kind !== 'literal') return undefined;
  return expr.text === null ? null : Number(expr.text);
}

/** LIMIT and OFFSET that must be computed: the rows with their number in the order, and which of them are wanted. */
export function rankedRows(bound: BoundQuery): {
  readonly ranked: PlanNode;
  readonly condition: BoundExpr;
} {
  const { plan, order, limit, offset } = bound;
  const ranked = topNNode(plan, { order, limit: null, withRank: true });
  const rank = columnRef(ranked, plan.columns.length);
  const none = literal(null, INT8);
  return { ranked, condition: rowIsWanted(rank, limit ?? none, offset ?? none) };
}
