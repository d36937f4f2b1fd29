/** Rows that a statement answers with, pulled batch by batch: what portals, cursors and COPY TO read from. */

import { buildBatch } from '../batch/build-batch.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { DataType, Value } from '../types/data-type.ts';
import type { QueryMemory, QueryMemoryPool } from './query-memory.ts';

export interface RowSource {
  readonly types: readonly DataType[];
  /**
   * The next rows, at most `rowsMax` (and a batch); null: no more. A batch lives until the next call. Throws what stopped
   * the query (57014 when it was cancelled).
   */
  next(rowsMax: number): Promise<DeltaBatch | null>;
  /** Gives back what the rows stand on; safe to call twice. */
  close(): void;
}

/** Rows made by the session itself: SHOW, EXPLAIN and their kin. */
export class ValueRows implements RowSource {
  readonly types: readonly DataType[];
  readonly #rows: readonly (readonly Value[])[];
  readonly #pool: QueryMemoryPool;
  #memory: QueryMemory | null = null;
  #position = 0;

  constructor(
    types: readonly DataType[],
    rows: readonly (readonly Value[])[],
    pool: QueryMemoryPool,
  ) {
    this.types = types;
    this.#rows = rows;
    this.#pool = pool;
  }

  async next(rowsMax: number): Promise<DeltaBatch | null> {
    const rows = this.#rows.slice(this.#position, this.#position + Math.min(rowsMax, 1024));
    if (rows.length === 0) return null;
    this.#position += rows.length;
    this.#memory ??= this.#pool.acquire();
    this.#memory.scratch.reset();
    return buildBatch(this.types, rows, this.#memory.scratch);
  }

  close(): void {
    if (this.#memory !== null) this.#pool.release(this.#memory);
    this.#memory = null;
  }
}

/** No rows of the given shape. */
export function selectNothing(types: readonly DataType[]): RowSource {
  return { types, next: async () => null, close: () => {} };
}
