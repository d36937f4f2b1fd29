/** Which plans an index answers. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import '../expr/builtins.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import type { PlanNode, QueryPlan, ScanNode } from '../plan/plan-node.ts';
import type { RelationSchema } from '../state/relation-schema.ts';
import { BOOL, type DataType, INT2, INT4, INT8, TEXT } from '../types/data-type.ts';
import { keyValue, lookupShape } from './point-shape.ts';

const SCHEMA: RelationSchema = {
  storages: ['i32', 'view', 'i64'],
  key: [0],
  isAppendOnly: false,
  indexes: [{ name: 'by_v_n', columns: [1, 2], isUnique: false }],
};
const TYPES = [INT4, TEXT, INT8];
const column = (index: number): BoundExpr => ({ kind: 'column', index, type: TYPES[index]! });
const literal = (text: string, type: DataType): BoundExpr => ({ kind: 'literal', text, type });
const parameter = (index: number, type: DataType): BoundExpr => ({
  kind: 'parameter',
  index,
  type,
});
const call = (name: string, ...args: BoundExpr[]): BoundExpr => ({
  kind: 'call',
  function: name,
  args,
  type: BOOL,
});
const and = (...args: BoundExpr[]): BoundExpr => ({ kind: 'and', args, type: BOOL });

function scan(): ScanNode {
  return {
    kind: 'scan',
    relation: { kind: 'table', id: 1, schema: 'public', name: 't' },
    columnIndexes: [0, 1, 2],
    columns: TYPES.map((type, index) => ({ name: `c${index}`, type })),
  };
}

function shapeOf(predicate: BoundExpr, order: QueryPlan['order'] = []) {
  const node: PlanNode = { kind: 'filter', input: scan(), predicate, columns: scan().columns };
  const plan: QueryPlan = {
    node,
    order,
    limit: null,
    offset: null,
    visibleCount: 3,
    columns: [],
    parameterTypes: [],
    relationIds: [1],
  };
  return lookupShape(plan, () => SCHEMA);
}

const BY_ID = call('=(int4,int4)', column(0), parameter(0, INT4));

test('the key, either way round, with the rest left to a filter', () => {
  const rest = call('<(int8,int8)', column(2), literal('5', INT8));
  const shape = shapeOf(and(call('=(int4,int4)', literal('7', INT4), column(0)), rest));
  assert.equal(shape?.probe?.index, 0);
  assert.deepEqual(shape?.residual, rest);
});

test('an index needs all its columns, and gives no order', () => {
  const byText = call('=(text,text)', column(1), parameter(0, TEXT));
  const byNumber = call('=(int8,int4)', column(2), parameter(1, INT4));
  assert.equal(shapeOf(byText), null);
  assert.equal(shapeOf(and(byText, byNumber))?.probe?.index, 1);
  const order = [{ column: 0, descending: false, nullsFirst: false }];
  assert.equal(shapeOf(and(byText, byNumber), order), null);
  assert.equal(shapeOf(BY_ID, order)?.probe?.index, 0);
});

test('no lookup: other operators, columns on both sides, OR, moving values', () => {
  assert.equal(shapeOf(call('<(int4,int4)', column(0), literal('5', INT4))), null);
  assert.equal(shapeOf(call('=(int4,int4)', column(0), column(0))), null);
  assert.equal(shapeOf({ kind: 'or', args: [BY_ID, BY_ID], type: BOOL }), null);
});

test('an integer of another width finds its equal, and nothing where it has none', () => {
  const part = (type: DataType, given: DataType) => ({ type, constant: parameter(0, given) });
  assert.equal(keyValue(part(INT8, INT4), [5]), 5n);
  assert.equal(keyValue(part(INT4, INT8), [5n]), 5);
  assert.equal(keyValue(part(INT4, INT8), [2n ** 31n]), null);
  assert.equal(keyValue(part(INT2, INT4), [-32_769]), null);
  assert.equal(keyValue(part(INT4, INT4), [null]), null);
});
