/**
 * Scratch: a bump arena for what lives no longer than a batch or an epoch. It lies in pages of the same memory as the state
 * (kernels have one memory), which checkpoints skip. A thread's scratch is its own.
 *
 * Cost: alloc, mark and release O(1); a new chunk when the present one is full.
 */

import { assert } from '../base/assert.ts';
import { type Memory, PAGE_BYTES } from './memory.ts';

const CHUNK_BYTES = 1 << 20;
const CHUNKS_KEPT = 16;

export interface ScratchOptions {
  /** Size of a chunk; a larger request gets a chunk of its own. */
  readonly chunkBytes?: number;
}

export class Scratch {
  readonly memory: Memory;
  readonly #chunkBytes: number;
  readonly #starts: number[] = [];
  readonly #sizes: number[] = [];
  #current = 0;
  #offset = 0;
  #generation: number;

  constructor(memory: Memory, options: ScratchOptions = {}) {
    this.memory = memory;
    const size = options.chunkBytes ?? CHUNK_BYTES;
    this.#chunkBytes = Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
    this.#generation = memory.generation;
    this.#addChunk(this.#chunkBytes);
  }

  /** A block of `size` bytes, 16-byte aligned, content undefined, until a mark taken before is released. */
  alloc(size: number): number {
    const bytes = (size + 15) & ~15;
    const address = this.#starts[this.#current]! + this.#offset;
    if (this.#offset + bytes <= this.#sizes[this.#current]!) {
      this.#offset += bytes;
      return address;
    }
    return this.#allocInNext(bytes);
  }

  allocZeroed(size: number): number {
    const address = this.alloc(size);
    this.memory.u8.fill(0, address, address + size);
    return address;
  }

  /** The present position: give it to `release`. */
  mark(): number {
    return this.#current * 0x1_0000_0000 + this.#offset;
  }

  /** Frees all blocks made since `mark`. */
  release(mark: number): void {
    const chunk = Math.floor(mark / 0x1_0000_0000);
    const offset = mark % 0x1_0000_0000;
    assert(
      chunk < this.#current || (chunk === this.#current && offset <= this.#offset),
      'release of a mark that was released before',
    );
    this.#current = chunk;
    this.#offset = offset;
    while (this.#starts.length > Math.max(CHUNKS_KEPT, chunk + 1)) this.#dropChunk();
  }

  /** Frees all: the arena is as new. Also after Memory.reset(), which takes its pages away. */
  reset(): void {
    if (this.#generation === this.memory.generation) {
      this.release(0);
      return;
    }
    this.#generation = this.memory.generation;
    this.#starts.length = 0;
    this.#sizes.length = 0;
    this.#current = 0;
    this.#offset = 0;
    this.#addChunk(this.#chunkBytes);
  }

  get bytes(): number {
    return this.#sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Gives the pages back: the arena must not be used any more. */
  destroy(): void {
    while (this.#starts.length > 0) this.#dropChunk();
  }

  #allocInNext(bytes: number): number {
    const next = this.#current + 1;
    if (next < this.#starts.length && this.#sizes[next]! < bytes) {
      while (this.#starts.length > next) this.#dropChunk();
    }
    if (next === this.#starts.length) this.#addChunk(Math.max(this.#chunkBytes, bytes));
    this.#current = next;
    this.#offset = bytes;
    return this.#starts[next]!;
  }

  #addChunk(bytes: number): void {
    const size = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
    this.#starts.push(this.memory.allocScratch(size));
    this.#sizes.push(size);
  }

  #dropChunk(): void {
    this.memory.freeScratch(this.#starts.pop()!, this.#sizes.pop()!);
  }
}
