/** ReadRows: what is made of the records of a chunk. */

import type { ColumnBuilder } from '../../batch/column-builder.ts';
import type { RejectedRecord, RowChanges } from '../source.ts';

export interface ReadRows {
  readonly fields: readonly ColumnBuilder[];
  readonly included: readonly ColumnBuilder[];
  /** Addresses of u8 and i64 for each row, where records change rows; else 0. */
  readonly ops: number;
  readonly offsets: number;
  readonly unavailable: Map<number, readonly number[]>;
  /** By row: offset of its record. */
  readonly places: number[];
  readonly rejected: RejectedRecord[];
  rowCount: number;
}

export function emptyRows(): ReadRows {
  const none = { ops: 0, offsets: 0, unavailable: new Map() };
  return { fields: [], included: [], ...none, places: [], rejected: [], rowCount: 0 };
}

export function changesOf({ ops, offsets, unavailable }: ReadRows): RowChanges {
  return {
    ops: { storage: 'u8', values: ops, validity: 0 },
    offsets: { storage: 'i64', values: offsets, validity: 0 },
    unavailable,
  };
}
