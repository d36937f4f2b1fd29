/**
 * Aggregate: GROUP BY with any aggregates, and DISTINCT (no aggregates).
 *
 * Algorithm: a batch's keys become rows of a table (hash, upsert), each row counts the weight of its group, each aggregate
 * updates its slots in the row. Before a group's first change of an epoch the result that it shows is computed from the
 * slots and kept (ShownResults); at the epoch's end every touched group retracts it and shows the new one, where they
 * differ. Without keys there is one group, which shows a result over no rows too.
 * State: one row a group: keys, flags, weight, slots. A group whose close key lies behind the watermark is freed
 * (`closeOn`: the windows below have dropped every late row, so that nothing can change it); its result stays.
 * Correctness: aggregates are functions of the multiset of their inputs, kept exactly under retraction; a group shows a
 * result while its weight is positive. A negative weight is a broken belief, never an answer.
 */

import { assert, must } from '../../base/assert.ts';
import type { Column, DeltaBatch } from '../../batch/delta-batch.ts';
import { selectColumn } from '../../batch/select.ts';
import {
  type AggregateContext,
  type AggregateInstance,
  type AggregateUse,
  readCount,
} from '../../expr/aggregates/aggregate.ts';
import { aggregateDefinition } from '../../expr/aggregates/registry.ts';
import { kernelsOf } from '../../kernels/kernels.ts';
import { RowTable } from '../../kernels/row-table.ts';
import { RowLayout } from '../../memory/row-layout.ts';
import type { AggregateCall, AggregateNode } from '../../plan/plan-node.ts';
import { equalRows } from '../../state/row-identity.ts';
import type { Storage } from '../../types/data-type.ts';
import { type GraphContext, neverRetracts } from '../graph-context.ts';
import { type GroupFailure, GroupResults } from '../group-results.ts';
import type { EpochContext, Operator } from '../operator.ts';
import { RowBuckets } from '../row-buckets.ts';
import { constantWeights, gatherWords, isValid, nullColumn, RowList } from '../rows.ts';
import { ShownResults } from '../shown-results.ts';
import { derivedWatermarks, shiftWatermark } from '../watermark.ts';

