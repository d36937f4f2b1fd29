/** Guards: what may fail is evaluated only on the rows that reach it; and both evaluations agree on random expressions. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../base/random.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { BOOL, type DataType, INT4, TEXT, type Value } from '../types/data-type.ts';
import { DEFAULT_SETTINGS } from '../types/value.ts';
import type { BoundExpr } from './bound-expr.ts';
import { compileExpr, type EvalContext } from './evaluate.ts';
import { evaluateValue } from './scalar.ts';
import { isValid } from './vector/columns.ts';
import { ColumnWriter, columnReader } from './vector/values.ts';

const memory = Memory.create();
const scratch = new Scratch(memory);

const column = (index: number, type: DataType = INT4): BoundExpr => ({
  kind: 'column',
  index,
  type,
});
const int = (value: number | null): BoundExpr => ({
  kind: 'literal',
  text: value === null ? null : String(value),
  type: INT4,
});
const text = (value: string): BoundExpr => ({ kind: 'literal', text: value, type: TEXT });
const call = (id: string, type: DataType, ...args: BoundExpr[]): BoundExpr => ({
  kind: 'call',
  function: id,
  args,
  type,
});
const divide = (a: BoundExpr, b: BoundExpr): BoundExpr => call('/(int4,int4)', INT4, a, b);
const greater = (a: BoundExpr, b: BoundExpr): BoundExpr => call('>(int4,int4)', BOOL, a, b);

function makeColumn(type: DataType, values: readonly Value[]): Column {
  const writer = new ColumnWriter({ memory, scratch }, type, values.length);
  values.forEach((value, row) => {
    writer.write(row, value);
  });
  return writer.finish();
}

function batchOf(columns: readonly (readonly Value[])[], types: readonly DataType[]): DeltaBatch {
  return {
    memory,
    rowCount: columns[0]!.length,
    columns: columns.map((values, i) => makeColumn(types[i]!, values)),
    weights: 0,
    rowWatermarks: 0,
  };
}

/** Values by row; an error is its SQLSTATE in braces. */
function evaluate(expr: BoundExpr, batch: DeltaBatch): unknown[] {
  const errors = new Map<number, string>();
  const ctx: EvalContext = {
    memory,
    scratch,
    nowUs: 0n,
    onError: (row, error) => errors.set(row, `{${error.sqlstate}}`),
  };
  const result = compileExpr(expr, { settings: DEFAULT_SETTINGS, isInView: true }).evaluate(
    batch,
    ctx,
  );
  const read = columnReader(memory, result, expr.type);
  return Array.from(
    { length: batch.rowCount },
    (_, row) => errors.get(row) ?? (isValid(memory, result.validity, row) ? read(row) : null),
  );
}

const NUMBERS = batchOf([[0, 1, 2, null]], [INT4]);

test('CASE: a branch fails only for rows that take it', () => {
  const expr: BoundExpr = {
    kind: 'case',
    branches: [{ condition: greater(column(0), int(0)), result: divide(int(10), column(0)) }],
    otherwise: int(-1),
    type: INT4,
  };
  assert.deepEqual(evaluate(expr, NUMBERS), [-1, 10, 5, -1]);
});

test('CASE: a failing condition fails its row', () => {
  const expr: BoundExpr = {
    kind: 'case',
    branches: [{ condition: greater(divide(int(10), column(0)), int(5)), result: text('big') }],
    otherwise: null,
    type: TEXT,
  };
  assert.deepEqual(evaluate(expr, NUMBERS), ['{22012}', 'big', null, null]);
});

test('AND: later arguments see only rows that earlier ones left open', () => {
  const guard: BoundExpr = {
    kind: 'not',
    arg: call('=(int4,int4)', BOOL, column(0), int(0)),
    type: BOOL,
  };
  const expr: BoundExpr = {
    kind: 'and',
    args: [guard, greater(divide(int(10), column(0)), int(5))],
    type: BOOL,
  };
  assert.deepEqual(evaluate(expr, NUMBERS), [false, true, false, null]);
});

test('OR: the same with true', () => {
  const guard = call('=(int4,int4)', BOOL, column(0), int(0));
  const expr: BoundExpr = {
    kind: 'or',
    args: [guard, greater(divide(int(10), column(0)), int(5))],
    type: BOOL,
  };
  assert.deepEqual(evaluate(expr, NUMBERS), [true, true, false, null]);
});

