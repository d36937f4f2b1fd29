/**
 * Project: computes the output columns of each row; the weight stays.
 *
 * Algorithm: every expression is evaluated over the whole batch; a plain column is passed on without a copy.
 * State: none. Correctness: linear, d(project(A)) = project(dA). A row whose expression fails is withheld.
 */

import type { Column, DeltaBatch } from '../../batch/delta-batch.ts';
import type { ProjectNode } from '../../plan/plan-node.ts';
import { Expressions } from '../expressions.ts';
import type { GraphContext } from '../graph-context.ts';
import type { EpochContext, Operator } from '../operator.ts';
import { derivedWatermarks } from '../watermark.ts';

export class ProjectOperator implements Operator {
  readonly name = 'Project';
  watermarks: readonly bigint[];
  readonly #node: ProjectNode;
  readonly #context: GraphContext;
  readonly #computed: Expressions;
  /** For each output column: the input column that it is, or -1 - number of its computed expression. */
  readonly #origins: readonly number[];
  readonly #isPlain: boolean;

  constructor(node: ProjectNode, context: GraphContext) {
    this.#node = node;
    this.#context = context;
    const computed = node.expressions.filter((expr) => expr.kind !== 'column');
    let next = 0;
    this.#origins = node.expressions.map((expr) =>
      expr.kind === 'column' ? expr.index : -1 - next++,
    );
    this.#isPlain = computed.length === 0;
    this.#computed = new Expressions(computed, context);
    this.watermarks = derivedWatermarks(node.properties?.watermarks ?? [], undefined);
  }

  onDelta(_port: number, batch: DeltaBatch): void {
    const { scratch, output } = this.#context;
    if (this.#isPlain) {
      output.onDelta({ ...batch, columns: this.#columns(batch, []) });
      return;
    }
    const mark = scratch.mark();
    const evaluated = this.#computed.evaluate(batch);
    if (evaluated !== null) {
      const { rows, columns } = evaluated;
      output.onDelta({ ...rows, columns: this.#columns(rows, columns) });
    }
    scratch.release(mark);
  }

  #columns(rows: DeltaBatch, computed: readonly Column[]): Column[] {
    return this.#origins.map((from) => (from >= 0 ? rows.columns[from]! : computed[-1 - from]!));
  }

  onEpochEnd(_epoch: EpochContext, inputs: readonly (readonly bigint[])[]): void {
    this.watermarks = derivedWatermarks(this.#node.properties?.watermarks ?? [], inputs[0]);
  }

  stateSize(): { rows: number; bytes: number } {
    return { rows: 0, bytes: 0 };
  }
}
