/**
 * Decorrelation (Neumann and Kemper, "Unnesting Arbitrary Queries", 2015): a subquery that reads columns of its
 * enclosing query becomes a plan that stands alone.
 *
 * `dependentRows(inner, outer, ...)` takes D, the distinct values of the outer columns that `inner` reads, and pushes it
 * down into `inner` to where they are read. The result gives inner's rows for every row of D, with D's columns behind
 * inner's own; joining it back to the outer plan on those columns (NULLs equal) evaluates the subquery for each outer row.
 */

import { must, unreachable } from '../base/assert.ts';
import { notSupported } from '../base/sql-error.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import {
  aggregateNode,
  columnRef,
  filterNode,
  joinNode,
  pickColumns,
  projectNode,
  range,
} from './build.ts';
import { conjunction, isNullTest, mapColumns } from './expr-tree.ts';
import {
  hasOuterReference,
  type OuterReference,
  outerReferencesOf,
  replaceOuterInExpr,
} from './placeholder.ts';
import type { JoinNode, PlanNode } from './plan-node.ts';

export interface DependentPlan {
  /** inner's columns, then one for each of `outerColumns`. */
  readonly node: PlanNode;
  /** Columns of the outer plan that the subquery read. */
  readonly outerColumns: readonly number[];
}

/**
 * Makes `inner` stand alone of `outer`. `locate` says which column of `outer` a reference means; undefined: it belongs to
 * a query further out and stays.
 */
export function dependentRows(
  inner: PlanNode,
  outer: PlanNode,
  locate: (reference: OuterReference) => number | undefined,
): DependentPlan {
  const references = outerReferencesOf(inner, (r) => locate(r) !== undefined);
  const outerColumns = [...new Set(references.map((r) => must(locate(r))))];
  if (outerColumns.length === 0) return { node: inner, outerColumns };
  const domain = aggregateNode(pickColumns(outer, outerColumns), range(0, outerColumns.length));
  const slot = (reference: OuterReference): number | undefined => {
    const column = locate(reference);
    return column === undefined ? undefined : outerColumns.indexOf(column);
  };
  return { node: new Decorrelator(domain, slot).push(inner), outerColumns };
}

class Decorrelator {
  readonly #domain: PlanNode;
  readonly #slot: (reference: OuterReference) => number | undefined;
  readonly #width: number;

  constructor(domain: PlanNode, slot: (reference: OuterReference) => number | undefined) {
    this.#domain = domain;
    this.#slot = slot;
    this.#width = domain.columns.length;
  }

