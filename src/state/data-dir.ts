/**
 * DataDir: the directory where everything durable lies, held by one server at a time.
 *
 *   millrace.json   format number and incarnation (a UUID made with the directory)
 *   lock            a SQLite file whose exclusive lock is ours; the kernel releases it with the process
 *   catalog.db      SQLite: checkpoints
 *   log/            the input log
 *   sinks/          what sinks have not delivered yet, by their UUIDs
 * `:memory:` is no directory: `DataDir.open` is not called for it.
 */

import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { writeDurably } from '../base/durable-file.ts';
import { fileProblem } from '../base/file-problem.ts';
import { systemRandomBytes } from '../base/random.ts';
import { syncDirectory } from '../base/sync-directory.ts';

/** One line that says what to do; the process ends with exit code 1. */
export class DataDirError extends Error {
  override readonly name = 'DataDirError';
}

/**
 * 2: the rows of aggregates hold no results. 3: the first row of a partition may be all that is kept of it. 4: dead letters
 * lie in pages. Goes up with every change of what lies in the memories of a checkpoint.
 */
const FORMAT = 4;
const LOCK_RETRY_MS = 100;
const LOCK_TIMEOUT_MS = 5000;

export class DataDir {
  readonly path: string;
  /** Made with the directory: progress kept elsewhere names it. */
  readonly incarnation: string;
  readonly #lock: Database.Database;

  private constructor(directory: string, incarnation: string, lock: Database.Database) {
    this.path = directory;
    this.incarnation = incarnation;
    this.#lock = lock;
  }

  /** Makes or opens the directory and takes its lock, waiting up to `lockTimeoutMs` for it. Throws DataDirError. */
  static async open(directory: string, lockTimeoutMs = LOCK_TIMEOUT_MS): Promise<DataDir> {
    makeDirectory(directory);
    readFormat(directory);
    const lock = await takeLock(directory, lockTimeoutMs);
    try {
      const incarnation = readFormat(directory) ?? writeFormat(directory);
      return new DataDir(directory, incarnation, lock);
    } catch (error) {
      lock.close();
      throw error instanceof DataDirError ? error : unusable(directory, error);
    }
  }

  get logDirectory(): string {
    return path.join(this.path, 'log');
  }

  get sinkDirectory(): string {
    return path.join(this.path, 'sinks');
  }

  get databasePath(): string {
    return path.join(this.path, 'catalog.db');
  }

  /**
   * Removes what sinks that there are not have kept: a crash in the middle of CREATE SINK leaves it. `uuids`: of those that
   * there are. The names of what was removed, or could not be, with the reason then.
   */
  removeStraySinks(
    uuids: ReadonlySet<string>,
  ): { readonly name: string; readonly problem: string | null }[] {
    return namesIn(this.sinkDirectory)
      .filter((name) => UUID.test(name) && !uuids.has(name))
      .map((name) => ({ name, problem: removeAll(path.join(this.sinkDirectory, name)) }));
  }

  /** Gives the lock back. */
  close(): void {
    this.#lock.close();
  }
}

/** How the directories of sinks are named. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Directories in a directory, which may not be there. Links are none. */
function namesIn(directory: string): string[] {
  if (!fs.existsSync(directory)) return [];
  const entries = fs.readdirSync(directory, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** Why it could not be removed; null: it is gone. */
function removeAll(directory: string): string | null {
  try {
    fs.rmSync(directory, { recursive: true });
    return null;
  } catch (error) {
    return fileProblem(error);
  }
}

function makeDirectory(directory: string): void {
  try {
    makeMissing(path.resolve(directory));
    if (!fs.statSync(directory).isDirectory()) {
      throw new DataDirError(`data directory ${directory} is a file; choose another --data-dir`);
    }
    fs.accessSync(directory, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
  } catch (error) {
    throw error instanceof DataDirError ? error : unusable(directory, error);
  }
}

/** Makes a directory and what is missing above it. (mkdir's own recursion never ends where a parent cannot hold any, as /proc.) */
function makeMissing(directory: string): void {
  if (fs.existsSync(directory)) return;
  const parent = path.dirname(directory);
  makeMissing(parent);
  fs.mkdirSync(directory, { mode: 0o700 });
  syncDirectory(parent);
}

async function takeLock(directory: string, timeoutMs: number): Promise<Database.Database> {
  const attempts = Math.floor(timeoutMs / LOCK_RETRY_MS);
  for (let attempt = 0; ; attempt++) {
    const lock = tryLock(directory);
    if (lock !== null) return lock;
    if (attempt >= attempts) {
      throw new DataDirError(
        `data directory ${directory} is in use by another server; stop it or choose another --data-dir`,
      );
    }
    await sleep(LOCK_RETRY_MS);
  }
}

function tryLock(directory: string): Database.Database | null {
  let lock: Database.Database | null = null;
  try {
    lock = new Database(path.join(directory, 'lock'), { timeout: 0 });
    lock.pragma('locking_mode = EXCLUSIVE');
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    const code = error instanceof Database.SqliteError ? error.code : '';
    if (code.startsWith('SQLITE_BUSY')) return null;
    throw unusable(directory, error);
  }
}

/** The incarnation; null where the directory is new. */
function readFormat(directory: string): string | null {
  const file = path.join(directory, 'millrace.json');
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unusable(directory, error);
    if (fs.existsSync(path.join(directory, 'catalog.db'))) throw damaged(directory, 'is missing');
    refuseForeign(directory);
    return null;
  }
  let format: unknown;
  let incarnation: unknown;
  try {
    ({ format, incarnation } = JSON.parse(text) as Record<string, unknown>);
  } catch {
    throw damaged(directory, 'cannot be read');
  }
  if (typeof format !== 'number' || typeof incarnation !== 'string') {
    throw damaged(directory, 'cannot be read');
  }
  if (format !== FORMAT) {
    const advice = format > FORMAT ? 'a newer millrace' : 'the millrace that made it';
    throw new DataDirError(
      `data directory ${directory} has format ${format}, this build reads ${FORMAT}; use ${advice}`,
    );
  }
  return incarnation;
}

/** What a first start that was killed may have left. */
const OURS = /^(lock|log|millrace\.json)/;

/** A directory that holds something else is not taken for ours. */
function refuseForeign(directory: string): void {
  const foreign = fs.readdirSync(directory).find((name) => !OURS.test(name));
  if (foreign === undefined) return;
  throw new DataDirError(
    `data directory ${directory} holds other files (${foreign}); choose an empty or a new directory with --data-dir`,
  );
}

function writeFormat(directory: string): string {
  const hex = Buffer.from(systemRandomBytes(16)).toString('hex');
  const incarnation = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const format = JSON.stringify({ format: FORMAT, incarnation });
  writeDurably(path.join(directory, 'millrace.json'), `${format}\n`);
  // SQLite would make it, and what belongs to it, as readable as umask allows, in a directory that may be open to others.
  fs.closeSync(fs.openSync(path.join(directory, 'catalog.db'), 'a', 0o600));
  syncDirectory(directory);
  return incarnation;
}

function damaged(directory: string, what: string): DataDirError {
  return new DataDirError(
    `data directory ${directory} is damaged: millrace.json ${what}; restore it from a backup`,
  );
}

function unusable(directory: string, cause: unknown): DataDirError {
  return new DataDirError(
    `data directory ${directory} cannot be used: ${fileProblem(cause)}; choose another --data-dir`,
  );
}
