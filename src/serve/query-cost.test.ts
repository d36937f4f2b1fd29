/** Upper bounds of work: what stays on the main thread, and what must not. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JoinNode, PlanColumn, PlanNode, ScanNode } from '../plan/plan-node.ts';
import { INT4, INT8 } from '../types/data-type.ts';
import { workBound } from './query-cost.ts';

const FACTS = { rows: () => 1000, key: () => [0] };
const columns: readonly PlanColumn[] = [
  { name: 'id', type: INT4 },
  { name: 'n', type: INT4 },
];

function scan(): ScanNode {
  const relation = { kind: 'table', id: 1, schema: 'public', name: 't' } as const;
  return { kind: 'scan', relation, columnIndexes: [0, 1], columns };
}

function join(leftKeys: readonly number[], rightKeys: readonly number[]): JoinNode {
  return {
    kind: 'join',
    joinKind: 'inner',
    left: scan(),
    right: scan(),
    leftKeys,
    rightKeys,
    nullsEqual: false,
    residual: null,
    columns: [...columns, ...columns],
  };
}

function series(...args: readonly string[]): PlanNode {
  return {
    kind: 'table_function',
    input: { kind: 'values', rows: [[]], columns: [] },
    function: 'generate_series(int8,int8)',
    args: args.map((text) => ({ kind: 'literal', text, type: INT8 })),
    withOrdinality: false,
    isOuter: false,
    columns: [{ name: 'g', type: INT8 }],
  };
}

test('a scan is its rows', () => assert.equal(workBound(scan(), FACTS), 1000));

test('a join by the key of one side gives no more rows than the other has', () => {
  assert.ok(workBound(join([1], [0]), FACTS) < 10_000);
  assert.ok(workBound(join([0], [1]), FACTS) < 10_000);
});

test('a join without a key may give every pair', () => {
  assert.ok(workBound(join([1], [1]), FACTS) > 1_000_000);
  assert.ok(workBound(join([], []), FACTS) > 1_000_000);
});

test('generate_series counts what it gives; with other arguments it has no bound', () => {
  assert.equal(workBound(series('1', '10'), FACTS), 11);
  assert.ok(workBound(series('1', '1000000000'), FACTS) > 1e9);
  assert.equal(workBound(series('1', 'infinity'), FACTS), Infinity);
});
