/**
 * The generator's randomness: xoroshiro64** (Blackman and Vigna) seeded from (seed, event, field), so that every field of an
 * event is a pure function of the seed and the event's number, whichever other fields are made.
 */

export class RandomStream {
  readonly #seed: number;
  #a = 1;
  #b = 0;

  constructor(seed: number) {
    this.#seed = mix(seed ^ 0x6d69_6c6c);
  }

  /** Goes to field `field` of event `event` (below 2^53). */
  seek(event: number, field: number): void {
    const low = event >>> 0;
    const high = (event / 0x1_0000_0000) >>> 0;
    this.#a = mix(low ^ this.#seed) || 1;
    this.#b = mix(this.#a ^ mix(high + Math.imul(field + 1, 0x9e37_79b9)));
  }

  /** A whole number in [0, 2^32). */
  u32(): number {
    const a = this.#a;
    let b = this.#b;
    const product = Math.imul(a, 0x9e37_79bb);
    const result = Math.imul((product << 5) | (product >>> 27), 5) >>> 0;
    b ^= a;
    this.#a = ((a << 26) | (a >>> 6)) ^ b ^ (b << 9);
    this.#b = (b << 13) | (b >>> 19);
    return result;
  }

  /** A whole number in [0, count), count below 2^32. */
  below(count: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * count);
  }

  /** In [0, 1), with 53 random bits. */
  fraction(): number {
    const high = this.u32() >>> 5;
    return (high * 67_108_864 + (this.u32() >>> 6)) / 9_007_199_254_740_992;
  }

  /** In [0, 1), with 32 random bits. */
  unit(): number {
    return this.u32() / 0x1_0000_0000;
  }
}

function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb_352d);
  h = Math.imul(h ^ (h >>> 15), 0x846c_a68b);
  return (h ^ (h >>> 16)) >>> 0;
}
