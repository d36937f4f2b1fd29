/** Which values are never NULL: what NOT IN needs to become a plain anti join. Says true only where it is proved. */

import { must } from '../base/assert.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import { functionById } from '../expr/registry.ts';
import type { PlanNode } from './plan-node.ts';

/** Whether a stored relation's column is declared NOT NULL. */
export type NotNullLookup = (relationId: number, column: number) => boolean;

/** NOT NULL as the catalog declares it. */
export function declaredNotNull(catalog: Catalog): NotNullLookup {
  return (id, column) => {
    const object = catalog.object(id);
    if (object?.kind === 'table' || object?.kind === 'materialized_view') {
      return object.columns[column]?.isNotNull ?? false;
    }
    return catalog.systemRelation(id)?.columns[column]?.isNotNull ?? false;
  };
}

/** Whether an expression over `node`'s columns cannot be NULL. */
export function neverNull(expr: BoundExpr, node: PlanNode, declared: NotNullLookup): boolean {
  switch (expr.kind) {
    case 'column':
      return neverNullColumn(node, expr.index, declared);
    case 'literal':
      return expr.text !== null;
    case 'is':
    case 'now':
    case 'array':
      return true;
    case 'coalesce':
      return expr.args.some((arg) => neverNull(arg, node, declared));
    case 'and':
    case 'or':
      return expr.args.every((arg) => neverNull(arg, node, declared));
    case 'not':
      return neverNull(expr.arg, node, declared);
    case 'case':
      return (
        expr.otherwise !== null &&
        neverNull(expr.otherwise, node, declared) &&
        expr.branches.every((branch) => neverNull(branch.result, node, declared))
      );
    case 'call':
      return isTotal(expr.function) && expr.args.every((arg) => neverNull(arg, node, declared));
    default:
      return false;
  }
}

/** Functions that give NULL only for NULL: comparisons, arithmetic and widening casts. */
function isTotal(id: string): boolean {
  if (!/^(<|<=|=|>=|>|<>|\+|-|\*|cast)\((int2|int4|int8|text|varchar)/.test(id)) return false;
  return functionById(id)?.isStrict ?? false;
}

export function neverNullColumn(node: PlanNode, column: number, declared: NotNullLookup): boolean {
  switch (node.kind) {
    case 'scan':
      return declared(node.relation.id, must(node.columnIndexes[column]));
    case 'values':
      return node.rows.every((row) => neverNull(must(row[column]), node, declared));
    case 'project':
      return neverNull(must(node.expressions[column]), node.input, declared);
    case 'filter':
    case 'emit_on_close':
    case 'temporal_filter':
    case 'unique_key':
      return neverNullColumn(node.input, column, declared);
    case 'aggregate': {
      const key = node.keys[column];
      if (key !== undefined) return neverNullColumn(node.input, key, declared);
      return node.calls[column - node.keys.length]?.function.startsWith('count(') ?? false;
    }
    case 'union':
      return node.inputs.every((input) => neverNullColumn(input, column, declared));
    case 'top_n':
    case 'over':
    case 'window':
    case 'table_function':
      return column < node.input.columns.length && neverNullColumn(node.input, column, declared);
    case 'join': {
      const width = node.left.columns.length;
      const { joinKind } = node;
      if (column < width) {
        const fills = joinKind === 'right' || joinKind === 'full';
        return !fills && neverNullColumn(node.left, column, declared);
      }
      const fills = joinKind === 'left' || joinKind === 'full';
      return !fills && neverNullColumn(node.right, column - width, declared);
    }
    default:
      return false;
  }
}
