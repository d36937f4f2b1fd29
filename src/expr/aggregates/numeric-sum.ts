/**
 * sum and avg of numeric: an exact sum and a count for each scale that occurs (the result's scale is the greatest present,
 * so it goes back when that value is retracted), NaN and infinities counted apart.
 *
 * Slot: u32 address and u32 size of a block: f64 counts of NaN, +infinity, -infinity; then for each scale: scale u32, bytes
 * of the sum u32, count f64, sum in two's complement. A batch is summed by group first, then each block is rewritten once.
 */

import type { Column } from '../../batch/delta-batch.ts';
import { Memory } from '../../memory/memory.ts';
import { viewData } from '../../memory/views.ts';
import { type AggregateInstance, isValidAt, type SlotContext, weightAt } from './aggregate.ts';
import {
  bigIntBytes,
  divideNumeric,
  type NumericKind,
  numericBytes,
  readBigInt,
  writeBigInt,
} from './numeric-bytes.ts';
import { ResultColumn } from './result-column.ts';

export const NUMERIC_SUM_SLOT_BYTES = 8;
const SPECIALS_BYTES = 24;
const ENTRY_BYTES = 16;

interface NumericState {
  readonly specials: [number, number, number];
  readonly byScale: Map<number, { count: number; sum: bigint }>;
}

export class NumericSumAggregate implements AggregateInstance {
  readonly #context: SlotContext;
  readonly #isAverage: boolean;
  #bytes = 0;

  constructor(context: SlotContext, isAverage: boolean) {
    this.#context = context;
    this.#isAverage = isAverage;
  }

  update(groupRows: number, args: readonly Column[], weights: number, n: number): void {
    const { memory } = this.#context;
    const { values, validity } = args[0]!;
    const { u8, u32, i32 } = memory;
    const touched = new Map<number, NumericState>();
    for (let i = 0; i < n; i += 1) {
      const weight = weightAt(i32, weights, i);
      if (weight === 0 || !isValidAt(u8, validity, i)) continue;
      const row = u32[(groupRows >>> 2) + i]!;
      let state = touched.get(row);
      if (state === undefined) {
        state = this.#read(row);
        touched.set(row, state);
      }
      addNumeric(memory, state, values + 16 * i, weight);
    }
    for (const [row, state] of touched) this.#write(row, state);
  }

  result(groupRows: number, n: number): Column {
    const { memory, scratch } = this.#context;
    const out = new ResultColumn(scratch, 'view', n);
    for (let i = 0; i < n; i += 1) {
      const bytes = this.#value(this.#read(memory.u32[(groupRows >>> 2) + i]!));
      if (bytes === null) out.setNull(i);
      else out.setBytes(i, bytes);
    }
    return out.build();
  }

  #value(state: NumericState): Uint8Array | null {
    const [nans, plus, minus] = state.specials;
    if (nans > 0 || (plus > 0 && minus > 0)) return special(1);
    if (plus > 0) return special(2);
    if (minus > 0) return special(3);
    let scale = 0;
    let count = 0;
    for (const [key, entry] of state.byScale) {
      scale = Math.max(scale, key);
      count += entry.count;
    }
    if (count === 0) return null;
    let sum = 0n;
    for (const [key, entry] of state.byScale) sum += entry.sum * 10n ** BigInt(scale - key);
    if (!this.#isAverage) return numericBytes(0, sum, scale);
    const average = divideNumeric(sum, scale, BigInt(count));
    return numericBytes(0, average.unscaled, average.scale);
  }

  release(groupRows: number, n: number): void {
    const { memory } = this.#context;
    for (let i = 0; i < n; i += 1) this.#free(memory.u32[(groupRows >>> 2) + i]!);
  }

  stateBytes(): number {
    return this.#bytes;
  }

  #slot(row: number): number {
    return (row * 8 + this.#context.base) >>> 2;
  }

  #free(row: number): void {
    const { memory } = this.#context;
    const slot = this.#slot(row);
    const address = memory.u32[slot]!;
    if (address === 0) return;
    const size = memory.u32[slot + 1]!;
    memory.free(address, size);
    this.#bytes -= Memory.blockBytes(size);
    memory.u32[slot] = 0;
  }

  #read(row: number): NumericState {
    const { memory } = this.#context;
    const slot = this.#slot(row);
    const address = memory.u32[slot]!;
    const state: NumericState = { specials: [0, 0, 0], byScale: new Map() };
    if (address === 0) return state;
    const end = address + memory.u32[slot + 1]!;
    for (let s = 0; s < 3; s += 1) state.specials[s] = memory.f64[(address >>> 3) + s]!;
    for (let at = address + SPECIALS_BYTES; at < end; ) {
      const size = memory.u32[(at >>> 2) + 1]!;
      const count = memory.f64[(at >>> 3) + 1]!;
      const sum = readBigInt(memory.u8, at + ENTRY_BYTES, size);
      state.byScale.set(memory.u32[at >>> 2]!, { count, sum });
      at += ENTRY_BYTES + size;
    }
    return state;
  }

  #write(row: number, state: NumericState): void {
    const { memory } = this.#context;
    this.#free(row);
    let size = SPECIALS_BYTES;
    for (const [scale, entry] of state.byScale) {
      if (entry.count === 0 && entry.sum === 0n) state.byScale.delete(scale);
      else size += ENTRY_BYTES + bigIntBytes(entry.sum);
    }
    if (state.byScale.size === 0 && state.specials.every((count) => count === 0)) return;
    let at = memory.alloc(size);
    this.#bytes += Memory.blockBytes(size);
    memory.u32[this.#slot(row)] = at;
    memory.u32[this.#slot(row) + 1] = size;
    for (let s = 0; s < 3; s += 1) memory.f64[(at >>> 3) + s] = state.specials[s]!;
    at += SPECIALS_BYTES;
    for (const [scale, entry] of state.byScale) {
      const bytes = bigIntBytes(entry.sum);
      memory.u32[at >>> 2] = scale;
      memory.u32[(at >>> 2) + 1] = bytes;
      memory.f64[(at >>> 3) + 1] = entry.count;
      writeBigInt(memory.u8, at + ENTRY_BYTES, entry.sum, bytes);
      at += ENTRY_BYTES + bytes;
    }
  }
}

function special(kind: NumericKind): Uint8Array {
  return numericBytes(kind, 0n, 0);
}

function addNumeric(memory: Memory, state: NumericState, view: number, weight: number): void {
  const { u8, u32 } = memory;
  const data = viewData(memory, view);
  const kind = u8[data + 2]!;
  if (kind !== 0) {
    state.specials[kind - 1]! += weight;
    return;
  }
  const scale = u8[data]! | (u8[data + 1]! << 8);
  let entry = state.byScale.get(scale);
  if (entry === undefined) {
    entry = { count: 0, sum: 0n };
    state.byScale.set(scale, entry);
  }
  entry.count += weight;
  const value = readBigInt(u8, data + 4, u32[view >>> 2]! - 4);
  entry.sum += weight === 1 ? value : value * BigInt(weight);
}
