/** Why a file or directory cannot be used, in words for people. */

import { SqlError } from './sql-error.ts';

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'it is a file',
  EISDIR: 'it is a directory',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
};

/** The problem behind an error of node:fs; other errors keep their message. */
export function fileProblem(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code ?? '';
  return WORDS[code] ?? (error instanceof Error ? error.message : String(error));
}

/** A failed file operation as a user's error: 58P01 where it is not there, 42501, 53100, else 58030. */
export function fileError(file: string, error: unknown): SqlError {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'ENOENT') {
    return new SqlError('58P01', `could not open file "${file}": No such file or directory`);
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new SqlError('42501', `could not open file "${file}": Permission denied`);
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SqlError('53100', `could not write to file "${file}": No space left on device`);
  }
  const text = error instanceof Error ? error.message : String(error);
  return new SqlError('58030', `could not use file "${file}": ${text}`);
}
