import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildBatch } from '../batch/build-batch.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { ArrayValue } from '../types/array.ts';
import {
  arrayOf,
  BOOL,
  BYTEA,
  DATE,
  FLOAT8,
  INT4,
  INT8,
  JSONB,
  NUMERIC,
  TEXT,
  TIMESTAMP,
  TIMESTAMPTZ,
  UUID,
} from '../types/data-type.ts';
import { DEFAULT_SETTINGS, inputValue } from '../types/value.ts';
import { csvChangeEncoder, instantText, jsonChangeEncoder } from './change-lines.ts';
import { DEFAULT_CSV_OPTIONS } from './csv.ts';

const COLUMNS = [
  ['b', BOOL, 't'],
  ['i', INT8, '9223372036854775807'],
  ['f', FLOAT8, 'NaN'],
  ['n', NUMERIC, '-1.50'],
  ['s', TEXT, 'a"b\n'],
  ['j', JSONB, '{"k": [1,\n null]}'],
  ['d', DATE, '2024-02-29'],
  ['ts', TIMESTAMP, '2024-02-29 10:00:00.5'],
  ['tz', TIMESTAMPTZ, '2024-02-29 10:00:00+02'],
  ['u', UUID, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'],
  ['x', BYTEA, '\\x00ff'],
] as const;

test('NDJSON: values as to_json gives them, NULL, weights', () => {
  const columns = [
    ...COLUMNS.map(([name, type]) => ({ name, type })),
    { name: 'a', type: arrayOf(INT4)! },
  ];
  const scratch = new Scratch(Memory.create());
  const row = [
    ...COLUMNS.map(([, type, text]) => inputValue(type, text, DEFAULT_SETTINGS)),
    new ArrayValue([1, null, 3, 4], [2, 2]),
  ];
  const types = columns.map(({ type }) => type);
  const batch = buildBatch(types, [row, types.map(() => null)], scratch, [1, -2]);
  const text = jsonChangeEncoder(columns, DEFAULT_SETTINGS).lines(7, 1_000_001n, batch);
  const [first, second, end] = text.split('\n');
  assert.equal(
    first,
    '{"weight":1,"epoch":7,"time":"1970-01-01T00:00:01.000001Z","b":true,"i":9223372036854775807,"f":"NaN","n":-1.50,' +
      '"s":"a\\"b\\n","j":{"k": [1, null]},"d":"2024-02-29","ts":"2024-02-29T10:00:00.5",' +
      '"tz":"2024-02-29T08:00:00+00:00","u":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","x":"\\\\x00ff","a":[[1,null],[3,4]]}',
  );
  const nulls = JSON.parse(second!) as Record<string, unknown>;
  assert.deepEqual([nulls.weight, nulls.b, nulls.a, end], [-2, null, null, '']);
});

test('CSV: header, quoting, NULL apart from the empty string', () => {
  const columns = [
    { name: 'id', type: INT4 },
    { name: 'a,b', type: TEXT },
  ];
  const types = columns.map(({ type }) => type);
  const scratch = new Scratch(Memory.create());
  const rows = [
    [1, ''],
    [2, null],
    [3, 'x,"y"'],
    [4, '\\.'],
    [5, 'two\nlines'],
  ];
  const encoder = csvChangeEncoder(columns, DEFAULT_CSV_OPTIONS, DEFAULT_SETTINGS);
  assert.equal(encoder.header, 'weight,epoch,time,id,"a,b"\n');
  assert.equal(
    encoder.lines(1, 0n, buildBatch(types, rows, scratch)),
    '1,1,1970-01-01T00:00:00Z,1,""\n1,1,1970-01-01T00:00:00Z,2,\n1,1,1970-01-01T00:00:00Z,3,"x,""y"""\n' +
      '1,1,1970-01-01T00:00:00Z,4,"\\."\n1,1,1970-01-01T00:00:00Z,5,"two\nlines"\n',
  );
});

test('instants before 1970 and with microseconds', () => {
  assert.equal(instantText(-1n), '1969-12-31T23:59:59.999999Z');
  assert.equal(instantText(-1_000_000n), '1969-12-31T23:59:59Z');
  assert.equal(instantText(1_500_000n), '1970-01-01T00:00:01.500Z');
});
