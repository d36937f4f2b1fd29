/**
 * EpochStep: what one epoch does to relations, sources, views and sinks, given its contents: the same for a live epoch and
 * for its replay. Everything here is synchronous.
 *
 * Order: `begin`, DDL, `backfill` of the views that are new, DML, source chunks, `end` (the end of every job, inputs before
 * readers; problems; versions). A change of a relation goes to its stored versions and, at once, into every job that reads
 * it; a job's output is the change of its relation.
 */

import { assert, must } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { SqlError } from '../base/sql-error.ts';
import { buildBatch } from '../batch/build-batch.ts';
import { negate } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { unpackBatch } from '../batch/pack.ts';
import type { SourceChunk } from '../connect/source.ts';
import { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { EpochControl } from '../state/epoch-control.ts';
import type { SplitProgress } from '../state/manifest.ts';
import { RelationReader } from '../state/relation-reader.ts';
import type { RelationSchema } from '../state/relation-schema.ts';
import { DEFAULT_SETTINGS, type ValueSettings } from '../types/settings.ts';
import { EngineRelation, type RelationDefinition } from './engine-relation.ts';
import {
  CatalogObjects,
  type EngineMetadata,
  jobMemoryName,
  relationMemoryName,
} from './engine-state.ts';
import { Job, type JobDefinition, type JobState } from './job.ts';
import { WATERMARK_NONE } from './operator.ts';
import {
  type CommitRequest,
  type CreateSinkAction,
  type CreateSourceAction,
  type DdlAction,
  DEAD_LETTERS_ID,
  type DmlChange,
  type EngineColumn,
  type EngineOptions,
  type EngineStatus,
  type RelationHandle,
  VIEW_ERRORS_ID,
} from './port.ts';
import { DEAD_LETTERS, ProblemLog, VIEW_ERRORS, ViewProblems } from './problems.ts';
import { stampRowWatermarks } from './row-watermarks.ts';
import { absoluteWeight } from './rows.ts';
import { SinkOutput } from './sink-output.ts';
import { type Connectors, SourceFeed } from './source-feed.ts';
import { maxWatermark, RelationWatermark } from './watermark.ts';

export interface StepSetup {
  readonly options: EngineOptions;
  readonly control: EpochControl;
  readonly clock: Clock;
  readonly incarnation: string;
  readonly connectors: Connectors;
  readonly memories: Map<string, Memory>;
  readonly metadata: EngineMetadata | null;
  wake(): void;
  log(level: 'info' | 'warn' | 'error', text: string): void;
}

/** A commit whose new jobs are made, so that nothing in it can be refused any more. */
export interface PreparedCommit {
  readonly request: CommitRequest;
  readonly jobs: ReadonlyMap<number, Job>;
}

/** The split under which a table's DML runs. */
const DML_SPLIT = 'dml';
/** Rows of a source's history that a new view takes between two ends. */
const HISTORY_ROWS = 65_536;

export class EpochStep {
  readonly #setup: StepSetup;
  readonly #memory: Memory;
  readonly #scratch: Scratch;
  readonly #relations = new Map<number, EngineRelation>();
  readonly #feeds = new Map<number, SourceFeed>();
  /** In an order in which inputs come before what reads them: that of their creation. */
  readonly #jobs = new Map<number, Job>();
  readonly #sinks = new Map<number, SinkOutput>();
  readonly #catalog: CatalogObjects;
  readonly #problems: ProblemLog;
  #fresh: Job[] = [];
  #epoch = 0;
  #nowUs: bigint;
  #rowsIn = 0;
  #isRestoring = false;
  #isStarted = false;

  constructor(setup: StepSetup, memory: Memory, scratch: Scratch, nowUs: bigint) {
    this.#setup = setup;
    this.#memory = memory;
    this.#scratch = scratch;
    this.#nowUs = nowUs;
    this.#epoch = setup.control.published;
    this.#catalog = new CatalogObjects(setup.metadata?.catalog ?? null);
    this.#problems = new ProblemLog(setup.metadata?.nextLetterId ?? 1);
    if (setup.metadata === null) this.#createSystemRelations();
    else this.#restore(setup.metadata);
  }

  #createSystemRelations(): void {
    const bag = (
      columns: readonly EngineColumn[],
      isAppendOnly: boolean,
      by: number[],
    ): RelationSchema => ({
      storages: columns.map(({ type }) => type.storage),
      key: null,
      isAppendOnly,
      indexes: by.map((column) => ({ name: `by_${column}`, columns: [column], isUnique: false })),
    });
    this.#addRelation({
      ...systemDefinition(DEAD_LETTERS_ID, 'dead_letters', DEAD_LETTERS),
      schema: bag(DEAD_LETTERS, false, []),
    });
    this.#addRelation({
      ...systemDefinition(VIEW_ERRORS_ID, 'view_errors', VIEW_ERRORS),
      schema: bag(VIEW_ERRORS, false, [0]),
    });
  }

  // ---- recovery

  #restore(metadata: EngineMetadata): void {
    this.#isRestoring = true;
    for (const { definition, watermark, running } of metadata.relations) {
      const relation = this.#addRelation(definition);
      relation.watermark.restore(BigInt(watermark));
      if (definition.watermark !== null && definition.kind === 'table') {
        relation.watermark.split(DML_SPLIT).running = BigInt(running);
      }
    }
    for (const state of metadata.sources) this.#addFeed(state.definition, state);
    for (const state of metadata.jobs) this.#addJob(this.#makeJob(state));
    // Operators take up the watermarks as they stood; nothing comes out of that.
    for (const job of this.#jobs.values()) this.#endJob(job);
    this.#fresh = [];
    this.#isRestoring = false;
  }

  /** Recovery is over: sources go on from where they stand. */
  openReaders(): void {
    this.#isStarted = true;
    for (const feed of this.#feeds.values()) feed.refreshReader();
  }

  metadata(): EngineMetadata {
    const relations = [...this.#relations.values()]
      .filter(({ definition }) => definition.kind !== 'source')
      .map((relation) => ({
        definition: relation.definition,
        watermark: String(relation.watermark.current),
        running: String(relation.watermark.splits.get(DML_SPLIT)?.running ?? WATERMARK_NONE),
      }));
    return {
      format: 1,
      nowUs: String(this.#nowUs),
      catalog: this.#catalog.image(),
      nextLetterId: this.#problems.nextId,
      relations,
      sources: [...this.#feeds.values()].map((feed) => feed.state()),
      jobs: [...this.#jobs.values()].map((job) => job.state()),
    };
  }

  /** The memories that a checkpoint holds, by name. */
  memories(): Map<string, Memory> {
    const memories = new Map<string, Memory>();
    for (const { id, memory } of this.#relations.values()) {
      if (memory !== null) memories.set(relationMemoryName(id), memory);
    }
    for (const { id, memory } of this.#jobs.values()) memories.set(jobMemoryName(id), memory);
    return memories;
  }

  catalogImage(): EngineMetadata['catalog'] {
    return this.#catalog.image();
  }

  handles(): RelationHandle[] {
    return [...this.#relations.values()].flatMap((relation) => relation.handle() ?? []);
  }

  // ---- the epoch

  begin(epoch: number, nowUs: bigint): void {
    this.#epoch = epoch;
    this.#nowUs = nowUs;
  }

  /** Makes the jobs that a commit creates; throws where one cannot be, and then nothing has happened. */
  prepare(request: CommitRequest): PreparedCommit {
    const made = new Set(request.ddl.flatMap((action) => ('id' in action ? [action.id] : [])));
    for (const { relationId } of request.dml) {
      if (made.has(relationId) || this.#relations.get(relationId)?.stored) continue;
      throw new SqlError('42P01', `relation with OID ${relationId} does not exist`);
    }
    const jobs = new Map<number, Job>();
    for (const action of request.ddl) {
      if (action.kind !== 'create_view' && action.kind !== 'create_sink') continue;
      const counters = { used: 0, late: 0, nullTime: 0, withheld: 0, lateAssignments: 0 };
      const state = { definition: action, cells: [], counters, rowsIn: 0, failure: null };
      jobs.set(action.id, this.#makeJob(state));
      if (action.kind === 'create_sink') this.#openSink(action);
    }
    return { request, jobs };
  }

  /** A commit's DDL, in order; the relations that came or whose readers must be made again. */
  applyDdl({ request, jobs }: PreparedCommit): RelationHandle[] {
    if (request.catalog !== null) this.#catalog.apply(request.catalog);
    const changed = new Set<EngineRelation>();
    for (const action of request.ddl) {
      const relation = this.#applyAction(action, jobs);
      if (relation !== null) changed.add(relation);
    }
    return [...changed].flatMap((relation) => relation.handle() ?? []);
  }

  #applyAction(action: DdlAction, jobs: ReadonlyMap<number, Job>): EngineRelation | null {
    switch (action.kind) {
      case 'create_table':
        return this.#addRelation({
          ...action,
          kind: 'table',
          indexIds: action.schema.indexes.map(() => 0),
        });
      case 'create_source':
        this.#addFeed(action, SourceFeed.fresh(action));
        return null;
      case 'create_view':
      case 'create_sink':
        return this.#createJob(action, must(jobs.get(action.id)));
      case 'create_index': {
        const relation = this.#relation(action.relationId);
        relation.addIndex(action.id, action.index);
        return relation;
      }
      case 'drop_index': {
        const relation = this.#relation(action.relationId);
        relation.dropIndex(action.id);
        return relation;
      }
      case 'drop':
        this.#drop(action.id);
        return null;
      case 'rename':
        this.#relations.get(action.id)?.rename(action.name);
        this.#jobs.get(action.id)?.rename(action.name);
        return null;
    }
  }

  #relation(id: number): EngineRelation {
    return must(this.#relations.get(id), `relation ${id} is not there`);
  }

  #addRelation(definition: RelationDefinition): EngineRelation {
    const { id, schema } = definition;
    const memory = schema === null ? null : this.#memoryNamed(relationMemoryName(id));
    const createdAt = this.#isRestoring ? 0 : this.#epoch;
    const relation = new EngineRelation(definition, memory, this.#setup.control, createdAt);
    this.#relations.set(id, relation);
    return relation;
  }

  /** A restored memory, or a new one. */
  #memoryNamed(name: string): Memory {
    const restored = this.#setup.memories.get(name);
    this.#setup.memories.delete(name);
    return restored ?? Memory.create({ maxBytes: this.#setup.options.stateBytesMax });
  }

  #addFeed(definition: CreateSourceAction, state: ReturnType<SourceFeed['state']>): void {
    const { id, name, columns, watermark } = definition;
    const relation = this.#addRelation({
      id,
      name,
      kind: 'source',
      columns,
      schema: null,
      indexIds: [],
      watermark,
    });
    const feed = new SourceFeed(state, relation, {
      memory: this.#memory,
      scratch: this.#scratch,
      clock: this.#setup.clock,
      fileRoots: this.#setup.options.fileRoots,
      problems: this.#problems,
      connectors: this.#setup.connectors,
      wake: () => this.#setup.wake(),
    });
    this.#feeds.set(id, feed);
  }

  #makeJob(state: JobState): Job {
    const { definition, counters } = state;
    const settings = valueSettings(definition.settings);
    const keepsLateRows = definition.plan.lateRows === 'dead_letter';
    const { id } = definition;
    return new Job(state, {
      memory: this.#memoryNamed(jobMemoryName(id)),
      settings,
      problems: new ViewProblems(id, settings, this.#problems, keepsLateRows, { ...counters }),
      batchRowsMax: this.#setup.options.batchRowsMax,
      output: { onDelta: (batch) => this.#onJobOutput(id, batch) },
      nowUs: () => this.#nowUs,
    });
  }

  #createJob(action: JobDefinition, job: Job): EngineRelation | null {
    let relation: EngineRelation | null = null;
    if (action.kind === 'create_view') {
      const { id, name, plan, schema } = action;
      const columns = plan.node.columns.slice(0, schema.storages.length);
      const indexIds = schema.indexes.map(() => 0);
      relation = this.#addRelation({
        id,
        name,
        kind: 'view',
        columns,
        schema,
        indexIds,
        watermark: null,
      });
    }
    this.#addJob(job);
    this.#fresh.push(job);
    return relation;
  }

  #addJob(job: Job): void {
    this.#jobs.set(job.id, job);
    for (const id of job.inputIds) {
      this.#relation(id).readers.add(job);
      if (this.#isStarted) this.#feeds.get(id)?.refreshReader();
    }
    const { definition } = job;
    if (definition.kind === 'create_sink' && !this.#sinks.has(job.id)) this.#openSink(definition);
  }

  #openSink(action: CreateSinkAction): void {
    const { id, plan, uuid, connector } = action;
    const { columns } = plan.node;
    const { fileRoots } = this.#setup.options;
    const { incarnation } = this.#setup;
    const writer = this.#setup.connectors.openSink(connector, {
      fileRoots,
      columns,
      uuid,
      incarnation,
    });
    const isDiscarding = (connector as { connector?: unknown }).connector === 'blackhole';
    this.#sinks.set(id, new SinkOutput(writer, columns, this.#epoch, isDiscarding));
  }

  #drop(id: number): void {
    const job = this.#jobs.get(id);
    if (job !== undefined) {
      this.#jobs.delete(id);
      for (const input of job.inputIds) {
        this.#relations.get(input)?.readers.delete(job);
        if (this.#isStarted) this.#feeds.get(input)?.refreshReader();
      }
    }
    this.#sinks.get(id)?.close();
    this.#sinks.delete(id);
    this.#feeds.get(id)?.close();
    this.#feeds.delete(id);
    this.#relations.delete(id);
    this.#fresh = this.#fresh.filter((one) => one.id !== id);
  }

  // ---- backfill

  /** New views take what there is: stored rows as of the last published epoch, sources from their beginning. */
  backfill(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const job of fresh) {
      for (const id of job.inputIds) {
        const feed = this.#feeds.get(id);
        if (feed !== undefined) this.#backfillHistory(job, feed);
        else this.#backfillSnapshot(job, this.#relation(id));
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
      const relation = this.#relation(relationId);
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
      const feed = must(this.#feeds.get(progress.sourceId), 'a manifest names an unknown source');
      feed.refreshWanted();
      let last: SourceChunk | null = null;
      let rowCount = 0;
      const mark = this.#scratch.mark();
      for (const chunk of feed.replay(progress)) {
        rowCount += chunk.batch?.rowCount ?? 0;
        last = chunk;
        this.#applyChunk(feed, { ...chunk, isEnded: false });
        this.#scratch.release(mark);
      }
      assert(
        rowCount === progress.rowCount,
        `source ${feed.relation.definition.name} gave ${rowCount} rows again instead of ${progress.rowCount}`,
      );
      feed.finishReplay(progress, last);
    }
  }

  #deliver(relation: EngineRelation, batch: DeltaBatch): void {
    relation.apply(batch, this.#epoch);
    for (const job of relation.readers) job.push(relation.id, batch);
  }

  #onJobOutput(id: number, batch: DeltaBatch): void {
    assert(!this.#isRestoring, 'a restored view changes without input');
    this.#sinks.get(id)?.add(batch, this.#epoch);
    const relation = this.#relations.get(id);
    if (relation !== undefined) this.#deliver(relation, batch);
  }

  // ---- the end

  end(): void {
    for (const { definition, watermark } of this.#relations.values()) {
      if (definition.watermark !== null) watermark.advance();
    }
    for (const job of this.#jobs.values()) {
      this.#endJob(job);
      this.#sinks.get(job.id)?.endEpoch(this.#epoch, this.#nowUs);
    }
    this.#writeProblems();
    for (const relation of this.#relations.values()) this.#publishRelation(relation);
  }

  #endJob(job: Job): void {
    for (const id of job.inputIds) {
      const upstream = this.#jobs.get(id);
      const relation = this.#relation(id);
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
      const job = this.#jobs.get(relation.id);
      if (job === undefined) throw error;
      job.fail(`internal error: ${error instanceof Error ? error.message : String(error)}`);
      this.#setup.log('error', `view ${relation.definition.name} has stopped: ${job.failure}`);
    }
  }

  #writeProblems(): void {
    const mark = this.#scratch.mark();
    const letters = this.#problems.takeLetters(this.#nowUs);
    const letterTypes = DEAD_LETTERS.map(({ type }) => type);
    for (let from = 0; from < letters.length; from += 1024) {
      const batch = buildBatch(letterTypes, letters.slice(from, from + 1024), this.#scratch);
      this.#deliver(this.#relation(DEAD_LETTERS_ID), batch);
    }
    const errors = this.#problems.takeErrors();
    const errorTypes = VIEW_ERRORS.map(({ type }) => type);
    for (let from = 0; from < errors.length; from += 1024) {
      const part = errors.slice(from, from + 1024);
      const weights = part.map(({ weight }) => weight);
      const rows = part.map(({ values }) => values);
      this.#deliver(
        this.#relation(VIEW_ERRORS_ID),
        buildBatch(errorTypes, rows, this.#scratch, weights),
      );
    }
    this.#scratch.release(mark);
  }

  /** Between epochs: a bounded step of housekeeping for relations that changed. */
  tidy(): void {
    for (const { stored } of this.#relations.values()) stored?.compact();
  }

  // ---- sinks, timers, status

  get feeds(): Iterable<SourceFeed> {
    return this.#feeds.values();
  }

  get hasSinks(): boolean {
    return this.#sinks.size > 0;
  }

  /** Epochs up to `durable` may leave. */
  deliver(durable: number): void {
    for (const sink of this.#sinks.values()) sink.deliver(durable);
  }

  /** The earliest instant at which a view changes without input. */
  nextTimerUs(): bigint | null {
    let earliest: bigint | null = null;
    for (const job of this.#jobs.values()) {
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

  status(): Pick<EngineStatus, 'rowsIn' | 'stateBytes' | 'jobs' | 'sources' | 'tableWatermarks'> {
    const jobs = [...this.#jobs.values()].map((job) => {
      const status = job.status(this.#relations.get(job.id)?.stored?.rowCount ?? 0);
      const failure = this.#sinks.get(job.id)?.failure ?? null;
      return failure === null ? status : { ...status, state: 'failed' as const, error: failure };
    });
    const tables = [...this.#relations.values()].filter(
      ({ definition }) => definition.watermark !== null,
    );
    let stateBytes = 0;
    for (const memory of this.memories().values()) stateBytes += memory.allocatedBytes;
    return {
      rowsIn: this.#rowsIn,
      stateBytes,
      jobs,
      sources: [...this.#feeds.values()].map((feed) => feed.status()),
      tableWatermarks: tables.map(({ id, watermark }) => ({
        id,
        watermark: watermark.current === WATERMARK_NONE ? null : String(watermark.current),
      })),
    };
  }

  close(): void {
    for (const feed of this.#feeds.values()) feed.close();
    for (const sink of this.#sinks.values()) sink.close();
  }
}

function systemDefinition(
  id: number,
  name: string,
  columns: readonly EngineColumn[],
): Omit<RelationDefinition, 'schema'> {
  return { id, name, kind: 'system', columns, indexIds: [], watermark: null };
}

/** Frozen settings as what they change. */
function valueSettings(frozen: Readonly<Record<string, string>>): ValueSettings {
  const byLowerCase = new Map(
    Object.entries(frozen).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const digits = Number(byLowerCase.get('extra_float_digits') ?? DEFAULT_SETTINGS.extraFloatDigits);
  return {
    timeZone: byLowerCase.get('timezone') ?? DEFAULT_SETTINGS.timeZone,
    dateStyle: byLowerCase.get('datestyle') ?? DEFAULT_SETTINGS.dateStyle,
    intervalStyle: byLowerCase.get('intervalstyle') ?? DEFAULT_SETTINGS.intervalStyle,
    byteaOutput: byLowerCase.get('bytea_output') === 'escape' ? 'escape' : 'hex',
    extraFloatDigits: digits,
  };
}
