/**
 * Rule prune-columns: nothing carries columns that no one above reads.
 *
 * Why: sources make only the columns that are read, and state holds only what it needs.
 * Never: below a set operation, a Top-N or a bag-counting DISTINCT, whose result depends on every column (ties are broken
 * by all of them, semantics.md rule 9).
 */

import { must } from '../../base/assert.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { mapInputs, pickColumns, range } from '../build.ts';
import { columnsOf, mapColumns } from '../expr-tree.ts';
import type { AggregateNode, JoinNode, PlanNode, ProjectNode } from '../plan-node.ts';

/** A pruned node puts out `kept` of the original columns, in ascending order. */
interface Pruned {
  readonly node: PlanNode;
  readonly kept: readonly number[];
}

/** The plan with the same output columns and narrower insides. */
export function pruneColumns(node: PlanNode): PlanNode {
  return pruneAll(node);
}

function pruneAll(node: PlanNode): PlanNode {
  const all = range(0, node.columns.length);
  const pruned = prune(node, new Set(all));
  return pickColumns(
    pruned.node,
    all.map((index) => position(pruned.kept, index)),
  );
}

function position(kept: readonly number[], index: number): number {
  const found = kept.indexOf(index);
  if (found < 0) throw new RangeError(`column ${index} was pruned but is read`);
  return found;
}

function prune(node: PlanNode, needed: ReadonlySet<number>): Pruned {
  switch (node.kind) {
    case 'scan': {
      const kept = sorted(needed);
      return {
        kept,
        node: {
          ...node,
          columnIndexes: kept.map((index) => must(node.columnIndexes[index])),
          columns: kept.map((index) => must(node.columns[index])),
        },
      };
    }
    case 'filter': {
      const input = prune(node.input, new Set([...needed, ...columnsOf(node.predicate)]));
      const predicate = remap(node.predicate, input.kept);
      const filtered: PlanNode = {
        ...node,
        input: input.node,
        predicate,
        columns: input.node.columns,
      };
      return { node: filtered, kept: input.kept };
    }
    case 'project':
      return pruneProject(node, sorted(needed));
    case 'join':
      return pruneJoin(node, needed);
    case 'aggregate':
      return pruneAggregate(node, needed);
    case 'union': {
      const kept = sorted(needed);
      const inputs = node.inputs.map((input) => {
        const pruned = prune(input, needed);
        return pickColumns(
          pruned.node,
          kept.map((index) => position(pruned.kept, index)),
        );
      });
      return { kept, node: { ...node, inputs, columns: kept.map((i) => must(node.columns[i])) } };
    }
    case 'temporal_filter': {
      const bounds = [node.validFrom, node.validUntil].filter((index) => index !== null);
      const input = prune(node.input, new Set([...needed, ...bounds]));
      const at = (index: number | null): number | null =>
        index === null ? null : position(input.kept, index);
      const validFrom = at(node.validFrom);
      const validUntil = at(node.validUntil);
      const columns = input.node.columns;
      return {
        node: { ...node, input: input.node, validFrom, validUntil, columns },
        kept: input.kept,
      };
    }
    case 'window':
      return pruneWindow(node, needed);
    case 'table_function':
      return pruneTableFunction(node, needed);
    default:
      return { node: mapInputs(node, pruneAll), kept: range(0, node.columns.length) };
  }
}

function sorted(set: ReadonlySet<number>): number[] {
  return [...set].sort((a, b) => a - b);
}

function remap(expr: BoundExpr, kept: readonly number[]): BoundExpr {
  return mapColumns(expr, (index) => position(kept, index));
}

function pruneProject(node: ProjectNode, kept: readonly number[]): Pruned {
  const expressions = kept.map((index) => must(node.expressions[index]));
  const read = new Set(expressions.flatMap((expr) => [...columnsOf(expr)]));
  const input = prune(node.input, read);
  const columns = kept.map((index) => must(node.columns[index]));
  const mapped = expressions.map((expr) => remap(expr, input.kept));
  return { node: { ...node, input: input.node, expressions: mapped, columns }, kept };
}

