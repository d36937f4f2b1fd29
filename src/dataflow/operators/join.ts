/**
 * Join: inner, left, right, full, semi and anti joins by equal keys with a residual condition; interval joins drop rows
 * that can meet no partner any more.
 *
 * Algorithm: d(A x B) = dA x B + A x dB + dA x dB: a batch meets the other side as it stands, then stands in its own.
 * Pairs of equal keys are gathered into batches, the residual decides, weights multiply. Rows that come out alone (padded
 * with NULLs, semi, anti) count the weight that matches them; what changed is put out at the epoch's end, so that an
 * epoch never pads a row that has found its partner. Rows with a NULL key meet nobody and need no state.
 * State: both inputs' rows, their keys (JoinSide, JoinGroups); interval joins free a row once the other side's watermark
 * has passed its last partner.
 * Correctness: bilinear in the pairs; the padded part is a function of (weight, matches) of each row, settled once an
 * epoch. Late (semantics.md rule 15): a row all of whose partners have expired.
 */

import { assert } from '../../base/assert.ts';
import type { Column, DeltaBatch } from '../../batch/delta-batch.ts';
import { select, selectTrue } from '../../batch/select.ts';
import type { JoinNode } from '../../plan/plan-node.ts';
import { Expressions } from '../expressions.ts';
import type { GraphContext } from '../graph-context.ts';
import { IntervalBounds } from '../interval-bounds.ts';
import { JoinGroups, JoinSide } from '../join-state.ts';
import type { EpochContext, Operator } from '../operator.ts';
import { gatherWords, isValid, RowList } from '../rows.ts';

type Port = 0 | 1;

export class JoinOperator implements Operator {
  readonly name: string;
  watermarks: readonly bigint[];
  readonly #node: JoinNode;
  readonly #context: GraphContext;
  readonly #groups: JoinGroups;
  readonly #sides: readonly [JoinSide, JoinSide];
  readonly #residual: Expressions | null;
  readonly #interval: IntervalBounds | null;
  readonly #pairs: PairBuffer;
  /** Rows of the running batch that are to go into buckets. */
  readonly #fresh = new RowList();
  /** Inner pairs come out (all kinds but semi and anti). */
  readonly #emitsPairs: boolean;

  constructor(node: JoinNode, context: GraphContext) {
    this.name = `${node.joinKind[0]!.toUpperCase()}${node.joinKind.slice(1)}Join`;
    this.#node = node;
    this.#context = context;
    const keyTypes = node.leftKeys.map((key) => node.left.columns[key]!.type.storage);
    this.#groups = new JoinGroups(context, keyTypes);
    this.#sides = [this.#makeSide(0), this.#makeSide(1)];
    this.#residual = node.residual === null ? null : new Expressions([node.residual], context);
    this.#interval = node.interval === undefined ? null : new IntervalBounds(node, node.interval);
    this.#pairs = new PairBuffer(context.batchRowsMax);
    this.#emitsPairs = node.joinKind !== 'semi' && node.joinKind !== 'anti';
    this.watermarks = this.#interval?.outputWatermarks() ?? [];
  }

