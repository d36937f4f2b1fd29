/**
 * The server's outgoing bytes: messages are written one behind the other into one buffer that goes
 * to the socket whole.
 *
 * begin/end frame a message; u8, i16, i32, text, bytes append: amortised O(bytes). take: O(1), or a
 * copy of a small rest. Implements formats' RowSink, so that DataRows are encoded in place.
 */

import { assert } from '../base/assert.ts';

const INITIAL_SIZE = 8 * 1024;
/** After a full buffer the next one starts at its size, up to this. */
const NEXT_SIZE_MAX = 256 * 1024;
/**
 * Up to this size `take` copies into Node's buffer pool and keeps a small buffer; above it, the
 * buffer is given away.
 */
const COPY_SIZE_MAX = 2 * 1024;

export class MessageBuffer {
  buffer: Buffer = Buffer.allocUnsafeSlow(INITIAL_SIZE);
  /** Next free byte. */
  length = 0;
  /** Encoders of many rows stop behind this. */
  readonly softLimit: number;
  #messageStart = -1;

  constructor(softLimit: number) {
    this.softLimit = softLimit;
  }

  /** Makes room for `size` more bytes. */
  ensure(size: number): void {
    const needed = this.length + size;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }

  /** Starts a message with the given type letter. */
  begin(letter: string): this {
    assert(this.#messageStart < 0, 'a message is begun inside another');
    this.ensure(5);
    this.buffer[this.length] = letter.charCodeAt(0);
    this.#messageStart = this.length;
    this.length += 5;
    return this;
  }

  /** Ends the message: its length is written. */
  end(): void {
    const start = this.#messageStart;
    this.buffer.writeInt32BE(this.length - start - 1, start + 1);
    this.#messageStart = -1;
  }

  /** Forgets a message that was begun and not ended. */
  rollback(): void {
    if (this.#messageStart >= 0) this.length = this.#messageStart;
    this.#messageStart = -1;
  }

  /** A message without a body. */
  empty(letter: string): void {
    this.begin(letter).end();
  }

  u8(value: number): this {
    this.ensure(1);
    this.buffer[this.length++] = value;
    return this;
  }

  i16(value: number): this {
    this.ensure(2);
    this.buffer[this.length] = value >>> 8;
    this.buffer[this.length + 1] = value;
    this.length += 2;
    return this;
  }

  i32(value: number): this {
    this.ensure(4);
    this.buffer[this.length] = value >>> 24;
    this.buffer[this.length + 1] = value >>> 16;
    this.buffer[this.length + 2] = value >>> 8;
    this.buffer[this.length + 3] = value;
    this.length += 4;
    return this;
  }

  /** UTF-8 and a NUL; NULs inside are left out, since nothing behind one would be read. */
  text(value: string): this {
    const clean = value.includes('\0') ? value.replaceAll('\0', '') : value;
    this.ensure(clean.length * 3 + 1);
    this.length += this.buffer.write(clean, this.length, 'utf8');
    this.buffer[this.length++] = 0;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.ensure(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
    return this;
  }

  /** The bytes written so far, the caller's own; the buffer is empty afterwards. */
  take(): Buffer {
    assert(this.#messageStart < 0, 'a message is taken half written');
    const length = this.length;
    this.length = 0;
    const taken = this.buffer.subarray(0, length);
    if (length <= COPY_SIZE_MAX && this.buffer.length === INITIAL_SIZE) return Buffer.from(taken);
    const isFull = length * 2 > this.buffer.length;
    const nextSize = isFull ? Math.min(this.buffer.length, NEXT_SIZE_MAX) : INITIAL_SIZE;
    this.buffer = Buffer.allocUnsafeSlow(nextSize);
    return taken;
  }
}
