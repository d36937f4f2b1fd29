/**
 * SourceRows: what becomes of a source's records: rows with their watermarks, changes of the store that keeps the newest row
 * of each key, dead letters; and their counts (semantics.md rule 24: read = decoded + rejected).
 */

import { must } from '../base/assert.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { RejectedRecord, RowChanges, SourceChunk } from '../connect/source.ts';
import type { EngineRelation } from './engine-relation.ts';
import type { FeedContext, FeedState } from './feed-context.ts';
import type { CreateSourceAction } from './port.ts';
import type { DeadLetter } from './problems.ts';
import { stampRowWatermarks } from './row-watermarks.ts';
import { optionUs } from './source-reading.ts';
import { type BrokenRecord, SourceRecords } from './source-records.ts';
import type { SourceSplits } from './source-splits.ts';
import { SourceStore } from './source-store.ts';
import type { RelationWatermark } from './watermark.ts';

/** Why a record was rejected, and where it stands. */
export type Rejection = Pick<RejectedRecord, 'position' | 'byteOffset' | 'sqlstate' | 'reason'>;

type Deliver = (batch: DeltaBatch) => void;

export class SourceRows {
  #definition: CreateSourceAction;
  readonly #relation: EngineRelation;
  readonly #splits: SourceSplits;
  readonly #context: FeedContext;
  #records: SourceRecords;
  /** null: records are rows of their own. */
  readonly #store: SourceStore | null;
  readonly #maxAheadUs: bigint | null;
  #rowsRead: number;
  #rowsRejected: number;
  #nullTime: number;

  constructor(
    state: FeedState,
    relation: EngineRelation,
    splits: SourceSplits,
    context: FeedContext,
  ) {
    this.#definition = state.definition;
    this.#relation = relation;
    this.#splits = splits;
    this.#context = context;
    this.#records = new SourceRecords(state.definition, context.memory, context.scratch);
    this.#store = SourceStore.open(relation, context, state.unknownDeletes);
    this.#maxAheadUs = optionUs(state.definition.connector, 'maxAheadUs');
    this.#rowsRead = state.rowsRead;
    this.#rowsRejected = state.rowsRejected;
    this.#nullTime = state.nullTime;
  }

  /** Another NOT NULL from now on. */
  redefine(definition: CreateSourceAction): void {
    this.#definition = definition;
    this.#records = new SourceRecords(definition, this.#context.memory, this.#context.scratch);
  }

  /** Records that were decoded may be rejected for another reason. */
  get mayReject(): boolean {
    return this.isKeyed || this.#definition.generated.some((expr) => expr !== null);
  }

  /** The newest row of each key is kept. */
  get isKeyed(): boolean {
    return this.#store !== null;
  }

  counters(): Pick<FeedState, 'rowsRead' | 'rowsRejected' | 'nullTime' | 'unknownDeletes'> {
    return {
      rowsRead: this.#rowsRead,
      rowsRejected: this.#rowsRejected,
      nullTime: this.#nullTime,
      unknownDeletes: this.#store?.unknownDeletes ?? 0,
    };
  }

  /** Columns that the connector has to fill so that `read` can be had. */
  neededFor(read: ReadonlySet<number>): readonly number[] {
    return this.#records.neededFor(read);
  }

