/**
 * ProtobufCursor: reads Protobuf's wire format (https://protobuf.dev/programming-guides/encoding) from a place in a buffer,
 * never beyond the end of the message at hand.
 *
 * What does not fit is 22P03, and `at` stands where it was found. Cost: O(1) a value, no allocation.
 */

import { SqlError } from '../../base/sql-error.ts';

/** How deep messages may lie in each other. */
const DEPTH_MAX = 100;

export const VARINT = 0;
export const FIXED64 = 1;
export const SIZED = 2;
const GROUP_START = 3;
const GROUP_END = 4;
export const FIXED32 = 5;

export class ProtobufCursor {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  end = 0;
  /** The halves of the number that `varint64` or `fixed64` read. */
  low = 0;
  high = 0;
  /** Of the tag that was read. */
  wireType = 0;
  #depth = 0;

  start(bytes: Buffer, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.#depth = 0;
  }

  /** A cursor at the beginning of other bytes that stand for what lies as deep as this one is. */
  over(bytes: Buffer): ProtobufCursor {
    const cursor = new ProtobufCursor();
    cursor.start(bytes, 0, bytes.length);
    cursor.#depth = this.#depth;
    return cursor;
  }

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  /** The field's number; its wire type goes into `wireType`. */
  tag(): number {
    const start = this.at;
    const tag = this.varint32();
    this.wireType = tag & 7;
    if (tag >= 8 && (this.wireType <= GROUP_END || this.wireType === FIXED32)) return tag >>> 3;
    this.at = start;
    throw corrupt(tag < 8 ? 'a field of number 0' : `wire type ${this.wireType}`);
  }

  /** Throws unless the tag that was read says this wire type. */
  expect(wireType: number): void {
    if (this.wireType === wireType) return;
    throw corrupt(`wire type ${this.wireType} where ${wireType} is expected`);
  }

  /** The lower 32 bits of a varint, from 0. */
  varint32(): number {
    const { bytes } = this;
    const byte = bytes[this.at]!;
    if (byte < 0x80 && this.at < this.end) {
      this.at += 1;
      return byte;
    }
    this.varint64();
    return this.low >>> 0;
  }

  /** At most 10 bytes, into `low` and `high`. */
  varint64(): void {
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
        this.at = at;
        this.low = low;
        this.high = high;
        return;
      }
    }
    throw corrupt('a number of more than 64 bits');
  }

  fixed64(): void {
    const at = this.#move(8);
    this.low = this.bytes.readInt32LE(at);
    this.high = this.bytes.readInt32LE(at + 4);
  }

  fixed32(): number {
    return this.bytes.readInt32LE(this.#move(4));
  }

  float(): number {
    return this.bytes.readFloatLE(this.#move(4));
  }

  double(): number {
    return this.bytes.readDoubleLE(this.#move(8));
  }

  /** The halves as a signed number. */
  signed(): bigint {
    return (BigInt(this.high) << 32n) | BigInt(this.low >>> 0);
  }

  unsigned(): bigint {
    return (BigInt(this.high >>> 0) << 32n) | BigInt(this.low >>> 0);
  }

  /** Moves over a length and so many bytes; where they begin. They end at `at`. */
  sized(): number {
    const start = this.at;
    this.high = 0;
    const size = this.varint32();
    if (this.high === 0 && size <= this.end - this.at) return this.#move(size);
    this.at = start;
    throw this.#truncated();
  }

  /** A message in the message begins at hand, behind its length; `leave` with the result ends it. */
  enter(): number {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) {
      throw new SqlError('54001', 'Protobuf record is nested too deeply');
    }
    const { end } = this;
    const start = this.sized();
    this.end = this.at;
    this.at = start;
    return end;
  }

  leave(end: number): void {
    this.#depth -= 1;
    this.at = this.end;
    this.end = end;
  }

  /** Calls `take` at each value of a repeated field behind its tag: one, or all of a packed field. */
  values(wireType: number, take: (cursor: ProtobufCursor) => void): void {
    if (this.wireType !== SIZED || wireType === SIZED) {
      this.expect(wireType);
      take(this);
      return;
    }
    const end = this.enter();
    while (!this.isAtEnd) take(this);
    this.leave(end);
  }

  /** Moves over the value behind a tag. */
  skip(field: number): void {
    switch (this.wireType) {
      case VARINT:
        this.varint64();
        return;
      case FIXED64:
        this.#move(8);
        return;
      case SIZED:
        this.sized();
        return;
      case FIXED32:
        this.#move(4);
        return;
      case GROUP_START:
        this.#skipGroup(field);
        return;
      default:
        throw corrupt('the end of a group that did not begin');
    }
  }

  #skipGroup(field: number): void {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) {
      throw new SqlError('54001', 'Protobuf record is nested too deeply');
    }
    for (;;) {
      const inside = this.tag();
      if (this.wireType !== GROUP_END) this.skip(inside);
      else if (inside === field) break;
      else throw corrupt('the end of another group');
    }
    this.#depth -= 1;
  }

  #move(size: number): number {
    const { at } = this;
    if (size > this.end - at) throw this.#truncated();
    this.at = at + size;
    return at;
  }

  #truncated(): SqlError {
    return corrupt('it ends too early');
  }
}

export function corrupt(reason: string): SqlError {
  return new SqlError('22P03', `invalid Protobuf record: ${reason}`);
}
