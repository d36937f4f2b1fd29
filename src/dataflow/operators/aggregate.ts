/**
 * Aggregate: GROUP BY with any aggregates, and DISTINCT (no aggregates).
 *
 * Algorithm: a batch's keys become rows of a table (hash, upsert), each row counts the weight of its group, each aggregate
 * updates its slots in the row. At the epoch's end every touched group retracts the result that it showed and shows the
 * new one, where they differ. Without keys there is one group, which shows a result over no rows too.
 * State: one row a group: keys, results shown, weight, slots. A group whose close key lies behind the watermark is freed
 * (`closeOn`: the windows below have dropped every late row, so that nothing can change it); its result stays.
 * Correctness: aggregates are functions of the multiset of their inputs, kept exactly under retraction; a group shows a
 * result while its weight is positive. A negative weight is a broken belief, never an answer.
 */

import { assert, must } from '../../base/assert.ts';
import type { Column, DeltaBatch } from '../../batch/delta-batch.ts';
import { selectColumn } from '../../batch/select.ts';
import type { AggregateContext, AggregateInstance } from '../../expr/aggregates/aggregate.ts';
import { aggregateDefinition } from '../../expr/aggregates/registry.ts';
import { RowTable } from '../../kernels/row-table.ts';
import { RowLayout } from '../../memory/row-layout.ts';
import type { AggregateCall, AggregateNode } from '../../plan/plan-node.ts';
import { equalRows } from '../../state/row-identity.ts';
import type { GraphContext } from '../graph-context.ts';
import { type GroupFailure, GroupResults } from '../group-results.ts';
import type { EpochContext, Operator } from '../operator.ts';
import { RowBuckets } from '../row-buckets.ts';
import { constantWeights, gatherWords, isValid, nullColumn, RowList } from '../rows.ts';
import { derivedWatermarks, shiftWatermark } from '../watermark.ts';

const COUNT = 0;
const FLAGS = 8;
const BUCKET_NEXT = 12;
const SLOTS = 16;

const SHOWN = 1;
const TOUCHED = 2;
const BUCKETED = 4;
/** The group's result is an error, which was reported; the bits above say which aggregate's. */
const FAILED = 8;
const FAILED_SHIFT = 8;

export class AggregateOperator implements Operator {
  readonly name: string;
  watermarks: readonly bigint[];
  readonly #node: AggregateNode;
  readonly #context: GraphContext;
  readonly #table: RowTable;
  readonly #aggregates: readonly AggregateInstance[];
  /** For each aggregate the input columns that it is given. */
  readonly #arguments: readonly (readonly number[])[];
  readonly #results: GroupResults;
  readonly #touched = new RowList();
  readonly #buckets: RowBuckets | null;
  readonly #extra: number;
  readonly #width: number;
  /** The only group's row where there are no keys. */
  readonly #sole: number;
  readonly #isAppendOnly: boolean;

