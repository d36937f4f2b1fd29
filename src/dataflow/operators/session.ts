/**
 * Session: SESSION windows. Each row comes out once, with the bounds of its session; sessions merge, grow, shrink and
 * split as rows come and go, and then all their rows are retracted and come out again.
 *
 * Algorithm: the rows of each partition in order of time; at the epoch's end the sessions around every changed row are
 * walked (neighbours at most the gap apart) and rows whose bounds or weight changed are put out.
 * State: rows of open sessions, in buckets of their session's end; a session is over once the watermark, less the allowed
 * lateness, is past its end, and its last row stays for some gaps more. Where rows can be retracted, also every row that is
 * held in order of time, for the earliest end that a piece of an open session can have: the output's watermark is held back
 * to it (docs/decisions/010).
 * Correctness: bounds are a function of the partition's set of times. A row is late when the session that it would join is
 * over, judged after merging (semantics.md rules 13, 15), and so is a retraction of one that went with such a session; what
 * is over stays as it is (docs/decisions/023). Without a finite time a row has no session (rule 18). What a statement takes
 * back still holds its session together for the statement's other rows, so that their order does not matter; a piece that
 * it leaves behind the watermark is over then.
 */

import { assert } from '../../base/assert.ts';
import { weightOf } from '../../batch/concat.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { select } from '../../batch/select.ts';
import type { WindowNode } from '../../plan/plan-node.ts';
import type { GraphContext } from '../graph-context.ts';
import { HELD_TIMES_BYTES, HeldTimes } from '../held-times.ts';
import { type EpochContext, type Operator, WATERMARK_END, WATERMARK_NONE } from '../operator.ts';
import { OrderedPartitions } from '../ordered-partitions.ts';
import { RowBuckets } from '../row-buckets.ts';
import { RowOutput } from '../row-output.ts';
import { isValid, RowList } from '../rows.ts';
import {
  derivedWatermarks,
  maxWatermark,
  rowWatermarkShift,
  shiftWatermark,
} from '../watermark.ts';

/** The owner's bytes of a row. */
const SHOWN_START = 0;
const SHOWN_END = 8;
/** The weight that is shown, or MARK. */
const SHOWN = 16;
const VISITED = 20;
const BUCKET_NEXT = 24;
const BUCKET_PREVIOUS = 28;
const OWNER_SIZE = 32;

/** The row only tells where a session that is over ended. */
const MARK = -1;

/** A row that begins its session may be so many gaps behind the watermark. */
const REACH_GAPS = 4n;

export class SessionOperator implements Operator {
  readonly name = 'Session';
  watermarks: readonly bigint[];
  readonly #node: WindowNode;
  readonly #context: GraphContext;
  readonly #state: OrderedPartitions;
  readonly #buckets: RowBuckets;
  readonly #output: RowOutput;
  readonly #gapUs: bigint;
  /** How far behind the watermark a row may stand that is before all others of its session: ends are kept that long. */
  readonly #reachUs: bigint;
  readonly #latenessUs: bigint;
  readonly #rowShiftUs: bigint | null;
  /** null: what comes in only grows, so that no session ever splits. */
  readonly #held: HeldTimes | null;
  #inputWatermark = WATERMARK_NONE;
  /** Sessions that end before this have been closed in this epoch. */
  #closedTo = WATERMARK_NONE;
  /** Rows were taken back that are not out of their trees yet. */
  #hasGone = false;
  #heldBackUs = 0n;
  readonly #work = new RowList();
  readonly #visited = new RowList();
  readonly #rebucketed = new RowList();

