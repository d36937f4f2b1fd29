/**
 * Which files a source or sink may touch: only those that really lie under one of the operator's roots (`--file-root`), with
 * links resolved. Paths are relative to the first root, or absolute; `*`, `?` and `[...]` in the last part make a glob.
 */

import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileError } from '../../base/file-problem.ts';
import { SqlError } from '../../base/sql-error.ts';

/** The absolute path, its directory checked to lie under a root; the file itself need not exist. */
export function resolvePath(text: string, roots: readonly string[]): string {
  if (text === '' || text.includes('\0'))
    throw new SqlError('22023', `invalid file path "${text}"`);
  const first = roots[0];
  if (first === undefined) throw refused(text);
  const absolute = path.resolve(first, text);
  const directory = path.dirname(absolute);
  if (isGlob(directory) && !fs.existsSync(directory)) {
    throw new SqlError('22023', `invalid file path "${text}"`, {
      hint: 'Wildcards may stand in the last part of a path only.',
    });
  }
  checkInside(directory, text, roots);
  return absolute;
}

/** Checks an existing file: its real path must lie under a root. */
export function checkRealPath(file: string, roots: readonly string[]): void {
  checkInside(file, file, roots);
}

/**
 * Files that a path names now, in name order; a glob's are those that match in its directory. A name with wildcards that is
 * a file's own means that file.
 */
export function listFiles(absolute: string, roots: readonly string[]): string[] {
  const pattern = path.basename(absolute);
  if (fs.existsSync(absolute)) return [absolute];
  if (!isGlob(pattern)) return [];
  const directory = path.dirname(absolute);
  const matches = globPattern(pattern);
  let names: fs.Dirent[];
  try {
    names = fs.readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    throw fileError(directory, error);
  }
  return names
    .filter((entry) => !entry.isDirectory() && matches.test(entry.name))
    .map((entry) => path.join(directory, entry.name))
    .filter((file) => isInside(file, roots) || refuse(file))
    .sort((a, b) => (a < b ? -1 : 1));
}

export function isGlob(name: string): boolean {
  return /[*?[]/.test(name);
}

function checkInside(file: string, text: string, roots: readonly string[]): void {
  if (!isInside(file, roots)) throw refused(text);
}

function isInside(file: string, roots: readonly string[]): boolean {
  const real = realPath(file);
  return roots.some((root) => {
    const relative = path.relative(realPath(path.resolve(root)), real);
    return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
  });
}

/** The path with every link resolved; of what is not there, its nearest parent's. */
function realPath(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch (error) {
    const parent = path.dirname(file);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === file) {
      throw fileError(file, error);
    }
    return path.join(realPath(parent), path.basename(file));
  }
}

function refuse(text: string): never {
  throw refused(text);
}

function refused(text: string): SqlError {
  return new SqlError('42501', `file "${text}" is outside of the directories that may be read`, {
    hint: 'The server is started with --file-root for each directory that files may be in.',
  });
}

function globPattern(pattern: string): RegExp {
  const source = pattern.replace(/\[!?[^\]]+\]|[*?]|[^*?[]+|\[/g, (part) => {
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.length > 2 && part.startsWith('[') && part.endsWith(']')) {
      const negated = part[1] === '!';
      const body = part.slice(negated ? 2 : 1, -1).replace(/[\\\]^]/g, '\\$&');
      return `[${negated ? '^' : ''}${body}]`;
    }
    return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, 's');
}
