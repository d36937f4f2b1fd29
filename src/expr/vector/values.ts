/** Single values out of and into columns: what joins per-value bodies to batches. */

import { Buffer } from 'node:buffer';
import type { Column } from '../../batch/delta-batch.ts';
import { storageWidth } from '../../batch/delta-batch.ts';
import type { Memory } from '../../memory/memory.ts';
import { viewBytes, viewData, viewLength, writeView, writeViewAt } from '../../memory/views.ts';
import type { DataType, TypeId, Value } from '../../types/data-type.ts';
import { decodeBytes, encodeBytes } from '../../types/value.ts';
import type { Arena } from './columns.ts';
import { allocBitmap, allocValues, clearBit, nullColumn, repeatBytes } from './columns.ts';

/** Types whose column bytes are the UTF-8 text of the value. */
const TEXT_IDS: ReadonlySet<TypeId> = new Set<TypeId>([
  'text',
  'varchar',
  'bpchar',
  'name',
  'char',
  'json',
  'jsonb',
  'unknown',
]);

export function isTextLike(type: DataType): boolean {
  return TEXT_IDS.has(type.id);
}

export type Reader = (row: number) => Value;

/** Reads values of a column (validity is the caller's matter). Valid until the memory grows or the scratch is released. */
export function columnReader(memory: Memory, column: Column, type: DataType): Reader {
  switch (column.storage) {
    case 'u8': {
      const { u8 } = memory;
      return (row) => u8[column.values + row] !== 0;
    }
    case 'i32': {
      const { i32 } = memory;
      const base = column.values >>> 2;
      return (row) => i32[base + row]!;
    }
    case 'i64': {
      const { i64 } = memory;
      const base = column.values / 8;
      return (row) => i64[base + row]!;
    }
    case 'f64': {
      const { f64 } = memory;
      const base = column.values / 8;
      return (row) => f64[base + row]!;
    }
    default:
      return isTextLike(type) ? textReader(memory, column) : bytesReader(memory, column, type);
  }
}

/** Node's Buffer over the whole memory; made anew when it has grown. */
function bufferOf(memory: Memory): Buffer {
  const { buffer } = memory.wasm;
  if (lastBuffer === undefined || lastBuffer.buffer !== buffer) lastBuffer = Buffer.from(buffer);
  return lastBuffer;
}

let lastBuffer: Buffer | undefined;

function textReader(memory: Memory, column: Column): Reader {
  const bytes = bufferOf(memory);
  const { u8 } = memory;
  return (row) => {
    const address = column.values + row * 16;
    const start = viewData(memory, address);
    const length = viewLength(memory, address);
    const short = length <= SHORT_LENGTH ? asciiText(u8, start, length) : null;
    return short ?? bytes.toString('utf8', start, start + length);
  };
}

const SHORT_LENGTH = 12;

/** Short ASCII text without a call into Node; null: it is not ASCII. */
function asciiText(u8: Uint8Array, start: number, length: number): string | null {
  let text = '';
  for (let i = start; i < start + length; i += 1) {
    const byte = u8[i]!;
    if (byte > 127) return null;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Writes text as the view at `address`: short ASCII inline, else encoded straight into the memory. */
function writeText(arena: Arena, address: number, text: string): void {
  const { memory } = arena;
  if (text.length <= SHORT_LENGTH && writeShortAscii(memory, address, text)) return;
  const length = Buffer.byteLength(text, 'utf8');
  const block = arena.scratch.alloc(Math.max(1, length));
  bufferOf(memory).write(text, block, length, 'utf8');
  writeViewAt(memory, address, block, length);
}

function writeShortAscii(memory: Memory, address: number, text: string): boolean {
  const { u8, u32 } = memory;
  const word = address >>> 2;
  u32[word] = text.length;
  u32[word + 1] = 0;
  u32[word + 2] = 0;
  u32[word + 3] = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code > 127) return false;
    u8[address + 4 + i] = code;
  }
  return true;
}

function bytesReader(memory: Memory, column: Column, type: DataType): Reader {
  return (row) => decodeBytes(type, viewBytes(memory, column.values + row * 16));
}

/** Writes one value into row `row` of the values at `values`; long bytes go into the arena's scratch. */
export function writeValue(
  arena: Arena,
  type: DataType,
  values: number,
  row: number,
  value: NonNullable<Value>,
): void {
  const { memory } = arena;
  switch (type.storage) {
    case 'u8':
      memory.u8[values + row] = value === true ? 1 : 0;
      return;
    case 'i32':
      memory.i32[(values >>> 2) + row] = value as number;
      return;
    case 'i64':
      memory.i64[values / 8 + row] = value as bigint;
      return;
    case 'f64':
      memory.f64[values / 8 + row] = value as number;
      return;
    default:
      if (isTextLike(type)) writeText(arena, values + row * 16, value as string);
      else writeView(memory, values + row * 16, encodeBytes(type, value), arena.scratch);
  }
}

/** Builds a column of a known number of rows, row by row; rows not written are undefined until they are. */
export class ColumnWriter {
  readonly #arena: Arena;
  readonly #type: DataType;
  readonly #rowCount: number;
  readonly #values: number;
  #validity = 0;

  constructor(arena: Arena, type: DataType, rowCount: number) {
    this.#arena = arena;
    this.#type = type;
    this.#rowCount = rowCount;
    this.#values = allocValues(arena, type.storage, rowCount);
  }

  write(row: number, value: Value): void {
    if (value === null) {
      this.writeNull(row);
      return;
    }
    writeValue(this.#arena, this.#type, this.#values, row, value);
  }

  writeNull(row: number): void {
    if (this.#validity === 0) this.#validity = allocBitmap(this.#arena, this.#rowCount, true);
    const { memory } = this.#arena;
    clearBit(memory, this.#validity, row);
    if (this.#type.storage === 'view')
      memory.u32.fill(0, (this.#values + row * 16) >>> 2, (this.#values + row * 16 + 16) >>> 2);
  }

  finish(): Column {
    return { storage: this.#type.storage, values: this.#values, validity: this.#validity };
  }
}

/** The same value in every row. */
export function constantColumn(
  arena: Arena,
  type: DataType,
  value: Value,
  rowCount: number,
): Column {
  if (value === null) return nullColumn(arena, type.storage, rowCount);
  const writer = new ColumnWriter(arena, type, 1);
  writer.write(0, value);
  const source = writer.finish().values;
  const values = repeatBytes(arena, source, storageWidth(type.storage), rowCount);
  return { storage: type.storage, values, validity: 0 };
}
