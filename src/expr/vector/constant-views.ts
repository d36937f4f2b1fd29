/** Columns of strings that hold the same value in every row, as literals do. */

import type { Column } from '../../batch/delta-batch.ts';
import type { Memory } from '../../memory/memory.ts';
import { viewsEqualWords } from '../../memory/views.ts';

/** Is the column free of NULLs and the same in all n rows (at least one)? O(n); literals share their bytes. */
export function isConstantView({ u8, u32 }: Memory, column: Column, n: number): boolean {
  if (column.validity !== 0 || n === 0) return false;
  for (let i = 1; i < n; i += 1) {
    if (!viewsEqualWords(u32, u8, column.values, column.values + 16 * i)) return false;
  }
  return true;
}
