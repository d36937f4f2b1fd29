/** Stateful operators against from-scratch answers: random inserts and retractions, equal after every epoch. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { must } from '../base/assert.ts';
import { Random } from '../base/random.ts';
import type { AggregateCall, JoinKind, JoinNode, PlanNode, SortKey } from '../plan/plan-node.ts';
import { arrayOf, BOOL, INT8, TEXT, type Value } from '../types/data-type.ts';
import { column, GraphBench, scanNode } from './graph-bench.ts';

type Row = readonly Value[];

const COLUMNS = [column('k', INT8), column('v', INT8), column('s', TEXT)];
const LONG = 'a text that is longer than twelve bytes ';

/** How probable it is that a change takes a row back. */
const RETRACTIONS = 0.45;

/** A bag of rows that grows and shrinks at random; every change is pushed into a bench. */
class RandomBag {
  readonly rows: Row[] = [];
  readonly #random: Random;
  readonly #make: (random: Random) => Row;
  readonly #retractions: number;

  constructor(random: Random, make: (random: Random) => Row, retractions = RETRACTIONS) {
    this.#random = random;
    this.#make = make;
    this.#retractions = retractions;
  }

  /** Some changes, in an order in which a retraction may come before its insert of the same epoch. */
  change(count: number): { rows: Row[]; weights: number[] } {
    const changes: { row: Row; weight: number }[] = [];
    for (let i = 0; i < count; i++) {
      if (this.rows.length > 0 && this.#random.chance(this.#retractions)) {
        const [row] = this.rows.splice(this.#random.below(this.rows.length), 1);
        changes.push({ row: row!, weight: -1 });
      } else {
        const row = this.#make(this.#random);
        this.rows.push(row);
        changes.push({ row, weight: 1 });
      }
    }
    changes.sort(() => (this.#random.chance(0.5) ? 1 : -1));
    return { rows: changes.map(({ row }) => row), weights: changes.map(({ weight }) => weight) };
  }
}

/** Adds up what several benches print. */
function totalOf(benches: readonly GraphBench[]): string {
  const totals = new Map<string, number>();
  for (const bench of benches) {
    for (const line of bench.total().split('\n')) {
      if (line === '') continue;
      const [, weight, row] = /^(-?\d+) (.*)$/.exec(line)!;
      totals.set(row!, (totals.get(row!) ?? 0) + Number(weight));
    }
  }
  return [...totals]
    .map(([row, weight]) => `${weight} ${row}`)
    .sort()
    .join('\n');
}

function smallRow(random: Random): Row {
  const key = random.chance(0.1) ? null : BigInt(random.below(6));
  const value = random.chance(0.1) ? null : BigInt(random.below(5));
  return [key, value, random.chance(0.5) ? 'x' : LONG + random.below(3)];
}

function field(value: Value): string {
  if (value === null) return '.';
  const text = typeof value === 'boolean' ? (value ? 't' : 'f') : String(value);
  return /[\s"]/.test(text) || text === '' ? JSON.stringify(text) : text;
}

/** Rows as GraphBench.total() prints them. */
function summed(rows: readonly Row[]): string {
  const totals = new Map<string, number>();
  for (const row of rows) {
    const text = row.map(field).join(' ');
    totals.set(text, (totals.get(text) ?? 0) + 1);
  }
  return [...totals]
    .map(([row, weight]) => `${weight} ${row}`)
    .sort()
    .join('\n');
}

/**
 * Drives a plan over random bags and compares with the oracle after every epoch: for several batch sizes, with a restart,
 * with a memory that grows all the time, and, where the plan can be cut by its first column, as two partitions.
 */
function compare(
  plan: PlanNode,
  bags: number,
  oracle: (inputs: readonly Row[][]) => Row[],
  isPartitioned = false,
  retractions = RETRACTIONS,
): void {
  for (const batchRowsMax of [1, 7, 1024]) {
    const random = new Random(42 + batchRowsMax);
    const inputs = Array.from({ length: bags }, () => new RandomBag(random, smallRow, retractions));
    const partitions = isPartitioned && batchRowsMax === 7 ? 2 : 1;
    const partitionOf = ([key]: Row): number => Number(key ?? 0) % partitions;
    let benches = Array.from({ length: partitions }, () => new GraphBench(plan, batchRowsMax));
    for (let epoch = 0; epoch < 30; epoch++) {
      inputs.forEach((bag, scan) => {
        const { rows, weights } = bag.change(random.below(12));
        benches.forEach((bench, partition) => {
          bench.memory.alloc(300_000);
          const own = rows.flatMap((row, i) => (partitionOf(row) === partition ? [i] : []));
          bench.rows(
            scan,
            own.map((i) => rows[i]!),
            own.map((i) => weights[i]!),
          );
        });
      });
      for (const bench of benches) bench.end();
      const expected = summed(oracle(inputs.map(({ rows }) => [...rows])));
      assert.equal(totalOf(benches), expected, `epoch ${epoch}, batches of ${batchRowsMax}`);
      if (epoch === 15) benches = benches.map((bench) => new GraphBench(plan, batchRowsMax, bench));
    }
  }
}

const left = scanNode(1, COLUMNS);
const right = scanNode(2, COLUMNS);

function joinNode(joinKind: JoinKind, parts: Partial<JoinNode> = {}): JoinNode {
  const isHalf = joinKind === 'semi' || joinKind === 'anti';
  return {
    kind: 'join',
    joinKind,
    left,
    right,
    leftKeys: [0],
    rightKeys: [0],
    nullsEqual: false,
    residual: null,
    columns: isHalf ? COLUMNS : [...COLUMNS, ...COLUMNS],
    ...parts,
  };
}

function bruteJoin(kind: JoinKind, on: (l: Row, r: Row) => boolean) {
  return ([ls, rs]: readonly Row[][]): Row[] => {
    const out: Row[] = [];
    const nulls: Row = [null, null, null];
    const matched = new Set<number>();
    for (const l of ls!) {
      const partners = rs!.flatMap((r, i) => (on(l, r) ? [i] : []));
      for (const i of partners) matched.add(i);
      if (kind === 'semi' && partners.length > 0) out.push(l);
      if (kind === 'anti' && partners.length === 0) out.push(l);
      if (kind === 'semi' || kind === 'anti') continue;
      for (const i of partners) out.push([...l, ...rs![i]!]);
      if (partners.length === 0 && (kind === 'left' || kind === 'full')) out.push([...l, ...nulls]);
    }
    if (kind === 'right' || kind === 'full') {
      rs!.forEach((r, i) => {
        if (!matched.has(i)) out.push([...nulls, ...r]);
      });
    }
    return out;
  };
}

for (const kind of ['inner', 'left', 'right', 'full', 'semi', 'anti'] as const) {
  test(`${kind} join by key`, () => {
    compare(
      joinNode(kind),
      2,
      bruteJoin(kind, (l, r) => l[0] !== null && l[0] === r[0]),
    );
  });

  test(`${kind} join by key with a residual`, () => {
    const residual = {
      kind: 'call' as const,
      function: '<(int8,int8)',
      args: [
        { kind: 'column' as const, index: 1, type: INT8 },
        { kind: 'column' as const, index: 4, type: INT8 },
      ],
      type: BOOL,
    };
    const on = (l: Row, r: Row): boolean =>
      l[0] !== null && l[0] === r[0] && l[1] !== null && r[1] !== null && l[1]! < r[1]!;
    compare(joinNode(kind, { residual }), 2, bruteJoin(kind, on), true);
  });

  test(`${kind} join without keys`, () => {
    compare(
      joinNode(kind, { leftKeys: [], rightKeys: [] }),
      2,
      bruteJoin(kind, () => true),
    );
  });

  test(`${kind} join in which NULL keys are equal`, () => {
    compare(
      joinNode(kind, { nullsEqual: true }),
      2,
      bruteJoin(kind, (l, r) => l[0] === r[0]),
    );
  });
}

function call(
  id: string,
  args: readonly number[],
  more: Partial<AggregateCall> = {},
): AggregateCall {
  return { function: id, args, isDistinct: false, filter: null, orderBy: [], type: INT8, ...more };
}

function grouped(rows: readonly Row[], key: (row: Row) => string): Row[][] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(key(row), [...(groups.get(key(row)) ?? []), row]);
  return [...groups.values()];
}

const present = (rows: readonly Row[]): bigint[] =>
  rows.flatMap((row) => (row[1] === null ? [] : [row[1] as bigint]));

function results(rows: readonly Row[]): Value[] {
  const values = present(rows).sort((a, b) => Number(a - b));
  return [BigInt(rows.length), BigInt(values.length), values[0] ?? null, values.at(-1) ?? null];
}

const CALLS = [
  call('count()', []),
  call('count(any)', [1]),
  call('min(int8)', [1]),
  call('max(int8)', [1]),
];
const RESULT_COLUMNS = ['c', 'n', 'lo', 'hi'].map((name) => column(name, INT8));

test('aggregates by key', () => {
  const plan: PlanNode = {
    kind: 'aggregate',
    input: left,
    keys: [0, 2],
    calls: CALLS,
    columns: [COLUMNS[0]!, COLUMNS[2]!, ...RESULT_COLUMNS],
  };
  compare(
    plan,
    1,
    ([rows]) =>
      grouped(rows!, (row) => `${row[0]}/${row[2]}`).map((group) => [
        group[0]![0]!,
        group[0]![2]!,
        ...results(group),
      ]),
    true,
  );
});

test('aggregates without keys have a row over nothing', () => {
  const plan: PlanNode = {
    kind: 'aggregate',
    input: left,
    keys: [],
    calls: CALLS,
    columns: RESULT_COLUMNS,
  };
  assert.equal(new GraphBench(plan).end(), '+ 0 0 . .');
  compare(plan, 1, ([rows]) => [results(rows!)]);
});

test('DISTINCT', () => {
  const plan: PlanNode = {
    kind: 'aggregate',
    input: left,
    keys: [0, 1, 2],
    calls: [],
    columns: COLUMNS,
  };
  const key = (row: Row): string => row.map(field).join(' ');
  compare(plan, 1, ([rows]) => grouped(rows!, key).map((group) => group[0]!), true);
});

for (const operation of ['intersect', 'except'] as const) {
  for (const isAll of [true, false]) {
    test(`${operation}${isAll ? ' all' : ''}`, () => {
      const plan: PlanNode = {
        kind: 'set_operation',
        operation,
        isAll,
        left,
        right,
        columns: COLUMNS,
      };
      const key = (row: Row): string => row.map(field).join(' ');
      compare(
        plan,
        2,
        ([ls, rs]) =>
          grouped(ls!, key).flatMap((group) => {
            const others = rs!.filter((row) => key(row) === key(group[0]!)).length;
            const own = group.length;
            const both = Math.min(own, others);
            const all = operation === 'intersect' ? both : Math.max(own - others, 0);
            const one = operation === 'intersect' ? Math.min(1, both) : others === 0 ? 1 : 0;
            return group.slice(0, isAll ? all : one);
          }),
        true,
      );
    });
  }
}

const ORDER: readonly SortKey[] = [{ column: 1, descending: true, nullsFirst: true }];

/** Rule 9: the sort key, then all columns from left to right, NULLs last. */
function canonical(a: Row, b: Row): number {
  if (a[1] !== b[1]) {
    if (a[1] === null || b[1] === null) return a[1] === null ? -1 : 1;
    return a[1]! > b[1]! ? -1 : 1;
  }
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i]) continue;
    if (a[i] === null || b[i] === null) return a[i] === null ? 1 : -1;
    return a[i]! < b[i]! ? -1 : 1;
  }
  return 0;
}

