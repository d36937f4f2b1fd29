/**
 * ColumnBuilder: takes values one by one and gives a column. Decoders (COPY, CSV, JSON, parameters) and constants use it.
 * Everything lies in scratch (or another allocator): the column lives as long as that.
 *
 * Cost: append O(1) amortised, plus the copy of long bytes.
 */

import type { Memory } from '../memory/memory.ts';
import { type ByteAllocator, writeView } from '../memory/views.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { DEFAULT_SETTINGS, encodeBytes, parseValue } from '../types/value.ts';
import { type Column, storageWidth } from './delta-batch.ts';

const ROWS_MIN = 16;
const decoder = new TextDecoder('utf-8', { fatal: true });

export class ColumnBuilder {
  readonly type: DataType;
  readonly #memory: Memory;
  readonly #allocator: ByteAllocator;
  readonly #width: number;
  #capacity: number;
  #values: number;
  #validity: number;
  #hasNulls = false;
  #rowCount = 0;

  constructor(memory: Memory, allocator: ByteAllocator, type: DataType, capacity = 1024) {
    this.type = type;
    this.#memory = memory;
    this.#allocator = allocator;
    this.#width = storageWidth(type.storage);
    this.#capacity = Math.max(ROWS_MIN, (capacity + 15) & ~15);
    this.#values = allocator.alloc(this.#capacity * this.#width);
    this.#validity = allocator.alloc(this.#capacity >>> 3);
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  get memory(): Memory {
    return this.#memory;
  }

  get allocator(): ByteAllocator {
    return this.#allocator;
  }

  /** Rows that fit at `addresses`: one more moves them. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Where a kernel writes values and validity bits of rows from `rowCount` on; `took` then appends them. */
  get addresses(): { readonly values: number; readonly validity: number } {
    return { values: this.#values, validity: this.#validity };
  }

  /** Appends the row that was written at `addresses`. */
  took(isValid: boolean): void {
    this.#rowCount += 1;
    if (!isValid) this.#hasNulls = true;
  }

  appendNull(): void {
    const i = this.#next(false);
    const { u8, u32 } = this.#memory;
    const width = this.#width;
    if (width === 1) {
      u8[this.#values + i] = 0;
      return;
    }
    // A call of `fill` takes longer than these words.
    const words = width >>> 2;
    const at = (this.#values >>> 2) + i * words;
    for (let word = at; word < at + words; word += 1) u32[word] = 0;
  }

  /** A value of the type's JavaScript form (types/data-type.ts); null is NULL. */
  appendValue(value: Value): void {
    if (value === null) {
      this.appendNull();
      return;
    }
    switch (this.type.storage) {
      case 'u8':
        this.#memory.u8[this.#slot()] = value === true ? 1 : 0;
        return;
      case 'i32':
        this.appendI32(value as number);
        return;
      case 'i64':
        this.appendI64(value as bigint);
        return;
      case 'f64':
        this.appendF64(value as number);
        return;
      case 'view':
        this.appendBytes(encodeBytes(this.type, value));
    }
  }

  /** PostgreSQL's input form as UTF-8 bytes: throws the type's SqlError, and then appends nothing. */
  appendText(bytes: Uint8Array): void {
    // TextDecoder refuses shared memory: such bytes are copied first.
    const own = bytes.buffer instanceof SharedArrayBuffer ? bytes.slice() : bytes;
    this.appendValue(parseValue(this.type, decoder.decode(own), DEFAULT_SETTINGS));
  }

  appendBool(value: boolean): void {
    this.#memory.u8[this.#slot()] = value ? 1 : 0;
  }

  appendI32(value: number): void {
    const at = this.#slot();
    this.#memory.i32[at >>> 2] = value;
  }

  appendI64(value: bigint): void {
    const at = this.#slot();
    this.#memory.i64[at >>> 3] = value;
  }

  /** The i64 of two 32-bit halves, without a BigInt. */
  appendI64Halves(low: number, high: number): void {
    const word = this.#slot() >>> 2;
    const { i32 } = this.#memory;
    i32[word] = low;
    i32[word + 1] = high;
  }

  /** A safe integer, without a BigInt. */
  appendI64Number(value: number): void {
    this.appendI64Halves(value | 0, Math.floor(value / 2 ** 32));
  }

  appendF64(value: number): void {
    const at = this.#slot();
    this.#memory.f64[at >>> 3] = value;
  }

  /** The bytes of a `view` storage as they are stored. */
  appendBytes(bytes: Uint8Array): void {
    writeView(this.#memory, this.#slot(), bytes, this.#allocator);
  }

  /** The column built so far. The builder may go on: the column then stays as it is, its bits behind its rows change. */
  build(): Column {
    return {
      storage: this.type.storage,
      values: this.#values,
      validity: this.#hasNulls ? this.#validity : 0,
    };
  }

  /** Whether the row appended last is NULL. */
  get isLastNull(): boolean {
    const i = this.#rowCount - 1;
    return ((this.#memory.u8[this.#validity + (i >>> 3)]! >>> (i & 7)) & 1) === 0;
  }

  /** Takes back all rows from `rowCount` on: a record that failed half way. */
  truncate(rowCount: number): void {
    if (rowCount < this.#rowCount) this.#rowCount = rowCount;
  }

  /** Address of a new valid row's value. */
  #slot(): number {
    const i = this.#next(true);
    return this.#values + i * this.#width;
  }

  #next(isValid: boolean): number {
    if (this.#rowCount === this.#capacity) this.#grow();
    const i = this.#rowCount;
    const { u8 } = this.#memory;
    const at = this.#validity + (i >>> 3);
    const bit = 1 << (i & 7);
    u8[at] = isValid ? u8[at]! | bit : u8[at]! & ~bit;
    if (!isValid) this.#hasNulls = true;
    this.#rowCount = i + 1;
    return i;
  }

  #grow(): void {
    const capacity = this.#capacity * 2;
    const values = this.#allocator.alloc(capacity * this.#width);
    const validity = this.#allocator.alloc(capacity >>> 3);
    const { u8 } = this.#memory;
    u8.copyWithin(values, this.#values, this.#values + this.#capacity * this.#width);
    u8.copyWithin(validity, this.#validity, this.#validity + (this.#capacity >>> 3));
    this.#values = values;
    this.#validity = validity;
    this.#capacity = capacity;
  }
}
