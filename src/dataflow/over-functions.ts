/**
 * OverFunctions: the results of window functions over one partition, given as its rows in order.
 *
 * Every function becomes a choice of rows (lag, lead, first_value, last_value), a count (row_number, rank, dense_rank) or
 * an aggregate that is fed frame by frame in a group of its own. Peers are rows equal in the sort keys.
 * Cost: O(rows) a function; a running aggregate takes one update and one result a row (or a group of peers).
 */

import { assert } from '../base/assert.ts';
import type { Column } from '../batch/delta-batch.ts';
import { selectColumn } from '../batch/select.ts';
import type { AggregateInstance } from '../expr/aggregates/aggregate.ts';
import { aggregateDefinition } from '../expr/aggregates/registry.ts';
import { valueComparator } from '../kernels/compare-values.ts';
import { RowTable } from '../kernels/row-table.ts';
import { RowLayout } from '../memory/row-layout.ts';
import type { OverNode } from '../plan/plan-node.ts';
import type { GraphContext } from './graph-context.ts';
import { bitmapBytes, constantWeights, isValid, nullColumn } from './rows.ts';

type Call = OverNode['calls'][number];

/** An aggregate with the table whose only row, while it runs, is the frame. */
interface FrameAggregate {
  readonly table: RowTable;
  readonly instance: AggregateInstance;
}

export class OverFunctions {
  readonly #node: OverNode;
  readonly #context: GraphContext;
  readonly #rows: RowTable;
  readonly #aggregates: ReadonlyMap<Call, FrameAggregate>;
  readonly #isPeer: (a: number, b: number) => boolean;

