/**
 * Values: constant rows, put out once, at the end of the first epoch.
 *
 * Algorithm: each row's expressions are evaluated over one row without columns. State: a flag that survives recovery.
 * Correctness: a constant relation has an empty delta after its first epoch.
 */

import type { Column, DeltaBatch } from '../../batch/delta-batch.ts';
import type { ValuesNode } from '../../plan/plan-node.ts';
import { Expressions } from '../expressions.ts';
import type { GraphContext } from '../graph-context.ts';
import { type EpochContext, type Operator, WATERMARK_END } from '../operator.ts';

export class ValuesOperator implements Operator {
  readonly name = 'Values';
  readonly watermarks: readonly bigint[];
  readonly #node: ValuesNode;
  readonly #context: GraphContext;
  readonly #rows: readonly Expressions[];
  readonly #isDoneCell: number;

  constructor(node: ValuesNode, context: GraphContext) {
    this.#node = node;
    this.#context = context;
    this.#rows = node.rows.map((row) => new Expressions(row, context));
    this.#isDoneCell = context.rootCell() >>> 2;
    this.watermarks = (node.properties?.watermarks ?? []).map(() => WATERMARK_END);
  }

  onDelta(): void {}

  onEpochEnd(_epoch: EpochContext): void {
    const { memory, scratch } = this.#context;
    if (memory.u32[this.#isDoneCell] === 1) return;
    memory.u32[this.#isDoneCell] = 1;
    const mark = scratch.mark();
    for (let from = 0; from < this.#rows.length; from += this.#context.batchRowsMax) {
      this.#emit(this.#rows.slice(from, from + this.#context.batchRowsMax));
      scratch.release(mark);
    }
  }

  #emit(rows: readonly Expressions[]): void {
    const { memory, output } = this.#context;
    const none: DeltaBatch = { memory, rowCount: 1, columns: [], weights: 0, rowWatermarks: 0 };
    const evaluated = rows.flatMap((row) => row.evaluate(none)?.columns ?? []);
    const width = this.#node.columns.length;
    const count = width === 0 ? rows.length : evaluated.length / width;
    if (count === 0) return;
    const columns = this.#node.columns.map((_, index) =>
      this.#stack(evaluated, index, width, count),
    );
    output.onDelta({ memory, rowCount: count, columns, weights: 0, rowWatermarks: 0 });
  }

  /** Column `index` of one-row columns stored row by row, as one column. */
  #stack(cells: readonly Column[], index: number, width: number, count: number): Column {
    const { memory, scratch } = this.#context;
    const { storage } = this.#node.columns[index]!.type;
    const size = storage === 'u8' ? 1 : storage === 'i32' ? 4 : storage === 'view' ? 16 : 8;
    const values = scratch.alloc(Math.max(16, count * size));
    const validity = scratch.alloc(Math.max(16, (count >>> 3) + 4));
    memory.u8.fill(0, validity, validity + (count >>> 3) + 1);
    for (let row = 0; row < count; row++) {
      const cell = cells[row * width + index]!;
      memory.u8.copyWithin(values + row * size, cell.values, cell.values + size);
      const isThere = cell.validity === 0 || (memory.u8[cell.validity]! & 1) === 1;
      if (isThere) memory.u8[validity + (row >>> 3)]! |= 1 << (row & 7);
    }
    return { storage, values, validity };
  }

  stateSize(): { rows: number; bytes: number } {
    return { rows: 0, bytes: 0 };
  }
}
