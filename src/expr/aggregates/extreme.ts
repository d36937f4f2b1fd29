/**
 * min, max, least_of: the first or last member by (SQL order, bytes). Over input that never retracts: the value itself in
 * the slot; else all values in an ordered tree for each group.
 */

import type { Column } from '../../batch/delta-batch.ts';
import { storageWidth } from '../../batch/delta-batch.ts';
import { type AddressComparator, canonicalComparator } from '../../kernels/compare-values.ts';
import { Memory } from '../../memory/memory.ts';
import { type AggregateInstance, isValidAt, type SlotContext, weightAt } from './aggregate.ts';
import { GroupMultiset } from './group-multiset.ts';
import { ResultColumn } from './result-column.ts';

/** Append-only: value (16 bytes), then u32 1 when there is one. Else: the tree's root. */
export const EXTREME_SLOT_BYTES = 24;
const PRESENT = 16;

/** min or max of input that may retract. */
export class ExtremeAggregate implements AggregateInstance {
  readonly #context: SlotContext;
  readonly #isMax: boolean;
  readonly #values: GroupMultiset;

  constructor(context: SlotContext, isMax: boolean) {
    this.#context = context;
    this.#isMax = isMax;
    this.#values = new GroupMultiset(context, [context.argTypes[0]!], [], true);
  }

  update(groupRows: number, args: readonly Column[], weights: number, n: number): void {
    this.#values.update(groupRows, [args[0]!], weights, n);
  }

  result(groupRows: number, n: number): Column {
    const { memory, scratch, argTypes } = this.#context;
    const out = new ResultColumn(scratch, argTypes[0]!.storage, n);
    for (let i = 0; i < n; i += 1) {
      const tree = this.#values.of(memory.u32[(groupRows >>> 2) + i]!);
      const row = this.#isMax ? tree.last() : tree.first();
      if (row === 0) {
        out.setNull(i);
        continue;
      }
      this.#values.checkedWeight(row);
      out.copyValue(i, this.#values.table.valueAddress(row, 1));
    }
    return out.build();
  }

  release(groupRows: number, n: number): void {
    const { memory } = this.#context;
    for (let i = 0; i < n; i += 1) this.#values.release(memory.u32[(groupRows >>> 2) + i]!);
  }

  stateBytes(): number {
    return this.#values.table.bytes;
  }
}

/** min or max of input that never retracts. */
export class AppendOnlyExtreme implements AggregateInstance {
  readonly #context: SlotContext;
  readonly #sign: 1 | -1;
  readonly #compare: AddressComparator;
  #bytes = 0;

  constructor(context: SlotContext, isMax: boolean) {
    this.#context = context;
    this.#sign = isMax ? -1 : 1;
    this.#compare = canonicalComparator(context.memory, context.argTypes[0]!);
  }

  update(groupRows: number, args: readonly Column[], weights: number, n: number): void {
    const { memory, base } = this.#context;
    const { storage, values, validity } = args[0]!;
    const width = storageWidth(storage);
    const compare = this.#compare;
    for (let i = 0; i < n; i += 1) {
      if (weightAt(memory.i32, weights, i) === 0 || !isValidAt(memory.u8, validity, i)) continue;
      const slot = memory.u32[(groupRows >>> 2) + i]! * 8 + base;
      const value = values + i * width;
      const isPresent = memory.u32[(slot + PRESENT) >>> 2] === 1;
      if (isPresent && this.#sign * compare(value, slot) >= 0) continue;
      this.#replace(slot, value, width, storage === 'view', isPresent);
    }
  }

  #replace(slot: number, value: number, width: number, isView: boolean, isPresent: boolean): void {
    const { memory } = this.#context;
    if (isView && isPresent) this.#freeLong(slot);
    memory.u8.copyWithin(slot, value, value + width);
    memory.u32[(slot + PRESENT) >>> 2] = 1;
    if (!isView) return;
    const length = memory.u32[slot >>> 2]!;
    if (length <= 12) return;
    const source = memory.u32[(slot >>> 2) + 3]!;
    const block = memory.alloc(length);
    memory.u8.copyWithin(block, source, source + length);
    memory.u32[(slot >>> 2) + 3] = block;
    this.#bytes += Memory.blockBytes(length);
  }

  #freeLong(slot: number): void {
    const { memory } = this.#context;
    const length = memory.u32[slot >>> 2]!;
    if (length <= 12) return;
    memory.free(memory.u32[(slot >>> 2) + 3]!, length);
    this.#bytes -= Memory.blockBytes(length);
  }

  result(groupRows: number, n: number): Column {
    const { memory, scratch, base, argTypes } = this.#context;
    const out = new ResultColumn(scratch, argTypes[0]!.storage, n);
    for (let i = 0; i < n; i += 1) {
      const slot = memory.u32[(groupRows >>> 2) + i]! * 8 + base;
      if (memory.u32[(slot + PRESENT) >>> 2] === 0) out.setNull(i);
      else out.copyValue(i, slot);
    }
    return out.build();
  }

  release(groupRows: number, n: number): void {
    const { memory, base, argTypes } = this.#context;
    if (argTypes[0]!.storage !== 'view') return;
    for (let i = 0; i < n; i += 1) {
      const slot = memory.u32[(groupRows >>> 2) + i]! * 8 + base;
      if (memory.u32[(slot + PRESENT) >>> 2] === 1) this.#freeLong(slot);
      memory.u32[(slot + PRESENT) >>> 2] = 0;
    }
  }

  stateBytes(): number {
    return this.#bytes;
  }
}
