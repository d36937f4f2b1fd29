/**
 * The randomness of events: draw `key` of event n is a pure function of (seed, n, key), whichever others are made.
 *
 * Each draw is one round of a 32-bit mixer (lowbias32) over the event's base and the draw's key: no state to carry from
 * draw to draw, so that a column is a plain loop. Cost: two multiplications a draw.
 */

const WORD = 0x1_0000_0000;

/** A permutation of the 32-bit words that looks random. */
export function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb_352d);
  h = Math.imul(h ^ (h >>> 15), 0x846c_a68b);
  return h ^ (h >>> 16);
}

/** What all draws of event `n` (below 2^53) are made from. */
export function eventBase(seed: number, n: number): number {
  const high = (n / WORD) >>> 0;
  return mix((n >>> 0) ^ mix(mix(seed ^ 0x6d69_6c6c) + Math.imul(high, 0x9e37_79b9)));
}

/** The key of draw `draw` (0..15) of field `field`. */
export function drawKey(field: number, draw: number): number {
  return mix(Math.imul(field * 16 + draw + 1, 0x9e37_79b9));
}

/** 32 random bits, as a signed number. */
export function drawBits(base: number, key: number): number {
  return mix(base ^ key);
}

/** A whole number in [0, count). */
export function drawBelow(base: number, key: number, count: number): number {
  return Math.floor(((mix(base ^ key) >>> 0) * count) / WORD);
}
