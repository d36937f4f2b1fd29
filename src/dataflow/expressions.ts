/**
 * Expressions over a batch for operators: evaluates a list of them and says which rows failed. A failed row is reported
 * once (its first error), with its weight, so that the error goes when the row is retracted (semantics.md rule 11).
 */

import type { SqlError } from '../base/sql-error.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { select } from '../batch/select.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import { type CompiledExpr, compileExpr, type EvalContext } from '../expr/evaluate.ts';
import type { GraphContext } from './graph-context.ts';

export class Expressions {
  readonly #compiled: readonly CompiledExpr[];
  readonly #context: GraphContext;
  #failed: Map<number, SqlError> | null = null;

  constructor(expressions: readonly BoundExpr[], context: GraphContext) {
    const { settings, isInView } = context;
    this.#compiled = expressions.map((expr) => compileExpr(expr, { settings, isInView }));
    this.#context = context;
  }

  /**
   * Columns of every expression over the rows of `batch` that did not fail, and those rows (`batch` itself where none
   * failed); null where no row is left.
   */
  evaluate(batch: DeltaBatch): { readonly rows: DeltaBatch; readonly columns: Column[] } | null {
    this.#failed = null;
    const evalContext = this.#evalContext();
    const columns = this.#compiled.map((expr) => expr.evaluate(batch, evalContext));
    const failed = this.#failed as Map<number, SqlError> | null;
    if (failed === null) return { rows: batch, columns };
    return this.#withhold(batch, columns, failed);
  }

  #evalContext(): EvalContext {
    const { memory, scratch, environment, random, clock } = this.#context;
    return {
      memory,
      scratch,
      nowUs: this.#context.nowUs(),
      onError: (row, error) => {
        this.#failed ??= new Map();
        if (!this.#failed.has(row)) this.#failed.set(row, error);
      },
      ...(environment === null ? {} : { system: environment }),
      ...(random === undefined ? {} : { random }),
      ...(clock === undefined ? {} : { clock }),
    };
  }

  #withhold(
    batch: DeltaBatch,
    columns: readonly Column[],
    failed: ReadonlyMap<number, SqlError>,
  ): { readonly rows: DeltaBatch; readonly columns: Column[] } | null {
    for (const [row, error] of failed) this.#context.problems.onError(batch, row, error);
    const kept = batch.rowCount - failed.size;
    if (kept === 0) return null;
    const { memory, scratch } = this.#context;
    const sel = scratch.alloc(kept * 4);
    for (let row = 0, at = sel >>> 2; row < batch.rowCount; row++) {
      if (!failed.has(row)) memory.u32[at++] = row;
    }
    const all: DeltaBatch = { ...batch, columns: [...batch.columns, ...columns] };
    const rows = select(all, sel, kept, scratch);
    const own = rows.columns.slice(0, batch.columns.length);
    return { rows: { ...rows, columns: own }, columns: rows.columns.slice(own.length) };
  }
}
