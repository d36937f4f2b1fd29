/**
 * A row as a MessagePack map: a text key for each column; NULL is nil. Integers, floats, booleans, texts and bytea are
 * MessagePack's own; timestamptz is the timestamp extension; numeric (which is exact) and the other types are texts; arrays and
 * jsonb are arrays and maps, the numbers inside of jsonb integers or doubles.
 */

import { SqlError } from '../../base/sql-error.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { isNull, readValue } from '../../batch/read-value.ts';
import type { ArrayValue } from '../../types/array.ts';
import { isFiniteUs } from '../../types/calendar.ts';
import type { DataType } from '../../types/data-type.ts';
import { Decimal } from '../../types/decimal.ts';
import { type JsonNode, JsonObject, parseJson } from '../../types/jsonb.ts';
import type { ValueSettings } from '../../types/value.ts';
import { ByteWriter } from '../byte-writer.ts';
import { plainFormat } from '../json-value.ts';
import {
  type ColumnWriter,
  type EncodedColumn,
  type MessageEncoder,
  type ValueWriter,
  viewBytes,
} from '../message-encoder.ts';
import { floorDivided } from '../typed-value.ts';

export const NIL = 0xc0;

export class MessagePackEncoder implements MessageEncoder {
  readonly #columns: readonly EncodedColumn[];
  /** With their heads. */
  readonly #keys: readonly Buffer[];
  readonly #writers: readonly ColumnWriter[];

  constructor(columns: readonly EncodedColumn[], settings: ValueSettings) {
    this.#columns = columns;
    this.#keys = columns.map(({ name }) => textBytes(name));
    this.#writers = columns.map(({ type }) => columnWriter(type, settings));
  }

