/**
 * Transaction: what a client has done and not yet committed: DDL as an overlay of the catalog, DML as a write set, and, above
 * READ COMMITTED, the one epoch that it reads (semantics.md rule 28).
 */

import { SqlError } from '../base/sql-error.ts';
import type { Catalog, CatalogChange } from '../catalog/catalog.ts';
import type { DdlAction, DmlChange } from '../dataflow/port.ts';
import { Slice } from '../serve/slice.ts';
import { concatBytes, type WriteSet } from '../serve/write-set.ts';
import type { EpochPin } from '../state/epoch-control.ts';
import type { Database } from './database.ts';
import { CATALOG_LOCK, type LockOwner, type LockWait } from './locks.ts';

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

export class Transaction implements LockOwner {
  readonly id: number;
  readonly database: Database;
  /** now(): the instant at which the transaction began. */
  readonly startedUs: bigint;
  isolation: Isolation = 'read committed';
  isReadOnly = false;
  readonly actions: DdlAction[] = [];
  readonly #changes: CatalogChange[] = [];
  readonly #readTables = new Set<number>();
  #overlay: Catalog | null = null;
  #writes: WriteSet | null = null;
  #pin: EpochPin | null = null;
  #snapshotCatalog: Catalog | null = null;
  #statement = 0;
  #readEpoch: number | null = null;
  #hasRead = false;

  constructor(database: Database) {
    this.database = database;
    this.id = database.nextTransactionId();
    this.startedUs = database.clock.wallUs();
  }

  /** The catalog as this transaction sees it. */
  get catalog(): Catalog {
    return this.#overlay ?? this.#snapshotCatalog ?? this.database.catalog;
  }

  get writes(): WriteSet | null {
    return this.#writes;
  }

  get hasChanges(): boolean {
    return (
      this.#changes.length > 0 ||
      this.actions.length > 0 ||
      (this.#writes !== null && !this.#writes.isEmpty)
    );
  }

  /** It has read or written: its isolation level stays what it is. */
  get hasBegun(): boolean {
    return this.#hasRead || this.hasChanges;
  }

  /** Number of the running statement; starts at 1. */
  get statement(): number {
    return this.#statement;
  }

  nextStatement(): number {
    return ++this.#statement;
  }

  /**
   * The epoch that the running statement reads, pinned. READ COMMITTED: the newest; above: that of the first statement. The
   * caller releases what it is given.
   */
  pin(): EpochPin {
    const { control } = this.database.engine;
    this.#hasRead = true;
    if (this.isolation === 'read committed') return control.pin();
    if (this.#pin === null) {
      this.#pin = control.pin();
      this.#readEpoch = this.#pin.epoch;
      this.#snapshotCatalog = this.database.catalog;
    }
    return control.pin(this.#pin.epoch);
  }

  /** The epoch fixed by the first statement; null under READ COMMITTED or before it. */
  get fixedEpoch(): number | null {
    return this.#readEpoch;
  }

  /** Takes the lock of all DDL; the catalog stays as it is until the transaction ends. */
  async lockCatalog(wait: LockWait): Promise<void> {
    this.requireWritable('DDL');
    await this.database.locks.acquire(this, CATALOG_LOCK, wait);
    this.#snapshotCatalog = null;
  }

  async lockTable(relationId: number, wait: LockWait): Promise<void> {
    await this.database.locks.acquire(this, relationId, wait);
  }

  requireWritable(what: string): void {
    if (this.isReadOnly) {
      throw new SqlError('25006', `cannot execute ${what} in a read-only transaction`);
    }
  }

  /** Adds DDL: what it does to the catalog, and what the engine does for it. */
  addDdl(change: CatalogChange, actions: readonly DdlAction[]): void {
    this.#overlay = this.catalog.apply(change);
    this.#changes.push(change);
    this.actions.push(...actions);
    for (const action of actions) if (action.kind === 'drop') this.#writes?.forget(action.id);
  }

  /** A statement reads the relation; what stands behind a view is read too. */
  noteRead(relationId: number): void {
    if (this.isolation !== 'serializable' || this.#readTables.has(relationId)) return;
    this.#readTables.add(relationId);
    const object = this.catalog.object(relationId);
    if (object?.kind !== 'materialized_view' && object?.kind !== 'view') return;
    for (const id of object.dependsOn) this.noteRead(id);
  }

  /** The write set, opened by `open` when it is first needed. */
  writeSet(open: () => WriteSet): WriteSet {
    this.#writes ??= open();
    return this.#writes;
  }

  async commit(): Promise<void> {
    if (!this.hasChanges) return;
    await this.database.commit({
      changes: this.#changes,
      actions: this.actions,
      dml: await this.#packWrites(),
      reads:
        this.isolation === 'serializable' && this.#readEpoch !== null
          ? { tableIds: this.#readTables, epoch: this.#readEpoch }
          : null,
    });
  }

  /** Gives back all that the transaction holds; after commit and rollback alike. */
  end(release: (writes: WriteSet) => void): void {
    this.#pin?.release();
    this.#pin = null;
    if (this.#writes !== null) release(this.#writes);
    this.#writes = null;
    this.database.locks.releaseAll(this);
  }

  /** Long ones let others run in between; a COMMIT is not cancelled. */
  async #packWrites(): Promise<DmlChange[]> {
    const slice = new Slice(new AbortController().signal);
    const dml: DmlChange[] = [];
    for (const writes of this.#writes?.tables ?? []) {
      const { relationId } = writes.table;
      for (const { judge, batches } of writes.parts()) {
        const packed: Uint8Array[] = [];
        for (const bytes of batches ?? []) {
          packed.push(bytes);
          await slice.pause();
        }
        if (batches === null) dml.push({ relationId, rows: null, judge });
        else if (packed.length > 0) dml.push({ relationId, rows: concatBytes(packed), judge });
      }
    }
    return dml;
  }
}