  constructor(node: WindowNode, context: GraphContext) {
    this.#node = node;
    this.#context = context;
    this.#gapUs = BigInt(node.sizeUs);
    this.#reachUs = REACH_GAPS * this.#gapUs;
    this.#latenessUs = BigInt(node.allowedLatenessUs);
    this.#rowShiftUs =
      node.watermark === null ? null : rowWatermarkShift(node.input, node.watermark);
    const { columns } = node.input;
    const order = [{ column: node.time, descending: false, nullsFirst: false }];
    const { partition } = node;
    const canSplit = node.watermark !== null && node.input.properties?.isAppendOnly !== true;
    const ownerBytes = OWNER_SIZE + (canSplit ? HELD_TIMES_BYTES : 0);
    this.#state = new OrderedPartitions(context, { columns, partition, order, ownerBytes });
    const owner = this.#state.ownerOffset;
    const links = { next: owner + BUCKET_NEXT, previous: owner + BUCKET_PREVIOUS };
    this.#buckets = new RowBuckets(context.memory, context.scratch, context.rootCell(), links);
    const all = columns.map((_, column) => column);
    this.#output = new RowOutput(context, this.#state.rows, all, 3);
    this.#held = canSplit
      ? new HeldTimes(context, owner + OWNER_SIZE, (row) => this.#timeOf(row))
      : null;
    this.watermarks = derivedWatermarks(node.properties?.watermarks ?? [], undefined);
  }

  /** How far `watermarks` stand behind what is final: EMIT ON WINDOW CLOSE right above waits no longer than it must. */
  get heldBackUs(): bigint {
    return this.#heldBackUs;
  }

  onDelta(_port: number, batch: DeltaBatch): void {
    const { scratch } = this.#context;
    const mark = scratch.mark();
    const timed = this.#withoutNullTimes(batch);
    if (timed !== null) {
      if (this.#node.watermark === null) this.#take(timed);
      else this.#takeJudged(timed);
    }
    scratch.release(mark);
  }

  #take(batch: DeltaBatch): void {
    this.#state.add(batch);
    let used = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      const weight = weightOf(batch, row);
      used += Math.abs(weight);
      if (weight < 0) this.#hasGone = true;
    }
    this.#context.problems.onUsed(used, 0);
  }

