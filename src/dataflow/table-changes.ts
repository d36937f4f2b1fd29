/**
 * TableChanges: DML of an epoch as changes of its tables: the rows of each statement in order, stamped with the watermark
 * that judges them (semantics.md rule 14). Cost: O(rows); TRUNCATE O(rows of the table).
 */

import { must } from '../base/assert.ts';
import { negate } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { unpackBatch } from '../batch/pack.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import { DML_SPLIT } from './engine-parts.ts';
import type { EngineRelation } from './engine-relation.ts';
import type { DmlChange } from './port.ts';
import { type StampBounds, stampRowWatermarks } from './row-watermarks.ts';
import { maxWatermark } from './watermark.ts';

export interface TableChangesHost {
  readonly memory: Memory;
  readonly scratch: Scratch;
  relation(id: number): EngineRelation;
  /** To the relation's stored versions and to whoever reads it. */
  deliver(relation: EngineRelation, batch: DeltaBatch): void;
}

export class TableChanges {
  readonly #host: TableChangesHost;

  constructor(host: TableChangesHost) {
    this.#host = host;
  }

  apply(changes: readonly DmlChange[]): void {
    for (const { relationId, rows, judge } of changes) {
      const relation = this.#host.relation(relationId);
      const batches = rows === null ? this.#liveRows(relation) : this.#unpacked(rows);
      const hasRetractions = this.#applyStatement(relation, batches, judge === 'row');
      if (hasRetractions && relation.definition.watermark !== null) {
        for (const job of relation.readers) job.endStatement();
      }
    }
  }

  *#unpacked(rows: Uint8Array): Generator<DeltaBatch> {
    const { scratch } = this.#host;
    const mark = scratch.mark();
    yield* unpackBatch(rows, scratch);
    scratch.release(mark);
  }

  /** TRUNCATE: retractions of every row there is now. */
  *#liveRows(relation: EngineRelation): Generator<DeltaBatch> {
    const { scratch } = this.#host;
    const reader = relation.reader();
    const all = relation.definition.columns.map((_, column) => column);
    const mark = scratch.mark();
    for (const batch of reader.scanOpen(all, this.#host)) {
      yield negate(batch, scratch);
      scratch.release(mark);
    }
  }

  /** Whether rows went. */
  #applyStatement(
    relation: EngineRelation,
    batches: Iterable<DeltaBatch>,
    isRowByRow: boolean,
  ): boolean {
    const before = relation.watermark.split(DML_SPLIT).running;
    let hasRetractions = false;
    for (const batch of batches) {
      hasRetractions ||= batch.weights !== 0;
      this.#host.deliver(relation, this.#stamped(relation, batch, isRowByRow, before));
    }
    return hasRetractions;
  }

  /** `before`: the table's own watermark before the statement. */
  #stamped(
    { definition, watermark }: EngineRelation,
    batch: DeltaBatch,
    isRowByRow: boolean,
    before: bigint,
  ): DeltaBatch {
    if (definition.watermark === null) return batch;
    const split = watermark.split(DML_SPLIT);
    const judged = isRowByRow ? split : { ...split, running: before };
    const bounds: StampBounds = {
      delayUs: BigInt(definition.watermark.delayUs),
      previous: watermark.current,
      others: watermark.othersMinimum(DML_SPLIT),
      isRowByRow,
      limitUs: null,
    };
    const column = must(batch.columns[definition.watermark.column]);
    const stamped = stampRowWatermarks(batch, column, judged, bounds, this.#host.scratch);
    split.running = maxWatermark(split.running, judged.running);
    return stamped.batch;
  }
}
