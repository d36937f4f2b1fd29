/** UNION, INTERSECT, EXCEPT: column types are unified; duplicates go by SQL equality. */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { commonType } from '../../expr/resolve.ts';
import type { Query, SetOperation } from '../../sql/ast.ts';
import type { DataType } from '../../types/data-type.ts';
import { columnRef, joinNode, pickColumns, range, topNNode, withExpressions } from '../build.ts';
import { canonicalKey, needsCanonical } from '../expr-facts.ts';
import { distinctNode } from '../grouping.ts';
import type { PlanNode } from '../plan-node.ts';
import { joinOnExpressions } from '../rules/push-filters.ts';
import { type BodyOptions, type BoundQuery, castOutputs, rowsOf } from './outputs.ts';
import type { QueryBinder } from './query.ts';
import type { CommonTables } from './relations.ts';
import type { Scope } from './scope.ts';

export function bindSetOperation(
  queries: QueryBinder,
  body: SetOperation,
  parent: Scope | null,
  common: CommonTables,
  options: BodyOptions,
): BoundQuery {
  const side = (query: Query): BoundQuery =>
    queries.bind(query, parent, common, { keepsUnknown: true });
  const left = side(body.left);
  const right = side(body.right);
  const construct = body.operator.toUpperCase();
  const { position } = body;
  if (left.names.length !== right.names.length) {
    const message = `each ${construct} query must have the same number of columns`;
    throw new SqlError('42601', message, { position: body.right.position });
  }
  const rows = [rowsOf(left), rowsOf(right)];
  const types = left.names.map((_, i) =>
    columnType(
      rows.map((plan) => must(plan.columns[i]).type),
      construct,
      position,
      options,
    ),
  );
  const [a, b] = rows.map((plan) => castSide(plan, types, construct, position, queries));
  const plan = combined(body, must(a), must(b));
  const origins = left.names.map(() => null);
  return { plan, names: left.names, origins, order: [], limit: null, offset: null };
}

function columnType(
  types: readonly DataType[],
  construct: string,
  position: number,
  options: BodyOptions,
): DataType {
  const [first, ...rest] = types;
  const isUntyped = types.every((type) => type.id === 'unknown');
  if (isUntyped && options.keepsUnknown) return must(first);
  const isExact = rest.every((type) => type.oid === first?.oid && type.typmod === first.typmod);
  return isExact && !isUntyped ? must(first) : commonType(types, construct, position);
}

function castSide(
  plan: PlanNode,
  types: readonly DataType[],
  construct: string,
  position: number,
  queries: QueryBinder,
): PlanNode {
  const fail = (): SqlError =>
    new SqlError('42804', `${construct} types cannot be matched`, { position });
  return castOutputs(plan, types, 'implicit', queries.state, fail);
}

function combined(body: SetOperation, left: PlanNode, right: PlanNode): PlanNode {
  const { columns } = left;
  if (body.operator === 'union') {
    const inputs = [left, right].flatMap((side) => (side.kind === 'union' ? side.inputs : [side]));
    const all: PlanNode = { kind: 'union', inputs, columns };
    return body.isAll ? all : distinctNode(all);
  }
  if (body.isAll) {
    if (columns.some((column) => needsCanonical(column.type))) {
      return combinedCopies(body.operator, left, right);
    }
    return { kind: 'set_operation', operation: body.operator, isAll: true, left, right, columns };
  }
  const kind = body.operator === 'intersect' ? 'semi' : 'anti';
  const join = joinNode(kind, distinctNode(left), right, { nullsEqual: true });
  return joinOnExpressions(join, canonicalColumns(join.left), canonicalColumns(join.right));
}

function canonicalColumns(side: PlanNode): readonly BoundExpr[] {
  return range(0, side.columns.length).map((i) => canonicalKey(columnRef(side, i)));
}

/**
 * INTERSECT ALL and EXCEPT ALL where equal rows may differ in bytes: the copies of a row are numbered on both sides (least
 * first), and a copy of the left side meets the one with its number on the right.
 */
function combinedCopies(
  operator: 'intersect' | 'except',
  left: PlanNode,
  right: PlanNode,
): PlanNode {
  const width = left.columns.length;
  const [a, b] = [numberedCopies(left), numberedCopies(right)];
  const joined = joinNode(operator === 'intersect' ? 'semi' : 'anti', a.node, b.node, {
    leftKeys: a.keys,
    rightKeys: b.keys,
    nullsEqual: true,
  });
  return pickColumns(joined, range(0, width));
}

/** The side's columns first; `keys`: those that say which copy of which row it is. */
function numberedCopies(side: PlanNode): {
  readonly node: PlanNode;
  readonly keys: readonly number[];
} {
  const { node, indexes } = withExpressions(side, canonicalColumns(side), 'canonical');
  const numbered = topNNode(node, { partition: indexes, limit: null, withRank: true });
  return { node: numbered, keys: [...indexes, numbered.columns.length - 1] };
}
