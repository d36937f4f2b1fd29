/** Order of state rows and of batch rows: sort keys, then the canonical order over all columns (semantics.md rule 9). */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import { storageWidth } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import { ROW_VALIDITY, type RowLayout } from '../memory/row-layout.ts';
import type { DataType } from '../types/data-type.ts';
import { canonicalComparator, valueComparator } from './compare-values.ts';

export interface SortKeySpec {
  readonly column: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

type RowComparator = (a: number, b: number) => number;

/** Order of rows (by id) of one layout. */
export function rowComparator(
  memory: Memory,
  layout: RowLayout,
  sortKeys: readonly SortKeySpec[],
  types: readonly DataType[],
): RowComparator {
  const isValid = (row: number, column: number): boolean =>
    ((memory.u8[row * 8 + ROW_VALIDITY + (column >>> 3)]! >>> (column & 7)) & 1) === 1;
  const address = (row: number, column: number): number => row * 8 + layout.offsets[column]!;
  return chainOf(memory, sortKeys, types, isValid, address);
}

/** Order of rows (by number) of one batch. */
export function batchComparator(
  batch: DeltaBatch,
  sortKeys: readonly SortKeySpec[],
  types: readonly DataType[],
): RowComparator {
  const { memory, columns } = batch;
  const isValid = (row: number, column: number): boolean => {
    const validity = columns[column]!.validity;
    return validity === 0 || ((memory.u8[validity + (row >>> 3)]! >>> (row & 7)) & 1) === 1;
  };
  const widths = columns.map((column) => storageWidth(column.storage));
  const address = (row: number, column: number): number =>
    columns[column]!.values + row * widths[column]!;
  return chainOf(memory, sortKeys, types, isValid, address);
}

function chainOf(
  memory: Memory,
  sortKeys: readonly SortKeySpec[],
  types: readonly DataType[],
  isValid: (row: number, column: number) => boolean,
  address: (row: number, column: number) => number,
): RowComparator {
  const canonical = types.map((_, column) => ({ column, descending: false, nullsFirst: false }));
  const keys = [...sortKeys, ...canonical];
  const comparators = keys.map((key, i) =>
    i < sortKeys.length
      ? valueComparator(memory, types[key.column]!)
      : canonicalComparator(memory, types[key.column]!),
  );
  return (a, b) => {
    if (a === b) return 0;
    for (let i = 0; i < keys.length; i += 1) {
      const { column, descending, nullsFirst } = keys[i]!;
      const aValid = isValid(a, column);
      const bValid = isValid(b, column);
      if (!aValid || !bValid) {
        if (aValid === bValid) continue;
        return aValid === nullsFirst ? 1 : -1;
      }
      const order = comparators[i]!(address(a, column), address(b, column));
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  };
}
