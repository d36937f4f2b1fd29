/** What columns are whose field a message does not have: their DEFAULT, as an input text, or NULL. */

import { must } from '../base/assert.ts';
import type { Value } from '../types/data-type.ts';
import { DEFAULT_SETTINGS, inputValue } from '../types/value.ts';
import type { DecodedColumn } from './csv.ts';

export function missingValues(
  columns: readonly DecodedColumn[],
  defaults: Readonly<Record<string, string>>,
): Value[] {
  return columns.map(({ name, type }) => {
    const text = Object.hasOwn(defaults, name) ? must(defaults[name]) : null;
    return text === null ? null : inputValue(type, text, DEFAULT_SETTINGS);
  });
}
