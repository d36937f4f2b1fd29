/**
 * A first-in-first-out queue with a bound in rows and in bytes: the only kind of queue between
 * producers and consumers. A full queue makes its producer wait, and the time waited is counted, so
 * that backpressure shows in the metrics.
 *
 * tryPush, shift, peek: O(1) amortised. One item larger than the bound is taken when the queue is
 * empty: a bound never makes progress impossible.
 */

import { assert } from './assert.ts';
import type { Clock } from './clock.ts';

export interface QueueBounds {
  readonly rowsMax: number;
  readonly bytesMax: number;
}

interface Entry<T> {
  readonly item: T;
  readonly rows: number;
  readonly bytes: number;
}

const COMPACT_MIN = 64;

export class BoundedQueue<T> {
  readonly bounds: QueueBounds;
  readonly #clock: Clock;
  #entries: (Entry<T> | undefined)[] = [];
  #head = 0;
  #rows = 0;
  #bytes = 0;
  #blockedUs = 0n;
  #isClosed = false;
  #spaceWaiters: (() => void)[] = [];
  #itemWaiters: (() => void)[] = [];

  constructor(bounds: QueueBounds, clock: Clock) {
    assert(bounds.rowsMax > 0 && bounds.bytesMax > 0, 'a queue has room for something');
    this.bounds = bounds;
    this.#clock = clock;
  }

  get count(): number {
    return this.#entries.length - this.#head;
  }

  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Microseconds that producers have waited in `push`, in all. */
  get blockedUs(): bigint {
    return this.#blockedUs;
  }

  /** Whether an item of this size would be taken now. */
  hasRoom(rows: number, bytes: number): boolean {
    if (this.count === 0) return true;
    return this.#rows + rows <= this.bounds.rowsMax && this.#bytes + bytes <= this.bounds.bytesMax;
  }

  /** Takes the item, or says false and leaves the queue as it was. A closed queue takes nothing. */
  tryPush(item: T, rows: number, bytes: number): boolean {
    if (this.#isClosed || !this.hasRoom(rows, bytes)) return false;
    this.#entries.push({ item, rows, bytes });
    this.#rows += rows;
    this.#bytes += bytes;
    this.#itemWaiters.shift()?.();
    return true;
  }

  /** Takes the item once there is room; false if the queue was closed instead. */
  async push(item: T, rows: number, bytes: number): Promise<boolean> {
    if (this.tryPush(item, rows, bytes)) return true;
    const startUs = this.#clock.monotonicUs();
    while (!this.#isClosed) {
      await new Promise<void>((resolve) => this.#spaceWaiters.push(resolve));
      if (this.tryPush(item, rows, bytes)) break;
    }
    this.#blockedUs += this.#clock.monotonicUs() - startUs;
    return !this.#isClosed;
  }

  peek(): T | undefined {
    return this.#entries[this.#head]?.item;
  }

  /** The oldest item; undefined when empty. */
  shift(): T | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#entries[this.#head++] = undefined;
    this.#rows -= entry.rows;
    this.#bytes -= entry.bytes;
    this.#compact();
    this.#wakeProducers();
    return entry.item;
  }

  /**
   * The oldest item, waited for; undefined once the queue is closed and empty. One waiter takes one
   * item.
   */
  async take(): Promise<T | undefined> {
    while (this.count === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#itemWaiters.push(resolve));
    }
    return this.shift();
  }

  /** No more items: waiting producers get false, consumers get what is left and then undefined. */
  close(): void {
    this.#isClosed = true;
    this.#wakeProducers();
    const waiters = this.#itemWaiters;
    this.#itemWaiters = [];
    for (const wake of waiters) wake();
  }

  #wakeProducers(): void {
    if (this.#spaceWaiters.length === 0) return;
    const waiters = this.#spaceWaiters;
    this.#spaceWaiters = [];
    for (const wake of waiters) wake();
  }

  #compact(): void {
    if (this.#head < COMPACT_MIN || this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}
