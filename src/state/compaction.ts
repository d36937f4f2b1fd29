/**
 * Compaction: worn segments are rewritten into one without the rows that no reader can see, between two epochs.
 *
 * Rows keep their order and their stamps; those made before `limit`, the oldest epoch that anybody reads, count as made at
 * it. Chains are redirected from the old rows to the new ones, one link at a time, while readers go on: both copies say the
 * same of every epoch that is published. Then the scan list is replaced, and the old segments are retired.
 * Cost: O(rows of the segments x (columns + indexes)).
 */

import type { Column } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import { hashRows } from './row-identity.ts';
import { LIVE, SEGMENT_ROWS_MAX, SEGMENT_ROWS_MIN, type Segment } from './segment.ts';
import { rowId, type VersionIndex } from './version-index.ts';

/** Epochs after which a segment is rewritten for its stamps' sake. */
export const SEGMENT_AGE_MAX = 2 ** 30;

/** What compaction needs of its relation. */
export interface CompactionHost {
  readonly memory: Memory;
  readonly indexCount: number;
  index(number: number): VersionIndex | null;
  indexColumnsOf(segment: Segment, number: number): readonly Column[];
  createSegment(capacity: number, base: number): Segment;
  swap(gone: readonly Segment[], made: Segment | null): void;
}

/** Rows that must stay, where the segment is worth rewriting at `limit`; null: it is not. */
export function survivorsIfWorn(segment: Segment, limit: number): number | null {
  const written = segment.writtenRows;
  const survivors =
    segment.maxRetract <= limit
      ? written - segment.retractedRows
      : survivingRows(segment, limit).length;
  const isOld = limit - segment.base > SEGMENT_AGE_MAX / 2;
  return isOld || survivors * 2 <= written ? survivors : null;
}

/** Rewrites `worn` (`survivors` rows stay, at most one segment's worth). */
export function compactSegments(
  host: CompactionHost,
  worn: readonly Segment[],
  survivors: number,
  limit: number,
): void {
  let capacity = SEGMENT_ROWS_MIN;
  while (capacity < survivors) capacity *= 2;
  const made = survivors === 0 ? null : host.createSegment(capacity, limit);
  const moved = worn.map((segment) => {
    const rows = survivingRows(segment, limit);
    const first = made === null ? 0 : moveRows(host.memory, segment, made, rows, limit);
    return { segment, rows, first };
  });
  // Readers come to the new rows through chains as soon as these are redirected.
  made?.publish();
  for (const { segment, rows, first } of moved) redirectChains(host, segment, made, rows, first);
  host.swap(worn, made);
}

function survivingRows(segment: Segment, limit: number): Uint32Array {
  const rows = new Uint32Array(segment.writtenRows);
  let count = 0;
  for (let row = 0; row < rows.length; row++) {
    if (segment.retractedAt(row) > limit) rows[count++] = row;
  }
  return rows.subarray(0, count);
}

function moveRows(
  memory: Memory,
  from: Segment,
  to: Segment,
  rows: Uint32Array,
  limit: number,
): number {
  const first = to.append(memory, from.columns, rows, 0, rows.length, limit);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const retracted = from.retractedAt(row);
    const stamp = retracted === Number.POSITIVE_INFINITY ? LIVE : retracted - to.base;
    to.setStamps(first + i, Math.max(0, from.insertedAt(row) - to.base), stamp);
    if (to.weights !== 0) to.setWeight(first + i, from.weight(row));
  }
  return first;
}

function redirectChains(
  host: CompactionHost,
  segment: Segment,
  made: Segment | null,
  rows: Uint32Array,
  first: number,
): void {
  const written = segment.writtenRows;
  const hashes = new Uint32Array(Math.min(written, SEGMENT_ROWS_MAX));
  for (let number = 0; number < host.indexCount; number++) {
    const index = host.index(number);
    if (index === null) continue;
    hashRows(host.memory, host.indexColumnsOf(segment, number), 0, written, hashes);
    for (let row = 0, next = 0; row < written; row++) {
      const id = rowId(segment.slot, row);
      if (made !== null && rows[next] === row) {
        index.replace(hashes[row]!, id, rowId(made.slot, first + next));
        next += 1;
      } else {
        index.unlink(hashes[row]!, id);
      }
    }
  }
}
