/** Rows as Protobuf: our decoder reads them back by the schema that was made, protobufjs reads the same. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { ArrayValue } from '../../types/array.ts';
import { INFINITY_US, isFiniteUs } from '../../types/calendar.ts';
import type { Value } from '../../types/data-type.ts';
import { DEFAULT_SETTINGS, inputValue } from '../../types/value.ts';
import type { EncodedColumn } from '../message-encoder.ts';
import { anyRows, assertRoundTrip, columnsOf, encodeMessages } from '../message-fixture.ts';
import { ProtobufDecoder } from './protobuf-decoder.ts';
import { ProtobufEncoder, protobufSchemaOf } from './protobuf-encoder.ts';

const COLUMNS = columnsOf({
  b: 'boolean',
  i2: 'smallint',
  i4: 'integer',
  i8: 'bigint',
  f4: 'real',
  f8: 'double precision',
  n: 'numeric',
  np: 'numeric(12,3)',
  t: 'text',
  v: 'varchar',
  y: 'bytea',
  u: 'uuid',
  j: 'jsonb',
  d: 'date',
  tm: 'time',
  iv: 'interval',
  ts: 'timestamp',
  tz: 'timestamptz',
  ai: 'integer[]',
  al: 'bigint[]',
  af: 'double precision[]',
  ab: 'boolean[]',
  at: 'text[]',
  ay: 'bytea[]',
  an: 'numeric[]',
});

function decoderOf(columns: readonly EncodedColumn[]): ProtobufDecoder {
  const options = { schema: null, isFramed: true, message: null };
  const decoder = new ProtobufDecoder(columns, options, DEFAULT_SETTINGS);
  const text = protobufSchemaOf(columns, 'shop.Row');
  decoder.learnSchema(7, { type: 'PROTOBUF', text, references: [] });
  return decoder;
}

/** What Protobuf cannot carry as it is: infinite times, NULL in arrays; a NULL array is an empty one. */
function carried(value: Value, { type }: EncodedColumn): Value {
  if (type.element !== null) {
    if (value === null) return ArrayValue.EMPTY;
    return ArrayValue.of((value as ArrayValue).items.filter((item) => item !== null));
  }
  const isTime = type.id === 'timestamp' || type.id === 'timestamptz';
  return isTime && value !== null && !isFiniteUs(value as bigint) ? 0n : value;
}

test('every type comes back as it was', () => {
  const encoder = new ProtobufEncoder(COLUMNS, 7, DEFAULT_SETTINGS);
  fc.assert(
    fc.property(anyRows(COLUMNS), (some) => {
      const rows = some.map((row) => row.map((value, i) => carried(value, COLUMNS[i]!)));
      assertRoundTrip(COLUMNS, encoder, decoderOf(COLUMNS), rows);
    }),
    { numRuns: 300 },
  );
});

test('another reader reads the same, by the schema as it is registered', () => {
  const columns = columnsOf({
    b: 'boolean',
    i: 'integer',
    l: 'bigint',
    d: 'double precision',
    s: 'text',
    n: 'numeric',
    at: 'timestamptz',
    a: 'integer[]',
    z: 'text[]',
    nothing: 'text',
    zero: 'integer',
  });
  const text = protobufSchemaOf(columns, 'my.shop.Row');
  assert.equal(
    text,
    `syntax = "proto3";
package my.shop;
import "google/protobuf/timestamp.proto";
message Row {
  optional bool b = 1;
  optional int32 i = 2;
  optional int64 l = 3;
  optional double d = 4;
  optional string s = 5;
  optional string n = 6;
  optional google.protobuf.Timestamp at = 7;
  repeated int32 a = 8;
  repeated string z = 9;
  optional string nothing = 10;
  optional int32 zero = 11;
}
`,
  );
  const texts = ['t', '-5', '-9223372036854775808', '-2.25', 'grün', '1.50'];
  texts.push('1969-12-31 23:59:59.999999+00', '{1,-1,300}', '{a,""}');
  const row = texts.map((one, i) => inputValue(columns[i]!.type, one));
  const encoder = new ProtobufEncoder(columns, 258, DEFAULT_SETTINGS);
  const [message] = encodeMessages(encoder, columns, [[...row, null, 0]]);
  assert.deepEqual([...message!.subarray(0, 6)], [0, 0, 0, 1, 2, 0]);
  const { root } = protobuf.parse(text, { keepCase: true });
  root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')!.nested!);
  const type = root.resolveAll().lookupType('my.shop.Row');
  assert.deepEqual(type.toObject(type.decode(message!.subarray(6)), { longs: String }), {
    b: true,
    i: -5,
    l: '-9223372036854775808',
    d: -2.25,
    s: 'grün',
    n: '1.50',
    at: { seconds: '-1', nanos: 999_999_000 },
    a: [1, -1, 300],
    z: ['a', ''],
    zero: 0,
  });
});

test('what Protobuf cannot carry is refused with the column', () => {
  const refused = (type: string, value: Value, sqlstate: string): void => {
    const columns = columnsOf({ c: type });
    const encoder = new ProtobufEncoder(columns, 1, DEFAULT_SETTINGS);
    assert.throws(() => encodeMessages(encoder, columns, [[value]]), {
      sqlstate,
      message: /^column "c": /,
    });
  };
  refused('timestamptz', INFINITY_US, '22008');
  refused('integer[]', ArrayValue.of([1, null]), '22004');
  refused('integer[]', new ArrayValue([1, 2], [2, 1]), '0A000');
  assert.throws(() => protobufSchemaOf(columnsOf({ 'a b': 'integer' }), 'R'), {
    sqlstate: '42602',
  });
});
