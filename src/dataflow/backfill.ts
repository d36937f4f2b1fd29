/**
 * Backfill: how a new view comes up to date with what is there (semantics.md rule 6): the snapshot of every stored input at
 * one pinned epoch, then the net changes since, again and again until little is left, and the last rest in the epoch in
 * which the view appears. Sources are read again from their beginning to where the shared reader stands (rule 25).
 *
 * A small one is done in one go inside that epoch. A large one works in slices between epochs, so that no other view waits;
 * until it is done nothing of it is logged or seen, and a crash leaves no trace. A replay does it in one go.
 * State: positions in the inputs; the pin. Nothing is judged late by a table's watermark while it runs; a source's records
 * are judged row by row by a watermark of the view's own, which ends where the shared one stands; where a source has several
 * splits none of them is late, since they are read one after the other.
 */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { EpochControl, EpochPin } from '../state/epoch-control.ts';
import type { EngineRelation } from './engine-relation.ts';
import type { Job } from './job.ts';
import type { SourceFeed } from './source-feed.ts';
import type { HistoryPosition } from './source-splits.ts';
import { RelationWatermark } from './watermark.ts';

/** Rows that a source's history brings between two ends of the view's own epochs. */
const HISTORY_ROWS = 65_536;
/** Rows of stored inputs between two ends of the view's own epochs. */
const PART_ROWS = 8192;
/** Changed rows that are left for the epoch in which the view appears. */
const REST_ROWS = 4096;
/** Stands for the other splits of a source, wherever they were when a row of one came: it holds the watermark back. */
const OTHER_SPLITS = '*';

export interface BackfillContext {
  readonly control: EpochControl;
  /** Where rows lie on their way. */
  readonly memory: Memory;
  readonly scratch: Scratch;
  /** The relations and sources that the job reads, as they are now. */
  input(id: number): { readonly relation: EngineRelation; readonly feed: SourceFeed | null };
  /** Ends an epoch of the job alone. */
  endEpoch(job: Job): void;
}

interface History {
  readonly feed: SourceFeed;
  readonly taken: HistoryPosition;
  readonly watermark: RelationWatermark;
}

export class Backfill {
  readonly job: Job;
  readonly #context: BackfillContext;
  readonly #stored: readonly EngineRelation[];
  readonly #histories: readonly History[];
  #pin: EpochPin | null = null;
  #slices: Generator<unknown> | null = null;
  #isWaiting = false;
  /** Rows of stored inputs since the last end of an epoch of the job. */
  #partRows = 0;

  /** `createdAt`: relations made in that epoch have no snapshot; their rows come as changes. */
  constructor(job: Job, context: BackfillContext, createdAt: number | null) {
    this.job = job;
    this.#context = context;
    const inputs = job.inputIds.map((id) => context.input(id));
    this.#stored = inputs.flatMap(({ relation }) =>
      relation.stored === null || relation.createdAt === createdAt ? [] : [relation],
    );
    this.#histories = inputs.flatMap(({ feed }) =>
      feed === null ? [] : [{ feed, taken: new Map(), watermark: new RelationWatermark() }],
    );
  }

  /** There is nothing to do until a source's records come; their reader wakes the engine. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Works through a slice; true: what is left fits into one epoch. */
  slice(isOver: () => boolean): boolean {
    this.#slices ??= this.#work();
    this.#isWaiting = false;
    while (!isOver() && !this.#isWaiting) {
      if (this.#slices.next().done === true || this.job.isFailed) return true;
    }
    return false;
  }

  /** All that is left, inside the epoch in which the view appears. */
  finish(): void {
    if (!this.job.isFailed) this.#takeRest();
    this.cancel();
  }

  #takeRest(): void {
    const { control } = this.#context;
    if (this.#pin === null) for (const _ of this.#snapshot(control.published));
    else if (control.published > this.#pin.epoch) {
      for (const _ of this.#changes(this.#pin.epoch, control.published));
    }
    for (const _ of this.#history(true));
  }

  /** Lets go of the snapshot. */
  cancel(): void {
    this.#pin?.release();
    this.#pin = null;
  }

  *#work(): Generator<unknown> {
    const { control } = this.#context;
    this.#pin = control.pin();
    yield* this.#inParts(this.#snapshot(this.#pin.epoch));
    for (;;) {
      let rows = 0;
      for (const count of this.#history(false)) {
        rows += count;
        yield;
      }
      const next = control.pin();
      const before = this.#pin;
      for (const count of this.#inParts(this.#changes(before.epoch, next.epoch))) {
        rows += count;
        yield;
      }
      before.release();
      this.#pin = next;
      this.#endPart();
      if (rows < REST_ROWS) return;
    }
  }

  /** Ends an epoch of the job every so many rows: what operators give out at its end comes in parts, too. */
  *#inParts(counts: Iterable<number>): Generator<number> {
    for (const count of counts) {
      this.#partRows += count;
      if (this.#partRows >= PART_ROWS) this.#endPart();
      yield count;
    }
  }

  #endPart(): void {
    this.#partRows = 0;
    this.#context.endEpoch(this.job);
  }

  *#snapshot(epoch: number): Generator<number> {
    for (const relation of this.#stored) {
      for (const scan of this.job.scansOf(relation.id)) {
        const rows = relation.reader().scan(epoch, scan.node.columnIndexes, this.#context);
        yield* this.#push(rows, (batch) => this.job.pushScan(scan, batch));
      }
    }
  }

  *#changes(from: number, to: number): Generator<number> {
    if (from === to) return;
    for (const relation of this.#stored) {
      for (const scan of this.job.scansOf(relation.id)) {
        const { columnIndexes } = scan.node;
        const rows = relation.reader().changes(from, to, columnIndexes, this.#context);
        yield* this.#push(rows, (batch) => this.job.pushScan(scan, batch));
      }
    }
  }

  /** Hands batches on; gives the rows of each. */
  *#push(batches: Iterable<DeltaBatch>, push: (batch: DeltaBatch) => void): Generator<number> {
    const { scratch } = this.#context;
    const mark = scratch.mark();
    for (const batch of batches) {
      push(batch);
      const { rowCount } = batch;
      scratch.release(mark);
      yield rowCount;
    }
  }

  /** The sources' records, as far as the shared readers have come by now. */
  *#history(isPatient: boolean): Generator<number> {
    const { scratch } = this.#context;
    for (const { feed, taken, watermark } of this.#histories) {
      const { id } = feed.relation;
      const wanted = feed.wantedBy([this.job]);
      if (feed.positions.size > 1) watermark.split(OTHER_SPLITS);
      const mark = scratch.mark();
      let rows = 0;
      for (const chunk of feed.history(wanted, taken, isPatient)) {
        if (chunk === null) {
          this.#isWaiting = true;
          yield 0;
          continue;
        }
        const batch = feed.rows.takeAgain(chunk, wanted, watermark);
        const count = batch?.rowCount ?? 0;
        if (batch !== null) this.job.push(id, batch);
        scratch.release(mark);
        rows += count;
        if (rows >= HISTORY_ROWS) {
          rows = 0;
          watermark.advance();
          this.job.setWatermarks(id, [watermark.current]);
          this.#context.endEpoch(this.job);
        }
        yield count;
      }
    }
  }
}
