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
const IDLE_MAX = 16;
const IDLE_BYTES_MAX = 16 * 2 ** 20;

export class QueryMemoryPool {
  readonly #idle: QueryMemory[] = [];
  readonly #bytesMax: number;
  #lentCount = 0;

  /** `bytesMax`: what one query may use (--query-memory). */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Memories that are in use: 0 when no statement runs and no cursor is open. */
  get lentCount(): number {
    return this.#lentCount;
  }

  acquire(): QueryMemory {
    this.#lentCount++;
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const memory = Memory.create({ maxBytes: this.#bytesMax });
    return { memory, scratch: new Scratch(memory) };
  }

  /** O(1) for a query that only used scratch. */
  release(lent: QueryMemory): void {
    this.#lentCount--;
    const { memory, scratch } = lent;
    if (this.#idle.length >= IDLE_MAX || memory.u8.length > IDLE_BYTES_MAX) return;
    if (memory.allocatedBytes !== 0) memory.reset();
    scratch.reset();
    this.#idle.push(lent);
  }
}
