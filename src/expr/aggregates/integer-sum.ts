/** sum and avg of int2, int4, int8: an i128 sum and an i64 count; exact, overflow is judged on the final value. */

import { SqlError } from '../../base/sql-error.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { kernelsOf } from '../../kernels/kernels.ts';
import type { Memory } from '../../memory/memory.ts';
import { type AggregateInstance, readCount, type SlotContext } from './aggregate.ts';
import { divideNumeric, numericBytes } from './numeric-bytes.ts';
import { ResultColumn } from './result-column.ts';
import { smallAverage, smallNumeric } from './small-numeric.ts';

export const INTEGER_SUM_SLOT_BYTES = 24;

/** The i128 at an address. */
export function readI128(memory: Memory, address: number): bigint {
  const high = memory.i64[(address >>> 3) + 1]!;
  return (high << 64n) | BigInt.asUintN(64, memory.i64[address >>> 3]!);
}

export type IntegerSumResult = 'int8' | 'numeric' | 'average';

export class IntegerSumAggregate implements AggregateInstance {
  readonly #context: SlotContext;
  readonly #kind: IntegerSumResult;

  constructor(context: SlotContext, kind: IntegerSumResult) {
    this.#context = context;
    this.#kind = kind;
  }

  update(groupRows: number, args: readonly Column[], weights: number, n: number): void {
    const { memory, base } = this.#context;
    const { storage, values, validity } = args[0]!;
    const kernels = kernelsOf(memory);
    if (storage === 'i32') kernels.sumI32(groupRows, base, values, validity, weights, n);
    else kernels.sumI64(groupRows, base, values, validity, weights, n);
  }

  result(groupRows: number, n: number): Column {
    const { memory, scratch, base } = this.#context;
    const out = new ResultColumn(scratch, this.#kind === 'int8' ? 'i64' : 'view', n);
    const { i32 } = memory;
    for (let i = 0; i < n; i += 1) {
      const slot = memory.u32[(groupRows >>> 2) + i]! * 8 + base;
      const count = readCount(memory, slot + 16);
      if (count === 0) out.setNull(i);
      else if (this.#kind === 'int8') {
        const word = slot >>> 2;
        const sign = i32[word + 1]! >> 31;
        if (i32[word + 2] !== sign || i32[word + 3] !== sign) throw bigintOutOfRange();
        out.copyI64(i, slot);
      } else if (this.#kind === 'numeric') out.setBytes(i, sumBytes(memory, slot));
      else out.setBytes(i, averageBytes(memory, slot, count));
    }
    return out.build();
  }

  release(): void {}
}

/** The i128 at an address as a number; NaN: it is not below 2^53. */
function readSmall(memory: Memory, address: number): number {
  const { i32, u32 } = memory;
  const word = address >>> 2;
  const high = i32[word + 1]!;
  const sign = high >> 31;
  if (i32[word + 2] !== sign || i32[word + 3] !== sign) return Number.NaN;
  const value = high * 0x1_0000_0000 + u32[word]!;
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

function sumBytes(memory: Memory, address: number): Uint8Array {
  const small = readSmall(memory, address);
  return Number.isNaN(small) ? numericBytes(0, readI128(memory, address), 0) : smallNumeric(small);
}

function averageBytes(memory: Memory, address: number, count: number): Uint8Array {
  const small = readSmall(memory, address);
  const bytes = Number.isNaN(small) ? null : smallAverage(small, count);
  if (bytes !== null) return bytes;
  const { unscaled, scale } = divideNumeric(readI128(memory, address), 0, BigInt(count));
  return numericBytes(0, unscaled, scale);
}

function bigintOutOfRange(): SqlError {
  return new SqlError('22003', 'bigint out of range');
}
