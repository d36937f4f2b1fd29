/** What a stored relation holds: storages of its columns, its identity and its indexes. Plain JSON: it goes between threads. */

import type { Storage } from '../types/data-type.ts';

/** A hash index: rows by identity of the bytes of `columns` (NULL = NULL). */
export interface IndexSchema {
  readonly name: string;
  readonly columns: readonly number[];
  /** Told to whoever checks constraints; the relation itself keeps any number of rows under one key. */
  readonly isUnique: boolean;
}

export interface RelationSchema {
  readonly storages: readonly Storage[];
  /**
   * The proven unique key (identity of bytes). null: a bag, where equal rows are kept as one row with a weight.
   * [] means at most one row.
   */
  readonly key: readonly number[] | null;
  /** Never retracts: no identity index is kept, equal rows are kept apart. */
  readonly isAppendOnly: boolean;
  /** Secondary indexes. `lookup` counts indexes from 0 = the key (for a bag: the whole row); 1.. are these. */
  readonly indexes: readonly IndexSchema[];
  /**
   * Rows of a segment, a power of two; absent: as many as there can be. A log that is trimmed has small ones: the oldest stays
   * until all of it is gone.
   */
  readonly segmentRowsMax?: number;
}

/** Columns by which a row is found again when it is retracted; null: rows are never looked for. */
export function identityColumns(schema: RelationSchema): readonly number[] | null {
  if (schema.key !== null) return schema.key;
  return schema.isAppendOnly ? null : schema.storages.map((_, column) => column);
}
