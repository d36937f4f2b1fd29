/**
 * Steps through MessagePack (specification of 2017: https://github.com/msgpack/msgpack) without making a value of anything
 * that is not asked for.
 *
 * `head` reads the head of the next value: its kind, and a number (bool, integer, float), a length (text, binary, extension) or
 * a count (array, map). What follows is read or skipped by the caller. Cost: O(1) a head.
 */

import { SqlError } from '../../base/sql-error.ts';

export type ValueKind =
  | 'nil'
  | 'bool'
  | 'integer'
  | 'float'
  | 'text'
  | 'binary'
  | 'array'
  | 'map'
  | 'extension';

/** Nested deeper than this a message is refused. */
const DEPTH_MAX = 64;

export class MessagePackCursor {
  #bytes: Buffer = Buffer.alloc(0);
  #end = 0;
  at = 0;
  /** Of the head that was read. */
  kind: ValueKind = 'nil';
  /** bool: 0 or 1; integer where it is exact, float; text, binary, extension: bytes; array, map: items. */
  number = 0;
  /** Of an integer beyond 2^53; null: `number` is exact. */
  big: bigint | null = null;
  /** Of an extension. */
  extensionType = 0;

  start(bytes: Buffer, at: number, end: number): void {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.at === this.#end;
  }

  /** The place behind so many bytes from here; 22P03 where the message is shorter. */
  need(byteCount: number): number {
    if (this.at + byteCount > this.#end) throw corrupt('it is cut off');
    return this.at + byteCount;
  }

  head(): void {
    const code = this.#bytes[this.need(1) - 1]!;
    this.at += 1;
    this.big = null;
    if (code < 0x80) this.#set('integer', code);
    else if (code < 0x90) this.#set('map', code & 0x0f);
    else if (code < 0xa0) this.#set('array', code & 0x0f);
    else if (code < 0xc0) this.#set('text', code & 0x1f);
    else if (code >= 0xe0) this.#set('integer', code - 0x100);
    else this.#long(code);
  }

  /** Passes over what follows a head, whatever it is. */
  skipBody(depth = 0): void {
    if (depth > DEPTH_MAX) throw corrupt(`it is nested deeper than ${DEPTH_MAX}`);
    const { kind, number } = this;
    if (kind === 'text' || kind === 'binary' || kind === 'extension') this.at = this.need(number);
    else if (kind === 'array' || kind === 'map') {
      for (let left = kind === 'map' ? 2 * number : number; left > 0; left -= 1) {
        this.head();
        this.skipBody(depth + 1);
      }
    }
  }

  #set(kind: ValueKind, number: number): void {
    this.kind = kind;
    this.number = number;
  }

  #long(code: number): void {
    switch (code) {
      case 0xc0:
        this.#set('nil', 0);
        return;
      case 0xc2:
      case 0xc3:
        this.#set('bool', code & 1);
        return;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        this.#set('binary', this.#unsigned(1 << (code - 0xc4)));
        return;
      case 0xc7:
      case 0xc8:
      case 0xc9:
        this.#extension(this.#unsigned(1 << (code - 0xc7)));
        return;
      case 0xca:
        this.#set('float', this.#bytes.readFloatBE(this.#take(4)));
        return;
      case 0xcb:
        this.#set('float', this.#bytes.readDoubleBE(this.#take(8)));
        return;
      case 0xcc:
      case 0xcd:
      case 0xce:
        this.#set('integer', this.#unsigned(1 << (code - 0xcc)));
        return;
      case 0xcf:
        this.#integer64(this.#bytes.readBigUInt64BE(this.#take(8)));
        return;
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const size = 1 << (code - 0xd0);
        this.#set('integer', this.#bytes.readIntBE(this.#take(size), size));
        return;
      }
      case 0xd3:
        this.#integer64(this.#bytes.readBigInt64BE(this.#take(8)));
        return;
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        this.#extension(1 << (code - 0xd4));
        return;
      case 0xd9:
      case 0xda:
      case 0xdb:
        this.#set('text', this.#unsigned(1 << (code - 0xd9)));
        return;
      case 0xdc:
      case 0xdd:
        this.#set('array', this.#unsigned(2 << (code - 0xdc)));
        return;
      case 0xde:
      case 0xdf:
        this.#set('map', this.#unsigned(2 << (code - 0xde)));
        return;
      default:
        throw corrupt(`byte 0x${code.toString(16)} begins no value`);
    }
  }

  #extension(size: number): void {
    this.#set('extension', size);
    this.extensionType = this.#bytes.readInt8(this.#take(1));
  }

  #integer64(value: bigint): void {
    const number = Number(value);
    this.#set('integer', number);
    if (!Number.isSafeInteger(number)) this.big = value;
  }

  #unsigned(size: number): number {
    return this.#bytes.readUIntBE(this.#take(size), size);
  }

  #take(size: number): number {
    const from = this.at;
    this.at = this.need(size);
    return from;
  }
}

export function corrupt(what: string): SqlError {
  return new SqlError('22P03', `invalid MessagePack record: ${what}`);
}
