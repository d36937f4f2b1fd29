/**
 * CheckpointStore: checkpoints in SQLite, each one transaction: the chunks (64 KiB pages of named memories) that changed
 * since the last one, and a head (epoch, log position, metadata). The store always holds exactly the newest one.
 *
 * Every chunk and the head carry a CRC-32 over their bytes and their key, checked when read: SQLite alone would pass flipped
 * bits on. Cost: save O(changed bytes), load O(all bytes).
 */

import { crc32 } from 'node:zlib';
import Database from 'better-sqlite3';
import { SqlError } from '../base/sql-error.ts';
import { ioError, type LogPosition } from './input-log.ts';

export const PAGE_BYTES = 65_536;
const FORMAT = 1;

/** `pages`: how many are stored; `pageCount`: the memory's size in pages. */
export interface MemoryImage {
  readonly name: string;
  readonly pages: number;
  readonly pageCount: number;
}

/** What a checkpoint says besides the chunks. JSON. */
export interface CheckpointHead {
  readonly epoch: number;
  /** Everything before it in the log is in the checkpoint. */
  readonly position: LogPosition | null;
  readonly reservedThrough: number;
  /** Pages of each memory's image: others that are stored are gone. */
  readonly memories: readonly MemoryImage[];
  /** Catalog, jobs, source positions ...: the dataflow's own. */
  readonly metadata: unknown;
}

/** Changed pages of one memory: `bytes` holds them one behind the other. */
export interface ChangedPages {
  readonly name: string;
  readonly pages: Uint32Array;
  /** Pages that are no longer part of the image. */
  readonly removed: Uint32Array;
  readonly bytes: Uint8Array;
}

export interface StoredPage {
  readonly page: number;
  readonly bytes: Uint8Array;
}

export class CheckpointStore {
  readonly #db: Database.Database;

  /** Opens or makes the database at `file` (`:memory:` in tests). */
  constructor(file: string) {
    try {
      this.#db = new Database(file);
      this.#db.pragma('journal_mode = WAL');
      this.#db.pragma('synchronous = FULL');
      this.#db.pragma('wal_autocheckpoint = 4096');
      this.#migrate();
    } catch (error) {
      throw error instanceof SqlError ? error : storeError('could not open the catalog', error);
    }
  }

  /** Replaces the checkpoint by `head` and what changed, all or nothing; durable on return. */
  save(head: CheckpointHead, changes: readonly ChangedPages[]): void {
    const put = this.#db.prepare(
      'INSERT OR REPLACE INTO chunk (memory, page, checksum, bytes) VALUES (?, ?, ?, ?)',
    );
    const remove = this.#db.prepare('DELETE FROM chunk WHERE memory = ? AND page = ?');
    const names = new Set(head.memories.map((memory) => memory.name));
    try {
      this.#db.transaction(() => {
        for (const { memory } of this.#memories()) {
          if (!names.has(memory)) {
            this.#db.prepare('DELETE FROM chunk WHERE memory = ?').run(memory);
          }
        }
        for (const { name, pages, removed, bytes } of changes) {
          for (const page of removed) remove.run(name, page);
          pages.forEach((page, i) => {
            const chunk = bytes.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
            put.run(name, page, chunkChecksum(name, page, chunk), chunk);
          });
        }
        const json = JSON.stringify(head);
        this.#db
          .prepare('INSERT OR REPLACE INTO head (id, checksum, json) VALUES (1, ?, ?)')
          .run(crc32(json), json);
      })();
    } catch (error) {
      throw storeError('could not write a checkpoint', error);
    }
  }

  /** The newest checkpoint's head; null: there is none. */
  head(): CheckpointHead | null {
    const row = this.#read(() =>
      this.#db.prepare('SELECT checksum, json FROM head WHERE id = 1').get(),
    ) as { checksum: number; json: string } | undefined;
    if (row === undefined) return null;
    if (crc32(row.json) !== row.checksum) throw damage('its head has a wrong checksum');
    return JSON.parse(row.json) as CheckpointHead;
  }

  /** The stored pages of a memory in order, each verified. */
  *pages({ name, pages }: MemoryImage): Generator<StoredPage> {
    let count = 0;
    const rows = this.#db
      .prepare('SELECT page, checksum, bytes FROM chunk WHERE memory = ? ORDER BY page')
      .iterate(name) as IterableIterator<{ page: number; checksum: number; bytes: Buffer }>;
    try {
      for (;;) {
        const next = this.#read(() => rows.next());
        if (next.done === true) break;
        count += 1;
        const { page, checksum, bytes } = next.value;
        if (bytes.length !== PAGE_BYTES || chunkChecksum(name, page, bytes) !== checksum) {
          throw damage(`page ${page} of ${name} has a wrong checksum`);
        }
        yield { page, bytes };
      }
    } finally {
      // A query that is left half way keeps the database busy.
      rows.return?.();
    }
    if (count !== pages) throw damage(`${name} has ${count} pages of ${pages}`);
  }

  close(): void {
    this.#db.close();
  }

  #memories(): { memory: string }[] {
    return this.#db.prepare('SELECT DISTINCT memory FROM chunk').all() as { memory: string }[];
  }

  #migrate(): void {
    const version = this.#db.pragma('user_version', { simple: true }) as number;
    if (version > FORMAT) {
      throw new SqlError('XX001', `the catalog has format ${version}, this build reads ${FORMAT}`, {
        hint: 'Use a newer millrace.',
      });
    }
    if (version === FORMAT) return;
    this.#db.transaction(() => {
      this.#db.exec(`
        CREATE TABLE head (id INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, json TEXT NOT NULL);
        CREATE TABLE chunk (memory TEXT NOT NULL, page INTEGER NOT NULL, checksum INTEGER NOT NULL,
          bytes BLOB NOT NULL, PRIMARY KEY (memory, page));
        PRAGMA user_version = ${FORMAT};`);
    })();
  }

  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw storeError('could not read the checkpoint', error);
    }
  }
}

function chunkChecksum(name: string, page: number, bytes: Uint8Array): number {
  return crc32(bytes, crc32(`${name}/${page}`));
}

function damage(what: string): SqlError {
  return new SqlError('XX001', `the checkpoint is damaged: ${what}`, {
    hint: 'Nothing was changed. Restore the data directory from a backup.',
  });
}

function storeError(what: string, error: unknown): SqlError {
  const code = error instanceof Database.SqliteError ? error.code : '';
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') {
    return damage(error instanceof Error ? error.message : code);
  }
  return ioError(what, error);
}
