/**
 * RetiredBlocks: memory that readers of an older epoch may still be in, kept in a list inside the memory itself, so that
 * nothing leaks over a checkpoint. A block retired while epoch p was the newest is freed once no reader can have pinned p.
 *
 * Cost: retire O(1), freeBelow O(list).
 */

import type { Memory } from '../memory/memory.ts';

const NODE_BYTES = 24;
const KIND_BLOCK = 0;
const KIND_SEGMENT = 1;

export class RetiredBlocks {
  readonly #memory: Memory;
  readonly #rootWord: number;
  readonly #freeSegment: (slot: number) => void;

  /** `rootWord`: the u32 word that holds the list. */
  constructor(memory: Memory, rootWord: number, freeSegment: (slot: number) => void) {
    this.#memory = memory;
    this.#rootWord = rootWord;
    this.#freeSegment = freeSegment;
  }

  get isEmpty(): boolean {
    return this.#memory.u32[this.#rootWord] === 0;
  }

  retireBlock(address: number, size: number, published: number): void {
    this.#push(KIND_BLOCK, address, size, published);
  }

  retireSegment(slot: number, published: number): void {
    this.#push(KIND_SEGMENT, slot, 0, published);
  }

  /** Frees what was retired before epoch `limit` became the oldest that anybody reads. */
  freeBelow(limit: number): void {
    let link = this.#rootWord;
    for (;;) {
      const words = this.#memory.u32;
      const node = words[link]!;
      if (node === 0) return;
      const at = node >>> 2;
      if (this.#memory.f64[(node >>> 3) + 2]! >= limit) {
        link = at;
        continue;
      }
      words[link] = words[at]!;
      const [kind, target, size] = [words[at + 1]!, words[at + 2]!, words[at + 3]!];
      this.#memory.free(node, NODE_BYTES);
      if (kind === KIND_BLOCK) this.#memory.free(target, size);
      else this.#freeSegment(target);
    }
  }

  #push(kind: number, target: number, size: number, published: number): void {
    const node = this.#memory.alloc(NODE_BYTES);
    const words = this.#memory.u32;
    words.set([words[this.#rootWord]!, kind, target, size], node >>> 2);
    this.#memory.f64[(node >>> 3) + 2] = published;
    words[this.#rootWord] = node;
  }
}
