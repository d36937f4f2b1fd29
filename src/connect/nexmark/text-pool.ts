/**
 * Texts that generated rows point to instead of having their own: a run of random letters, of which each row takes a piece,
 * and the texts of choices, each made on first use. They lie in pages that are not checkpointed, as long as the reader lives.
 *
 * Cost: a text in a row is 16 bytes written, whatever its length.
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
  /** Views of each choice's texts; length 0: not made yet. */
  readonly choices: Map<Choice, number>;
}

export class TextPool {
  readonly #memory: Memory;
  readonly #seed: number;
  #texts: Texts | null = null;
  #generation = -1;

  constructor(memory: Memory, seed: number) {
    this.#memory = memory;
    this.#seed = seed;
  }

  /** To be called before rows are made: a memory that was reset has lost the texts. */
  renew(): void {
    if (this.#texts !== null && this.#generation === this.#memory.generation) return;
    const scratch = new Scratch(this.#memory);
    const letters = scratch.alloc(LETTERS);
    const random = new RandomStream(this.#seed);
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
  writeChoice(view: number, maker: Choice, choice: number, random: RandomStream): void {
    const known = this.#viewsOf(maker) + 16 * choice;
    let { u32 } = this.#memory;
    if (u32[known >>> 2] === 0) {
      random.seek(choice, URL_FIELD);
      const bytes = Buffer.from(maker.make(choice, random));
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

  destroy(): void {
    if (this.#generation === this.#memory.generation) this.#texts?.scratch.destroy();
    this.#texts = null;
  }

  #viewsOf(maker: Choice): number {
    const { choices, scratch } = this.#texts!;
    let views = choices.get(maker);
    if (views === undefined) {
      views = scratch.allocZeroed(16 * maker.count);
      choices.set(maker, views);
    }
    return views;
  }
}
