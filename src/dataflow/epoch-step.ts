/**
 * EpochStep: what one epoch does to relations, sources, views and sinks, given its contents: the same for a live epoch and
 * for its replay. Everything here is synchronous.
 *
 * Order: `begin`, DDL, `backfill` of the views that are new, DML, source chunks, `end` (the end of every job, inputs before
 * readers; problems; versions). A change of a relation goes to its stored versions and, at once, into every job that reads
 * it; a job's output is the change of its relation.
 */

import { assert, must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { buildBatch } from '../batch/build-batch.ts';
import { negate } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { unpackBatch } from '../batch/pack.ts';
import type { SourceChunk } from '../connect/source.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { SplitProgress } from '../state/manifest.ts';
import { RelationReader } from '../state/relation-reader.ts';
import { DML_SPLIT, EngineParts } from './engine-parts.ts';
import type { EngineRelation } from './engine-relation.ts';
import type { Job } from './job.ts';
import {
  type CommitRequest,
  type DdlAction,
  DEAD_LETTERS_ID,
  type DmlChange,
  type EngineStatus,
  type RelationHandle,
  VIEW_ERRORS_ID,
} from './port.ts';
import { DEAD_LETTERS, VIEW_ERRORS } from './problems.ts';
import { stampRowWatermarks } from './row-watermarks.ts';
import { absoluteWeight } from './rows.ts';
import { SourceFeed } from './source-feed.ts';
import type { StepSetup } from './step-setup.ts';
import { maxWatermark, RelationWatermark } from './watermark.ts';

/** A commit whose new jobs are made, so that nothing in it can be refused any more. */
export interface PreparedCommit {
  readonly request: CommitRequest;
  readonly jobs: ReadonlyMap<number, Job>;
}

/** Rows of a source's history that a new view takes between two ends. */
const HISTORY_ROWS = 65_536;

export class EpochStep {
  readonly #setup: StepSetup;
  readonly #memory: Memory;
  readonly #scratch: Scratch;
  /** What the engine consists of. */
  readonly parts: EngineParts;
  #fresh: Job[] = [];
  #epoch = 0;
  #nowUs: bigint;
  #rowsIn = 0;
  #isRestoring = false;

  constructor(setup: StepSetup, memory: Memory, scratch: Scratch, nowUs: bigint) {
    this.#setup = setup;
    this.#memory = memory;
    this.#scratch = scratch;
    this.#nowUs = nowUs;
    this.#epoch = setup.control.published;
    this.parts = new EngineParts(setup, this, memory, scratch);
    if (setup.metadata === null) this.parts.createSystemRelations();
    else this.#restore(setup.metadata);
  }

  #restore(metadata: NonNullable<StepSetup['metadata']>): void {
    this.parts.restore(metadata);
    // Operators take up the watermarks as they stood; nothing may come out of that.
    this.#isRestoring = true;
    for (const job of this.parts.jobs.values()) this.#endJob(job);
    this.#isRestoring = false;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get nowUs(): bigint {
    return this.#nowUs;
  }

  // ---- commits

  begin(epoch: number, nowUs: bigint): void {
    this.#epoch = epoch;
    this.#nowUs = nowUs;
  }

  /** Makes the jobs that a commit creates; throws where one cannot be, and then nothing has happened. */
  prepare(request: CommitRequest): PreparedCommit {
    const made = new Set(request.ddl.flatMap((action) => ('id' in action ? [action.id] : [])));
    for (const { relationId } of request.dml) {
      if (made.has(relationId) || this.parts.relations.get(relationId)?.stored) continue;
      throw new SqlError('42P01', `relation with OID ${relationId} does not exist`);
    }
    const jobs = new Map<number, Job>();
    for (const action of request.ddl) {
      if (action.kind !== 'create_view' && action.kind !== 'create_sink') continue;
      const counters = { used: 0, late: 0, nullTime: 0, withheld: 0, lateAssignments: 0 };
      const state = { definition: action, cells: [], counters, rowsIn: 0, failure: null };
      jobs.set(action.id, this.parts.makeJob(state));
      if (action.kind === 'create_sink') this.parts.openSink(action);
    }
    return { request, jobs };
  }

  /** A commit's DDL, in order; the relations that came or whose readers must be made again. */
  applyDdl({ request, jobs }: PreparedCommit): RelationHandle[] {
    if (request.catalog !== null) this.parts.catalog.apply(request.catalog);
    const changed = new Set<EngineRelation>();
    for (const action of request.ddl) {
      const relation = this.#applyAction(action, jobs);
      if (relation !== null) changed.add(relation);
    }
    return [...changed].flatMap((relation) => relation.handle() ?? []);
  }

  #createJob(action: Job['definition'], job: Job): EngineRelation | null {
    this.#fresh.push(job);
    return this.parts.createJob(action, job);
  }

  #applyAction(action: DdlAction, jobs: ReadonlyMap<number, Job>): EngineRelation | null {
    switch (action.kind) {
      case 'create_table':
        return this.parts.addRelation({
          ...action,
          kind: 'table',
          indexIds: action.schema.indexes.map(() => 0),
        });
      case 'create_source':
        this.parts.addFeed(action, SourceFeed.fresh(action));
        return null;
      case 'create_view':
      case 'create_sink':
        return this.#createJob(action, must(jobs.get(action.id)));
      case 'create_index': {
        const relation = this.parts.relation(action.relationId);
        relation.addIndex(action.id, action.index);
        return relation;
      }
      case 'drop_index': {
        const relation = this.parts.relation(action.relationId);
        relation.dropIndex(action.id);
        return relation;
      }
      case 'drop':
        this.parts.drop(action.id);
        this.#fresh = this.#fresh.filter((job) => job.id !== action.id);
        return null;
      case 'rename':
        this.parts.relations.get(action.id)?.rename(action.name);
        this.parts.jobs.get(action.id)?.rename(action.name);
        return null;
    }
  }

  // ---- backfill

  /** New views take what there is: stored rows as of the last published epoch, sources from their beginning. */
  backfill(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const job of fresh) {
      for (const id of job.inputIds) {
        const feed = this.parts.feeds.get(id);
        if (feed !== undefined) this.#backfillHistory(job, feed);
        else this.#backfillSnapshot(job, this.parts.relation(id));
      }
    }
  }

  #backfillSnapshot(job: Job, relation: EngineRelation): void {
    if (relation.createdAt === this.#epoch || relation.stored === null) return;
    const { stored, memory } = relation;
    const reader = new RelationReader(must(memory).wasm, stored.headerAddress, stored.schema);
    const target = { memory: this.#memory, scratch: this.#scratch };
    for (const scan of job.scansOf(relation.id)) {
      const mark = this.#scratch.mark();
      const { published } = this.#setup.control;
      for (const batch of reader.scan(published, scan.node.columnIndexes, target)) {
        job.pushScan(scan, batch);
        this.#scratch.release(mark);
      }
    }
  }

  /** The records of a source again, with the watermarks as they would have moved for this view alone. */
  #backfillHistory(job: Job, feed: SourceFeed): void {
    const watermark = new RelationWatermark();
    let rows = 0;
    const mark = this.#scratch.mark();
    for (const chunk of feed.history()) {
      const batch = feed.takeAgain(chunk, watermark);
      if (batch !== null) job.push(feed.relation.id, batch);
      rows += batch?.rowCount ?? 0;
      this.#scratch.release(mark);
      if (rows < HISTORY_ROWS) continue;
      rows = 0;
      watermark.advance();
      job.setWatermarks(feed.relation.id, [watermark.current]);
      job.endEpoch({ epoch: this.#epoch, nowUs: this.#nowUs });
    }
  }

  // ---- contents

  applyDml(changes: readonly DmlChange[]): void {
    for (const { relationId, rows, judge } of changes) {
      const relation = this.parts.relation(relationId);
      if (rows === null) this.#truncate(relation);
      else this.#applyRows(relation, rows, judge === 'row');
    }
  }

  #applyRows(relation: EngineRelation, rows: Uint8Array, isRowByRow: boolean): void {
    const { watermark: definition } = relation.definition;
    const mark = this.#scratch.mark();
    const split = relation.watermark.split(DML_SPLIT);
    const before = split.running;
    for (const batch of unpackBatch(rows, this.#scratch)) {
      this.#rowsIn += absoluteWeight(batch);
      if (definition === null) {
        this.#deliver(relation, batch);
        continue;
      }
      const judged = isRowByRow ? split : { ...split, running: before };
      const column = must(batch.columns[definition.column]);
      const bounds = {
        delayUs: BigInt(definition.delayUs),
        previous: relation.watermark.current,
        others: relation.watermark.othersMinimum(DML_SPLIT),
        isRowByRow,
        limitUs: null,
      };
      const stamped = stampRowWatermarks(batch, column, judged, bounds, this.#scratch);
      split.running = maxWatermark(split.running, judged.running);
      this.#deliver(relation, stamped.batch);
    }
    this.#scratch.release(mark);
  }

  /** Every row of the last published epoch goes. */
  #truncate(relation: EngineRelation): void {
    if (relation.createdAt === this.#epoch || relation.stored === null) return;
    const { stored, memory } = relation;
    const reader = new RelationReader(must(memory).wasm, stored.headerAddress, stored.schema);
    const all = relation.definition.columns.map((_, column) => column);
    const target = { memory: this.#memory, scratch: this.#scratch };
    const mark = this.#scratch.mark();
    for (const batch of reader.scan(this.#setup.control.published, all, target)) {
      this.#rowsIn += absoluteWeight(batch);
      this.#deliver(relation, negate(batch, this.#scratch));
      this.#scratch.release(mark);
    }
  }

  applyChunks(chunks: readonly { feed: SourceFeed; chunk: SourceChunk }[]): void {
    for (const { feed, chunk } of chunks) this.#applyChunk(feed, chunk);
  }

  #applyChunk(feed: SourceFeed, chunk: SourceChunk): void {
    const mark = this.#scratch.mark();
    const batch = feed.take(chunk);
    if (batch !== null) {
      this.#rowsIn += batch.rowCount;
      this.#deliver(feed.relation, batch);
    }
    this.#scratch.release(mark);
  }

  /** A manifest's ranges, read again. */
  replaySplits(splits: readonly SplitProgress[]): void {
    for (const progress of splits) {
      const feed = must(
        this.parts.feeds.get(progress.sourceId),
        'a manifest names an unknown source',
      );
      feed.refreshWanted();
      let rowCount = 0;
      const mark = this.#scratch.mark();
      for (const chunk of feed.replay(progress)) {
        rowCount += chunk.batch?.rowCount ?? 0;
        this.#applyChunk(feed, { ...chunk, isEnded: false });
        this.#scratch.release(mark);
      }
      assert(
        rowCount === progress.rowCount,
        `source ${feed.relation.definition.name} gave ${rowCount} rows again instead of ${progress.rowCount}`,
      );
      feed.finishReplay(progress);
    }
  }

  #deliver(relation: EngineRelation, batch: DeltaBatch): void {
    relation.apply(batch, this.#epoch);
    for (const job of relation.readers) job.push(relation.id, batch);
  }

  /** A job's output is the change of its relation, and what its sink sends. */
  onJobOutput(id: number, batch: DeltaBatch): void {
    assert(!this.#isRestoring, 'a restored view changes without input');
    this.parts.sinks.get(id)?.add(batch, this.#epoch);
    const relation = this.parts.relations.get(id);
    if (relation !== undefined) this.#deliver(relation, batch);
  }

  // ---- the end

  end(): void {
    for (const { definition, watermark } of this.parts.relations.values()) {
      if (definition.watermark !== null) watermark.advance();
    }
    for (const job of this.parts.jobs.values()) {
      this.#endJob(job);
      this.parts.sinks.get(job.id)?.endEpoch(this.#epoch, this.#nowUs);
    }
    this.#writeProblems();
    for (const relation of this.parts.relations.values()) this.#publishRelation(relation);
  }

  #endJob(job: Job): void {
    for (const id of job.inputIds) {
      const upstream = this.parts.jobs.get(id);
      const relation = this.parts.relation(id);
      if (upstream?.isFailed) job.fail(`"${relation.definition.name}", which it reads, has failed`);
      job.setWatermarks(id, upstream?.graph.watermarks ?? [relation.watermark.current]);
    }
    const wasFailed = job.isFailed;
    job.endEpoch({ epoch: this.#epoch, nowUs: this.#nowUs });
    if (job.isFailed && !wasFailed) {
      this.#setup.log('error', `view ${job.definition.name} has stopped: ${job.failure}`);
    }
  }

  #publishRelation(relation: EngineRelation): void {
    try {
      relation.publish(this.#epoch);
    } catch (error) {
      const job = this.parts.jobs.get(relation.id);
      if (job === undefined) throw error;
      job.fail(`internal error: ${error instanceof Error ? error.message : String(error)}`);
      this.#setup.log('error', `view ${relation.definition.name} has stopped: ${job.failure}`);
    }
  }

  #writeProblems(): void {
    const mark = this.#scratch.mark();
    const letters = this.parts.problems.takeLetters(this.#nowUs);
    const letterTypes = DEAD_LETTERS.map(({ type }) => type);
    for (let from = 0; from < letters.length; from += 1024) {
      const batch = buildBatch(letterTypes, letters.slice(from, from + 1024), this.#scratch);
      this.#deliver(this.parts.relation(DEAD_LETTERS_ID), batch);
    }
    const errors = this.parts.problems.takeErrors();
    const errorTypes = VIEW_ERRORS.map(({ type }) => type);
    for (let from = 0; from < errors.length; from += 1024) {
      const part = errors.slice(from, from + 1024);
      const weights = part.map(({ weight }) => weight);
      const rows = part.map(({ values }) => values);
      this.#deliver(
        this.parts.relation(VIEW_ERRORS_ID),
        buildBatch(errorTypes, rows, this.#scratch, weights),
      );
    }
    this.#scratch.release(mark);
  }

  /** Between epochs: a bounded step of housekeeping for relations that changed. */
  tidy(): void {
    for (const { stored } of this.parts.relations.values()) stored?.compact();
  }

  // ---- sinks, timers, status

  /** Splits that count as idle from this epoch on (rule 17). */
  applyIdle(idle: readonly { feed: SourceFeed; split: string }[]): void {
    for (const { feed, split } of idle) feed.setIdle(split);
  }

  get hasSinks(): boolean {
    return this.parts.sinks.size > 0;
  }

  /** Epochs up to `durable` may leave. */
  deliver(durable: number): void {
    for (const sink of this.parts.sinks.values()) sink.deliver(durable);
  }

  /** The earliest instant at which a view changes without input. */
  nextTimerUs(): bigint | null {
    let earliest: bigint | null = null;
    for (const job of this.parts.jobs.values()) {
      if (job.isFailed) continue;
      const timer = job.graph.nextTimerUs();
      if (timer !== null && (earliest === null || timer < earliest)) earliest = timer;
    }
    return earliest;
  }

  isTimerDue(nowUs: bigint): boolean {
    const timer = this.nextTimerUs();
    return timer !== null && timer <= nowUs;
  }

  status(): Omit<
    EngineStatus,
    'epoch' | 'nowUs' | 'epochs' | 'lastEpochUs' | 'lastCheckpointEpoch'
  > {
    return { rowsIn: this.#rowsIn, ...this.parts.status() };
  }
}