for (const withRank of [false, true]) {
  test(`top-n ${withRank ? 'with' : 'without'} ranks`, () => {
    const plan: PlanNode = {
      kind: 'top_n',
      input: left,
      partition: [0],
      order: ORDER,
      limit: 3,
      offset: 1,
      withRank,
      columns: withRank ? [...COLUMNS, column('rank', INT8)] : COLUMNS,
    };
    compare(
      plan,
      1,
      ([rows]) =>
        grouped(rows!, (row) => String(row[0])).flatMap((group) =>
          group
            .sort(canonical)
            .map((row, i): Row => (withRank ? [...row, BigInt(i + 1)] : row))
            .slice(1, 4),
        ),
      true,
    );
  });
}

for (const partition of [[], [0], [2, 0]]) {
  test(`the first row of an append-only input by ${partition.length} columns`, () => {
    for (const withRank of [false, true]) {
      const plan: PlanNode = {
        kind: 'top_n',
        input: scanNode(1, COLUMNS, undefined, true),
        partition,
        order: ORDER,
        limit: 1,
        offset: 0,
        withRank,
        columns: withRank ? [...COLUMNS, column('rank', INT8)] : COLUMNS,
      };
      const key = (row: Row): string => partition.map((i) => String(row[i])).join('/');
      const oracle = ([rows]: readonly Row[][]): Row[] =>
        grouped(rows!, key).map((group) => {
          const first = group.sort(canonical)[0]!;
          return withRank ? [...first, 1n] : first;
        });
      compare(plan, 1, oracle, partition.includes(0), 0);
    }
  });
}

