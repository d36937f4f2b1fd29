/**
 * RowOutput: state rows on their way out of an operator, with weights and further i64 columns (ranks, window bounds). Fills
 * batches of the permitted size and hands them on.
 *
 * Cost: O(columns) a row; no object a row.
 */

import type { Column } from '../batch/delta-batch.ts';
import type { RowTable } from '../kernels/row-table.ts';
import type { GraphContext } from './graph-context.ts';

export class RowOutput {
  readonly #context: GraphContext;
  readonly #table: RowTable;
  readonly #columns: readonly number[];
  readonly #rows: Uint32Array;
  readonly #weights: Int32Array;
  readonly #longs: readonly BigInt64Array[];
  #count = 0;

  /** `columns` of the table, then `longCount` i64 columns given with each row. */
  constructor(
    context: GraphContext,
    table: RowTable,
    columns: readonly number[],
    longCount: number,
  ) {
    this.#context = context;
    this.#table = table;
    this.#columns = columns;
    this.#rows = new Uint32Array(context.batchRowsMax);
    this.#weights = new Int32Array(context.batchRowsMax);
    const longs: BigInt64Array[] = [];
    for (let i = 0; i < longCount; i++) longs.push(new BigInt64Array(context.batchRowsMax));
    this.#longs = longs;
  }

  put(row: number, weight: number, a = 0n, b = 0n, c = 0n): void {
    if (weight === 0) return;
    const at = this.#count++;
    this.#rows[at] = row;
    this.#weights[at] = weight;
    const [first, second, third] = this.#longs;
    if (first !== undefined) first[at] = a;
    if (second !== undefined) second[at] = b;
    if (third !== undefined) third[at] = c;
    if (this.#count === this.#rows.length) this.flush();
  }

  /** Hands on what is there; call it before a row that was put is removed from the table. */
  flush(): void {
    const n = this.#count;
    if (n === 0) return;
    const { memory, scratch, output } = this.#context;
    const mark = scratch.mark();
    const rows = scratch.alloc(n * 4);
    const weights = scratch.alloc(n * 4);
    memory.u32.set(this.#rows.subarray(0, n), rows >>> 2);
    memory.i32.set(this.#weights.subarray(0, n), weights >>> 2);
    const batch = this.#table.gatherBatch(rows, n, this.#columns, weights, scratch);
    const longs = this.#longs.map((long): Column => {
      const values = scratch.alloc(n * 8);
      memory.i64.set(long.subarray(0, n), values >>> 3);
      return { storage: 'i64', values, validity: 0 };
    });
    this.#count = 0;
    output.onDelta({ ...batch, columns: [...batch.columns, ...longs] });
    scratch.release(mark);
  }
}
