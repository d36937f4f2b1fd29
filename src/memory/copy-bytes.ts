/** Copies of bytes between memories, shared ones too. */

import { Buffer } from 'node:buffer';

const { copy } = Buffer.prototype;

/**
 * Copies source[from, end) to target[at, ...), which may overlap. TypedArray.set does the same, but where memory is shared V8
 * copies it word by word, or byte by byte where the two are not aligned alike: half, or an eighth, as fast as this.
 */
export function copyBytes(
  source: Uint8Array,
  from: number,
  end: number,
  target: Uint8Array,
  at: number,
): void {
  copy.call(source as Buffer, target, at, from, end);
}
