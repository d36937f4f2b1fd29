/**
 * EpochControl: which epochs readers of any thread may see, in a SharedArrayBuffer.
 *
 * Protocol (architecture.md §6). The writer stores rows and stamps, then `publish`es the epoch with one atomic store. A
 * reader puts the published epoch into a free slot, then checks that it is still readable: with sequentially consistent
 * atomics either the reader sees that the oldest readable epoch has moved on and tries again, or the writer's `collect`
 * sees the slot. Memory that only epochs < collect() can see may be freed.
 *
 * Cost: publish O(1), pin O(slots) at worst and O(1) as a rule, collect O(slots that were ever taken at a time).
 */

import { assert } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';

const PUBLISHED = 0;
const OLDEST = 1;
/** Slots from this many on have never been taken. */
const TAKEN = 2;
const SLOTS = 3;
const FREE = 0x7fff_ffff_ffff_ffffn;
const CANCELLED = 0x7fff_ffff_ffff_fffen;
const DEFAULT_SLOTS = 1021;

export class EpochControl {
  readonly shared: SharedArrayBuffer;
  readonly #words: BigInt64Array;
  #nextSlot = 0;

  constructor(shared: SharedArrayBuffer = EpochControl.allocate()) {
    this.shared = shared;
    this.#words = new BigInt64Array(shared);
  }

  /** A new block: nothing published (epoch 0 is readable and empty). */
  static allocate(readerSlots = DEFAULT_SLOTS): SharedArrayBuffer {
    const shared = new SharedArrayBuffer((SLOTS + readerSlots) * 8);
    new BigInt64Array(shared).fill(FREE, SLOTS);
    return shared;
  }

  /** The newest epoch that may be read. */
  get published(): number {
    return Number(Atomics.load(this.#words, PUBLISHED));
  }

  /** The oldest epoch that may still be pinned. */
  get oldestReadable(): number {
    return Number(Atomics.load(this.#words, OLDEST));
  }

  /** Snapshots that readers of any thread hold. O(slots): for tests and metrics. */
  get pinCount(): number {
    return this.#words.subarray(SLOTS).reduce((n, word) => n + (word === FREE ? 0 : 1), 0);
  }

  /** Writer only: makes `epoch` the newest readable one. Epochs only grow. */
  publish(epoch: number): void {
    assert(epoch > this.published, `epoch ${epoch} was published already`);
    Atomics.store(this.#words, PUBLISHED, BigInt(epoch));
  }

  /** Writer only, before any reader exists: continues at `epoch` after a recovery. */
  restore(epoch: number): void {
    Atomics.store(this.#words, OLDEST, BigInt(epoch));
    Atomics.store(this.#words, PUBLISHED, BigInt(epoch));
  }

  /** Writer only: no present or future reader has an epoch below the result. */
  collect(): number {
    const wanted = this.#smallest(Atomics.load(this.#words, PUBLISHED));
    if (wanted > Atomics.load(this.#words, OLDEST)) Atomics.store(this.#words, OLDEST, wanted);
    return Number(this.#smallest(wanted));
  }

  /** Pins `epoch`, or the newest one: what it sees stays in place until `release`. */
  pin(epoch?: number): EpochPin {
    if (epoch !== undefined && (epoch > this.published || epoch < this.oldestReadable)) {
      throw this.#unreadable(epoch);
    }
    for (;;) {
      const wanted = epoch === undefined ? Atomics.load(this.#words, PUBLISHED) : BigInt(epoch);
      const slot = this.#takeSlot(wanted);
      if (Atomics.load(this.#words, OLDEST) <= wanted) {
        return new EpochPin(this.#words, slot, Number(wanted));
      }
      Atomics.store(this.#words, slot, FREE);
      if (epoch !== undefined) throw this.#unreadable(epoch);
    }
  }

  /** Writer only: pins below `epoch` are taken away; their readers get 72000 at their next check. */
  cancelBefore(epoch: number): void {
    const limit = BigInt(epoch);
    for (let slot = SLOTS; slot < this.#words.length; slot++) {
      const pinned = Atomics.load(this.#words, slot);
      if (pinned < limit) Atomics.compareExchange(this.#words, slot, pinned, CANCELLED);
    }
  }

  #smallest(bound: bigint): bigint {
    let smallest = bound;
    const end = SLOTS + Number(Atomics.load(this.#words, TAKEN));
    for (let slot = SLOTS; slot < end; slot++) {
      const pinned = Atomics.load(this.#words, slot);
      if (pinned < smallest) smallest = pinned;
    }
    return smallest;
  }

  #takeSlot(epoch: bigint): number {
    const count = this.#words.length - SLOTS;
    for (let tried = 0; tried < count; tried++) {
      const slot = SLOTS + ((this.#nextSlot + tried) % count);
      this.#noteTaken(BigInt(slot - SLOTS + 1));
      if (Atomics.compareExchange(this.#words, slot, FREE, epoch) === FREE) {
        this.#nextSlot = slot - SLOTS;
        return slot;
      }
    }
    throw new SqlError('53400', 'too many snapshots are open', {
      hint: `At most ${count} snapshots can be read at the same time.`,
    });
  }

  /** Before a slot is taken: the writer's next look goes as far as it. */
  #noteTaken(count: bigint): void {
    for (let seen = Atomics.load(this.#words, TAKEN); seen < count; ) {
      seen = Atomics.compareExchange(this.#words, TAKEN, seen, count);
    }
  }

  #unreadable(epoch: number): SqlError {
    return new SqlError('22023', `epoch ${epoch} cannot be read`, {
      hint: `Readable epochs are ${this.oldestReadable} to ${this.published}.`,
    });
  }
}

/** A snapshot that a reader holds; `release` when done, always. */
export class EpochPin {
  readonly epoch: number;
  readonly #words: BigInt64Array;
  readonly #slot: number;
  #isReleased = false;

  constructor(words: BigInt64Array, slot: number, epoch: number) {
    this.#words = words;
    this.#slot = slot;
    this.epoch = epoch;
  }

  /** Throws 72000 where the snapshot was taken away. Call it after each batch that was copied out. */
  check(): void {
    if (this.#isReleased || Atomics.load(this.#words, this.#slot) === CANCELLED) {
      throw new SqlError('72000', 'snapshot too old');
    }
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    Atomics.store(this.#words, this.#slot, FREE);
  }
}
