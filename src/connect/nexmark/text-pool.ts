/**
 * Texts that generated rows point to instead of having their own: a run of random letters, of which each row takes a piece,
 * and the texts of choices, each made on first use. They are the same for every source and seed, and lie in pages of the
 * memory that are not checkpointed, as long as the memory lives: a batch may outlive its reader.
 *
 * Cost: a text in a row is 16 bytes written, whatever its length. A memory's pool is at most about 1.5 MB.
 */

import type { Memory } from '../../memory/memory.ts';
import { Scratch } from '../../memory/scratch.ts';
import { writeView, writeViewAt } from '../../memory/views.ts';
import { RandomStream } from '../random-stream.ts';
import { type Choice, URL_FIELD } from './fields.ts';

const LETTERS = 1 << 16;
/** How far from the wanted length a run of letters may be. */
const SPREAD = 0.2;

interface Texts {
  readonly scratch: Scratch;
  readonly letters: number;
  /** By name of the field: views of its choices; length 0: not made yet. */
  readonly choices: Map<string, number>;
}

const POOLS = new WeakMap<Memory, TextPool>();

export class TextPool {
  readonly #memory: Memory;
  readonly #random = new RandomStream(0);
  #texts: Texts | null = null;
  #generation = -1;

  private constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** The pool of a memory. */
  static of(memory: Memory): TextPool {
    let pool = POOLS.get(memory);
    if (pool === undefined) {
      pool = new TextPool(memory);
      POOLS.set(memory, pool);
    }
    return pool;
  }

  /** To be called before rows are made: a memory that was reset has lost the texts. */
  renew(): void {
    if (this.#texts !== null && this.#generation === this.#memory.generation) return;
    const scratch = new Scratch(this.#memory);
    const letters = scratch.alloc(LETTERS);
    const random = this.#random;
    random.seek(0, URL_FIELD + 1);
    const { u8 } = this.#memory;
    for (let i = 0; i < LETTERS; i += 1) u8[letters + i] = 97 + random.below(26);
    this.#texts = { scratch, letters, choices: new Map() };
    this.#generation = this.#memory.generation;
  }

  /** Writes a view of about `missing` letters. */
  writeLetters(view: number, missing: number, random: RandomStream): void {
    const spread = Math.round(missing * SPREAD);
    const length = missing - spread + random.below(2 * spread + 1);
    const start = random.below(LETTERS - length);
    writeViewAt(this.#memory, view, this.#texts!.letters + start, length);
  }

  /** Writes the view of a choice's text. */
  writeChoice(view: number, maker: Choice, choice: number): void {
    const known = this.#viewsOf(maker) + 16 * choice;
    let { u32 } = this.#memory;
    if (u32[known >>> 2] === 0) {
      this.#random.seek(choice, URL_FIELD);
      const bytes = Buffer.from(maker.make(choice, this.#random));
      writeView(this.#memory, known, bytes, this.#texts!.scratch);
      u32 = this.#memory.u32;
    }
    const from = known >>> 2;
    const to = view >>> 2;
    u32[to] = u32[from]!;
    u32[to + 1] = u32[from + 1]!;
    u32[to + 2] = u32[from + 2]!;
    u32[to + 3] = u32[from + 3]!;
  }

  #viewsOf(maker: Choice): number {
    const { choices, scratch } = this.#texts!;
    let views = choices.get(maker.name);
    if (views === undefined) {
      views = scratch.allocZeroed(16 * maker.count);
      choices.set(maker.name, views);
    }
    return views;
  }
}
