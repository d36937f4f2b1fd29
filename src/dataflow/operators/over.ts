/**
 * Over: window functions (row_number, rank, dense_rank, lag, lead, first_value, last_value, aggregates) over partitions.
 *
 * Algorithm: partitions are kept in order; at the epoch's end a touched partition's results are worked out for its rows as
 * they were and as they are, and what differs is put out: rows at the beginning and at the end whose results stay are
 * passed over, which makes appending cheap downstream.
 * State: all rows of the input, with the copies counted at the last epoch's end; results are never stored. Correctness:
 * results are a function of the partition's multiset, since the order (keys, then all columns: semantics.md rule 9) is
 * total on different rows and copies are alike. Cost: O(rows of the partition) a touched partition.
 */

import { assert } from '../../base/assert.ts';
import type { Column, DeltaBatch } from '../../batch/delta-batch.ts';
import { selectColumn } from '../../batch/select.ts';
import type { OverNode } from '../../plan/plan-node.ts';
import { equalRows } from '../../state/row-identity.ts';
import type { GraphContext } from '../graph-context.ts';
import type { EpochContext, Operator } from '../operator.ts';
import { OrderedPartitions } from '../ordered-partitions.ts';
import { OverFunctions } from '../over-functions.ts';
import { constantWeights } from '../rows.ts';
import { derivedWatermarks } from '../watermark.ts';

/** The owner's bytes of a row: copies at the last epoch's end. */
const OLD_WEIGHT = 0;
const OWNER_SIZE = 8;

/** A partition's rows, copy by copy, with the results. */
interface Sequence {
  readonly count: number;
  readonly columns: readonly Column[];
}

export class OverOperator implements Operator {
  readonly name = 'Over';
  watermarks: readonly bigint[];
  readonly #node: OverNode;
  readonly #context: GraphContext;
  readonly #state: OrderedPartitions;
  readonly #functions: OverFunctions;

  constructor(node: OverNode, context: GraphContext) {
    this.#node = node;
    this.#context = context;
    const { columns } = node.input;
    const { partition, order } = node;
    this.#state = new OrderedPartitions(context, {
      columns,
      partition,
      order,
      ownerBytes: OWNER_SIZE,
    });
    this.#functions = new OverFunctions(node, context, this.#state.rows);
    this.watermarks = derivedWatermarks(node.properties?.watermarks ?? [], undefined);
  }

  onDelta(_port: number, batch: DeltaBatch): void {
    this.#state.add(batch);
  }

  onEpochEnd(_epoch: EpochContext, inputs: readonly (readonly bigint[])[]): void {
    const { touchedPartitions, touchedRows } = this.#state;
    const { memory, scratch } = this.#context;
    for (let i = 0; i < touchedPartitions.count; i++) {
      const mark = scratch.mark();
      this.#settle(touchedPartitions.at(i));
      scratch.release(mark);
    }
    for (let i = 0; i < touchedRows.count; i++) {
      const row = touchedRows.at(i);
      const weight = this.#state.weight(row);
      assert(weight >= 0, 'a window function lost a row that it never had');
      memory.i32[(this.#state.ownerAddress(row) + OLD_WEIGHT) >>> 2] = weight;
      if (weight === 0) this.#state.remove(row);
    }
    this.#state.settle();
    this.watermarks = derivedWatermarks(this.#node.properties?.watermarks ?? [], inputs[0]);
  }

  #settle(partition: number): void {
    const before = this.#sequence(partition, true);
    const after = this.#sequence(partition, false);
    const { memory } = this.#context;
    const same = (a: number, b: number): boolean =>
      equalRows(memory, before.columns, a, memory, after.columns, b);
    const least = Math.min(before.count, after.count);
    let head = 0;
    while (head < least && same(head, head)) head += 1;
    let tail = 0;
    while (tail < least - head && same(before.count - 1 - tail, after.count - 1 - tail)) tail += 1;
    this.#emit(before, head, before.count - tail, -1);
    this.#emit(after, head, after.count - tail, 1);
  }

  /** The partition's rows in order, each as often as it stands there (or stood). */
  #sequence(partition: number, isOld: boolean): Sequence {
    const { memory, scratch } = this.#context;
    const tree = this.#state.treeOf(partition);
    let count = 0;
    for (let row = tree.first(); row !== 0; row = tree.next(row)) count += this.#copies(row, isOld);
    if (count === 0) return { count, columns: [] };
    const rows = scratch.alloc(count * 4);
    let at = rows >>> 2;
    for (let row = tree.first(); row !== 0; row = tree.next(row)) {
      for (let copies = this.#copies(row, isOld); copies > 0; copies--) memory.u32[at++] = row;
    }
    const own = this.#node.input.columns.map((_, column) =>
      this.#state.rows.gather(rows, count, column, scratch),
    );
    return { count, columns: [...own, ...this.#functions.evaluate(rows, count, own)] };
  }

  #copies(row: number, isOld: boolean): number {
    if (!isOld) return this.#state.weight(row);
    return this.#context.memory.i32[(this.#state.ownerAddress(row) + OLD_WEIGHT) >>> 2]!;
  }

  #emit(sequence: Sequence, from: number, to: number, weight: 1 | -1): void {
    const { memory, scratch, output, batchRowsMax } = this.#context;
    for (let start = from; start < to; start += batchRowsMax) {
      const mark = scratch.mark();
      const n = Math.min(batchRowsMax, to - start);
      const sel = scratch.alloc(n * 4);
      for (let i = 0; i < n; i++) memory.u32[(sel >>> 2) + i] = start + i;
      const columns = sequence.columns.map((c) => selectColumn(memory, c, sel, n, scratch));
      const weights = constantWeights(memory, scratch, weight, n);
      output.onDelta({ memory, rowCount: n, columns, weights, rowWatermarks: 0 });
      scratch.release(mark);
    }
  }

  stateSize(): { rows: number; bytes: number } {
    return this.#state.stateSize();
  }
}
