/**
 * Results of the OID alias types (regclass, regtype, regproc ...) show names, which only the catalog knows: such columns are
 * cast to text in the plan, while RowDescription keeps their type.
 */

import type { BoundExpr } from '../expr/bound-expr.ts';
import type { QueryPlan } from '../plan/plan-node.ts';
import { type DataType, TEXT } from '../types/data-type.ts';

const NAMED: ReadonlySet<DataType['id']> = new Set([
  'regclass',
  'regtype',
  'regproc',
  'regnamespace',
  'regrole',
  'regoper',
]);

/** An OID that is written as a name. */
export function isNamedType(type: DataType): boolean {
  return NAMED.has(type.id);
}

/** The plan with names in place of OIDs; sort keys still see the OIDs. */
export function withNames(plan: QueryPlan): QueryPlan {
  const { node, visibleCount } = plan;
  const isNamed = (index: number) =>
    index < visibleCount && NAMED.has(node.columns[index]!.type.id);
  if (!node.columns.some((_, index) => isNamed(index))) return plan;
  const columns = node.columns.map((column, index) =>
    isNamed(index) ? { ...column, type: TEXT } : column,
  );
  const expressions = node.columns.map(({ type }, index): BoundExpr => {
    const column: BoundExpr = { kind: 'column', index, type };
    return isNamed(index)
      ? { kind: 'call', function: `cast(${type.id},text)`, args: [column], type: TEXT }
      : column;
  });
  const kept = [...new Set(plan.order.map((key) => key.column).filter(isNamed))];
  const hidden = kept.map(
    (index): BoundExpr => ({ kind: 'column', index, type: node.columns[index]!.type }),
  );
  return {
    ...plan,
    node: {
      kind: 'project',
      input: node,
      expressions: [...expressions, ...hidden],
      columns: [...columns, ...kept.map((index) => node.columns[index]!)],
    },
    order: plan.order.map((key) =>
      isNamed(key.column)
        ? { ...key, column: node.columns.length + kept.indexOf(key.column) }
        : key,
    ),
  };
}
