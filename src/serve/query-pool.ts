/** The query pool: threads (piscina) for heavy SELECTs, and their rows as the main thread takes them. */

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { entry, fromPortError } from '../base/threads.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { unpackBatch } from '../batch/pack.ts';
import { selectRange } from '../batch/select.ts';
import type { RelationHandle } from '../dataflow/port.ts';
import type { DataType } from '../types/data-type.ts';
import {
  CANCEL_WORD,
  CONTROL_BYTES,
  CREDIT_WORD,
  CREDITS,
  type FromQuery,
  type QueryTask,
  type RowPort,
} from './pool-port.ts';
import { type QueryMemory, QueryMemoryPool } from './query-memory.ts';
import { type OpenQuery, type QueryServiceOptions, scansOf } from './query-service.ts';
import type { RowSource } from './row-source.ts';

/** Threads that are kept when idle make the first heavy query quick; more come as needed. */
const THREADS_MAX = Math.max(1, availableParallelism() - 1);
const IDLE_TIMEOUT_MS = 30_000;
/** Queries that wait for a thread at most; more are refused (53000). */
const QUEUE_MAX = 1000;

export class QueryPool {
  readonly #options: QueryServiceOptions;
  #piscina: Piscina<QueryTask, void> | null = null;
  readonly #memories: QueryMemoryPool;

  constructor(options: QueryServiceOptions) {
    this.#options = options;
    this.#memories = new QueryMemoryPool(options.queryMemoryBytes);
  }

  open(query: OpenQuery): RowSource {
    const { request, pin } = query;
    const control = new SharedArrayBuffer(CONTROL_BYTES);
    Atomics.store(new Int32Array(control), CREDIT_WORD, CREDITS);
    const { port1, port2 } = new MessageChannel();
    const task: QueryTask = {
      plan: request.plan,
      limit: Number.isFinite(request.limit) ? request.limit : null,
      offset: request.offset,
      settings: request.settings,
      nowUs: request.nowUs,
      epoch: pin.epoch,
      relations: this.#relations(query),
      kernels: this.#options.kernels,
      queryMemoryBytes: this.#options.queryMemoryBytes,
      batchRowsMax: this.#options.batchRowsMax,
      control,
      port: port2,
    };
    const rows = new PooledRows(query, control, port1, this.#memories);
    this.#pool()
      .run(task, { transferList: [port2] })
      .catch((error: unknown) => rows.fail(error));
    return rows;
  }

  async close(): Promise<void> {
    await this.#piscina?.destroy();
    this.#piscina = null;
  }

  #pool(): Piscina<QueryTask, void> {
    this.#piscina ??= new Piscina<QueryTask, void>({
      filename: fileURLToPath(entry(import.meta.url, './query-thread.ts')),
      name: 'run',
      minThreads: 0,
      maxThreads: THREADS_MAX,
      idleTimeout: IDLE_TIMEOUT_MS,
      maxQueue: QUEUE_MAX,
    });
    return this.#piscina;
  }

  #relations({ request }: OpenQuery): RelationHandle[] {
    const ids = new Set([...scansOf(request.plan.node)].map((scan) => scan.relation.id));
    return [...ids].flatMap((id) => this.#options.engine.relation(id) ?? []);
  }
}

/** Rows that a query thread sends, a bounded number of batches ahead of the client. */
class PooledRows implements RowSource {
  readonly types: readonly DataType[];
  readonly #query: OpenQuery;
  readonly #control: Int32Array;
  readonly #port: RowPort;
  readonly #memories: QueryMemoryPool;
  readonly #memory: QueryMemory;
  readonly #arrived: Uint8Array[] = [];
  readonly #onAbort = () => this.#cancel();
  #error: unknown = null;
  #hasEnded = false;
  #isClosed = false;
  #wake: (() => void) | null = null;
  #batch: DeltaBatch | null = null;
  #offset = 0;

  constructor(
    query: OpenQuery,
    control: SharedArrayBuffer,
    port: RowPort,
    memories: QueryMemoryPool,
  ) {
    const { plan } = query.request;
    this.types = plan.node.columns.slice(0, plan.visibleCount).map((column) => column.type);
    this.#query = query;
    this.#control = new Int32Array(control);
    this.#port = port;
    this.#memories = memories;
    this.#memory = memories.acquire();
    port.on('message', (message: FromQuery) => this.#onMessage(message));
    query.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  async next(rowsMax: number): Promise<DeltaBatch | null> {
    for (;;) {
      this.#query.signal.throwIfAborted();
      if (this.#error !== null) throw this.#error;
      const part = this.#part(rowsMax);
      if (part !== null) return part;
      const bytes = this.#arrived.shift();
      if (bytes !== undefined) this.#open(bytes);
      else if (this.#hasEnded || this.#isClosed) return null;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancel();
    this.#query.signal.removeEventListener('abort', this.#onAbort);
    this.#memories.release(this.#memory);
    if (this.#hasEnded) this.#finish();
  }

  /** The thread could not be given the task, or died with it. */
  fail(error: unknown): void {
    this.#error ??= error;
    this.#finish();
    this.#awake();
  }

  #open(bytes: Uint8Array): void {
    this.#memory.scratch.reset();
    this.#batch = unpackBatch(bytes, this.#memory.scratch)[0] ?? null;
    this.#offset = 0;
    Atomics.add(this.#control, CREDIT_WORD, 1);
    Atomics.notify(this.#control, CREDIT_WORD);
  }

  #part(rowsMax: number): DeltaBatch | null {
    const batch = this.#batch;
    if (batch === null || this.#offset >= batch.rowCount) return null;
    const count = Math.min(rowsMax, batch.rowCount - this.#offset);
    const from = this.#offset;
    this.#offset += count;
    return count === batch.rowCount ? batch : selectRange(batch, from, count, this.#memory.scratch);
  }

  #onMessage(message: FromQuery): void {
    if (message.kind === 'rows') this.#arrived.push(message.bytes);
    else {
      this.#hasEnded = true;
      if (message.kind === 'error') this.#error ??= fromPortError(message.error);
      this.#finish();
    }
    this.#awake();
  }

  /** The snapshot stays pinned until the thread has let go of it. */
  #finish(): void {
    this.#hasEnded = true;
    this.#query.pin.release();
    this.#port.close();
  }

  #cancel(): void {
    Atomics.store(this.#control, CANCEL_WORD, 1);
    Atomics.add(this.#control, CREDIT_WORD, 1);
    Atomics.notify(this.#control, CREDIT_WORD);
    this.#awake();
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