  /** The records of a chunk become part of the epoch; `wanted`: the columns that its batch has. */
  take(chunk: SourceChunk, wanted: readonly number[], deliver: Deliver): void {
    const { split, batch, rejected, changes } = chunk;
    for (const record of rejected) this.#reject(rejectedLetter(record), split);
    this.#rowsRead += (batch?.rowCount ?? 0) + rejected.length;
    if (changes !== undefined) this.#takeChanges(chunk, changes, wanted, deliver);
    else if (batch !== null) {
      const rows = this.complete(chunk, wanted, true);
      if (rows !== null) deliver(this.#stamp(rows, split, this.#relation.watermark));
    }
  }

  /**
   * Records that were rejected are taken in after all, but for those that are rejected again: the result. What is delivered
   * comes with the offsets of its rows' records; none where the source keeps the newest row of each key.
   */
  retake(
    chunk: SourceChunk,
    count: number,
    wanted: readonly number[],
    deliver: (batch: DeltaBatch, offsets: readonly number[]) => void,
  ): ReadonlyMap<number, Rejection> {
    const { split, batch, changes } = chunk;
    const rejections = new Map<number, Rejection>();
    for (const { offset, ...rejection } of chunk.rejected) rejections.set(offset, rejection);
    const reject = (offset: number, { sqlstate, reason }: BrokenRecord) => {
      const { position, byteOffset } = must(chunk.places).placeAt(offset);
      rejections.set(offset, { position, byteOffset, sqlstate, reason });
    };
    if (batch !== null && changes !== undefined) {
      this.#takeParts(chunk, changes, wanted, reject, (rows) => deliver(rows, []));
    } else if (batch !== null) {
      const { offsetOf } = must(chunk.places);
      const { rows, rejected } = this.#records.complete(batch, wanted);
      const broken = new Set(rejected.map(({ row }) => row));
      for (const record of rejected) reject(offsetOf(record.row), record);
      const taken = Array.from({ length: batch.rowCount }, (_, row) => row);
      const offsets = taken.filter((row) => !broken.has(row)).map(offsetOf);
      if (rows !== null) deliver(this.#stamp(rows, split, this.#relation.watermark), offsets);
    }
    this.#rowsRejected -= count - rejections.size;
    return rejections;
  }

  #takeChanges(
    chunk: SourceChunk,
    changes: RowChanges,
    wanted: readonly number[],
    deliver: Deliver,
  ): void {
    const reject = (offset: number, record: BrokenRecord) =>
      this.#reject(brokenLetter(record, chunk, offset), chunk.split);
    this.#takeParts(chunk, changes, wanted, reject, deliver);
  }

  #takeParts(
    chunk: SourceChunk,
    changes: RowChanges,
    wanted: readonly number[],
    reject: (offset: number, record: BrokenRecord) => void,
    deliver: Deliver,
  ): void {
    const store = must(this.#store, 'a source without a store changes rows');
    const { split, batch } = chunk;
    if (batch === null) return;
    const all = [...wanted, ...store.hiddenColumns];
    for (const part of store.parts(batch, changes, this.#splits.numberOf(split), wanted)) {
      const { rows, rejected } = this.#records.complete(part.batch, all, part);
      for (const record of rejected) {
        const offset = Number(batch.memory.i64[(part.offsets.values >>> 3) + record.row]);
        reject(offset, record);
      }
      if (rows === null) continue;
      store.apply(this.#stamp(rows, split, this.#relation.watermark), deliver);
    }
  }

  /** The rows of a chunk of `history`, judged by a watermark of their own; nothing is counted or rejected again. */
  takeAgain(
    chunk: SourceChunk,
    wanted: readonly number[],
    watermark: RelationWatermark,
  ): DeltaBatch | null {
    if (chunk.batch === null) return null;
    const rows = this.complete(chunk, wanted, false);
    return rows === null ? null : this.#stamp(rows, chunk.split, watermark, false);
  }

  #stamp(
    rows: DeltaBatch,
    splitName: string,
    watermark: RelationWatermark,
    isCounted = true,
  ): DeltaBatch {
    const definition = this.#definition.watermark;
    if (definition === null) return rows;
    const column = must(rows.columns[definition.column]);
    const bounds = {
      delayUs: BigInt(definition.delayUs),
      previous: watermark.current,
      others: watermark.othersMinimum(splitName),
      isRowByRow: true,
      limitUs: this.#maxAheadUs === null ? null : this.#context.nowUs() + this.#maxAheadUs,
    };
    const split = watermark.split(splitName);
    const stamped = stampRowWatermarks(rows, column, split, bounds, this.#context.scratch);
    if (isCounted) this.#nullTime += stamped.nullTimes;
    return stamped.batch;
  }

  /** The rows of a chunk with all known columns; records that break a rule are rejected. */
  complete(chunk: SourceChunk, wanted: readonly number[], isReported: boolean): DeltaBatch | null {
    const { rows, rejected } = this.#records.complete(must(chunk.batch), wanted);
    if (isReported) {
      for (const record of rejected) {
        const offset = chunk.places?.offsetOf(record.row) ?? null;
        this.#reject(brokenLetter(record, chunk, offset), chunk.split);
      }
    }
    return rows;
  }

  #reject(letter: RejectedLetter, split: string): void {
    this.#rowsRejected += 1;
    const { position, row, reason, sqlstate, place, raw } = letter;
    this.#context.problems.addLetter({
      kind: 'rejected',
      sourceId: this.#relation.id,
      viewId: null,
      split,
      position,
      row,
      reason,
      op: null,
      sqlstate,
      place,
      raw,
    });
  }
}

type RejectedLetter = Pick<
  DeadLetter,
  'position' | 'row' | 'reason' | 'sqlstate' | 'place' | 'raw'
>;

function rejectedLetter(record: RejectedRecord): RejectedLetter {
  const { position, sqlstate, reason, raw } = record;
  return { position, row: null, sqlstate, reason, raw, place: record };
}

/** Of a record that was decoded: where its bytes are not known any more, its columns. */
function brokenLetter(
  { row, columns, sqlstate, reason }: BrokenRecord,
  { from, places }: SourceChunk,
  offset: number | null,
): RejectedLetter {
  const place = offset === null ? null : places?.placeAt(offset);
  const raw = offset === null ? null : places?.rawAt?.(offset);
  const position = place ? place.position : JSON.stringify({ from, row });
  return {
    position,
    sqlstate,
    reason,
    ...(place ? { place } : {}),
    ...(raw ? { row: null, raw } : { row: columns }),
  };
}
