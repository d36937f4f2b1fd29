/**
 * Job: the running dataflow of one materialized view or sink: a graph of operators in a memory of its own, so that it can
 * fail, be dropped and be checkpointed alone.
 *
 * Batches come from other memories and are copied in. A failure (a broken belief, no memory) ends the job and keeps the
 * reason; it never reaches another view or a source (semantics.md rules 8, 11, 29).
 */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { copyBatch } from '../batch/concat.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { selectRange } from '../batch/select.ts';
import { type PlacedText, withTexts } from '../connect/sealed-options.ts';
import type { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import type { ValueSettings } from '../types/value.ts';
import { buildGraph, type Graph, type GraphScan, scannedRelations } from './graph.ts';
import type { LateRow } from './late-rows.ts';
import type { DeltaSink, EpochContext } from './operator.ts';
import type { CreateSinkAction, CreateViewAction, JobStatus, SinkStatus } from './port.ts';
import type { ProblemCounters, ViewProblems } from './problems.ts';
import { absoluteWeight } from './rows.ts';

export type JobDefinition = CreateViewAction | CreateSinkAction;

/** JSON: what a checkpoint keeps of a job besides its memory. */
export interface JobState {
  readonly definition: JobDefinition;
  /** Addresses of the operators' root cells, in the order in which they are asked for. */
  readonly cells: readonly number[];
  readonly counters: ProblemCounters;
  readonly rowsIn: number;
  /** The last epoch that it took part in. */
  readonly epoch: number;
  readonly failure: string | null;
}

export interface JobContext {
  readonly memory: Memory;
  readonly settings: ValueSettings;
  readonly problems: ViewProblems;
  readonly batchRowsMax: number;
  readonly output: DeltaSink;
  nowUs(): bigint;
}

export class Job {
  #definition: JobDefinition;
  readonly memory: Memory;
  readonly graph: Graph;
  readonly #context: JobContext;
  readonly #scratch: Scratch;
  readonly #cells: number[];
  #name: string;
  #rowsIn: number;
  #rowsInPublished: number;
  #epoch: number;
  #freshnessUs: number | null = null;
  #failure: string | null;

  constructor(state: JobState, context: JobContext) {
    this.#definition = state.definition;
    this.memory = context.memory;
    this.#context = context;
    this.#scratch = new Scratch(context.memory);
    this.#cells = [...state.cells];
    this.#name = state.definition.name;
    this.#rowsIn = state.rowsIn;
    this.#rowsInPublished = state.rowsIn;
    this.#epoch = state.epoch;
    this.#failure = state.failure;
    let next = 0;
    const { memory, settings, problems, batchRowsMax, output } = context;
    this.graph = buildGraph(state.definition.plan.node, {
      memory,
      scratch: this.#scratch,
      output,
      settings,
      isInView: true,
      environment: null,
      problems: problems.sinkOf(state.definition.plan.node, 0),
      problemsOf: (node, number) => problems.sinkOf(node, number),
      rootCell: () => this.#cell(next++),
      nowUs: () => context.nowUs(),
      batchRowsMax,
    });
  }

  #cell(index: number): number {
    if (index === this.#cells.length) this.#cells.push(this.memory.allocZeroed(16));
    return this.#cells[index]!;
  }

  get definition(): JobDefinition {
    return this.#definition;
  }

  get id(): number {
    return this.definition.id;
  }

  get problems(): ViewProblems {
    return this.#context.problems;
  }

  get failure(): string | null {
    return this.#failure;
  }

  get isFailed(): boolean {
    return this.#failure !== null;
  }

  rename(name: string): void {
    this.#name = name;
  }

  /** A sink connects with other secrets. */
  alterOptions(texts: readonly PlacedText[]): void {
    const definition = this.#definition;
    if (definition.kind !== 'create_sink') return;
    this.#definition = { ...definition, connector: withTexts(definition.connector, texts) };
  }

  /** Ids of the relations that its plan reads, each once. */
  get inputIds(): readonly number[] {
    return scannedRelations(this.definition.plan.node);
  }

  /** Columns that it reads of a relation. */
  wantedColumns(relationId: number): readonly number[] {
    const wanted = new Set<number>();
    for (const scan of this.#scansOf(relationId)) {
      for (const column of scan.node.columnIndexes) wanted.add(column);
    }
    return [...wanted].sort((a, b) => a - b);
  }

  /** A change of a relation: a batch of all its columns (those that nobody reads may be missing), of any memory. */
  push(relationId: number, batch: DeltaBatch): void {
    this.#guard(() => {
      for (const scan of this.#scansOf(relationId)) {
        const { columnIndexes } = scan.node;
        const columns = columnIndexes.map((index): Column => must(batch.columns[index]));
        this.#pushScan(scan, { ...batch, columns });
      }
    });
  }

  /** The scans of a relation, for a backfill that reads just their columns. */
  scansOf(relationId: number): readonly GraphScan[] {
    return this.#scansOf(relationId);
  }

  /** A batch of a scan's own columns. */
  pushScan(scan: GraphScan, batch: DeltaBatch): void {
    this.#guard(() => this.#pushScan(scan, batch));
  }

  #pushScan(scan: GraphScan, batch: DeltaBatch): void {
    this.#rowsIn += absoluteWeight(batch);
    const mark = this.#scratch.mark();
    const own = copyBatch(batch, this.#scratch);
    const step = this.#context.batchRowsMax;
    for (let from = 0; from < own.rowCount; from += step) {
      const pieceMark = this.#scratch.mark();
      const n = Math.min(step, own.rowCount - from);
      scan.push(n === own.rowCount ? own : selectRange(own, from, n, this.#scratch));
      this.#scratch.release(pieceMark);
    }
    this.#scratch.release(mark);
  }

  #scansOf(relationId: number): GraphScan[] {
    return this.graph.scans.filter(({ node }) => node.relation.id === relationId);
  }

  setWatermarks(relationId: number, watermarks: readonly bigint[]): void {
    for (const scan of this.#scansOf(relationId)) scan.setWatermarks(watermarks);
  }

  /** A row that was late once more; true: it is not late any more, and goes on. */
  judgeAgain(row: LateRow, weight: 1 | -1): boolean {
    let isUsed = false;
    this.#guard(() => {
      const mark = this.#scratch.mark();
      const { problems } = this.#context;
      isUsed = problems.judgeAgain(() => this.graph.judgeAgain(row, weight, this.#scratch));
      this.#scratch.release(mark);
    });
    return isUsed;
  }

  /** A statement that took rows back has ended: operators may let go of what it held together. */
  endStatement(): void {
    this.#guard(() => {
      const mark = this.#scratch.mark();
      this.graph.endStatement();
      this.#scratch.release(mark);
    });
  }

  endEpoch(epoch: EpochContext): void {
    this.#guard(() => {
      const mark = this.#scratch.mark();
      this.graph.endEpoch(epoch);
      this.#scratch.release(mark);
    });
  }

  /** The epoch was published; `ageUs`: how old the oldest row that came with it was then. */
  published(epoch: number, ageUs: number | null): void {
    if (this.isFailed) return;
    this.#epoch = epoch;
    if (ageUs !== null && this.#rowsIn !== this.#rowsInPublished) this.#freshnessUs = ageUs;
    this.#rowsInPublished = this.#rowsIn;
  }

  /** Ends the job with a reason, for instance that what it reads has failed. */
  fail(reason: string): void {
    this.#failure ??= reason;
  }

  #guard(work: () => void): void {
    if (this.#failure !== null) return;
    try {
      work();
    } catch (error) {
      this.fail(
        error instanceof SqlError ? `${error.message} (${error.sqlstate})` : describe(error),
      );
    }
  }

  state(): JobState {
    return {
      definition: { ...this.definition, name: this.#name },
      cells: this.#cells,
      counters: { ...this.#context.problems.counters },
      rowsIn: this.#rowsIn,
      epoch: this.#epoch,
      failure: this.#failure,
    };
  }

  status(rowCount: number, sink: SinkStatus | null): JobStatus {
    const { plan, kind } = this.definition;
    return {
      id: this.id,
      name: this.#name,
      kind: kind === 'create_view' ? 'materialized_view' : 'sink',
      state: this.#failure === null ? 'running' : 'failed',
      error: this.#failure,
      onError: plan.onError,
      rowCount,
      rowsIn: this.#rowsIn,
      rowsOut: sink?.rowsSent ?? this.graph.rowsOut,
      epoch: this.#epoch,
      freshnessUs: this.#freshnessUs,
      ...this.#context.problems.counters,
      watermarks: this.graph.watermarks.map(String),
      operators: this.graph.operatorCounts(),
      sink,
    };
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? `internal error: ${error.message}` : String(error);
}

/** A job that has seen nothing yet. */
export function freshState(definition: JobState['definition']): JobState {
  const counters = { used: 0, late: 0, nullTime: 0, withheld: 0, lateAssignments: 0 };
  return { definition, cells: [], counters, rowsIn: 0, epoch: 0, failure: null };
}