  /** `node` for every row of D: node's columns, then D's. */
  push(node: PlanNode): PlanNode {
    if (!this.#isDependent(node)) return joinNode('inner', node, this.#domain);
    switch (node.kind) {
      case 'filter': {
        const input = this.push(node.input);
        return filterNode(input, this.#resolve(node.predicate, input));
      }
      case 'project': {
        const input = this.push(node.input);
        const items = node.expressions.map((expr, i) => ({
          name: must(node.columns[i]).name,
          expr: this.#resolve(expr, input),
        }));
        return projectNode(input, [...items, ...this.#domainItems(input)]);
      }
      case 'values':
        return this.#values(node.rows, node);
      case 'aggregate':
        return this.#aggregate(node);
      case 'join':
        return this.#join(node);
      case 'union': {
        const inputs = node.inputs.map((input) => this.push(input));
        return { ...node, inputs, columns: [...node.columns, ...this.#domain.columns] };
      }
      case 'set_operation': {
        const left = this.push(node.left);
        const right = this.push(node.right);
        return { ...node, left, right, columns: [...node.columns, ...this.#domain.columns] };
      }
      case 'top_n':
      case 'over':
        return this.#partitioned(node, true);
      case 'window':
        return this.#partitioned(node, node.windowKind === 'session');
      case 'table_function': {
        const input = this.push(node.input);
        const args = node.args.map((arg) => this.#resolve(arg, input));
        const added = node.columns.slice(node.input.columns.length);
        const pushed = { ...node, input, args, columns: [...input.columns, ...added] };
        return this.#domainLast(pushed, node.input.columns.length);
      }
      case 'emit_on_close':
      case 'temporal_filter':
      case 'unique_key': {
        const input = this.push(node.input);
        return { ...node, input, columns: input.columns };
      }
      case 'scan':
        return joinNode('inner', node, this.#domain);
      default:
        return unreachable(node);
    }
  }

  /** Nodes that add columns behind their input's: each row of D has partitions of its own. */
  #partitioned(
    node: Extract<PlanNode, { kind: 'top_n' | 'over' | 'window' }>,
    byDomain: boolean,
  ): PlanNode {
    const input = this.push(node.input);
    const partition = byDomain
      ? [...node.partition, ...this.#domainColumns(input)]
      : node.partition;
    const added = node.columns.slice(node.input.columns.length);
    const pushed = { ...node, input, partition, columns: [...input.columns, ...added] };
    return this.#domainLast(pushed, node.input.columns.length);
  }

  #isDependent(node: PlanNode): boolean {
    return hasOuterReference(node, (r) => this.#slot(r) !== undefined);
  }

  /** Outer references become columns of the pushed input: D's are its last. */
  #resolve(
    expr: BoundExpr,
    input: PlanNode,
    shift = input.columns.length - this.#width,
  ): BoundExpr {
    return replaceOuterInExpr(expr, (reference) => {
      const slot = this.#slot(reference);
      if (slot === undefined) return undefined;
      return { kind: 'column', index: shift + slot, type: reference.type };
    });
  }

  #domainColumns(input: PlanNode): number[] {
    return range(input.columns.length - this.#width, input.columns.length);
  }

  #domainItems(input: PlanNode): { name: string; expr: BoundExpr }[] {
    return this.#domainColumns(input).map((index) => ({
      name: must(input.columns[index]).name,
      expr: columnRef(input, index),
    }));
  }

  /** Moves D's columns, which stand at `at`, behind all others. */
  #domainLast(node: PlanNode, at: number): PlanNode {
    const before = range(0, at);
    const domain = range(at, at + this.#width);
    const after = range(at + this.#width, node.columns.length);
    return pickColumns(node, [...before, ...after, ...domain]);
  }

  #values(rows: readonly (readonly BoundExpr[])[], node: PlanNode): PlanNode {
    const branches = rows.map((row) => {
      const items = row.map((expr, i) => ({
        name: must(node.columns[i]).name,
        expr: this.#resolve(expr, this.#domain),
      }));
      return projectNode(this.#domain, [...items, ...this.#domainItems(this.#domain)]);
    });
    if (branches.length === 1) return must(branches[0]);
    const columns = [...node.columns, ...this.#domain.columns];
    return { kind: 'union', inputs: branches, columns };
  }

  /** Without keys there is one row for each row of D also where the input has none: counts are 0, the rest NULL. */
  #aggregate(node: Extract<PlanNode, { kind: 'aggregate' }>): PlanNode {
    const input = this.push(node.input);
    const domainKeys = this.#domainColumns(input);
    const keyCount = node.keys.length;
    const pushed: PlanNode = {
      ...node,
      input,
      keys: [...node.keys, ...domainKeys],
      columns: [
        ...node.columns.slice(0, keyCount),
        ...this.#domain.columns,
        ...node.columns.slice(keyCount),
      ],
    };
    const ordered = this.#domainLast(pushed, keyCount);
    if (keyCount > 0) return ordered;
    const callCount = node.calls.length;
    const joined = joinNode('left', this.#domain, ordered, {
      leftKeys: range(0, this.#width),
      rightKeys: range(callCount, callCount + this.#width),
      nullsEqual: true,
    });
    const items = node.calls.map((call, i) => {
      const column = columnRef(joined, this.#width + i);
      const zero: BoundExpr = { kind: 'literal', text: '0', type: call.type };
      const expr: BoundExpr = call.function.startsWith('count(')
        ? { kind: 'coalesce', args: [column, zero], type: call.type }
        : column;
      return { name: must(node.columns[i]).name, expr };
    });
    const domainItems = range(0, this.#width).map((index) => ({
      name: must(joined.columns[index]).name,
      expr: columnRef(joined, index),
    }));
    return projectNode(joined, [...items, ...domainItems]);
  }

  #join(node: JoinNode): PlanNode {
    const isLeftDependent = this.#isDependent(node.left);
    const isRightDependent = this.#isDependent(node.right);
    const isInner = node.joinKind === 'inner';
    const keepsLeft = isInner || ['left', 'semi', 'anti'].includes(node.joinKind);
    if (keepsLeft && !isRightDependent) return this.#pushLeft(node);
    if ((isInner || node.joinKind === 'right') && !isLeftDependent) return this.#pushRight(node);
    if (node.joinKind === 'full') throw notSupported('a correlated subquery with FULL JOIN');
    return this.#pushBoth(node);
  }

  /** D goes to the left; its columns then stand between left's and right's. */
  #pushLeft(node: JoinNode): PlanNode {
    const left = this.push(node.left);
    const at = node.left.columns.length;
    const isHalf = node.joinKind === 'semi' || node.joinKind === 'anti';
    const residual = node.residual === null ? null : this.#moved(node.residual, at, at);
    const columns = isHalf ? left.columns : [...left.columns, ...node.right.columns];
    const pushed: PlanNode = { ...node, left, residual, columns };
    return isHalf ? pushed : this.#domainLast(pushed, at);
  }

  #pushRight(node: JoinNode): PlanNode {
    const right = this.push(node.right);
    const columns = [...node.left.columns, ...right.columns];
    const at = columns.length - this.#width;
    const residual = node.residual === null ? null : this.#moved(node.residual, columns.length, at);
    return { ...node, right, residual, columns };
  }

  /** D goes to both sides, and the join is on its columns too; the join's own keys still never match NULLs. */
  #pushBoth(node: JoinNode): PlanNode {
    let left = this.push(node.left);
    let right = this.push(node.right);
    const at = node.left.columns.length;
    if (!node.nullsEqual) {
      if (node.joinKind === 'right') left = withoutNulls(left, node.leftKeys);
      else right = withoutNulls(right, node.rightKeys);
    }
    const isHalf = node.joinKind === 'semi' || node.joinKind === 'anti';
    const both = [...left.columns, ...right.columns];
    const isRight = node.joinKind === 'right';
    const rightAt = both.length - this.#width;
    const residual = node.residual === null ? null : this.#moved(node.residual, at, at);
    const pushed: PlanNode = {
      ...node,
      left,
      right,
      leftKeys: [...node.leftKeys, ...this.#domainColumns(left)],
      rightKeys: [...node.rightKeys, ...this.#domainColumns(right)],
      nullsEqual: true,
      residual,
      columns: isHalf ? left.columns : both,
    };
    if (isHalf) return pushed;
    const own = [...range(0, at), ...range(at + this.#width, rightAt)];
    const domain = isRight ? range(rightAt, both.length) : range(at, at + this.#width);
    return pickColumns(pushed, [...own, ...domain]);
  }

  /** A residual's columns from `at` on move by D's width; references to D are at `domainAt`. */
  #moved(expr: BoundExpr, at: number, domainAt: number): BoundExpr {
    const shifted = mapColumns(expr, (index) => (index >= at ? index + this.#width : index));
    return this.#resolve(shifted, this.#domain, domainAt);
  }
}

function withoutNulls(node: PlanNode, columns: readonly number[]): PlanNode {
  const tests = columns.map((index) => isNullTest(columnRef(node, index), true));
  return filterNode(node, conjunction(tests));
}
