/**
 * Buffers that are used again: what is dropped instead counts as external memory until a collection, and a gigabyte of it an
 * instant would keep the collector busy with marking.
 *
 * Records cross to the thread that decodes them in shared buffers, not by transfer: V8 counts a transferred buffer for the
 * thread that has it, and tens of megabytes coming back would each time be a reason to collect.
 */

/** Smaller ones are not worth the way back. */
const POOLED_BYTES_MIN = 64 * 1024;
const POOL_BYTES_MAX = 64 * 1024 * 1024;

/** State: the buffers that nobody uses, by capacity (a power of two), of at most POOL_BYTES_MAX together. */
export class BufferPool<B extends ArrayBuffer | SharedArrayBuffer> {
  readonly #make: (capacity: number) => B;
  readonly #free = new Map<number, B[]>();
  #freeBytes = 0;

  constructor(make: (capacity: number) => B) {
    this.#make = make;
  }

  /** `size` bytes, whatever they hold: of the smallest free buffer that has them. */
  take(size: number): Uint8Array<B> {
    if (size < POOLED_BYTES_MIN) return new Uint8Array(this.#make(size));
    const needed = capacityOf(size);
    for (let capacity = needed; capacity <= POOL_BYTES_MAX; capacity *= 2) {
      const buffer = this.#free.get(capacity)?.pop();
      if (buffer === undefined) continue;
      this.#freeBytes -= capacity;
      return new Uint8Array(buffer, 0, size);
    }
    return new Uint8Array(this.#make(needed), 0, size);
  }

  /** A buffer that `take` gave, perhaps by way of another thread. */
  give(buffer: B): void {
    const { byteLength } = buffer;
    if (!isPooled(buffer) || this.#freeBytes + byteLength > POOL_BYTES_MAX) return;
    this.#freeBytes += byteLength;
    const same = this.#free.get(byteLength);
    if (same === undefined) this.#free.set(byteLength, [buffer]);
    else same.push(buffer);
  }
}

/** Of answers of brokers; they stay in their thread. */
export const answerBuffers = new BufferPool((capacity) => new ArrayBuffer(capacity));
/** Of records on their way to another thread, which sends them back. */
export const recordBuffers = new BufferPool((capacity) => new SharedArrayBuffer(capacity));

/** Whether giving it back is of use. */
export function isPooled({ byteLength }: ArrayBuffer | SharedArrayBuffer): boolean {
  return byteLength >= POOLED_BYTES_MIN && capacityOf(byteLength) === byteLength;
}

/** The next power of two: few sizes, so that one fits the next arrival. */
function capacityOf(size: number): number {
  return 2 ** Math.ceil(Math.log2(size));
}
