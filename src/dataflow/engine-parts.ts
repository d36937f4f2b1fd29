/**
 * EngineParts: what the engine consists of (relations, sources, jobs, sinks, the catalog's objects) and how each is made,
 * dropped, put into a checkpoint and made again over restored memories. No epoch logic is here.
 */

import * as path from 'node:path';
import { must } from '../base/assert.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { LETTER_COLUMNS } from '../connect/letters.ts';
import { type PlacedText, withTexts } from '../connect/sealed-options.ts';
import type { SinkContext } from '../connect/sink.ts';
import { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { RelationSchema } from '../state/relation-schema.ts';
import type { DataType } from '../types/data-type.ts';
import { EngineRelation, type RelationDefinition } from './engine-relation.ts';
import {
  CatalogObjects,
  type EngineMetadata,
  jobMemoryName,
  relationMemoryName,
  sinkMemoryName,
} from './engine-state.ts';
import { Job, type JobState } from './job.ts';
import { LetterLog } from './letter-log.ts';
import { LETTER_PAGES, PAGE_BYTES, PAGE_KEY } from './letter-page.ts';
import { WATERMARK_NONE } from './operator.ts';
import {
  type CreateSinkAction,
  type CreateSourceAction,
  type CreateViewAction,
  DEAD_LETTERS_ID,
  type EngineColumn,
  type EngineStatus,
  type RelationHandle,
  VIEW_ERRORS_ID,
} from './port.ts';
import { type DeadLetter, letterBytes, ProblemLog, VIEW_ERRORS, ViewProblems } from './problems.ts';
import { SinkOutput, type SinkStart } from './sink-output.ts';
import { SinkOutputs } from './sink-outputs.ts';
import { SourceFeed } from './source-feed.ts';
import type { StepSetup } from './step-setup.ts';
import { valueSettings } from './value-settings.ts';

/** Pages of a segment of dead letters, the oldest of which are trimmed. */
const LETTER_SEGMENT_PAGES = 512;

/** The split under which a table's DML runs. */
export const DML_SPLIT = 'dml';

/** What the parts ask of the epoch that runs. */
export interface RunningEpoch {
  readonly epoch: number;
  readonly nowUs: bigint;
  onJobOutput(id: number, batch: DeltaBatch): void;
}

export class EngineParts {
  readonly relations = new Map<number, EngineRelation>();
  readonly feeds = new Map<number, SourceFeed>();
  /** In an order in which inputs come before what reads them: that of their creation. */
  readonly jobs = new Map<number, Job>();
  readonly sinks: SinkOutputs;
  readonly catalog: CatalogObjects;
  readonly problems = new ProblemLog();
  readonly letters: LetterLog;
  readonly #setup: StepSetup;
  readonly #running: RunningEpoch;
  readonly #memory: Memory;
  readonly #scratch: Scratch;
  /** The number that the next letter had when the newest checkpoint was taken. */
  #letterIdSaved: number;
  #isCheckpointDue = false;
  #isRestoring = false;
  #isStarted = false;

  constructor(setup: StepSetup, running: RunningEpoch, memory: Memory, scratch: Scratch) {
    this.#setup = setup;
    this.#running = running;
    this.#memory = memory;
    this.#scratch = scratch;
    this.sinks = new SinkOutputs(setup);
    this.catalog = new CatalogObjects(setup.metadata?.catalog ?? null);
    const { deadLetterBytesMax, deadLetterAgeMsMax } = setup.options;
    const limits = {
      bytesMax: deadLetterBytesMax,
      ageUsMax: BigInt(deadLetterAgeMsMax) * 1000n,
    };
    this.letters = new LetterLog(limits, setup.metadata?.letters ?? null);
    this.#letterIdSaved = this.letters.nextId;
  }

  createSystemRelations(): void {
    const schema = (columns: readonly EngineColumn[], key: number[] | null): RelationSchema => ({
      storages: columns.map(({ type }) => type.storage),
      key,
      isAppendOnly: false,
      indexes: [],
    });
    this.addRelation({
      ...systemDefinition(DEAD_LETTERS_ID, 'dead_letters', LETTER_PAGES),
      schema: { ...schema(LETTER_PAGES, [PAGE_KEY]), segmentRowsMax: LETTER_SEGMENT_PAGES },
    });
    const byView = { name: 'by_0', columns: [0], isUnique: false };
    this.addRelation({
      ...systemDefinition(VIEW_ERRORS_ID, 'view_errors', VIEW_ERRORS),
      schema: { ...schema(VIEW_ERRORS, null), indexes: [byView] },
    });
  }

  /** Makes everything again over the restored memories; the jobs are not told their watermarks yet. */
  restore(metadata: EngineMetadata): void {
    this.#isRestoring = true;
    for (const { definition, watermark, running } of metadata.relations) {
      const relation = this.addRelation(definition);
      relation.watermark.restore(BigInt(watermark));
      if (definition.watermark !== null && definition.kind === 'table') {
        relation.watermark.split(DML_SPLIT).running = BigInt(running);
      }
    }
    for (const state of metadata.sources) this.addFeed(state.definition, state);
    for (const state of metadata.jobs) this.addJob(this.makeJob(state));
    this.#isRestoring = false;
  }

  /** Recovery is over: sources go on from where they stand. */
  openReaders(): void {
    this.#isStarted = true;
    for (const feed of this.feeds.values()) {
      // What read the log's ranges again goes.
      feed.close();
      feed.refreshReader();
    }
  }

  /**
   * A source was dropped whose letters no checkpoint may have yet: until one has, a start reads its records for them. Told
   * once.
   */
  takeCheckpointDue(): boolean {
    const isDue = this.#isCheckpointDue;
    this.#isCheckpointDue = false;
    return isDue;
  }

  metadata(): EngineMetadata {
    this.#letterIdSaved = this.letters.nextId;
    const relations = [...this.relations.values()]
      .filter(({ definition }) => definition.kind !== 'source')
      .map((relation) => ({
        definition: relation.definition,
        watermark: String(relation.watermark.current),
        running: String(relation.watermark.splits.get(DML_SPLIT)?.running ?? WATERMARK_NONE),
      }));
    return {
      format: 1,
      nowUs: String(this.#running.nowUs),
      catalog: this.catalog.image(),
      letters: this.letters.state(),
      relations,
      sources: [...this.feeds.values()].map((feed) => feed.state()),
      jobs: [...this.jobs.values()].map((job) => job.state()),
      sinks: this.sinks.state(),
    };
  }

  /** The memories that a checkpoint holds, by name. */
  memories(): Map<string, Memory> {
    const memories = new Map<string, Memory>();
    for (const { id, memory } of this.relations.values()) {
      if (memory !== null) memories.set(relationMemoryName(id), memory);
    }
    for (const { id, memory } of this.jobs.values()) memories.set(jobMemoryName(id), memory);
    for (const [id, memory] of this.sinks.memories()) memories.set(sinkMemoryName(id), memory);
    return memories;
  }

  /** The dead letters of the epoch of instant `nowUs`, and the first one's number; they are counted and noted. */
  takeLetters(nowUs: bigint): {
    readonly letters: readonly DeadLetter[];
    readonly firstId: number;
  } {
    const letters = this.problems.takeLetters();
    return { letters, firstId: this.letters.add(letters, letterBytes, nowUs, PAGE_BYTES) };
  }

  /** Under which sinks, and sources whose letters are sent, may keep something. */
  sinkUuids(): Set<string> {
    const sinks = [...this.jobs.values()].flatMap(({ definition }) =>
      definition.kind === 'create_sink' ? [definition.uuid] : [],
    );
    const letters = [...this.feeds.values()].flatMap(
      (feed) => feed.state().definition.letterUuid ?? [],
    );
    return new Set([...sinks, ...letters]);
  }

  handles(): RelationHandle[] {
    return [...this.relations.values()].flatMap((relation) => relation.handle() ?? []);
  }

  /** Views, sinks and stored sources that have stopped for good. */
  stopped(): { readonly id: number; readonly reason: string }[] {
    const jobs = [...this.jobs.values()].map(({ id, failure }) => ({ id, reason: failure }));
    const feeds = [...this.feeds].map(([id, { broken }]) => ({ id, reason: broken }));
    return [...jobs, ...feeds].flatMap(({ id, reason }) =>
      reason === null ? [] : [{ id, reason }],
    );
  }

  relation(id: number): EngineRelation {
    return must(this.relations.get(id), `relation ${id} is not there`);
  }

  /** A relation, its memory and all; a restored one finds its rows. */
  addRelation(definition: RelationDefinition): EngineRelation {
    const relation = this.#makeRelation(definition);
    this.relations.set(relation.id, relation);
    return relation;
  }

  #makeRelation(definition: RelationDefinition): EngineRelation {
    const { id, schema } = definition;
    const memory = schema === null ? null : this.#memoryNamed(relationMemoryName(id));
    const createdAt = this.#isRestoring ? 0 : this.#running.epoch;
    return new EngineRelation(definition, memory, this.#setup.control, createdAt);
  }

  /** Rows that a new reader of the relation has to take, roughly. */
  rowsIn(id: number): number {
    return (
      this.relations.get(id)?.stored?.rowCount ?? this.feeds.get(id)?.rows.counters().rowsRead ?? 0
    );
  }

  /** A restored memory, or a new one. */
  #memoryNamed(name: string): Memory {
    const restored = this.#setup.memories.get(name);
    this.#setup.memories.delete(name);
    return restored ?? Memory.create({ maxBytes: this.#setup.options.stateBytesMax });
  }

  addFeed(definition: CreateSourceAction, state: ReturnType<SourceFeed['state']>): EngineRelation {
    const { id, name, columns, watermark, store = { schema: null, indexIds: [] } } = definition;
    const relation = this.addRelation({ id, name, kind: 'source', columns, ...store, watermark });
    const feed = new SourceFeed(state, relation, {
      memory: this.#memory,
      scratch: this.#scratch,
      clock: this.#setup.clock,
      fileRoots: this.#setup.options.fileRoots,
      rejectedBytesMax: this.#setup.options.deadLetterRecordBytesMax,
      problems: this.problems,
      connectors: this.#setup.connectors,
      nowUs: () => this.#running.nowUs,
      wake: () => this.#setup.wake(),
      warn: (text) => this.#setup.log('warn', text),
    });
    feed.alterOptions(this.#foreseen(id));
    this.feeds.set(id, feed);
    this.openLetters(definition);
    if (this.#isStarted) feed.refreshReader();
    return relation;
  }

  /** Throws where an expression cannot be compiled. One that the log drops in the end, together with its source, rests. */
  makeJob(state: JobState, log = this.problems): Job {
    const { definition, counters } = state;
    const settings = valueSettings(definition.settings);
    const keepsLateRows = definition.plan.lateRows === 'dead_letter';
    const { id } = definition;
    const isForgotten = this.#setup.forgotten?.has(id) === true;
    const begun = isForgotten ? { ...state, failure: 'it is about to be dropped' } : state;
    return new Job(begun, {
      memory: this.#memoryNamed(jobMemoryName(id)),
      settings,
      problems: new ViewProblems(id, settings, log, keepsLateRows, { ...counters }),
      batchRowsMax: this.#setup.options.batchRowsMax,
      output: { onDelta: (batch) => this.#running.onJobOutput(id, batch) },
      nowUs: () => this.#running.nowUs,
    });
  }

  /** The relation of a new view; nobody knows it yet. */
  makeViewRelation(action: CreateViewAction): EngineRelation {
    const { id, name, plan, schema } = action;
    const columns = plan.node.columns.slice(0, schema.storages.length);
    const indexIds = schema.indexes.map(() => 0);
    const definition = {
      id,
      name,
      kind: 'view' as const,
      columns,
      schema,
      indexIds,
      watermark: null,
    };
    return this.#makeRelation(definition);
  }

  /** The job reads from now on whatever changes. */
  addJob(job: Job): void {
    this.jobs.set(job.id, job);
    for (const id of job.inputIds) {
      this.relation(id).readers.add(job);
      if (this.#isStarted) this.feeds.get(id)?.refreshReader();
    }
    const { definition } = job;
    if (definition.kind === 'create_sink' && this.sinks.get(job.id) === undefined)
      this.sinks.set(job.id, this.openSink(definition));
  }

  /** What the log will alter: what is read again, and delivered, needs the secrets of now. */
  #foreseen(id: number): readonly PlacedText[] {
    return this.#setup.foreseenOptions?.get(id) ?? [];
  }

  /** Throws where the outside refuses. */
  openSink(action: CreateSinkAction): SinkOutput {
    const { id, plan, uuid } = action;
    const connector = withTexts(action.connector, this.#foreseen(id));
    const { columns } = plan.node;
    const context = this.#sinkContext(columns, uuid);
    const writer = this.#setup.connectors.openSink(connector, context);
    const isDiscarding = (connector as { connector?: unknown }).connector === 'blackhole';
    const periodUs = plan.emitPeriodUs === null ? null : BigInt(plan.emitPeriodUs);
    const start = isDiscarding ? null : this.#sinkStart(id, periodUs, false);
    return new SinkOutput(writer, typesOf(columns), start);
  }

  /** Where rejected records of a source go, if they go anywhere. Throws where the outside refuses. */
  openLetters({ id, letterUuid, connector }: CreateSourceAction): void {
    if (letterUuid === undefined || this.sinks.get(id) !== undefined) return;
    const context = this.#sinkContext(LETTER_COLUMNS, letterUuid);
    const options = withTexts(connector, this.#foreseen(id));
    const writer = this.#setup.connectors.openLetters(options, context);
    const start = this.#sinkStart(id, null, true);
    this.sinks.set(id, new SinkOutput(writer, typesOf(LETTER_COLUMNS), start));
  }

  #sinkContext(columns: readonly EngineColumn[], uuid: string): SinkContext {
    const { sinkRoot, incarnation, options } = this.#setup;
    const directory = sinkRoot === null ? null : path.join(sinkRoot, uuid);
    return { fileRoots: options.fileRoots, columns, uuid, incarnation, directory };
  }

  #sinkStart(id: number, periodUs: bigint | null, mayDrop: boolean): SinkStart {
    const { options, lastEpoch, metadata } = this.#setup;
    const { epoch } = this.#running;
    return {
      lastEpoch: Math.max(epoch, lastEpoch),
      epoch,
      periodUs,
      memory: this.#memoryNamed(sinkMemoryName(id)),
      sentUs: BigInt(metadata?.sinks.find((sink) => sink.id === id)?.sentUs ?? 0),
      heldBytesMax: options.sinkHeldBytesMax,
      mayDrop,
    };
  }

  /** Records of a source may have NULL in a column from now on. */
  dropNotNull(id: number, column: number): void {
    const feed = must(this.feeds.get(id), 'NOT NULL was dropped of an unknown source');
    feed.dropNotNull(column);
    if (this.#isStarted) feed.refreshReader();
  }

  /** What a source or sink connects with holds another secret. In a recovery it does so from the start. */
  alterOptions(id: number, texts: readonly PlacedText[]): void {
    const job = this.jobs.get(id);
    const feed = this.feeds.get(id);
    const newest = this.#isStarted ? texts : [...texts, ...this.#foreseen(id)];
    feed?.alterOptions(newest);
    if (job?.definition.kind === 'create_sink') job.alterOptions(newest);
    if (!this.#isStarted) return;
    feed?.refreshReader();
    const altered = feed?.state().definition ?? job?.definition;
    if (altered === undefined || altered.kind === 'create_view') return;
    this.sinks.get(id)?.reconnect(this.#setup.connectors, altered.connector);
  }

  /** A new job reads the records that its sources take in from now on, and has read those before as they are defined now. */
  noteStart(job: Job): void {
    for (const id of job.inputIds) this.feeds.get(id)?.starts.note(job.id, this.letters.nextId);
  }

  /** Another one when a source that the job reads has been altered. */
  versionOf(job: Job): number {
    return job.inputIds.reduce((sum, id) => sum + (this.feeds.get(id)?.starts.version ?? 0), 0);
  }

  /** Takes a table, source, view or sink away. */
  drop(id: number): void {
    const job = this.jobs.get(id);
    if (job !== undefined) {
      this.jobs.delete(id);
      for (const input of job.inputIds) {
        this.relations.get(input)?.readers.delete(job);
        if (this.#isStarted) this.feeds.get(input)?.refreshReader();
      }
    }
    for (const feed of this.feeds.values()) feed.starts.forget(id);
    this.sinks.drop(id, this.#running.epoch);
    if (this.feeds.has(id)) this.#isCheckpointDue ||= this.letters.nextId > this.#letterIdSaved;
    this.feeds.get(id)?.close();
    this.feeds.delete(id);
    this.relations.delete(id);
  }

  status(): Pick<EngineStatus, 'stateBytes' | 'jobs' | 'sources' | 'letters' | 'tableWatermarks'> {
    const jobs = [...this.jobs.values()].map((job) => {
      const sink = this.sinks.get(job.id);
      const rowCount = this.relations.get(job.id)?.stored?.rowCount ?? sink?.status().rowsSent ?? 0;
      const status = job.status(rowCount, sink?.status() ?? null);
      return { ...status, ...this.sinks.trouble(job.id) };
    });
    const tables = [...this.relations.values()].filter(
      ({ definition }) => definition.watermark !== null,
    );
    let stateBytes = 0;
    for (const memory of this.memories().values()) stateBytes += memory.allocatedBytes;
    return {
      stateBytes,
      jobs,
      sources: [...this.feeds].map(([id, feed]) => {
        return { ...feed.status(), letters: this.sinks.status(id) };
      }),
      letters: this.letters.status(),
      tableWatermarks: tables.map(({ id, watermark }) => ({
        id,
        watermark: watermark.current === WATERMARK_NONE ? null : String(watermark.current),
      })),
    };
  }

  close(): void {
    for (const feed of this.feeds.values()) feed.close();
    this.sinks.close();
  }
}

function typesOf(columns: readonly EngineColumn[]): DataType[] {
  return columns.map(({ type }) => type);
}

function systemDefinition(
  id: number,
  name: string,
  columns: readonly EngineColumn[],
): Omit<RelationDefinition, 'schema'> {
  return { id, name, kind: 'system', columns, indexIds: [], watermark: null };
}
