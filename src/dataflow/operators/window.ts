/**
 * Window: TUMBLE, HOP and CUMULATE. Each row comes out once for each of its windows, with window_start, window_end and
 * window_time behind its columns.
 *
 * Algorithm: windows are aligned to 1970-01-01 plus the offset; a batch's times become (row, start, end) triples, then
 * the input's columns are gathered. Times up to 2^53 µs (the year 2255) go through doubles, exactly; others through BigInt.
 * A window is late for a row once the row's watermark less the allowed lateness has reached its end (semantics.md rules
 * 13-15, 18); a row whose windows are all late is a late row, one without a finite time has no window.
 * State: none. Correctness: linear; each half of an update is judged alone.
 */

import type { Column, DeltaBatch } from '../../batch/delta-batch.ts';
import { select } from '../../batch/select.ts';
import type { WindowNode } from '../../plan/plan-node.ts';
import type { GraphContext } from '../graph-context.ts';
import { type EpochContext, type Operator, WATERMARK_NONE } from '../operator.ts';
import { absoluteWeight, RowList } from '../rows.ts';
import { derivedWatermarks } from '../watermark.ts';
import { NEAR, NO_TIME, WindowTimes } from '../window-times.ts';

const WORD = 0x1_0000_0000;

export class WindowOperator implements Operator {
  readonly name: string;
  watermarks: readonly bigint[];
  readonly #node: WindowNode;
  readonly #context: GraphContext;
  readonly #size: number;
  readonly #slide: number;
  readonly #offset: number;
  readonly #judge: WindowTimes;
  #inputWatermark = WATERMARK_NONE;
  #out: WindowRows;
  #used = 0;
  #lateAssignments = 0;
  readonly #late = new RowList();
  readonly #nullTime = new RowList();

  constructor(node: WindowNode, context: GraphContext) {
    this.name = { tumble: 'Tumble', hop: 'Hop', cumulate: 'Cumulate', session: '' }[
      node.windowKind
    ];
    this.#node = node;
    this.#context = context;
    this.#size = Number(node.sizeUs);
    this.#slide = node.windowKind === 'tumble' ? this.#size : Number(node.slideUs);
    this.#offset = Number(node.offsetUs);
    this.#judge = new WindowTimes(node);
    this.#out = new WindowRows(context.batchRowsMax);
    this.watermarks = derivedWatermarks(node.properties?.watermarks ?? [], undefined);
  }

