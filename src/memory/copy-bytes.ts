/** Copies of bytes between memories, shared ones too. */

import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';

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
  // Of a whole source Node.js makes a TypedArray.set: without its last byte it is none.
  const isWhole = from === 0 && end === source.length && end > 1;
  const last = isWhole ? end - 1 : end;
  const byte = isWhole ? source[last]! : 0;
  const copied = copy.call(source as Buffer, target, at, from, last);
  assert(copied === last - from, 'bytes are copied to a place that is too small');
  if (isWhole) target[at + last] = byte;
}
