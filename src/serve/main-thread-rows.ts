/** A small query, run on the thread that asks for its rows, in slices. */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { RelationReader } from '../state/relation-reader.ts';
import type { DataType } from '../types/data-type.ts';
import type { OpenQuery } from './open-query.ts';
import type { OwnRows } from './own-writes.ts';
import { QueryExecution, type QueryRequest } from './query-execution.ts';
import type { QueryMemory, QueryMemoryPool } from './query-memory.ts';
import type { RowSource } from './row-source.ts';
import { Slice } from './slice.ts';
import { SnapshotInputs, systemBatches } from './snapshot-inputs.ts';

export class MainThreadRows implements RowSource {
  readonly types: readonly DataType[];
  readonly #query: OpenQuery;
  readonly #memories: QueryMemoryPool;
  readonly #memory: QueryMemory;
  readonly #execution: QueryExecution;
  #mark: number;
  #isClosed = false;

  constructor(
    query: OpenQuery,
    request: QueryRequest,
    ownRows: readonly OwnRows[],
    memories: QueryMemoryPool,
    reader: (id: number) => RelationReader | undefined,
  ) {
    this.#query = query;
    this.#memories = memories;
    this.#memory = memories.acquire();
    const { plan } = request;
    this.types = plan.node.columns.slice(0, plan.visibleCount).map((column) => column.type);
    const inputs = new SnapshotInputs({
      reader,
      epoch: query.pin.epoch,
      checkEpoch: () => query.pin.check(),
      ownRows,
      systemRows: (node, _index, target) => systemBatches(node, query.systemRows, target),
    });
    try {
      this.#execution = new QueryExecution(request, inputs, this.#memory);
    } catch (error) {
      this.#isClosed = true;
      memories.release(this.#memory);
      throw error;
    }
    this.#mark = this.#memory.scratch.mark();
  }

  async next(rowsMax: number): Promise<DeltaBatch | null> {
    if (this.#isClosed) return null;
    this.#memory.scratch.release(this.#mark);
    const slice = new Slice(this.#query.signal);
    while (!this.#execution.hasRows && !this.#execution.isFinished) {
      slice.check();
      this.#execution.step();
      await slice.pause();
      if (this.#isClosed) return null;
    }
    slice.check();
    this.#mark = this.#memory.scratch.mark();
    return this.#execution.take(rowsMax);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#query.pin.release();
    this.#memories.release(this.#memory);
  }
}
