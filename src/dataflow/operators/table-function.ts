/**
 * TableFunction: a set-returning function in FROM, run for each row of the input; the row's columns come before the
 * function's (and its ordinality).
 *
 * Algorithm: arguments are evaluated for the batch, the function row by row as values; results fill output batches with the
 * input row's weight. A row without results stays with NULLs where the join is outer. A row whose arguments or function
 * fail is withheld whole.
 * State: none. Correctness: linear: the function is immutable, so that a retraction expands to what the insert gave.
 */

import { SqlError } from '../../base/sql-error.ts';
import { buildBatch } from '../../batch/build-batch.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { readValue } from '../../batch/read-value.ts';
import { select } from '../../batch/select.ts';
import type { CallContext } from '../../expr/registry.ts';
import { expandTableFunction } from '../../expr/table-functions.ts';
import type { TableFunctionNode } from '../../plan/plan-node.ts';
import type { DataType, Value } from '../../types/data-type.ts';
import { Expressions } from '../expressions.ts';
import type { GraphContext } from '../graph-context.ts';
import type { EpochContext, Operator } from '../operator.ts';
import { derivedWatermarks } from '../watermark.ts';

/** Results held at most before they go out. */
const PENDING_ROWS_MAX = 65_536;

/** Output rows on their way: which input row, and the function's columns. */
interface Pending {
  readonly sources: number[];
  readonly values: Value[][];
}

export class TableFunctionOperator implements Operator {
  readonly name = 'TableFunction';
  watermarks: readonly bigint[];
  readonly #node: TableFunctionNode;
  readonly #context: GraphContext;
  readonly #args: Expressions;
  readonly #argTypes: readonly DataType[];
  readonly #resultTypes: readonly DataType[];

  constructor(node: TableFunctionNode, context: GraphContext) {
    this.#node = node;
    this.#context = context;
    this.#args = new Expressions(node.args, context);
    this.#argTypes = node.args.map(({ type }) => type);
    this.#resultTypes = node.columns.slice(node.input.columns.length).map(({ type }) => type);
    this.watermarks = derivedWatermarks(node.properties?.watermarks ?? [], undefined);
  }

  onDelta(_port: number, batch: DeltaBatch): void {
    const { scratch } = this.#context;
    const mark = scratch.mark();
    const evaluated = this.#args.evaluate(batch);
    if (evaluated !== null) this.#expand(evaluated.rows, evaluated.columns);
    scratch.release(mark);
  }

  #expand(rows: DeltaBatch, columns: DeltaBatch['columns']): void {
    const pending: Pending = { sources: [], values: [] };
    for (let row = 0; row < rows.rowCount; row++) {
      const args = columns.map((column, i) =>
        readValue(rows.memory, column, this.#argTypes[i]!, row),
      );
      this.#expandRow(rows, row, args, pending);
    }
    this.#flush(rows, pending);
  }

  /** The results of one row. A long series goes out in parts: what precedes a failure is the same each time. */
  #expandRow(rows: DeltaBatch, row: number, args: readonly Value[], pending: Pending): void {
    const { batchRowsMax, problems } = this.#context;
    let first = pending.sources.length;
    try {
      let ordinal = 0n;
      for (const result of expandTableFunction(this.#node.function, args, this.#callContext())) {
        ordinal += 1n;
        pending.sources.push(row);
        pending.values.push(this.#node.withOrdinality ? [...result, ordinal] : [...result]);
        if (pending.sources.length < PENDING_ROWS_MAX) continue;
        this.#flush(rows, pending);
        first = 0;
      }
      if (ordinal === 0n && this.#node.isOuter) {
        pending.sources.push(row);
        pending.values.push(this.#resultTypes.map(() => null));
      }
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      pending.sources.length = first;
      pending.values.length = first;
      problems.onError(rows, row, error);
    }
    if (pending.sources.length >= batchRowsMax) this.#flush(rows, pending);
  }

  #callContext(): CallContext {
    const { settings, environment, random, clock } = this.#context;
    return {
      settings,
      argTypes: this.#argTypes,
      type: this.#resultTypes[0]!,
      nowUs: this.#context.nowUs(),
      system: environment,
      random: random ?? null,
      clock: clock ?? null,
    };
  }

  #flush(rows: DeltaBatch, pending: Pending): void {
    const { memory, scratch, output, batchRowsMax } = this.#context;
    for (let from = 0; from < pending.sources.length; from += batchRowsMax) {
      const mark = scratch.mark();
      const sources = pending.sources.slice(from, from + batchRowsMax);
      const sel = scratch.alloc(sources.length * 4);
      memory.u32.set(sources, sel >>> 2);
      const left = select(rows, sel, sources.length, scratch);
      const values = pending.values.slice(from, from + batchRowsMax);
      const right = buildBatch(this.#resultTypes, values, scratch);
      output.onDelta({ ...left, columns: [...left.columns, ...right.columns] });
      scratch.release(mark);
    }
    pending.sources.length = 0;
    pending.values.length = 0;
  }

  onEpochEnd(_epoch: EpochContext, inputs: readonly (readonly bigint[])[]): void {
    this.watermarks = derivedWatermarks(this.#node.properties?.watermarks ?? [], inputs[0]);
  }

  stateSize(): { rows: number; bytes: number } {
    return { rows: 0, bytes: 0 };
  }
}