test('only what never retracts is kept as one row a partition', () => {
  const top: PlanNode = {
    kind: 'top_n',
    input: scanNode(1, COLUMNS, undefined, true),
    partition: [0],
    order: ORDER,
    limit: 1,
    offset: 0,
    withRank: false,
    columns: COLUMNS,
  };
  const namesOf = (plan: PlanNode) =>
    new GraphBench(plan).graph.operatorCounts().map(({ name }) => name);
  assert.ok(namesOf(top).includes('TopOne'));
  for (const other of [{ limit: 2 }, { offset: 1 }, { limit: null }, { input: left }]) {
    assert.ok(namesOf({ ...top, ...other }).includes('TopN'), Object.keys(other).join());
  }
  const bench = new GraphBench(top);
  assert.throws(() => bench.rows(0, [[1n, 1n, 'x']], [-1]), /a retraction in an append-only input/);
});

test('top-n of the whole input', () => {
  const plan: PlanNode = {
    kind: 'top_n',
    input: left,
    partition: [],
    order: ORDER,
    limit: 4,
    offset: 0,
    withRank: false,
    columns: COLUMNS,
  };
  compare(plan, 1, ([rows]) => [...rows!].sort(canonical).slice(0, 4));
});

test('window functions', () => {
  const frame = 'range_to_current' as const;
  const calls = [
    { function: 'row_number', args: [], frame, type: INT8 },
    { function: 'rank', args: [], frame, type: INT8 },
    { function: 'dense_rank', args: [], frame, type: INT8 },
    { function: 'lag', args: [1], frame, type: INT8 },
    { function: 'last_value', args: [2], frame: 'partition' as const, type: TEXT },
    { function: 'count(any)', args: [1], frame, type: INT8 },
  ];
  const plan: PlanNode = {
    kind: 'over',
    input: left,
    partition: [0],
    order: ORDER,
    calls,
    columns: [...COLUMNS, ...calls.map(({ type }, i) => column(`w${i}`, type))],
  };
  compare(
    plan,
    1,
    ([rows]) =>
      grouped(rows!, (row) => String(row[0])).flatMap((group) => {
        group.sort(canonical);
        return group.map((row, i): Row => {
          const before = group.slice(0, i).filter((other) => other[1] !== row[1]);
          const upToPeers = group.filter((other, j) => j <= i || other[1] === row[1]);
          return [
            ...row,
            BigInt(i + 1),
            BigInt(before.length + 1),
            BigInt(new Set(before.map((other) => other[1])).size + 1),
            group[i - 1]?.[1] ?? null,
            group.at(-1)![2]!,
            BigInt(present(upToPeers).length),
          ];
        });
      }),
    true,
  );
});

