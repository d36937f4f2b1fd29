/**
 * Randomness as a port: a seeded generator for what must be repeatable, the system's bytes for
 * secrets.
 */

import { randomBytes, randomFillSync } from 'node:crypto';
import { assert } from './assert.ts';

/**
 * A seeded generator: xoshiro128** (Blackman and Vigna, 2018), seeded through splitmix32. The same
 * seed gives the same numbers on every machine and in every version; not for secrets. Each call is
 * O(1).
 */
export class Random {
  readonly seed: number;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /**
   * `seed` is taken modulo 2^32. `entropy`, four numbers, is mixed in where runs must differ in more
   * than 32 bits: then the seed alone does not repeat a run.
   */
  constructor(seed: number, entropy: Uint32Array = new Uint32Array(4)) {
    this.seed = seed >>> 0;
    const next = splitmix32(this.seed);
    this.#a = next() ^ (entropy[0] ?? 0);
    this.#b = next() ^ (entropy[1] ?? 0);
    this.#c = next() ^ (entropy[2] ?? 0);
    this.#d = (next() ^ (entropy[3] ?? 0)) | 1;
  }

  /** A whole number in [0, 2^32). */
  u32(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** A number in [0, 1) with 53 random bits. */
  float(): number {
    return ((this.u32() >>> 5) * 67_108_864 + (this.u32() >>> 6)) / 9_007_199_254_740_992;
  }

  /** A whole number in [0, count). */
  below(count: number): number {
    assert(Number.isSafeInteger(count) && count > 0, 'Random.below wants a positive integer');
    return Math.floor(this.float() * count);
  }

  /** A whole number in [low, high], both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(items: readonly T[]): T {
    assert(items.length > 0, 'Random.pick wants at least one item');
    return items[this.below(items.length)] as T;
  }

  /** Shuffles in place (Fisher and Yates): O(n). */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const item = items[i] as T;
      items[i] = items[j] as T;
      items[j] = item;
    }
    return items;
  }

  bytes(size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = this.u32() >>> 24;
    return bytes;
  }

  /** A signed 64-bit whole number. */
  i64(): bigint {
    return BigInt.asIntN(64, (BigInt(this.u32()) << 32n) | BigInt(this.u32()));
  }

  /** An independent generator, decided by this one's state. */
  fork(): Random {
    return new Random(this.u32());
  }
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return z ^ (z >>> 15);
  };
}

/** Unpredictable bytes, for keys, nonces and salts. */
export function systemRandomBytes(size: number): Uint8Array {
  return randomBytes(size);
}

/**
 * A generator that differs from run to run in all of its state: for random() and
 * gen_random_uuid(), not for secrets.
 */
export function systemRandom(): Random {
  const words = new Uint32Array(5);
  randomFillSync(words);
  return new Random(words[0] ?? 0, words.subarray(1));
}

/** A seed that differs from run to run; print it, so that a failure can be repeated. */
export function systemSeed(): number {
  return randomBytes(4).readUInt32LE(0);
}
