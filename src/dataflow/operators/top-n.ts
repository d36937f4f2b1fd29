/**
 * TopN: the rows [offset, offset + limit) of each partition in order, ties by all columns (semantics.md rule 9), with their
 * row_number where it is asked for.
 *
 * Algorithm: partitions are kept in order; at the epoch's end each touched partition's range is walked and compared with
 * what was shown: without ranks copies are added and taken, with ranks a row whose place changed is retracted and inserted.
 * State: all rows of the input (a retraction brings the next one up). Correctness: the range is a function of the
 * partition's multiset, since the order is total on different rows.
 * Cost: O(log n) a changed row, O(limit) a touched partition.
 */

import { assert } from '../../base/assert.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import type { TopNNode } from '../../plan/plan-node.ts';
import type { GraphContext } from '../graph-context.ts';
import type { EpochContext, Operator } from '../operator.ts';
import { OrderedPartitions } from '../ordered-partitions.ts';
import { RowOutput } from '../row-output.ts';
import { RowList } from '../rows.ts';
import { derivedWatermarks } from '../watermark.ts';

/** The owner's words of a row: copies and first rank shown, copies and first rank wanted, next shown row. */
const SHOWN = 0;
const SHOWN_RANK = 1;
const WANTED = 2;
const WANTED_RANK = 3;
const NEXT = 4;
const OWNER_SIZE = 24;

export class TopNOperator implements Operator {
  readonly name = 'TopN';
  watermarks: readonly bigint[];
  readonly #node: TopNNode;
  readonly #context: GraphContext;
  readonly #state: OrderedPartitions;
  readonly #output: RowOutput;
  readonly #range = new RowList();

  constructor(node: TopNNode, context: GraphContext) {
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
    const all = columns.map((_, column) => column);
    this.#output = new RowOutput(context, this.#state.rows, all, node.withRank ? 1 : 0);
    this.watermarks = derivedWatermarks(node.properties?.watermarks ?? [], undefined);
  }

  onDelta(_port: number, batch: DeltaBatch): void {
    this.#state.add(batch);
  }

  onEpochEnd(_epoch: EpochContext, inputs: readonly (readonly bigint[])[]): void {
    const { touchedPartitions, touchedRows } = this.#state;
    for (let i = 0; i < touchedPartitions.count; i++) this.#settle(touchedPartitions.at(i));
    this.#output.flush();
    for (let i = 0; i < touchedRows.count; i++) {
      const row = touchedRows.at(i);
      const weight = this.#state.weight(row);
      assert(weight >= 0, 'Top-N lost a row that it never had');
      if (weight === 0) this.#state.remove(row);
    }
    this.#state.settle();
    this.watermarks = derivedWatermarks(this.#node.properties?.watermarks ?? [], inputs[0]);
  }

  #settle(partition: number): void {
    this.#markRange(partition);
    const head = this.#state.ownerWord(partition);
    this.#retractShown(head);
    this.#showRange(head);
  }

  /** Notes in each row of the range how many copies of it are in, and the first one's rank. */
  #markRange(partition: number): void {
    const { i32 } = this.#context.memory;
    const { offset, limit } = this.#node;
    const end = limit === null ? Number.POSITIVE_INFINITY : offset + limit;
    const tree = this.#state.treeOf(partition);
    this.#range.clear();
    let row = tree.nth(offset);
    let position = row === 0 ? 0 : tree.rank(row);
    while (row !== 0 && position < end) {
      const weight = this.#state.weight(row);
      const from = Math.max(position, offset);
      const copies = Math.min(position + weight, end) - from;
      if (copies > 0) {
        const at = this.#state.ownerAddress(row) >>> 2;
        i32[at + WANTED] = copies;
        i32[at + WANTED_RANK] = from + 1;
        this.#range.push(row);
      }
      position += weight;
      row = tree.next(row);
    }
  }

  /** Takes back what was shown and is not wanted so. */
  #retractShown(head: number): void {
    const { i32, u32 } = this.#context.memory;
    let row = u32[head]!;
    while (row !== 0) {
      const at = this.#state.ownerAddress(row) >>> 2;
      const next = u32[at + NEXT]!;
      const shown = i32[at + SHOWN]!;
      const wanted = i32[at + WANTED]!;
      const isMoved = this.#node.withRank && i32[at + SHOWN_RANK] !== i32[at + WANTED_RANK];
      if (wanted === 0 || isMoved) {
        this.#put(row, shown, i32[at + SHOWN_RANK]!, -1);
        i32[at + SHOWN] = 0;
      } else if (wanted < shown) {
        this.#put(row, shown - wanted, i32[at + SHOWN_RANK]! + wanted, -1);
        i32[at + SHOWN] = wanted;
      }
      u32[at + NEXT] = 0;
      row = next;
    }
  }

  #showRange(head: number): void {
    const { i32, u32 } = this.#context.memory;
    u32[head] = 0;
    for (let i = 0; i < this.#range.count; i++) {
      const row = this.#range.at(i);
      const at = this.#state.ownerAddress(row) >>> 2;
      const shown = i32[at + SHOWN]!;
      const wanted = i32[at + WANTED]!;
      if (wanted > shown) this.#put(row, wanted - shown, i32[at + WANTED_RANK]! + shown, 1);
      i32[at + SHOWN] = wanted;
      i32[at + SHOWN_RANK] = i32[at + WANTED_RANK]!;
      i32[at + WANTED] = 0;
      u32[at + NEXT] = u32[head]!;
      u32[head] = row;
    }
  }

  /** `copies` of a row with ranks from `rank`. */
  #put(row: number, copies: number, rank: number, sign: 1 | -1): void {
    if (!this.#node.withRank) {
      this.#output.put(row, sign * copies);
      return;
    }
    for (let i = 0; i < copies; i++) this.#output.put(row, sign, BigInt(rank + i));
  }

  stateSize(): { rows: number; bytes: number } {
    return this.#state.stateSize();
  }
}
