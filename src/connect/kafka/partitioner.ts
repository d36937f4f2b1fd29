/**
 * The partition of a key, as Kafka's own Java client chooses it: what other producers write under the same key lies in the
 * same partition. Source: org.apache.kafka.common.utils.Utils.murmur2 (MurmurHash2 by Austin Appleby, seed 0x9747b28c).
 */

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

export function partitionOf(key: Buffer, partitionCount: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitionCount;
}

/** A signed 32-bit number. */
export function murmur2(bytes: Buffer): number {
  const { length } = bytes;
  let hash = SEED ^ length;
  const words = length - (length % 4);
  for (let at = 0; at < words; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), M);
    word = Math.imul(word ^ (word >>> 24), M);
    hash = Math.imul(hash, M) ^ word;
  }
  for (let at = length - 1; at >= words; at -= 1) hash ^= bytes[at]! << (8 * (at - words));
  if (words < length) hash = Math.imul(hash, M);
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}
