/** count(*), count(x): an i64 of weights, the group's own where it counts the same rows. bool_and, bool_or, every: an i64 count of true and one of false. */

import type { Column } from '../../batch/delta-batch.ts';
import { kernelsOf } from '../../kernels/kernels.ts';
import {
  type AggregateContext,
  type AggregateInstance,
  isValidAt,
  type SlotContext,
  weightAt,
} from './aggregate.ts';
import { ResultColumn } from './result-column.ts';

export const COUNT_SLOT_BYTES = 8;
export const BOOL_SLOT_BYTES = 16;

export class CountAggregate implements AggregateInstance {
  readonly #context: SlotContext;
  readonly #hasArgument: boolean;

  constructor(context: SlotContext, hasArgument: boolean) {
    this.#context = context;
    this.#hasArgument = hasArgument;
  }

  update(groupRows: number, args: readonly Column[], weights: number, n: number): void {
    const { memory, base } = this.#context;
    const validity = this.#hasArgument ? args[0]!.validity : 0;
    kernelsOf(memory).addCount(groupRows, base, validity, weights, n);
  }

  result(groupRows: number, n: number): Column {
    return countColumn(this.#context, this.#context.base, groupRows, n);
  }

  release(): void {}
}

/** count(*) without a slot: the weight that the group keeps anyway. */
export class GroupWeightAggregate implements AggregateInstance {
  readonly #context: AggregateContext;
  readonly #weightOffset: number;

  constructor(context: AggregateContext, weightOffset: number) {
    this.#context = context;
    this.#weightOffset = weightOffset;
  }

  update(): void {}

  result(groupRows: number, n: number): Column {
    return countColumn(this.#context, this.#weightOffset, groupRows, n);
  }

  release(): void {}
}

/** The i64 at `offset` of each group's row. */
function countColumn(
  { memory, scratch }: AggregateContext,
  offset: number,
  groupRows: number,
  n: number,
): Column {
  const out = new ResultColumn(scratch, 'i64', n);
  for (let i = 0; i < n; i += 1) {
    out.copyI64(i, memory.u32[(groupRows >>> 2) + i]! * 8 + offset);
  }
  return out.build();
}

export class BoolAggregate implements AggregateInstance {
  readonly #context: SlotContext;
  readonly #isAnd: boolean;

  constructor(context: SlotContext, isAnd: boolean) {
    this.#context = context;
    this.#isAnd = isAnd;
  }

  update(groupRows: number, args: readonly Column[], weights: number, n: number): void {
    const { memory, base } = this.#context;
    const { values, validity } = args[0]!;
    const { u8, u32, i32, f64 } = memory;
    for (let i = 0; i < n; i += 1) {
      if (!isValidAt(u8, validity, i)) continue;
      const slot = u32[(groupRows >>> 2) + i]! * 8 + base + (u8[values + i] === 1 ? 0 : 8);
      f64[slot >>> 3]! += weightAt(i32, weights, i);
    }
  }

  result(groupRows: number, n: number): Column {
    const { memory, scratch, base } = this.#context;
    const out = new ResultColumn(scratch, 'u8', n);
    const { u32, f64 } = memory;
    for (let i = 0; i < n; i += 1) {
      const slot = (u32[(groupRows >>> 2) + i]! * 8 + base) >>> 3;
      const trues = f64[slot]!;
      const falses = f64[slot + 1]!;
      if (trues === 0 && falses === 0) out.setNull(i);
      else out.setBool(i, this.#isAnd ? falses === 0 : trues !== 0);
    }
    return out.build();
  }

  release(): void {}
}
