/**
 * A transaction's own writes as one of its queries sees them: a packed copy made when the query is opened, so that later
 * statements do not change an open cursor, and so that the query can run on another thread.
 */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import { unpackBatch } from '../batch/pack.ts';
import type { PlanNode } from '../plan/plan-node.ts';
import type { QueryMemory } from './query-memory.ts';
import { scansOf } from './scans.ts';
import { Slice } from './slice.ts';
import type { WriteSet } from './write-set.ts';

/** One table's net rows, with weights; plain data. */
export interface OwnRows {
  readonly relationId: number;
  /** What is published of the table is not seen. */
  readonly isTruncated: boolean;
  readonly packed: readonly Uint8Array[];
}

/** The writes to the relations that `plan` scans. Long ones let others run in between. */
export async function ownRows(
  plan: PlanNode,
  writes: WriteSet | null,
  signal: AbortSignal,
): Promise<OwnRows[]> {
  if (writes === null) return [];
  const ids = new Set([...scansOf(plan)].map((scan) => scan.relation.id));
  const all: OwnRows[] = [];
  const slice = new Slice(signal);
  for (const relationId of ids) {
    const written = writes.writesOf(relationId);
    const isNew = writes.isNewTable(relationId);
    if (written === undefined && !isNew) continue;
    const packed: Uint8Array[] = [];
    for (const bytes of written?.packedBatches() ?? []) {
      packed.push(bytes);
      await slice.pause();
    }
    all.push({ relationId, isTruncated: isNew || written?.isTruncated === true, packed });
  }
  return all;
}

export function* unpackRows(rows: OwnRows, { scratch }: QueryMemory): Generator<DeltaBatch> {
  for (const bytes of rows.packed) yield* unpackBatch(bytes, scratch);
}
