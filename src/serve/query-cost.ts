/**
 * How much work a query may be at worst, in rows that its operators take in and put out: what runs on the main thread must
 * be small whatever its data look like, because nothing can interrupt an operator there.
 *
 * Algorithm: upper bounds from the scans up. A join with a key of one side multiplies by nothing, any other join multiplies
 * both sides. Cost: O(size of the plan).
 */

import type { BoundExpr } from '../expr/bound-expr.ts';
import type {
  JoinNode,
  PlanNode,
  ScanNode,
  TableFunctionNode,
  WindowNode,
} from '../plan/plan-node.ts';

/** What is known of stored relations. */
export interface RelationFacts {
  rows(scan: ScanNode): number;
  /** Columns of the relation that identify a row; null: none are known. */
  key(scan: ScanNode): readonly number[] | null;
}

interface Bound {
  /** Rows put out at most. */
  readonly rows: number;
  /** Rows that all operators up to here put out at most. */
  readonly work: number;
  /** Output columns that identify a row; null: none are known. */
  readonly key: readonly number[] | null;
}

/** Results of set-returning functions other than generate_series, for one row (arrays, matches). */
const FUNCTION_ROWS = 32;

export function workBound(node: PlanNode, facts: RelationFacts): number {
  return boundOf(node, facts).work;
}

function boundOf(node: PlanNode, facts: RelationFacts): Bound {
  switch (node.kind) {
    case 'scan':
      return scanBound(node, facts);
    case 'values':
      return { rows: node.rows.length, work: node.rows.length, key: null };
    case 'join':
      return joinBound(node, boundOf(node.left, facts), boundOf(node.right, facts));
    case 'union':
      return sumBound(node.inputs, facts);
    case 'set_operation':
      return sumBound([node.left, node.right], facts);
    case 'table_function':
      return times(boundOf(node.input, facts), functionRows(node));
    case 'window':
      return times(boundOf(node.input, facts), windowCount(node));
    default: {
      const input = boundOf(node.input, facts);
      return { rows: input.rows, work: input.work + input.rows, key: keyOver(node, input.key) };
    }
  }
}

function scanBound(node: ScanNode, facts: RelationFacts): Bound {
  const rows = facts.rows(node);
  const key = facts.key(node)?.map((column) => node.columnIndexes.indexOf(column)) ?? null;
  return { rows, work: rows, key: key === null || key.includes(-1) ? null : key };
}

function joinBound(node: JoinNode, left: Bound, right: Bound): Bound {
  const isWhole = (key: readonly number[] | null, columns: readonly number[]) =>
    key !== null && columns.length > 0 && key.every((column) => columns.includes(column));
  const byRight = isWhole(right.key, node.rightKeys);
  const byLeft = isWhole(left.key, node.leftKeys);
  const outer = left.rows + right.rows;
  const pairs = byRight ? left.rows : byLeft ? right.rows : left.rows * right.rows;
  const rows = node.joinKind === 'semi' || node.joinKind === 'anti' ? left.rows : pairs + outer;
  const key = byRight || node.joinKind === 'semi' || node.joinKind === 'anti' ? left.key : null;
  return { rows, work: left.work + right.work + pairs + outer, key };
}

function sumBound(nodes: readonly PlanNode[], facts: RelationFacts): Bound {
  const bounds = nodes.map((node) => boundOf(node, facts));
  const rows = bounds.reduce((sum, bound) => sum + bound.rows, 0);
  const work = bounds.reduce((sum, bound) => sum + bound.work, 0);
  return { rows, work: work + rows, key: null };
}

function times(input: Bound, factor: number): Bound {
  const rows = input.rows * factor;
  return { rows, work: input.work + rows, key: null };
}

function keyOver(node: PlanNode, key: readonly number[] | null): readonly number[] | null {
  if (node.kind === 'aggregate') return node.keys.map((_, index) => index);
  if (node.kind !== 'project') return key;
  const places = key?.map((column) =>
    node.expressions.findIndex((expr) => expr.kind === 'column' && expr.index === column),
  );
  return places === undefined || places.includes(-1) ? null : places;
}

/** Rows that one call gives at most. */
function functionRows(node: TableFunctionNode): number {
  if (!node.function.startsWith('generate_series(')) return FUNCTION_ROWS;
  const [from, to, step] = node.args.map(numberOf);
  if (from === undefined || to === undefined || node.args.length > 3) return Infinity;
  const by = node.args.length === 3 ? step : 1;
  if (by === undefined || Number.isNaN(from + to + by) || by === 0) return Infinity;
  return Math.max(0, Math.floor((to - from) / by) + 1);
}

/** A literal number; NaN: anything else. */
function numberOf(expr: BoundExpr): number {
  return expr.kind === 'literal' && expr.text !== null ? Number(expr.text) : Number.NaN;
}

function windowCount(node: WindowNode): number {
  if (node.windowKind === 'tumble' || node.windowKind === 'session') return 1;
  return Math.ceil(Number(node.sizeUs) / Number(node.slideUs)) + 1;
}
