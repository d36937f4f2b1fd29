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
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { SourceChunk } from '../connect/source.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { SplitProgress } from '../state/manifest.ts';
import { Backfill, type BackfillContext } from './backfill.ts';
import { type Build, Builds, type PreparedCommit } from './builds.ts';
import { EngineParts } from './engine-parts.ts';
import type { EngineRelation } from './engine-relation.ts';
import { freshState, type Job } from './job.ts';
import type { CommitRequest, DdlAction, DmlChange, EngineStatus, RelationHandle } from './port.ts';
import { ProblemRelations } from './problem-relations.ts';
import { absoluteWeight } from './rows.ts';
import { SourceFeed } from './source-feed.ts';
import { SourceInputs } from './source-inputs.ts';
import type { StepSetup } from './step-setup.ts';
import { TableChanges } from './table-changes.ts';

export class EpochStep {
  readonly #setup: StepSetup;
  readonly #scratch: Scratch;
  /** What the engine consists of. */
  readonly parts: EngineParts;
  #fresh: Backfill[] = [];
  #epoch = 0;
  #nowUs: bigint;
  #rowsIn = 0;
  #isRestoring = false;
  readonly #backfillContext: BackfillContext;
  /** Views and sinks that are being filled between epochs. */
  readonly builds: Builds;
  readonly #tableChanges: TableChanges;
  /** What commits bring to sources. */
  readonly inputs: SourceInputs;
  readonly #problems: ProblemRelations;

