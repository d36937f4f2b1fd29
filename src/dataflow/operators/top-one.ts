/**
 * TopOne: the first row of each partition in order, ties by all columns (semantics.md rule 9), of an input that never retracts:
 * the newest row of a key, as `row_number() OVER (PARTITION BY k ORDER BY t DESC) = 1` asks for it. (Materialize calls it
 * MonotonicTop1, Flink deduplication.)
 *
 * Algorithm: a row that comes before the kept one takes its place, any other one is forgotten at once; what was shown is
 * taken back before it is overwritten, what stands at the epoch's end is shown.
 * State: one row a partition. Correctness: without retractions the first row of a multiset is the least of its rows, and a
 * row that was not first once is never first again.
 * Cost: O(1) a row.
 */

import { assert } from '../../base/assert.ts';
import { weightOf } from '../../batch/concat.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { selectColumn } from '../../batch/select.ts';
import { batchComparator, batchToStateComparator } from '../../kernels/compare-rows.ts';
import { RowTable } from '../../kernels/row-table.ts';
import type { TopNNode } from '../../plan/plan-node.ts';
import type { DataType } from '../../types/data-type.ts';
import type { GraphContext } from '../graph-context.ts';
import type { EpochContext, Operator } from '../operator.ts';
import { RowOutput } from '../row-output.ts';
import { RowList } from '../rows.ts';
import { derivedWatermarks } from '../watermark.ts';

/** Words of a row's extra bytes: how it stands, and its number + 1 in the batch that is being added (0: it keeps its place). */
const STATE = 0;
const WINNER = 1;
const EXTRA_BYTES = 8;

/** Values of STATE; 0: the row has no values yet. */
const SHOWN = 1;
const CHANGED = 2;

export class TopOneOperator implements Operator {
  readonly name = 'TopOne';
  watermarks: readonly bigint[];
  readonly #node: TopNNode;
  readonly #context: GraphContext;
  readonly #types: readonly DataType[];
  /** Columns of the input in the order of the table: those of the partition, then the others. */
  readonly #stored: readonly number[];
  /** Where the table has each column of the input. */
  readonly #places: readonly number[];
  readonly #rows: RowTable;
  readonly #output: RowOutput;
  /** Rows that won in the batch that is being added. */
  readonly #winners = new RowList();
  /** Rows that changed in this epoch. */
  readonly #changed = new RowList();

  constructor(node: TopNNode, context: GraphContext) {
    assert(node.limit === 1 && node.offset === 0, 'only the first row is kept');
    this.#node = node;
    this.#context = context;
    this.#types = node.input.columns.map(({ type }) => type);
    const columns = this.#types.map((_, column) => column);
    const { partition } = node;
    this.#stored = [...partition, ...columns.filter((column) => !partition.includes(column))];
    this.#places = columns.map((column) => this.#stored.indexOf(column));
    this.#rows = RowTable.open(context.memory, context.rootCell(), {
      storages: this.#stored.map((column) => this.#types[column]!.storage),
      keyCount: partition.length,
      extraBytes: EXTRA_BYTES,
    });
    this.#output = new RowOutput(context, this.#rows, this.#places, node.withRank ? 1 : 0);
    this.watermarks = derivedWatermarks(node.properties?.watermarks ?? [], undefined);
  }

  onDelta(_port: number, batch: DeltaBatch): void {
    const { scratch } = this.#context;
    const mark = scratch.mark();
    const rows = scratch.alloc(batch.rowCount * 4 + 16);
    const keys = this.#node.partition.map((column) => batch.columns[column]!);
    this.#rows.upsert(keys, batch.rowCount, rows);
    this.#findWinners(batch, rows);
    this.#takeBack();
    this.#storeWinners(batch);
    scratch.release(mark);
  }

  /** Notes in each row that has to change which row of the batch takes its place. */
  #findWinners(batch: DeltaBatch, rows: number): void {
    const { order } = this.#node;
    const { layout } = this.#rows;
    const amongBatch = batchComparator(batch, order, this.#types);
    const toKept = batchToStateComparator(batch, layout, this.#places, order, this.#types);
    const { u32 } = this.#context.memory;
    for (let i = 0; i < batch.rowCount; i++) {
      assert(weightOf(batch, i) > 0, 'a retraction in an append-only input');
      const row = u32[(rows >>> 2) + i]!;
      const at = this.#extraWord(row);
      const winner = u32[at + WINNER]!;
      if (winner === 0) {
        if (u32[at + STATE] !== 0 && toKept(i, row) >= 0) continue;
        this.#winners.push(row);
      } else if (amongBatch(i, winner - 1) >= 0) continue;
      u32[at + WINNER] = i + 1;
    }
  }

  /** Takes back what is shown of the rows that change now for the first time in this epoch. */
  #takeBack(): void {
    const { memory } = this.#context;
    for (let i = 0; i < this.#winners.count; i++) {
      const row = this.#winners.at(i);
      const at = this.#extraWord(row) + STATE;
      const state = memory.u32[at];
      if (state === CHANGED) continue;
      memory.u32[at] = CHANGED;
      this.#changed.push(row);
      if (state === SHOWN) this.#output.put(row, -1, 1n);
    }
    this.#output.flush();
  }

  #storeWinners(batch: DeltaBatch): void {
    const { memory, scratch } = this.#context;
    const { count } = this.#winners;
    const rows = scratch.alloc(count * 4 + 16);
    const numbers = scratch.alloc(count * 4 + 16);
    const { u32 } = memory;
    for (let i = 0; i < count; i++) {
      const row = this.#winners.at(i);
      const winner = this.#extraWord(row) + WINNER;
      u32[(rows >>> 2) + i] = row;
      u32[(numbers >>> 2) + i] = u32[winner]! - 1;
      u32[winner] = 0;
    }
    this.#winners.clear();
    for (let place = this.#node.partition.length; place < this.#stored.length; place++) {
      const column = batch.columns[this.#stored[place]!]!;
      this.#rows.store(rows, place, selectColumn(memory, column, numbers, count, scratch), count);
    }
  }

  onEpochEnd(_epoch: EpochContext, inputs: readonly (readonly bigint[])[]): void {
    const { memory } = this.#context;
    for (let i = 0; i < this.#changed.count; i++) {
      const row = this.#changed.at(i);
      memory.u32[this.#extraWord(row) + STATE] = SHOWN;
      this.#output.put(row, 1, 1n);
    }
    this.#output.flush();
    this.#changed.clear();
    this.watermarks = derivedWatermarks(this.#node.properties?.watermarks ?? [], inputs[0]);
  }

  #extraWord(row: number): number {
    return this.#rows.extraAddress(row) >>> 2;
  }

  stateSize(): { rows: number; bytes: number } {
    return { rows: this.#rows.rowCount, bytes: this.#rows.bytes };
  }
}
