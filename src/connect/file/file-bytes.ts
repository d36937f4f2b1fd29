/**
 * The bytes of one opened file, plain or unpacked from gzip: read forward in bounded pieces, seekable.
 *
 * Cost: read O(bytes); seek O(1) in a plain file, in a packed one O(offset): it is unpacked from its start again.
 */

import * as fs from 'node:fs';
import { fileError } from '../../base/file-problem.ts';
import { SqlError } from '../../base/sql-error.ts';
import { checkRealPath } from './file-access.ts';
import { Gunzip } from './gunzip.ts';

export type Compression = 'auto' | 'none' | 'gzip';

const INPUT_BYTES = 64 * 1024;
const EMPTY = Buffer.alloc(0);

/** What the file system knows a file by. */
export function fileId(stats: fs.BigIntStats): string {
  return `${stats.dev}:${stats.ino}`;
}

export class FileBytes {
  readonly path: string;
  readonly id: string;
  readonly isPacked: boolean;
  readonly #fd: number;
  #offset = 0;
  #packed: PackedBytes | null = null;

  private constructor(path: string, fd: number, id: string, isPacked: boolean) {
    this.path = path;
    this.id = id;
    this.isPacked = isPacked;
    this.#fd = fd;
  }

  /** Opens a regular file that lies under a root; 58P01, 42501 and their like otherwise. */
  static open(path: string, roots: readonly string[], compression: Compression): FileBytes {
    const { O_RDONLY, O_NONBLOCK } = fs.constants;
    let fd: number;
    try {
      // O_NONBLOCK: opening a pipe that nobody writes to would wait.
      fd = fs.openSync(path, O_RDONLY | O_NONBLOCK);
    } catch (error) {
      throw fileError(path, error);
    }
    try {
      return FileBytes.#checked(path, fd, roots, compression);
    } catch (error) {
      fs.closeSync(fd);
      throw error instanceof SqlError ? error : fileError(path, error);
    }
  }

  static #checked(
    path: string,
    fd: number,
    roots: readonly string[],
    compression: Compression,
  ): FileBytes {
    const opened = fs.fstatSync(fd, { bigint: true });
    if (!opened.isFile()) throw new SqlError('42809', `"${path}" is not a regular file`);
    // What was opened is what is checked, even if a link is changed meanwhile.
    checkRealPath(path, roots);
    const named = fs.statSync(path, { bigint: true });
    if (fileId(named) !== fileId(opened))
      throw new SqlError('58030', `file "${path}" was replaced`);
    const isPacked = compression === 'gzip' || (compression === 'auto' && hasGzipHead(fd));
    return new FileBytes(path, fd, fileId(opened), isPacked);
  }

  /** Offset of the next byte that `read` gives, in unpacked bytes. */
  get offset(): number {
    return this.#offset;
  }

  /** Reads up to `size` bytes to target[at...]; returns how many, 0 at the present end. */
  read(target: Buffer, at: number, size: number): number {
    try {
      const count = this.isPacked
        ? this.#unpacker().read(target, at, size)
        : fs.readSync(this.#fd, target, at, size, this.#offset);
      this.#offset += count;
      return count;
    } catch (error) {
      throw fileError(this.path, error);
    }
  }

  /** Goes to `offset`; returns false when the file is shorter. */
  seek(offset: number): boolean {
    if (!this.isPacked) {
      this.#offset = offset;
      return this.stats().size >= offset;
    }
    if (offset < this.#offset) this.#restart();
    const skipped = Buffer.allocUnsafe(INPUT_BYTES);
    while (this.#offset < offset) {
      if (this.read(skipped, 0, Math.min(INPUT_BYTES, offset - this.#offset)) === 0) return false;
    }
    return true;
  }

  stats(): { readonly size: number; readonly modifiedNs: bigint; readonly isDeleted: boolean } {
    const { size, mtimeNs, nlink } = fs.fstatSync(this.#fd, { bigint: true });
    return { size: Number(size), modifiedNs: mtimeNs, isDeleted: nlink === 0n };
  }

  close(): void {
    this.#packed?.close();
    fs.closeSync(this.#fd);
  }

  #unpacker(): PackedBytes {
    this.#packed ??= new PackedBytes(this.#fd);
    return this.#packed;
  }

  #restart(): void {
    this.#packed?.close();
    this.#packed = null;
    this.#offset = 0;
  }
}

function hasGzipHead(fd: number): boolean {
  const head = Buffer.alloc(2);
  return fs.readSync(fd, head, 0, 2, 0) === 2 && head[0] === 0x1f && head[1] === 0x8b;
}

/** Unpacked bytes of a gzip file, from its start. */
class PackedBytes {
  readonly #fd: number;
  readonly #gunzip = new Gunzip();
  readonly #input = Buffer.allocUnsafe(INPUT_BYTES);
  #inputOffset = 0;
  #output: Buffer = EMPTY;
  #isFinished = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  read(target: Buffer, at: number, size: number): number {
    while (this.#output.length === 0 && !this.#isFinished) this.#fill();
    const count = Math.min(size, this.#output.length);
    this.#output.copy(target, at, 0, count);
    this.#output = this.#output.subarray(count);
    return count;
  }

  #fill(): void {
    const count = fs.readSync(this.#fd, this.#input, 0, INPUT_BYTES, this.#inputOffset);
    this.#inputOffset += count;
    this.#isFinished = count === 0;
    this.#output = this.#isFinished
      ? this.#gunzip.finish()
      : this.#gunzip.push(this.#input.subarray(0, count));
  }

  close(): void {
    this.#gunzip.close();
  }
}
