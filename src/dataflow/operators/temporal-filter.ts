/**
 * TemporalFilter: rows live while validFrom <= now() < validUntil; they come and go as time passes, without input.
 *
 * Algorithm: rows that still have a bound ahead are kept in order of it; at the epoch's end, rows that changed and rows
 * whose bound the epoch's instant has reached are judged again. An epoch's instant never goes back (semantics.md rule
 * 10), so that a row behind its end is forgotten and a later retraction of it has nothing to take back.
 * State: rows that are not over, with copies shown. Correctness: what is shown is a function of (weight, now).
 * Cost: O(log n) a change.
 */

import { weightOf } from '../../batch/concat.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { RowTable } from '../../kernels/row-table.ts';
import { OrderedTree } from '../../memory/ordered-tree.ts';
import type { TemporalFilterNode } from '../../plan/plan-node.ts';
import type { GraphContext } from '../graph-context.ts';
import { type EpochContext, type Operator, WATERMARK_END, WATERMARK_NONE } from '../operator.ts';
import { RowOutput } from '../row-output.ts';
import { RowList } from '../rows.ts';

const NODE = 0;
const WEIGHT = OrderedTree.NODE_BYTES;
const SHOWN = WEIGHT + 4;
const DUE = WEIGHT + 8;
const FLAGS = WEIGHT + 16;
const EXTRA_BYTES = WEIGHT + 24;

const IN_TREE = 1;
const TOUCHED = 2;

export class TemporalFilterOperator implements Operator {
  readonly name = 'TemporalFilter';
  readonly watermarks: readonly bigint[];
  readonly #node: TemporalFilterNode;
  readonly #context: GraphContext;
  readonly #table: RowTable;
  readonly #due: OrderedTree;
  readonly #output: RowOutput;
  readonly #extra: number;
  readonly #touched = new RowList();

  constructor(node: TemporalFilterNode, context: GraphContext) {
    this.#node = node;
    this.#context = context;
    const { memory } = context;
    const storages = node.columns.map(({ type }) => type.storage);
    const spec = { storages, keyCount: storages.length, extraBytes: EXTRA_BYTES };
    this.#table = RowTable.open(memory, context.rootCell(), spec);
    this.#extra = this.#table.layout.extraOffset;
    this.#due = new OrderedTree(memory, {
      rootCell: context.rootCell(),
      nodeOffset: this.#extra + NODE,
      compare: (a, b) => this.#compareDue(a, b),
    });
    const all = storages.map((_, column) => column);
    this.#output = new RowOutput(context, this.#table, all, 0);
    this.watermarks = (node.properties?.watermarks ?? []).map(() => WATERMARK_NONE);
  }

  #compareDue(a: number, b: number): number {
    const x = this.#dueOf(a);
    const y = this.#dueOf(b);
    if (x !== y) return x < y ? -1 : 1;
    return a - b;
  }

  #dueOf(row: number): bigint {
    return this.#context.memory.i64[(row * 8 + this.#extra + DUE) >>> 3]!;
  }

  onDelta(_port: number, batch: DeltaBatch): void {
    const { memory, scratch } = this.#context;
    const mark = scratch.mark();
    const rows = scratch.alloc(batch.rowCount * 4 + 16);
    this.#table.upsert(batch.columns, batch.rowCount, rows);
    const { u32, i32 } = memory;
    for (let i = 0; i < batch.rowCount; i++) {
      const row = u32[(rows >>> 2) + i]!;
      const at = (row * 8 + this.#extra) >>> 2;
      i32[at + (WEIGHT >>> 2)]! += weightOf(batch, i);
      this.#touch(row);
    }
    scratch.release(mark);
  }

  #touch(row: number): void {
    const flags = (row * 8 + this.#extra + FLAGS) >>> 2;
    const { u32 } = this.#context.memory;
    if ((u32[flags]! & TOUCHED) !== 0) return;
    u32[flags]! |= TOUCHED;
    this.#touched.push(row);
  }

  onEpochEnd(epoch: EpochContext): void {
    for (let row = this.#due.first(); row !== 0; row = this.#due.first()) {
      if (this.#dueOf(row) > epoch.nowUs) break;
      this.#leaveTree(row);
      this.#touch(row);
    }
    for (let i = 0; i < this.#touched.count; i++) this.#judge(this.#touched.at(i), epoch.nowUs);
    this.#output.flush();
    for (let i = 0; i < this.#touched.count; i++)
      this.#keepOrForget(this.#touched.at(i), epoch.nowUs);
    this.#touched.clear();
  }

  /** Puts out the difference between the copies wanted now and those shown. */
  #judge(row: number, nowUs: bigint): void {
    const { i32 } = this.#context.memory;
    const at = (row * 8 + this.#extra) >>> 2;
    const isLive = this.#fromOf(row) <= nowUs && nowUs < this.#untilOf(row);
    const wanted = isLive ? i32[at + (WEIGHT >>> 2)]! : 0;
    this.#output.put(row, wanted - i32[at + (SHOWN >>> 2)]!);
    i32[at + (SHOWN >>> 2)] = wanted;
  }

  #keepOrForget(row: number, nowUs: bigint): void {
    const { i32, u32, i64 } = this.#context.memory;
    const address = row * 8 + this.#extra;
    u32[(address + FLAGS) >>> 2]! &= ~TOUCHED;
    this.#leaveTree(row);
    const from = this.#fromOf(row);
    const until = this.#untilOf(row);
    if (i32[(address + WEIGHT) >>> 2] === 0 || nowUs >= until || from >= until) {
      this.#table.remove(row);
      return;
    }
    const due = nowUs < from ? from : until;
    if (due === WATERMARK_END) return;
    i64[(address + DUE) >>> 3] = due;
    u32[(address + FLAGS) >>> 2]! |= IN_TREE;
    this.#due.insert(row);
  }

  #leaveTree(row: number): void {
    const { u32 } = this.#context.memory;
    const flags = (row * 8 + this.#extra + FLAGS) >>> 2;
    if ((u32[flags]! & IN_TREE) === 0) return;
    this.#due.remove(row);
    u32[flags]! &= ~IN_TREE;
  }

  /** From when the row lives; a NULL bound: never. */
  #fromOf(row: number): bigint {
    const { validFrom } = this.#node;
    if (validFrom === null) return WATERMARK_NONE;
    return this.#table.isValid(row, validFrom) ? this.#longAt(row, validFrom) : WATERMARK_END;
  }

  #untilOf(row: number): bigint {
    const { validUntil } = this.#node;
    if (validUntil === null) return WATERMARK_END;
    return this.#table.isValid(row, validUntil) ? this.#longAt(row, validUntil) : WATERMARK_NONE;
  }

  #longAt(row: number, column: number): bigint {
    return this.#context.memory.i64[this.#table.valueAddress(row, column) >>> 3]!;
  }

  stateSize(): { rows: number; bytes: number } {
    return { rows: this.#table.rowCount, bytes: this.#table.bytes };
  }

  nextTimerUs(): bigint | null {
    const row = this.#due.first();
    return row === 0 ? null : this.#dueOf(row);
  }
}