  append(batch: DeltaBatch, row: number, out: ByteWriter): void {
    writeMapHead(this.#columns.length, out);
    for (let i = 0; i < this.#columns.length; i += 1) {
      const column = batch.columns[this.#columns[i]!.index]!;
      out.bytes(this.#keys[i]!);
      if (isNull(batch, column, row)) out.u8(NIL);
      else this.#writers[i]!(batch, column, row, out);
    }
  }
}

/** The heads of a kind that has a length: short ones in one byte, then with 1, 2 or 4 bytes of length. */
interface Heads {
  readonly short: number;
  readonly shortMax: number;
  /** -1: there is none. */
  readonly u8: number;
  readonly u16: number;
}

const TEXT: Heads = { short: 0xa0, shortMax: 31, u8: 0xd9, u16: 0xda };
const BINARY: Heads = { short: 0, shortMax: -1, u8: 0xc4, u16: 0xc5 };
const ARRAY: Heads = { short: 0x90, shortMax: 15, u8: -1, u16: 0xdc };
const MAP: Heads = { short: 0x80, shortMax: 15, u8: -1, u16: 0xde };

function writeCount({ short, shortMax, u8, u16 }: Heads, count: number, out: ByteWriter): void {
  if (count <= shortMax) out.u8(short | count);
  else if (u8 >= 0 && count < 0x100) {
    out.u8(u8);
    out.u8(count);
  } else if (count < 0x1_0000) {
    const at = out.reserve(3);
    out.buffer[at] = u16;
    out.buffer.writeUInt16BE(count, at + 1);
  } else {
    const at = out.reserve(5);
    out.buffer[at] = u16 + 1;
    out.buffer.writeUInt32BE(count, at + 1);
  }
}

export function writeMapHead(memberCount: number, out: ByteWriter): void {
  writeCount(MAP, memberCount, out);
}

function columnWriter(type: DataType, settings: ValueSettings): ColumnWriter {
  switch (type.id) {
    case 'int2':
    case 'int4':
      return ({ memory }, { values }, row, out) =>
        writeInteger(memory.i32[(values >>> 2) + row]!, out);
    case 'text':
    case 'varchar':
    case 'bpchar':
      return (batch, column, row, out) => writeSized(TEXT, viewBytes(batch, column, row), out);
    case 'bytea':
      return (batch, column, row, out) => writeSized(BINARY, viewBytes(batch, column, row), out);
    default: {
      const write = valueWriter(type, settings);
      return ({ memory }, column, row, out) => write(readValue(memory, column, type, row)!, out);
    }
  }
}

function writeSized(heads: Heads, bytes: Uint8Array, out: ByteWriter): void {
  writeCount(heads, bytes.length, out);
  out.bytes(bytes);
}

function valueWriter(type: DataType, settings: ValueSettings): ValueWriter {
  switch (type.id) {
    case 'bool':
      return (value, out) => out.u8(value === true ? 0xc3 : 0xc2);
    case 'int2':
    case 'int4':
      return (value, out) => writeInteger(value as number, out);
    case 'int8':
      return (value, out) => writeBigInt(value as bigint, out);
    case 'float4':
      return (value, out) => writeFloat(value as number, out);
    case 'float8':
      return (value, out) => writeDouble(value as number, out);
    case 'bytea':
      return (value, out) => writeSized(BINARY, value as Uint8Array, out);
    case 'json':
    case 'jsonb':
      return (value, out) => writeJson(parseJson(value as string), out);
    case 'array':
      return arrayWriter(valueWriter(type.element!, settings));
    case 'timestamptz': {
      const text = plainFormat(type, settings);
      return (value, out) => {
        if (!writeInstant(value as bigint, out)) writeText(text(value), out);
      };
    }
    default: {
      const text = plainFormat(type, settings);
      return (value, out) => writeText(text(value), out);
    }
  }
}

function writeText(text: string, out: ByteWriter): void {
  const size = Buffer.byteLength(text);
  writeCount(TEXT, size, out);
  out.text(text);
}

export function textBytes(text: string): Buffer {
  const out = new ByteWriter();
  writeText(text, out);
  return Buffer.from(out.written);
}

/** In the fewest bytes. */
export function writeInteger(value: number, out: ByteWriter): void {
  if (value >= -32 && value < 0x80) {
    out.u8(value & 0xff);
    return;
  }
  if (value < -0x8000_0000 || value > 0xffff_ffff) {
    writeLong(BigInt(value), out);
    return;
  }
  const isNegative = value < 0;
  const max = isNegative ? -value - 1 : value;
  const step = isNegative ? 0x80 : 0x100;
  const size = max < step ? 1 : max < step * 0x100 ? 2 : 4;
  const at = out.reserve(1 + size);
  out.buffer[at] = (isNegative ? 0xd0 : 0xcc) + (size >> 1);
  if (isNegative) out.buffer.writeIntBE(value, at + 1, size);
  else out.buffer.writeUIntBE(value, at + 1, size);
}

function writeBigInt(value: bigint, out: ByteWriter): void {
  const number = Number(value);
  if (Number.isSafeInteger(number)) writeInteger(number, out);
  else writeLong(value, out);
}

/** From -2^63 to 2^64 - 1. */
function writeLong(value: bigint, out: ByteWriter): void {
  const at = out.reserve(9);
  out.buffer[at] = value < 0n ? 0xd3 : 0xcf;
  out.buffer.writeBigUInt64BE(BigInt.asUintN(64, value), at + 1);
}

function writeFloat(value: number, out: ByteWriter): void {
  out.u8(0xca);
  out.floatBE(value);
}

function writeDouble(value: number, out: ByteWriter): void {
  out.u8(0xcb);
  out.doubleBE(value);
}

/** What readers can make a date of; beyond it is a text. */
const SECONDS_MAX = 8_640_000_000_000n;
const TIMESTAMP = 0xff;

/** false: it is infinite or too far away. */
function writeInstant(us: bigint, out: ByteWriter): boolean {
  const seconds = floorDivided(us, 1_000_000n);
  if (!isFiniteUs(us) || seconds > SECONDS_MAX || seconds < -SECONDS_MAX) return false;
  const nanoseconds = Number(us - seconds * 1_000_000n) * 1000;
  const isShort = nanoseconds === 0 && seconds >= 0n && seconds < 1n << 32n;
  const isMiddle = seconds >= 0n && seconds < 1n << 34n;
  const headSize = isShort || isMiddle ? 2 : 3;
  const at = out.reserve(headSize + (isShort ? 4 : isMiddle ? 8 : 12));
  const { buffer } = out;
  if (isShort) {
    buffer[at] = 0xd6;
    buffer.writeUInt32BE(Number(seconds), at + 2);
  } else if (isMiddle) {
    buffer[at] = 0xd7;
    buffer.writeBigUInt64BE((BigInt(nanoseconds) << 34n) | seconds, at + 2);
  } else {
    buffer[at] = 0xc7;
    buffer[at + 1] = 12;
    buffer.writeUInt32BE(nanoseconds, at + 3);
    buffer.writeBigInt64BE(seconds, at + 7);
  }
  buffer[at + headSize - 1] = TIMESTAMP;
  return true;
}

function arrayWriter(write: ValueWriter): ValueWriter {
  return (value, out) => {
    const { items, dimensions } = value as ArrayValue;
    let next = 0;
    const level = (depth: number): void => {
      writeCount(ARRAY, dimensions[depth] ?? 0, out);
      for (let i = 0; i < (dimensions[depth] ?? 0); i += 1) {
        if (depth < dimensions.length - 1) level(depth + 1);
        else {
          const item = items[next++]!;
          if (item === null) out.u8(NIL);
          else write(item, out);
        }
      }
    };
    level(0);
  };
}

function writeJson(node: JsonNode, out: ByteWriter): void {
  if (node === null) out.u8(NIL);
  else if (typeof node === 'boolean') out.u8(node ? 0xc3 : 0xc2);
  else if (typeof node === 'string') writeText(node, out);
  else if (node instanceof Decimal) writeJsonNumber(node, out);
  else if (node instanceof JsonObject) {
    writeCount(MAP, node.members.length, out);
    for (const [key, value] of node.members) {
      writeText(key, out);
      writeJson(value, out);
    }
  } else {
    writeCount(ARRAY, node.length, out);
    for (const item of node) writeJson(item, out);
  }
}

/** Exact where it is a whole number of 64 bits, else the nearest double. */
function writeJsonNumber(value: Decimal, out: ByteWriter): void {
  const text = value.toString();
  if (/^-?\d{1,20}$/.test(text)) {
    const whole = BigInt(text);
    if (whole >= -(1n << 63n) && whole < 1n << 64n) {
      writeBigInt(whole, out);
      return;
    }
  }
  const number = Number(text);
  if (!Number.isFinite(number)) {
    throw new SqlError(
      '22003',
      `number ${text.slice(0, 40)} in jsonb is too large for MessagePack`,
    );
  }
  writeDouble(number, out);
}
