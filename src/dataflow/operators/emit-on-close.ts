/**
 * EmitOnClose: EMIT ON WINDOW CLOSE: holds rows back until the watermark says that they are final.
 *
 * Algorithm: rows are kept by identity with their weight, in buckets of the closing column's value; when the watermark
 * passes a bucket its rows come out with their weights and are forgotten. What is retracted before leaves no trace.
 * State: rows that are not final yet. Correctness: a row that is out is final, so the output is append-only; a change of
 * a closed value is late (semantics.md rule 15) and goes to the dead letters. A NULL value never closes.
 *
 * Over sessions nothing is late here: they judged their rows (rule 16), and they know what is final better than their
 * held-back watermark says. Where an on-time retraction splits an open session, a piece of it may be closed at birth: it
 * comes out at once.
 */

import { assert } from '../../base/assert.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { select } from '../../batch/select.ts';
import { RowTable } from '../../kernels/row-table.ts';
import type { EmitOnCloseNode } from '../../plan/plan-node.ts';
import type { GraphContext } from '../graph-context.ts';
import { type EpochContext, type Operator, WATERMARK_END, WATERMARK_NONE } from '../operator.ts';
import { RowBuckets } from '../row-buckets.ts';
import { isValid, RowList } from '../rows.ts';
import { derivedWatermarks, shiftWatermark } from '../watermark.ts';

const WEIGHT = 0;
const FLAGS = 4;
const NEXT = 8;
const PREVIOUS = 12;
const EXTRA_BYTES = 16;
const BUCKETED = 1;

/** Sessions whose rows, or groups of one session's rows, come in. */
interface SessionsBelow {
  /** How far their watermarks stand behind what is final. */
  readonly heldBackUs: bigint;
}

export class EmitOnCloseOperator implements Operator {
  readonly name = 'EmitOnClose';
  watermarks: readonly bigint[];
  readonly #node: EmitOnCloseNode;
  readonly #context: GraphContext;
  readonly #table: RowTable;
  readonly #buckets: RowBuckets;
  readonly #all: readonly number[];
  readonly #zero = new RowList();
  #sessions: SessionsBelow | null = null;
  /** Rows whose closing value is below this are final. */
  #limit = WATERMARK_NONE;

  constructor(node: EmitOnCloseNode, context: GraphContext) {
    this.#node = node;
    this.#context = context;
    const storages = node.columns.map(({ type }) => type.storage);
    const { memory, scratch } = context;
    const spec = { storages, keyCount: storages.length, extraBytes: EXTRA_BYTES };
    this.#table = RowTable.open(memory, context.rootCell(), spec);
    const extra = this.#table.layout.extraOffset;
    const links = { next: extra + NEXT, previous: extra + PREVIOUS };
    this.#buckets = new RowBuckets(memory, scratch, context.rootCell(), links);
    this.#all = storages.map((_, column) => column);
    this.watermarks = derivedWatermarks(node.properties?.watermarks ?? [], undefined);
  }

  /** Its input's rows are those of sessions, one for one or grouped by session. */
  readSessions(sessions: SessionsBelow): void {
    this.#sessions = sessions;
  }

  onDelta(_port: number, batch: DeltaBatch): void {
    const { scratch } = this.#context;
    const mark = scratch.mark();
    const open = this.#sessions !== null ? batch : this.#withoutClosed(batch);
    if (open !== null) this.#keep(open);
    scratch.release(mark);
  }

