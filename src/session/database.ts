/**
 * Database: what all sessions of the process share: the newest catalog snapshot, the engine, write locks, the query service,
 * and who is connected.
 */

import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Random } from '../base/random.ts';
import type { SecretBox } from '../base/secret-box.ts';
import { SqlError } from '../base/sql-error.ts';
import { Catalog, type CatalogChange, type CatalogImage } from '../catalog/catalog.ts';
import type { SystemRelation } from '../catalog/objects.ts';
import type { EnginePort } from '../dataflow/client.ts';
import type { CommitResult, DdlAction, DmlChange } from '../dataflow/port.ts';
import type { QueryService } from '../serve/query-service.ts';
import { LockTable } from './locks.ts';
import { TextParser } from './text-parser.ts';

export const DATABASE_NAME = 'millrace';

/** A connected session as others see it. */
export interface ConnectedSession {
  readonly processId: number;
  readonly user: string;
  readonly applicationName: string;
  readonly clientAddress: string;
  readonly state: string;
  readonly query: string;
  readonly startedUs: bigint;
  /** How long the running statement has taken; null: none runs. */
  readonly statementUs: bigint | null;
  cancel(reason: string): void;
}

export interface DatabaseOptions {
  readonly engine: EnginePort;
  readonly queries: QueryService;
  readonly systemRelations: readonly SystemRelation[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly fileRoots: readonly string[];
  readonly dataDir: string;
  readonly secrets: SecretBox;
  readonly batchRowsMax: number;
  /** Settings whose values the server's options fix, as SHOW is to read them. */
  readonly fixedSettings?: Readonly<Record<string, string>>;
}

/** What a transaction brings to its commit. */
export interface TransactionContent {
  readonly changes: readonly CatalogChange[];
  readonly actions: readonly DdlAction[];
  readonly dml: readonly DmlChange[];
  /** What a serializable transaction has read, and when; null: it does not matter. */
  readonly reads: { readonly tableIds: ReadonlySet<number>; readonly epoch: number } | null;
}

export class Database {
  readonly engine: EnginePort;
  readonly queries: QueryService;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly fileRoots: readonly string[];
  readonly secrets: SecretBox;
  readonly batchRowsMax: number;
  readonly fixedSettings: Readonly<Record<string, string>>;
  readonly startedUs: bigint;
  readonly locks = new LockTable();
  readonly parser = new TextParser();
  readonly sessions = new Map<number, ConnectedSession>();
  #catalog: Catalog;
  readonly #lastWrites = new Map<number, number>();
  /** Tables that running commits change, with how many of them. */
  readonly #committing = new Map<number, number>();
  #nextTransactionId = 1;

  constructor(options: DatabaseOptions) {
    this.engine = options.engine;
    this.queries = options.queries;
    this.clock = options.clock;
    this.random = options.random;
    this.log = options.log;
    this.metrics = options.metrics;
    this.fileRoots = options.fileRoots;
    this.secrets = options.secrets;
    this.batchRowsMax = options.batchRowsMax;
    this.fixedSettings = options.fixedSettings ?? {};
    this.startedUs = options.clock.wallUs();
    this.#catalog = firstCatalog(options);
  }

  /**
   * A new database gets schema public as its first object: it can be dropped like any other. Throws where the key does not
   * open the secrets that there are.
   */
  async bootstrap(): Promise<void> {
    for (const { sealed } of this.#catalog.secrets()) this.secrets.open(sealed);
    if (this.engine.recoveredCatalog.nextId !== 0) return;
    const { objects, nextId } = this.#catalog.toImage();
    await this.engine.commit({ ddl: [], catalog: { puts: objects, removes: [], nextId }, dml: [] });
  }

  /** The newest committed catalog. */
  get catalog(): Catalog {
    return this.#catalog;
  }

  /** The epoch of the last committed write to a table since the server started; 0: none. */
  lastWriteEpoch(tableId: number): number {
    return this.#lastWrites.get(tableId) ?? 0;
  }

  nextTransactionId(): number {
    return this.#nextTransactionId++;
  }

  /**
   * Makes a transaction durable and visible, all of it in one epoch. The caller holds the write locks of what it changes
   * (the catalog's for DDL), so that no other commit comes between.
   */
  async commit(content: TransactionContent): Promise<CommitResult> {
    this.#checkReads(content);
    const isDdl = content.changes.length > 0;
    const change = isDdl ? Catalog.merge(content.changes, this.#catalog) : null;
    this.#countCommitting(content.dml, 1);
    try {
      const result = await this.engine.commit({
        ddl: content.actions,
        catalog: change,
        dml: content.dml,
      });
      if (change !== null) this.#catalog = this.#catalog.apply(change);
      for (const { relationId } of content.dml) this.#lastWrites.set(relationId, result.epoch);
      return result;
    } finally {
      this.#countCommitting(content.dml, -1);
    }
  }

  /** A serializable transaction that writes must have read what still holds (semantics.md rule 28). */
  #checkReads({ reads }: TransactionContent): void {
    if (reads === null) return;
    for (const id of reads.tableIds) {
      if (!this.#committing.has(id) && this.lastWriteEpoch(id) <= reads.epoch) continue;
      throw new SqlError(
        '40001',
        'could not serialize access due to read/write dependencies among transactions',
        { hint: 'The transaction might succeed if retried.' },
      );
    }
  }

  #countCommitting(dml: readonly DmlChange[], by: 1 | -1): void {
    for (const { relationId } of dml) {
      const count = (this.#committing.get(relationId) ?? 0) + by;
      if (count === 0) this.#committing.delete(relationId);
      else this.#committing.set(relationId, count);
    }
  }
}

/** The catalog as recovery found it; a new database's own. */
function firstCatalog({ engine, systemRelations }: DatabaseOptions): Catalog {
  const recovered = engine.recoveredCatalog;
  if (recovered.nextId === 0) return Catalog.create(systemRelations);
  return Catalog.fromImage(recovered as unknown as CatalogImage, systemRelations);
}
