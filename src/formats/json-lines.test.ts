import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../base/random.ts';
import { arrayOf, BOOL, INT4, INT8, JSONB, NUMERIC, TEXT } from '../types/data-type.ts';
import { DEFAULT_SETTINGS } from '../types/value.ts';
import { type Decoded, decodeAll } from './decode-fixture.ts';
import { JsonLinesDecoder } from './json-lines.ts';
import { JsonObjectDecoder } from './json-object.ts';

const COLUMNS = [
  { name: 'id', type: INT8 },
  { name: 'price', type: NUMERIC },
  { name: 'name', type: TEXT },
];
const TYPES = COLUMNS.map(({ type }) => type);

function decode(...pieces: (string | Buffer)[]): Decoded {
  return decodeAll(
    new JsonLinesDecoder(new JsonObjectDecoder(COLUMNS, DEFAULT_SETTINGS)),
    TYPES,
    pieces,
  );
}

test('numbers are exact, missing members NULL, others ignored', () => {
  const { rows, errors } = decode(
    '{"id":9223372036854775807,"price":0.1000000000000000000001,"name":"a","x":[1,{"id":2}]}\r\n' +
      '\n{"name":null}\n { "ID" : "12" , "Name":true, "price": 1e3 } \n{}\n{"id":1,"id":2}\n{"id":1,"ID":7}',
  );
  assert.deepEqual(errors, []);
  assert.deepEqual(rows, [
    ['9223372036854775807', '0.1000000000000000000001', 'a'],
    [null, null, null],
    ['12', '1000', 'true'],
    [null, null, null],
    ['2', null, null],
    ['1', null, null],
  ]);
});

test('escapes, surrogate pairs, nested values as text', () => {
  const { rows, errors } = decode(
    '{"name":"a\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00"}\n{"name":{"a": [1, 2]}}\n{"na\\u006de":"é"}\n' +
      '{"name":"\\ud83d"}\n{"name":"\\udc00x"}\n{"name":"\\u0000"}\n',
  );
  assert.deepEqual(
    rows.map((row) => row[2]),
    ['a"\\/\b\f\n\r\té😀', '{"a": [1, 2]}', 'é'],
  );
  assert.deepEqual(
    errors.map(({ line, text }) => [line, text]),
    [
      [4, 'column "name": invalid input syntax for type json'],
      [5, 'column "name": invalid input syntax for type json'],
      [6, 'column "name": unsupported Unicode escape sequence'],
    ],
  );
});

test('types of their own: bool, jsonb, arrays', () => {
  const columns = [
    { name: 'b', type: BOOL },
    { name: 'j', type: JSONB },
    { name: 'a', type: arrayOf(INT4)! },
    { name: 't', type: arrayOf(TEXT)! },
  ];
  const { rows, errors } = decodeAll(
    new JsonLinesDecoder(new JsonObjectDecoder(columns, DEFAULT_SETTINGS)),
    columns.map(({ type }) => type),
    [
      '{"b":true,"j":{"b":1,"a":"x"},"a":[1,null,[]],"t":"{x,y}"}\n{"j":"s","a":[[1,2],[3,4]],"t":["a\\"b",{"c":1}]}\n',
    ],
  );
  assert.equal(errors.length, 1);
  assert.deepEqual(rows, [[null, '"s"', '{{1,2},{3,4}}', '{"a\\"b","{\\"c\\": 1}"}']]);
});

test('lines that are not JSON objects are rejected at their byte, the next one is read', () => {
  const bad = [
    ['[1]', 0, 'invalid JSON record: it must be an object'],
    ['{"id":01}', 7, 'invalid input syntax for type json'],
    ['{"id":1,}', 8, 'invalid input syntax for type json'],
    ['{"id":1} x', 9, 'invalid input syntax for type json'],
    ['{"id":1', 7, 'invalid input syntax for type json'],
    ['{"id":tru}', 9, 'invalid input syntax for type json'],
    ['{"id" 1}', 6, 'invalid input syntax for type json'],
    ['{"name":"a\tb"}', 10, 'invalid input syntax for type json'],
    ['{"name":"\\x"}', 9, 'invalid input syntax for type json'],
    ['{"name":"\\u12g4"}', 9, 'invalid input syntax for type json'],
    ['{"x":[1,{"a":}]}', 13, 'invalid input syntax for type json'],
    ['{"id":"x"}', 6, 'column "id": invalid input syntax for type bigint: "x"'],
    ['{"id":1.5}', 6, 'column "id": invalid input syntax for type bigint: "1.5"'],
    [`{"x":${'['.repeat(2000)}`, 1030, 'JSON is nested deeper than 1024 levels'],
    ['nul', 3, 'invalid input syntax for type json'],
  ] as const;
  for (const [text, offset, message] of bad) {
    const { rows, errors } = decode(`${text}\n{"id":1}\n`);
    assert.deepEqual(errors, [{ line: 1, offset, text: message }], text);
    assert.deepEqual(rows, [['1', null, null]]);
  }
  const { errors } = decode(
    Buffer.from([...Buffer.from('{"name":"'), 0xc3, 0x28, ...Buffer.from('"}')]),
  );
  assert.equal(errors[0]?.text, 'invalid byte sequence for encoding "UTF8": 0xc3 0x28');
});

test('what JSON.parse takes, the scanner takes, and the other way round', () => {
  const random = new Random(11);
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '1',
    '-0.5e3',
    'true',
    'null',
    ' ',
    '"\\n"',
    '0',
    '.',
    '"',
  ];
  for (let round = 0; round < 5000; round += 1) {
    let text = '{"id":1,"x":';
    for (let i = random.between(1, 8); i > 0; i -= 1) text += random.pick(pieces);
    text += '}';
    let isJson = true;
    try {
      JSON.parse(text);
    } catch {
      isJson = false;
    }
    assert.equal(decode(text).rows.length === 1, isJson, text);
  }
});
