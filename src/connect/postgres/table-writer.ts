/**
 * TableWriter: the table that the epochs of a spool are delivered to, in transactions with their progress.
 *
 * Rows are gathered and go out in statements of many, the next ones while the server still works on the last; with a key only the
 * newest state of each is kept until then, deletes go before upserts. Correctness: a key is in one statement once, and statements
 * follow one another in the order of epochs.
 */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import { readTextRow } from '../../formats/text-row.ts';
import type { SpoolProgress, SpoolTarget } from '../spool/spool-deliverer.ts';
import { type Frame, recordsOf } from '../spool/spool-frame.ts';
import { PostgresClient, type PostgresConfig } from './client.ts';
import { PostgresError } from './postgres-error.ts';
import { SinkProgress } from './progress-table.ts';
import { columnArrays, quotedTable, type TableName } from './write-statements.ts';

/** Gathered before a statement takes them, in bytes of their records. */
const STATEMENT_BYTES = 1024 * 1024;

export interface TableWriterOptions {
  readonly config: PostgresConfig;
  readonly table: TableName;
  readonly progressTable: TableName;
  readonly uuid: string;
  readonly incarnation: string;
  readonly columnCount: number;
  /** 0: rows have no key and are only added. */
  readonly keyCount: number;
  readonly insert: string;
  readonly delete: string | null;
}

type Row = readonly (string | null)[];

export class TableWriter implements SpoolTarget {
  readonly name: string;
  readonly #options: TableWriterOptions;
  readonly #progress: SinkProgress;
  #client: PostgresClient | null = null;
  #isInTransaction = false;
  /** Without a key: what is to be added. */
  #added: Row[] = [];
  /** With a key, by its bytes: the newest row, or null, and the key. */
  readonly #newest = new Map<string, { readonly key: Row; readonly row: Row | null }>();
  #byteCount = 0;
  /** What the server works on; a failure is told by the next call. */
  #running: Promise<void> = Promise.resolve();

  constructor(options: TableWriterOptions) {
    const { table, progressTable, uuid, incarnation } = options;
    this.name = `table ${quotedTable(table)}`;
    this.#options = options;
    this.#progress = new SinkProgress(progressTable, this.name, uuid, incarnation);
  }

  async start(): Promise<SpoolProgress> {
    this.close();
    this.#forget();
    this.#running = Promise.resolve();
    this.#isInTransaction = false;
    const client = await PostgresClient.connect(this.#options.config);
    this.#client = client;
    return this.#progress.start(client);
  }

  async send(frame: Frame): Promise<void> {
    const { keyCount } = this.#options;
    for (const { key, value } of recordsOf(frame)) {
      const row = value === null ? null : readTextRow(value);
      if (keyCount === 0) this.#added.push(must(row));
      else {
        const bytes = must(key);
        this.#newest.set(bytes.toString('latin1'), { key: readTextRow(bytes), row });
      }
      this.#byteCount += (key?.length ?? 0) + (value?.length ?? 0);
      if (this.#byteCount >= STATEMENT_BYTES) await this.#flush();
    }
  }

  async commit(progress: SpoolProgress): Promise<void> {
    await this.#flush();
    await this.#running;
    const client = await this.#transaction();
    await this.#progress.note(client, progress);
    await client.query('COMMIT');
    this.#isInTransaction = false;
  }

  explain(error: unknown): string {
    if (!(error instanceof PostgresError)) throw error;
    if (error.isPassing) return error.message;
    const isLogin = error.sqlstate?.startsWith('28') ?? false;
    const what = isLogin
      ? 'PostgreSQL refused the login'
      : `PostgreSQL refused a change of ${this.name}`;
    const { detail } = error.fields;
    throw new SqlError(
      must(error.sqlstate),
      [`${what}: ${error.message}`, detail ?? []].flat().join('. '),
    );
  }

  close(): void {
    this.#client?.close();
    this.#client = null;
  }

  async #transaction(): Promise<PostgresClient> {
    const client = must(this.#client);
    if (!this.#isInTransaction)
      await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
    this.#isInTransaction = true;
    return client;
  }

  /** Everything that was gathered begins to go out, once what went before is through. */
  async #flush(): Promise<void> {
    await this.#running;
    const client = await this.#transaction();
    const gone: Row[] = [];
    const rows = [...this.#added];
    for (const { key, row } of this.#newest.values()) {
      if (row === null) gone.push(key);
      else rows.push(row);
    }
    this.#forget();
    this.#running = this.#write(client, gone, rows);
    this.#running.catch(() => undefined);
  }

  async #write(client: PostgresClient, gone: readonly Row[], rows: readonly Row[]): Promise<void> {
    const { insert, delete: remove, columnCount, keyCount } = this.#options;
    if (gone.length > 0) await client.query(must(remove), columnArrays(gone, keyCount));
    if (rows.length > 0) await client.query(insert, columnArrays(rows, columnCount));
  }

  #forget(): void {
    this.#added = [];
    this.#newest.clear();
    this.#byteCount = 0;
  }
}
