/** MessagePack decoded into columns, against messages that @msgpack/msgpack encodes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { SqlError } from '../../base/sql-error.ts';
import { ColumnBuilder } from '../../batch/column-builder.ts';
import { readValue } from '../../batch/read-value.ts';
import { Memory } from '../../memory/memory.ts';
import { Scratch } from '../../memory/scratch.ts';
import {
  BOOL,
  BYTEA,
  type DataType,
  FLOAT8,
  INT2,
  INT4,
  INT8,
  JSONB,
  NUMERIC,
  TEXT,
  TIMESTAMPTZ,
} from '../../types/data-type.ts';
import { DEFAULT_SETTINGS, formatValue } from '../../types/value.ts';
import { decodeMessages, jsonValueOf } from '../message-fixture.ts';
import { isMapKey, PackedOrTextKeyDecoder, TextKeyDecoder } from '../upsert-decoder.ts';
import { MessagePackDecoder } from './msgpack-decoder.ts';

const COLUMNS: readonly { readonly name: string; readonly type: DataType }[] = [
  { name: 'b', type: BOOL },
  { name: 'i2', type: INT2 },
  { name: 'i4', type: INT4 },
  { name: 'i8', type: INT8 },
  { name: 'f', type: FLOAT8 },
  { name: 'n', type: NUMERIC },
  { name: 't', type: TEXT },
  { name: 'y', type: BYTEA },
  { name: 'at', type: TIMESTAMPTZ },
  { name: 'j', type: JSONB },
];

/** The row as output texts. */
function decode(message: Uint8Array): (string | null)[] {
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  const builders = COLUMNS.map(({ type }) => new ColumnBuilder(memory, scratch, type, 16));
  const bytes = Buffer.concat([Buffer.from('before'), message, Buffer.from('behind')]);
  const decoder = new MessagePackDecoder(COLUMNS, DEFAULT_SETTINGS);
  const error = decoder.append(bytes, 6, 6 + message.length, builders);
  if (error !== null) throw error;
  return COLUMNS.map(({ type }, i) => {
    const value = readValue(memory, builders[i]!.build(), type, 0);
    return value === null ? null : formatValue(type, value, DEFAULT_SETTINGS);
  });
}

function only(name: string, message: unknown): string | null {
  const row = decode(encode(message, { useBigInt64: true }));
  return row[COLUMNS.findIndex((column) => column.name === name)]!;
}

test('every kind of value', () => {
  const row = decode(
    encode({
      b: true,
      i2: -32768,
      i4: 2147483647,
      i8: -5,
      f: 1.5,
      n: 12,
      t: 'ä',
      y: new Uint8Array([0, 255]),
      at: new Date(1_700_000_000_123),
      j: { a: [1, null, 'x', 1.5, { b: false }], c: 'd' },
      other: [1, { deep: 'skipped' }],
    }),
  );
  assert.deepEqual(row, [
    't',
    '-32768',
    '2147483647',
    '-5',
    '1.5',
    '12',
    'ä',
    '\\x00ff',
    '2023-11-14 22:13:20.123+00',
    '{"a": [1, null, "x", 1.5, {"b": false}], "c": "d"}',
  ]);
});

test('missing keys and nil are NULL; names match exactly, then without case; the last one counts', () => {
  assert.deepEqual(
    decode(encode({ b: null })),
    COLUMNS.map(() => null),
  );
  assert.equal(only('t', { T: 'loose' }), 'loose');
  assert.equal(only('t', { t: 'exact', T: 'loose' }), 'exact');
  const twice = Buffer.from([0x82, 0xa1, 0x74, 0xa1, 0x31, 0xa1, 0x74, 0xa1, 0x32]);
  assert.equal(decode(twice)[6], '2');
});

test('integers are exact', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      assert.equal(only('i8', { i8: value }), String(value));
      assert.equal(only('n', { n: value }), String(value));
      assert.equal(only('t', { t: value }), String(value));
    }),
  );
  assert.equal(only('n', { n: 2n ** 64n - 1n }), '18446744073709551615');
  assert.throws(() => only('i8', { i8: 2n ** 63n }), { sqlstate: '22003' });
  assert.throws(() => only('i2', { i2: 40000 }), { sqlstate: '22003' });
});

test('any JSON value comes as jsonb', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = only('j', { j: value });
      assert.deepEqual(
        text === null ? null : jsonValueOf(text),
        jsonValueOf(JSON.stringify(value)),
      );
    }),
  );
});

test('cut off, broken, trailing and foreign bytes are refused, never worse', () => {
  const whole = encode({ t: 'text', j: [1, 2, { a: 'b' }], at: new Date(0) });
  for (let length = 0; length < whole.length; length += 1) {
    assert.throws(() => decode(whole.subarray(0, length)), { sqlstate: '22P03' });
  }
  assert.throws(() => decode(Buffer.concat([whole, Buffer.from([0])])), /bytes follow/);
  assert.throws(() => decode(encode([1])), /must be a map/);
  assert.throws(() => decode(Buffer.from([0x81, 0xa1, 0x74, 0xa1, 0xff])), { sqlstate: '22021' });
  const deep = Buffer.concat([Buffer.from([0x81, 0xa1, 0x6a]), Buffer.alloc(100_000, 0x91)]);
  assert.throws(() => decode(deep), { sqlstate: '22P03' });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        decode(bytes);
      } catch (error) {
        assert.ok(error instanceof SqlError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('keys are maps of any size, or text, whatever letter it begins with', () => {
  const columns = [{ name: 't', type: TEXT }];
  const packed = new MessagePackDecoder(columns, DEFAULT_SETTINGS);
  const keys = new PackedOrTextKeyDecoder(
    packed,
    new TextKeyDecoder(columns, DEFAULT_SETTINGS),
    isMapKey,
  );
  const member = [0xa1, 0x74, 0xa1, 0x78];
  const maps = [[0x81], [0xde, 0, 1], [0xdf, 0, 0, 0, 1]].map((head) => [...head, ...member]);
  // These begin with the bytes that a map of 16 and 32 bits has, too.
  const texts = ['ދިވެހި', 'ߒߞߏ', 'ä', 'x', '{"t": "x"}'];
  const messages = [
    ...maps.map((bytes) => Buffer.from(bytes)),
    ...texts.map((text) => Buffer.from(text)),
  ];
  const read = decodeMessages(keys, [TEXT], messages);
  const wanted = ['x', 'x', 'x', ...texts.slice(0, -1), 'x'];
  assert.deepEqual(
    read.map(({ row, error }) => row?.[0] ?? error),
    wanted,
  );
});
