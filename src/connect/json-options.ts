/** Options of ENCODE JSON: where the columns lie (json.path.COLUMN = 'bid.price'). */

import { SqlError } from '../base/sql-error.ts';
import type { DecodedColumn } from '../formats/csv.ts';
import { type JsonPaths, parseJsonPath } from '../formats/json-paths.ts';
import { checkOptions, unknownName } from './options.ts';

const PATH_PREFIX = 'json.path.';

/** Paths of these columns; the names of options come in lower case. */
export function checkJson(
  options: ReadonlyMap<string, string>,
  columns: readonly DecodedColumn[],
): JsonPaths {
  const paths: Record<string, string> = {};
  const others = new Map(options);
  for (const [name, path] of options) {
    if (!name.startsWith(PATH_PREFIX)) continue;
    others.delete(name);
    parseJsonPath(path);
    paths[columnOf(name.slice(PATH_PREFIX.length), columns)] = path;
  }
  checkOptions('ENCODE JSON', {}, others);
  return paths;
}

function columnOf(wanted: string, columns: readonly DecodedColumn[]): string {
  const exact = columns.find(({ name }) => name === wanted);
  if (exact !== undefined) return exact.name;
  const found = columns.filter(({ name }) => name.toLowerCase() === wanted);
  if (found.length === 1) return found[0]!.name;
  if (found.length > 1) throw new SqlError('42702', `column reference "${wanted}" is ambiguous`);
  throw unknownName(
    'column of a JSON path',
    wanted,
    columns.map(({ name }) => name),
  );
}