  constructor(setup: StepSetup, memory: Memory, scratch: Scratch, nowUs: bigint) {
    this.#setup = setup;
    this.#scratch = scratch;
    this.#nowUs = nowUs;
    this.#epoch = setup.control.published;
    this.parts = new EngineParts(setup, this, memory, scratch);
    this.#tableChanges = new TableChanges({
      memory,
      scratch,
      relation: (id) => this.parts.relation(id),
      deliver: (relation, batch) => {
        this.#rowsIn += absoluteWeight(batch);
        this.#deliver(relation, batch);
      },
    });
    this.#problems = new ProblemRelations(this.parts, {
      memory,
      scratch,
      published: () => setup.control.published,
      deliver: (relation, batch) => this.#deliver(relation, batch),
      retract: (relation, keys) => relation.retractKeys(keys, this.#epoch),
      send: (sourceId, letters) => this.parts.sinks.add(sourceId, letters, this.#epoch),
    });
    this.inputs = new SourceInputs({
      memory,
      scratch,
      problems: this.#problems,
      feed: (id) => this.parts.feeds.get(id),
      job: (id) => this.parts.jobs.get(id),
      apply: (feed, chunk) => this.applyChunks([{ feed, chunk }]),
      nowUs: () => this.#nowUs,
      deliver: ({ relation }, batch) => {
        this.#rowsIn += absoluteWeight(batch);
        this.#deliver(relation, batch);
      },
      deliverTo: (jobId, { relation }, batch) => {
        this.#rowsIn += batch.rowCount;
        must(this.parts.jobs.get(jobId)).push(relation.id, batch);
      },
    });
    this.#backfillContext = {
      control: setup.control,
      memory,
      scratch,
      input: (id) => {
        const relation = this.parts.relation(id);
        return { relation, feed: relation.stored ? null : (this.parts.feeds.get(id) ?? null) };
      },
      endEpoch: (job) => job.endEpoch({ epoch: this.#stampEpoch, nowUs: this.#nowUs }),
    };
    this.builds = new Builds(this.parts, this.#backfillContext);
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

  /** The number that a row gets that is stored now. */
  get #stampEpoch(): number {
    return this.builds.epoch ?? this.#epoch;
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
    const prepared = { request, jobs: new Map<number, Job>(), build: null };
    try {
      for (const action of request.ddl) this.#prepareAction(action, prepared.jobs);
    } catch (error) {
      this.discard(prepared);
      throw error;
    }
    return prepared;
  }

  #prepareAction(action: DdlAction, jobs: Map<number, Job>): void {
    if (action.kind === 'create_source') this.parts.openLetters(action);
    if (action.kind !== 'create_view' && action.kind !== 'create_sink') return;
    jobs.set(action.id, this.parts.makeJob(freshState(action)));
    if (action.kind === 'create_sink') {
      this.parts.sinks.set(action.id, this.parts.openSink(action));
    }
  }

  /** A commit that was prepared does not come to pass. */
  discard({ request, build }: PreparedCommit): void {
    if (build !== null) this.builds.giveUp(build);
    else
      for (const action of request.ddl) {
        if (action.kind === 'create_sink' || action.kind === 'create_source') {
          this.parts.sinks.discard(action.id);
        }
      }
  }

  /** A commit's DDL, in order; the relations that came or whose readers must be made again. */
  applyDdl({ request, jobs, build }: PreparedCommit): RelationHandle[] {
    if (request.catalog !== null) this.parts.catalog.apply(request.catalog);
    const changed = new Set<EngineRelation>();
    for (const action of request.ddl) {
      const relation = this.#applyAction(action, jobs, build);
      if (relation !== null) changed.add(relation);
    }
    return [...changed].flatMap((relation) => relation.handle() ?? []);
  }

  #createJob(action: Job['definition'], job: Job, build: Build | null): EngineRelation | null {
    let relation: EngineRelation | null = null;
    if (build !== null) this.builds.join(build);
    if (action.kind === 'create_view') {
      relation = build?.relation ?? this.parts.makeViewRelation(action);
      this.parts.relations.set(relation.id, relation);
    }
    job.problems.moveTo(this.parts.problems);
    this.parts.addJob(job);
    this.parts.noteStart(job);
    const createdAt = this.#epoch;
    this.#fresh.push(build?.backfill ?? new Backfill(job, this.#backfillContext, createdAt));
    return relation;
  }

  #applyAction(
    action: DdlAction,
    jobs: ReadonlyMap<number, Job>,
    build: Build | null,
  ): EngineRelation | null {
    switch (action.kind) {
      case 'create_table':
        return this.parts.addRelation({
          ...action,
          kind: 'table',
          indexIds: action.schema.indexes.map(() => 0),
        });
      case 'create_source':
        return this.parts.addFeed(action, SourceFeed.fresh(action));
      case 'create_sink':
        this.#createJob(action, must(jobs.get(action.id)), build);
        if (action.hasSnapshot === false) this.parts.sinks.get(action.id)?.ignore(this.#epoch);
        else this.parts.sinks.get(action.id)?.snapshot(this.#epoch);
        return null;
      case 'create_view':
        return this.#createJob(action, must(jobs.get(action.id)), build);
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
        if (this.parts.jobs.has(action.id)) this.#problems.forgetErrors(action.id);
        this.parts.drop(action.id);
        this.#fresh = this.#fresh.filter(({ job }) => job.id !== action.id);
        return null;
      case 'trim_dead_letters':
        this.#problems.trim(action.beforeId);
        return null;
      case 'drop_not_null':
        this.parts.dropNotNull(action.id, action.column);
        return null;
      case 'alter_options':
        this.parts.alterOptions(action.id, action.texts);
        return null;
      case 'rename':
        this.parts.relations.get(action.id)?.rename(action.name);
        this.parts.jobs.get(action.id)?.rename(action.name);
        return null;
    }
  }

  // ---- backfill

  /** New views take what there is, or what is left of it. */
  backfill(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const one of fresh) {
      try {
        one.finish();
      } catch (error) {
        if (!(error instanceof SqlError)) throw error;
        one.cancel();
        one.job.fail(error.message);
      }
    }
  }

  // ---- contents

  applyDml(changes: readonly DmlChange[]): void {
    this.#tableChanges.apply(changes);
  }

  applyChunks(chunks: readonly { feed: SourceFeed; chunk: SourceChunk }[]): void {
    for (const { feed, chunk } of chunks) feed.beginSplit(chunk.split, chunk.batch !== null);
    for (const { feed, chunk } of chunks) this.#applyChunk(feed, chunk);
  }

  #applyChunk(feed: SourceFeed, chunk: SourceChunk): void {
    const mark = this.#scratch.mark();
    feed.take(chunk, (batch) => {
      this.#rowsIn += batch.rowCount;
      this.#deliver(feed.relation, batch);
    });
    this.#scratch.release(mark);
  }

  /** A manifest's ranges, read again. */
  replaySplits(splits: readonly SplitProgress[]): void {
    const read = splits.filter(({ sourceId }) => !this.#setup.forgotten?.has(sourceId));
    const feedOf = ({ sourceId }: SplitProgress): SourceFeed =>
      must(this.parts.feeds.get(sourceId), 'a manifest names an unknown source');
    for (const one of read) feedOf(one).beginSplit(one.split, one.rowCount > 0);
    for (const progress of read) {
      const feed = feedOf(progress);
      feed.refreshWanted();
      try {
        this.#replaySplit(feed, progress);
      } catch (error) {
        if (!(error instanceof SqlError)) throw error;
        this.#failSource(feed, error);
      }
    }
  }

  #replaySplit(feed: SourceFeed, progress: SplitProgress): void {
    let rowCount = 0;
    if (progress.schemas !== undefined) feed.noteSchemas(progress.schemas);
    const mark = this.#scratch.mark();
    for (const chunk of feed.replay(progress)) {
      rowCount += chunk.batch?.rowCount ?? 0;
      this.#applyChunk(feed, { ...chunk, isEnded: false });
      this.#scratch.release(mark);
    }
    if (rowCount !== progress.rowCount) this.#checkCompacted(feed, rowCount, progress.rowCount);
    feed.finishReplay(progress);
  }

  /** Where the newest record of each key is enough, others may have been compacted away; else 58030. */
  #checkCompacted(feed: SourceFeed, rowCount: number, before: number): void {
    const problem = `${rowCount} records came again instead of ${before}`;
    if (!feed.rows.isKeyed || rowCount > before) throw new SqlError('58030', problem);
    this.#setup.log('warn', `source ${feed.relation.definition.name}: ${problem}`);
  }

  /** Records that were taken in cannot be read again: the source and what reads it stop (rule 7). */
  #failSource(feed: SourceFeed, error: SqlError): void {
    const { name } = feed.relation.definition;
    feed.break(error);
    for (const job of feed.relation.readers) {
      job.fail(`source "${name}" cannot be read again: ${error.message}`);
    }
    this.#setup.log('error', `source ${name} cannot be read again: ${error.message}`);
    if (feed.broken !== null) this.#setup.onStopped(feed.relation.id, feed.broken);
  }

  #deliver(relation: EngineRelation, batch: DeltaBatch): void {
    relation.apply(batch, this.#epoch);
    for (const job of relation.readers) job.push(relation.id, batch);
  }

  /** A job's output is the change of its relation, and what its sink sends. */
  onJobOutput(id: number, batch: DeltaBatch): void {
    assert(!this.#isRestoring, 'a restored view changes without input');
    if (this.builds.take(id, batch)) return;
    this.parts.sinks.add(id, batch, this.#epoch);
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
      this.parts.sinks.endEpoch(job.id, job.definition.name, this.#epoch, this.#nowUs);
    }
    this.#problems.write(this.#nowUs);
    for (const { relation } of this.parts.feeds.values()) {
      const { name } = relation.definition;
      this.parts.sinks.endEpoch(relation.id, name, this.#epoch, this.#nowUs);
    }
    for (const relation of this.parts.relations.values()) this.#publishRelation(relation);
  }

  #endJob(job: Job): void {
    const wasFailed = job.isFailed;
    for (const id of job.inputIds) {
      const upstream = this.parts.jobs.get(id);
      const relation = this.parts.relation(id);
      const isBroken = (this.parts.feeds.get(id)?.broken ?? null) !== null;
      if (upstream?.isFailed || isBroken) {
        job.fail(`"${relation.definition.name}", which it reads, has failed`);
      }
      job.setWatermarks(id, upstream?.graph.watermarks ?? [relation.watermark.current]);
    }
    job.endEpoch({ epoch: this.#epoch, nowUs: this.#nowUs });
    if (job.isFailed && !wasFailed) this.#tellStopped(job);
    this.parts.sinks.noteStall(job.id, job.definition.name, job.graph.stall);
  }

  #publishRelation(relation: EngineRelation): void {
    try {
      relation.publish(this.#epoch);
    } catch (error) {
      const job = this.parts.jobs.get(relation.id);
      if (job === undefined) throw error;
      job.fail(`internal error: ${error instanceof Error ? error.message : String(error)}`);
      this.#tellStopped(job);
    }
  }

  #tellStopped({ id, definition, failure }: Job): void {
    this.#setup.log('error', `view ${definition.name} has stopped: ${failure}`);
    this.#setup.onStopped(id, failure ?? '');
  }

  /** The epoch was published; `arrivedUs` (monotonic): when the oldest of its rows came, null: it has none. */
  published(arrivedUs: bigint | null): void {
    const ageUs = arrivedUs === null ? null : Number(this.#setup.clock.monotonicUs() - arrivedUs);
    for (const job of this.parts.jobs.values()) job.published(this.#epoch, ageUs);
  }

  /** Rows taken in since the start, in absolute weight. */
  get rowsIn(): number {
    return this.#rowsIn;
  }

  /** Between epochs: a bounded step of housekeeping for relations that changed. */
  tidy(): void {
    for (const { stored } of this.parts.relations.values()) {
      if (stored?.canCompact) stored.compact();
    }
  }

  // ---- timers, status

  /** Splits that count as idle from this epoch on (rule 17). */
  applyIdle(idle: readonly { feed: SourceFeed; split: string }[]): void {
    for (const { feed, split } of idle) feed.setIdle(split);
  }

  /** The earliest instant at which a view changes, or a sink sends, without input. */
  nextTimerUs(): bigint | null {
    let earliest: bigint | null = null;
    const note = (timer: bigint | null): void => {
      if (timer !== null && (earliest === null || timer < earliest)) earliest = timer;
    };
    for (const job of this.parts.jobs.values()) if (!job.isFailed) note(job.graph.nextTimerUs());
    for (const timer of this.parts.sinks.timersUs()) note(timer);
    return earliest;
  }

  isTimerDue(nowUs: bigint): boolean {
    const timer = this.nextTimerUs();
    return timer !== null && timer <= nowUs;
  }

  status(): Omit<
    EngineStatus,
    'epoch' | 'nowUs' | 'epochs' | 'lastEpochUs' | 'lastCheckpointEpoch' | 'measures'
  > {
    const status = this.parts.status();
    return { rowsIn: this.#rowsIn, ...status, jobs: [...status.jobs, ...this.builds.status()] };
  }
}
