/**
 * Union: UNION ALL, the sum of its inputs. (UNION is a distinct Aggregate over it.)
 *
 * Algorithm: passes batches on. A row's own watermark is lowered to that of the other inputs as of the epoch before, since
 * behind a union only the least of them judges (semantics.md rules 14, 16).
 * State: none. Correctness: linear in each input.
 */

import type { DeltaBatch } from '../../batch/delta-batch.ts';
import type { UnionNode } from '../../plan/plan-node.ts';
import type { GraphContext } from '../graph-context.ts';
import { type EpochContext, type Operator, WATERMARK_NONE } from '../operator.ts';
import { maxWatermark, minWatermark, shiftWatermark } from '../watermark.ts';

export class UnionOperator implements Operator {
  readonly name = 'Union';
  watermarks: readonly bigint[];
  readonly #node: UnionNode;
  readonly #context: GraphContext;
  /** W of each input's first watermark at the last epoch's end. */
  #inputs: bigint[];

  constructor(node: UnionNode, context: GraphContext) {
    this.#node = node;
    this.#context = context;
    this.#inputs = node.inputs.map(() => WATERMARK_NONE);
    this.watermarks = (node.properties?.watermarks ?? []).map(() => WATERMARK_NONE);
  }

  onDelta(port: number, batch: DeltaBatch): void {
    const { scratch, output } = this.#context;
    if (batch.rowWatermarks === 0 || this.#node.inputs.length < 2) {
      output.onDelta(batch);
      return;
    }
    const mark = scratch.mark();
    output.onDelta({ ...batch, rowWatermarks: this.#lowered(port, batch) });
    scratch.release(mark);
  }

  #lowered(port: number, batch: DeltaBatch): number {
    const { memory, scratch } = this.#context;
    let others = this.#inputs[port === 0 ? 1 : 0]!;
    this.#inputs.forEach((w, other) => {
      if (other !== port) others = minWatermark(others, w);
    });
    const own = minWatermark(others, this.#inputs[port]!);
    const to = scratch.alloc(Math.max(16, batch.rowCount * 8));
    const source = batch.rowWatermarks >>> 3;
    for (let i = 0; i < batch.rowCount; i++) {
      const w = memory.i64[source + i]!;
      memory.i64[(to >>> 3) + i] = maxWatermark(own, minWatermark(w, others));
    }
    return to;
  }

  onEpochEnd(_epoch: EpochContext, inputs: readonly (readonly bigint[])[]): void {
    this.#inputs = inputs.map((input) => input[0] ?? WATERMARK_NONE);
    this.watermarks = (this.#node.properties?.watermarks ?? []).map(({ column, shiftUs }) => {
      let least: bigint | null = null;
      inputs.forEach((input, port) => {
        const columns = this.#node.inputs[port]?.properties?.watermarks ?? [];
        const at = columns.findIndex((w) => w.column === column);
        const w = input[at] ?? WATERMARK_NONE;
        least = least === null ? w : minWatermark(least, w);
      });
      return shiftWatermark(least ?? WATERMARK_NONE, BigInt(shiftUs));
    });
  }

  stateSize(): { rows: number; bytes: number } {
    return { rows: 0, bytes: 0 };
  }
}
