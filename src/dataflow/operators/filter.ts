/**
 * Filter: passes the rows of a delta whose predicate is true; NULL counts as false, as in SQL.
 *
 * Algorithm: evaluates the predicate over the batch, gathers the rows that pass (a batch that passes whole is handed on).
 * State: none. Correctness: linear, so d(filter(A)) = filter(dA); the halves of an update are judged alone.
 */

import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { select, selectTrue } from '../../batch/select.ts';
import type { FilterNode } from '../../plan/plan-node.ts';
import { Expressions } from '../expressions.ts';
import type { GraphContext } from '../graph-context.ts';
import type { EpochContext, Operator } from '../operator.ts';
import { derivedWatermarks } from '../watermark.ts';

export class FilterOperator implements Operator {
  readonly name = 'Filter';
  watermarks: readonly bigint[];
  readonly #node: FilterNode;
  readonly #context: GraphContext;
  readonly #predicate: Expressions;

  constructor(node: FilterNode, context: GraphContext) {
    this.#node = node;
    this.#context = context;
    this.#predicate = new Expressions([node.predicate], context);
    this.watermarks = derivedWatermarks(node.properties?.watermarks ?? [], undefined);
  }

  onDelta(_port: number, batch: DeltaBatch): void {
    const { memory, scratch, output } = this.#context;
    const mark = scratch.mark();
    const evaluated = this.#predicate.evaluate(batch);
    if (evaluated !== null) {
      const { rows, columns } = evaluated;
      const sel = scratch.alloc((rows.rowCount + 1) * 4);
      const passing = selectTrue(memory, columns[0]!, rows.rowCount, sel);
      if (passing === rows.rowCount) output.onDelta(rows);
      else if (passing > 0) output.onDelta(select(rows, sel, passing, scratch));
    }
    scratch.release(mark);
  }

  onEpochEnd(_epoch: EpochContext, inputs: readonly (readonly bigint[])[]): void {
    this.watermarks = derivedWatermarks(this.#node.properties?.watermarks ?? [], inputs[0]);
  }

  stateSize(): { rows: number; bytes: number } {
    return { rows: 0, bytes: 0 };
  }
}
