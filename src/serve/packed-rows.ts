/** Rows kept packed until they are asked for: RETURNING, and results that outlive what made them. */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import { unpackBatch } from '../batch/pack.ts';
import { selectRange } from '../batch/select.ts';
import type { DataType } from '../types/data-type.ts';
import type { QueryMemory, QueryMemoryPool } from './query-memory.ts';
import type { RowSource } from './row-source.ts';

export class PackedRows implements RowSource {
  readonly types: readonly DataType[];
  readonly #packed: readonly Uint8Array[];
  readonly #pool: QueryMemoryPool;
  #memory: QueryMemory | null = null;
  #next = 0;
  #batches: DeltaBatch[] = [];
  #offset = 0;

  constructor(types: readonly DataType[], packed: readonly Uint8Array[], pool: QueryMemoryPool) {
    this.types = types;
    this.#packed = packed;
    this.#pool = pool;
  }

  async next(rowsMax: number): Promise<DeltaBatch | null> {
    this.#memory ??= this.#pool.acquire();
    const { scratch } = this.#memory;
    for (;;) {
      const batch = this.#batches[0];
      if (batch !== undefined && this.#offset < batch.rowCount) {
        const count = Math.min(rowsMax, batch.rowCount - this.#offset);
        const part = selectRange(batch, this.#offset, count, scratch);
        this.#offset += count;
        return part;
      }
      this.#offset = 0;
      if (this.#batches.length > 1) {
        this.#batches.shift();
        continue;
      }
      const bytes = this.#packed[this.#next++];
      if (bytes === undefined) return null;
      scratch.reset();
      this.#batches = unpackBatch(bytes, scratch);
    }
  }

  close(): void {
    if (this.#memory !== null) this.#pool.release(this.#memory);
    this.#memory = null;
    this.#batches = [];
    this.#next = this.#packed.length;
  }
}