  /** `rows`: the table that the row ids belong to. */
  constructor(node: OverNode, context: GraphContext, rows: RowTable) {
    this.#node = node;
    this.#context = context;
    this.#rows = rows;
    this.#isPeer = this.#makePeerTest();
    const aggregates = new Map<Call, FrameAggregate>();
    for (const call of node.calls) {
      if (!isWindowFunction(call.function)) aggregates.set(call, this.#openAggregate(call));
    }
    this.#aggregates = aggregates;
  }

  #makePeerTest(): (a: number, b: number) => boolean {
    const table = this.#rows;
    const { memory } = this.#context;
    const tests = this.#node.order.map(({ column }) => {
      const compare = valueComparator(memory, this.#node.input.columns[column]!.type);
      return (a: number, b: number): boolean => {
        const isThere = table.isValid(a, column);
        if (isThere !== table.isValid(b, column)) return false;
        return (
          !isThere || compare(table.valueAddress(a, column), table.valueAddress(b, column)) === 0
        );
      };
    });
    return (a, b) => tests.every((test) => test(a, b));
  }

  #openAggregate(call: Call): FrameAggregate {
    const { memory, scratch } = this.#context;
    const definition = aggregateDefinition(call.function);
    const use = { isDistinct: false, weightOffset: null };
    const extraBytes = definition.slotBytes(use);
    const spec = { storages: [], keyCount: 0, extraBytes };
    const table = RowTable.open(memory, this.#context.rootCell(), spec);
    const instance = definition.create({
      memory,
      scratch,
      rootCell: () => this.#context.rootCell(),
      table,
      slotOffset: new RowLayout([], extraBytes).extraOffset,
      argTypes: call.args.map((arg) => this.#node.input.columns[arg]!.type),
      orderBy: [],
      ...use,
      isAppendOnly: true,
    });
    return { table, instance };
  }

  /** A column for each call over `count` rows (u32 ids at `rows`), whose input columns are `own`. */
  evaluate(rows: number, count: number, own: readonly Column[]): Column[] {
    const peers = this.#peerEnds(rows, count);
    return this.#node.calls.map((call) => this.#evaluateCall(call, rows, count, own, peers));
  }

  /** For each row the position of the last of its peers. */
  #peerEnds(rows: number, count: number): Uint32Array {
    const { u32 } = this.#context.memory;
    const ends = new Uint32Array(count);
    let end = count - 1;
    for (let i = count - 1; i >= 0; i--) {
      const isLastPeer =
        i < count - 1 && !this.#isPeer(u32[(rows >>> 2) + i]!, u32[(rows >>> 2) + i + 1]!);
      if (isLastPeer) end = i;
      ends[i] = end;
    }
    return ends;
  }

  #evaluateCall(
    call: Call,
    rows: number,
    count: number,
    own: readonly Column[],
    peers: Uint32Array,
  ): Column {
    switch (call.function) {
      case 'row_number':
        return this.#counts(count, (i) => i + 1);
      case 'rank':
        return this.#ranks(count, peers, false);
      case 'dense_rank':
        return this.#ranks(count, peers, true);
      case 'first_value':
        return this.#choose(call, own, count, () => 0);
      case 'last_value':
        return this.#choose(call, own, count, (i) => frameEnd(call, i, count, peers));
      case 'lag':
        return this.#shifted(call, own, count, -1);
      case 'lead':
        return this.#shifted(call, own, count, 1);
      default:
        return this.#aggregate(call, count, own, peers, rows);
    }
  }

  #counts(count: number, of: (i: number) => number): Column {
    const { memory, scratch } = this.#context;
    const values = scratch.alloc(count * 8);
    for (let i = 0; i < count; i++) {
      memory.u32[(values >>> 2) + 2 * i] = of(i);
      memory.u32[(values >>> 2) + 2 * i + 1] = 0;
    }
    return { storage: 'i64', values, validity: 0 };
  }

  #ranks(count: number, peers: Uint32Array, isDense: boolean): Column {
    const ranks = new Uint32Array(count);
    let first = 0;
    let dense = 0;
    for (let i = 0; i < count; i++) {
      if (i === 0 || peers[i] !== peers[i - 1]) {
        first = i;
        dense += 1;
      }
      ranks[i] = isDense ? dense : first + 1;
    }
    return this.#counts(count, (i) => ranks[i]!);
  }

  /** The first argument's value in the row that `at` names; -1: NULL. */
  #choose(call: Call, own: readonly Column[], count: number, at: (i: number) => number): Column {
    const { memory, scratch } = this.#context;
    const column = own[call.args[0]!]!;
    const sel = scratch.alloc(count * 4);
    const validity = scratch.alloc(bitmapBytes(count));
    memory.u8.fill(0, validity, validity + bitmapBytes(count));
    for (let i = 0; i < count; i++) {
      const from = at(i);
      memory.u32[(sel >>> 2) + i] = Math.max(from, 0);
      if (from >= 0 && isValid(memory, column, from)) {
        memory.u8[validity + (i >>> 3)]! |= 1 << (i & 7);
      }
    }
    return { ...selectColumn(memory, column, sel, count, scratch), validity };
  }

  /** lag(value [, distance [, default]]) and lead: `sign` says in which direction. */
  #shifted(call: Call, own: readonly Column[], count: number, sign: 1 | -1): Column {
    const { memory } = this.#context;
    const distance = call.args[1] === undefined ? null : own[call.args[1]]!;
    const target = (i: number): number | null => {
      if (distance === null) return i + sign;
      if (!isValid(memory, distance, i)) return null;
      return (
        i + sign * memory.i32[(distance.values >>> 2) + i * (distance.storage === 'i32' ? 1 : 2)]!
      );
    };
    const isInside = (at: number): boolean => at >= 0 && at < count;
    const chosen = this.#choose(call, own, count, (i) => {
      const at = target(i);
      return at !== null && isInside(at) ? at : -1;
    });
    const fallback = call.args[2] === undefined ? null : own[call.args[2]]!;
    if (fallback === null) return chosen;
    const takesDefault = (i: number): boolean => {
      const at = target(i);
      return at !== null && !isInside(at);
    };
    return this.#merge(chosen, fallback, count, takesDefault);
  }

  /** `fallback` where `takes` says so, else `column`. */
  #merge(column: Column, fallback: Column, count: number, takes: (i: number) => boolean): Column {
    const { memory } = this.#context;
    assert(column.storage === fallback.storage, 'a default has the type of its value');
    const width = { u8: 1, i32: 4, i64: 8, f64: 8, view: 16 }[column.storage];
    for (let i = 0; i < count; i++) {
      if (!takes(i)) continue;
      const from = fallback.values + i * width;
      memory.u8.copyWithin(column.values + i * width, from, from + width);
      if (isValid(memory, fallback, i)) memory.u8[column.validity + (i >>> 3)]! |= 1 << (i & 7);
    }
    return column;
  }

  #aggregate(
    call: Call,
    count: number,
    own: readonly Column[],
    peers: Uint32Array,
    rows: number,
  ): Column {
    const aggregate = this.#aggregates.get(call);
    assert(aggregate !== undefined, `window function ${call.function} over ${rows}`);
    const { memory, scratch } = this.#context;
    const group = scratch.alloc(16);
    aggregate.table.append([], 1, group);
    const results: Column[] = [];
    const places = scratch.alloc(count * 4);
    let done = 0;
    for (let i = 0; i < count; i++) {
      const end = frameEnd(call, i, count, peers);
      if (end >= done) {
        this.#feed(call, aggregate.instance, group, own, done, end + 1);
        done = end + 1;
        results.push(aggregate.instance.result(group, 1));
      }
      memory.u32[(places >>> 2) + i] = results.length - 1;
    }
    aggregate.instance.release(group, 1);
    aggregate.table.removeMany(group, 1);
    return selectColumn(memory, this.#stack(call, results), places, count, scratch);
  }

  /** Rows [from, to) enter the frame. */
  #feed(
    call: Call,
    instance: AggregateInstance,
    group: number,
    own: readonly Column[],
    from: number,
    to: number,
  ): void {
    const { memory, scratch } = this.#context;
    const n = to - from;
    const groups = scratch.alloc(n * 4);
    const sel = scratch.alloc(n * 4);
    memory.u32.fill(memory.u32[group >>> 2]!, groups >>> 2, (groups >>> 2) + n);
    for (let i = 0; i < n; i++) memory.u32[(sel >>> 2) + i] = from + i;
    const args = call.args.map((arg) => selectColumn(memory, own[arg]!, sel, n, scratch));
    instance.update(groups, args, constantWeights(memory, scratch, 1, n), n);
  }

  /** One-row columns as one column. */
  #stack(call: Call, cells: readonly Column[]): Column {
    const { memory, scratch } = this.#context;
    const { storage } = call.type;
    const stacked = nullColumn(memory, scratch, storage, cells.length);
    const width = { u8: 1, i32: 4, i64: 8, f64: 8, view: 16 }[storage];
    cells.forEach((cell, i) => {
      memory.u8.copyWithin(stacked.values + i * width, cell.values, cell.values + width);
      if (isValid(memory, cell, 0)) memory.u8[stacked.validity + (i >>> 3)]! |= 1 << (i & 7);
    });
    return stacked;
  }
}

/** The last row of the frame of row i; frames begin with the partition. */
function frameEnd(call: Call, i: number, count: number, peers: Uint32Array): number {
  if (call.frame === 'partition') return count - 1;
  return call.frame === 'rows_to_current' ? i : peers[i]!;
}

const WINDOW_FUNCTIONS: ReadonlySet<string> = new Set([
  'row_number',
  'rank',
  'dense_rank',
  'lag',
  'lead',
  'first_value',
  'last_value',
]);

function isWindowFunction(name: string): boolean {
  return WINDOW_FUNCTIONS.has(name);
}
