/** Making plan nodes with their output columns filled in. Pure constructors: no rewriting but what is named. */

import { assert, must } from '../base/assert.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import { INT8 } from '../types/data-type.ts';
import type {
  AggregateCall,
  AggregateNode,
  FilterNode,
  JoinKind,
  JoinNode,
  PlanColumn,
  PlanNode,
  ProjectNode,
  SortKey,
  TopNNode,
  ValuesNode,
} from './plan-node.ts';

export function columnOf(node: PlanNode, index: number): PlanColumn {
  return must(node.columns[index], `column ${index} of a ${node.kind} node does not exist`);
}

/** A reference to column `index` of `node`. */
export function columnRef(node: PlanNode, index: number): BoundExpr {
  return { kind: 'column', index, type: columnOf(node, index).type };
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

export function projectNode(
  input: PlanNode,
  items: readonly { readonly name: string; readonly expr: BoundExpr }[],
): ProjectNode {
  return {
    kind: 'project',
    input,
    expressions: items.map((item) => item.expr),
    columns: items.map((item) => ({ name: item.name, type: item.expr.type })),
  };
}

/** The given columns of `input`, in order; `input` itself where that is all of them as they are. */
export function pickColumns(input: PlanNode, indexes: readonly number[]): PlanNode {
  const isIdentity =
    indexes.length === input.columns.length && indexes.every((index, i) => index === i);
  if (isIdentity) return input;
  return projectNode(
    input,
    indexes.map((index) => ({ name: columnOf(input, index).name, expr: columnRef(input, index) })),
  );
}

/** `input` with more columns behind its own. */
export function appendColumns(
  input: PlanNode,
  items: readonly { readonly name: string; readonly expr: BoundExpr }[],
): PlanNode {
  if (items.length === 0) return input;
  const own = input.columns.map((column, index) => ({
    name: column.name,
    expr: columnRef(input, index),
  }));
  return projectNode(input, [...own, ...items]);
}

/**
 * Finds or makes columns of `input` for expressions: plain columns are used where they stand, others are appended by one
 * Project. Gives the node and each expression's column.
 */
export function withExpressions(
  input: PlanNode,
  expressions: readonly BoundExpr[],
  name = '?column?',
): { readonly node: PlanNode; readonly indexes: readonly number[] } {
  const added: { name: string; expr: BoundExpr }[] = [];
  const known = new Map<string, number>();
  const indexes = expressions.map((expr) => {
    if (expr.kind === 'column') return expr.index;
    const key = JSON.stringify(expr);
    const found = known.get(key);
    if (found !== undefined) return found;
    const index = input.columns.length + added.length;
    added.push({ name, expr });
    known.set(key, index);
    return index;
  });
  return { node: appendColumns(input, added), indexes };
}

export function filterNode(input: PlanNode, predicate: BoundExpr | null): PlanNode {
  if (predicate === null) return input;
  const node: FilterNode = { kind: 'filter', input, predicate, columns: input.columns };
  return node;
}

export interface JoinParts {
  readonly leftKeys?: readonly number[];
  readonly rightKeys?: readonly number[];
  readonly nullsEqual?: boolean;
  readonly residual?: BoundExpr | null;
}

export function joinNode(
  joinKind: JoinKind,
  left: PlanNode,
  right: PlanNode,
  parts: JoinParts = {},
): JoinNode {
  const leftKeys = parts.leftKeys ?? [];
  const rightKeys = parts.rightKeys ?? [];
  assert(leftKeys.length === rightKeys.length, 'a join has as many keys on both sides');
  const isHalf = joinKind === 'semi' || joinKind === 'anti';
  return {
    kind: 'join',
    joinKind,
    left,
    right,
    leftKeys,
    rightKeys,
    nullsEqual: parts.nullsEqual ?? false,
    residual: parts.residual ?? null,
    columns: isHalf ? left.columns : [...left.columns, ...right.columns],
  };
}

export function aggregateNode(
  input: PlanNode,
  keys: readonly number[],
  calls: readonly (AggregateCall & { readonly name?: string })[] = [],
): AggregateNode {
  const keyColumns = keys.map((index) => columnOf(input, index));
  const callColumns = calls.map((call) => ({ name: call.name ?? 'agg', type: call.type }));
  return {
    kind: 'aggregate',
    input,
    keys,
    calls: calls.map(({ function: id, args, isDistinct, filter, orderBy, type }) => ({
      function: id,
      args,
      isDistinct,
      filter,
      orderBy,
      type,
    })),
    columns: [...keyColumns, ...callColumns],
  };
}

/** A call of an aggregate without DISTINCT, FILTER or ORDER BY. */
export function plainCall(
  id: string,
  args: readonly number[],
  type: AggregateCall['type'],
): AggregateCall {
  return { function: id, args, isDistinct: false, filter: null, orderBy: [], type };
}

export function topNNode(
  input: PlanNode,
  parts: {
    readonly partition?: readonly number[];
    readonly order?: readonly SortKey[];
    readonly limit: number | null;
    readonly offset?: number;
    readonly withRank?: boolean;
    readonly rankName?: string;
  },
): TopNNode {
  const withRank = parts.withRank ?? false;
  const rank: PlanColumn = { name: parts.rankName ?? 'row_number', type: INT8 };
  return {
    kind: 'top_n',
    input,
    partition: parts.partition ?? [],
    order: parts.order ?? [],
    limit: parts.limit,
    offset: parts.offset ?? 0,
    withRank,
    columns: withRank ? [...input.columns, rank] : input.columns,
  };
}

/** One row of no columns: what a SELECT without FROM reads. */
export const ONE_ROW: ValuesNode = { kind: 'values', rows: [[]], columns: [] };

export function emptyNode(columns: readonly PlanColumn[]): ValuesNode {
  return { kind: 'values', rows: [], columns };
}

/** The inputs of a node, in order. */
export function inputsOf(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case 'scan':
    case 'values':
      return [];
    case 'join':
    case 'set_operation':
      return [node.left, node.right];
    case 'union':
      return node.inputs;
    default:
      return [node.input];
  }
}