  constructor(node: AggregateNode, context: GraphContext) {
    this.name = node.calls.length === 0 ? 'Distinct' : 'Aggregate';
    this.#node = node;
    this.#context = context;
    this.#width = node.columns.length;
    this.#isAppendOnly = node.input.properties?.isAppendOnly ?? false;
    const storages = node.columns.map(({ type }) => type.storage);
    const definitions = node.calls.map((call) => aggregateDefinition(call.function));
    const offsets: number[] = [];
    let extraBytes = SLOTS;
    for (const definition of definitions) {
      offsets.push(extraBytes);
      extraBytes += (definition.slotBytes + 7) & ~7;
    }
    const { memory, scratch } = context;
    this.#extra = new RowLayout(storages, extraBytes).extraOffset;
    const spec = { storages, keyCount: node.keys.length, extraBytes };
    this.#table = RowTable.open(memory, context.rootCell(), spec);
    this.#arguments = node.calls.map(argumentsOf);
    const soleCell = context.rootCell();
    const bucketCell = context.rootCell();
    const links = { next: this.#extra + BUCKET_NEXT, previous: null };
    this.#buckets = node.closeOn ? new RowBuckets(memory, scratch, bucketCell, links) : null;
    this.#aggregates = definitions.map((definition, index) =>
      definition.create(this.#aggregateContext(node.calls[index]!, offsets[index]!)),
    );
    this.#results = new GroupResults(context, node, this.#aggregates);
    this.#sole = node.keys.length === 0 ? this.#openSole(soleCell) : 0;
    this.watermarks = derivedWatermarks(node.properties?.watermarks ?? [], undefined);
  }

  #aggregateContext(call: AggregateCall, slotOffset: number): AggregateContext {
    const { memory, scratch } = this.#context;
    const args = argumentsOf(call);
    return {
      memory,
      scratch,
      rootCell: () => this.#context.rootCell(),
      table: this.#table,
      slotOffset: this.#extra + slotOffset,
      argTypes: args.map((arg) => this.#node.input.columns[arg]!.type),
      orderBy: call.orderBy.map((key, index) => ({ ...key, column: call.args.length + index })),
      isDistinct: call.isDistinct,
      isAppendOnly: this.#isAppendOnly,
    };
  }

  /** The row of the only group; it counts as touched until it was shown. */
  #openSole(cell: number): number {
    const { memory, scratch } = this.#context;
    if (memory.u32[cell >>> 2] === 0) {
      const mark = scratch.mark();
      const out = scratch.alloc(16);
      const nulls = this.#node.columns.map(({ type }) =>
        nullColumn(memory, scratch, type.storage, 1),
      );
      this.#table.append(nulls, 1, out);
      memory.u32[cell >>> 2] = memory.u32[out >>> 2]!;
      scratch.release(mark);
    }
    const row = memory.u32[cell >>> 2]!;
    const flags = (row * 8 + this.#extra + FLAGS) >>> 2;
    if ((memory.u32[flags]! & SHOWN) === 0) {
      memory.u32[flags]! |= TOUCHED;
      this.#touched.push(row);
    }
    return row;
  }

  onDelta(_port: number, batch: DeltaBatch): void {
    const { memory, scratch } = this.#context;
    const mark = scratch.mark();
    const n = batch.rowCount;
    const rows = scratch.alloc(n * 4);
    if (this.#sole !== 0) memory.u32.fill(this.#sole, rows >>> 2, (rows >>> 2) + n);
    else
      this.#table.upsert(
        this.#node.keys.map((key) => batch.columns[key]!),
        n,
        rows,
      );
    this.#count(batch, rows);
    if (this.#buckets !== null) this.#addToBuckets(this.#buckets, batch, rows);
    this.#aggregates.forEach((aggregate, index) => {
      const call = this.#node.calls[index]!;
      const args = this.#arguments[index]!.map((arg) => batch.columns[arg]!);
      aggregate.update(rows, args, this.#filtered(call, batch), n);
    });
    scratch.release(mark);
  }

