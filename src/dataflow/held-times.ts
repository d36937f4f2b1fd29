/**
 * HeldTimes: the times of all rows that an operator holds, in order, and how far its output's watermark has come: no further
 * than the earliest end that a session of those rows can have.
 *
 * State: an ordered tree through the rows' extra bytes, and the watermark reached; all of it in memory.
 * Cost: add and remove O(log rows), advance O(log rows).
 */

import { OrderedTree } from '../memory/ordered-tree.ts';
import type { GraphContext } from './graph-context.ts';
import { WATERMARK_NONE } from './operator.ts';
import { maxWatermark, minWatermark } from './watermark.ts';

/** 1 when the row is held, then its node. */
const IS_HELD = 0;
const NODE = 8;
/** What a row needs of its owner's bytes, 8-aligned. */
export const HELD_TIMES_BYTES = NODE + OrderedTree.NODE_BYTES;

export class HeldTimes {
  readonly #context: GraphContext;
  readonly #flag: number;
  readonly #tree: OrderedTree;
  readonly #timeOf: (row: number) => bigint;
  /** Address of the i64. */
  readonly #reached: number;

  /** `offset`: of HELD_TIMES_BYTES from a row's start. */
  constructor(context: GraphContext, offset: number, timeOf: (row: number) => bigint) {
    const { memory } = context;
    this.#context = context;
    this.#flag = offset + IS_HELD;
    this.#timeOf = timeOf;
    this.#tree = new OrderedTree(memory, {
      rootCell: context.rootCell(),
      nodeOffset: offset + NODE,
      compare: (a, b) => {
        const difference = timeOf(a) - timeOf(b);
        return difference === 0n ? a - b : Number(difference > 0n) - Number(difference < 0n);
      },
    });
    const cell = context.rootCell() >>> 2;
    if (memory.u32[cell] === 0) {
      const made = memory.alloc(8);
      memory.i64[made >>> 3] = WATERMARK_NONE;
      memory.u32[cell] = made;
    }
    this.#reached = memory.u32[cell]! >>> 3;
  }

  add(row: number): void {
    const { u32 } = this.#context.memory;
    const flag = (row * 8 + this.#flag) >>> 2;
    if (u32[flag] === 1) return;
    u32[flag] = 1;
    this.#tree.insert(row);
  }

  remove(row: number): void {
    if (this.#context.memory.u32[(row * 8 + this.#flag) >>> 2] === 1) this.#tree.remove(row);
  }

  /** Moves the output's watermark to `limit`, or to the earliest end that a session of these rows can have. */
  advance(limit: bigint, gapUs: bigint): bigint {
    const { i64 } = this.#context.memory;
    const first = this.#tree.first();
    const earliest = first === 0 ? limit : minWatermark(limit, this.#timeOf(first) + gapUs);
    const reached = maxWatermark(i64[this.#reached]!, earliest);
    i64[this.#reached] = reached;
    return reached;
  }
}
