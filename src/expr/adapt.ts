/**
 * Per-value bodies over columns: what runs where no vector body is registered. Constant arguments are given as values,
 * so that they are neither written into columns nor read back for each row.
 */

import { SqlError } from '../base/sql-error.ts';
import type { Column } from '../batch/delta-batch.ts';
import type { Value } from '../types/data-type.ts';
import type { EvalContext } from './eval-context.ts';
import type { CallContext, ValueBody, VectorBody } from './registry.ts';
import { commonValidity, isValid, nullColumn } from './vector/columns.ts';
import { ColumnWriter, columnReader, type Reader } from './vector/values.ts';

/** An argument: a column, or the value that it has in every row. */
export type AdaptedArgument =
  | { readonly column: Column }
  | { readonly column: null; readonly value: Value };

/** Runs `body` for every row; a row that fails is NULL and reported. */
export function runByValue(
  body: ValueBody,
  isStrict: boolean,
  args: readonly AdaptedArgument[],
  rowCount: number,
  ctx: EvalContext,
  call: CallContext,
): Column {
  const columns = args.flatMap((arg) => (arg.column === null ? [] : [arg.column]));
  if (isStrict && args.some((arg) => arg.column === null && arg.value === null)) {
    return nullColumn(ctx, call.type.storage, rowCount);
  }
  const readers = args.map((arg, i) => argumentReader(arg, i, isStrict, ctx, call));
  const writer = new ColumnWriter(ctx, call.type, rowCount);
  const validity = isStrict ? commonValidity(ctx, columns, rowCount) : 0;
  for (let row = 0; row < rowCount; row += 1) {
    if (!isValid(ctx.memory, validity, row)) {
      writer.writeNull(row);
      continue;
    }
    try {
      writer.write(row, body(argumentsAt(readers, row), call));
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      writer.writeNull(row);
      ctx.onError(row, error);
    }
  }
  return writer.finish();
}

/** A fresh array: bodies may keep what they are given. */
function argumentsAt(readers: readonly Reader[], row: number): Value[] {
  switch (readers.length) {
    case 1:
      return [readers[0]!(row)];
    case 2:
      return [readers[0]!(row), readers[1]!(row)];
    default:
      return readers.map((read) => read(row));
  }
}

function argumentReader(
  arg: AdaptedArgument,
  index: number,
  isStrict: boolean,
  ctx: EvalContext,
  call: CallContext,
): Reader {
  if (arg.column === null) return () => arg.value;
  const { column } = arg;
  const read = columnReader(ctx.memory, column, call.argTypes[index]!);
  if (isStrict || column.validity === 0) return read;
  return (row) => (isValid(ctx.memory, column.validity, row) ? read(row) : null);
}

/** A per-value body as a body over columns. */
export function adaptBody(body: ValueBody, isStrict: boolean): VectorBody {
  return (columns, rowCount, ctx, call) =>
    runByValue(
      body,
      isStrict,
      columns.map((column) => ({ column })),
      rowCount,
      ctx,
      call,
    );
}
