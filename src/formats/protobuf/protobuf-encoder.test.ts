/** Rows as Protobuf: our decoder reads them back by the schema that was made, protobufjs reads the same. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { ArrayValue } from '../../types/array.ts';
import { INFINITY_US, isFiniteUs } from '../../types/calendar.ts';
import type { Value } from '../../types/data-type.ts';
import { DEFAULT_SETTINGS, inputValue } from '../../types/value.ts';
import type { EncodedColumn } from '../message-encoder.ts';
import {
  assertAnyRoundTrip,
  assertRefused,
  COMMON_TYPES,
  columnsOf,
  unframed,
} from '../message-fixture.ts';
import { ProtobufDecoder } from './protobuf-decoder.ts';
import { ProtobufEncoder, protobufSchemaOf } from './protobuf-encoder.ts';

const COLUMNS = columnsOf({
  ...COMMON_TYPES,
  np: 'numeric(12,3)',
  ts: 'timestamp',
  tz: 'timestamptz',
  af: 'double precision[]',
  ab: 'boolean[]',
  ay: 'bytea[]',
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
  assertAnyRoundTrip(COLUMNS, encoder, decoderOf, 300, (rows) =>
    rows.map((row) => row.map((value, i) => carried(value, COLUMNS[i]!))),
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
  const message = unframed(encoder, columns, [...row, null, 0], [0, 0, 0, 1, 2, 0]);
  const { root } = protobuf.parse(text, { keepCase: true });
  root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')!.nested!);
  const type = root.resolveAll().lookupType('my.shop.Row');
  assert.deepEqual(type.toObject(type.decode(message), { longs: String }), {
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
  const encoderOf = (columns: readonly EncodedColumn[]) =>
    new ProtobufEncoder(columns, 1, DEFAULT_SETTINGS);
  assertRefused(encoderOf, 'timestamptz', INFINITY_US, '22008');
  assertRefused(encoderOf, 'integer[]', ArrayValue.of([1, null]), '22004');
  assertRefused(encoderOf, 'integer[]', new ArrayValue([1, 2], [2, 1]), '0A000');
  assert.throws(() => protobufSchemaOf(columnsOf({ 'a b': 'integer' }), 'R'), {
    sqlstate: '42602',
  });
});
