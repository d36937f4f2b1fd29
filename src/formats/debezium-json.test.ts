/** Debezium's change events as JSON: what each does, values by type, and what is refused. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SqlError } from '../base/sql-error.ts';
import { ColumnBuilder } from '../batch/column-builder.ts';
import { readValue } from '../batch/read-value.ts';
import { setKernelMode } from '../kernels/kernels.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { DEFAULT_SETTINGS, formatValue, parseTypeName } from '../types/value.ts';
import { DELETE, NO_CHANGE, TRUNCATE, UPSERT } from './change-decoder.ts';
import { PLACEHOLDER_UUID } from './debezium-change.ts';
import { openDebeziumJson } from './debezium-json.ts';

interface Change {
  readonly op: number;
  readonly row: readonly (string | null)[];
  readonly unavailable: readonly number[];
}

/** Reads values (null: a tombstone) over columns `{name: type}`; the first is the key. An error gives its SQLSTATE and text. */
function read(
  columns: Readonly<Record<string, string>>,
  values: readonly (string | null)[],
): (Change | string)[] {
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  const typed = Object.entries(columns).map(([name, text]) => ({
    name,
    type: parseTypeName(text),
  }));
  const decoder = openDebeziumJson(typed, [0], DEFAULT_SETTINGS);
  return values.map((value) => {
    const builders = typed.map(({ type }) => new ColumnBuilder(memory, scratch, type, 16));
    const bytes = Buffer.from(`...${value ?? ''}...`);
    const valueLength = value === null ? -1 : bytes.length - 6;
    const record = { bytes, keyStart: 0, keyLength: -1, valueStart: 3, valueLength };
    try {
      const op = decoder.append(record, builders);
      if (typeof op !== 'number') throw op;
      const row = builders.map((builder, i) => {
        if (builder.rowCount === 0) return '-';
        const one = readValue(memory, builder.build(), typed[i]!.type, 0);
        return one === null ? null : formatValue(typed[i]!.type, one, DEFAULT_SETTINGS);
      });
      return { op, row, unavailable: decoder.unavailable };
    } catch (error) {
      const { sqlstate, message } = error as SqlError;
      return `${sqlstate}@${decoder.errorOffset - 3} ${message}`;
    }
  });
}

const envelope = (op: string, before: unknown, after: unknown) =>
  JSON.stringify({ before, after, source: { table: 't' }, op, ts_ms: 1, transaction: null });

test('what a record does', () => {
  const columns = { id: 'int', name: 'text' };
  const wrapped = (payload: string) => `{"schema": {"type": "struct"}, "payload": ${payload}}`;
  const none = { unavailable: [] };
  const ada = { op: UPSERT, row: ['1', 'Ada'], ...none };
  const found = read(columns, [
    envelope('c', null, { id: 1, name: 'Ada' }),
    envelope('r', null, { name: 'Ada', more: [1, { a: 2 }], ID: 1 }),
    envelope('u', { id: 0, name: 'never read' }, { id: 1, name: 'Ada' }),
    envelope('d', { id: 1, name: 'a default that was never there' }, null),
    envelope('t', null, null),
    envelope('m', null, null),
    null,
    wrapped(envelope('c', null, { id: 1, name: 'Ada' })),
    wrapped('null'),
    '{"payload": null, "schema": null}',
  ]);
  assert.deepEqual(found, [
    ada,
    ada,
    ada,
    { op: DELETE, row: ['1', null], ...none },
    { op: TRUNCATE, row: [null, null], ...none },
    { op: NO_CHANGE, row: ['-', '-'], ...none },
    { op: NO_CHANGE, row: ['-', '-'], ...none },
    ada,
    { op: NO_CHANGE, row: ['-', '-'], ...none },
    { op: NO_CHANGE, row: ['-', '-'], ...none },
  ]);
});

