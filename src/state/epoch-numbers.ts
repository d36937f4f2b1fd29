/**
 * EpochNumbers: hands out epoch numbers that were durably reserved before (semantics.md rule 3): a number never has two
 * contents, also where a power loss took epochs that readers had already seen.
 *
 * Cost: next O(1); a reservation (one append and fdatasync) every 2^14 epochs.
 */

import type { InputLog } from './input-log.ts';
import { encodeLogEntry } from './manifest.ts';

/** Small, since every start takes a new one and numbers are u32 where rows are stamped. */
const BLOCK = 2 ** 14;

export class EpochNumbers {
  readonly #log: InputLog | null;
  #next: number;
  #through: number;

  /** `reservedThrough`: the highest number that may have been used before (0: none). `log` null: nothing is kept. */
  constructor(log: InputLog | null, reservedThrough: number) {
    this.#log = log;
    this.#next = reservedThrough + 1;
    this.#through = reservedThrough;
  }

  /** Numbers up to here are reserved: a checkpoint keeps it, since the log is cut behind it. */
  get reservedThrough(): number {
    return this.#through;
  }

  /** A number that was never used. An aborted epoch's number is not used again. */
  next(): number {
    if (this.#next > this.#through) this.#reserve();
    return this.#next++;
  }

  #reserve(): void {
    const through = this.#through + BLOCK;
    if (this.#log !== null) {
      this.#log.append(encodeLogEntry({ kind: 'reserve', through }));
      this.#log.syncNow();
    }
    this.#through = through;
  }
}
