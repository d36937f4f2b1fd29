/**
 * ByteWriter: bytes written one behind the other into a buffer that grows and is used again.
 *
 * Cost: amortised O(bytes); what was written is copied when the buffer grows.
 */

const CAPACITY_MIN = 256;

export class ByteWriter {
  /** Replaced when it grows: read it again after each write. */
  buffer: Buffer = Buffer.allocUnsafeSlow(CAPACITY_MIN);
  /** Next free byte. */
  length = 0;

  /** What was written; valid until the next write. */
  get written(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** Starts anew, in the same buffer. */
  clear(): void {
    this.length = 0;
  }

  /** Takes back all from `length` on. */
  truncate(length: number): void {
    this.length = length;
  }

  /** Makes room for `size` bytes; where they begin: the caller fills them. */
  reserve(size: number): number {
    const at = this.length;
    const needed = at + size;
    if (needed > this.buffer.length) this.#grow(needed);
    this.length = needed;
    return at;
  }

  u8(value: number): void {
    const at = this.reserve(1);
    this.buffer[at] = value;
  }

  bytes(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.buffer.set(bytes, at);
  }

  /** Their length as a varint, then the bytes. */
  sized(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.bytes(bytes);
  }

  /** Text of ASCII characters. */
  ascii(text: string): void {
    const at = this.reserve(text.length);
    this.buffer.write(text, at, 'latin1');
  }

  /** Text as UTF-8. */
  text(text: string): void {
    const at = this.reserve(3 * text.length);
    this.length = at + this.buffer.write(text, at);
  }

  /** A whole number from 0 to 2^53 in groups of seven bits, lowest first. */
  varint(value: number): void {
    let rest = value;
    let at = this.reserve(10);
    for (; rest >= 0x80; rest = rest > 0x7fff_ffff ? Math.floor(rest / 0x80) : rest >>> 7) {
      this.buffer[at++] = (rest & 0x7f) | 0x80;
    }
    this.buffer[at++] = rest;
    this.length = at;
  }

  /** The 64-bit whole number of two halves in groups of seven bits, lowest first. */
  varint64(low: number, high: number): void {
    let at = this.reserve(10);
    let lowRest = low >>> 0;
    let highRest = high >>> 0;
    while (highRest !== 0 || lowRest >= 0x80) {
      this.buffer[at++] = (lowRest & 0x7f) | 0x80;
      lowRest = ((lowRest >>> 7) | (highRest << 25)) >>> 0;
      highRest >>>= 7;
    }
    this.buffer[at++] = lowRest;
    this.length = at;
  }

  /** A number of 64 bits in two's complement, in groups of seven bits, lowest first. */
  varintOf(value: bigint): void {
    this.varint64(lowHalf(value), highHalf(value));
  }

  floatLE(value: number): void {
    const at = this.reserve(4);
    this.buffer.writeFloatLE(value, at);
  }

  floatBE(value: number): void {
    const at = this.reserve(4);
    this.buffer.writeFloatBE(value, at);
  }

  doubleLE(value: number): void {
    const at = this.reserve(8);
    this.buffer.writeDoubleLE(value, at);
  }

  doubleBE(value: number): void {
    const at = this.reserve(8);
    this.buffer.writeDoubleBE(value, at);
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.buffer.length));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }
}

/** Bits 0 to 31 of a number of 64 bits in two's complement, as int32. */
export function lowHalf(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

/** Bits 32 to 63. */
export function highHalf(value: bigint): number {
  return Number(value >> 32n);
}