/** Times without a NULL in the given order, cut where two are more than `gap` apart. */
function runsOf(rows: readonly Row[], gap: bigint): Row[][] {
  const runs: Row[][] = [];
  let last: bigint | null = null;
  for (const row of rows.toSorted((a, b) => Number(a[1]) - Number(b[1]))) {
    const time = row[1] as bigint;
    if (last === null || time - last > gap) runs.push([]);
    runs.at(-1)!.push(row);
    last = time;
  }
  return runs;
}

test('sessions split and merge', () => {
  const plan: PlanNode = {
    kind: 'window',
    windowKind: 'session',
    input: left,
    time: 1,
    sizeUs: '1',
    slideUs: '1',
    offsetUs: '0',
    partition: [0],
    watermark: null,
    allowedLatenessUs: '0',
    columns: [...COLUMNS, ...['ws', 'we', 'wt'].map((name) => column(name, INT8))],
  };
  compare(
    plan,
    1,
    ([rows]) => {
      const timed = rows!.filter(([, time]) => time !== null);
      return grouped(timed, (row) => String(row[0])).flatMap((group) =>
        runsOf(group, 1n).flatMap((run) => {
          const end = (run.at(-1)![1] as bigint) + 1n;
          return run.map((row): Row => [...row, run[0]![1]!, end, end - 1n]);
        }),
      );
    },
    true,
  );
});

