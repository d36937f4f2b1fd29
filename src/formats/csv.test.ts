import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../base/random.ts';
import { INT4, TEXT } from '../types/data-type.ts';
import { DEFAULT_SETTINGS } from '../types/value.ts';
import { CsvDecoder, type CsvOptions, DEFAULT_CSV_OPTIONS } from './csv.ts';
import { type Decoded, decodeAll } from './decode-fixture.ts';

const COLUMNS = [
  { name: 'id', type: INT4 },
  { name: 'name', type: TEXT },
];

function decode(text: string | Buffer, options: Partial<CsvOptions> = {}): Decoded {
  const all = { ...DEFAULT_CSV_OPTIONS, hasHeader: false, ...options };
  const decoder = new CsvDecoder(all, COLUMNS, ['id', 'name'], DEFAULT_SETTINGS);
  return decodeAll(decoder, [INT4, TEXT], [text]);
}

test('fields, quotes, NULL and the empty string', () => {
  const { rows, errors } = decode(
    '1,a\n2,\n3,""\n4,"a,b"\n5,"say ""hi"""\n6,x"y,z"w\r\n\n7,"two\nlines"\n8,last',
  );
  assert.deepEqual(errors, []);
  assert.deepEqual(rows, [
    ['1', 'a'],
    ['2', null],
    ['3', ''],
    ['4', 'a,b'],
    ['5', 'say "hi"'],
    ['6', 'xy,zw'],
    ['7', 'two\nlines'],
    ['8', 'last'],
  ]);
});

test('other delimiters, escapes and null texts', () => {
  const { rows } = decode("1|'it\\'s'\n2|NULL\n3|'NULL'\n4|'a\\b'\n", {
    delimiter: '|',
    quote: "'",
    escape: '\\',
    nullText: 'NULL',
  });
  assert.deepEqual(rows, [
    ['1', "it's"],
    ['2', null],
    ['3', 'NULL'],
    ['4', 'a\\b'],
  ]);
});

test('bad records are told with line and offset, and the next ones are read', () => {
  const { rows, errors } = decode(
    Buffer.concat([
      Buffer.from('1,a\nx,b\n2\n3,c,d\n"4\n",e\n5,'),
      Buffer.from([0xff]),
      Buffer.from('\n6,\0\n7,a\rb\n8,ok\n9,"open\n10,after\n'),
    ]),
  );
  assert.deepEqual(rows, [
    ['1', 'a'],
    ['4', 'e'],
    ['8', 'ok'],
    ['10', 'after'],
  ]);
  assert.deepEqual(errors, [
    { line: 2, offset: 4, text: 'column "id": invalid input syntax for type integer: "x"' },
    { line: 3, offset: 9, text: 'missing data for column "name"' },
    { line: 4, offset: 14, text: 'extra data after last expected column' },
    { line: 7, offset: 23, text: 'invalid byte sequence for encoding "UTF8": 0xff' },
    { line: 8, offset: 27, text: 'invalid byte sequence for encoding "UTF8": 0x00' },
    { line: 9, offset: 34, text: 'unquoted carriage return found in data' },
    { line: 11, offset: 42, text: 'unterminated CSV quoted field' },
  ]);
});

test('a header matches by exact name, then without case; a missing column is an error', () => {
  const decoder = new CsvDecoder(DEFAULT_CSV_OPTIONS, COLUMNS, [], DEFAULT_SETTINGS);
  const bytes = Buffer.from('Name,extra,NAME,"id"\n');
  decoder.scan(bytes, 0, bytes.length, false);
  assert.deepEqual(decoder.texts(bytes), ['Name', 'extra', 'NAME', 'id']);
  decoder.matchHeader(['extra', 'NAME', 'id']);
  const { rows } = decodeAll(decoder, [INT4, TEXT], ['x,n,7\n']);
  assert.deepEqual(rows, [['7', 'n']]);
  assert.throws(() => decoder.matchHeader(['id', 'other']), {
    sqlstate: '42703',
    message: 'column "name" is not in the header of the file',
    fields: {
      hint: 'The header has "id", "other". Where the first line is data, say header = false.',
    },
  });
  assert.throws(() => decoder.matchHeader(['id', 'name', 'name']), { sqlstate: '42702' });
  assert.throws(() => decoder.matchHeader(['id', 'Name', 'NAME']), { sqlstate: '42702' });
});

test('any cut of the bytes gives the same rows', () => {
  const text = Buffer.from('1,"a ""b""\nc"\r\n2,é\r\n"3",x\n4,"y"z\n5,"q"\n');
  const whole = decode(text);
  const random = new Random(7);
  for (let round = 0; round < 200; round += 1) {
    const decoder = new CsvDecoder(
      { ...DEFAULT_CSV_OPTIONS, hasHeader: false },
      COLUMNS,
      ['id', 'name'],
      DEFAULT_SETTINGS,
    );
    const pieces: Buffer[] = [];
    for (let at = 0; at < text.length; ) {
      const size = random.between(1, 6);
      pieces.push(text.subarray(at, at + size));
      at += size;
    }
    assert.deepEqual(decodeAll(decoder, [INT4, TEXT], pieces), whole);
  }
});
