/**
 * Reads a frontend message's body; every malformed one is PostgreSQL's own error, and nothing is
 * allocated on trust.
 */

import { isUtf8 } from 'node:buffer';
import { SqlError } from '../base/sql-error.ts';

/** SQLSTATE of a message that breaks the protocol. */
export const PROTOCOL_VIOLATION = '08P01';

export class MessageBody {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** An unsigned byte. */
  u8(): number {
    this.#need(1);
    return this.#bytes[this.#offset++] as number;
  }

  i16(): number {
    this.#need(2);
    this.#offset += 2;
    return this.#bytes.readInt16BE(this.#offset - 2);
  }

  u16(): number {
    return this.i16() & 0xffff;
  }

  i32(): number {
    this.#need(4);
    this.#offset += 4;
    return this.#bytes.readInt32BE(this.#offset - 4);
  }

  /** Text up to its NUL, checked to be UTF-8. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#offset);
    if (end < 0) throw new SqlError(PROTOCOL_VIOLATION, 'invalid string in message');
    const slice = this.#bytes.subarray(this.#offset, end);
    this.#offset = end + 1;
    return decodeUtf8(slice);
  }

  /** The next `size` bytes, not copied. */
  bytes(size: number): Buffer {
    this.#need(size);
    this.#offset += size;
    return this.#bytes.subarray(this.#offset - size, this.#offset);
  }

  /** What is left. */
  rest(): Buffer {
    return this.bytes(this.#bytes.length - this.#offset);
  }

  /** Nothing may follow. */
  end(): void {
    if (this.#offset !== this.#bytes.length) {
      throw new SqlError(PROTOCOL_VIOLATION, 'invalid message format');
    }
  }

  #need(size: number): void {
    if (size < 0 || size > this.#bytes.length - this.#offset) {
      throw new SqlError(PROTOCOL_VIOLATION, 'insufficient data left in message');
    }
  }
}

/** The text of UTF-8 bytes; 22021 names the first bad bytes as PostgreSQL does. */
export function decodeUtf8(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  const bad = firstInvalid(bytes);
  const hex = [...bad].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(' ');
  throw new SqlError('22021', `invalid byte sequence for encoding "UTF8": ${hex}`);
}

/** The first sequence that is not UTF-8, as long as its first byte promises. */
function firstInvalid(bytes: Buffer): Buffer {
  let offset = 0;
  while (offset < bytes.length) {
    const length = sequenceLength(bytes[offset] as number);
    const sequence = bytes.subarray(offset, offset + length);
    if (sequence.length < length || !isUtf8(sequence)) return sequence;
    offset += length;
  }
  return bytes.subarray(0, 0);
}

function sequenceLength(first: number): number {
  if ((first & 0xe0) === 0xc0) return 2;
  if ((first & 0xf0) === 0xe0) return 3;
  if ((first & 0xf8) === 0xf0) return 4;
  return 1;
}
