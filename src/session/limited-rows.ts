/** A bounded number of rows of a cursor, which stays open behind them: FETCH. */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { RowSource } from '../serve/row-source.ts';
import type { DataType } from '../types/data-type.ts';
import type { Cursor } from './cursor.ts';

export class LimitedRows implements RowSource {
  readonly types: readonly DataType[];
  readonly #cursor: Cursor;
  #left: number;

  constructor(cursor: Cursor, count: number) {
    this.types = cursor.rows.types;
    this.#cursor = cursor;
    this.#left = count;
  }

  async next(rowsMax: number): Promise<DeltaBatch | null> {
    if (this.#left === 0) return null;
    const batch = await this.#cursor.rows.next(Math.min(rowsMax, this.#left));
    const rowCount = batch?.rowCount ?? 0;
    this.#left = batch === null ? 0 : this.#left - rowCount;
    this.#cursor.position += rowCount;
    return batch;
  }

  close(): void {
    this.#left = 0;
  }
}
