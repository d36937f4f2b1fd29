/**
 * QueryService: runs ad-hoc queries over a pinned snapshot. Small ones run on the calling (main) thread in slices that let
 * sockets be served in between; big ones go to a pool of threads, so that neither a view nor another client waits for them.
 */

import type { Log } from '../base/log.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { EnginePort } from '../dataflow/client.ts';
import type { RelationHandle } from '../dataflow/port.ts';
import type { PlanNode } from '../plan/plan-node.ts';
import type { EpochPin } from '../state/epoch-control.ts';
import { RelationReader } from '../state/relation-reader.ts';
import type { DataType } from '../types/data-type.ts';
import { QueryExecution, type QueryRequest } from './query-execution.ts';
import { type QueryMemory, QueryMemoryPool } from './query-memory.ts';
import { QueryPool } from './query-pool.ts';
import type { RowSource } from './row-source.ts';
import { SnapshotInputs, type SystemRowsProvider } from './snapshot-inputs.ts';
import { WriteSet } from './write-set.ts';

export interface QueryServiceOptions {
  readonly engine: EnginePort;
  readonly log: Log;
  readonly kernels: 'auto' | 'ts';
  readonly queryMemoryBytes: number;
  readonly batchRowsMax: number;
}

export interface OpenQuery {
  readonly request: Omit<QueryRequest, 'batchRowsMax'>;
  /** Released when the rows are closed. */
  readonly pin: EpochPin;
  readonly writes: WriteSet | null;
  readonly systemRows: SystemRowsProvider;
  /** Aborted with the error to throw. */
  readonly signal: AbortSignal;
  /** The query calls functions that ask the session: it stays on this thread. */
  readonly needsSession: boolean;
}

/** Stored rows up to which a query runs on the main thread. */
const MAIN_THREAD_ROWS_MAX = 20_000;
/** How long the main thread works before it looks after its sockets. */
const SLICE_MS = 4;

export class QueryService {
  readonly memories: QueryMemoryPool;
  readonly #options: QueryServiceOptions;
  readonly #readers = new Map<
    number,
    { readonly handle: RelationHandle; readonly reader: RelationReader }
  >();
  readonly #pool: QueryPool;
  readonly #writeMemories = new Map<WriteSet, QueryMemory>();

  constructor(options: QueryServiceOptions) {
    this.#options = options;
    this.memories = new QueryMemoryPool(options.queryMemoryBytes);
    this.#pool = new QueryPool(options);
  }

  /** How to read a stored relation on this thread. */
  reader(relationId: number): RelationReader | undefined {
    const handle = this.#options.engine.relation(relationId);
    if (handle === undefined) {
      this.#readers.delete(relationId);
      return undefined;
    }
    const known = this.#readers.get(relationId);
    if (known?.handle === handle) return known.reader;
    const reader = new RelationReader(handle.wasm, handle.headerAddress, handle.schema);
    this.#readers.set(relationId, { handle, reader });
    return reader;
  }

  handle(relationId: number): RelationHandle | undefined {
    return this.#options.engine.relation(relationId);
  }

  /** Starts a query; its rows are pulled from what is given back. */
  open(query: OpenQuery): RowSource {
    const { plan } = query.request;
    const mayLeave =
      !query.needsSession &&
      (query.writes === null || query.writes.isEmpty) &&
      !readsSystem(plan.node);
    if (mayLeave && this.#storedRows(plan.node, query.pin.epoch) > MAIN_THREAD_ROWS_MAX)
      return this.#pool.open(query);
    const request = { ...query.request, batchRowsMax: this.#options.batchRowsMax };
    return new MainThreadRows(query, request, this.memories, (id) => this.reader(id));
  }

  /** The transaction's write set, made when it first writes. */
  writeSetOf(transaction: { writeSet(open: () => WriteSet): WriteSet }): WriteSet {
    return transaction.writeSet(() => {
      const memory = this.memories.acquire();
      const writes = new WriteSet(memory.memory, memory.scratch);
      this.#writeMemories.set(writes, memory);
      return writes;
    });
  }

  /** The transaction has ended. */
  releaseWrites(writes: WriteSet): void {
    const memory = this.#writeMemories.get(writes);
    if (memory !== undefined) this.memories.release(memory);
    this.#writeMemories.delete(writes);
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  #storedRows(node: PlanNode, epoch: number): number {
    let rows = 0;
    for (const scan of scansOf(node)) {
      if (scan.relation.kind === 'system') continue;
      rows += this.reader(scan.relation.id)?.rowCountEstimate() ?? 0;
      if (rows > MAIN_THREAD_ROWS_MAX) break;
    }
    return epoch === 0 ? 0 : rows;
  }
}

/** Every scan of a plan. */
export function* scansOf(node: PlanNode): Generator<Extract<PlanNode, { kind: 'scan' }>> {
  if (node.kind === 'scan') yield node;
  else if (node.kind === 'union') for (const input of node.inputs) yield* scansOf(input);
  else if (node.kind === 'join' || node.kind === 'set_operation') {
    yield* scansOf(node.left);
    yield* scansOf(node.right);
  } else if (node.kind !== 'values') yield* scansOf(node.input);
}

function readsSystem(node: PlanNode): boolean {
  for (const scan of scansOf(node)) if (scan.relation.kind === 'system') return true;
  return false;
}

/** A query that runs on the thread that asks for its rows. */
class MainThreadRows implements RowSource {
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
      writes: query.writes,
      systemRows: query.systemRows,
    });
    try {
      this.#execution = new QueryExecution(request, inputs, this.#memory);
    } catch (error) {
      this.#isClosed = true;
      query.pin.release();
      memories.release(this.#memory);
      throw error;
    }
    this.#mark = this.#memory.scratch.mark();
  }

  async next(rowsMax: number): Promise<DeltaBatch | null> {
    if (this.#isClosed) return null;
    this.#memory.scratch.release(this.#mark);
    let sliceEnd = performance.now() + SLICE_MS;
    while (!this.#execution.hasRows && !this.#execution.isFinished) {
      this.#query.signal.throwIfAborted();
      this.#execution.step();
      if (performance.now() < sliceEnd) continue;
      await nextTurn();
      sliceEnd = performance.now() + SLICE_MS;
    }
    this.#query.signal.throwIfAborted();
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

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