test('COALESCE: later arguments only where the earlier are NULL', () => {
  const batch = batchOf(
    [
      [null, 5, null],
      [0, 0, 2],
    ],
    [INT4, INT4],
  );
  const expr: BoundExpr = {
    kind: 'coalesce',
    args: [column(0), divide(int(10), column(1))],
    type: INT4,
  };
  assert.deepEqual(evaluate(expr, batch), ['{22012}', 5, 5]);
});

test('an unguarded failure is reported at its row, and is NULL to what stands above', () => {
  const expr = call('+(int4,int4)', INT4, divide(int(10), column(0)), int(1));
  assert.deepEqual(evaluate(expr, NUMBERS), ['{22012}', 11, 6, null]);
});

test('errors carry the position of their call', () => {
  const expr: BoundExpr = {
    kind: 'call',
    function: '/(int4,int4)',
    args: [int(1), int(0)],
    type: INT4,
    position: 7,
  };
  let position: number | undefined;
  const ctx: EvalContext = {
    memory,
    scratch,
    nowUs: 0n,
    onError: (_, error) => {
      position = error.fields.position;
    },
  };
  compileExpr(expr, { settings: DEFAULT_SETTINGS, isInView: true }).evaluate(NUMBERS, ctx);
  assert.equal(position, 7);
});

test('an empty batch', () => {
  const batch = batchOf([[]], [INT4]);
  assert.deepEqual(evaluate(divide(int(1), column(0)), batch), []);
});

function randomNumber(depth: number, random: Random): BoundExpr {
  if (depth === 0)
    return random.pick([column(0), column(1), int(0), int(3), int(null), int(2147483647)]);
  const a = randomNumber(depth - 1, random);
  const b = randomNumber(depth - 1, random);
  switch (random.below(5)) {
    case 0:
      return { kind: 'coalesce', args: [a, b], type: INT4 };
    case 1:
      return {
        kind: 'case',
        branches: [{ condition: randomCondition(depth - 1, random), result: a }],
        otherwise: random.chance(0.7) ? b : null,
        type: INT4,
      };
    default:
      return call(`${random.pick(['+', '-', '*', '/'])}(int4,int4)`, INT4, a, b);
  }
}

function randomCondition(depth: number, random: Random): BoundExpr {
  if (depth === 0) return column(2, BOOL);
  const a = randomCondition(depth - 1, random);
  const b = randomCondition(depth - 1, random);
  switch (random.below(5)) {
    case 0:
      return { kind: 'not', arg: a, type: BOOL };
    case 1:
      return {
        kind: 'is',
        test: random.pick(['null', 'true', 'false'] as const),
        negated: random.chance(0.5),
        arg: a,
        type: BOOL,
      };
    case 2:
      return greater(randomNumber(depth - 1, random), randomNumber(depth - 1, random));
    default:
      return { kind: random.pick(['and', 'or'] as const), args: [a, b], type: BOOL };
  }
}

function scalarOutcome(expr: BoundExpr, row: readonly Value[]): unknown {
  try {
    return evaluateValue(expr, row, { settings: DEFAULT_SETTINGS, nowUs: 0n });
  } catch (error) {
    return `{${(error as { sqlstate: string }).sqlstate}}`;
  }
}

test('random expressions: evaluation of columns equals evaluation of values', () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = new Random(seed);
    const n = random.pick([1, 7, 64]);
    const numbers = (): Value[] =>
      Array.from({ length: n }, () => random.pick([null, 0, 1, -7, 2147483647]));
    const columns = [
      numbers(),
      numbers(),
      Array.from({ length: n }, () => random.pick([null, true, false])),
    ];
    const batch = batchOf(columns, [INT4, INT4, BOOL]);
    const expr = random.chance(0.5) ? randomNumber(3, random) : randomCondition(3, random);
    const expected = Array.from({ length: n }, (_, row) =>
      scalarOutcome(
        expr,
        columns.map((c) => c[row]!),
      ),
    );
    assert.deepEqual(evaluate(expr, batch), expected, `seed ${seed}: ${JSON.stringify(expr)}`);
  }
});
