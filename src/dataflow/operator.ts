/**
 * What an operator is: a node of the running dataflow that takes deltas in and gives deltas out.
 *
 * Contract. Within an epoch the graph calls `onDelta` any number of times on each port, then, in topological order,
 * `onEpochEnd` once; after it no more deltas come for that epoch. An operator may put out deltas in both. A batch and all
 * that it points to live until the call returns: what an operator wants to keep it copies into its state. Output batches
 * lie in `context.scratch`; whoever calls `onDelta` releases them. The sum of an operator's output over epochs 0..e is
 * its function of the sum of its inputs over epochs 0..e.
 */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';

/** The end of time: what a bounded input's watermark is when it has ended. */
export const WATERMARK_END = 0x7fff_ffff_ffff_ffffn;
/** Before any watermark. */
export const WATERMARK_NONE = -0x8000_0000_0000_0000n;

export interface Operator {
  /** For EXPLAIN ANALYZE and millrace.operators. */
  readonly name: string;
  /** Watermarks of the output's watermark columns (plan properties order), as of the last onEpochEnd. */
  readonly watermarks: readonly bigint[];
  onDelta(port: number, batch: DeltaBatch): void;
  /** A statement that took rows of a table back has ended; the next one's rows are judged without what is gone. */
  onStatementEnd?(): void;
  /** `inputs[p]` are the watermarks of port p at this epoch's end; the operator updates its own before it returns. */
  onEpochEnd(epoch: EpochContext, inputs: readonly (readonly bigint[])[]): void;
  /** Bytes of state held, rows held: for metrics. */
  stateSize(): { readonly rows: number; readonly bytes: number };
  /** Why it holds back what it has, until its input mends that; null: it does not. */
  stall?(): string | null;
  /** Earliest instant (µs) at which the operator has something to do without input (temporal filters); null: never. */
  nextTimerUs?(): bigint | null;
}

/** Where an operator's output goes. */
export interface DeltaSink {
  onDelta(batch: DeltaBatch): void;
}

export interface EpochContext {
  readonly epoch: number;
  /** The epoch's instant, µs since 1970-01-01 UTC. */
  readonly nowUs: bigint;
}

/** What an operator is made with. */
export interface OperatorContext {
  readonly memory: Memory;
  readonly scratch: Scratch;
  readonly output: DeltaSink;
  /**
   * Address of a u32 cell of this operator that survives checkpoint and recovery with the memory image (0 when new);
   * the n-th call gives the same cell after recovery. State structures are opened from it: `RowTable.open(memory, cell, ...)`.
   */
  rootCell(): number;
  readonly problems: ProblemSink;
}

/** Late rows, rows with NULL times and failing rows: what is kept out of a view, and counted (semantics.md rules 11, 15, 18, 24). */
export interface ProblemSink {
  /** `rows`: u32 row numbers of `batch`, which came in at `port`, that are late. */
  onLate(batch: DeltaBatch, rows: Uint32Array, port: number): void;
  onNullTime(batch: DeltaBatch, rows: Uint32Array): void;
  /** The row is withheld where the error arises; its weight says whether the error comes or goes. */
  onError(
    batch: DeltaBatch,
    row: number,
    error: { readonly sqlstate: string; readonly message: string },
  ): void;
  /** Counted as used in `count` rows (absolute weight) by a windowing operator. */
  onUsed(count: number, lateAssignments: number): void;
}
