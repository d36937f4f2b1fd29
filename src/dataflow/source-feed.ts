/**
 * SourceFeed: one unstored source as the worker reads it: its reader, where each split stands, its watermark, and what
 * becomes of a record before a view sees it (generated columns, NOT NULL, the row's watermark).
 *
 * The reader runs while some view reads the source and makes only the columns that they need. All views share it; a view
 * that comes later first takes the same records from their beginning (`history`), so that every view stands at one
 * position at the end of every epoch (semantics.md rule 25).
 */

import { must } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { RateMeter } from '../base/rate-meter.ts';
import { SqlError } from '../base/sql-error.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { SinkContext, SinkWriter } from '../connect/sink.ts';
import type { SourceChunk, SourceColumn, SourceContext, SourceReader } from '../connect/source.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { SplitProgress } from '../state/manifest.ts';
import type { EngineRelation } from './engine-relation.ts';
import type { Job } from './job.ts';
import { WATERMARK_END, WATERMARK_NONE } from './operator.ts';
import type { CreateSourceAction, Json, SourceStatus } from './port.ts';
import type { ProblemLog } from './problems.ts';
import { stampRowWatermarks } from './row-watermarks.ts';
import { type PreviewLimits, previewSource, type SourcePreview } from './source-preview.ts';
import { isSame, isSamePosition, optionUs, replayed } from './source-reading.ts';
import { SourceRecords } from './source-records.ts';
import type { RelationWatermark, SplitWatermark } from './watermark.ts';

/** The outside world as the engine opens it: connect/connectors.ts, or a fake. */
export interface Connectors {
  openSource(checked: Json, columns: readonly SourceColumn[], context: SourceContext): SourceReader;
  openSink(checked: Json, context: SinkContext): SinkWriter;
}

export interface FeedContext {
  readonly connectors: Connectors;
  /** Where decoded records lie until the epoch ends. */
  readonly memory: Memory;
  readonly scratch: Scratch;
  readonly clock: Clock;
  readonly fileRoots: readonly string[];
  readonly problems: ProblemLog;
  /** The epoch's instant. */
  readonly nowUs: () => bigint;
  readonly wake: () => void;
}

/** Positions [from, to) that the connector gives again exactly. */
export interface SplitRange {
  readonly from: Json;
  readonly to: Json;
}

/** JSON: a split as a checkpoint keeps it. */
export interface SplitState {
  readonly split: string;
  /** All that was taken in, in order; each begins where the one before ends, but for jumps (a truncated file). */
  readonly ranges: readonly SplitRange[];
  readonly isIdle: boolean;
  readonly running: string;
  readonly isEnded: boolean;
}

export interface FeedState {
  readonly definition: CreateSourceAction;
  readonly splits: readonly SplitState[];
  readonly watermark: string;
  readonly rowsRead: number;
  readonly rowsRejected: number;
  readonly nullTime: number;
}

/** How far a view has taken a source's history: for each split the range and the position in it. */
export type HistoryPosition = Map<string, { readonly range: number; readonly position: Json }>;

interface Split {
  readonly ranges: SplitRange[];
}

export class SourceFeed {
  readonly relation: EngineRelation;
  readonly #definition: CreateSourceAction;
  readonly #context: FeedContext;
  readonly #records: SourceRecords;
  readonly #splits = new Map<string, Split>();
  /** Since when (monotonic µs) the reader has stood at each split's end; null: it does not. */
  readonly #endings = new Map<string, bigint | null>();
  readonly #idleTimeoutUs: bigint | null;
  readonly #maxAheadUs: bigint | null;
  #reader: SourceReader | null = null;
  #wanted: readonly number[] = [];
  #failure: SqlError | null = null;
  #rowsRead: number;
  #rowsRejected: number;
  #nullTime: number;
  readonly #rate = new RateMeter();

  constructor(state: FeedState, relation: EngineRelation, context: FeedContext) {
    this.relation = relation;
    this.#definition = state.definition;
    this.#context = context;
    this.#rowsRead = state.rowsRead;
    this.#rowsRejected = state.rowsRejected;
    this.#nullTime = state.nullTime;
    this.#idleTimeoutUs = optionUs(state.definition.connector, 'idleTimeoutUs');
    this.#maxAheadUs = optionUs(state.definition.connector, 'maxAheadUs');
    this.#records = new SourceRecords(state.definition, context.memory, context.scratch);
    for (const { split, ranges, running, isIdle, isEnded } of state.splits) {
      this.#splits.set(split, { ranges: [...ranges] });
      relation.watermark.splits.set(split, { running: BigInt(running), isIdle, isEnded });
    }
    relation.watermark.restore(BigInt(state.watermark));
  }

