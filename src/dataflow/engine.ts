/**
 * Engine: the one dataflow worker's work: it cuts epochs out of what has arrived, steps every view, publishes all of them
 * at once (architecture.md §2, semantics.md rules 1, 2, 9, 28).
 *
 * An epoch: take the commits that wait and what the sources have; write the manifest to the input log (nothing was touched
 * before: a full disk refuses the commits and loses nothing); step; publish; answer commits when the log is durable.
 * Replay gives `step` the same contents again. Inside an epoch: DDL, then DML in commit order, then sources by (source,
 * split, offset), then the ends of all jobs, inputs before those that read them.
 */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import type { CheckpointWriter } from '../state/checkpoint.ts';
import type { EpochNumbers } from '../state/epoch-numbers.ts';
import type { InputLog } from '../state/input-log.ts';
import { encodeLogEntry, type Manifest } from '../state/manifest.ts';
import type { Build, PreparedCommit } from './builds.ts';
import { EngineMeasures } from './engine-measures.ts';
import {
  type IdleSplit,
  idleProgress,
  inOrder,
  type PolledChunk,
  progressOf,
} from './epoch-contents.ts';
import { EpochStep } from './epoch-step.ts';
import { type LoggedCommits, manifestCommits, restoreCommits } from './logged-commit.ts';
import type { CommitRequest, CommitResult, EngineStatus } from './port.ts';
import { ReportedPositions } from './reported-positions.ts';
import type { SourceFeed } from './source-feed.ts';
import { bringsSourceRows } from './source-inputs.ts';
import { SourceIntake } from './source-intake.ts';
import type { PreviewLimits, SourcePreview } from './source-preview.ts';
import type { StepSetup } from './step-setup.ts';
import { dmlBytes, rowsArrivedUs, type WaitingCommit } from './waiting-commit.ts';

export interface Durability {
  /** null: nothing is kept (`:memory:`). */
  readonly log: InputLog | null;
  readonly numbers: EpochNumbers;
  readonly checkpoints: CheckpointWriter | null;
}

export interface EngineSetup extends StepSetup {
  onEpoch(epoch: number): void;
}

interface TakenCommit {
  readonly commit: WaitingCommit;
  readonly prepared: PreparedCommit;
}

interface BuildingCommit extends TakenCommit {
  readonly build: Build;
}

/** Everything that one epoch takes in. */
interface EpochContents {
  readonly prepared: readonly TakenCommit[];
  readonly chunks: readonly PolledChunk[];
  readonly idle: readonly IdleSplit[];
  readonly nowUs: bigint;
  /** When (monotonic) the oldest of its rows came; null: it has none. */
  readonly arrivedUs: bigint | null;
}

const NO_CHUNKS = { chunks: [], polledUs: null } as const;

/** Bytes of DML that one epoch takes at most, beyond its first commit. */
const EPOCH_DML_BYTES_MAX = 32 * 2 ** 20;
/** How long an epoch waits for the views that are being filled, each. */
const BUILD_US_MAX = 4000n;
/** How long after a refused manifest the sources are tried again. */
const RETRY_US = 500_000n;

export class Engine {
  readonly #setup: EngineSetup;
  readonly #step: EpochStep;
  readonly #scratch: Scratch;
  #durability: Durability | null = null;
  #waiting: WaitingCommit[] = [];
  /** Large views that are filled between epochs. */
  #building: BuildingCommit[] = [];
  #nowUs: bigint;
  #epoch: number;
  #epochCount = 0;
  readonly #measures = new EngineMeasures();
  readonly #intake: SourceIntake;
  readonly #reported: ReportedPositions;
  #lastCheckpointEpoch = 0;
  /** The checkpoint that is being written. */
  #checkpoint: Promise<void> | null = null;
  /** Dead letters beyond their limits wait for the epoch that trims them. */
  #isTrimming = false;
  #hasTrimmed = false;
  /** Epochs published whose manifest is not known to be durable yet. */
  #inFlight = 0;
  #isStopped = false;

