/** The query pool: threads (piscina) for SELECTs that may be heavy. */

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { entry } from '../base/threads.ts';
import { packBatch } from '../batch/pack.ts';
import type { RelationHandle } from '../dataflow/port.ts';
import type { OpenQuery, QueryServiceOptions } from './open-query.ts';
import type { OwnRows } from './own-writes.ts';
import { CONTROL_BYTES, CREDIT_WORD, CREDITS, type QueryTask, type RowPort } from './pool-port.ts';
import { PooledRows } from './pooled-rows.ts';
import { QueryMemoryPool } from './query-memory.ts';
import type { RowSource } from './row-source.ts';
import { scansOf } from './scans.ts';
import { type SessionLink, sessionLink } from './session-questions.ts';
import { Slice } from './slice.ts';
import { systemBatches } from './snapshot-inputs.ts';

/**
 * A thread is held while its client reads a long result slowly (an idle cursor over more rows than fit under way), so there
 * are many more than processors; they are started as needed.
 */
const THREADS_MAX = Math.max(16, 2 * availableParallelism());
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

  async open(query: OpenQuery, ownRows: readonly OwnRows[]): Promise<RowSource> {
    const systemRows = await this.#systemRows(query);
    const control = new SharedArrayBuffer(CONTROL_BYTES);
    Atomics.store(new Int32Array(control), CREDIT_WORD, CREDITS);
    const { port1, port2 } = new MessageChannel();
    const { environment } = query.request;
    const session = query.needsSession && environment !== null ? sessionLink(environment) : null;
    const task = this.#task(query, { ownRows, systemRows, session, control, port: port2 });
    const kill = new AbortController();
    const rows = new PooledRows(query, { control, port: port1, session, kill }, this.#memories);
    this.#pool()
      .run(task, { transferList: [port2], signal: kill.signal })
      .catch((error: unknown) => rows.fail(error));
    return rows;
  }

  get lentMemories(): number {
    return this.#memories.lentCount;
  }

  async close(): Promise<void> {
    await this.#piscina?.destroy();
    this.#piscina = null;
  }

  #task(
    query: OpenQuery,
    parts: {
      readonly ownRows: readonly OwnRows[];
      readonly systemRows: ReadonlyMap<number, readonly Uint8Array[]>;
      readonly session: SessionLink | null;
      readonly control: SharedArrayBuffer;
      readonly port: RowPort;
    },
  ): QueryTask {
    const { request, pin } = query;
    return {
      ...parts,
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
    };
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

  /** System relations are known on this thread only: their rows go along. */
  async #systemRows({
    request,
    systemRows,
    signal,
  }: OpenQuery): Promise<Map<number, readonly Uint8Array[]>> {
    const all = new Map<number, readonly Uint8Array[]>();
    const slice = new Slice(signal);
    for (const [index, scan] of [...scansOf(request.plan.node)].entries()) {
      if (scan.relation.kind !== 'system') continue;
      const memory = this.#memories.acquire();
      const types = scan.columns.map((column) => column.type);
      const packed: Uint8Array[] = [];
      try {
        for (const batch of systemBatches(scan, systemRows, memory)) {
          packed.push(packBatch(batch, types));
          memory.scratch.reset();
          await slice.pause();
        }
      } finally {
        this.#memories.release(memory);
      }
      all.set(index, packed);
    }
    return all;
  }
}
