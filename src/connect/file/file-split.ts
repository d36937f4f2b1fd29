/** The splits of a file source: bounded files read one after the other, or one path that is followed. */

import type { FileBytes } from './file-bytes.ts';
import type { FileCursor } from './file-cursor.ts';
import type { FilePosition } from './file-position.ts';
import { lostPosition, type Opener, openAt, statFile, successorOf } from './located-file.ts';

/** What happened at a file's end. */
export type EndOutcome = 'switched' | 'waiting' | 'ended';

export interface FileSplit {
  readonly name: string;
  /** Goes behind a position; null: to the beginning. */
  start(position: FilePosition | null): void;
  /** The file being read; null: there is none now. */
  cursor(): FileCursor | null;
  /** The end of the bytes ends the last record. */
  readonly isLast: boolean;
  /** The cursor's file has nothing more: looks for what comes next. */
  reachEnd(): EndOutcome;
  position(): FilePosition;
  /** Bytes that wait; null: unknown. */
  lag(): number | null;
  close(): void;
}

/** Makes a cursor at the beginning of opened bytes. */
export type CursorMaker = (bytes: FileBytes) => FileCursor;

/** Files in order, each to its end. */
export class BoundedFiles implements FileSplit {
  readonly name = '0';
  readonly isLast = true;
  readonly #files: readonly string[];
  readonly #open: Opener;
  readonly #makeCursor: CursorMaker;
  #next = 0;
  #cursor: FileCursor | null = null;

  constructor(files: readonly string[], open: Opener, makeCursor: CursorMaker) {
    this.#files = files;
    this.#open = open;
    this.#makeCursor = makeCursor;
  }

  start(position: FilePosition | null): void {
    if (position === null) return;
    const index = this.#files.indexOf(position.path);
    if (index < 0) throw lostPosition(position, 'it is none of the files of the source');
    const bytes = openAt(position, this.#open, false);
    if (bytes === null) throw lostPosition(position, 'the bytes before have changed');
    this.#cursor = this.#makeCursor(bytes);
    this.#cursor.seek(position);
    this.#next = index + 1;
  }

  cursor(): FileCursor | null {
    const file = this.#files[this.#next];
    if (this.#cursor === null && file !== undefined) {
      this.#cursor = this.#makeCursor(this.#open(file));
      this.#next += 1;
    }
    return this.#cursor;
  }

  reachEnd(): EndOutcome {
    if (this.#next >= this.#files.length) return 'ended';
    this.close();
    return 'switched';
  }

  position(): FilePosition {
    return this.#cursor!.position([]);
  }

  lag(): number | null {
    const rest = this.#files.slice(this.#next).map((file) => statFile(file)?.size ?? 0);
    const bytes = this.#cursor?.bytes;
    if (bytes?.isPacked) return null;
    const now = bytes === undefined ? 0 : bytes.stats().size - this.#cursor!.offset;
    return rest.reduce((sum, size) => sum + size, Math.max(0, now));
  }

  close(): void {
    this.#cursor?.close();
    this.#cursor = null;
  }
}

/** Files under the path before, that are remembered. */
const ROTATED_MAX = 64;

/**
 * One path, followed: new lines as they come; when the file is replaced (rotated), the old one is read to its end, then those
 * rotated meanwhile, then the new one; when it is truncated, the file from its start.
 */
export class FollowedFile implements FileSplit {
  readonly name: string;
  readonly path: string;
  readonly #open: Opener;
  readonly #makeCursor: CursorMaker;
  #cursor: FileCursor | null = null;
  #rotated: readonly string[] = [];
  /** The file was replaced, or cut: what is left of it is read, then comes the next. */
  #isFinishing = false;
  #isTruncated = false;
  #isGone = false;
  /** The file to open next; null: what is under the path. */
  #nextPath: string | null = null;

  constructor(name: string, path: string, open: Opener, makeCursor: CursorMaker) {
    this.name = name;
    this.path = path;
    this.#open = open;
    this.#makeCursor = makeCursor;
  }

  /** Ids of the files that this split has read. */
  get ids(): readonly string[] {
    return this.#cursor === null ? this.#rotated : [...this.#rotated, this.#cursor.bytes.id];
  }

  get isLast(): boolean {
    return this.#isFinishing;
  }

  start(position: FilePosition | null): void {
    if (position === null) return;
    this.#rotated = position.rotated ?? [];
    if (position.isGone === true) {
      this.#remember(position.id);
      return;
    }
    const bytes = openAt(position, this.#open, true);
    // The file is there, its bytes are not: it was truncated, and starts anew.
    if (bytes === null) return;
    this.#cursor = this.#makeCursor(bytes);
    this.#cursor.seek(position);
  }

  cursor(): FileCursor | null {
    if (this.#cursor !== null) {
      this.#checkTruncated(this.#cursor);
      return this.#cursor;
    }
    const file = this.#nextPath ?? this.path;
    this.#nextPath = null;
    if (statFile(file) === null) return null;
    this.#cursor = this.#makeCursor(this.#open(file));
    return this.#cursor;
  }

  reachEnd(): EndOutcome {
    const cursor = this.#cursor!;
    if (this.#isFinishing) {
      this.#leave(cursor);
      return 'switched';
    }
    const named = statFile(this.path);
    if (named === null) {
      this.#isGone = cursor.bytes.stats().isDeleted && cursor.pendingBytes === 0;
      return 'waiting';
    }
    // An empty new file has nothing to say yet: until then the old one may still get its last lines.
    if (named.id === cursor.bytes.id || named.size === 0) return 'waiting';
    this.#isFinishing = true;
    return 'switched';
  }

  position(): FilePosition {
    const position = this.#cursor!.position(this.#rotated);
    return this.#isGone ? { ...position, isGone: true } : position;
  }

  lag(): number | null {
    if (this.#cursor === null) return statFile(this.path)?.size ?? 0;
    return Math.max(0, this.#cursor.bytes.stats().size - this.#cursor.offset);
  }

  close(): void {
    this.#cursor?.close();
    this.#cursor = null;
  }

  /** Closes the file that is finished and decides on the next one. */
  #leave(cursor: FileCursor): void {
    const { modifiedNs } = cursor.bytes.stats();
    if (!this.#isTruncated) {
      this.#remember(cursor.bytes.id);
      this.#nextPath = successorOf(this.path, modifiedNs, this.#rotated);
    }
    this.#isFinishing = false;
    this.#isTruncated = false;
    this.#isGone = false;
    this.close();
  }

  #remember(id: string): void {
    this.#rotated = [...this.#rotated, id].slice(-ROTATED_MAX);
  }

  /** Cut shorter, or cut and written again: the last bytes read are not there any more. */
  #checkTruncated(cursor: FileCursor): void {
    if (this.#isFinishing) return;
    const { size } = cursor.bytes.stats();
    if (size === cursor.readOffset && !this.#isGone) return;
    if (cursor.stillHolds()) return;
    cursor.stopReading();
    this.#isTruncated = true;
    this.#isFinishing = true;
  }
}
