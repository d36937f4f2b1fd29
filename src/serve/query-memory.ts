/**
 * Memories that ad-hoc queries run in: each has one for as long as it runs; they are reused, since making one costs more
 * than a small query.
 */

import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';

/** A query's own memory. */
export interface QueryMemory {
  readonly memory: Memory;
  readonly scratch: Scratch;
}

/** Memories kept idle; above it, or above the size, they are left to the collector. */
const IDLE_MAX = 8;
const IDLE_BYTES_MAX = 16 * 2 ** 20;

export class QueryMemoryPool {
  readonly #idle: Memory[] = [];
  readonly #bytesMax: number;

  /** `bytesMax`: what one query may use (--query-memory). */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  acquire(): QueryMemory {
    const memory = this.#idle.pop() ?? Memory.create({ maxBytes: this.#bytesMax });
    return { memory, scratch: new Scratch(memory) };
  }

  release({ memory }: QueryMemory): void {
    if (this.#idle.length >= IDLE_MAX || memory.u8.length > IDLE_BYTES_MAX) return;
    memory.reset();
    this.#idle.push(memory);
  }
}