  #makeSide(port: Port): JoinSide {
    const { joinKind, left, right, interval } = this.#node;
    const input = port === 0 ? left : right;
    const isTracked =
      joinKind === 'full' ||
      (port === 0 ? joinKind !== 'inner' && joinKind !== 'right' : joinKind === 'right');
    return new JoinSide(this.#context, this.#groups, {
      port,
      storages: input.columns.map(({ type }) => type.storage),
      isAppendOnly: input.properties?.isAppendOnly ?? false,
      isTracked,
      hasExpiry: interval !== undefined,
    });
  }

  onDelta(port: number, batch: DeltaBatch): void {
    const { scratch } = this.#context;
    const mark = scratch.mark();
    const onTime = this.#withoutLate(port as Port, batch);
    const matchable = onTime === null ? null : this.#withoutNullKeys(port as Port, onTime);
    if (matchable !== null) this.#meet(port as Port, matchable);
    scratch.release(mark);
  }

  #withoutLate(port: Port, batch: DeltaBatch): DeltaBatch | null {
    if (this.#interval === null) return batch;
    const late = this.#interval.lateRows(port, batch);
    if (late === null) return batch;
    this.#context.problems.onLate(batch, late, port);
    const isLate = new Set(late);
    return this.#select(batch, (row) => !isLate.has(row));
  }

  /** Rows without NULL in their keys; the others come out alone where their side is kept. */
  #withoutNullKeys(port: Port, batch: DeltaBatch): DeltaBatch | null {
    const columns = this.#keyColumns(port, batch).filter((column) => column.validity !== 0);
    const needed = this.#node.nullsEqual ? [] : columns;
    const time = this.#interval === null ? null : batch.columns[this.#interval.timeColumn(port)]!;
    if (time !== null && time.validity !== 0) needed.push(time);
    if (needed.length === 0) return batch;
    const isWhole = (row: number): boolean =>
      needed.every((column) => isValid(batch.memory, column, row));
    const nulls = this.#select(batch, (row) => !isWhole(row));
    if (nulls === null) return batch;
    if (this.#sides[port].options.isTracked && this.#node.joinKind !== 'semi') {
      this.#emitAlone(port, nulls.columns, nulls.rowCount, nulls.weights);
    }
    return this.#select(batch, isWhole);
  }

  /** The rows for which `wanted` holds; null: none. The batch itself: all. */
  #select(batch: DeltaBatch, wanted: (row: number) => boolean): DeltaBatch | null {
    const { memory, scratch } = this.#context;
    const sel = scratch.alloc(batch.rowCount * 4 + 16);
    let n = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      if (wanted(row)) memory.u32[(sel >>> 2) + n++] = row;
    }
    if (n === 0) return null;
    return n === batch.rowCount ? batch : select(batch, sel, n, scratch);
  }

  #keyColumns(port: Port, batch: DeltaBatch): Column[] {
    const keys = port === 0 ? this.#node.leftKeys : this.#node.rightKeys;
    return keys.map((key) => batch.columns[key]!);
  }

  #meet(port: Port, batch: DeltaBatch): void {
    const { memory, scratch } = this.#context;
    const n = batch.rowCount;
    const groups = scratch.alloc(n * 4);
    const rows = scratch.alloc(n * 4);
    this.#groups.upsert(this.#keyColumns(port, batch), n, groups);
    const own = this.#sides[port];
    const other = this.#sides[port === 0 ? 1 : 0];
    own.place(batch, rows);
    const fresh = this.#fresh;
    fresh.clear();
    for (let i = 0; i < n; i++) {
      const weight = batch.weights === 0 ? 1 : memory.i32[(batch.weights >>> 2) + i]!;
      if (weight === 0) continue;
      const row = memory.u32[(rows >>> 2) + i]!;
      const group = memory.u32[(groups >>> 2) + i]!;
      const isNew = own.add(row, group, weight);
      if (isNew && own.buckets !== null) fresh.push(row);
      let partner = other.first(group);
      while (partner !== 0) {
        const partnerWeight = other.weight(partner);
        if (partnerWeight !== 0 || other.options.isTracked) {
          if (this.#pairs.isFull) this.#flush(port, batch);
          this.#pairs.put(i, row, partner, weight, partnerWeight, isNew);
        }
        partner = other.next(partner);
      }
    }
    this.#flush(port, batch);
    this.#addToBuckets(own, port, fresh);
  }

  #addToBuckets(side: JoinSide, port: Port, fresh: RowList): void {
    if (side.buckets === null || this.#interval === null || fresh.count === 0) return;
    const { memory, scratch } = this.#context;
    const rows = scratch.alloc(fresh.count * 4);
    const instants = scratch.alloc(fresh.count * 8);
    fresh.copyTo(memory, 0, fresh.count, rows);
    const column = this.#interval.timeColumn(port);
    const { u32, i64 } = memory;
    // Times come in runs: a bucket is worked out once for each.
    let low = 0;
    let high = 0;
    let bucket = this.#interval.bucketOf(port, 0n);
    for (let i = 0; i < fresh.count; i++) {
      const time = side.valueWord(fresh.at(i), column);
      if (u32[time] !== low || u32[time + 1] !== high) {
        low = u32[time]!;
        high = u32[time + 1]!;
        bucket = this.#interval.bucketOf(port, i64[time >>> 1]!);
      }
      i64[(instants >>> 3) + i] = bucket;
    }
    side.buckets.add(rows, instants, fresh.count);
  }

  /** The pairs gathered so far, judged by the residual, counted and put out. */
  #flush(port: Port, batch: DeltaBatch): void {
    const pairs = this.#pairs;
    if (pairs.count === 0) return;
    const { memory, scratch, output } = this.#context;
    const mark = scratch.mark();
    const n = pairs.count;
    const batchRows = pairs.copy(memory, scratch, pairs.batchRows);
    const partners = pairs.copy(memory, scratch, pairs.partners);
    const mine = select({ ...batch, weights: 0, rowWatermarks: 0 }, batchRows, n, scratch);
    const theirs = this.#sides[port === 0 ? 1 : 0].gather(partners, n);
    const weights = pairs.copyProducts(memory, scratch);
    const columns = port === 0 ? [...mine.columns, ...theirs] : [...theirs, ...mine.columns];
    const joined = this.#judge({ memory, rowCount: n, columns, weights, rowWatermarks: 0 });
    this.#countMatches(port, joined.passing, joined.count);
    pairs.count = 0;
    if (this.#emitsPairs && joined.batch !== null) output.onDelta(joined.batch);
    scratch.release(mark);
  }

  /** Pairs that pass the residual: their numbers (u32 address; 0: all) and the batch of them. */
  #judge(all: DeltaBatch): { passing: number; count: number; batch: DeltaBatch | null } {
    if (this.#residual === null) return { passing: 0, count: all.rowCount, batch: all };
    const { memory, scratch } = this.#context;
    const numbers = scratch.alloc(all.rowCount * 4);
    for (let i = 0; i < all.rowCount; i++) memory.u32[(numbers >>> 2) + i] = i;
    const numbered = {
      ...all,
      columns: [...all.columns, { storage: 'i32' as const, values: numbers, validity: 0 }],
    };
    const evaluated = this.#residual.evaluate(numbered);
    if (evaluated === null) return { passing: numbers, count: 0, batch: null };
    const { rows, columns } = evaluated;
    const sel = scratch.alloc(rows.rowCount * 4 + 16);
    const count = selectTrue(memory, columns[0]!, rows.rowCount, sel);
    if (count === 0) return { passing: numbers, count: 0, batch: null };
    const number = rows.columns[all.columns.length]!;
    const passing = gatherWords(memory, scratch, number.values, sel, count);
    const own = { ...rows, columns: rows.columns.slice(0, all.columns.length) };
    return { passing, count, batch: select(own, sel, count, scratch) };
  }

  #countMatches(port: Port, passing: number, count: number): void {
    const own = this.#sides[port];
    const other = this.#sides[port === 0 ? 1 : 0];
    if (!own.options.isTracked && !other.options.isTracked) return;
    const { u32 } = this.#context.memory;
    const pairs = this.#pairs;
    for (let k = 0; k < count; k++) {
      const pair = passing === 0 ? k : u32[(passing >>> 2) + k]!;
      if (own.options.isTracked && pairs.isNew[pair] === 1) {
        own.addMatches(pairs.rows[pair]!, pairs.partnerWeights[pair]!);
      }
      if (other.options.isTracked) other.addMatches(pairs.partners[pair]!, pairs.weights[pair]!);
    }
  }

  /** Rows of one side alone: with NULLs for the other, or as they are (semi, anti). */
  #emitAlone(port: Port, columns: readonly Column[], n: number, weights: number): void {
    const { memory, output } = this.#context;
    let all = columns;
    if (this.#emitsPairs) {
      const nulls = this.#sides[port === 0 ? 1 : 0].nulls(n);
      all = port === 0 ? [...columns, ...nulls] : [...nulls, ...columns];
    }
    output.onDelta({ memory, rowCount: n, columns: all, weights, rowWatermarks: 0 });
  }

  onEpochEnd(_epoch: EpochContext, inputs: readonly (readonly bigint[])[]): void {
    this.#settle(0);
    this.#settle(1);
    if (this.#interval === null) return;
    this.#interval.advance(inputs);
    this.watermarks = this.#interval.outputWatermarks();
    this.#expire(0);
    this.#expire(1);
  }

  /** Puts out what changed of rows that come out alone, and frees rows that are gone. */
  #settle(port: Port): void {
    const side = this.#sides[port];
    const { memory, scratch, batchRowsMax } = this.#context;
    const whenMatched = this.#node.joinKind === 'semi';
    for (let from = 0; from < side.touched.count; from += batchRowsMax) {
      const mark = scratch.mark();
      const upTo = Math.min(side.touched.count, from + batchRowsMax);
      const rows = scratch.alloc((upTo - from) * 4);
      const weights = scratch.alloc((upTo - from) * 4);
      let n = 0;
      for (let i = from; i < upTo; i++) {
        const row = side.touched.at(i);
        const change = side.settle(row, whenMatched);
        if (change === 0) continue;
        memory.u32[(rows >>> 2) + n] = row;
        memory.i32[(weights >>> 2) + n++] = change;
      }
      if (n > 0) this.#emitAlone(port, side.gather(rows, n), n, weights);
      this.#dropGone(port, from, upTo);
      scratch.release(mark);
    }
    side.touched.clear();
  }

  /** Frees those of the touched rows [from, upTo) that have no weight left. */
  #dropGone(port: Port, from: number, upTo: number): void {
    const side = this.#sides[port];
    const gone = this.#fresh;
    gone.clear();
    for (let i = from; i < upTo; i++) {
      const row = side.touched.at(i);
      if (side.weight(row) !== 0) continue;
      if (side.buckets !== null) {
        assert(this.#interval !== null, 'buckets belong to interval joins');
        const time = side.longAt(row, this.#interval.timeColumn(port));
        side.buckets.remove(row, this.#interval.bucketOf(port, time));
      }
      gone.push(row);
    }
    side.drop(gone);
  }

  #expire(port: Port): void {
    const side = this.#sides[port];
    if (side.buckets === null || this.#interval === null) return;
    const gone = this.#fresh;
    gone.clear();
    side.buckets.takeBefore(this.#interval.expiryLimit(port), gone);
    side.drop(gone);
    gone.clear();
  }

  stateSize(): { rows: number; bytes: number } {
    const [left, right] = this.#sides;
    return {
      rows: left.rowCount + right.rowCount,
      bytes: left.bytes + right.bytes + this.#groups.bytes,
    };
  }
}

/** Pairs (row of the batch, partner) on their way out. */
class PairBuffer {
  readonly batchRows: Uint32Array;
  readonly rows: Uint32Array;
  readonly partners: Uint32Array;
  readonly weights: Int32Array;
  readonly partnerWeights: Int32Array;
  readonly isNew: Uint8Array;
  count = 0;

  constructor(rowsMax: number) {
    this.batchRows = new Uint32Array(rowsMax);
    this.rows = new Uint32Array(rowsMax);
    this.partners = new Uint32Array(rowsMax);
    this.weights = new Int32Array(rowsMax);
    this.partnerWeights = new Int32Array(rowsMax);
    this.isNew = new Uint8Array(rowsMax);
  }

  get isFull(): boolean {
    return this.count === this.rows.length;
  }

  put(
    batchRow: number,
    row: number,
    partner: number,
    weight: number,
    partnerWeight: number,
    isNew: boolean,
  ): void {
    const at = this.count++;
    this.batchRows[at] = batchRow;
    this.rows[at] = row;
    this.partners[at] = partner;
    this.weights[at] = weight;
    this.partnerWeights[at] = partnerWeight;
    this.isNew[at] = isNew ? 1 : 0;
  }

  copy(
    memory: GraphContext['memory'],
    scratch: GraphContext['scratch'],
    from: Uint32Array,
  ): number {
    const to = scratch.alloc(this.count * 4);
    memory.u32.set(from.subarray(0, this.count), to >>> 2);
    return to;
  }

  copyProducts(memory: GraphContext['memory'], scratch: GraphContext['scratch']): number {
    const to = scratch.alloc(this.count * 4);
    for (let i = 0; i < this.count; i++) {
      const product = this.weights[i]! * this.partnerWeights[i]!;
      assert(product === (product | 0), 'a joined row has more than 2^31 copies');
      memory.i32[(to >>> 2) + i] = product;
    }
    return to;
  }
}
