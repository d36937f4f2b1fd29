/** SinkOutputs: the sinks that there are, and those that were dropped while what they kept is still there. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import type { SinkState } from './engine-state.ts';
import type { OutputStatus } from './port.ts';
import type { SinkOutput } from './sink-output.ts';

/** How long sinks are given their changes at once, all together. */
const US_MAX = 4000n;
/** How long a checkpoint waits for sinks. */
const DRAIN_US_MAX = 60_000_000n;

interface SinkOutputsContext {
  readonly clock: Clock;
  /** `advance` has something to do. */
  wake(): void;
  log(level: 'info' | 'error', text: string): void;
}

export class SinkOutputs {
  readonly #context: SinkOutputsContext;
  readonly #sinks = new Map<number, SinkOutput>();
  #dropped: { readonly epoch: number; readonly sink: SinkOutput }[] = [];

  constructor(context: SinkOutputsContext) {
    this.#context = context;
  }

  get(id: number): SinkOutput | undefined {
    return this.#sinks.get(id);
  }

  set(id: number, sink: SinkOutput): void {
    this.#sinks.set(id, sink);
  }

  /** It sends no more; `epoch`: of the DROP. */
  drop(id: number, epoch: number): void {
    const sink = this.#sinks.get(id);
    if (sink === undefined) return;
    sink.close();
    this.#sinks.delete(id);
    this.#dropped.push({ epoch, sink });
  }

  /** It never came to be. */
  discard(id: number): void {
    const sink = this.#sinks.get(id);
    sink?.close();
    sink?.remove();
    this.#sinks.delete(id);
  }

  /** Whether `deliver` may have anything to do, so that epochs have to become durable. */
  get hasWork(): boolean {
    return this.#dropped.length > 0 || this.#some(({ needsEpochs }) => needsEpochs);
  }

  /** Whether one has so much to send that no more input may come. */
  get areFull(): boolean {
    return this.#some(({ isFull }) => isFull);
  }

  /** Whether one has epochs that it does not hold back, and has not given away. A checkpoint does not hold those. */
  get hasPending(): boolean {
    return this.#some(({ pendingCount }) => pendingCount > 0);
  }

  /** Whether one has something that its outside does not take for now. */
  get doWait(): boolean {
    return this.#some(({ isWaiting }) => isWaiting);
  }

  #some(test: (sink: SinkOutput) => boolean): boolean {
    for (const sink of this.#sinks.values()) if (test(sink)) return true;
    return false;
  }

  add(id: number, batch: DeltaBatch, epoch: number): void {
    this.#sinks.get(id)?.add(batch, epoch);
  }

  /** Why the dataflow of a sink, if it is one, keeps what it has for now; null: it does not. */
  noteStall(id: number, name: string, stall: string | null): void {
    const sink = this.#sinks.get(id);
    if (sink === undefined) return;
    if (stall !== null && sink.stall === null) {
      this.#context.log('error', `sink ${name} sends nothing: ${stall}`);
    } else if (stall === null && sink.stall !== null) {
      this.#context.log('info', `sink ${name} goes on`);
    }
    sink.stall = stall;
  }

  /** The running epoch has ended for this sink, if it is one. */
  endEpoch(id: number, name: string, epoch: number, nowUs: bigint): void {
    const sink = this.#sinks.get(id);
    if (sink === undefined) return;
    const before = sink.rowsDropped;
    sink.endEpoch(epoch, nowUs);
    const dropped = sink.rowsDropped - before;
    if (dropped === 0) return;
    const what = `${dropped} dead letters of source ${name} are not sent, for want of room`;
    this.#context.log('error', `${what}: only millrace.dead_letters has them`);
  }

  /**
   * Epochs up to `durable` may leave, large ones a part at a time. What dropped sinks kept goes once nobody can need it: their
   * DROP is durable.
   */
  deliver(durable: number): void {
    this.#deliver(durable, this.#timeIsUp());
  }

  /** In a recovery: whole epochs, because those that went out one by one must not go out together now. */
  deliverWhole(durable: number): void {
    this.#deliver(durable, () => false);
  }

  #deliver(durable: number, isOver: () => boolean): void {
    for (const sink of this.#sinks.values()) sink.deliver(durable, isOver);
    this.#goOn();
    for (const { epoch, sink } of this.#dropped) if (epoch <= durable) sink.remove();
    this.#dropped = this.#dropped.filter(({ epoch }) => epoch > durable);
  }

  /** Sinks that are amid an epoch go on. */
  advance(): void {
    const isOver = this.#timeIsUp();
    for (const sink of this.#sinks.values()) sink.advance(isOver);
    this.#goOn();
  }

  #goOn(): void {
    if (this.#areWriting) this.#context.wake();
  }

  get #areWriting(): boolean {
    return this.#some(({ isWriting }) => isWriting);
  }

  /**
   * Runs `work` (a checkpoint) when no epoch waits for its delivery, and what was taken survives the loss of power; what comes
   * until then is held back. null: it takes too long. `epoch`: the newest, which `sync` makes durable.
   */
  async whenDrained<T>(
    epoch: () => number,
    sync: () => void,
    work: () => Promise<T>,
  ): Promise<T | null> {
    const { clock } = this.#context;
    const endUs = clock.monotonicUs() + DRAIN_US_MAX;
    let done: Promise<T>;
    try {
      while (!this.#drain(epoch(), sync)) {
        if (clock.monotonicUs() >= endUs) return null;
        await nextTurn();
      }
      for (const sink of this.#sinks.values()) sink.sync();
      done = work();
    } finally {
      for (const sink of this.#sinks.values()) sink.isDraining = false;
      if (this.doWait) this.#context.wake();
    }
    return await done;
  }

  /** true: nothing waits for its delivery. */
  #drain(epoch: number, sync: () => void): boolean {
    for (const sink of this.#sinks.values()) sink.isDraining = true;
    this.advance();
    if (this.#areWriting) return false;
    sync();
    this.deliver(epoch);
    return !this.hasPending;
  }

  /** The instants at which something that is held back is due. */
  timersUs(): bigint[] {
    return [...this.#sinks.values()].flatMap((sink) => sink.nextTimerUs() ?? []);
  }

  state(): SinkState[] {
    return this.#keeping().map(([id, { sentUs }]) => ({ id, sentUs: String(sentUs) }));
  }

  /** What a checkpoint holds of them. */
  memories(): [number, Memory][] {
    return this.#keeping().map(([id, { heldMemory }]) => [id, heldMemory!]);
  }

  #keeping(): [number, SinkOutput][] {
    return [...this.#sinks].filter(([, { heldMemory }]) => heldMemory !== null);
  }

  /** What is wrong with a sink that runs; nothing where all is well. */
  trouble(id: number): Partial<Pick<OutputStatus, 'state' | 'error'>> {
    const sink = this.#sinks.get(id);
    const delivery = sink?.status().delivery ?? null;
    if (delivery !== null && delivery.error !== null) {
      return { state: delivery.state, error: delivery.error };
    }
    const failure = sink?.failure ?? null;
    return failure === null ? {} : { state: 'failed', error: failure };
  }

  /** null: there is no such sink. */
  status(id: number): OutputStatus | null {
    const sink = this.#sinks.get(id);
    if (sink === undefined) return null;
    return { state: 'running', error: null, ...this.trouble(id), ...sink.status() };
  }

  #timeIsUp(): () => boolean {
    const endUs = this.#context.clock.monotonicUs() + US_MAX;
    return () => this.#context.clock.monotonicUs() >= endUs;
  }

  close(): void {
    for (const sink of this.#sinks.values()) sink.close();
  }
}