/** The node over other inputs; the same object where none changed. Output columns stay as they are. */
export function mapInputs(node: PlanNode, f: (input: PlanNode) => PlanNode): PlanNode {
  switch (node.kind) {
    case 'scan':
    case 'values':
      return node;
    case 'join':
    case 'set_operation': {
      const left = f(node.left);
      const right = f(node.right);
      return left === node.left && right === node.right ? node : { ...node, left, right };
    }
    case 'union': {
      const inputs = node.inputs.map(f);
      return inputs.every((input, i) => input === node.inputs[i]) ? node : { ...node, inputs };
    }
    default: {
      const input = f(node.input);
      return input === node.input ? node : { ...node, input };
    }
  }
}

/** The expressions of one node (not of its inputs). */
export function expressionsOf(node: PlanNode): readonly BoundExpr[] {
  switch (node.kind) {
    case 'filter':
      return [node.predicate];
    case 'project':
      return node.expressions;
    case 'join':
      return node.residual === null ? [] : [node.residual];
    case 'values':
      return node.rows.flat();
    case 'table_function':
      return node.args;
    default:
      return [];
  }
}

/** The node with its own expressions mapped. */
export function mapExpressions(node: PlanNode, f: (expr: BoundExpr) => BoundExpr): PlanNode {
  switch (node.kind) {
    case 'filter':
      return { ...node, predicate: f(node.predicate) };
    case 'project':
      return { ...node, expressions: node.expressions.map(f) };
    case 'join':
      return node.residual === null ? node : { ...node, residual: f(node.residual) };
    case 'values':
      return { ...node, rows: node.rows.map((row) => row.map(f)) };
    case 'table_function':
      return { ...node, args: node.args.map(f) };
    default:
      return node;
  }
}

/** Bottom up over a plan. */
export function rewritePlan(node: PlanNode, f: (node: PlanNode) => PlanNode): PlanNode {
  return f(mapInputs(node, (input) => rewritePlan(input, f)));
}

export function visitPlan(node: PlanNode, f: (node: PlanNode) => void): void {
  f(node);
  for (const input of inputsOf(node)) visitPlan(input, f);
}

/** Ids of the stored relations and sources that the plan scans, each once. */
export function scannedRelations(node: PlanNode): readonly number[] {
  const ids = new Set<number>();
  visitPlan(node, (part) => {
    if (part.kind === 'scan' && part.relation.kind !== 'system') ids.add(part.relation.id);
  });
  return [...ids].sort((a, b) => a - b);
}
