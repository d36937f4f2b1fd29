/** RETURNING: expressions over the written rows. */

import { must } from '../../base/assert.ts';
import type { SelectItem } from '../../sql/ast.ts';
import type { ReturningClause } from '../bound-statement.ts';
import { refuseSubquery, scopeOf } from './dml-target.ts';
import type { QueryBinder } from './query.ts';
import type { ScopeTable } from './scope.ts';
import { expandStar, outputName } from './select.ts';

export function bindReturning(
  items: readonly SelectItem[],
  tables: readonly ScopeTable[],
  queries: QueryBinder,
): ReturningClause | null {
  if (items.length === 0) return null;
  const scope = scopeOf(tables, queries.state);
  const binder = queries.expressions(scope, 'RETURNING', new Map());
  const outputs = items.flatMap((item) => {
    if (item.expr.kind === 'star') return expandStar(item.expr, scope);
    const expr = binder.bind(item.expr);
    refuseSubquery(expr, item.position);
    const origin =
      scope.visible.find(
        (column) =>
          expr.kind === 'column' &&
          column.expr.kind === 'column' &&
          column.expr.index === expr.index,
      )?.origin ?? null;
    return [{ name: item.alias ?? outputName(item.expr), expr, origin }];
  });
  const expressions = outputs.map(({ expr }) => queries.textIfUnknown(expr));
  const columns = outputs.map(({ name, origin }, i) => {
    const { type } = must(expressions[i]);
    if (origin === null) return { name, type };
    return { name, type, tableOid: origin.tableOid, attributeNumber: origin.attribute };
  });
  return { expressions, columns };
}
