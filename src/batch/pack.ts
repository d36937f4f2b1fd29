/**
 * A batch as bytes: for the input log and between threads. Little-endian: magic u32, rows u32, columns u16, flags u16
 * (1: weights, 2: row watermarks); for each column storage u8, has-validity u8; then for each column validity bits and
 * values (views as lengths u32, then the bytes of all rows), then weights and watermarks. Unpacking checks every bound.
 */

import { assert } from '../base/assert.ts';
import type { Scratch } from '../memory/scratch.ts';
import { writeView } from '../memory/views.ts';
import type { DataType, Storage } from '../types/data-type.ts';
import { BATCH_ROWS_MAX, type Column, type DeltaBatch, storageWidth } from './delta-batch.ts';
import { selectRange } from './select.ts';

const MAGIC = 0x3142524d;
const STORAGES: readonly Storage[] = ['u8', 'i32', 'i64', 'f64', 'view'];

/** The batch's rows, weights and row watermarks as bytes. */
export function packBatch(batch: DeltaBatch, types?: readonly DataType[]): Uint8Array {
  assert(
    types === undefined || types.length === batch.columns.length,
    'a batch and its types differ in columns',
  );
  const parts: Uint8Array[] = [header(batch)];
  for (const column of batch.columns) packColumn(batch, column, parts);
  const { u8 } = batch.memory;
  const n = batch.rowCount;
  if (batch.weights !== 0) parts.push(u8.slice(batch.weights, batch.weights + 4 * n));
  if (batch.rowWatermarks !== 0) {
    parts.push(u8.slice(batch.rowWatermarks, batch.rowWatermarks + 8 * n));
  }
  return join(parts);
}

function header(batch: DeltaBatch): Uint8Array {
  const bytes = new Uint8Array(12 + 2 * batch.columns.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, batch.rowCount, true);
  view.setUint16(8, batch.columns.length, true);
  view.setUint16(10, (batch.weights === 0 ? 0 : 1) | (batch.rowWatermarks === 0 ? 0 : 2), true);
  batch.columns.forEach((column, c) => {
    bytes[12 + 2 * c] = STORAGES.indexOf(column.storage);
    bytes[13 + 2 * c] = column.validity === 0 ? 0 : 1;
  });
  return bytes;
}

function packColumn(batch: DeltaBatch, column: Column, parts: Uint8Array[]): void {
  const { u8, u32 } = batch.memory;
  const n = batch.rowCount;
  const { values, validity, storage } = column;
  if (validity !== 0) parts.push(u8.slice(validity, validity + ((n + 7) >>> 3)));
  if (storage !== 'view') {
    parts.push(u8.slice(values, values + n * storageWidth(storage)));
    return;
  }
  const lengths = new Uint32Array(n);
  let total = 0;
  for (let i = 0; i < n; i += 1) {
    const isValid = validity === 0 || ((u8[validity + (i >>> 3)]! >>> (i & 7)) & 1) === 1;
    total += lengths[i] = isValid ? u32[(values >>> 2) + 4 * i]! : 0;
  }
  const bytes = new Uint8Array(total);
  let at = 0;
  for (let i = 0; i < n; i += 1) {
    const length = lengths[i]!;
    const from = length > 12 ? u32[(values >>> 2) + 4 * i + 3]! : values + 16 * i + 4;
    bytes.set(u8.subarray(from, from + length), at);
    at += length;
  }
  parts.push(new Uint8Array(lengths.buffer), bytes);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The rows of packBatch's bytes (several such joined: one after the other), as batches of at most `rowsMax` rows. */
export function unpackBatch(
  bytes: Uint8Array,
  scratch: Scratch,
  rowsMax: number = BATCH_ROWS_MAX,
): DeltaBatch[] {
  const unpacker = new Unpacker(bytes, scratch);
  const batches: DeltaBatch[] = [];
  while (!unpacker.isAtEnd) {
    const whole = unpacker.read();
    for (let from = 0; from < whole.rowCount; from += rowsMax) {
      const count = Math.min(rowsMax, whole.rowCount - from);
      batches.push(selectRange(whole, from, count, scratch));
    }
  }
  return batches;
}

class Unpacker {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #scratch: Scratch;
  #at = 0;

  constructor(bytes: Uint8Array, scratch: Scratch) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#scratch = scratch;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next packed batch. */
  read(): DeltaBatch {
    const start = this.#at;
    this.#take(12);
    const view = this.#view;
    assert(view.getUint32(start, true) === MAGIC, 'packed rows have a wrong head');
    const rowCount = view.getUint32(start + 4, true);
    const columnCount = view.getUint16(start + 8, true);
    const flags = view.getUint16(start + 10, true);
    const kinds = this.#take(2 * columnCount).slice();
    const columns: Column[] = [];
    for (let c = 0; c < columnCount; c += 1) {
      const storage = STORAGES[kinds[2 * c]!];
      assert(storage !== undefined, 'packed rows name an unknown storage');
      columns.push(this.#column(storage, kinds[2 * c + 1] === 1, rowCount));
    }
    const weights = (flags & 1) === 0 ? 0 : this.#block(4 * rowCount);
    const rowWatermarks = (flags & 2) === 0 ? 0 : this.#block(8 * rowCount);
    return { memory: this.#scratch.memory, rowCount, columns, weights, rowWatermarks };
  }

  #column(storage: Storage, hasValidity: boolean, n: number): Column {
    const validity = hasValidity ? this.#block((n + 7) >>> 3) : 0;
    if (storage !== 'view') {
      return { storage, values: this.#block(n * storageWidth(storage)), validity };
    }
    const lengthsAt = this.#at;
    this.#take(4 * n);
    const { memory } = this.#scratch;
    const values = this.#scratch.alloc(Math.max(16, 16 * n));
    for (let i = 0; i < n; i += 1) {
      const text = this.#take(this.#view.getUint32(lengthsAt + 4 * i, true));
      writeView(memory, values + 16 * i, text, this.#scratch);
    }
    return { storage, values, validity };
  }

  #block(size: number): number {
    const bytes = this.#take(size);
    const address = this.#scratch.alloc(Math.max(16, size));
    this.#scratch.memory.u8.set(bytes, address);
    return address;
  }

  #take(size: number): Uint8Array {
    assert(this.#at + size <= this.#bytes.length, 'packed rows end too early');
    const part = this.#bytes.subarray(this.#at, this.#at + size);
    this.#at += size;
    return part;
  }
}
