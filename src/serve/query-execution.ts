/**
 * QueryExecution: one ad-hoc query over a snapshot. It runs the same operators as a view does: the snapshot is pushed in as
 * one epoch, in bounded steps, so that whoever drives it can stop, yield to others or hand out rows in between.
 */

import { assert, must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { BATCH_ROWS_MAX, type DeltaBatch } from '../batch/delta-batch.ts';
import { buildGraph, type Graph } from '../dataflow/graph.ts';
import type { ProblemSink } from '../dataflow/operator.ts';
import type { SystemEnvironment } from '../expr/system-environment.ts';
import type { QueryPlan, ScanNode } from '../plan/plan-node.ts';
import type { ValueSettings } from '../types/value.ts';
import { isInsertOnly } from './insert-only.ts';
import type { QueryMemory } from './query-memory.ts';
import { ResultRows } from './result-rows.ts';

/** Where a query's relations come from: batches of the scan's columns, copied into the query's scratch memory. */
export interface QueryInputs {
  scan(node: ScanNode, target: QueryMemory): Iterable<DeltaBatch>;
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
  readonly batchRowsMax: number;
}

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

  constructor(request: QueryRequest, inputs: QueryInputs, memory: QueryMemory) {
    this.#request = request;
    this.#inputs = inputs;
    this.#memory = memory;
    const { plan, nowUs } = request;
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
    this.#graph = buildGraph(plan.node, {
      memory: memory.memory,
      scratch: memory.scratch,
      output: { onDelta: (batch) => this.#rows.append(batch) },
      rootCell: () => zeroCell(memory),
      problems: FAIL_AT_ONCE,
      settings: request.settings,
      isInView: false,
      environment: request.environment,
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
    } finally {
      scratch.release(mark);
    }
  }

  /** The next rows, at most `rowsMax`; null: none wait. They live until `release`. */
  take(rowsMax: number): DeltaBatch | null {
    return this.hasRows ? this.#rows.take(rowsMax) : null;
  }

  #push(node: ScanNode): void {
    this.#scan ??= this.#inputs.scan(node, this.#memory)[Symbol.iterator]();
    const next = this.#scan.next();
    if (next.done === true) {
      this.#scan = null;
      this.#scanNumber++;
    } else must(this.#graph.scans[this.#scanNumber]).push(next.value);
  }

  #end(): void {
    this.#graph.endEpoch({ epoch: 1, nowUs: this.#request.nowUs });
    this.#rows.finish();
    this.#isDone = true;
  }
}

function zeroCell({ memory }: QueryMemory): number {
  const cell = memory.alloc(16);
  memory.u32[cell >>> 2] = 0;
  return cell;
}