for (const mode of ['auto', 'ts'] as const) {
  test(`what is refused, kernels ${mode}`, (context) => {
    setKernelMode(mode);
    context.after(() => setKernelMode('auto'));
    const found = read({ id: 'int', v: 'int' }, [
      '{"id": 1}',
      '{"op": null, "after": {"id": 1}}',
      '[1]',
      '{"op": "c", "after": {"id": 1}',
      envelope('x', null, { id: 1 }),
      envelope('c', null, null),
      envelope('d', null, null),
      envelope('c', null, { v: 1 }),
      envelope('d', { v: 1 }, null),
      '{"op": "u", "after": {"id": 1, "v": "x"}}',
    ]);
    assert.deepEqual(found, [
      '22P02@0 the record is no change of Debezium: it has no "op"',
      '22P02@0 the record is no change of Debezium: it has no "op"',
      '22P02@0 invalid JSON record: it must be an object',
      '22P02@30 invalid input syntax for type json',
      '22P02@0 the record has an unknown "op": "x"',
      '22P02@0 the record has no "after"',
      '22P02@0 the deleting record has no "before"',
      '23502@23 null value in key column "id"',
      '23502@10 null value in key column "id"',
      '22P02@36 column "v": invalid input syntax for type integer: "x"',
    ]);
  });
}

/** One value of a type, as the row of a change. */
function values(type: string, texts: readonly string[], schema = ''): string[] {
  const field =
    schema === '' ? '' : `"schema":{"fields":[{"field":"after","fields":[${schema}]}]},`;
  const records = texts.map(
    (text) => `{${field}"payload":{"op":"c","after":{"id":1,"v":${text}}}}`,
  );
  return read({ id: 'int', v: type }, records).map((one) =>
    typeof one === 'string' ? one.replace(/@\d+/, '') : String(one.row[1]),
  );
}

test('times by the type of the column', () => {
  assert.deepEqual(values('date', ['19000', '-1', '"2024-02-03"', '99999999999']), [
    '2022-01-08',
    '1969-12-31',
    '2024-02-03',
    '22008 column "v": date out of range',
  ]);
  assert.deepEqual(values('timestamp', ['1700000000123456', '"2024-01-01T00:00:00Z"']), [
    '2023-11-14 22:13:20.123456',
    '2024-01-01 00:00:00',
  ]);
  assert.deepEqual(values('timestamp(3)', ['1700000000123']), ['2023-11-14 22:13:20.123']);
  assert.deepEqual(values('timestamptz', ['"2024-06-01T12:00:00.5Z"', 'null']), [
    '2024-06-01 12:00:00.5+00',
    'null',
  ]);
  assert.deepEqual(values('time', ['3600000001', '86400000001']), [
    '01:00:00.000001',
    '22008 column "v": time out of range',
  ]);
  assert.deepEqual(values('time(3)', ['3600001']), ['01:00:00.001']);
  assert.deepEqual(values('interval', ['5400000000', '"P1DT2H"']), ['01:30:00', '1 day 02:00:00']);
});

test('times by the schema of the message', () => {
  const named = (name: string) => `{"field":"v","name":"${name}"}`;
  const at = ['2023-11-14 22:13:20.123'];
  const time = 'io.debezium.time';
  const connect = 'org.apache.kafka.connect.data';
  assert.deepEqual(values('timestamp', ['1700000000123'], named(`${time}.Timestamp`)), at);
  assert.deepEqual(values('timestamp', ['1700000000123000'], named(`${time}.MicroTimestamp`)), at);
  assert.deepEqual(
    values('timestamp', ['1700000000123000001'], named(`${time}.NanoTimestamp`)),
    at,
  );
  assert.deepEqual(values('timestamp', ['1700000000123'], named(`${connect}.Timestamp`)), at);
  assert.deepEqual(values('time', ['3600000'], named(`${connect}.Time`)), ['01:00:00']);
});

test('decimals as text, by scale, and refused without one', () => {
  const schema =
    '{"field":"v","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}}';
  assert.deepEqual(values('numeric', ['"1.50"', '1.5', '"NaN"']), ['1.50', '1.5', 'NaN']);
  assert.deepEqual(values('numeric', ['"AJY="', '"/2o="', '""', '"1234"'], schema), [
    '1.50',
    '-1.50',
    '0.00',
    '-26588.24',
  ]);
  assert.deepEqual(values('numeric(10,1)', ['"AJY="'], schema), ['1.5']);
  assert.deepEqual(
    values('numeric', ['{"scale":3,"value":"AQ=="}', '{"scale":-2,"value":"AQ=="}']),
    ['0.001', '100'],
  );
  const noNumber = '22P02 column "v": the decimal is no number in text form';
  assert.deepEqual(
    values('numeric', ['"AJY="', '{"value":"AQ=="}', '{"scale":1.5,"value":"AQ=="}']),
    [noNumber, noNumber, noNumber],
  );
  assert.deepEqual(values('numeric', ['{"scale":-999999999,"value":"AQ=="}']), [
    '22003 column "v": value overflows numeric format',
  ]);
});