  constructor(setup: EngineSetup) {
    this.#setup = setup;
    const memory = Memory.create();
    this.#scratch = new Scratch(memory);
    this.#nowUs = BigInt(setup.metadata?.nowUs ?? 0);
    this.#epoch = setup.control.published;
    this.#step = new EpochStep(setup, memory, this.#scratch, this.#nowUs);
    this.#intake = new SourceIntake(setup.clock, setup.options.epochRowsMax);
    this.#reported = new ReportedPositions(setup.clock, async () => this.#durability?.log?.sync());
  }

  /** Everything is replayed: from now on epochs are cut. */
  start(durability: Durability): void {
    this.#durability = durability;
    this.#step.parts.openReaders();
    this.#setup.wake();
  }

  get epoch(): number {
    return this.#epoch;
  }

  get step(): EpochStep {
    return this.#step;
  }

  /** Queues a transaction; resolves when it is durable and published. */
  commit(request: CommitRequest): Promise<CommitResult> {
    const { promise, resolve, reject } = Promise.withResolvers<CommitResult>();
    const take = (complete: CommitRequest): void => {
      if (this.#isStopped) reject(new SqlError('57P01', 'the server is shutting down'));
      else this.#enqueue(complete, resolve, reject);
      this.#setup.wake();
    };
    const asked = this.#step.inputs.askSchemas(request);
    if (asked === null) take(request);
    else asked.then(take, reject);
    return promise;
  }

  #enqueue(
    request: CommitRequest,
    resolve: WaitingCommit['resolve'],
    reject: WaitingCommit['reject'],
  ): void {
    const arrivedUs = this.#setup.clock.monotonicUs();
    this.#waiting.push({ request, arrivedUs, resolve, reject });
  }

  /** Dead letters beyond their limits go, by a commit of the engine's own: a replay finds it in the log (rule 27). */
  #trimLetters(): void {
    if (this.#isTrimming || this.#intake.isRefused) return;
    const beforeId = this.#step.parts.letters.dueBefore(this.#advanceNow());
    if (beforeId === null) return;
    if (!this.#hasTrimmed) {
      this.#setup.log('warn', 'dead letters have reached their limits: the oldest are trimmed');
    }
    this.#hasTrimmed = true;
    this.#isTrimming = true;
    const done = () => {
      this.#isTrimming = false;
    };
    const ddl = [{ kind: 'trim_dead_letters', beforeId }] as const;
    this.#enqueue({ ddl, catalog: null, dml: [] }, done, done);
  }

