/**
 * SinkOutput: what a sink sends: its consolidated change, retractions before inserts, in canonical order, once the manifest of
 * the epoch is durable (semantics.md rule 30).
 *
 * A sink sends the change of each epoch. What it cannot send yet is held back, as one net change, and goes out with a later
 * epoch: while an EMIT PERIODIC sink's period lasts (rule 22), while the outside takes nothing (its disk or spool is full), and
 * while the dataflow is stalled (several rows of one key: rule 31). When a period is over, follows from the epochs' instants alone.
 * Letters of a source hold up nothing: what finds no room any more is not sent at all.
 *
 * Correctness of what is held: it is part of a checkpoint (`heldMemory`, `sentUs`). Whatever was delivered as epoch n held
 * every change up to n: a recovery drops what it replays up to n, and what the checkpoint held back where n is not before it.
 * Changes wait in memory from the epoch that sends them to their delivery; a checkpoint is taken only when none waits.
 *
 * A large change (the snapshot of a new sink) goes out a part at a time, so that the dataflow goes on meanwhile; what comes
 * until it is through is held back. So is what comes while a checkpoint waits for that.
 */

import { SqlError } from '../base/sql-error.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { SinkWriter } from '../connect/sink.ts';
import { Memory } from '../memory/memory.ts';
import type { DataType } from '../types/data-type.ts';
import type { Connectors } from './feed-context.ts';
import { NetChanges } from './net-changes.ts';
import type { Json, SinkStatus } from './port.ts';
import { absoluteWeight } from './rows.ts';

interface PendingEpoch {
  readonly epoch: number;
  readonly nowUs: bigint;
  readonly rows: NetChanges;
  /** It holds what there was when the sink was made. */
  readonly isSnapshot: boolean;
}

/** What a sink starts with. */
export interface SinkStart {
  /** No later epoch was given away. */
  readonly lastEpoch: number;
  /** Of the checkpoint, or of its creation. */
  readonly epoch: number;
  /** EMIT PERIODIC; null: every epoch is sent. */
  readonly periodUs: bigint | null;
  /** What was held back at the checkpoint; an empty memory for a new sink. */
  readonly memory: Memory;
  /** The instant of the epoch that was sent last; 0: none. */
  readonly sentUs: bigint;
  /** More than this is not held back while the outside takes nothing: the input has to wait, or what is held is dropped. */
  readonly heldBytesMax: number;
  readonly mayDrop: boolean;
}

/** More epochs than this do not wait for their delivery: the input has to. */
const PENDING_MAX = 64;
/** What is empty and larger than this is not kept for the next epochs. */
const FREE_BYTES_MAX = 64 * 2 ** 20;

export class SinkOutput {
  /** Why the dataflow keeps what it has for now (Operator.stall), as of the epoch that ends; null: it does not. */
  stall: string | null = null;
  /** A checkpoint waits for what goes out: what comes is held back until it is taken. */
  isDraining = false;
  readonly #writer: SinkWriter;
  readonly #types: readonly DataType[];
  readonly #periodUs: bigint | null;
  /** 0: there is none. */
  #ignoredEpoch = 0;
  /** What there was when the sink was made has not gone out. */
  #isSnapshotDue = false;
  /** null: nothing is kept or written (blackhole). */
  readonly #held: NetChanges | null;
  readonly #memory: Memory | null;
  readonly #heldBytesMax: number;
  readonly #mayDrop: boolean;
  #free: NetChanges[] = [];
  /** Epochs up to here are delivered already: a replay gives them again. */
  readonly #deliveredThrough: number;
  #current: NetChanges | null = null;
  #pending: PendingEpoch[] = [];
  /** Of the first of those that wait: what has not gone out yet. null: nothing has. */
  #writing: { readonly batches: Generator<DeltaBatch | null>; rowCount: number } | null = null;
  #failure: string | null = null;
  #rowsSent = 0;
  #rowsDropped = 0;
  #sentUs = 0n;
  /** Epochs up to here may go out. */
  #durable = 0;
  /** The epoch that ended last. */
  #ended = { epoch: 0, nowUs: 0n };

