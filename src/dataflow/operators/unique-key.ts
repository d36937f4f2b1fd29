/**
 * UniqueKey: at most one row of each key, for a sink whose key is not proven unique (semantics.md rule 31).
 *
 * Algorithm: 'latest' shows of each key the live row that came last; when it goes, the one before it comes back. 'error' does
 * the same while no key has several live rows (copies count); as long as one has, nothing comes out at all, and what changed
 * comes out as one change in the epoch that ends with one row of each key again.
 * State: the live rows by key, in the order in which they came (live-rows.ts), and how many keys have several. Of an input
 * that never retracts the last row of each key is enough.
 * Correctness: at an epoch's end with no stall, the sum of the output is the last live row of each key; the order follows
 * from epochs and rows alone, so a replay and any cut into batches give the same.
 * Cost: O(log rows of the key) a changed row, O(1) a changed key.
 */

import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { readValue } from '../../batch/read-value.ts';
import type { UniqueKeyNode } from '../../plan/plan-node.ts';
import { formatValue } from '../../types/value.ts';
import type { GraphContext } from '../graph-context.ts';
import { LiveRows } from '../live-rows.ts';
import type { EpochContext, Operator } from '../operator.ts';
import { RowOutput } from '../row-output.ts';
import { RowList } from '../rows.ts';
import { derivedWatermarks } from '../watermark.ts';

export class UniqueKeyOperator implements Operator {
  readonly name = 'UniqueKey';
  watermarks: readonly bigint[];
  readonly #node: UniqueKeyNode;
  readonly #context: GraphContext;
  readonly #state: LiveRows;
  readonly #output: RowOutput;
  readonly #isAppendOnly: boolean;
  /** u32: keys with several rows; 'latest' counts none. */
  readonly #severalCell: number;
  /** One of them; 0: not looked for yet. */
  #named = 0;
  readonly #hidden = new RowList();

  constructor(node: UniqueKeyNode, context: GraphContext) {
    this.#node = node;
    this.#context = context;
    const { columns, properties } = node.input;
    this.#state = new LiveRows(context, columns, node.partition);
    this.#severalCell = context.rootCell();
    this.#isAppendOnly = properties?.isAppendOnly ?? false;
    const all = columns.map((_, column) => column);
    this.#output = new RowOutput(context, this.#state.rows, all, 0);
    this.watermarks = derivedWatermarks(node.properties?.watermarks ?? [], undefined);
  }

  onDelta(_port: number, batch: DeltaBatch): void {
    this.#state.add(batch);
  }

  onEpochEnd({ epoch }: EpochContext, inputs: readonly (readonly bigint[])[]): void {
    const keys = this.#state.endEpoch(epoch);
    if (this.#node.onDuplicate === 'error') {
      for (let i = 0; i < keys.count; i++) this.#judge(keys.at(i));
    }
    if (this.#severalCount === 0) this.#show();
    else if (this.#isAppendOnly) {
      for (let i = 0; i < keys.count; i++) this.#state.forgetEarlier(keys.at(i));
    }
    this.watermarks = derivedWatermarks(this.#node.properties?.watermarks ?? [], inputs[0]);
  }

  get #severalCount(): number {
    return this.#context.memory.u32[this.#severalCell >>> 2]!;
  }

  /** Whether a key has several rows; without retractions that stays so, whatever is still kept of them. */
  #judge(key: number): void {
    const had = this.#state.isMarked(key);
    const has = this.#state.count(key) > 1 || (had && this.#isAppendOnly);
    if (has === had) return;
    this.#state.setMarked(key, has);
    this.#context.memory.u32[this.#severalCell >>> 2]! += has ? 1 : -1;
    if (this.#named === key) this.#named = 0;
  }

  /** The last row of each changed key takes the place of the one that is shown. */
  #show(): void {
    const state = this.#state;
    for (let key = state.firstChanged(); key !== 0; key = state.nextChanged(key)) {
      const shown = state.shown(key);
      const last = state.last(key);
      if (shown === last) continue;
      if (shown !== 0) {
        this.#output.put(shown, -1);
        this.#hidden.push(shown);
      }
      if (last !== 0) this.#output.put(last, 1);
      state.setShown(key, last);
    }
    this.#output.flush();
    this.#forget();
    state.settle();
  }

  #forget(): void {
    const state = this.#state;
    if (this.#isAppendOnly) {
      for (let key = state.firstChanged(); key !== 0; key = state.nextChanged(key)) {
        state.forgetEarlier(key);
      }
    } else for (let i = 0; i < this.#hidden.count; i++) state.release(this.#hidden.at(i));
    this.#hidden.clear();
  }

  stall(): string | null {
    if (this.#severalCount === 0) return null;
    const state = this.#state;
    let key = this.#named === 0 ? state.firstChanged() : this.#named;
    while (!state.isMarked(key)) key = state.nextChanged(key);
    this.#named = key;
    const remedy = this.#isAppendOnly
      ? "Create the sink with on_duplicate_key = 'latest', or group its query by the key."
      : "The sink goes on when the query has one of them; on_duplicate_key = 'latest' sends the one that came last.";
    return `the query has several rows of one key (23505). Key ${this.#keyText(key)} is duplicated. ${remedy}`;
  }

  /** `(a, b)=(1, x)`, as PostgreSQL shows keys. */
  #keyText(key: number): string {
    const { memory, scratch, settings } = this.#context;
    const { columns } = this.#node;
    const mark = scratch.mark();
    const rows = scratch.alloc(16);
    memory.u32[rows >>> 2] = this.#state.last(key);
    const batch = this.#state.rows.gatherBatch(rows, 1, this.#node.key, 0, scratch);
    const values = this.#node.key.map((column, i) => {
      const { type } = columns[column]!;
      const value = readValue(memory, batch.columns[i]!, type, 0);
      return value === null ? 'null' : formatValue(type, value, settings);
    });
    scratch.release(mark);
    const names = this.#node.key.map((column) => columns[column]!.name);
    return `(${names.join(', ')})=(${values.join(', ')})`;
  }

  stateSize(): { rows: number; bytes: number } {
    return this.#state.stateSize();
  }
}
