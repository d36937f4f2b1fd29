/** Expressions that hold no columns (LIMIT, DEFAULT): a name in one is told as such, and not as an unknown column. */

import { SqlError } from '../../base/sql-error.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';

/** What `bind` gives; a column or table that it does not find becomes `sqlstate` and `message`, where the name stands. */
export function withoutColumns(
  bind: () => BoundExpr,
  sqlstate: string,
  message: string,
): BoundExpr {
  try {
    return bind();
  } catch (error) {
    const isName = error instanceof SqlError && ['42703', '42P01'].includes(error.sqlstate);
    if (!isName) throw error;
    throw new SqlError(sqlstate, message, { position: error.fields.position });
  }
}
