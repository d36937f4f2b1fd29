/**
 * QueryService: runs ad-hoc queries over a pinned snapshot. Small ones run on the calling (main) thread in slices that let
 * sockets be served in between; what may be big goes to a pool of threads, so that neither a view nor another client waits
 * for it, and so that it can be stopped in the middle of a step.
 */

import type { RelationHandle } from '../dataflow/port.ts';
import type { ScanNode } from '../plan/plan-node.ts';
import { RelationReader } from '../state/relation-reader.ts';
import { MainThreadRows } from './main-thread-rows.ts';
import type { OpenQuery, QueryServiceOptions } from './open-query.ts';
import { type OwnRows, ownRows } from './own-writes.ts';
import { type RelationFacts, workBound } from './query-cost.ts';
import { type QueryMemory, QueryMemoryPool } from './query-memory.ts';
import { QueryPool } from './query-pool.ts';
import type { RowSource } from './row-source.ts';
import { SnapshotAge } from './snapshot-age.ts';
import { sourceRows } from './source-rows.ts';
import { WriteSet } from './write-set.ts';

/** Rows that a query's operators may take in and put out, at worst, on the main thread. */
const MAIN_THREAD_WORK_MAX = 50_000;
/** Rows of a system relation, as far as the choice of a thread goes. */
const SYSTEM_ROWS = 500;
const SYSTEM_ROWS_OF: ReadonlyMap<string, number> = new Map([
  ['pg_attribute', 4000],
  ['pg_proc', 4000],
  ['pg_description', 4000],
  ['pg_depend', 4000],
]);

export class QueryService {
  readonly memories: QueryMemoryPool;
  readonly #options: QueryServiceOptions;
  readonly #readers = new Map<
    number,
    { readonly handle: RelationHandle; readonly reader: RelationReader }
  >();
  readonly #pool: QueryPool;
  readonly #snapshotAge: SnapshotAge;
  readonly #writeMemories = new Map<WriteSet, QueryMemory>();

  constructor(options: QueryServiceOptions) {
    this.#options = options;
    this.memories = new QueryMemoryPool(options.queryMemoryBytes);
    this.#pool = new QueryPool(options);
    this.#snapshotAge = new SnapshotAge(options.engine.control);
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

  /** Starts a query; its rows are pulled from what is given back, which owns the pin. Where it throws, it does not. */
  async open(query: OpenQuery): Promise<RowSource> {
    const { plan } = query.request;
    const own = [
      ...(await ownRows(plan.node, query.writes, query.signal)),
      ...(await sourceRows(query.request, this.#options.engine, query.signal)),
    ];
    if (workBound(plan.node, this.#facts(own)) > MAIN_THREAD_WORK_MAX)
      return this.#pool.open(query, own);
    const request = { ...query.request, batchRowsMax: this.#options.batchRowsMax };
    return new MainThreadRows(query, request, own, this.memories, (id) => this.reader(id));
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

  /** Memories in use: 0 when no statement runs and no cursor is open. */
  get lentMemories(): number {
    return this.memories.lentCount + this.#pool.lentMemories;
  }

  async close(): Promise<void> {
    this.#snapshotAge.close();
    await this.#pool.close();
  }

  #facts(own: readonly OwnRows[]): RelationFacts {
    const ownCount = (id: number) =>
      1024 * (own.find((rows) => rows.relationId === id)?.packed.length ?? 0);
    return {
      rows: ({ relation }) => {
        if (relation.kind === 'system') return SYSTEM_ROWS_OF.get(relation.name) ?? SYSTEM_ROWS;
        return (this.reader(relation.id)?.rowCountEstimate() ?? 0) + ownCount(relation.id);
      },
      key: (scan) => this.#keyOf(scan),
    };
  }

  #keyOf({ relation, columns, columnIndexes }: ScanNode): readonly number[] | null {
    if (relation.kind !== 'system') return this.handle(relation.id)?.schema.key ?? null;
    const oid = columns.findIndex((column) => column.name === 'oid');
    return oid < 0 ? null : [columnIndexes[oid]!];
  }
}
