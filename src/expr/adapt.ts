/** Per-value bodies over columns: what runs where no vector body is registered. */

import { SqlError } from '../base/sql-error.ts';
import type { ValueBody, VectorBody } from './registry.ts';
import { commonValidity, isValid } from './vector/columns.ts';
import { ColumnWriter, columnReader } from './vector/values.ts';

/** A per-value body as a body over columns. */
export function adaptBody(body: ValueBody, isStrict: boolean): VectorBody {
  return (columns, rowCount, ctx, call) => {
    const readers = columns.map((column, i) => columnReader(ctx.memory, column, call.argTypes[i]!));
    const writer = new ColumnWriter(ctx, call.type, rowCount);
    const validity = isStrict ? commonValidity(ctx, columns, rowCount) : 0;
    for (let row = 0; row < rowCount; row += 1) {
      if (!isValid(ctx.memory, validity, row)) {
        writer.writeNull(row);
        continue;
      }
      const args = readers.map((read, i) =>
        isStrict || isValid(ctx.memory, columns[i]!.validity, row) ? read(row) : null,
      );
      try {
        writer.write(row, body(args, call));
      } catch (error) {
        if (!(error instanceof SqlError)) throw error;
        writer.writeNull(row);
        ctx.onError(row, error);
      }
    }
    return writer.finish();
  };
}