/** The group's weight, an i64, comes before the slots. */
const WEIGHT_BYTES = 8;

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
  readonly #shown: ShownResults;
  readonly #buckets: RowBuckets | null;
  /** Bytes from a row's start to its flags (u32) and to its weight. */
  readonly #flags: number;
  readonly #weight: number;
  /** The only group's row where there are no keys. */
  readonly #sole: number;
  readonly #isAppendOnly: boolean;

  constructor(node: AggregateNode, context: GraphContext) {
    this.name = node.calls.length === 0 ? 'Distinct' : 'Aggregate';
    this.#node = node;
    this.#context = context;
    this.#isAppendOnly = neverRetracts(context, node.input);
    const keyCount = node.keys.length;
    const keyStorages = node.columns.slice(0, keyCount).map(({ type }) => type.storage);
    // Flags and the bucket's link are columns, since those of 4 bytes often fit before the keys.
    const storages: Storage[] = [...keyStorages, 'i32', ...(node.closeOn ? ['i32' as const] : [])];
    const { extraOffset, offsets } = new RowLayout(storages, 0);
    this.#flags = offsets[keyCount]!;
    this.#weight = extraOffset;
    const definitions = node.calls.map((call) => aggregateDefinition(call.function));
    const slots: number[] = [];
    let extraBytes = WEIGHT_BYTES;
    definitions.forEach((definition, index) => {
      slots.push(extraOffset + extraBytes);
      extraBytes += (definition.slotBytes(this.#useOf(node.calls[index]!)) + 7) & ~7;
    });
    const { memory, scratch } = context;
    const spec = { storages, keyCount, extraBytes };
    this.#table = RowTable.open(memory, context.rootCell(), spec);
    this.#arguments = node.calls.map(argumentsOf);
    const soleCell = context.rootCell();
    const bucketCell = context.rootCell();
    this.#buckets = node.closeOn
      ? new RowBuckets(memory, scratch, bucketCell, {
          next: offsets[keyCount + 1]!,
          previous: null,
        })
      : null;
    this.#aggregates = definitions.map((definition, index) =>
      definition.create(this.#aggregateContext(node.calls[index]!, slots[index]!)),
    );
    const resultStorages = node.calls.map(({ type }) => type.storage);
    this.#shown = new ShownResults(memory, context.rootCell(), resultStorages);
    this.#results = new GroupResults(context, node, this.#aggregates);
    this.#sole = node.keys.length === 0 ? this.#openSole(soleCell) : 0;
    this.watermarks = derivedWatermarks(node.properties?.watermarks ?? [], undefined);
  }

  #useOf({ isDistinct, filter }: AggregateCall): AggregateUse {
    return { isDistinct, weightOffset: filter === null ? this.#weight : null };
  }

  #aggregateContext(call: AggregateCall, slotOffset: number): AggregateContext {
    const { memory, scratch } = this.#context;
    const args = argumentsOf(call);
    return {
      memory,
      scratch,
      rootCell: () => this.#context.rootCell(),
      table: this.#table,
      slotOffset,
      argTypes: args.map((arg) => this.#node.input.columns[arg]!.type),
      orderBy: call.orderBy.map((key, index) => ({ ...key, column: call.args.length + index })),
      ...this.#useOf(call),
      isAppendOnly: this.#isAppendOnly,
    };
  }

  /** The row of the only group; it counts as touched until it was shown. */
  #openSole(cell: number): number {
    const { memory, scratch } = this.#context;
    if (memory.u32[cell >>> 2] === 0) {
      const mark = scratch.mark();
      const out = scratch.alloc(16);
      this.#table.append([], 1, out);
      memory.u32[cell >>> 2] = memory.u32[out >>> 2]!;
      scratch.release(mark);
    }
    const row = memory.u32[cell >>> 2]!;
    const flags = (row * 8 + this.#flags) >>> 2;
    if ((memory.u32[flags]! & SHOWN) === 0) {
      memory.u32[flags]! |= TOUCHED;
      this.#touched.push(row);
      this.#shown.pushNone();
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
    this.#touch(rows, n);
    kernelsOf(memory).addCount(rows, this.#weight, 0, batch.weights, n);
    if (this.#buckets !== null) this.#addToBuckets(this.#buckets, batch, rows);
    this.#aggregates.forEach((aggregate, index) => {
      const call = this.#node.calls[index]!;
      const args = this.#arguments[index]!.map((arg) => batch.columns[arg]!);
      aggregate.update(rows, args, this.#filtered(call, batch), n);
    });
    scratch.release(mark);
  }

  /** Before anything changes: which groups the batch is the first to touch in this epoch, and what they show. */
  #touch(rows: number, n: number): void {
    const { memory, scratch } = this.#context;
    const shown = scratch.alloc(n * 4 + 16);
    const { u32 } = memory;
    let shownCount = 0;
    const hasResults = this.#aggregates.length > 0;
    for (let i = 0; i < n; i++) {
      const row = u32[(rows >>> 2) + i]!;
      const flags = (row * 8 + this.#flags) >>> 2;
      const word = u32[flags]!;
      if ((word & TOUCHED) !== 0) continue;
      u32[flags] = word | TOUCHED;
      if ((word & SHOWN) !== 0 && hasResults) u32[(shown >>> 2) + shownCount++] = row;
      else {
        this.#touched.push(row);
        this.#shown.pushNone();
      }
    }
    if (shownCount === 0) return;
    const { columns, failed } = this.#results.compute(shown, shownCount);
    assert(failed === null, 'a result that was shown has become an error');
    for (let i = 0; i < shownCount; i++) this.#touched.push(memory.u32[(shown >>> 2) + i]!);
    this.#shown.push(columns, shownCount, scratch);
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
      const flags = (row * 8 + this.#flags) >>> 2;
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
    this.#shown.clear();
    this.#close(inputs[0] ?? []);
    this.watermarks = derivedWatermarks(this.#node.properties?.watermarks ?? [], inputs[0]);
  }

  /** Touched groups [from, from + n): retracts what they showed, shows what they are, frees those that are gone. */
  #settle(from: number, n: number): void {
    const { memory, scratch } = this.#context;
    const rows = scratch.alloc(n * 4);
    this.#touched.copyTo(memory, from, n, rows);
    const keys = this.#node.keys.map((_, column) => this.#table.gather(rows, n, column, scratch));
    const { columns: results, failed } = this.#results.compute(rows, n);
    const { columns: before, places } = this.#shown.take(from, n, scratch);
    const retracts = scratch.alloc(n * 4 + 16);
    const inserts = scratch.alloc(n * 4 + 16);
    const gone = scratch.alloc(n * 4 + 16);
    let retractCount = 0;
    let insertCount = 0;
    let goneCount = 0;
    const { u32 } = memory;
    for (let i = 0; i < n; i++) {
      const row = u32[(rows >>> 2) + i]!;
      const flags = (row * 8 + this.#flags) >>> 2;
      const wasShown = (u32[flags]! & SHOWN) !== 0;
      const count = readCount(memory, row * 8 + this.#weight);
      assert(count >= 0, 'a group has lost more rows than it had');
      const isShown = count > 0 || this.#sole !== 0;
      const isWanted = isShown && failed?.get(i) === undefined;
      u32[flags]! &= ~TOUCHED;
      if (failed !== null || (u32[flags]! & FAILED) !== 0)
        this.#reportFailure(keys, i, flags, failed);
      if (!isShown && (u32[flags]! & BUCKETED) === 0) u32[(gone >>> 2) + goneCount++] = row;
      const place = u32[(places >>> 2) + i]!;
      if (wasShown && isWanted && equalRows(memory, before, place, memory, results, i)) continue;
      if (wasShown) u32[(retracts >>> 2) + retractCount++] = i;
      if (isWanted) u32[(inserts >>> 2) + insertCount++] = i;
      u32[flags] = isWanted ? u32[flags]! | SHOWN : u32[flags]! & ~SHOWN;
    }
    const retracted = gatherWords(memory, scratch, places, retracts, retractCount);
    this.#emit(
      [
        ...this.#chosen(keys, retracts, retractCount),
        ...this.#chosen(before, retracted, retractCount),
      ],
      retractCount,
      -1,
    );
    this.#emit(this.#chosen([...keys, ...results], inserts, insertCount), insertCount, 1);
    this.#free(gone, goneCount);
  }

  /** The group's error before goes, the one that it has now comes (semantics.md rule 11). */
  #reportFailure(
    keys: readonly Column[],
    i: number,
    flags: number,
    failed: ReadonlyMap<number, GroupFailure> | null,
  ): void {
    const { memory, problems } = this.#context;
    const word = memory.u32[flags]!;
    const now = failed?.get(i);
    if ((word & FAILED) !== 0) {
      const before = this.#results.errorOf(word >>> FAILED_SHIFT);
      problems.onError(this.#keysOf(keys, i, -1), 0, before);
    }
    memory.u32[flags]! &= (1 << FAILED_SHIFT) - 1 - FAILED;
    if (now === undefined) return;
    memory.u32[flags]! |= FAILED | (now.aggregate << FAILED_SHIFT);
    problems.onError(this.#keysOf(keys, i, 1), 0, now.error);
  }

  /** One row: the group's keys, NULL for its results. */
  #keysOf(keys: readonly Column[], i: number, weight: 1 | -1): DeltaBatch {
    const { memory, scratch } = this.#context;
    const sel = scratch.alloc(16);
    memory.u32[sel >>> 2] = i;
    const nulls = this.#node.calls.map(({ type }) => nullColumn(memory, scratch, type.storage, 1));
    const columns = [...this.#chosen(keys, sel, 1), ...nulls];
    const weights = constantWeights(memory, scratch, weight, 1);
    return { memory, rowCount: 1, columns, weights, rowWatermarks: 0 };
  }

  #chosen(columns: readonly Column[], sel: number, n: number): Column[] {
    const { memory, scratch } = this.#context;
    return columns.map((column) => selectColumn(memory, column, sel, n, scratch));
  }

  #emit(columns: readonly Column[], n: number, weight: 1 | -1): void {
    if (n === 0) return;
    const { memory, scratch, output } = this.#context;
    const weights = constantWeights(memory, scratch, weight, n);
    output.onDelta({ memory, rowCount: n, columns, weights, rowWatermarks: 0 });
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
