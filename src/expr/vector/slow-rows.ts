/** The rows that a vector body leaves to the per-value body: text beyond ASCII, numbers beyond doubles. */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { Column } from '../../batch/delta-batch.ts';
import type { Value } from '../../types/data-type.ts';
import type { EvalContext } from '../eval-context.ts';
import { type CallContext, functionById } from '../registry.ts';
import { bodyOf } from '../scalar-body.ts';
import { withNulls } from './columns.ts';
import { columnReader, writeValue } from './values.ts';

/** Computes `rows` (none of them NULL in a strict argument) of `column` one by one; NULL results and failures are NULL. */
export function finishByValue(
  id: string,
  args: readonly Column[],
  rows: readonly number[],
  column: Column,
  rowCount: number,
  ctx: EvalContext,
  call: CallContext,
): Column {
  if (rows.length === 0) return column;
  const body = bodyOf(must(functionById(id)));
  const nulls: number[] = [];
  for (const row of rows) {
    const values = args.map((arg, i) => columnReader(ctx.memory, arg, call.argTypes[i]!)(row));
    const value = valueOrError(() => body(values, call), row, ctx);
    if (value === null) nulls.push(row);
    else writeValue(ctx, call.type, column.values, row, value);
  }
  if (column.storage === 'view') clearViews(column, nulls, ctx);
  return withNulls(ctx, column, rowCount, nulls);
}

function valueOrError(compute: () => Value, row: number, ctx: EvalContext): Value {
  try {
    return compute();
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    ctx.onError(row, error);
    return null;
  }
}

/** NULL rows of a view column hold zeros. */
function clearViews(column: Column, rows: readonly number[], ctx: EvalContext): void {
  const { u32 } = ctx.memory;
  for (const row of rows)
    u32.fill(0, (column.values >>> 2) + 4 * row, (column.values >>> 2) + 4 * row + 4);
}
