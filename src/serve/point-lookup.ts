/**
 * PointLookup: a query that finds its rows by a key or an index of one stored relation (or reads no relation at all), run
 * without operators: the index is probed, what is left of the predicate is evaluated over the few rows found, and the
 * projection over those that pass.
 *
 * Made once for a prepared statement: parameters stay in it as further columns (behind the relation's) and are filled in at
 * each run, so that a run neither plans nor compiles.
 * Cost: make O(size of the plan); run O(1) expected + O(rows found).
 */

import { must } from '../base/assert.ts';
import { constantColumn } from '../batch/build-batch.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { select, selectRange, selectTrue } from '../batch/select.ts';
import type { BoundExpr, BoundLiteral } from '../expr/bound-expr.ts';
import { type CompiledExpr, compileExpr, type EvalContext } from '../expr/evaluate.ts';
import { callsSession } from '../expr/session-functions.ts';
import type { QueryPlan } from '../plan/plan-node.ts';
import type { RelationReader } from '../state/relation-reader.ts';
import type { RelationSchema } from '../state/relation-schema.ts';
import type { DataType, Value } from '../types/data-type.ts';
import type { ValueSettings } from '../types/value.ts';
import { type IndexProbe, keyValue, lookupShape } from './point-shape.ts';
import type { QueryMemory } from './query-memory.ts';
import { rowCopies } from './row-copies.ts';
import { atRunTime } from './run-time-error.ts';

/** What a run stands on. */
export interface PointRun {
  /** null: the query reads no relation. */
  readonly reader: RelationReader | null;
  readonly epoch: number;
  readonly parameters: readonly Value[];
  readonly limit: number;
  readonly offset: number;
  readonly memory: QueryMemory;
  /** What expressions are evaluated with, but for the memory. */
  readonly evaluation: Omit<EvalContext, 'memory' | 'scratch' | 'onError'>;
}

export class PointLookup {
  /** What is visible to the client. */
  readonly types: readonly DataType[];
  readonly probe: IndexProbe | null;
  /** Some expression calls a function that asks the session. */
  readonly needsSession: boolean;
  readonly #parameterTypes: readonly DataType[];
  readonly #residual: CompiledExpr | null;
  readonly #outputs: readonly CompiledExpr[];
  /** Input columns that are the outputs, one for one; null: something is computed. */
  readonly #picks: readonly number[] | null;
  readonly #usesParameters: boolean;

  private constructor(
    plan: QueryPlan,
    probe: IndexProbe | null,
    parts: { readonly residual: BoundExpr | null; readonly outputs: readonly BoundExpr[] },
    settings: ValueSettings,
  ) {
    const compile = (expr: BoundExpr) => compileExpr(expr, { settings, isInView: false });
    const { residual, outputs } = parts;
    this.types = plan.node.columns.slice(0, plan.visibleCount).map((column) => column.type);
    this.probe = probe;
    this.needsSession = callsSession([residual, outputs]);
    this.#parameterTypes = plan.parameterTypes;
    this.#residual = residual === null ? null : compile(residual);
    this.#outputs = outputs.map(compile);
    const columns = outputs.flatMap((expr) => (expr.kind === 'column' ? expr.index : []));
    this.#picks = columns.length === outputs.length ? columns : null;
    const width = probe?.scan.columns.length ?? 0;
    this.#usesParameters =
      plan.parameterTypes.length > 0 &&
      (residual !== null || columns.length < outputs.length || columns.some((one) => one >= width));
  }

  /** null: the plan is none that an index answers. `schemaOf`: how a relation is stored. */
  static of(
    plan: QueryPlan,
    settings: ValueSettings,
    schemaOf: (relationId: number) => RelationSchema | undefined,
  ): PointLookup | null {
    const shape = lookupShape(plan, schemaOf);
    return shape === null ? null : new PointLookup(plan, shape.probe, shape, settings);
  }

  /** The rows, in the run's scratch memory: a batch lives until the next one is asked for. */
  *run(run: PointRun): Generator<DeltaBatch> {
    let left = run.limit;
    let skip = run.offset;
    for (const found of this.#find(run)) {
      const passing = this.#filter(
        this.#usesParameters ? this.#withParameters(found, run) : found,
        run,
      );
      if (passing === null) continue;
      for (const batch of rowCopies(passing, run.memory.scratch)) {
        const skipped = Math.min(skip, batch.rowCount);
        skip -= skipped;
        const count = Math.min(left, batch.rowCount - skipped);
        if (count > 0)
          yield this.#show(selectRange(batch, skipped, count, run.memory.scratch), run);
        left -= count;
        if (left <= 0) return;
      }
    }
  }

  #show(batch: DeltaBatch, run: PointRun): DeltaBatch {
    const context = this.#picks === null ? evalContext(run) : null;
    const columns =
      context === null
        ? must(this.#picks).map((index) => must(batch.columns[index]))
        : this.#outputs.map((expr) => expr.evaluate(batch, context));
    return { ...batch, weights: 0, rowWatermarks: 0, columns };
  }

  *#find(run: PointRun): Generator<DeltaBatch> {
    const { memory, scratch } = run.memory;
    const { probe } = this;
    if (probe === null) {
      yield { memory, rowCount: 1, columns: [], weights: 0, rowWatermarks: 0 };
      return;
    }
    const columns: Column[] = [];
    for (const part of probe.parts) {
      const value = keyValue(part, run.parameters);
      if (value === null) return;
      columns.push(constantColumn(part.type, value, 1, scratch));
    }
    const keys: DeltaBatch = { memory, rowCount: 1, columns, weights: 0, rowWatermarks: 0 };
    const reader = must(run.reader);
    yield* reader.lookup(probe.index, keys, run.epoch, probe.scan.columnIndexes, run.memory);
  }

  #withParameters(batch: DeltaBatch, run: PointRun): DeltaBatch {
    const columns = this.#parameterTypes.map((type, index) =>
      constantColumn(type, run.parameters[index] ?? null, batch.rowCount, run.memory.scratch),
    );
    return { ...batch, columns: [...batch.columns, ...columns] };
  }

  #filter(batch: DeltaBatch, run: PointRun): DeltaBatch | null {
    if (this.#residual === null) return batch;
    const passes = this.#residual.evaluate(batch, evalContext(run));
    const { memory, scratch } = run.memory;
    const selection = scratch.alloc(4 * batch.rowCount + 16);
    const count = selectTrue(memory, passes, batch.rowCount, selection);
    if (count === 0) return null;
    return count === batch.rowCount ? batch : select(batch, selection, count, scratch);
  }
}

/** A literal's or parameter's value of LIMIT and OFFSET; undefined: it must be computed. */
export function plainCount(
  expr: BoundExpr | null,
  parameters: readonly Value[],
): Value | undefined {
  if (expr === null) return null;
  if (expr.kind === 'parameter') return parameters[expr.index] ?? null;
  return expr.kind === 'literal' ? (expr as BoundLiteral).text : undefined;
}

function evalContext({ memory, evaluation }: PointRun): EvalContext {
  return {
    ...evaluation,
    memory: memory.memory,
    scratch: memory.scratch,
    onError: (_row, error) => {
      throw atRunTime(error);
    },
  };
}
