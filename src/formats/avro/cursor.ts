/**
 * AvroCursor: reads Avro's binary encoding (specification 1.12, "Binary Encoding") from a place in a buffer, never beyond the
 * message's end.
 *
 * What does not fit is 22P03, and `at` stands where it was found. Cost: O(1) a number, no allocation.
 */

import { SqlError } from '../../base/sql-error.ts';

/** How deep values may lie in each other. */
const DEPTH_MAX = 100;
/** Items without bytes (nulls, empty records) that one message may have: they cost the sender nothing. */
const EMPTY_ITEMS_MAX = 65_536;

export class AvroCursor {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  end = 0;
  /** The halves of the number that `long` read: two's complement. */
  low = 0;
  high = 0;
  #depth = 0;
  #emptyItems = 0;

  start(bytes: Buffer, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.#depth = 0;
    this.#emptyItems = 0;
  }

  /** A value in a value begins; `leave` ends it. */
  enter(): void {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw new SqlError('54001', 'Avro record is nested too deeply');
  }

  leave(): void {
    this.#depth -= 1;
  }

  /** An int of at most 5 bytes. */
  int(): number {
    const { bytes, end } = this;
    let at = this.at;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (at >= end) throw this.#truncated();
      const byte = bytes[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (shift === 28 && byte > 0x0f) break;
        this.at = at;
        return (value >>> 1) ^ -(value & 1);
      }
    }
    throw corrupt('an int of more than 32 bits');
  }

  /** A long of at most 10 bytes, into `low` and `high`. */
  long(): void {
    const { bytes, end } = this;
    let at = this.at;
    let low = 0;
    let high = 0;
    for (let index = 0; index < 10; index += 1) {
      if (at >= end) throw this.#truncated();
      const byte = bytes[at++]!;
      const bits = byte & 0x7f;
      if (index < 4) low |= bits << (7 * index);
      else if (index === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * index - 32);
      if (byte < 0x80) {
        if (index === 9 && byte > 1) break;
        this.at = at;
        const sign = -(low & 1);
        this.low = ((low >>> 1) | (high << 31)) ^ sign;
        this.high = (high >>> 1) ^ sign;
        return;
      }
    }
    throw corrupt('a long of more than 64 bits');
  }

  bigint(): bigint {
    this.long();
    return (BigInt(this.high) << 32n) | BigInt(this.low >>> 0);
  }

  /** The long as a double: exact to 2^53, rounded beyond. */
  number(): number {
    this.long();
    return this.high * 0x1_0000_0000 + (this.low >>> 0);
  }

  boolean(): boolean {
    if (this.at >= this.end) throw this.#truncated();
    const byte = this.bytes[this.at]!;
    if (byte > 1) throw corrupt(`a boolean of ${byte}`);
    this.at += 1;
    return byte === 1;
  }

  float(): number {
    const at = this.skip(4);
    return this.bytes.readFloatLE(at);
  }

  double(): number {
    const at = this.skip(8);
    return this.bytes.readDoubleLE(at);
  }

  /** Moves over so many bytes; where they begin. */
  skip(size: number): number {
    const { at } = this;
    if (size > this.end - at) throw this.#truncated();
    this.at = at + size;
    return at;
  }

  /** Moves over a length and so many bytes; where they begin. They end at `at`. */
  skipBytes(): number {
    const start = this.at;
    this.long();
    if (this.high !== 0 || this.low < 0) {
      this.at = start;
      throw this.high < 0 ? corrupt('a negative length') : this.#truncated();
    }
    return this.skip(this.low);
  }

  /** The index of a union's branch or an enum's symbol. */
  index(count: number, what: string): number {
    const start = this.at;
    const index = this.int();
    if (index >= 0 && index < count) return index;
    this.at = start;
    throw corrupt(`${what} ${index} of ${count}`);
  }

  /** Items of the next block of an array or map; 0: it has ended. Where `canSkip` and the block's size is told: -1, skipped. */
  block(canSkip: boolean): number {
    const count = this.number();
    if (count >= 0) return count;
    const start = this.at;
    const size = this.number();
    if (size < 0) {
      this.at = start;
      throw corrupt('a negative block size');
    }
    if (!canSkip) return -count;
    this.skip(size);
    return -1;
  }

  /** To be called behind an item that began at `start`. */
  item(start: number): void {
    if (this.at !== start) return;
    this.#emptyItems += 1;
    if (this.#emptyItems > EMPTY_ITEMS_MAX) {
      throw new SqlError('54000', `Avro record has more than ${EMPTY_ITEMS_MAX} empty items`);
    }
  }

  expectEnd(): void {
    if (this.at === this.end) return;
    throw corrupt(`${this.end - this.at} bytes behind its end`);
  }

  #truncated(): SqlError {
    return corrupt('it ends too early');
  }
}

export function corrupt(reason: string): SqlError {
  return new SqlError('22P03', `invalid Avro record: ${reason}`);
}

/** Calls `take` at each item of an array, or at each key of a map. */
export function readItems(cursor: AvroCursor, take: () => void): void {
  for (let count = cursor.block(false); count !== 0; count = cursor.block(false)) {
    for (let i = 0; i < count; i += 1) {
      const start = cursor.at;
      take();
      cursor.item(start);
    }
  }
}