  /** Cuts and runs one epoch; false: there was nothing to do. */
  runEpoch(): boolean {
    if (this.#isStopped) return false;
    const durability = must(this.#durability, 'the engine has not started');
    const mark = this.#scratch.mark();
    try {
      this.#trimLetters();
      const isHeldBack = this.#step.parts.sinks.areFull;
      const taken = this.#takeCommits(isHeldBack);
      const prepared = [...this.#buildReady(durability), ...this.#prepare(taken)];
      const hasDdl = prepared.some(({ commit }) => commit.request.ddl.length > 0);
      const feeds = [...this.#step.parts.feeds.values()];
      this.#reported.tellDue(feeds);
      const { chunks, polledUs } = hasDdl ? NO_CHUNKS : this.#intake.poll(feeds, isHeldBack);
      const idle = hasDdl ? [] : this.#intake.idleSplits(feeds, chunks);
      const nowUs = this.#advanceNow();
      this.#retrySinks(durability);
      this.#step.parts.sinks.advance();
      const isQuiet = prepared.length === 0 && chunks.length === 0 && idle.length === 0;
      if (isQuiet && (this.#intake.isRefused || !this.#step.isTimerDue(nowUs))) {
        return taken.length > 0 || this.#building.some(({ build }) => !build.backfill.isWaiting);
      }
      const arrivedUs = earliest([
        polledUs,
        ...prepared.map(({ commit }) => rowsArrivedUs(commit)),
      ]);
      return this.#run(durability, { prepared, chunks, idle, nowUs, arrivedUs });
    } finally {
      this.#scratch.release(mark);
    }
  }

  /** Commits of this epoch: all that wait, up to a bound. A source's rows wait for DDL and sinks, however they come. */
  #takeCommits(isHeldBack: boolean): WaitingCommit[] {
    const waiting = this.#waiting;
    const takesRows = !isHeldBack && waiting.every(({ request }) => request.ddl.length === 0);
    const taken: WaitingCommit[] = [];
    this.#waiting = [];
    let bytes = 0;
    for (const commit of waiting) {
      const isReady = takesRows || !bringsSourceRows(commit.request);
      if (isReady) bytes += dmlBytes(commit.request);
      const isFull = taken.length > 0 && bytes > EPOCH_DML_BYTES_MAX;
      const isTaken = !isFull && isReady;
      (isTaken ? taken : this.#waiting).push(commit);
    }
    return taken;
  }

  /** Makes what DDL needs; a commit that cannot be is refused alone, before anything is written. */
  #prepare(taken: readonly WaitingCommit[]): TakenCommit[] {
    const result: TakenCommit[] = [];
    for (const commit of taken) {
      try {
        this.#step.inputs.check(commit.request);
        const build = this.#step.builds.prepare(commit.request);
        if (build?.build) this.#building.push({ commit, prepared: build, build: build.build });
        else result.push({ commit, prepared: this.#step.prepare(commit.request) });
      } catch (error) {
        commit.reject(error);
      }
    }
    return result;
  }

  /** Works on large views for a while; those that are ready join this epoch. */
  #buildReady({ numbers }: Durability): TakenCommit[] {
    const { clock } = this.#setup;
    const ready: TakenCommit[] = [];
    for (const one of this.#building) {
      try {
        const endUs = clock.monotonicUs() + BUILD_US_MAX;
        const isOver = () => clock.monotonicUs() >= endUs;
        if (!this.#step.builds.slice(one.build, numbers.next(), isOver)) continue;
        this.#step.builds.check(one.build);
        ready.push(one);
      } catch (error) {
        this.#step.builds.giveUp(one.build);
        one.commit.reject(error);
      }
      this.#building = this.#building.filter((other) => other !== one);
    }
    return ready;
  }

  /** Sinks that fell behind are tried again; an epoch in flight waits for its own answer. */
  #retrySinks({ log }: Durability): void {
    if (!this.#step.parts.sinks.doWait || this.#inFlight > 0) return;
    if (log !== null) log.syncNow();
    this.#step.parts.sinks.deliver(this.#epoch);
  }

  /** An epoch's instant never goes backwards. */
  #advanceNow(): bigint {
    const wallUs = this.#setup.clock.wallUs();
    return wallUs > this.#nowUs ? wallUs : this.#nowUs;
  }

  #run(durability: Durability, contents: EpochContents): boolean {
    const { prepared, idle, nowUs, arrivedUs } = contents;
    const startUs = this.#setup.clock.monotonicUs();
    const chunks = inOrder(contents.chunks);
    let epoch: number;
    let isDurable: Promise<void> | null;
    try {
      epoch = durability.numbers.next();
      isDurable = this.#append(durability, epoch, { ...contents, chunks });
    } catch (error) {
      this.#refuse(prepared, chunks, error);
      return false;
    }
    this.#nowUs = nowUs;
    const rowsBefore = this.#step.rowsIn;
    this.#step.begin(epoch, nowUs);
    const relations = prepared.map(({ prepared: one }) => this.#step.applyDdl(one));
    this.#step.backfill();
    for (const { prepared: one } of prepared) this.#step.applyDml(one.request.dml);
    this.#step.applyChunks(chunks);
    this.#step.applyIdle(idle);
    const inputs = prepared.map(({ prepared: one }) => this.#step.inputs.apply(one.request));
    this.#publish(epoch, arrivedUs);
    isDurable ??= this.#syncIfNeeded(durability, 0);
    const tookUs = Number(this.#setup.clock.monotonicUs() - startUs);
    this.#measures.epoch(tookUs, this.#step.rowsIn - rowsBefore);
    const results = prepared.map((_, i) => {
      return { epoch, relations: must(relations[i]), ...must(inputs[i]) };
    });
    this.#answer(isDurable ?? Promise.resolve(), epoch, prepared, results);
    return true;
  }

  /** Writes the manifest. It becomes durable, where somebody waits for that, while the epoch runs; null: nobody does. */
  #append(durability: Durability, epoch: number, contents: EpochContents): Promise<void> | null {
    const { log } = durability;
    if (log === null) return null;
    const { prepared, chunks, idle, nowUs } = contents;
    const { letters } = this.#step.parts;
    const { ddl, dml } = manifestCommits(
      prepared.map(({ commit }) => commit.request),
      (id) => letters.countOf(id),
    );
    const splits = [...progressOf(chunks), ...idle.map(idleProgress)];
    log.append(encodeLogEntry({ kind: 'epoch', epoch, nowUs, splits, dml, ddl }));
    return this.#syncIfNeeded(durability, prepared.length);
  }

  /** The manifest could not be written: nothing has happened. */
  #refuse(
    prepared: readonly TakenCommit[],
    chunks: readonly { feed: SourceFeed }[],
    error: unknown,
  ): void {
    for (const { commit, prepared: one } of prepared) {
      this.#step.discard(one);
      commit.reject(error);
    }
    for (const feed of new Set(chunks.map((one) => one.feed))) feed.reopen();
    this.#intake.refuse(RETRY_US);
    this.#setup.log('error', `an epoch could not be logged: ${String(error)}`);
  }

  #publish(epoch: number, arrivedUs: bigint | null): void {
    this.#step.end();
    this.#setup.control.publish(epoch);
    this.#step.published(arrivedUs);
    this.#epoch = epoch;
    this.#epochCount += 1;
    this.#step.tidy();
    this.#setup.onEpoch(epoch);
  }

  /** Answers when the manifest is durable; then the sinks may have the epoch too. */
  #answer(
    isDurable: Promise<void>,
    epoch: number,
    prepared: readonly { commit: WaitingCommit }[],
    results: readonly CommitResult[],
  ): void {
    this.#inFlight += 1;
    isDurable.then(
      () => {
        this.#inFlight -= 1;
        prepared.forEach(({ commit }, i) => {
          commit.resolve(must(results[i]));
        });
        if (this.#step.parts.sinks.hasWork) this.#step.parts.sinks.deliver(epoch);
      },
      (error: unknown) => {
        this.#inFlight -= 1;
        for (const { commit } of prepared) commit.reject(error);
      },
    );
  }

  /** Epochs of sources alone need no fsync of their own (null), unless a sink waits for it. */
  #syncIfNeeded({ log }: Durability, commitCount: number): Promise<void> | null {
    if (log === null) return null;
    return commitCount > 0 || this.#step.parts.sinks.hasWork ? log.sync() : null;
  }

  /** Runs an epoch of the log again, in recovery. */
  replay(manifest: Manifest): void {
    const mark = this.#scratch.mark();
    const { epoch, nowUs } = manifest;
    this.#nowUs = nowUs;
    this.#step.begin(epoch, nowUs);
    const requests = restoreCommits(manifest.ddl as LoggedCommits | null, manifest.dml);
    for (const request of requests) this.#step.applyDdl(this.#step.prepare(request));
    this.#step.backfill();
    for (const request of requests) this.#step.applyDml(request.dml);
    this.#step.replaySplits(manifest.splits);
    for (const request of requests) this.#step.inputs.apply(request);
    this.#publish(epoch, null);
    this.#step.parts.sinks.deliverWhole(epoch);
    this.#scratch.release(mark);
  }

  /** When (monotonic µs) the engine wants to run without being woken; null: never. */
  nextDueUs(): bigint | null {
    const { clock } = this.#setup;
    const retryAtUs = this.#intake.retryAtUs;
    const letters = this.#isTrimming ? null : this.#step.parts.letters.nextDueUs();
    const timers = [this.#step.nextTimerUs(), letters].map((wall) =>
      wall === null ? null : clock.monotonicUs() + maxOf(0n, wall - clock.wallUs()),
    );
    const feeds = [...this.#step.parts.feeds.values()];
    const due = earliest([...timers, ...feeds.map((feed) => feed.nextDueUs())]);
    const refused = due === null || retryAtUs === null ? due : maxOf(due, retryAtUs);
    const sinks = this.#step.parts.sinks.doWait ? clock.monotonicUs() + RETRY_US : null;
    return earliest([refused, retryAtUs, sinks, this.#reported.nextDueUs(feeds)]);
  }

  get isCheckpointing(): boolean {
    return this.#checkpoint !== null;
  }

  /** Writes what changed since the last checkpoint, and cuts the log behind it; durable when it resolves. */
  async checkpoint(): Promise<void> {
    // One that is being saved does not hold what came since: it ends first.
    while (this.#checkpoint !== null) await this.#checkpoint.catch(() => undefined);
    this.#checkpoint = this.#writeCheckpoint();
    try {
      await this.#checkpoint;
    } catch (error) {
      this.#measures.noCheckpoint('failed');
      throw error;
    } finally {
      this.#checkpoint = null;
    }
  }

  async #writeCheckpoint(): Promise<void> {
    const { log, checkpoints, numbers } = must(this.#durability, 'the engine has not started');
    if (log === null || checkpoints === null) return;
    const { parts } = this.#step;
    const { clock } = this.#setup;
    const sync = () => log.syncNow();
    // All that a checkpoint holds is of one instant: it is captured before the first `await`.
    const write = async () => {
      const position = log.end;
      const epoch = this.#epoch;
      const metadata = parts.metadata();
      const startUs = clock.monotonicUs();
      const head = { epoch, position, reservedThrough: numbers.reservedThrough, metadata };
      const stats = await checkpoints.write(parts.memories(), head);
      this.#measures.checkpoint(Number(clock.monotonicUs() - startUs), stats.bytes);
      return { epoch, position, stats };
    };
    const written = await parts.sinks.whenDrained(() => this.#epoch, sync, write);
    if (written === null) {
      this.#measures.noCheckpoint('skipped');
      this.#setup.log('warn', 'no checkpoint was written: a sink has not taken its changes yet');
      return;
    }
    const { epoch, position, stats } = written;
    log.cut(position);
    this.#lastCheckpointEpoch = epoch;
    if (stats.bytes > 0)
      this.#setup.log('info', `checkpoint of epoch ${epoch}: ${stats.bytes} bytes`);
  }

  status(): EngineStatus {
    return {
      epoch: this.#epoch,
      nowUs: String(this.#nowUs),
      epochs: this.#epochCount,
      lastEpochUs: this.#measures.lastEpochUs,
      lastCheckpointEpoch: this.#lastCheckpointEpoch,
      measures: {
        ...this.#measures.status(),
        logBytes: this.#durability?.log?.bytes ?? 0,
        queuedCommits: this.#waiting.length + this.#building.length,
        queuedCommitBytes: this.#waiting.reduce((sum, { request }) => sum + dmlBytes(request), 0),
        sourceHeldSeconds: Number(this.#intake.heldUs) / 1e6,
      },
      ...this.#step.status(),
    };
  }

  /** A look at an unstored source's records. */
  async preview(sourceId: number, limits: PreviewLimits): Promise<SourcePreview> {
    const feed = this.#step.parts.feeds.get(sourceId);
    if (feed === undefined) throw new SqlError('42P01', 'the source was dropped');
    return feed.preview(limits);
  }

  /** Of an orderly stop: who wants to know where sources stand hears it once more. */
  tellLastPositions(): Promise<void> {
    return this.#reported.tellLast(this.#step.parts.feeds.values());
  }

  /** No more epochs; what waits is refused. */
  stop(): void {
    this.#isStopped = true;
    for (const { build } of this.#building) this.#step.builds.giveUp(build);
    for (const commit of [...this.#waiting, ...this.#building.map((one) => one.commit)]) {
      commit.reject(new SqlError('57P01', 'the server is shutting down'));
    }
    this.#building = [];
    this.#waiting = [];
  }
}

function maxOf(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function earliest(instants: readonly (bigint | null)[]): bigint | null {
  return instants.reduce((a, b) => (a === null || (b !== null && b < a) ? b : a), null);
}
