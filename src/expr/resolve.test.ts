/** Overload resolution: which function PostgreSQL chooses, and its words where it chooses none. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import { UNKNOWN } from '../types/data-type.ts';
import { commonType, resolveArrayOperator, resolveFunction, resolveOperator } from './resolve.ts';
import { mustTypeOfKey, typeKey } from './signature.ts';

const typed = (key: string) => (key === '?' ? UNKNOWN : mustTypeOfKey(key));

function shown(
  resolve: () => { id: string; argTypes: readonly { id: string }[]; type: { id: string } },
): string {
  try {
    const call = resolve();
    const args = call.argTypes.map((type) => typeKey(type as never)).join(',');
    return `${call.id} (${args}) ${typeKey(call.type as never)}`;
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    return `${error.sqlstate} ${error.message}`;
  }
}

const FUNCTIONS: readonly (readonly [string, string, string])[] = [
  ['lower', '?', 'lower(text) (text) text'],
  ['lower', 'varchar', 'lower(text) (text) text'],
  ['abs', '?', 'abs(float8) (float8) float8'],
  ['abs', 'int2', 'abs(int2) (int2) int2'],
  ['round', 'int4', 'round(float8) (float8) float8'],
  ['round', 'int4,int4', 'round(numeric,int4) (numeric,int4) numeric'],
  ['sum', 'int4', 'sum(int4) (int4) int8'],
  ['count', '', 'count() () int8'],
  ['count', 'jsonb', 'count(any) (jsonb) int8'],
  ['min', 'varchar', 'min(text) (text) text'],
  ['concat', '?,int4,bool', 'concat(any) (text,int4,bool) text'],
  [
    'array_append',
    'int4[],?',
    'array_append(anycompatiblearray,anycompatible) (int4[],int4) int4[]',
  ],
  [
    'array_append',
    'int4[],numeric',
    'array_append(anycompatiblearray,anycompatible) (numeric[],numeric) numeric[]',
  ],
  ['unnest', 'text[]', 'unnest(anyarray) (text[]) text'],
  ['date_trunc', '?,date', 'date_trunc(text,timestamptz) (text,timestamptz) timestamptz'],
  ['date_trunc', '?,timestamp', 'date_trunc(text,timestamp) (text,timestamp) timestamp'],
  ['int4', 'float8', 'cast(float8,int4) (float8) int4'],
  ['lag', 'int4,int4', 'lag(anyelement,int4) (int4,int4) int4'],
  ['greatest', 'int4,int8', 'greatest(anycompatible) (int8,int8) int8'],
  ['nosuch', 'int4,?', '42883 function nosuch(integer, unknown) does not exist'],
  ['lower', 'int4', '42883 function lower(integer) does not exist'],
  ['length', '', '42883 function length() does not exist'],
  ['date_trunc', '?,?', '42725 function date_trunc(unknown, unknown) is not unique'],
];

for (const [name, args, expected] of FUNCTIONS) {
  test(`${name}(${args})`, () => {
    const types = args === '' ? [] : args.split(',').map(typed);
    assert.equal(
      shown(() => resolveFunction(name, types)),
      expected,
    );
  });
}

const OPERATORS: readonly (readonly [string, string, string, string])[] = [
  ['int4', '+', '?', '+(int4,int4) (int4,int4) int4'],
  ['?', '+', '?', '42725 operator is not unique: unknown + unknown'],
  ['int2', '+', 'int8', '+(int2,int8) (int2,int8) int8'],
  ['int4', '+', 'numeric', '+(numeric,numeric) (numeric,numeric) numeric'],
  ['int4', '+', 'float4', '+(float8,float4) (float8,float4) float8'],
  ['?', '||', '?', '||(text,text) (text,text) text'],
  ['text', '||', 'int4', '||(text,anynonarray) (text,int4) text'],
  ['int4[]', '||', '?', '||(anycompatiblearray,anycompatiblearray) (int4[],int4[]) int4[]'],
  ['int4[]', '||', 'int4', '||(anycompatiblearray,anycompatible) (int4[],int4) int4[]'],
  ['date', '-', '?', '-(date,date) (date,date) int4'],
  ['varchar', '=', '?', '=(text,text) (text,text) bool'],
  ['bpchar', '=', '?', '=(bpchar,bpchar) (bpchar,bpchar) bool'],
  ['bpchar', '=', 'text', '=(text,text) (text,text) bool'],
  ['int4', '=', 'text', '42883 operator does not exist: integer = text'],
  ['bool', '+', 'int4', '42883 operator does not exist: boolean + integer'],
  ['?', '||', 'char', '42725 operator is not unique: unknown || "char"'],
  ['jsonb', '->', '?', '->(jsonb,text) (jsonb,text) jsonb'],
  ['regclass', '=', 'int4', '=(oid,oid) (oid,oid) bool'],
  ['name', '=', '?', '=(name,name) (name,name) bool'],
  ['name', '~', '?', '~(name,text) (name,text) bool'],
];

for (const [left, name, right, expected] of OPERATORS) {
  test(`${left} ${name} ${right}`, () => {
    assert.equal(
      shown(() => resolveOperator(name, typed(left), typed(right))),
      expected,
    );
  });
}

test('op ANY (array)', () => {
  const call = (left: string, right: string) =>
    shown(() => resolveArrayOperator('=', 'any', typed(left), typed(right)));
  assert.equal(call('int4', 'int4[]'), 'any =(int4,int4) (int4,int4[]) bool');
  assert.equal(call('varchar', '?'), 'any =(text,text) (text,text[]) bool');
  assert.equal(call('int4', 'int4'), '42809 op ANY/ALL (array) requires array on right side');
});

test('common types', () => {
  const common = (keys: string) => {
    try {
      return typeKey(commonType(keys.split(',').map(typed), 'CASE'));
    } catch (error) {
      return `${(error as SqlError).sqlstate} ${(error as SqlError).message}`;
    }
  };
  assert.equal(common('?,?'), 'text');
  assert.equal(common('int4,?'), 'int4');
  assert.equal(common('int4,int8,numeric'), 'numeric');
  assert.equal(common('float4,numeric'), 'float4');
  assert.equal(common('numeric,float8'), 'float8');
  assert.equal(common('varchar,text'), 'varchar');
  assert.equal(common('date,timestamptz'), 'timestamptz');
  assert.equal(common('int4,text'), '42804 CASE types integer and text cannot be matched');
});
