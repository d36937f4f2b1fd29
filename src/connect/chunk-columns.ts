/** Writes generated columns straight into scratch memory: one buffer a column, no value objects. */

import { type Column, storageWidth } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import { writeView } from '../memory/views.ts';
import type { Storage } from '../types/data-type.ts';

const encoder = new TextEncoder();

export class ChunkColumn {
  readonly #memory: Memory;
  readonly #scratch: Scratch;
  readonly #storage: Storage;
  readonly #values: number;
  readonly #rowCount: number;
  #validity = 0;

  constructor(memory: Memory, scratch: Scratch, storage: Storage, rowCount: number) {
    this.#memory = memory;
    this.#scratch = scratch;
    this.#storage = storage;
    this.#rowCount = rowCount;
    this.#values = scratch.allocZeroed(Math.max(16, storageWidth(storage) * rowCount));
  }

  /** A whole number below 2^53 in absolute value, into i32 or i64. */
  setInteger(row: number, value: number): void {
    if (this.#storage === 'i32') {
      this.#memory.i32[(this.#values >>> 2) + row] = value;
      return;
    }
    const at = (this.#values >>> 2) + 2 * row;
    this.#memory.u32[at] = value >>> 0;
    this.#memory.u32[at + 1] = Math.floor(value / 0x1_0000_0000) >>> 0;
  }

  setFloat(row: number, value: number): void {
    this.#memory.f64[(this.#values >>> 3) + row] = value;
  }

  setBool(row: number, value: boolean): void {
    this.#memory.u8[this.#values + row] = value ? 1 : 0;
  }

  setText(row: number, text: string): void {
    this.setBytes(row, encoder.encode(text));
  }

  setBytes(row: number, bytes: Uint8Array): void {
    writeView(this.#memory, this.#values + 16 * row, bytes, this.#scratch);
  }

  /** Where the 16 bytes of a text's view are to be written. */
  viewAddress(row: number): number {
    return this.#values + 16 * row;
  }

  setNull(row: number): void {
    if (this.#validity === 0) {
      const size = (this.#rowCount + 7) >>> 3;
      this.#validity = this.#scratch.alloc(size);
      this.#memory.u8.fill(0xff, this.#validity, this.#validity + size);
    }
    this.#memory.u8[this.#validity + (row >>> 3)]! &= ~(1 << (row & 7));
  }

  build(): Column {
    return { storage: this.#storage, values: this.#values, validity: this.#validity };
  }
}
