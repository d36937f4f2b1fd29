/** Rows as JSON, CSV and bytes: what is written is read back, by our decoders and by JSON.parse. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArrayValue } from '../types/array.ts';
import type { Value } from '../types/data-type.ts';
import { Decimal } from '../types/decimal.ts';
import { DEFAULT_SETTINGS, inputValue } from '../types/value.ts';
import { CsvDecoder, DEFAULT_CSV_OPTIONS } from './csv.ts';
import { CsvEncoder } from './csv-encoder.ts';
import { JsonEncoder } from './json-encoder.ts';
import { JsonObjectDecoder } from './json-object.ts';
import { jsonFormat } from './json-value.ts';
import {
  anyRows,
  assertAnyRoundTrip,
  assertRoundTrip,
  COMMON_TYPES,
  columnsOf,
  encodeMessages,
} from './message-fixture.ts';
import { PlainBytesDecoder, PlainBytesEncoder } from './plain-bytes.ts';
import { SingleRecordDecoder } from './single-record.ts';

const COLUMNS = columnsOf({
  ...COMMON_TYPES,
  np: 'numeric(12,3)',
  'a "quoted", näme': 'text',
  c: 'character(3)',
  ts: 'timestamp',
  tz: 'timestamptz',
  az: 'timestamptz[]',
});
// What char(3) keeps is three characters.
const READABLE = COLUMNS.filter(({ name }) => name !== 'c').map((column, index) => ({
  ...column,
  index,
}));

test('JSON: every type comes back as it was', () => {
  const encoder = new JsonEncoder(READABLE, DEFAULT_SETTINGS);
  const decoderOf = () => new JsonObjectDecoder(READABLE, DEFAULT_SETTINGS);
  assertAnyRoundTrip(READABLE, encoder, decoderOf, 200);
});

test('JSON: a value is what to_json writes, by the short ways too', () => {
  const encoder = new JsonEncoder(COLUMNS, DEFAULT_SETTINGS);
  const formats = COLUMNS.map(({ type }) => jsonFormat(type, DEFAULT_SETTINGS));
  fc.assert(
    fc.property(anyRows(COLUMNS), (rows) => {
      const messages = encodeMessages(encoder, COLUMNS, rows);
      for (const [i, row] of rows.entries()) {
        const members = COLUMNS.map(({ name }, c) => {
          const value = row[c]!;
          return `${JSON.stringify(name)}:${value === null ? 'null' : formats[c]!(value)}`;
        });
        const text = messages[i]!.toString();
        assert.equal(text, `{${members.join(',')}}`);
        JSON.parse(text);
      }
    }),
    { numRuns: 200 },
  );
});

test('JSON: the text of one row', () => {
  const columns = columnsOf({
    id: 'bigint',
    price: 'numeric',
    name: 'text',
    at: 'timestamptz',
    day: 'date',
    tags: 'text[]',
    data: 'jsonb',
    nothing: 'text',
    ratio: 'float8',
    raw: 'bytea',
  });
  const texts = ['9007199254740993', '1.50', 'a"b\\\n', '2024-02-29 10:00:00.5+02', '2024-02-29'];
  texts.push('{a,NULL}', '{"k": [1]}');
  const row: Value[] = texts.map((text, i) => inputValue(columns[i]!.type, text));
  row.push(null, Number.NaN, new Uint8Array([0, 255]));
  const settings = { ...DEFAULT_SETTINGS, dateStyle: 'SQL, DMY' };
  const [message] = encodeMessages(new JsonEncoder(columns, settings), columns, [row]);
  assert.equal(
    message!.toString(),
    '{"id":9007199254740993,"price":1.50,"name":"a\\"b\\\\\\n","at":"2024-02-29T08:00:00.5+00:00",' +
      '"day":"2024-02-29","tags":["a",null],"data":{"k": [1]},"nothing":null,"ratio":"NaN","raw":"\\\\x00ff"}',
  );
  assert.deepEqual(encodeMessages(new JsonEncoder([], settings), [], [[]]).map(String), ['{}']);
});

test('JSON: an array of arrays', () => {
  const columns = columnsOf({ a: 'integer[]' });
  const rows = [[new ArrayValue([1, null, 3, 4], [2, 2])], [ArrayValue.EMPTY]];
  const encoder = new JsonEncoder(columns, DEFAULT_SETTINGS);
  const messages = encodeMessages(encoder, columns, rows).map(String);
  assert.deepEqual(messages, ['{"a":[[1,null],[3,4]]}', '{"a":[]}']);
  assertRoundTrip(columns, encoder, new JsonObjectDecoder(columns, DEFAULT_SETTINGS), rows);
});

test('CSV: every type comes back as it was', () => {
  const names = READABLE.map(({ name }) => name);
  const other = { ...DEFAULT_CSV_OPTIONS, delimiter: ';', quote: "'", escape: "'", nullText: '-' };
  for (const options of [{ ...DEFAULT_CSV_OPTIONS, hasHeader: false }, other]) {
    const csv = { ...options, hasHeader: false };
    const encoder = new CsvEncoder(READABLE, csv, DEFAULT_SETTINGS);
    const decoderOf = () =>
      new SingleRecordDecoder(new CsvDecoder(csv, READABLE, names, DEFAULT_SETTINGS));
    assertAnyRoundTrip(READABLE, encoder, decoderOf, 100);
  }
});

test('CSV: one line without its end', () => {
  const columns = columnsOf({ i: 'integer', t: 'text', n: 'numeric' });
  const csv = { ...DEFAULT_CSV_OPTIONS, hasHeader: false };
  const rows = [
    [1, 'a,b', Decimal.parse('1.20')],
    [2, '', null],
  ];
  const encoder = new CsvEncoder(columns, csv, DEFAULT_SETTINGS);
  assert.deepEqual(encodeMessages(encoder, columns, rows).map(String), ['1,"a,b",1.20', '2,"",']);
  const single = columnsOf({ t: 'text' });
  const one = new CsvEncoder(single, csv, DEFAULT_SETTINGS);
  const records = new CsvDecoder(csv, single, ['t'], DEFAULT_SETTINGS);
  assertRoundTrip(single, one, new SingleRecordDecoder(records), [[null], [''], ['x']]);
});

test('bytes are the column itself; NULL is refused', () => {
  for (const type of ['bytea', 'text']) {
    const columns = columnsOf({ v: type });
    const encoder = new PlainBytesEncoder(columns[0]!);
    const rows = anyRows(columns).map((all) => all.filter(([value]) => value !== null));
    fc.assert(
      fc.property(rows, (some) => {
        assertRoundTrip(columns, encoder, new PlainBytesDecoder(type === 'text'), some);
      }),
    );
    assert.throws(() => encodeMessages(encoder, columns, [[null]]), { sqlstate: '22004' });
  }
});
