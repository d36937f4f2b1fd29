/**
 * SourceFeed: one source as the worker reads it: its reader, where each split stands, its watermark, and what becomes of a
 * record before a view sees it (generated columns, NOT NULL, the row's watermark).
 *
 * The reader of an unstored source runs while some view reads it and makes only the columns that they need. All views share
 * it; a view that comes later first takes the same records from their beginning (`history`), so that every view stands at one
 * position at the end of every epoch (semantics.md rule 25). A source whose rows are kept is read for as long as it exists,
 * with all columns; views take its stored rows.
 */

import { assert, must } from '../base/assert.ts';
import { RateMeter } from '../base/rate-meter.ts';
import { notSupported, SqlError, statusText } from '../base/sql-error.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { type PlacedText, withTexts } from '../connect/sealed-options.ts';
import {
  isPushed,
  type KeptRecord,
  type PositionReports,
  type PostedBody,
  type SchemaAnswer,
  type SchemaNews,
  type SourceChunk,
  type SourceReader,
} from '../connect/source.ts';
import type { SplitProgress } from '../state/manifest.ts';
import type { EngineRelation } from './engine-relation.ts';
import type { FeedContext, FeedState } from './feed-context.ts';
import { IdleSplits } from './idle-splits.ts';
import type { Job } from './job.ts';
import { WATERMARK_END, WATERMARK_NONE } from './operator.ts';
import type { CreateSourceAction, Json, SourceStatus } from './port.ts';
import { PostKeys } from './posted-rows.ts';
import { ReaderStarts } from './reader-starts.ts';
import {
  notKept,
  type PreviewLimits,
  previewSource,
  type SourcePreview,
} from './source-preview.ts';
import { isSame, isSamePosition, optionUs, replayed, WaitLog } from './source-reading.ts';
import { type Rejection, SourceRows } from './source-rows.ts';
import { type HistoryPosition, SourceSplits, splitStatuses } from './source-splits.ts';
import { UnknownSchemas } from './unknown-schemas.ts';

/** Ids of schemas, by a record's offset. */
export type NamedSchemas = ReadonlyMap<number, readonly number[]>;

export class SourceFeed {
  readonly relation: EngineRelation;
  #definition: CreateSourceAction;
  readonly #context: FeedContext;
  readonly #splits = new SourceSplits();
  readonly rows: SourceRows;
  readonly starts: ReaderStarts;
  readonly #unknownSchemas: UnknownSchemas;
  readonly #idle: IdleSplits;
  readonly #waits: WaitLog;
  #reader: SourceReader | null = null;
  #wanted: readonly number[] = [];
  #failure: SqlError | null = null;
  /** Of what was posted. */
  readonly postKeys: PostKeys;
  readonly #rate = new RateMeter();
  #broken: string | null;

