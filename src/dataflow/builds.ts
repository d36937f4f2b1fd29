/**
 * Builds: new views and sinks over much data, filled a slice at a time between epochs, so that everything else goes on
 * (semantics.md rule 6). Nobody sees one until it joins an epoch, with what is left of its backfill.
 */

import { SqlError } from '../base/sql-error.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { Backfill, type BackfillContext } from './backfill.ts';
import type { EngineParts } from './engine-parts.ts';
import type { EngineRelation } from './engine-relation.ts';
import { scannedRelations } from './graph.ts';
import { freshState, type Job } from './job.ts';
import type { CommitRequest, CreateSinkAction, CreateViewAction, JobStatus } from './port.ts';
import { ProblemLog } from './problems.ts';
import type { SinkOutput } from './sink-output.ts';

/** A view or sink that is being filled between epochs. */
export interface Build {
  readonly job: Job;
  /** null: a sink has none. */
  readonly relation: EngineRelation | null;
  /** null: a view has none. */
  readonly sink: SinkOutput | null;
  readonly backfill: Backfill;
  /** Of its sources' definitions, as it began. */
  readonly version: number;
}

/** A commit whose new jobs are made, so that nothing in it can be refused any more. */
export interface PreparedCommit {
  readonly request: CommitRequest;
  readonly jobs: ReadonlyMap<number, Job>;
  /** A large view or sink that came up to date between epochs; null: everything is done inside the epoch. */
  readonly build: Build | null;
}

/** A new view or sink over more rows than this is filled in slices between epochs. */
const ROWS_AT_ONCE = 20_000;

export class Builds {
  readonly #parts: EngineParts;
  readonly #context: BackfillContext;
  #all: Build[] = [];
  #epoch: number | null = null;

  constructor(parts: EngineParts, context: BackfillContext) {
    this.#parts = parts;
    this.#context = context;
  }

  /** The number under which the rows of the one that works are stamped; null: none works. */
  get epoch(): number | null {
    return this.#epoch;
  }

  /** A commit of one view or sink over much data is prepared by `slice`; null: it is done inside an epoch. */
  prepare(request: CommitRequest): (PreparedCommit & { readonly build: Build }) | null {
    const [action, ...others] = request.ddl;
    if (action?.kind !== 'create_view' && action?.kind !== 'create_sink') return null;
    if (others.length + request.dml.length > 0 || !this.#isLarge(action)) return null;
    const job = this.#parts.makeJob(freshState(action), new ProblemLog());
    const build = {
      job,
      relation: action.kind === 'create_view' ? this.#parts.makeViewRelation(action) : null,
      sink: action.kind === 'create_sink' ? this.#parts.openSink(action) : null,
      backfill: new Backfill(job, this.#context, null),
      version: this.#parts.versionOf(job),
    };
    this.#all.push(build);
    return { request, jobs: new Map([[job.id, job]]), build };
  }

  #isLarge({ plan }: CreateViewAction | CreateSinkAction): boolean {
    const { relations, feeds } = this.#parts;
    const inputs = scannedRelations(plan.node);
    if (!inputs.every((id) => relations.has(id))) return false;
    if (inputs.some((id) => feeds.get(id)?.mayWait)) return true;
    return inputs.reduce((sum, id) => sum + this.#parts.rowsIn(id), 0) > ROWS_AT_ONCE;
  }

  /** Works on a build; true: it can join the next epoch. `epoch` is a number that no other epoch has. */
  slice(build: Build, epoch: number, isOver: () => boolean): boolean {
    this.#epoch = epoch;
    try {
      const isReady = build.backfill.slice(isOver);
      if (!build.job.isFailed) build.relation?.publish(epoch);
      return isReady;
    } finally {
      this.#epoch = null;
    }
  }

  /** Takes a change that comes out of a build; false: the job is none. */
  take(id: number, batch: DeltaBatch): boolean {
    const build = this.#all.find(({ job }) => job.id === id);
    if (build === undefined) return false;
    const { relation, sink, job } = build;
    const epoch = this.#epoch!;
    relation?.apply(batch, epoch);
    if (job.definition.kind !== 'create_sink' || job.definition.hasSnapshot === false) return true;
    sink?.add(batch, epoch);
    return true;
  }

  /** Throws where what a build reads was dropped or altered meanwhile. */
  check({ job, version }: Build): void {
    const what = job.definition.kind === 'create_view' ? 'view' : 'sink';
    if (!job.inputIds.every((id) => this.#parts.relations.has(id))) {
      throw new SqlError(
        '42P01',
        `a relation that the ${what} reads was dropped while it was made`,
      );
    }
    if (this.#parts.versionOf(job) === version) return;
    throw new SqlError('55006', `a source that the ${what} reads was altered while it was made`, {
      hint: `Create the ${what} once more.`,
    });
  }

  /** It is part of the running epoch from now on. */
  join(build: Build): void {
    if (build.sink !== null) this.#parts.sinks.set(build.job.id, build.sink);
    this.#forget(build);
  }

  giveUp(build: Build): void {
    build.backfill.cancel();
    build.sink?.close();
    build.sink?.remove();
    this.#forget(build);
  }

  #forget(build: Build): void {
    this.#all = this.#all.filter((one) => one !== build);
  }

  status(): JobStatus[] {
    return this.#all.map(({ job, relation, sink }) => {
      const rowCount = relation?.stored?.rowCount ?? 0;
      return { ...job.status(rowCount, sink?.status() ?? null), state: 'building' };
    });
  }
}
