/**
 * Searching bytes of the memory four at a time: a word minus ones shows which of its bytes were zero, once the wanted byte
 * was taken away from each (Hacker's Delight, 6-1). Cost: O(length / 4) for a byte that does not occur.
 */

const ONES = 0x0101_0101;
const HIGH_BITS = 0x8080_8080;

/** Address of the first `byte` in [from, end); -1: none. Reads whole words, also before `from` and behind `end`. */
export function findByte(u32: Uint32Array, from: number, end: number, byte: number): number {
  const wanted = Math.imul(byte, ONES);
  let word = from >>> 2;
  // Bytes before `from` are no match.
  let rest = (u32[word]! ^ wanted) | ((1 << ((from & 3) << 3)) - 1);
  for (;;) {
    const zeros = (rest - ONES) & ~rest & HIGH_BITS;
    if (zeros !== 0) {
      const at = (word << 2) + ((31 - Math.clz32(zeros & -zeros)) >>> 3);
      const address = at >>> 0;
      return address < end ? address : -1;
    }
    word += 1;
    if (word * 4 >= end) return -1;
    rest = u32[word]! ^ wanted;
  }
}

/** Address of the first occurrence in [from, end) of the `length` bytes (at least one) at `part`; -1: none. */
export function findPart(
  u8: Uint8Array,
  u32: Uint32Array,
  from: number,
  end: number,
  part: number,
  length: number,
): number {
  const first = u8[part]!;
  const behindLast = end - length + 1;
  for (let at = from; at < behindLast; at += 1) {
    at = findByte(u32, at, behindLast, first);
    if (at < 0) return -1;
    let i = 1;
    while (i < length && u8[at + i] === u8[part + i]) i += 1;
    if (i === length) return at;
  }
  return -1;
}

/** A run of bytes to look for, by the one of them that texts have least often. */
export class ByteSearch {
  readonly #bytes: readonly number[];
  readonly #rarest: number;

  constructor(bytes: readonly number[]) {
    this.#bytes = bytes;
    const ranks = bytes.map(frequencyRank);
    this.#rarest = ranks.indexOf(Math.min(...ranks));
  }

  /** Address of the first occurrence in [from, end); -1: none. */
  find(u8: Uint8Array, u32: Uint32Array, from: number, end: number): number {
    const bytes = this.#bytes;
    const rarest = this.#rarest;
    const behindLast = end - bytes.length + 1 + rarest;
    for (let at = from + rarest; at < behindLast; at += 1) {
      at = findByte(u32, at, behindLast, bytes[rarest]!);
      if (at < 0) return -1;
      const start = at - rarest;
      let i = 0;
      while (i < bytes.length && u8[start + i] === bytes[i]) i += 1;
      if (i === bytes.length) return start;
    }
    return -1;
  }
}

/** Roughly how common a byte is in text: 0 rare. */
function frequencyRank(byte: number): number {
  const char = String.fromCharCode(byte);
  if (/[ etaoinsr]/.test(char)) return 3;
  if (/[a-z]/.test(char)) return 2;
  return /[A-Z0-9./:-]/.test(char) ? 1 : 0;
}
