/**
 * The header of a stored relation in memory, as its writer and its readers see it.
 *
 * Words (u32) at the header's address: column count, slot table and its capacity, scan list, next free slot hint,
 * list of retired blocks; f64 live rows; then the index tables, 0 = the key or whole-row index.
 * Slot table: address of each slot's segment. Scan list: {capacity, count}, then slots: the segments that a scan reads;
 * it only grows in place, otherwise it is replaced.
 */

import type { Column } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import type { RelationSchema } from './relation-schema.ts';
import { identityColumns } from './relation-schema.ts';
import type { SegmentShape } from './segment.ts';
import { INDEXES_MAX } from './segment.ts';

export const MAGIC = 0x4d52_5331;
export const HEADER_MAGIC = 0;
export const HEADER_COLUMNS = 1;
export const HEADER_SLOT_TABLE = 2;
export const HEADER_SLOT_CAPACITY = 3;
export const HEADER_SCAN_LIST = 4;
export const HEADER_ACTIVE_SLOT = 5;
export const HEADER_RETIRED = 6;
export const HEADER_LIVE_ROWS = 8;
export const HEADER_INDEXES = 10;
export const HEADER_BYTES = 4 * (HEADER_INDEXES + INDEXES_MAX);

export function shapeOf(schema: RelationSchema): SegmentShape {
  return {
    storages: schema.storages,
    hasWeights: schema.key === null && !schema.isAppendOnly,
  };
}

/** Columns of index `index`: 0 = identity, 1.. secondary; null: there is none. */
export function indexColumns(schema: RelationSchema, index: number): readonly number[] | null {
  if (index === 0) return identityColumns(schema);
  return schema.indexes[index - 1]?.columns ?? null;
}

/** The columns of an index out of a row's columns. */
export function pickColumns(columns: readonly Column[], picked: readonly number[]): Column[] {
  return picked.map((column) => columns[column]!);
}

/** The slots of the scan list as of now. */
export function scanSlots(memory: Memory, header: number): Uint32Array {
  const list = Atomics.load(memory.u32, (header >>> 2) + HEADER_SCAN_LIST) >>> 2;
  const count = Atomics.load(memory.u32, list + 1);
  return memory.u32.slice(list + 2, list + 2 + count);
}
