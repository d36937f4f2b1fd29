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

/** How one side's values are found, by row and column. */
interface Side {
  readonly isValid: (row: number, column: number) => boolean;
  readonly address: (row: number, column: number) => number;
}

/** Order of rows (by id) of one layout. */
export function rowComparator(
  memory: Memory,
  layout: RowLayout,
  sortKeys: readonly SortKeySpec[],
  types: readonly DataType[],
): RowComparator {
  const rows = stateSide(memory, layout, [...types.keys()]);
  const compare = chainOf(memory, sortKeys, types, rows, rows);
  return (a, b) => (a === b ? 0 : compare(a, b));
}

/** Order of rows (by number) of one batch. */
export function batchComparator(
  batch: DeltaBatch,
  sortKeys: readonly SortKeySpec[],
  types: readonly DataType[],
): RowComparator {
  const rows = batchSide(batch);
  const compare = chainOf(batch.memory, sortKeys, types, rows, rows);
  return (a, b) => (a === b ? 0 : compare(a, b));
}

/** Order of a batch's rows (by number) against state rows (by id); `places`: where the layout has the batch's columns. */
export function batchToStateComparator(
  batch: DeltaBatch,
  layout: RowLayout,
  places: readonly number[],
  sortKeys: readonly SortKeySpec[],
  types: readonly DataType[],
): RowComparator {
  const { memory } = batch;
  return chainOf(memory, sortKeys, types, batchSide(batch), stateSide(memory, layout, places));
}

function stateSide(memory: Memory, layout: RowLayout, places: readonly number[]): Side {
  const offsets = places.map((place) => layout.offsets[place]!);
  const bytes = places.map((place) => ROW_VALIDITY + (place >>> 3));
  return {
    isValid: (row, column) =>
      ((memory.u8[row * 8 + bytes[column]!]! >>> (places[column]! & 7)) & 1) === 1,
    address: (row, column) => row * 8 + offsets[column]!,
  };
}

function batchSide({ memory, columns }: DeltaBatch): Side {
  const widths = columns.map((column) => storageWidth(column.storage));
  return {
    isValid: (row, column) => {
      const validity = columns[column]!.validity;
      return validity === 0 || ((memory.u8[validity + (row >>> 3)]! >>> (row & 7)) & 1) === 1;
    },
    address: (row, column) => columns[column]!.values + row * widths[column]!,
  };
}

function chainOf(
  memory: Memory,
  sortKeys: readonly SortKeySpec[],
  types: readonly DataType[],
  left: Side,
  right: Side,
): RowComparator {
  const canonical = types.map((_, column) => ({ column, descending: false, nullsFirst: false }));
  const keys = [...sortKeys, ...canonical];
  const comparators = keys.map((key, i) =>
    i < sortKeys.length
      ? valueComparator(memory, types[key.column]!)
      : canonicalComparator(memory, types[key.column]!),
  );
  return (a, b) => {
    for (let i = 0; i < keys.length; i += 1) {
      const { column, descending, nullsFirst } = keys[i]!;
      const aValid = left.isValid(a, column);
      const bValid = right.isValid(b, column);
      if (!aValid || !bValid) {
        if (aValid === bValid) continue;
        return aValid === nullsFirst ? 1 : -1;
      }
      const order = comparators[i]!(left.address(a, column), right.address(b, column));
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  };
}
