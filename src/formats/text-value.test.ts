import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ColumnBuilder } from '../batch/column-builder.ts';
import { readValue } from '../batch/read-value.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import {
  DATE,
  type DataType,
  FLOAT4,
  FLOAT8,
  INT2,
  INT4,
  INT8,
  NUMERIC,
  TEXT,
  TIMESTAMP,
  TIMESTAMPTZ,
  VARCHAR,
  withTypmod,
} from '../types/data-type.ts';
import { DEFAULT_SETTINGS, formatValue, inputValue } from '../types/value.ts';
import { orThrow } from './record-decoder.ts';
import { textAppender } from './text-value.ts';

const memory = Memory.create();
const scratch = new Scratch(memory);

function outcome(read: () => string): string {
  try {
    return read();
  } catch (error) {
    return (error as Error).message;
  }
}

function appended(type: DataType, text: string): string {
  const builder = new ColumnBuilder(memory, scratch, type, 16);
  const bytes = Buffer.from(`<${text}>`);
  orThrow(textAppender(type, DEFAULT_SETTINGS)(builder, bytes, 1, bytes.length - 1));
  return formatValue(type, readValue(memory, builder.build(), type, 0)!, DEFAULT_SETTINGS);
}

/** A fast path must give what the type's input function gives, errors included. */
function compare(type: DataType, texts: readonly string[]): void {
  for (const text of texts) {
    const expected = outcome(() =>
      formatValue(type, inputValue(type, text, DEFAULT_SETTINGS), DEFAULT_SETTINGS),
    );
    assert.equal(
      outcome(() => appended(type, text)),
      expected,
      `${type.id} '${text}'`,
    );
  }
}

test('numbers', () => {
  const texts = [
    '0',
    '-0',
    '1',
    '-1',
    '+1',
    ' 1',
    '1 ',
    '',
    '-',
    '32767',
    '32768',
    '-32768',
    '-32769',
    '2147483647',
    '2147483648',
    '-2147483648',
    '999999999999999',
    '-999999999999999',
    '9223372036854775807',
    '-9223372036854775808',
    '9223372036854775808',
    '1.',
    '.5',
    '0.5',
    '-0.5',
    '-0.0',
    '1.50',
    '123456789012.345',
    '1234567890123.4567',
    '1e3',
    'NaN',
    'Infinity',
    '-inf',
    '0x10',
    '1_000',
    '1.2.3',
    '--1',
    '0.1',
    '0.30000000000000004',
    '3.4028236e38',
    '12a',
    '16777217',
    '0.000000000000001',
    '4294967296',
    '-4294967297',
    '999999999999.999',
    '-12.50',
  ];
  for (const type of [INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC]) compare(type, texts);
  compare(withTypmod(NUMERIC, ((5 << 16) | 2) + 4), ['1', '1.005', '999.99', '1000']);
});

test('dates and times', () => {
  const texts = [
    '2024-02-29',
    '2023-02-29',
    '1970-01-01',
    '1800-01-01',
    '1799-12-31',
    '2199-12-31',
    '2200-01-01',
    '0001-01-01',
    '2024-13-01',
    '2024-00-10',
    '2024-01-32',
    '2024-1-1',
    'infinity',
    '-infinity',
    '20240101',
    'x',
    '2024-02-29 23:59',
    '2024-02-29T23:59:58',
    '2024-02-29 23:59:58.1',
    '2024-02-29 23:59:58.123456',
    '2024-02-29 23:59:58.1234567',
    '2024-02-29 24:00:00',
    '2024-02-29 23:60',
    '2024-02-29 23:59:60',
    '2024-02-29 23:59:58Z',
    '2024-02-29 23:59:58.5Z',
    '2024-02-29 23:59:58+02',
    '1900-03-01 00:00:00.000001',
    '2024-02-29 1:2',
    '2024/02/29 10:00',
    '2024-02-29 10:00:',
    '2024-02-29 10:00:00.',
    '2024-02-29 10:00:00.-1',
  ];
  for (const type of [DATE, TIMESTAMP, TIMESTAMPTZ]) compare(type, texts);
  compare(withTypmod(TIMESTAMP, 0), ['2024-02-29 23:59:58.5']);
});

test('texts', () => {
  const texts = [
    '',
    'a',
    'short',
    'exactly12 ch',
    'a text that is longer than twelve bytes',
    'héé',
  ];
  for (const type of [TEXT, VARCHAR, withTypmod(VARCHAR, 4 + 3)]) compare(type, texts);
});