  #count(batch: DeltaBatch, rows: number): void {
    const { u32, i32, f64 } = batch.memory;
    const weights = batch.weights >>> 2;
    const at = rows >>> 2;
    const extra = this.#extra;
    for (let i = 0; i < batch.rowCount; i++) {
      const row = u32[at + i]!;
      const address = row * 8 + extra;
      f64[(address + COUNT) >>> 3]! += weights === 0 ? 1 : i32[weights + i]!;
      const flags = (address + FLAGS) >>> 2;
      if ((u32[flags]! & TOUCHED) !== 0) continue;
      u32[flags]! |= TOUCHED;
      this.#touched.push(row);
    }
  }

  /** New groups go into the bucket of their close key's value. */
  #addToBuckets(buckets: RowBuckets, batch: DeltaBatch, rows: number): void {
    const { memory, scratch } = this.#context;
    const column = batch.columns[this.#node.keys[must(this.#node.closeOn).key]!]!;
    const fresh = scratch.alloc(batch.rowCount * 4);
    const instants = scratch.alloc(batch.rowCount * 8);
    const { u32, i64 } = memory;
    let n = 0;
    for (let i = 0; i < batch.rowCount; i++) {
      const row = u32[(rows >>> 2) + i]!;
      const flags = (row * 8 + this.#extra + FLAGS) >>> 2;
      if ((u32[flags]! & BUCKETED) !== 0 || !isValid(memory, column, i)) continue;
      u32[flags]! |= BUCKETED;
      u32[(fresh >>> 2) + n] = row;
      i64[(instants >>> 3) + n++] = i64[(column.values >>> 3) + i]!;
    }
    buckets.add(fresh, instants, n);
  }

  /** Weights with 0 for the rows that FILTER leaves out; 0 stays 0 without a filter. */
  #filtered(call: AggregateCall, batch: DeltaBatch): number {
    if (call.filter === null) return batch.weights;
    const { memory, scratch } = this.#context;
    const column = batch.columns[call.filter]!;
    const masked = scratch.alloc(batch.rowCount * 4);
    const { u8, i32 } = memory;
    for (let i = 0; i < batch.rowCount; i++) {
      const isTrue = u8[column.values + i] === 1 && isValid(memory, column, i);
      const weight = batch.weights === 0 ? 1 : i32[(batch.weights >>> 2) + i]!;
      i32[(masked >>> 2) + i] = isTrue ? weight : 0;
    }
    return masked;
  }

  onEpochEnd(_epoch: EpochContext, inputs: readonly (readonly bigint[])[]): void {
    const { scratch, batchRowsMax } = this.#context;
    for (let from = 0; from < this.#touched.count; from += batchRowsMax) {
      const mark = scratch.mark();
      this.#settle(from, Math.min(batchRowsMax, this.#touched.count - from));
      scratch.release(mark);
    }
    this.#touched.clear();
    this.#close(inputs[0] ?? []);
    this.watermarks = derivedWatermarks(this.#node.properties?.watermarks ?? [], inputs[0]);
  }

  /** Touched groups [from, from + n): retracts what they showed, shows what they are, frees those that are gone. */
  #settle(from: number, n: number): void {
    const { memory, scratch } = this.#context;
    const rows = scratch.alloc(n * 4);
    this.#touched.copyTo(memory, from, n, rows);
    const keyCount = this.#node.keys.length;
    const all = this.#node.columns.map((_, column) => this.#table.gather(rows, n, column, scratch));
    const { columns: results, failed } = this.#results.compute(rows, n);
    const before = all.slice(keyCount);
    const retracts = scratch.alloc(n * 4 + 16);
    const inserts = scratch.alloc(n * 4 + 16);
    const gone = scratch.alloc(n * 4 + 16);
    let retractCount = 0;
    let insertCount = 0;
    let goneCount = 0;
    const { u32, f64 } = memory;
    for (let i = 0; i < n; i++) {
      const row = u32[(rows >>> 2) + i]!;
      const address = row * 8 + this.#extra;
      const flags = (address + FLAGS) >>> 2;
      const wasShown = (u32[flags]! & SHOWN) !== 0;
      const count = f64[(address + COUNT) >>> 3]!;
      assert(count >= 0, 'a group has lost more rows than it had');
      const isShown = count > 0 || this.#sole !== 0;
      const isWanted = isShown && failed?.get(i) === undefined;
      u32[flags]! &= ~TOUCHED;
      if (failed !== null || (u32[flags]! & FAILED) !== 0)
        this.#reportFailure(all, i, flags, failed);
      if (!isShown && (u32[flags]! & BUCKETED) === 0) u32[(gone >>> 2) + goneCount++] = row;
      if (wasShown && isWanted && equalRows(memory, before, i, memory, results, i)) continue;
      if (wasShown) u32[(retracts >>> 2) + retractCount++] = i;
      if (isWanted) u32[(inserts >>> 2) + insertCount++] = i;
      u32[flags] = isWanted ? u32[flags]! | SHOWN : u32[flags]! & ~SHOWN;
    }
    this.#emit(all, retracts, retractCount, -1);
    this.#emit([...all.slice(0, keyCount), ...results], inserts, insertCount, 1);
    this.#remember(rows, results, inserts, insertCount);
    this.#free(gone, goneCount);
  }

  /** The group's error before goes, the one that it has now comes (semantics.md rule 11). */
  #reportFailure(
    all: readonly Column[],
    i: number,
    flags: number,
    failed: ReadonlyMap<number, GroupFailure> | null,
  ): void {
    const { memory, problems } = this.#context;
    const word = memory.u32[flags]!;
    const now = failed?.get(i);
    if ((word & FAILED) !== 0) {
      const before = this.#results.errorOf(word >>> FAILED_SHIFT);
      problems.onError(this.#keysOf(all, i, -1), 0, before);
    }
    memory.u32[flags]! &= (1 << FAILED_SHIFT) - 1 - FAILED;
    if (now === undefined) return;
    memory.u32[flags]! |= FAILED | (now.aggregate << FAILED_SHIFT);
    problems.onError(this.#keysOf(all, i, 1), 0, now.error);
  }

  /** One row: the group's keys, NULL for its results. */
  #keysOf(all: readonly Column[], i: number, weight: 1 | -1): DeltaBatch {
    const { memory, scratch } = this.#context;
    const sel = scratch.alloc(16);
    memory.u32[sel >>> 2] = i;
    const columns = all.map((column, index) =>
      index < this.#node.keys.length
        ? selectColumn(memory, column, sel, 1, scratch)
        : nullColumn(memory, scratch, column.storage, 1),
    );
    const weights = constantWeights(memory, scratch, weight, 1);
    return { memory, rowCount: 1, columns, weights, rowWatermarks: 0 };
  }

  #emit(columns: readonly Column[], sel: number, n: number, weight: 1 | -1): void {
    if (n === 0) return;
    const { memory, scratch, output } = this.#context;
    const chosen = columns.map((column) => selectColumn(memory, column, sel, n, scratch));
    const weights = constantWeights(memory, scratch, weight, n);
    output.onDelta({ memory, rowCount: n, columns: chosen, weights, rowWatermarks: 0 });
  }

  /** Keeps the results that are shown now, so that they can be retracted. */
  #remember(rows: number, results: readonly Column[], sel: number, n: number): void {
    if (n === 0 || results.length === 0) return;
    const { memory, scratch } = this.#context;
    const shown = gatherWords(memory, scratch, rows, sel, n);
    results.forEach((column, index) => {
      const chosen = selectColumn(memory, column, sel, n, scratch);
      this.#table.store(shown, this.#width - results.length + index, chosen, n);
    });
  }

  #free(rows: number, n: number): void {
    if (n === 0) return;
    for (const aggregate of this.#aggregates) aggregate.release(rows, n);
    this.#table.removeMany(rows, n);
  }

  /** Frees the groups whose time is over. */
  #close(input: readonly bigint[]): void {
    const { closeOn } = this.#node;
    if (this.#buckets === null || !closeOn) return;
    const watermark = input[closeOn.watermark];
    if (watermark === undefined) return;
    const closed = new RowList();
    this.#buckets.takeBefore(shiftWatermark(watermark, BigInt(closeOn.shiftUs)), closed);
    const { memory, scratch, batchRowsMax } = this.#context;
    for (let from = 0; from < closed.count; from += batchRowsMax) {
      const mark = scratch.mark();
      const n = Math.min(batchRowsMax, closed.count - from);
      const rows = scratch.alloc(n * 4);
      closed.copyTo(memory, from, n, rows);
      this.#free(rows, n);
      scratch.release(mark);
    }
  }

  stateSize(): { rows: number; bytes: number } {
    const aggregates = this.#aggregates.reduce((sum, a) => sum + (a.stateBytes?.() ?? 0), 0);
    return {
      rows: this.#table.rowCount,
      bytes: this.#table.bytes + (this.#buckets?.bytes ?? 0) + aggregates,
    };
  }
}

/** The aggregate's own arguments, then the columns of its ORDER BY. */
function argumentsOf(call: AggregateCall): readonly number[] {
  return [...call.args, ...call.orderBy.map(({ column }) => column)];
}
