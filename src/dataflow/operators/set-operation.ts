/**
 * SetOperation: INTERSECT and EXCEPT, with and without ALL.
 *
 * Algorithm: one table of all rows by identity, each with its weight on the left and on the right; at the epoch's end each
 * touched row's copies in the result are worked out and the difference to those shown before is put out.
 * State: a row for each different row of both inputs. Correctness: the result's copies of a row are a function of its two
 * weights (SQL:2016: m and n copies give min(m, n), max(m - n, 0); without ALL one copy at most).
 */

import { assert } from '../../base/assert.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { RowTable } from '../../kernels/row-table.ts';
import type { SetOperationNode } from '../../plan/plan-node.ts';
import type { GraphContext } from '../graph-context.ts';
import type { EpochContext, Operator } from '../operator.ts';
import { RowList } from '../rows.ts';

const SIDES = 0;
const SHOWN = 8;
const FLAGS = 12;
const EXTRA_BYTES = 16;
const TOUCHED = 1;

export class SetOperationOperator implements Operator {
  readonly name: string;
  readonly watermarks: readonly bigint[] = [];
  readonly #node: SetOperationNode;
  readonly #context: GraphContext;
  readonly #table: RowTable;
  readonly #all: readonly number[];
  readonly #touched = new RowList();

  constructor(node: SetOperationNode, context: GraphContext) {
    this.name = node.operation === 'intersect' ? 'Intersect' : 'Except';
    this.#node = node;
    this.#context = context;
    const storages = node.columns.map(({ type }) => type.storage);
    const spec = { storages, keyCount: storages.length, extraBytes: EXTRA_BYTES };
    this.#table = RowTable.open(context.memory, context.rootCell(), spec);
    this.#all = storages.map((_, column) => column);
  }

  onDelta(port: number, batch: DeltaBatch): void {
    const { memory, scratch } = this.#context;
    const mark = scratch.mark();
    const rows = scratch.alloc(batch.rowCount * 4);
    this.#table.upsert(batch.columns, batch.rowCount, rows);
    const { u32, i32 } = memory;
    for (let i = 0; i < batch.rowCount; i++) {
      const row = u32[(rows >>> 2) + i]!;
      const at = this.#table.extraAddress(row) >>> 2;
      i32[at + (SIDES >>> 2) + port]! += batch.weights === 0 ? 1 : i32[(batch.weights >>> 2) + i]!;
      if ((u32[at + (FLAGS >>> 2)]! & TOUCHED) !== 0) continue;
      u32[at + (FLAGS >>> 2)]! |= TOUCHED;
      this.#touched.push(row);
    }
    scratch.release(mark);
  }

  onEpochEnd(_epoch: EpochContext): void {
    const { scratch, batchRowsMax } = this.#context;
    for (let from = 0; from < this.#touched.count; from += batchRowsMax) {
      const mark = scratch.mark();
      this.#settle(from, Math.min(batchRowsMax, this.#touched.count - from));
      scratch.release(mark);
    }
    this.#touched.clear();
  }

  #settle(from: number, count: number): void {
    const { memory, scratch, output } = this.#context;
    const rows = scratch.alloc(count * 4);
    const weights = scratch.alloc(count * 4);
    const { u32, i32 } = memory;
    let n = 0;
    for (let i = from; i < from + count; i++) {
      const row = this.#touched.at(i);
      const at = this.#table.extraAddress(row) >>> 2;
      const left = i32[at]!;
      const right = i32[at + 1]!;
      assert(left >= 0 && right >= 0, 'a set operation lost a row that it never had');
      u32[at + (FLAGS >>> 2)]! &= ~TOUCHED;
      const wanted = this.#copies(left, right);
      const change = wanted - i32[at + (SHOWN >>> 2)]!;
      if (change === 0) continue;
      i32[at + (SHOWN >>> 2)] = wanted;
      u32[(rows >>> 2) + n] = row;
      i32[(weights >>> 2) + n++] = change;
    }
    if (n > 0) output.onDelta(this.#table.gatherBatch(rows, n, this.#all, weights, scratch));
    this.#freeUnused(from, count);
  }

  #copies(left: number, right: number): number {
    const { operation, isAll } = this.#node;
    if (operation === 'intersect') {
      const both = Math.min(left, right);
      return isAll ? both : Math.min(1, both);
    }
    if (isAll) return Math.max(left - right, 0);
    return left > 0 && right === 0 ? 1 : 0;
  }

  #freeUnused(from: number, count: number): void {
    const { i32 } = this.#context.memory;
    for (let i = from; i < from + count; i++) {
      const row = this.#touched.at(i);
      const at = this.#table.extraAddress(row) >>> 2;
      if (i32[at] === 0 && i32[at + 1] === 0) this.#table.remove(row);
    }
  }

  stateSize(): { rows: number; bytes: number } {
    return { rows: this.#table.rowCount, bytes: this.#table.bytes };
  }
}