  static fresh(definition: CreateSourceAction): FeedState {
    const watermark = String(WATERMARK_NONE);
    return { definition, splits: [], watermark, rowsRead: 0, rowsRejected: 0, nullTime: 0 };
  }

  get rowsRead(): number {
    return this.#rowsRead;
  }

  /** Opens the reader for the columns that the views read now; none: the source rests. */
  refreshReader(): void {
    const wanted = this.wantedBy(this.relation.readers);
    const isOpen = this.#reader !== null && isSame(wanted, this.#wanted);
    if (isOpen && this.relation.readers.size > 0) return;
    this.close();
    this.#wanted = wanted;
    if (this.relation.readers.size > 0 && this.#failure === null) this.reopen();
  }

  /** Continues at the last positions that an epoch took in: also after an epoch that could not be logged. */
  reopen(): void {
    this.close();
    try {
      const reader = this.#open(this.#wanted);
      const positions = new Map(
        [...this.#splits.keys()].map((split) => [split, this.positionOf(split)]),
      );
      reader.start(positions);
      this.#reader = reader;
    } catch (error) {
      this.fail(error);
    }
  }

  #open(wanted: readonly number[], wake = this.#context.wake): SourceReader {
    const { memory, scratch, clock, fileRoots } = this.#context;
    const columns = this.#definition.columns.map(({ name, type }) => ({ name, type }));
    const context = { memory, scratch, clock, fileRoots, wanted, wake };
    return this.#context.connectors.openSource(this.#definition.connector, columns, context);
  }

  /** The source cannot be read any more: an error state, with its reason. */
  fail(error: unknown): void {
    this.#failure = error instanceof SqlError ? error : new SqlError('58000', String(error));
    this.close();
  }

  close(): void {
    this.#reader?.close();
    this.#reader = null;
  }

  /** What these views read, and what it takes to make that. */
  wantedBy(jobs: Iterable<Job>): readonly number[] {
    const read = new Set<number>();
    for (const job of jobs) {
      for (const column of job.wantedColumns(this.relation.id)) read.add(column);
    }
    return this.#records.neededFor(read);
  }

  /** A look at the records, from where the source began. */
  async preview(limits: PreviewLimits): Promise<SourcePreview> {
    const all = new Set(this.#definition.columns.keys());
    const wanted = this.#records.neededFor(all);
    let woken = Promise.withResolvers<void>();
    const reader = this.#open(wanted, () => woken.resolve());
    try {
      const begins = [...this.#splits].map(([split, { ranges }]) => {
        return [split, must(ranges[0]).from] as const;
      });
      reader.start(new Map(begins));
      return await previewSource(
        {
          reader,
          scratch: this.#context.scratch,
          complete: (chunk) => this.#complete(chunk, wanted, false),
          woken: () => {
            woken = Promise.withResolvers();
            return woken.promise;
          },
        },
        limits,
      );
    } finally {
      reader.close();
    }
  }

  /** The next records; null: nothing now. The chunk lies in the context's scratch. */
  poll(rowsMax: number): SourceChunk | null {
    if (this.#reader === null) return null;
    try {
      const chunk = this.#reader.poll(rowsMax);
      if (chunk !== null) this.#noteEnd(chunk);
      return chunk;
    } catch (error) {
      this.fail(error);
      return null;
    }
  }

  /** Whether an epoch has to take a chunk in: it has records, or its split begins, moves or ends. */
  isNews({ split, from, to, batch, rejected, isEnded }: SourceChunk): boolean {
    if (batch !== null || rejected.length > 0 || isEnded) return true;
    return !isSamePosition(from, to) || !this.#splits.has(split);
  }

  #noteEnd({ split, isAtEnd }: SourceChunk): void {
    const nowUs = this.#context.clock.monotonicUs();
    this.#endings.set(split, isAtEnd ? (this.#endings.get(split) ?? nowUs) : null);
  }

  /** Splits that have stood at their end for longer than the source's timeout and count as active still (rule 17). */
  idleSplits(nowUs: bigint): string[] {
    // A reader that cannot reach the other side does not know where the end is.
    if (this.#idleTimeoutUs === null || (this.#reader?.trouble ?? null) !== null) return [];
    const timeoutUs = this.#idleTimeoutUs;
    return [...this.#endings].flatMap(([name, sinceUs]) => {
      if (sinceUs === null || nowUs - sinceUs < timeoutUs || !this.#splits.has(name)) return [];
      const { isIdle, isEnded } = this.relation.watermark.split(name);
      return isIdle || isEnded ? [] : [name];
    });
  }

  /** The split leaves the minimum until rows come. */
  setIdle(name: string): void {
    this.relation.watermark.split(name).isIdle = true;
  }

  /** Where a split stands. */
  positionOf(name: string): Json {
    return must(must(this.#splits.get(name)).ranges.at(-1)).to;
  }

  /** The records of a manifest's range again, by one reader for all of a recovery. */
  *replay(progress: SplitProgress): Generator<SourceChunk> {
    if (this.#reader === null) {
      this.#reader = this.#open(this.#wanted);
      this.#reader.start(new Map());
    }
    for (const chunk of replayed(this.#reader, progress, true)) if (chunk !== null) yield chunk;
  }

  /** Whether what was taken in may have to be waited for when a later view reads it. */
  get mayWait(): boolean {
    return this.#splits.size > 0 && this.#open([]).standStill !== undefined;
  }

  /** During recovery: which columns a replay makes. */
  refreshWanted(): void {
    const wanted = this.wantedBy(this.relation.readers);
    if (!isSame(wanted, this.#wanted)) this.close();
    this.#wanted = wanted;
  }

  /** The end of a manifest's range: whether the split has ended, or counts as idle. */
  finishReplay(progress: SplitProgress): void {
    const { split, from, to, isEnded, isIdle } = progress;
    if (isEnded) {
      this.take({
        split,
        from: to as Json,
        to: to as Json,
        batch: null,
        rejected: [],
        isAtEnd: true,
        isEnded,
      });
    } else if (!this.#splits.has(split)) this.#move(split, from as Json, to as Json);
    else if (!isSamePosition(this.positionOf(split), to)) {
      this.#move(split, this.positionOf(split), to as Json);
    }
    if (isIdle) this.setIdle(split);
  }

  /**
   * The records taken in so far, from each split's beginning or from where `taken` stands: for a view that comes later.
   * `taken` moves along; `wanted` are the columns that are made. null: there is more, but not now; `isPatient`: it stands still
   * until there is.
   */
  *history(
    wanted: readonly number[],
    taken: HistoryPosition,
    isPatient: boolean,
  ): Generator<SourceChunk | null> {
    for (const [split, { ranges }] of this.#splits) {
      const start = taken.get(split) ?? { range: 0, position: must(ranges[0]).from };
      let { position } = start;
      for (let range = start.range; range < ranges.length; range++) {
        const { from, to } = must(ranges[range]);
        if (range > start.range) position = from;
        if (!isSamePosition(position, to)) {
          yield* this.#readAgain({ split, from: position, to }, wanted, isPatient);
        }
        taken.set(split, { range, position: to });
      }
    }
  }

  *#readAgain(
    range: Pick<SplitProgress, 'split' | 'from' | 'to'>,
    wanted: readonly number[],
    isPatient: boolean,
  ): Generator<SourceChunk | null> {
    const reader = this.#open(wanted);
    try {
      reader.start(new Map());
      yield* replayed(reader, range, isPatient);
    } finally {
      reader.close();
    }
  }

  /**
   * A chunk becomes part of the epoch: its rows with all known columns and their watermarks (null: none), its rejected
   * records dead letters, its split moves on.
   */
  take(chunk: SourceChunk): DeltaBatch | null {
    this.#move(chunk.split, chunk.from, chunk.to);
    const watermark = this.relation.watermark.split(chunk.split);
    if (chunk.batch !== null) watermark.isIdle = false;
    for (const { position, raw, sqlstate, reason } of chunk.rejected) {
      this.#reject(chunk.split, JSON.stringify(position), raw, sqlstate, reason);
    }
    const rowCount = (chunk.batch?.rowCount ?? 0) + chunk.rejected.length;
    this.#rowsRead += rowCount;
    this.#rate.add(rowCount, this.#context.clock.monotonicUs());
    const rows = chunk.batch === null ? null : this.#complete(chunk, this.#wanted, true);
    const stamped =
      rows === null ? null : this.#stamp(rows, chunk.split, watermark, this.relation.watermark);
    if (chunk.isEnded) {
      watermark.isEnded = true;
      watermark.running = WATERMARK_END;
    }
    return stamped;
  }

  /** The split now stands at `to`. */
  #move(name: string, from: Json, to: Json): void {
    const ranges = this.#splits.get(name)?.ranges ?? [];
    const last = ranges.at(-1);
    if (last !== undefined && isSamePosition(last.to, from)) {
      ranges[ranges.length - 1] = { from: last.from, to };
    } else ranges.push({ from, to });
    this.#splits.set(name, { ranges });
  }

  /** The rows of a chunk of `history`, judged by a watermark of their own; nothing is counted or rejected again. */
  takeAgain(
    chunk: SourceChunk,
    wanted: readonly number[],
    watermark: RelationWatermark,
  ): DeltaBatch | null {
    if (chunk.batch === null) return null;
    const rows = this.#complete(chunk, wanted, false);
    if (rows === null) return null;
    return this.#stamp(rows, chunk.split, watermark.split(chunk.split), watermark, false);
  }

  #stamp(
    rows: DeltaBatch,
    splitName: string,
    split: SplitWatermark,
    watermark: RelationWatermark,
    isCounted = true,
  ): DeltaBatch {
    const definition = this.#definition.watermark;
    if (definition === null) return rows;
    const column = must(rows.columns[definition.column]);
    const bounds = {
      delayUs: BigInt(definition.delayUs),
      previous: watermark.current,
      others: watermark.othersMinimum(splitName),
      isRowByRow: true,
      limitUs: this.#maxAheadUs === null ? null : this.#context.nowUs() + this.#maxAheadUs,
    };
    const stamped = stampRowWatermarks(rows, column, split, bounds, this.#context.scratch);
    if (isCounted) this.#nullTime += stamped.nullTimes;
    return stamped.batch;
  }

  /** The rows of a chunk with all known columns; records that break a rule are rejected. */
  #complete(chunk: SourceChunk, wanted: readonly number[], isReported: boolean): DeltaBatch | null {
    const { rows, rejected } = this.#records.complete(must(chunk.batch), wanted);
    if (isReported) {
      for (const { row, raw, sqlstate, reason } of rejected) {
        this.#reject(chunk.split, JSON.stringify({ from: chunk.from, row }), raw, sqlstate, reason);
      }
    }
    return rows;
  }

  #reject(split: string, position: string, raw: string, sqlstate: string, reason: string): void {
    this.#rowsRejected += 1;
    this.#context.problems.addLetter({
      kind: 'rejected',
      sourceId: this.relation.id,
      viewId: null,
      split,
      position,
      row: raw,
      reason,
      op: null,
      sqlstate,
    });
  }

  /** When (monotonic µs) a paced reader has more, or a split becomes idle. */
  nextDueUs(): bigint | null {
    let due = this.#reader?.nextDueUs() ?? null;
    if (this.#idleTimeoutUs === null) return due;
    for (const [name, sinceUs] of this.#endings) {
      if (sinceUs === null || this.relation.watermark.split(name).isIdle) continue;
      if (this.relation.watermark.split(name).isEnded) continue;
      const idleAt = sinceUs + this.#idleTimeoutUs;
      if (due === null || idleAt < due) due = idleAt;
    }
    return due;
  }

  state(): FeedState {
    const splits = [...this.#splits].map(([split, { ranges }]) => {
      const { running, isIdle, isEnded } = this.relation.watermark.split(split);
      return { split, ranges, running: String(running), isIdle, isEnded };
    });
    return {
      definition: { ...this.#definition, name: this.relation.definition.name },
      splits,
      watermark: String(this.relation.watermark.current),
      rowsRead: this.#rowsRead,
      rowsRejected: this.#rowsRejected,
      nullTime: this.#nullTime,
    };
  }

  status(): SourceStatus {
    const { splits } = this.relation.watermark;
    const hasEnded = splits.size > 0 && [...splits.values()].every((split) => split.isEnded);
    const trouble = this.#reader?.trouble ?? null;
    const running =
      this.#reader === null ? 'waiting' : trouble === null ? 'running' : 'disconnected';
    return {
      id: this.relation.id,
      name: this.relation.definition.name,
      state: this.#failure !== null ? 'failed' : hasEnded ? 'ended' : running,
      error: this.#failure?.message ?? trouble,
      rowsRead: this.#rowsRead,
      rowsDecoded: this.#rowsRead - this.#rowsRejected,
      rowsRejected: this.#rowsRejected,
      nullTime: this.#nullTime,
      lag: this.#reader?.lag() ?? null,
      lagUnit: this.#reader?.lagUnit ?? 'rows',
      rowsPerSecond: this.#rate.perSecond(this.#context.clock.monotonicUs()),
      splits: [...this.#splits.keys()].map((split) => {
        const position = this.positionOf(split);
        const { running: w, isIdle, isEnded } = this.relation.watermark.split(split);
        return {
          split,
          position,
          watermark: w === WATERMARK_NONE ? null : String(w),
          isIdle,
          isEnded,
        };
      }),
    };
  }
}
