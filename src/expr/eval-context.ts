/** What evaluation is given and what compiling gives. */

import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { SqlError } from '../base/sql-error.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { DataType } from '../types/data-type.ts';
import type { ValueSettings } from '../types/settings.ts';
import type { SystemEnvironment } from './system-environment.ts';

export interface EvalContext {
  readonly memory: Memory;
  /** Where result columns and everything between lie; released by the caller. */
  readonly scratch: Scratch;
  /** The statement's or epoch's instant, µs since 1970-01-01 UTC. */
  readonly nowUs: bigint;
  /** Row `row` of the batch failed; its value is NULL. A batch SELECT throws here. */
  onError(row: number, error: SqlError): void;
  readonly system?: SystemEnvironment;
  /** For volatile functions; absent in views. */
  readonly random?: Random;
  readonly clock?: Clock;
}

export interface CompileOptions {
  readonly settings: ValueSettings;
  /** true: a volatile function is a broken belief. */
  readonly isInView: boolean;
}

/** An expression made ready; holds no memory of a batch. */
export interface CompiledExpr {
  readonly type: DataType;
  /** true: some row's value may be an error. */
  readonly canFail: boolean;
  /** A dense column of `batch.rowCount` rows in `ctx.scratch` (or one of the batch's own columns). */
  evaluate(batch: DeltaBatch, ctx: EvalContext): Column;
}