  /** `start` null: what is added is counted and dropped. */
  constructor(writer: SinkWriter, types: readonly DataType[], start: SinkStart | null) {
    this.#writer = writer;
    this.#types = types;
    this.#periodUs = start?.periodUs ?? null;
    this.#memory = start?.memory ?? null;
    this.#heldBytesMax = start?.heldBytesMax ?? 0;
    this.#mayDrop = start?.mayDrop ?? false;
    this.#sentUs = start?.sentUs ?? 0n;
    this.#held = start === null ? null : new NetChanges(types, start.memory);
    this.#deliveredThrough = writer.begin(start?.lastEpoch ?? Number.MAX_SAFE_INTEGER);
    if (start !== null && this.#deliveredThrough >= start.epoch) this.#held?.clear();
  }

  /** Why nothing goes out; null: nothing is wrong. */
  get failure(): string | null {
    return this.stall ?? this.#outsideFailure;
  }

  /** Why the outside takes nothing; null: nothing is wrong. */
  get #outsideFailure(): string | null {
    return this.#failure ?? this.#writer.refusal ?? null;
  }

  /** Epochs that wait for their delivery. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  /** Something waits for the outside, or may go out at the next `deliver`. */
  get isWaiting(): boolean {
    return !this.isWriting && (this.#pending.length > 0 || this.#isStuck || this.#mayGo);
  }

  /** What is held back waits for nothing any more. */
  get #mayGo(): boolean {
    if (this.#heldRows === 0 || this.isDraining) return false;
    return this.#periodUs === null && this.failure === null;
  }

  /** A part of an epoch has gone out, and `advance` has more to do. */
  get isWriting(): boolean {
    return this.#writing !== null;
  }

  /** Epochs have to become durable for it: of letters, which are rare, those that have some. */
  get needsEpochs(): boolean {
    return !this.#mayDrop || this.isWaiting || this.isWriting;
  }

  /** The input has to wait for it. */
  get isFull(): boolean {
    if (this.#pending.length > PENDING_MAX) return true;
    const isHolding = this.isWriting || (this.#isStuck && !this.#mayDrop);
    return isHolding && this.#holdsTooMuch;
  }

  get #holdsTooMuch(): boolean {
    return this.#memory!.allocatedBytes > this.#heldBytesMax;
  }

  /** Rows that will never be sent, since the server started. */
  get rowsDropped(): number {
    return this.#rowsDropped;
  }

  /** What is held back waits for the outside alone. */
  get #isStuck(): boolean {
    return this.stall === null && this.#outsideFailure !== null && this.#heldRows > 0;
  }

  /** What it holds back; null: it never does. */
  get heldMemory(): Memory | null {
    return this.#memory;
  }

  /** The instant of the epoch that was sent last. */
  get sentUs(): bigint {
    return this.#sentUs;
  }

  /** When what is held back is due; null: nothing is. */
  nextTimerUs(): bigint | null {
    if (this.#periodUs === null || this.#heldRows === 0 || this.failure !== null) return null;
    return this.#sentUs + this.#periodUs;
  }

  /** The change of this epoch is what there was when the sink was made. */
  snapshot(epoch: number): void {
    this.#isSnapshotDue = epoch > this.#deliveredThrough;
  }

  /** The change of this epoch is not sent. */
  ignore(epoch: number): void {
    this.#ignoredEpoch = epoch;
  }

  /** Takes a part of the running epoch's change. */
  add(batch: DeltaBatch, epoch: number): void {
    if (this.#held === null) this.#rowsSent += absoluteWeight(batch);
    else if (epoch > this.#deliveredThrough && epoch !== this.#ignoredEpoch) {
      this.#current ??= this.#empty();
      this.#current.add(batch);
    }
  }

  #empty(): NetChanges {
    return this.#free.pop() ?? new NetChanges(this.#types, Memory.create());
  }

  /** The running epoch has ended. */
  endEpoch(epoch: number, nowUs: bigint): void {
    if (epoch === this.#deliveredThrough) this.#sentUs = nowUs;
    if (this.#held === null || epoch <= this.#deliveredThrough) return;
    this.#ended = { epoch, nowUs };
    const isDue = this.#periodUs === null || nowUs >= this.#sentUs + this.#periodUs;
    const mayGo = this.failure === null && !this.isWriting && !this.isDraining;
    if (isDue && mayGo) this.#release(this.#held);
    else if (this.#current !== null) {
      this.#move(this.#current, this.#held);
      this.#current = null;
      if (this.#mayDrop && this.#isStuck && this.#holdsTooMuch) this.#drop(this.#held);
    }
    // A snapshot without rows is over; one that the dataflow keeps is not.
    if (this.#heldRows === 0 && this.stall === null) this.#isSnapshotDue = false;
  }

  #drop(held: NetChanges): void {
    this.#rowsDropped += held.rowCount;
    held.clear();
  }

  /** All that is not sent becomes the change of the epoch that ended last. */
  #release(held: NetChanges): void {
    if (held.rowCount > 0) {
      // Later changes behind earlier ones: they are netted anyway.
      const rows = this.#current ?? this.#empty();
      for (const batch of held.batches()) {
        rows.add(batch);
        this.#current = rows;
      }
      held.clear();
      if (this.#current === null) this.#keep(rows);
    }
    if (this.#current === null) return;
    this.#pending.push({ ...this.#ended, rows: this.#current, isSnapshot: this.#isSnapshotDue });
    this.#isSnapshotDue = false;
    this.#sentUs = this.#ended.nowUs;
    this.#current = null;
  }

  #move(from: NetChanges, to: NetChanges): void {
    for (const batch of from.batches()) to.add(batch);
    from.clear();
    this.#keep(from);
  }

  /** For the next epochs; what a large one took is given back. */
  #keep(empty: NetChanges): void {
    if (empty.memoryBytes <= FREE_BYTES_MAX) this.#free.push(empty);
  }

  /**
   * The epochs up to `durable` go out, until `isOver`. Where the outside takes nothing, they are held back and tried again at
   * later calls.
   */
  deliver(durable: number, isOver: () => boolean): void {
    if (this.#held === null) return;
    this.#durable = Math.max(this.#durable, durable);
    for (;;) {
      this.#retry(this.#held, durable);
      const next = this.#pending[0];
      if (next === undefined || next.epoch > durable) return;
      if (!this.#write(next, this.#held, isOver)) return;
    }
  }

  /** Goes on with the epoch of which a part has gone out, until `isOver`. */
  advance(isOver: () => boolean): void {
    if (this.isWriting) this.deliver(this.#durable, isOver);
  }

  /** Gives the first epoch to the writer; false: a part of it only, or the outside does not take it. */
  #write(next: PendingEpoch, held: NetChanges, isOver: () => boolean): boolean {
    try {
      if (!this.#writeUntil(next, isOver)) return false;
      this.#writer.commit(next.epoch);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      this.#failure = error.message;
      this.#writing?.batches.return(undefined);
      this.#writing = null;
      for (const { rows, isSnapshot } of this.#pending) {
        this.#move(rows, held);
        this.#isSnapshotDue ||= isSnapshot;
      }
      this.#pending = [];
      return false;
    }
    this.#rowsSent += this.#writing?.rowCount ?? 0;
    this.#writing = null;
    this.#failure = null;
    this.#pending.shift();
    next.rows.clear();
    this.#keep(next.rows);
    return true;
  }

  /** true: all of it is written. */
  #writeUntil({ epoch, nowUs, rows, isSnapshot }: PendingEpoch, isOver: () => boolean): boolean {
    if (this.#writing === null && isSnapshot) this.#writer.beginSnapshot?.(epoch);
    const writing = this.#writing ?? { batches: rows.inOrder(), rowCount: 0 };
    this.#writing = writing;
    const { batches } = writing;
    for (let step = batches.next(); step.done !== true; step = batches.next()) {
      if (step.value !== null) {
        this.#writer.write(epoch, nowUs, step.value);
        writing.rowCount += absoluteWeight(step.value);
      }
      if (isOver()) return false;
    }
    return true;
  }

  /** What was held back because the outside took nothing may go out as soon as it is durable, and there is hope. */
  #retry(held: NetChanges, durable: number): void {
    const { epoch } = this.#ended;
    if (this.#pending.length > 0 || this.#heldRows === 0 || epoch > durable) return;
    if (this.stall !== null || this.isDraining) return;
    if ((this.#writer.refusal ?? null) !== null) return;
    if (this.#failure !== null || this.#periodUs === null) this.#release(held);
  }

  get #heldRows(): number {
    return this.#held?.rowCount ?? 0;
  }

  status(): SinkStatus {
    return {
      rowsSent: this.#rowsSent,
      pendingEpochs: this.#pending.length,
      pendingRows: this.#pending.reduce((sum, { rows }) => sum + rows.rowCount, 0),
      heldRows: this.#heldRows,
      rowsDropped: this.#rowsDropped,
      delivery: this.#writer.delivery?.() ?? null,
    };
  }

  /** The options that it was opened with hold other secrets now. */
  reconnect(connectors: Connectors, checked: Json): void {
    connectors.reconnectSink(this.#writer, checked);
  }

  /** What was taken survives the loss of power. */
  sync(): void {
    this.#writer.sync?.();
  }

  close(): void {
    this.#writer.close();
  }

  /** After `close`: it was dropped for good. */
  remove(): void {
    this.#writer.remove?.();
  }
}