test('table functions', () => {
  const plan: PlanNode = {
    kind: 'table_function',
    input: left,
    function: 'generate_series(int8,int8)',
    args: [
      { kind: 'literal', text: '2', type: INT8 },
      { kind: 'column', index: 1, type: INT8 },
    ],
    withOrdinality: true,
    isOuter: true,
    columns: [...COLUMNS, column('g', INT8), column('ordinality', INT8)],
  };
  compare(
    plan,
    1,
    ([rows]) =>
      rows!.flatMap((row) => {
        const series: Row[] = [];
        for (let g = 2n; row[1] !== null && g <= (row[1] as bigint); g++) {
          series.push([...row, g, g - 1n]);
        }
        return series.length > 0 ? series : [[...row, null, null]];
      }),
    true,
  );
});

test('unnest of an array of columns', () => {
  const element = (index: number) => ({ kind: 'column', index, type: INT8 }) as const;
  const plan: PlanNode = {
    kind: 'table_function',
    input: left,
    function: 'unnest(anyarray)',
    args: [{ kind: 'array', elements: [element(1), element(0)], type: must(arrayOf(INT8)) }],
    withOrdinality: false,
    isOuter: false,
    columns: [...COLUMNS, column('u', INT8)],
  };
  compare(
    plan,
    1,
    ([rows]) =>
      rows!.flatMap((row): Row[] => [
        [...row, row[1]!],
        [...row, row[0]!],
      ]),
    true,
  );
});

test('a temporal filter shows rows while they live', () => {
  const columns = [column('a', INT8), column('b', INT8)];
  const plan: PlanNode = {
    kind: 'temporal_filter',
    input: scanNode(1, columns),
    validFrom: 0,
    validUntil: 1,
    columns,
  };
  for (const batchRowsMax of [1, 7, 1024]) {
    const random = new Random(7);
    const bag = new RandomBag(random, (r) => {
      const from = BigInt(r.below(40));
      return [r.chance(0.1) ? null : from, r.chance(0.1) ? null : from + BigInt(r.below(20))];
    });
    let bench = new GraphBench(plan, batchRowsMax);
    for (let epoch = 0; epoch < 60; epoch++) {
      bench.nowUs = BigInt(epoch);
      const { rows, weights } = bag.change(random.below(6));
      bench.rows(0, rows, weights);
      bench.end();
      const now = BigInt(epoch);
      const alive = bag.rows.filter(
        ([a, b]) => a !== null && b !== null && (a as bigint) <= now && now < (b as bigint),
      );
      assert.equal(bench.total(), summed(alive));
      if (epoch === 30) bench = new GraphBench(plan, batchRowsMax, bench);
    }
    const next = bench.graph.nextTimerUs();
    assert.ok(next === null || next > bench.nowUs);
  }
});
