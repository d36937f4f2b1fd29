/** Rows as Avro: our decoder reads them back by the schema that was made, avsc reads the same. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import avro from 'avsc';
import { ArrayValue } from '../../types/array.ts';
import { INFINITY_DAYS, INFINITY_US, isFiniteUs } from '../../types/calendar.ts';
import type { Value } from '../../types/data-type.ts';
import { Decimal } from '../../types/decimal.ts';
import { DEFAULT_SETTINGS, inputValue } from '../../types/value.ts';
import type { EncodedColumn } from '../message-encoder.ts';
import {
  assertAnyRoundTrip,
  assertRefused,
  COMMON_TYPES,
  columnsOf,
  unframed,
} from '../message-fixture.ts';
import { AvroDecoder, avroColumns } from './avro-decoder.ts';
import { AvroEncoder, avroSchemaOf } from './avro-encoder.ts';
import { parseAvroSchema } from './schema.ts';

const COLUMNS = columnsOf({
  ...COMMON_TYPES,
  np: 'numeric(30,3)',
  n0: 'numeric(5)',
  ay: 'bytea[]',
});

function decoderOf(columns: readonly EncodedColumn[]): AvroDecoder {
  const schema = parseAvroSchema(avroSchemaOf(columns, 'shop.Row'));
  const options = { schema, isFramed: true, message: null };
  const decoder = new AvroDecoder(columns, options, DEFAULT_SETTINGS);
  const text = avroSchemaOf(columns, 'shop.Row');
  decoder.learnSchema(7, { type: 'AVRO', text, references: [] });
  return decoder;
}

test('every type comes back as it was', () => {
  const encoder = new AvroEncoder(COLUMNS, 7, DEFAULT_SETTINGS);
  assertAnyRoundTrip(COLUMNS, encoder, decoderOf, 200);
  const times = columnsOf({ ts: 'timestamp', tz: 'timestamptz' });
  const hasNoInfinity = (row: readonly Value[]) =>
    row.every((value) => value === null || isFiniteUs(value as bigint));
  const one = new AvroEncoder(times, 7, DEFAULT_SETTINGS);
  assertAnyRoundTrip(times, one, decoderOf, 100, (rows) => rows.filter(hasNoInfinity));
});

test('a source without a list of columns gets the same types, as far as Avro has them', () => {
  const columns = columnsOf({
    i2: 'smallint',
    l: 'bigint',
    np: 'numeric(30,3)',
    n: 'numeric',
    v: 'varchar(3)',
    iv: 'interval',
    u: 'uuid',
    j: 'jsonb',
    ts: 'timestamp',
    tz: 'timestamptz',
    a: 'date[]',
  });
  const read = avroColumns(parseAvroSchema(avroSchemaOf(columns, 'R')), null);
  assert.deepEqual(
    read.map(({ type }) => type.element?.id ?? type.id),
    [
      ...['int4', 'int8', 'numeric', 'text', 'text', 'text', 'uuid', 'jsonb', 'timestamp'],
      ...['timestamptz', 'date'],
    ],
  );
});

/** What the witness reads of the fields of one row. */
function witness(columns: readonly EncodedColumn[], row: readonly Value[]): unknown {
  const encoder = new AvroEncoder(columns, 258, DEFAULT_SETTINGS);
  const message = unframed(encoder, columns, row, [0, 0, 0, 1, 2]);
  const type = avro.Type.forSchema(JSON.parse(avroSchemaOf(columns, 'Row')) as avro.Schema);
  return { ...(type.fromBuffer(message) as object) };
}

test('another reader reads the same', () => {
  const columns = columnsOf({
    b: 'boolean',
    i: 'integer',
    l: 'bigint',
    f: 'real',
    d: 'double precision',
    s: 'text',
    y: 'bytea',
    m: 'numeric(10,2)',
    n: 'numeric',
    day: 'date',
    at: 'timestamptz',
    j: 'jsonb',
    a: 'integer[]',
    nothing: 'text',
  });
  const texts = ['t', '-5', '-1099511627776', '1.5', '-2.25', 'grün', '\\x00ff', '-1.28', '1.50'];
  texts.push('2024-02-29', '2024-02-29 10:00:00+00', '{"k": 1}', '{1,NULL}');
  const row = texts.map((text, i) => inputValue(columns[i]!.type, text));
  assert.deepEqual(witness(columns, [...row, null]), {
    b: true,
    i: -5,
    l: -(2 ** 40),
    f: 1.5,
    d: -2.25,
    s: 'grün',
    y: Buffer.from([0, 255]),
    m: Buffer.from([0x80]),
    n: '1.50',
    day: 19_782,
    at: 1_709_200_800_000_000,
    j: '{"k": 1}',
    a: [1, null],
    nothing: null,
  });
});

test('what Avro cannot carry is refused with the column', () => {
  const encoderOf = (columns: readonly EncodedColumn[]) =>
    new AvroEncoder(columns, 1, DEFAULT_SETTINGS);
  assertRefused(encoderOf, 'timestamptz', INFINITY_US, '22008');
  assertRefused(encoderOf, 'date', INFINITY_DAYS, '22008');
  assertRefused(encoderOf, 'numeric(5,2)', Decimal.NAN, '22003');
  assertRefused(encoderOf, 'integer[]', new ArrayValue([1, 2], [2, 1]), '0A000');
  assert.throws(() => avroSchemaOf(columnsOf({ 'a b': 'integer' }), 'R'), { sqlstate: '42602' });
  assert.throws(() => avroSchemaOf([], 'my record'), { sqlstate: '42602' });
});
