/** Makes the result column of n groups in scratch. */

import type { Column } from '../../batch/delta-batch.ts';
import { storageWidth } from '../../batch/delta-batch.ts';
import type { Scratch } from '../../memory/scratch.ts';
import { writeView } from '../../memory/views.ts';
import type { Storage } from '../../types/data-type.ts';

export class ResultColumn {
  readonly #scratch: Scratch;
  readonly #storage: Storage;
  readonly #values: number;
  readonly #validity: number;
  #hasNulls = false;

  constructor(scratch: Scratch, storage: Storage, n: number) {
    this.#scratch = scratch;
    this.#storage = storage;
    this.#values = scratch.allocZeroed(Math.max(16, n * storageWidth(storage)));
    this.#validity = scratch.alloc((n + 7) >>> 3);
    scratch.memory.u8.fill(0xff, this.#validity, this.#validity + ((n + 7) >>> 3));
  }

  setNull(i: number): void {
    this.#hasNulls = true;
    this.#scratch.memory.u8[this.#validity + (i >>> 3)]! &= ~(1 << (i & 7));
  }

  setBool(i: number, value: boolean): void {
    this.#scratch.memory.u8[this.#values + i] = value ? 1 : 0;
  }

  setI64(i: number, value: bigint): void {
    this.#scratch.memory.i64[(this.#values >>> 3) + i] = value;
  }

  setF64(i: number, value: number): void {
    this.#scratch.memory.f64[(this.#values >>> 3) + i] = value;
  }

  /** Copies an i64 by words. */
  copyI64(i: number, from: number): void {
    const { u32 } = this.#scratch.memory;
    u32[(this.#values >>> 2) + 2 * i] = u32[from >>> 2]!;
    u32[(this.#values >>> 2) + 2 * i + 1] = u32[(from >>> 2) + 1]!;
  }

  setBytes(i: number, bytes: Uint8Array): void {
    writeView(this.#scratch.memory, this.#values + 16 * i, bytes, this.#scratch);
  }

  /** Copies the value at an address; long bytes go into scratch. */
  copyValue(i: number, from: number): void {
    const { memory } = this.#scratch;
    const width = storageWidth(this.#storage);
    const to = this.#values + i * width;
    memory.u8.copyWithin(to, from, from + width);
    if (this.#storage !== 'view') return;
    const length = memory.u32[to >>> 2]!;
    if (length <= 12) return;
    const source = memory.u32[(to >>> 2) + 3]!;
    const copy = this.#scratch.alloc(length);
    memory.u8.copyWithin(copy, source, source + length);
    memory.u32[(to >>> 2) + 3] = copy;
  }

  build(): Column {
    return {
      storage: this.#storage,
      values: this.#values,
      validity: this.#hasNulls ? this.#validity : 0,
    };
  }
}
