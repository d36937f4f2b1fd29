/**
 * GroupResults: the results of a group's aggregates, group by group where one of them is an error (a sum that does not fit
 * its type), so that one group's overflow is its own.
 */

import { SqlError } from '../base/sql-error.ts';
import type { Column } from '../batch/delta-batch.ts';
import { selectColumn } from '../batch/select.ts';
import type { AggregateInstance } from '../expr/aggregates/aggregate.ts';
import type { AggregateNode } from '../plan/plan-node.ts';
import type { GraphContext } from './graph-context.ts';
import { nullColumn } from './rows.ts';

export interface GroupFailure {
  /** Which aggregate failed. */
  readonly aggregate: number;
  readonly error: { readonly sqlstate: string; readonly message: string };
}

export class GroupResults {
  readonly #context: GraphContext;
  readonly #node: AggregateNode;
  readonly #aggregates: readonly AggregateInstance[];
  /** The error that each aggregate has given: its text does not depend on the group. */
  readonly #errors = new Map<number, GroupFailure['error']>();

  constructor(
    context: GraphContext,
    node: AggregateNode,
    aggregates: readonly AggregateInstance[],
  ) {
    this.#context = context;
    this.#node = node;
    this.#aggregates = aggregates;
  }

  /** Results of n groups; those of failed groups (by position) mean nothing. */
  compute(
    rows: number,
    n: number,
  ): { columns: Column[]; failed: ReadonlyMap<number, GroupFailure> | null } {
    try {
      return { columns: this.#aggregates.map((one) => one.result(rows, n)), failed: null };
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      return this.#computeEach(rows, n);
    }
  }

  /** What an aggregate's failure says, also after a recovery. */
  errorOf(aggregate: number): GroupFailure['error'] {
    const type = this.#node.calls[aggregate]?.type.id === 'int8' ? 'bigint' : 'value';
    return this.#errors.get(aggregate) ?? { sqlstate: '22003', message: `${type} out of range` };
  }

  #computeEach(rows: number, n: number) {
    const { memory, scratch } = this.#context;
    const failed = new Map<number, GroupFailure>();
    const fine = scratch.alloc(n * 4 + 16);
    const places = scratch.alloc(n * 4 + 16);
    let fineCount = 0;
    for (let i = 0; i < n; i++) {
      memory.u32[(places >>> 2) + i] = fineCount;
      const failure = this.#failureOf(rows + i * 4);
      if (failure !== null) failed.set(i, failure);
      else memory.u32[(fine >>> 2) + fineCount++] = memory.u32[(rows >>> 2) + i]!;
    }
    for (const i of failed.keys()) memory.u32[(places >>> 2) + i] = 0;
    const columns = this.#aggregates.map((one, index) => {
      const { storage } = this.#node.calls[index]!.type;
      if (fineCount === 0) return nullColumn(memory, scratch, storage, n);
      return selectColumn(memory, one.result(fine, fineCount), places, n, scratch);
    });
    return { columns, failed };
  }

  #failureOf(row: number): GroupFailure | null {
    for (let aggregate = 0; aggregate < this.#aggregates.length; aggregate++) {
      try {
        this.#aggregates[aggregate]!.result(row, 1);
      } catch (error) {
        if (!(error instanceof SqlError)) throw error;
        const known = { sqlstate: error.sqlstate, message: error.message };
        this.#errors.set(aggregate, known);
        return { aggregate, error: known };
      }
    }
    return null;
  }
}