test('a schema that is none says nothing', () => {
  const broken = [
    '"fields"',
    '{"fields":5}',
    '{"fields":[null,{"field":1}]}',
    '{"fields":[{"field":"after","fields":{}}]}',
    '{"fields":[{"field":"after","fields":[{"field":"v","name":1,"parameters":7}]}]}',
  ];
  for (const schema of broken) {
    const record = `{"schema":${schema},"payload":{"op":"c","after":{"id":1,"v":"1.5"}}}`;
    const [found] = read({ id: 'int', v: 'numeric' }, [record]);
    assert.deepEqual(found, { op: UPSERT, row: ['1', '1.5'], unavailable: [] }, schema);
  }
});

test('bytes, JSON and arrays', () => {
  assert.deepEqual(values('bytea', ['"AQID"', '"\\/w=="', '"\\\\x00ff"', '""', '"!"']), [
    '\\x010203',
    '\\xff',
    '\\x00ff',
    '\\x',
    '22023 column "v": invalid base64 value',
  ]);
  assert.deepEqual(values('jsonb', ['"{\\"a\\": [1, \\"x\\"]}"', '"1"', '{"b":1}']), [
    '{"a": [1, "x"]}',
    '1',
    '{"b": 1}',
  ]);
  assert.deepEqual(values('text[]', ['["a", null]', '[]']), ['{a,NULL}', '{}']);
});

test('values that were left out because they have not changed', () => {
  const columns = { id: 'int', a: 'text', b: 'bytea', c: 'jsonb', d: 'text[]', e: 'text' };
  const gone = '__debezium_unavailable_value';
  const base64 = Buffer.from(gone).toString('base64');
  const found = read(columns, [
    envelope('u', null, { id: 1, a: gone, b: base64, c: gone, d: [gone], e: `about ${gone}` }),
    envelope('u', null, { id: 1, a: 'x', e: 'y' }),
  ]);
  assert.deepEqual(found, [
    { op: UPSERT, row: ['1', null, null, null, null, `about ${gone}`], unavailable: [1, 2, 3, 4] },
    { op: UPSERT, row: ['1', 'x', null, null, null, 'y'], unavailable: [] },
  ]);
});

test('arrays that were left out: numbers, dates, uuids, bytes', () => {
  const columns = { id: 'int', i: 'int[]', l: 'bigint[]', d: 'date[]', u: 'uuid[]', b: 'bytea[]' };
  const gone = Buffer.from('__debezium_unavailable_value');
  const numbers = [...gone];
  const u = ['fe2ac6aa-a26c-3a56-9dd9-2f62f8d4ac4b'];
  const found = read(columns, [
    envelope('u', null, {
      id: 1,
      i: numbers,
      l: numbers,
      d: numbers,
      b: [gone.toString('base64')],
    }),
    envelope('u', null, { id: 1, u: [PLACEHOLDER_UUID], i: [...numbers, 1], l: [95] }),
    envelope('u', null, { id: 1, u }),
  ]);
  assert.deepEqual(
    found.map((one) => (typeof one === 'string' ? one : [one.unavailable, ...one.row.slice(1)])),
    [
      [[1, 2, 3, 5], null, null, null, null, null],
      [[4], `{${[...numbers, 1]}}`, '{95}', null, null, null],
      [[], null, null, null, `{${u}}`, null],
    ],
  );
});

test('an event of MySQL', () => {
  const value =
    '{"before":{"id":7,"ok":0,"price":"1.00"},"after":{"id":7,"ok":1,"price":"2.50","at":1700000000000,"day":19000},' +
    '"source":{"connector":"mysql","gtid":null,"row":0},"transaction":null,"op":"u","ts_ms":1700000000001}';
  const columns = { id: 'int', ok: 'bool', price: 'numeric(8,2)', at: 'timestamp(0)', day: 'date' };
  const row = ['7', 't', '2.50', '2023-11-14 22:13:20', '2022-01-08'];
  assert.deepEqual(read(columns, [value]), [{ op: UPSERT, row, unavailable: [] }]);
});