  constructor(state: FeedState, relation: EngineRelation, context: FeedContext) {
    this.relation = relation;
    this.#definition = state.definition;
    this.#context = context;
    const idleTimeoutUs = optionUs(state.definition.connector, 'idleTimeoutUs');
    this.#idle = new IdleSplits(relation.watermark, idleTimeoutUs);
    this.#waits = new WaitLog(context, () => this.relation.definition.name);
    this.rows = new SourceRows(state, relation, this.#splits, context);
    this.starts = new ReaderStarts(state.starts ?? null);
    this.#unknownSchemas = new UnknownSchemas(state.unknownSchemas ?? []);
    this.postKeys = new PostKeys(state.postKeys ?? []);
    this.#broken = state.broken;
    if (state.broken !== null) this.#failure = new SqlError('58030', state.broken);
    for (const { split, ranges, running, isIdle, isEnded } of state.splits) {
      this.#splits.restore(split, ranges);
      relation.watermark.splits.set(split, { running: BigInt(running), isIdle, isEnded });
    }
    relation.watermark.restore(BigInt(state.watermark));
  }

  static fresh(definition: CreateSourceAction): FeedState {
    const watermark = String(WATERMARK_NONE);
    const counters = { rowsRead: 0, rowsRejected: 0, nullTime: 0, unknownDeletes: 0 };
    return { definition, splits: [], watermark, ...counters, broken: null };
  }

  /** Its rows are kept: views read those. */
  get isStored(): boolean {
    return this.relation.stored !== null;
  }

  /** Why its stored rows may not be read any more. */
  get broken(): string | null {
    return this.#broken;
  }

  /** Opens the reader for the columns that the views read now; none: an unstored source rests. */
  refreshReader(): void {
    const wanted = this.wantedBy(this.relation.readers);
    const isOpen = this.#reader !== null && isSame(wanted, this.#wanted);
    const isRead = this.isStored || this.relation.readers.size > 0;
    if (isOpen && isRead) return;
    this.close();
    this.#wanted = wanted;
    if (isRead && this.#failure === null) this.reopen();
  }

  /** Continues at the last positions that an epoch took in: also after an epoch that could not be logged. */
  reopen(): void {
    this.close();
    try {
      const reader = this.#open(this.#wanted, true);
      reader.start(this.#splits.positions);
      this.#reader = reader;
    } catch (error) {
      this.fail(error);
    }
  }

  /** `mayReject`: decoded records may be rejected yet. */
  #open(
    wanted: readonly number[],
    mayReject = false,
    wake: () => void = this.#context.wake,
  ): SourceReader {
    const { connectors, warn, ...surroundings } = this.#context;
    const { notNull, connector } = this.#definition;
    const columns = this.#definition.columns.map(({ name, type }) => ({ name, type }));
    return connectors.openSource(connector, columns, {
      ...surroundings,
      wanted,
      notNull,
      mayRejectLater: mayReject && this.rows.mayReject,
      unknownSchemas: this.#unknownSchemas.ids,
      wake,
      warn: (text) => warn(`source "${this.relation.definition.name}": ${text}`),
    });
  }

  /** What was taken in cannot be read again (rule 7): the stored rows are not what was seen. */
  break(error: SqlError): void {
    this.fail(error);
    if (this.isStored) this.#broken = error.message;
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
    const read = new Set<number>(this.isStored ? this.#definition.columns.keys() : []);
    for (const job of jobs) {
      for (const column of job.wantedColumns(this.relation.id)) read.add(column);
    }
    return this.rows.neededFor(read);
  }

  /** A look at the records, from where the source began. */
  async preview(limits: PreviewLimits): Promise<SourcePreview> {
    const all = new Set(this.#definition.columns.keys());
    const wanted = this.rows.neededFor(all);
    let woken = Promise.withResolvers<void>();
    const reader = this.#open(wanted, false, () => woken.resolve());
    try {
      if (isPushed(reader)) throw notKept(this.relation.definition.name);
      reader.start(this.#splits.beginnings);
      return await previewSource(
        {
          reader,
          scratch: this.#context.scratch,
          complete: (chunk) => this.rows.complete(chunk, wanted, false),
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
      if (chunk === null) return null;
      this.#idle.note(chunk.split, chunk.isAtEnd, this.#context.clock.monotonicUs());
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

  /** Throws where a body that was posted cannot be taken: nobody would keep its rows (55000), or it is none (22P02). */
  checkPost(body: PostedBody): void {
    const reader = this.#reader;
    this.#checkRead('what is sent to');
    const source = `source "${this.relation.definition.name}"`;
    if (reader === null || !isPushed(reader)) {
      throw new SqlError('42809', `nothing can be sent to ${source}`);
    }
    reader.check(body);
  }

  /** Throws where rejected records cannot go through it again: nobody would keep their rows (55000), or it cannot (0A000). */
  checkReplay(): void {
    this.#checkRead('what goes again through');
    const reader = this.#open([]);
    const canRetry = reader.retry !== undefined;
    reader.close();
    if (!canRetry) throw notSupported('REPLAY DEAD LETTERS of generated records');
  }

  /** Throws where nobody would keep the rows of `what`. */
  #checkRead(what: string): void {
    const isRead = this.isStored || [...this.relation.readers].some((job) => !job.isFailed);
    const problem = this.#failure?.message ?? (isRead ? null : 'no view reads it');
    if (problem === null) return;
    const { name } = this.relation.definition;
    throw new SqlError('55000', `${what} source "${name}" would be lost: ${problem}`);
  }

  /** What the schema registry has under the ids that rejected records name; null: they name none. */
  askSchemas(records: () => readonly KeptRecord[]): Promise<readonly SchemaAnswer[]> | null {
    const reader = this.#open([]);
    const { schemas } = reader;
    reader.close();
    if (schemas === undefined) return null;
    const ids = new Set(records().flatMap((record) => schemas.idsOf(record)));
    return ids.size === 0 ? null : schemas.ask([...ids]);
  }

  /** Rejected records are going to be decoded by these. */
  learnSchemas(answers: readonly SchemaAnswer[]): void {
    const known = answers.flatMap(({ id, schema }) => (schema === null ? [] : [id]));
    this.noteSchemas({ unknown: [], known });
    this.#reader?.schemas?.learn(answers);
  }

  noteSchemas(news: SchemaNews): void {
    for (const id of this.#unknownSchemas.note(news)) this.starts.learn(id);
  }

  /**
   * Rejected records of a split, each offset once, go through the source again; those that are rejected again are the result.
   * What is delivered comes with the offsets of its rows' records, and the ids of the schemas that those name, by offset.
   */
  retake(
    split: string,
    records: readonly KeptRecord[],
    schemas: readonly SchemaAnswer[],
    deliver: (batch: DeltaBatch, offsets: readonly number[], named: NamedSchemas) => void,
  ): ReadonlyMap<number, Rejection> {
    const read = new Set([...this.wantedBy(this.relation.readers), ...this.starts.droppedColumns]);
    const wanted = this.rows.neededFor(read);
    const reader = this.#open(wanted);
    const retry = must(reader.retry, 'a source takes no records again');
    const named = new Map(
      records.map((record) => [record.offset, reader.schemas?.idsOf(record) ?? []]),
    );
    const chunk = retry(split, records, schemas);
    const failed = this.rows.retake(chunk, records.length, wanted, (batch, offsets) =>
      deliver(batch, offsets, named),
    );
    reader.close();
    return failed;
  }

  /** Records may have NULL in a column from now on. */
  dropNotNull(column: number): void {
    this.close();
    const notNull = this.#definition.notNull.filter((one) => one !== column);
    this.#definition = { ...this.#definition, notNull };
    this.rows.redefine(this.#definition);
    this.starts.drop(column);
  }

  /** It connects with other secrets from now on, also where it was refused. */
  alterOptions(texts: readonly PlacedText[]): void {
    this.close();
    const connector = withTexts(this.#definition.connector, texts);
    this.#definition = { ...this.#definition, connector };
    if (this.#broken === null) this.#failure = null;
  }

  /** What came before a view can be read again for it. */
  get isReadAgain(): boolean {
    const reader = this.#open([]);
    reader.close();
    return !isPushed(reader);
  }

  /** The rows of a body that was posted. */
  *received(body: PostedBody): Generator<SourceChunk> {
    this.refreshWanted();
    if (this.#reader === null) this.reopen();
    const reader = this.#reader;
    assert(reader !== null && isPushed(reader), 'a source was posted to that takes no posts');
    const split = must(reader.splits[0]);
    const position = this.#splits.has(split) ? this.positionOf(split) : 0;
    yield* reader.receive(body, position);
    this.#idle.notePosted(split, this.#context.clock.monotonicUs());
  }

  /** Splits that have stood at their end for longer than the source's timeout and count as active still (rule 17). */
  idleSplits(nowUs: bigint): string[] {
    // A reader that cannot reach the other side does not know where the end is.
    if ((this.#reader?.trouble ?? null) !== null) return [];
    return this.#idle.due(nowUs).filter((split) => this.#splits.has(split));
  }

  /** The split leaves the minimum until rows come. */
  setIdle(name: string): void {
    this.relation.watermark.split(name).isIdle = true;
  }

  /** Who wants to be told where it stands; null: nobody. */
  get reports(): PositionReports | null {
    return this.#reader?.reports ?? null;
  }

  /** Where each split stands. */
  get positions(): ReadonlyMap<string, Json> {
    return this.#splits.positions;
  }

  /** Where a split stands. */
  positionOf(name: string): Json {
    return this.#splits.positionOf(name);
  }

  /** The records of a manifest's range again, by one reader for all of a recovery. */
  *replay(progress: SplitProgress): Generator<SourceChunk> {
    if (this.#reader === null) {
      this.#reader = this.#open(this.#wanted, true);
      this.#reader.start(new Map());
    }
    for (const chunk of replayed(this.#reader, progress, true, this.#waits)) {
      if (chunk !== null) yield chunk;
    }
  }

  /** Whether what was taken in may have to be waited for when a later view reads it. */
  get mayWait(): boolean {
    if (this.isStored || this.#splits.count === 0) return false;
    return this.#open([]).standStill !== undefined;
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
      const end = { from: to as Json, to: to as Json, batch: null, rejected: [] };
      this.take({ split, ...end, isAtEnd: true, isEnded }, () => {});
    } else if (!this.#splits.has(split)) this.#splits.move(split, from as Json, to as Json);
    else if (!isSamePosition(this.positionOf(split), to)) {
      this.#splits.move(split, this.positionOf(split), to as Json);
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
    if (this.#reader !== null && isPushed(this.#reader)) return;
    for (const range of this.#splits.behind(taken)) {
      yield* this.#readAgain(range, wanted, isPatient);
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
      yield* replayed(reader, range, isPatient, this.#waits);
    } finally {
      reader.close();
    }
  }

  /**
   * A split has a part in the epoch whose rows are taken in next: from its beginning on, also without rows, it holds the
   * watermark back, and with rows it is not idle. It does so for the rows of all splits of the epoch: else a row could be judged
   * by a watermark that the epoch does not come to, and its later retraction by a lesser one.
   */
  beginSplit(name: string, hasRows: boolean): void {
    const split = this.relation.watermark.split(name);
    if (hasRows) split.isIdle = false;
  }

  /**
   * A chunk becomes part of the epoch: its rows, with all known columns and their watermarks, are delivered (of a source that
   * keeps the newest row of each key: its changes), its rejected records are dead letters, its split moves on.
   */
  take(chunk: SourceChunk, deliver: (batch: DeltaBatch) => void): void {
    this.#splits.move(chunk.split, chunk.from, chunk.to);
    if (chunk.schemas !== undefined) this.noteSchemas(chunk.schemas);
    this.rows.take(chunk, this.#wanted, deliver);
    chunk.release?.();
    const rowCount = (chunk.batch?.rowCount ?? 0) + chunk.rejected.length;
    this.#rate.add(rowCount, this.#context.clock.monotonicUs());
    if (chunk.isEnded) {
      const watermark = this.relation.watermark.split(chunk.split);
      watermark.isEnded = true;
      watermark.running = WATERMARK_END;
    }
  }

  /** When (monotonic µs) a paced reader has more, or a split becomes idle. */
  nextDueUs(): bigint | null {
    const due = this.#reader?.nextDueUs() ?? null;
    const idleUs = this.#idle.nextDueUs();
    if (due === null || idleUs === null) return due ?? idleUs;
    return idleUs < due ? idleUs : due;
  }

  state(): FeedState {
    const splits = this.#splits.names.map((split) => {
      const ranges = this.#splits.rangesOf(split);
      const { running, isIdle, isEnded } = this.relation.watermark.split(split);
      return { split, ranges, running: String(running), isIdle, isEnded };
    });
    const { name, schema, indexIds } = this.relation.definition;
    const store = schema === null ? {} : { store: { schema, indexIds } };
    return {
      definition: { ...this.#definition, name, ...store },
      splits,
      watermark: String(this.relation.watermark.current),
      ...this.rows.counters(),
      postKeys: this.postKeys.state(),
      starts: this.starts.state(),
      unknownSchemas: [...this.#unknownSchemas.ids],
      broken: this.#broken,
    };
  }

  status(): Omit<SourceStatus, 'letters'> {
    const { splits } = this.relation.watermark;
    const counters = this.rows.counters();
    const hasEnded = splits.size > 0 && [...splits.values()].every((split) => split.isEnded);
    const trouble = this.#reader?.trouble ?? null;
    const running =
      this.#reader === null ? 'waiting' : trouble === null ? 'running' : 'disconnected';
    return {
      id: this.relation.id,
      name: this.relation.definition.name,
      state: this.#failure !== null ? 'failed' : hasEnded ? 'ended' : running,
      error: this.#failure === null ? trouble : statusText(this.#failure),
      ...counters,
      rowsDecoded: counters.rowsRead - counters.rowsRejected,
      unknownDeletes: this.rows.isKeyed ? counters.unknownDeletes : null,
      lag: this.#reader?.lag() ?? null,
      lagUnit: this.#reader?.lagUnit ?? 'rows',
      rowsPerSecond: this.#rate.perSecond(this.#context.clock.monotonicUs()),
      splits: splitStatuses(this.#splits, this.relation.watermark),
    };
  }
}
