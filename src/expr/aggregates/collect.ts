/** string_agg and array_agg: all values of a group in ORDER BY order, ties by all arguments (semantics.md rule 9). */

import { must } from '../../base/assert.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { readValueAt } from '../../batch/read-value.ts';
import { viewBytes } from '../../memory/views.ts';
import { ArrayValue } from '../../types/array.ts';
import { arrayOf, type DataType, type Value } from '../../types/data-type.ts';
import { encodeBytes } from '../../types/value.ts';
import type { AggregateInstance, SlotContext } from './aggregate.ts';
import { GroupMultiset } from './group-multiset.ts';
import { ResultColumn } from './result-column.ts';

abstract class CollectAggregate implements AggregateInstance {
  protected readonly context: SlotContext;
  protected readonly values: GroupMultiset;

  constructor(context: SlotContext, skipsNulls: boolean) {
    this.context = context;
    this.values = new GroupMultiset(context, context.argTypes, context.orderBy, skipsNulls);
  }

  update(groupRows: number, args: readonly Column[], weights: number, n: number): void {
    this.values.update(groupRows, args, weights, n);
  }

  result(groupRows: number, n: number): Column {
    const { memory, scratch } = this.context;
    const out = new ResultColumn(scratch, 'view', n);
    for (let i = 0; i < n; i += 1) {
      const bytes = this.collect(memory.u32[(groupRows >>> 2) + i]!);
      if (bytes === null) out.setNull(i);
      else out.setBytes(i, bytes);
    }
    return out.build();
  }

  protected abstract collect(groupRow: number): Uint8Array | null;

  release(groupRows: number, n: number): void {
    const { memory } = this.context;
    for (let i = 0; i < n; i += 1) this.values.release(memory.u32[(groupRows >>> 2) + i]!);
  }

  stateBytes(): number {
    return this.values.table.bytes;
  }
}

/** string_agg(value, delimiter): NULL values are left out, a NULL delimiter is empty, the first one is not shown. */
export class StringAggregate extends CollectAggregate {
  constructor(context: SlotContext) {
    super(context, true);
  }

  protected override collect(groupRow: number): Uint8Array | null {
    const { memory } = this.context;
    const { table } = this.values;
    const tree = this.values.of(groupRow);
    const parts: Uint8Array[] = [];
    for (let row = tree.first(); row !== 0; row = tree.next(row)) {
      const value = viewBytes(memory, table.valueAddress(row, 1));
      const delimiter = table.isValid(row, 2)
        ? viewBytes(memory, table.valueAddress(row, 2))
        : new Uint8Array(0);
      for (let copies = this.values.checkedWeight(row); copies > 0; copies -= 1) {
        if (parts.length > 0) parts.push(delimiter);
        parts.push(value);
      }
    }
    return parts.length === 0 ? null : Buffer.concat(parts);
  }
}

/** array_agg(value): NULLs stay. */
export class ArrayAggregate extends CollectAggregate {
  readonly #element: DataType;
  readonly #type: DataType;

  constructor(context: SlotContext) {
    super(context, false);
    this.#element = context.argTypes[0]!;
    this.#type = must(arrayOf(this.#element));
  }

  protected override collect(groupRow: number): Uint8Array | null {
    const { table } = this.values;
    const tree = this.values.of(groupRow);
    const elements: Value[] = [];
    for (let row = tree.first(); row !== 0; row = tree.next(row)) {
      const value = table.isValid(row, 1)
        ? readValueAt(this.context.memory, table.valueAddress(row, 1), this.#element)
        : null;
      for (let copies = this.values.checkedWeight(row); copies > 0; copies -= 1) {
        elements.push(value);
      }
    }
    if (elements.length === 0) return null;
    return encodeBytes(this.#type, ArrayValue.of(elements));
  }
}