  #withoutNullTimes(batch: DeltaBatch): DeltaBatch | null {
    const { memory, scratch, problems } = this.#context;
    const column = batch.columns[this.#node.time]!;
    const sel = scratch.alloc(batch.rowCount * 4 + 16);
    const bad: number[] = [];
    let n = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      const time = memory.i64[(column.values >>> 3) + row]!;
      const hasTime = time !== WATERMARK_END && time !== WATERMARK_NONE;
      if (hasTime && isValid(memory, column, row)) memory.u32[(sel >>> 2) + n++] = row;
      else bad.push(row);
    }
    if (bad.length === 0) return batch;
    problems.onNullTime(batch, Uint32Array.from(bad));
    return n === 0 ? null : select(batch, sel, n, scratch);
  }

  /** Rows one after the other: each may keep open the session that the next one joins. */
  #takeJudged(batch: DeltaBatch): void {
    const { memory, scratch, problems } = this.#context;
    const mightBeLate = this.#behindRows(batch);
    if (mightBeLate === 0) {
      this.#take(batch);
      return;
    }
    const late: number[] = [];
    const sel = scratch.alloc(16);
    for (let row = 0; row < batch.rowCount; row++) {
      const mark = scratch.mark();
      memory.u32[sel >>> 2] = row;
      const one = select(batch, sel, 1, scratch);
      this.#closeBeforeGap(one);
      if (this.#isLate(one)) late.push(row);
      else this.#takeOne(one);
      scratch.release(mark);
    }
    if (late.length > 0) problems.onLate(batch, Uint32Array.from(late), 0);
  }

  /** A batch of one row. Copies taken back that went with a session that is over are late, wherever others would join now. */
  #takeOne(one: DeltaBatch): void {
    const weight = weightOf(one, 0);
    const held = weight < 0 ? Math.min(this.#heldCopies(one), -weight) : 0;
    if (weight > 0 || held === -weight) {
      this.#take(one);
      return;
    }
    if (held > 0) this.#take(this.#withWeight(one, -held));
    const late = this.#withWeight(one, weight + held);
    this.#context.problems.onLate(late, Uint32Array.of(0), 0);
  }

  /** Copies of a batch's only row in open sessions. */
  #heldCopies(one: DeltaBatch): number {
    const { memory, scratch } = this.#context;
    const found = scratch.alloc(16);
    this.#state.rows.probe(one.columns, 1, found);
    const row = memory.u32[found >>> 2]!;
    return row === 0 ? 0 : this.#state.weight(row);
  }

  #withWeight(one: DeltaBatch, weight: number): DeltaBatch {
    const { memory, scratch } = this.#context;
    const weights = scratch.alloc(16);
    memory.i32[weights >>> 2] = weight;
    return { ...one, weights };
  }

  /** The watermark that judges a row, less the allowed lateness. */
  #judgeOf(batch: DeltaBatch, row: number): bigint {
    let watermark = this.#inputWatermark;
    if (batch.rowWatermarks !== 0 && this.#rowShiftUs !== null) {
      const own = batch.memory.i64[(batch.rowWatermarks >>> 3) + row]!;
      watermark = shiftWatermark(own, this.#rowShiftUs);
    }
    return shiftWatermark(watermark, -this.#latenessUs);
  }

  /**
   * How many rows are behind their watermark, or where sessions have been closed (the watermark of another input's rows may stand
   * further): only they can be late or meet a session that is over.
   */
  #behindRows(batch: DeltaBatch): number {
    const { memory } = batch;
    const values = batch.columns[this.#node.time]!.values >>> 3;
    let count = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      const limit = maxWatermark(this.#judgeOf(batch, row), this.#closedTo);
      if (limit > memory.i64[values + row]!) count += 1;
    }
    return count;
  }

  /**
   * What is over by the watermark of a row (a batch of one) is closed before a retraction leaves a gap: what comes out does
   * not depend on where epochs are cut.
   */
  #closeBeforeGap(one: DeltaBatch): void {
    const judge = this.#judgeOf(one, 0);
    if (judge <= this.#closedTo || judge <= this.#timeOfOnly(one)) return;
    if (!this.#hasGone && weightOf(one, 0) > 0) return;
    this.#settle();
    this.#closeBefore(judge);
  }

  #timeOfOnly(one: DeltaBatch): bigint {
    return one.memory.i64[one.columns[this.#node.time]!.values >>> 3]!;
  }

  /** The rows of the partition around the only row of a batch, at most the gap away; 0: none. */
  #neighbours(one: DeltaBatch): readonly [number, number] {
    const { memory, scratch } = this.#context;
    const time = this.#timeOfOnly(one);
    const found = scratch.alloc(16);
    this.#state.probePartitions(one, found);
    const partition = memory.u32[found >>> 2]!;
    if (partition === 0) return [0, 0];
    const tree = this.#state.treeOf(partition);
    const next = tree.lowerBound((row) => (this.#timeOf(row) >= time ? 0 : -1));
    const before = next === 0 ? tree.last() : tree.previous(next);
    const isNear = (row: number): boolean => {
      const distance = this.#timeOf(row) - time;
      return distance <= this.#gapUs && -distance <= this.#gapUs;
    };
    return [before !== 0 && isNear(before) ? before : 0, next !== 0 && isNear(next) ? next : 0];
  }

  /** The end of the session that a row is in. */
  #endFrom(member: number): bigint {
    const tree = this.#state.treeOf(this.#state.partitionOf(member));
    let end = this.#timeOf(member) + this.#gapUs;
    for (let row = tree.next(member); row !== 0; row = tree.next(row)) {
      const time = this.#timeOf(row);
      if (time > end) break;
      end = time + this.#gapUs;
    }
    return end;
  }

  /** Of a batch of one row: is the session that it is in, or would join, over? Does it begin a session too far back? */
  #isLate(one: DeltaBatch): boolean {
    const judge = this.#judgeOf(one, 0);
    const time = this.#timeOfOnly(one);
    if (judge <= time && this.#closedTo <= time) return false;
    const [before, next] = this.#neighbours(one);
    if (before !== 0) return this.#isOver(before, judge);
    if (next === 0) return time + this.#gapUs < judge;
    if (this.#isOver(next, judge)) return true;
    return this.#timeOf(next) > time && time + this.#reachUs < judge;
  }

  /** Of the session that a row is in. */
  #isOver(member: number, judge: bigint): boolean {
    return this.#shownWeight(member) === MARK || this.#endFrom(member) < judge;
  }

  #timeOf(row: number): bigint {
    const { memory } = this.#context;
    return memory.i64[this.#state.rows.valueAddress(row, this.#node.time) >>> 3]!;
  }

  onStatementEnd(): void {
    if (!this.#hasGone) return;
    this.#settle();
    this.#closeBefore(this.#closedTo);
  }

  onEpochEnd(_epoch: EpochContext, inputs: readonly (readonly bigint[])[]): void {
    this.#settle();
    const { watermark } = this.#node;
    this.#inputWatermark =
      watermark === null ? WATERMARK_NONE : (inputs[0]?.[watermark] ?? WATERMARK_NONE);
    const limit = shiftWatermark(this.#inputWatermark, -this.#latenessUs);
    this.#closeBefore(limit);
    const reached = this.#held === null ? limit : this.#held.advance(limit, this.#gapUs);
    this.#heldBackUs = limit - reached;
    this.watermarks = derivedWatermarks(this.#node.properties?.watermarks ?? [], inputs[0]).map(
      (derived) => shiftWatermark(derived, -this.#heldBackUs),
    );
  }

  /** Works out the sessions around every row that changed, and puts out what is new. */
  #settle(): void {
    this.#dropRetracted();
    this.#walkChanged();
    this.#output.flush();
    this.#addToBuckets(this.#rebucketed, 0n);
    this.#rebucketed.clear();
    this.#state.settle();
    this.#hasGone = false;
  }

  /** Rows without weight go; their neighbours' sessions are to be walked. */
  #dropRetracted(): void {
    const { touchedRows } = this.#state;
    const gone = new RowList();
    for (let i = 0; i < touchedRows.count; i++) {
      const row = touchedRows.at(i);
      const weight = this.#state.weight(row);
      assert(weight >= 0, 'a session lost a row that it never had');
      if (weight > 0) {
        this.#work.push(row);
        this.#held?.add(row);
      } else {
        this.#retractShown(row);
        gone.push(row);
      }
    }
    this.#output.flush();
    for (let i = 0; i < gone.count; i++) this.#drop(gone.at(i));
  }

  #drop(row: number): void {
    const tree = this.#state.treeOf(this.#state.partitionOf(row));
    for (const near of [tree.previous(row), tree.next(row)]) {
      if (near !== 0 && this.#shownWeight(near) > 0) this.#work.push(near);
    }
    this.#held?.remove(row);
    this.#state.remove(row);
  }

  #shownWeight(row: number): number {
    return this.#context.memory.i32[(this.#state.ownerAddress(row) + SHOWN) >>> 2]!;
  }

  /** Takes back what was shown of a row, and its bucket entry. */
  #retractShown(row: number): void {
    const { i32, i64 } = this.#context.memory;
    const at = this.#state.ownerAddress(row);
    const shown = i32[(at + SHOWN) >>> 2]!;
    if (shown === 0) return;
    const end = i64[(at + SHOWN_END) >>> 3]!;
    this.#output.put(row, -shown, i64[(at + SHOWN_START) >>> 3]!, end, end - 1n);
    this.#buckets.remove(row, end);
    i32[(at + SHOWN) >>> 2] = 0;
  }

  #walkChanged(): void {
    const { u32 } = this.#context.memory;
    for (let i = 0; i < this.#work.count; i++) {
      const row = this.#work.at(i);
      if (!this.#state.isInTree(row)) continue;
      if (u32[(this.#state.ownerAddress(row) + VISITED) >>> 2] === 1) continue;
      this.#walkSession(row);
    }
    for (let i = 0; i < this.#visited.count; i++) {
      u32[(this.#state.ownerAddress(this.#visited.at(i)) + VISITED) >>> 2] = 0;
    }
    this.#visited.clear();
    this.#work.clear();
  }

  /** The session around a row: its bounds, then every row of it. */
  #walkSession(member: number): void {
    const tree = this.#state.treeOf(this.#state.partitionOf(member));
    let first = member;
    let start = this.#timeOf(member);
    for (let row = tree.previous(first); row !== 0; row = tree.previous(row)) {
      const time = this.#timeOf(row);
      if (start - time > this.#gapUs) break;
      first = row;
      start = time;
    }
    let last = start;
    let stop = 0;
    for (let row = tree.next(first); row !== 0; row = tree.next(row)) {
      const time = this.#timeOf(row);
      if (time - last > this.#gapUs) {
        stop = row;
        break;
      }
      last = time;
    }
    const end = last + this.#gapUs;
    for (let row = first; row !== stop; row = tree.next(row)) this.#show(row, start, end);
  }

  #show(row: number, start: bigint, end: bigint): void {
    const { i32, u32, i64 } = this.#context.memory;
    const at = this.#state.ownerAddress(row);
    u32[(at + VISITED) >>> 2] = 1;
    this.#visited.push(row);
    const weight = this.#state.weight(row);
    const shown = i32[(at + SHOWN) >>> 2]!;
    const isSame = i64[(at + SHOWN_START) >>> 3] === start && i64[(at + SHOWN_END) >>> 3] === end;
    if (shown !== 0 && isSame) {
      this.#output.put(row, weight - shown, start, end, end - 1n);
      i32[(at + SHOWN) >>> 2] = weight;
      return;
    }
    this.#retractShown(row);
    this.#output.put(row, weight, start, end, end - 1n);
    i64[(at + SHOWN_START) >>> 3] = start;
    i64[(at + SHOWN_END) >>> 3] = end;
    i32[(at + SHOWN) >>> 2] = weight;
    this.#rebucketed.push(row);
  }

  /** Rows come up in #closeBefore when the watermark is `afterUs` past their session's end. */
  #addToBuckets(list: RowList, afterUs: bigint): void {
    const { memory, scratch } = this.#context;
    const n = list.count;
    if (n === 0) return;
    const mark = scratch.mark();
    const rows = scratch.alloc(n * 4);
    const ends = scratch.alloc(n * 8);
    list.copyTo(memory, 0, n, rows);
    for (let i = 0; i < n; i++) {
      memory.i64[(ends >>> 3) + i] = this.#shownEnd(list.at(i)) + afterUs;
    }
    this.#buckets.add(rows, ends, n);
    scratch.release(mark);
  }

  /** Closes the sessions whose end is below `limit`: what they showed stays, of their rows only a mark of the end. */
  #closeBefore(limit: bigint): void {
    const done = new RowList();
    this.#buckets.takeBefore(limit, done);
    const marks = new RowList();
    // No row of the epoch is judged by less than the watermark at its beginning: none can touch a session that ended before this.
    const reached = shiftWatermark(this.#inputWatermark, -this.#latenessUs - this.#reachUs);
    for (let i = 0; i < done.count; i++) {
      const row = done.at(i);
      const isMark = this.#shownWeight(row) === MARK;
      if (!isMark) this.#held?.remove(row);
      if (this.#shownEnd(row) >= reached && (isMark || this.#isLast(row))) marks.push(row);
      else this.#state.remove(row);
    }
    const { i32 } = this.#context.memory;
    for (let i = 0; i < marks.count; i++) {
      i32[(this.#state.ownerAddress(marks.at(i)) + SHOWN) >>> 2] = MARK;
    }
    this.#addToBuckets(marks, this.#reachUs);
    this.#closedTo = maxWatermark(this.#closedTo, limit);
  }

  /** Of a row whose session is over: is it the last one? */
  #isLast(row: number): boolean {
    const time = this.#timeOf(row);
    if (time + this.#gapUs !== this.#shownEnd(row)) return false;
    const next = this.#state.treeOf(this.#state.partitionOf(row)).next(row);
    return next === 0 || this.#timeOf(next) !== time;
  }

  #shownEnd(row: number): bigint {
    return this.#context.memory.i64[(this.#state.ownerAddress(row) + SHOWN_END) >>> 3]!;
  }

  stateSize(): { rows: number; bytes: number } {
    const { rows, bytes } = this.#state.stateSize();
    return { rows, bytes: bytes + this.#buckets.bytes };
  }
}