  #withoutClosed(batch: DeltaBatch): DeltaBatch | null {
    const { memory, scratch, problems } = this.#context;
    const column = batch.columns[this.#node.column]!;
    const late: number[] = [];
    const sel = scratch.alloc(batch.rowCount * 4 + 16);
    let n = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      const isClosed =
        isValid(memory, column, row) && memory.i64[(column.values >>> 3) + row]! < this.#limit;
      if (isClosed) late.push(row);
      else memory.u32[(sel >>> 2) + n++] = row;
    }
    if (late.length === 0) return batch;
    problems.onLate(batch, Uint32Array.from(late), 0);
    return n === 0 ? null : select(batch, sel, n, scratch);
  }

  #keep(batch: DeltaBatch): void {
    const { memory, scratch } = this.#context;
    const n = batch.rowCount;
    const rows = scratch.alloc(n * 4);
    const fresh = scratch.alloc(n * 4);
    const instants = scratch.alloc(n * 8);
    this.#table.upsert(batch.columns, n, rows);
    const column = batch.columns[this.#node.column]!;
    const { u32, i32, i64 } = memory;
    let freshCount = 0;
    for (let i = 0; i < n; i++) {
      const row = u32[(rows >>> 2) + i]!;
      const at = this.#table.extraAddress(row) >>> 2;
      i32[at]! += batch.weights === 0 ? 1 : i32[(batch.weights >>> 2) + i]!;
      if (i32[at] === 0) this.#zero.push(row);
      if ((u32[at + (FLAGS >>> 2)]! & BUCKETED) !== 0) continue;
      u32[at + (FLAGS >>> 2)]! |= BUCKETED;
      const value = isValid(memory, column, i) ? i64[(column.values >>> 3) + i]! : WATERMARK_END;
      u32[(fresh >>> 2) + freshCount] = row;
      i64[(instants >>> 3) + freshCount++] = value;
    }
    this.#buckets.add(fresh, instants, freshCount);
  }

  onEpochEnd(_epoch: EpochContext, inputs: readonly (readonly bigint[])[]): void {
    this.#freeZero();
    const held = inputs[0]?.[this.#node.watermark] ?? WATERMARK_NONE;
    const watermark = shiftWatermark(held, this.#sessions?.heldBackUs ?? 0n);
    this.#limit = this.#node.isStrict ? watermark : shiftWatermark(watermark, 1n);
    const final = new RowList();
    this.#buckets.takeBefore(this.#limit, final);
    const { scratch, batchRowsMax } = this.#context;
    for (let from = 0; from < final.count; from += batchRowsMax) {
      const mark = scratch.mark();
      this.#emit(final, from, Math.min(batchRowsMax, final.count - from));
      scratch.release(mark);
    }
    this.watermarks = derivedWatermarks(this.#node.properties?.watermarks ?? [], inputs[0]);
  }

  /** Rows whose weight came back to 0 leave their buckets. */
  #freeZero(): void {
    const { memory } = this.#context;
    for (let i = 0; i < this.#zero.count; i++) {
      const row = this.#zero.at(i);
      const at = this.#table.extraAddress(row) >>> 2;
      if (memory.i32[at] !== 0 || (memory.u32[at + (FLAGS >>> 2)]! & BUCKETED) === 0) continue;
      const value = this.#table.isValid(row, this.#node.column)
        ? memory.i64[this.#table.valueAddress(row, this.#node.column) >>> 3]!
        : WATERMARK_END;
      this.#buckets.remove(row, value);
      this.#table.remove(row);
    }
    this.#zero.clear();
  }

  #emit(final: RowList, from: number, n: number): void {
    const { memory, scratch, output } = this.#context;
    const rows = scratch.alloc(n * 4);
    const weights = scratch.alloc(n * 4);
    final.copyTo(memory, from, n, rows);
    for (let i = 0; i < n; i++) {
      const weight = memory.i32[(this.#table.extraAddress(final.at(from + i)) + WEIGHT) >>> 2]!;
      assert(weight > 0, 'a closed row was retracted more often than it came');
      memory.i32[(weights >>> 2) + i] = weight;
    }
    output.onDelta(this.#table.gatherBatch(rows, n, this.#all, weights, scratch));
    this.#table.removeMany(rows, n);
  }

  stateSize(): { rows: number; bytes: number } {
    return { rows: this.#table.rowCount, bytes: this.#table.bytes + this.#buckets.bytes };
  }
}
