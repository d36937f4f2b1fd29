/**
 * What an aggregate is: a function of the multiset of its inputs, kept under inserts and retractions in slots of the
 * group's row (and in structures that the slots lead to), exactly: the same multiset gives the same result, bit for bit.
 */

import type { Column } from '../../batch/delta-batch.ts';
import type { RowTable } from '../../kernels/row-table.ts';
import type { Memory } from '../../memory/memory.ts';
import type { Scratch } from '../../memory/scratch.ts';
import type { DataType } from '../../types/data-type.ts';

export interface AggregateOrderKey {
  /** Index into the argument columns given to `update`. */
  readonly column: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** How a call uses its aggregate: what its slot depends on. */
export interface AggregateUse {
  readonly isDistinct: boolean;
  /**
   * Bytes from a group row's start to the i64 weight of all rows that `update` is given, where the owner keeps it; null: it
   * keeps none (a FILTER leaves rows out).
   */
  readonly weightOffset: number | null;
}

export interface AggregateContext extends AggregateUse {
  readonly memory: Memory;
  readonly scratch: Scratch;
  /** The next root cell of the operator; called the same number of times on recovery. */
  rootCell(): number;
  /** The groups' table. */
  readonly table: RowTable;
  /** Bytes from a group row's start to this aggregate's slot; a multiple of 8, zero in a new row. */
  readonly slotOffset: number;
  /** Types of the argument columns: the aggregate's own, then those that only `orderBy` uses. */
  readonly argTypes: readonly DataType[];
  readonly orderBy: readonly AggregateOrderKey[];
  /** The input never retracts. */
  readonly isAppendOnly: boolean;
}

export interface AggregateInstance {
  /**
   * Takes n input rows: `groupRows` address of u32 row ids, `weights` of i32 (0: all +1); weight 0 is passed over. Arguments
   * are copied where they are kept.
   */
  update(groupRows: number, args: readonly Column[], weights: number, n: number): void;
  /** Results of n groups, in scratch. Throws SqlError 22003 where a result does not fit its type. */
  result(groupRows: number, n: number): Column;
  /** Frees what n groups hold outside their rows; the slots must not be used after. */
  release(groupRows: number, n: number): void;
  /** Bytes held outside the groups' table. */
  stateBytes?(): number;
}

export interface AggregateDefinition {
  readonly id: string;
  /** Bytes of the slot in the group's row. */
  slotBytes(use: AggregateUse): number;
  resultType(argTypes: readonly DataType[]): DataType;
  create(context: AggregateContext): AggregateInstance;
}

/** What the families are made with: `base` is their own slot's offset from the row's start. */
export interface SlotContext extends AggregateContext {
  readonly base: number;
}

/** Is row i of a column not NULL? */
export function isValidAt(u8: Uint8Array, validity: number, i: number): boolean {
  return validity === 0 || ((u8[validity + (i >>> 3)]! >>> (i & 7)) & 1) === 1;
}

/** Weight of input row i. */
export function weightAt(i32: Int32Array, weights: number, i: number): number {
  return weights === 0 ? 1 : i32[(weights >>> 2) + i]!;
}

/** The i64 at an address as a number: counts stay below 2^53. */
export function readCount(memory: Memory, address: number): number {
  return memory.i32[(address >>> 2) + 1]! * 0x1_0000_0000 + memory.u32[address >>> 2]!;
}
