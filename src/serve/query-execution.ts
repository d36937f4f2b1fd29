/**
 * QueryExecution: one ad-hoc query over a snapshot. It runs the same operators as a view does: the snapshot is pushed in as
 * one epoch, in bounded steps, so that whoever drives it can stop, yield to others or hand out rows in between.
 */

import { assert, must } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { SqlError } from '../base/sql-error.ts';
import { BATCH_ROWS_MAX, type DeltaBatch } from '../batch/delta-batch.ts';
import { selectRange } from '../batch/select.ts';
import { buildGraph, type Graph } from '../dataflow/graph.ts';
import type { ProblemSink } from '../dataflow/operator.ts';
import type { SystemEnvironment } from '../expr/system-environment.ts';
import type { QueryPlan, ScanNode } from '../plan/plan-node.ts';
import type { ValueSettings } from '../types/value.ts';
import { isInsertOnly } from './insert-only.ts';
import type { QueryMemory } from './query-memory.ts';
import { ResultRows } from './result-rows.ts';
import { rowCopies } from './row-copies.ts';

/** Where a query's relations come from: batches of the scan's columns, copied into the query's scratch memory. */
export interface QueryInputs {
  /** `index`: the number of the scan in the plan (scans.ts). */
  scan(node: ScanNode, index: number, target: QueryMemory): Iterable<DeltaBatch>;
  /** Some input has retractions (a transaction's own deletes). */
  readonly hasRetractions: boolean;
}

export interface QueryRequest {
  /** Without parameters. */
  readonly plan: QueryPlan;
  /** LIMIT and OFFSET, evaluated. Infinity: no limit. */
  readonly limit: number;
  readonly offset: number;
  readonly settings: ValueSettings;
  readonly environment: SystemEnvironment | null;
  readonly nowUs: bigint;
  readonly random: Random;
  readonly clock: Clock;
  readonly batchRowsMax: number;
}

/** Takes rows the moment they are there, where their order and number allow it. */
export type RowStream = (batch: DeltaBatch) => void;

/** Thrown through the operators where LIMIT is reached: nothing more is wanted. */
const LIMIT_REACHED = Symbol('limit reached');

/** A failing row ends a query. */
const FAIL_AT_ONCE: ProblemSink = {
  onLate: () => assert(false, 'ad-hoc queries apply no lateness'),
  onNullTime: () => {},
  onError: (_batch, _row, error) => {
    throw new SqlError(error.sqlstate, error.message);
  },
  onUsed: () => {},
};

export class QueryExecution {
  readonly #memory: QueryMemory;
  readonly #request: QueryRequest;
  readonly #graph: Graph;
  readonly #rows: ResultRows;
  readonly #inputs: QueryInputs;
  #scanNumber = 0;
  #scan: Iterator<DeltaBatch> | null = null;
  #isDone = false;

  /** `stream`: takes rows of queries that stream, instead of `take`. */
  constructor(
    request: QueryRequest,
    inputs: QueryInputs,
    memory: QueryMemory,
    stream: RowStream | null = null,
  ) {
    this.#request = request;
    this.#inputs = inputs;
    this.#memory = memory;
    const { plan, nowUs, random, clock } = request;
    this.#rows = new ResultRows(
      {
        types: plan.node.columns.map((column) => column.type),
        visibleCount: plan.visibleCount,
        order: plan.order,
        offset: request.offset,
        limit: request.limit,
        isInsertOnly: !inputs.hasRetractions && isInsertOnly(plan.node),
      },
      memory,
    );
    const output = this.#rows.isStreaming && stream !== null ? this.#streamed(stream) : null;
    this.#graph = buildGraph(plan.node, {
      memory: memory.memory,
      scratch: memory.scratch,
      output: output ?? { onDelta: (batch) => this.#append(batch) },
      rootCell: () => zeroCell(memory),
      problems: FAIL_AT_ONCE,
      settings: request.settings,
      isInView: false,
      neverRetracts: (node) => !inputs.hasRetractions && isInsertOnly(node),
      environment: request.environment,
      random,
      clock,
      nowUs: () => nowUs,
      batchRowsMax: Math.min(request.batchRowsMax, BATCH_ROWS_MAX),
    });
  }

  /** Nothing is left to do or to take. */
  get isFinished(): boolean {
    return (this.#isDone && !this.#rows.hasRows) || this.#rows.isSatisfied;
  }

  /** Rows wait to be taken. */
  get hasRows(): boolean {
    return (this.#isDone || this.#rows.isStreaming) && this.#rows.hasRows;
  }

  /** A bounded piece of work: one batch of input, or the end of the epoch. */
  step(): void {
    if (this.#isDone) return;
    const { scratch } = this.#memory;
    const mark = scratch.mark();
    try {
      const scan = this.#graph.scans[this.#scanNumber];
      if (scan === undefined) this.#end();
      else this.#push(scan.node);
    } catch (error) {
      if (error !== LIMIT_REACHED) throw queryError(error);
      this.#isDone = true;
    } finally {
      scratch.release(mark);
    }
  }

  /** The next rows, at most `rowsMax`; null: none wait. They live until `release`. */
  take(rowsMax: number): DeltaBatch | null {
    return this.hasRows ? this.#rows.take(rowsMax) : null;
  }

  #push(node: ScanNode): void {
    this.#scan ??= this.#inputs.scan(node, this.#scanNumber, this.#memory)[Symbol.iterator]();
    const next = this.#scan.next();
    if (next.done === true) {
      this.#scan = null;
      this.#scanNumber++;
    } else must(this.#graph.scans[this.#scanNumber]).push(next.value);
  }

  #append(batch: DeltaBatch): void {
    this.#rows.append(batch);
    if (this.#rows.isEnough) throw LIMIT_REACHED;
  }

  /** Applies OFFSET and LIMIT to rows on their way out. */
  #streamed(stream: RowStream): { onDelta(batch: DeltaBatch): void } {
    const { plan, offset, limit } = this.#request;
    const { scratch } = this.#memory;
    let skip = offset;
    let left = limit;
    const onDelta = (given: DeltaBatch) => {
      for (const batch of rowCopies(given, scratch)) {
        const from = Math.min(skip, batch.rowCount);
        skip -= from;
        const count = Math.min(left, batch.rowCount - from);
        left -= count;
        if (count > 0) stream(visible(selectRange(batch, from, count, scratch), plan));
        if (left <= 0) throw LIMIT_REACHED;
      }
    };
    if (limit === 0) this.#isDone = true;
    return { onDelta };
  }

  #end(): void {
    this.#graph.endEpoch({ epoch: 1, nowUs: this.#request.nowUs });
    this.#rows.finish();
    this.#isDone = true;
  }
}

function visible(batch: DeltaBatch, { visibleCount }: QueryPlan): DeltaBatch {
  return {
    ...batch,
    weights: 0,
    rowWatermarks: 0,
    columns: batch.columns.slice(0, visibleCount),
  };
}

/** Memory that runs out is the query's own, not the engine's. */
function queryError(error: unknown): unknown {
  const isOutOfMemory =
    error instanceof SqlError
      ? error.sqlstate === '53200'
      : error instanceof RangeError && !error.message.includes('call stack');
  if (!isOutOfMemory) return error;
  return new SqlError('53200', 'out of memory', {
    detail: 'The query needs more memory than one query may use.',
    hint: 'Narrow the query, or start the server with a larger --query-memory.',
  });
}

function zeroCell({ memory }: QueryMemory): number {
  const cell = memory.alloc(16);
  memory.u32[cell >>> 2] = 0;
  return cell;
}
