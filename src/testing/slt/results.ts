/** Results as the lines of an .slt file, and their comparison. */

import type { TextResult } from '../sql-client.ts';
import type { SortMode } from './parse.ts';

const INTEGER_OIDS = new Set([20, 21, 23, 26]);
const REAL_OIDS = new Set([700, 701, 1700]);
const BOOLEAN_OID = 16;

/** The type letters of a result: B boolean, I integers, R real and numeric, T everything else. */
export function typeLetters(result: TextResult): string {
  return result.oids
    .map((oid) => {
      if (oid === BOOLEAN_OID) return 'B';
      if (INTEGER_OIDS.has(oid)) return 'I';
      return REAL_OIDS.has(oid) ? 'R' : 'T';
    })
    .join('');
}

/** A value as it stands in a file. */
export function formatCell(value: string | null): string {
  if (value === null) return 'NULL';
  if (value === '') return '(empty)';
  return value.replaceAll('\n', '\\n').replaceAll('\t', '\\t').replaceAll('\r', '\\r');
}

/** One line a row, cells with a TAB between; `valuesort`: one line a value. */
export function resultLines(result: TextResult, sort: SortMode): string[] {
  const rows = result.rows.map((row) => row.map(formatCell));
  if (sort === 'valuesort') return rows.flat().sort();
  const lines = rows.map((row) => row.join('\t'));
  return sort === 'rowsort' ? lines.sort() : lines;
}

/** null: equal. Else what differs, for a person. Expected lines of sorted modes may stand in any order. */
export function difference(
  expected: readonly string[],
  got: readonly string[],
  sort: SortMode,
): string | null {
  const wanted = sort === 'nosort' ? expected : [...expected].sort();
  if (wanted.length === got.length && wanted.every((line, i) => line === got[i])) return null;
  return `expected ${wanted.length} rows:\n${shown(wanted)}\ngot ${got.length}:\n${shown(got)}`;
}

const LINES_SHOWN = 30;

function shown(lines: readonly string[]): string {
  const more = lines.length > LINES_SHOWN ? [`  ... ${lines.length - LINES_SHOWN} more`] : [];
  return [...lines.slice(0, LINES_SHOWN).map((line) => `  ${line}`), ...more].join('\n');
}
