/** Where a file source stands: which file, how far, and prints by which the bytes before are known again (rule 7). */

import { crc32 } from 'node:zlib';
import { SqlError } from '../../base/sql-error.ts';
import type { Json } from '../source.ts';
import type { FileBytes } from './file-bytes.ts';

export interface FilePosition {
  /** The path it was read under; a rotated file has another one now. */
  readonly path: string;
  /** Device and inode. */
  readonly id: string;
  /** Bytes and lines before the next record; bytes are unpacked ones. */
  readonly offset: number;
  readonly line: number;
  /** CRC-32 of the first HEAD_BYTES (fewer where `offset` is less) and of the last TAIL_BYTES before `offset`. */
  readonly head: number;
  readonly tail: number;
  /** Inside of a record that is too long: what follows up to the next line end belongs to it. */
  readonly isSkipping?: boolean;
  /** The file was deleted after its end had been read: the next one under the path starts anew. */
  readonly isGone?: boolean;
  /** Ids of files that were under the path before, the newest last. */
  readonly rotated?: readonly string[];
}

export const HEAD_BYTES = 1024;
export const TAIL_BYTES = 256;

export function parsePosition(json: Json): FilePosition {
  const position = json as unknown as FilePosition | null;
  if (
    position !== null &&
    typeof position === 'object' &&
    typeof position.path === 'string' &&
    typeof position.id === 'string' &&
    Number.isSafeInteger(position.offset)
  ) {
    return position;
  }
  throw new SqlError('XX001', `not a position of a file source: ${JSON.stringify(json)}`);
}

export function positionJson(position: FilePosition): Json {
  return position as unknown as Json;
}

/** Whether the bytes before the position are in this file. Leaves it at any offset. */
export function holdsPosition(bytes: FileBytes, { offset, head, tail }: FilePosition): boolean {
  const headBytes = readAt(bytes, 0, Math.min(offset, HEAD_BYTES));
  if (headBytes === null || crc32(headBytes) !== head) return false;
  const tailStart = Math.max(0, offset - TAIL_BYTES);
  const tailBytes = readAt(bytes, tailStart, offset - tailStart);
  return tailBytes !== null && crc32(tailBytes) === tail;
}

function readAt(bytes: FileBytes, offset: number, size: number): Buffer | null {
  if (!bytes.seek(offset)) return null;
  const into = Buffer.allocUnsafe(size);
  for (let at = 0; at < size; ) {
    const count = bytes.read(into, at, size - at);
    if (count === 0) return null;
    at += count;
  }
  return into;
}
