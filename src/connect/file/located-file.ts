/** Finding a file again: by its position after a restart, or the one that follows a rotated file. */

import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileError } from '../../base/file-problem.ts';
import { SqlError } from '../../base/sql-error.ts';
import { type Compression, FileBytes, fileId } from './file-bytes.ts';
import { type FilePosition, holdsPosition } from './file-position.ts';

export type Opener = (file: string) => FileBytes;

export function opener(roots: readonly string[], compression: Compression): Opener {
  return (file) => FileBytes.open(file, roots, compression);
}

/** Device and inode of what is under the path, and its size; null: nothing is. */
export function statFile(file: string): { id: string; size: number; modifiedNs: bigint } | null {
  try {
    const stats = fs.statSync(file, { bigint: true });
    return { id: fileId(stats), size: Number(stats.size), modifiedNs: stats.mtimeNs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw fileError(file, error);
  }
}

/**
 * Opens the file of a position, wherever it is in its directory now. `byId`: a file with another inode is another file (a
 * followed one); without, the bytes before the position decide (a bounded one, maybe restored from a backup). Null: the file
 * is there, but the bytes before the position are not; an error when no file is found.
 */
export function openAt(position: FilePosition, open: Opener, byId: boolean): FileBytes | null {
  const file = byId ? findById(position) : position.path;
  if (file === null || statFile(file) === null)
    throw lostPosition(position, 'it is not there any more');
  const bytes = open(file);
  if (holdsPosition(bytes, position)) return bytes;
  bytes.close();
  return null;
}

export function lostPosition({ path: file, offset }: FilePosition, why: string): SqlError {
  return new SqlError('58030', `file "${file}" cannot be read on from byte ${offset}: ${why}`, {
    hint: 'Put the file back, or drop the source and create it again.',
  });
}

function findById(position: FilePosition): string | null {
  if (statFile(position.path)?.id === position.id) return position.path;
  const directory = path.dirname(position.path);
  const found = namesIn(directory).find(
    (name) => statFile(path.join(directory, name))?.id === position.id,
  );
  return found === undefined ? null : path.join(directory, found);
}

function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw fileError(directory, error);
  }
}

/** What a rotated file's name adds: numbers and dates. */
const ROTATED_SUFFIX = /^[.-]\d[\d.:T_-]*$/;

/**
 * The file to read after the one that was under `file` until `modifiedNs`: the oldest of those rotated since then (when
 * several were while nobody read), else what is under `file` now.
 */
export function successorOf(
  file: string,
  modifiedNs: bigint,
  readBefore: readonly string[],
): string {
  const directory = path.dirname(file);
  const base = path.basename(file);
  let oldest: { name: string; modifiedNs: bigint } | null = null;
  for (const name of namesIn(directory)) {
    if (!name.startsWith(base) || !ROTATED_SUFFIX.test(name.slice(base.length))) continue;
    const stats = statFile(path.join(directory, name));
    if (stats === null || stats.modifiedNs <= modifiedNs || readBefore.includes(stats.id)) continue;
    if (oldest === null || stats.modifiedNs < oldest.modifiedNs) {
      oldest = { name, modifiedNs: stats.modifiedNs };
    }
  }
  return oldest === null ? file : path.join(directory, oldest.name);
}