function pruneJoin(node: JoinNode, needed: ReadonlySet<number>): Pruned {
  const width = node.left.columns.length;
  const isHalf = node.joinKind === 'semi' || node.joinKind === 'anti';
  const read = node.residual === null ? [] : [...columnsOf(node.residual)];
  const all = [...needed, ...read];
  const left = prune(node.left, new Set([...all.filter((i) => i < width), ...node.leftKeys]));
  const rightRead = all.filter((i) => i >= width).map((i) => i - width);
  const right = prune(node.right, new Set([...rightRead, ...node.rightKeys]));
  const both = [...left.kept, ...right.kept.map((index) => index + width)];
  const pruned: JoinNode = {
    ...node,
    left: left.node,
    right: right.node,
    leftKeys: node.leftKeys.map((index) => position(left.kept, index)),
    rightKeys: node.rightKeys.map((index) => position(right.kept, index)),
    residual: node.residual === null ? null : remap(node.residual, both),
    columns: isHalf ? left.node.columns : [...left.node.columns, ...right.node.columns],
  };
  return { node: pruned, kept: isHalf ? left.kept : both };
}

/** Keys stay, as they make the groups; calls that nobody reads go. */
function pruneAggregate(node: AggregateNode, needed: ReadonlySet<number>): Pruned {
  const keyCount = node.keys.length;
  const callIndexes = range(0, node.calls.length).filter((i) => needed.has(keyCount + i));
  const calls = callIndexes.map((index) => must(node.calls[index]));
  const read = calls.flatMap((call) => [
    ...call.args,
    ...(call.filter === null ? [] : [call.filter]),
    ...call.orderBy.map((sort) => sort.column),
  ]);
  const orderedByAll = calls.some((call) => call.orderBy.length > 0 || ordersByAll(call.function));
  const wanted = orderedByAll ? range(0, node.input.columns.length) : [...node.keys, ...read];
  const input = prune(node.input, new Set(wanted));
  const at = (index: number): number => position(input.kept, index);
  const kept = [...range(0, keyCount), ...callIndexes.map((index) => keyCount + index)];
  const pruned: AggregateNode = {
    ...node,
    input: input.node,
    keys: node.keys.map(at),
    calls: calls.map((call) => ({
      ...call,
      args: call.args.map(at),
      filter: call.filter === null ? null : at(call.filter),
      orderBy: call.orderBy.map((sort) => ({ ...sort, column: at(sort.column) })),
    })),
    columns: kept.map((index) => must(node.columns[index])),
  };
  return { node: pruned, kept };
}

/** Aggregates that show an order of their input. */
function ordersByAll(id: string): boolean {
  return /^(array_agg|string_agg|first_value|last_value)\(/.test(id);
}

function pruneWindow(
  node: Extract<PlanNode, { kind: 'window' }>,
  needed: ReadonlySet<number>,
): Pruned {
  const width = node.input.columns.length;
  const own = [...needed].filter((index) => index < width);
  const input = prune(node.input, new Set([...own, node.time, ...node.partition]));
  const added = range(width, node.columns.length);
  const pruned: PlanNode = {
    ...node,
    input: input.node,
    time: position(input.kept, node.time),
    partition: node.partition.map((index) => position(input.kept, index)),
    columns: [...input.node.columns, ...added.map((index) => must(node.columns[index]))],
  };
  return { node: pruned, kept: [...input.kept, ...added] };
}

function pruneTableFunction(
  node: Extract<PlanNode, { kind: 'table_function' }>,
  needed: ReadonlySet<number>,
): Pruned {
  const width = node.input.columns.length;
  const own = [...needed].filter((index) => index < width);
  const input = prune(
    node.input,
    new Set([...own, ...node.args.flatMap((a) => [...columnsOf(a)])]),
  );
  const added = range(width, node.columns.length);
  const args = node.args.map((arg) => remap(arg, input.kept));
  const columns = [...input.node.columns, ...added.map((index) => must(node.columns[index]))];
  return {
    node: { ...node, input: input.node, args, columns },
    kept: [...input.kept, ...added],
  };
}