  onDelta(_port: number, batch: DeltaBatch): void {
    const column = batch.columns[this.#node.time]!;
    this.#judge.read(batch, column, this.#inputWatermark);
    if (this.#node.windowKind === 'tumble' && this.#tumbleWhole(batch)) return;
    const { times, closed } = this.#judge;
    for (let row = 0; row < batch.rowCount; row++) {
      const time = times[row]!;
      const kind = this.#judge.kinds[row]!;
      if (kind === NO_TIME) this.#nullTime.push(row);
      else if (kind === NEAR) this.#assign(batch, row, time, closed[row]!);
      else {
        const far = batch.memory.i64[(column.values >>> 3) + row]!;
        this.#assignFar(batch, row, far, closed[row]!);
      }
    }
    this.#flush(batch);
    this.#report(batch);
  }

  /** A batch whose rows all are on time, each in its one window, goes on with its columns as they are. */
  #tumbleWhole(batch: DeltaBatch): boolean {
    const n = batch.rowCount;
    if (!this.#judge.isNear || n > this.#context.batchRowsMax) return false;
    const { times, closed } = this.#judge;
    const size = this.#size;
    const offset = this.#offset;
    const out = this.#out;
    let start = Number.NEGATIVE_INFINITY;
    out.count = 0;
    for (let row = 0; row < n; row++) {
      const time = times[row]!;
      if (time < start || time >= start + size) start = floorTo(time - offset, size) + offset;
      if (start + size <= closed[row]!) {
        out.count = 0;
        return false;
      }
      out.put(row, start, start + size);
    }
    const { scratch, output, problems } = this.#context;
    const mark = scratch.mark();
    const bounds = out.columns(this.#context);
    out.count = 0;
    problems.onUsed(absoluteWeight(batch), 0);
    output.onDelta({ ...batch, columns: [...batch.columns, ...bounds] });
    scratch.release(mark);
    return true;
  }

  #assign(batch: DeltaBatch, row: number, time: number, closedUs: number): void {
    if (this.#node.windowKind === 'cumulate') this.#assignCumulate(batch, row, time, closedUs);
    else this.#assignHop(batch, row, time, closedUs);
  }

  /** Windows [start, start + size) for every start on the slide's grid with start <= time < start + size. */
  #assignHop(batch: DeltaBatch, row: number, time: number, closedUs: number): void {
    let onTime = 0;
    let late = 0;
    const last = floorTo(time - this.#offset, this.#slide) + this.#offset;
    for (let start = last; start + this.#size > time; start -= this.#slide) {
      if (start + this.#size <= closedUs) {
        late += 1;
        continue;
      }
      this.#put(batch, row, start, start + this.#size);
      onTime += 1;
    }
    this.#count(batch, row, onTime, late);
  }

  /** Windows [start, start + k * step) of the enclosing size, for every k that reaches beyond the time. */
  #assignCumulate(batch: DeltaBatch, row: number, time: number, closedUs: number): void {
    const start = floorTo(time - this.#offset, this.#size) + this.#offset;
    let onTime = 0;
    let late = 0;
    const first = start + floorTo(time - start, this.#slide) + this.#slide;
    for (let end = first; end <= start + this.#size; end += this.#slide) {
      if (end <= closedUs) {
        late += 1;
        continue;
      }
      this.#put(batch, row, start, end);
      onTime += 1;
    }
    this.#count(batch, row, onTime, late);
  }

  /** Times beyond 2^53 µs: moved by a whole number of grid periods into the exact range, windows moved back. */
  #assignFar(batch: DeltaBatch, row: number, time: bigint, closedUs: number): void {
    const period = BigInt(this.#node.windowKind === 'cumulate' ? this.#size : this.#slide);
    const moved = (time / period) * period;
    const near = Number(time - moved);
    this.#flush(batch);
    this.#out.shiftUs = moved;
    this.#assign(batch, row, near, closedUs - Number(moved));
    this.#flush(batch);
    this.#out.shiftUs = 0n;
  }

  #put(batch: DeltaBatch, row: number, start: number, end: number): void {
    if (this.#out.isFull) this.#flush(batch);
    this.#out.put(row, start, end);
  }

  #count(batch: DeltaBatch, row: number, onTime: number, late: number): void {
    if (onTime === 0 && late > 0) {
      this.#late.push(row);
      return;
    }
    const { weights, memory } = batch;
    const weight = weights === 0 ? 1 : Math.abs(memory.i32[(weights >>> 2) + row]!);
    this.#used += weight;
    this.#lateAssignments += late * weight;
  }

  #flush(batch: DeltaBatch): void {
    const out = this.#out;
    if (out.count === 0) return;
    const { memory, scratch, output } = this.#context;
    const mark = scratch.mark();
    const sel = scratch.alloc(out.count * 4);
    memory.u32.set(out.rows.subarray(0, out.count), sel >>> 2);
    const rows = select(batch, sel, out.count, scratch);
    const bounds = out.columns(this.#context);
    out.count = 0;
    output.onDelta({ ...rows, columns: [...rows.columns, ...bounds] });
    scratch.release(mark);
  }

  #report(batch: DeltaBatch): void {
    const { problems } = this.#context;
    if (this.#late.count > 0) problems.onLate(batch, rowsOf(this.#late), 0);
    if (this.#nullTime.count > 0) problems.onNullTime(batch, rowsOf(this.#nullTime));
    if (this.#used > 0) problems.onUsed(this.#used, this.#lateAssignments);
    this.#used = 0;
    this.#lateAssignments = 0;
    this.#late.clear();
    this.#nullTime.clear();
  }

  onEpochEnd(_epoch: EpochContext, inputs: readonly (readonly bigint[])[]): void {
    const { watermark } = this.#node;
    this.#inputWatermark =
      watermark === null ? WATERMARK_NONE : (inputs[0]?.[watermark] ?? WATERMARK_NONE);
    this.watermarks = derivedWatermarks(this.#node.properties?.watermarks ?? [], inputs[0]);
  }

  stateSize(): { rows: number; bytes: number } {
    return { rows: 0, bytes: 0 };
  }
}

/** (row, start, end) triples of the next output batch. */
class WindowRows {
  readonly rows: Uint32Array;
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  count = 0;
  shiftUs = 0n;

  constructor(rowsMax: number) {
    this.rows = new Uint32Array(rowsMax);
    this.#starts = new Float64Array(rowsMax);
    this.#ends = new Float64Array(rowsMax);
  }

  get isFull(): boolean {
    return this.count === this.rows.length;
  }

  put(row: number, start: number, end: number): void {
    this.rows[this.count] = row;
    this.#starts[this.count] = start;
    this.#ends[this.count] = end;
    this.count += 1;
  }

  /** window_start, window_end, window_time. */
  columns(context: GraphContext): Column[] {
    return [
      this.#column(context, this.#starts, 0),
      this.#column(context, this.#ends, 0),
      this.#column(context, this.#ends, -1),
    ];
  }

  #column({ memory, scratch }: GraphContext, from: Float64Array, plus: number): Column {
    const values = scratch.alloc(Math.max(16, this.count * 8));
    const { u32, i64 } = memory;
    let last = Number.NaN;
    let low = 0;
    let high = 0;
    for (let i = 0, at = values >>> 2; i < this.count; i++, at += 2) {
      const value = from[i]! + plus;
      if (value !== last) {
        last = value;
        high = Math.floor(value / WORD) | 0;
        low = (value - high * WORD) | 0;
      }
      u32[at] = low;
      u32[at + 1] = high;
    }
    if (this.shiftUs !== 0n) {
      for (let i = 0; i < this.count; i++) i64[(values >>> 3) + i]! += this.shiftUs;
    }
    return { storage: 'i64', values, validity: 0 };
  }
}

function rowsOf(list: RowList): Uint32Array {
  const rows = new Uint32Array(list.count);
  for (let i = 0; i < rows.length; i++) rows[i] = list.at(i);
  return rows;
}

/** The greatest multiple of `step` that is <= value; exact for integers below 2^53. */
function floorTo(value: number, step: number): number {
  const floor = Math.floor(value / step) * step;
  if (floor > value) return floor - step;
  return value - floor >= step ? floor + step : floor;
}
