/** Protobuf messages as rows; protobufjs encodes, as the witness. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { DEFAULT_SETTINGS } from '../../types/value.ts';
import { ByteWriter } from '../byte-writer.ts';
import { columnsOf, decodeMessages } from '../message-fixture.ts';
import { checkProtobufColumns, ProtobufDecoder, protobufColumns } from './protobuf-decoder.ts';
import { parseProtobufSchema } from './schema.ts';

type Columns = Readonly<Record<string, string>>;

/** Rows (or error texts) of bare messages of the first type in a schema. */
function decoded(proto: string, columns: Columns, messages: readonly Uint8Array[]): unknown[] {
  const wanted = columnsOf(columns);
  const options = { schema: parseProtobufSchema(proto), isFramed: false, message: null };
  return results(new ProtobufDecoder(wanted, options, DEFAULT_SETTINGS), columns, messages);
}

function results(
  decoder: ProtobufDecoder,
  columns: Columns,
  messages: readonly Uint8Array[],
): unknown[] {
  const types = columnsOf(columns).map(({ type }) => type);
  return decodeMessages(
    decoder,
    types,
    messages.map((bytes) => Buffer.from(bytes)),
  ).map(({ row, error }) => row ?? `${error!.sqlstate} at ${error!.offset}: ${error!.text}`);
}

/** What protobufjs makes of a value of the type `M`. */
function encoded(proto: string, value: object): Uint8Array {
  const { root } = protobuf.parse(proto, { keepCase: true });
  root.addJSON(protobuf.common.get('google/protobuf/wrappers.proto')!.nested!);
  const type = root.resolveAll().lookupType('M');
  return type.encode(type.fromObject(value as Record<string, unknown>)).finish();
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

const SCALARS = `syntax = "proto3";
message M {
  double d = 1; float f = 2;
  int32 i32 = 3; int64 i64 = 4; uint32 u32 = 5; uint64 u64 = 6;
  sint32 s32 = 7; sint64 s64 = 8;
  fixed32 f32 = 9; fixed64 f64 = 10; sfixed32 sf32 = 11; sfixed64 sf64 = 12;
  bool b = 13; string s = 14; bytes y = 15;
  enum Color { RED = 0; GREEN = 5; BLUE = -1; }
  Color e = 2000;
}`;

const SCALAR_TYPES = {
  d: 'double precision',
  f: 'real',
  i32: 'integer',
  i64: 'bigint',
  u32: 'bigint',
  u64: 'numeric',
  s32: 'integer',
  s64: 'bigint',
  f32: 'bigint',
  f64: 'numeric',
  sf32: 'integer',
  sf64: 'bigint',
  b: 'boolean',
  s: 'text',
  y: 'bytea',
  e: 'text',
};

test('scalars of all kinds, at the ends of their ranges', () => {
  const columns = protobufColumns(parseProtobufSchema(SCALARS), null);
  assert.deepEqual(
    columns.map(({ name, type }) => [name, type.id]),
    columnsOf(SCALAR_TYPES).map(({ name, type }) => [name, type.id]),
  );
  const low = {
    ...{ d: -1.5, f: -0.25, i32: -(2 ** 31), i64: '-9223372036854775808', u32: 0, u64: '0' },
    ...{ s32: -(2 ** 31), s64: '-9223372036854775808', f32: 0, f64: '0', sf32: -(2 ** 31) },
    ...{ sf64: '-9223372036854775808', b: false, s: '', y: Buffer.alloc(0), e: -1 },
  };
  const high = {
    ...{ d: Infinity, f: NaN, i32: 2 ** 31 - 1, i64: '9223372036854775807', u32: 2 ** 32 - 1 },
    ...{ u64: '18446744073709551615', s32: 2 ** 31 - 1, s64: '9223372036854775807' },
    ...{ f32: 2 ** 32 - 1, f64: '18446744073709551615', sf32: 2 ** 31 - 1 },
    ...{ sf64: '9223372036854775807', b: true, s: 'grün\n', y: Buffer.from([0, 255]), e: 5 },
  };
  const messages = [low, high, { e: 77 }].map((value) => encoded(SCALARS, value));
  const min = '-9223372036854775808';
  const max = '9223372036854775807';
  const big = '18446744073709551615';
  assert.deepEqual(decoded(SCALARS, SCALAR_TYPES, messages).slice(0, 2), [
    [
      '-1.5',
      '-0.25',
      '-2147483648',
      min,
      '0',
      '0',
      '-2147483648',
      min,
      '0',
      '0',
      '-2147483648',
    ].concat(min, 'f', '', '\\x', 'BLUE'),
    [
      'Infinity',
      'NaN',
      '2147483647',
      max,
      '4294967295',
      big,
      '2147483647',
      max,
      '4294967295',
      big,
    ].concat('2147483647', max, 't', 'grün\n', '\\x00ff', 'GREEN'),
  ]);
  // A value of an enum that has no name; everything else is its default.
  assert.deepEqual(decoded(SCALARS, { e: 'text', i32: 'int', s: 'text' }, [messages[2]!]), [
    ['77', '0', ''],
  ]);
});

test('other types of columns: exact or refused', () => {
  const columns = { i64: 'smallint', u64: 'bigint', s: 'timestamptz', e: 'integer', d: 'real' };
  const read = (value: object) => decoded(SCALARS, columns, [encoded(SCALARS, value)])[0];
  assert.deepEqual(read({ i64: 7, u64: 8, s: '2024-02-29 10:00+02', e: 5, d: 1.5 }), [
    ...['7', '8', '2024-02-29 08:00:00+00', '5', '1.5'],
  ]);
  const s = '2024-01-01';
  assert.match(String(read({ i64: 40_000, s })), /^22003 .*column "i64": smallint out of range/);
  assert.match(String(read({ u64: '9223372036854775808', s })), /^22003 .*bigint out of range/);
  assert.match(String(read({ s: 'x' })), /^22007 .*column "s": /);
  assert.match(String(read({ s, d: 1e300 })), /^22003 .*out of range for type real/);
  const more = { s: 'jsonb', u32: 'numeric', y: 'text', b: 'boolean', i32: 'double precision' };
  const bytes = encoded(SCALARS, { s: '{"k": [1]}', u32: 5, y: Buffer.from('ab'), i32: -3 });
  assert.deepEqual(decoded(SCALARS, more, [bytes]), [['{"k": [1]}', '5', 'ab', 'f', '-3']]);
});

test('what is missing: defaults of proto3, NULL where a field is optional or a message', () => {
  const proto = `syntax = "proto3";
    message M {
      int32 implicit = 1; optional int32 explicit = 2; Inner message = 3; repeated int32 list = 4;
      map<string, int32> pairs = 5; oneof choice { string a = 6; int32 b = 7; }
      message Inner { int32 v = 1; }
    }`;
  const columns = {
    ...{ implicit: 'int', explicit: 'int', message: 'jsonb', list: 'int[]', pairs: 'jsonb' },
    ...{ a: 'text', b: 'int', nothing: 'text' },
  };
  const zeros = { explicit: 0, message: {}, b: 0 };
  assert.deepEqual(decoded(proto, columns, [Buffer.alloc(0), encoded(proto, zeros)]), [
    ['0', null, null, '{}', '{}', null, null, null],
    ['0', '0', '{"v": 0}', '{}', '{}', null, '0', null],
  ]);
});

test('proto2: required fields, defaults', () => {
  const proto = `syntax = "proto2";
    enum E { A = 1; B = 2; }
    message M {
      required int32 id = 1;
      optional string s = 2 [default = "a\\"\\x41\\101", deprecated = true];
      optional sint64 n = 3 [default = -0x10]; optional double d = 4 [default = -inf];
      optional E e = 5 [default = B]; optional bool b = 6 [default = true]; optional E none = 7;
      optional fixed32 f = 8 [default = 7]; optional bytes y = 9 [default = "\\xff"];
      extensions 100 to max; reserved 50, 60 to 70; reserved "old";
    }
    extend M { optional int32 more = 100; }`;
  const columns = {
    ...{ id: 'int', s: 'text', n: 'bigint', d: 'float8', e: 'text', b: 'bool', none: 'text' },
    ...{ f: 'int', y: 'bytea' },
  };
  const [row, missing] = decoded(proto, columns, [hex('0807'), hex('')]);
  assert.deepEqual(row, ['7', 'a"AA', '-16', '-Infinity', 'B', 't', null, '7', '\\xff']);
  assert.equal(
    missing,
    '22P03 at 0: column "id": invalid Protobuf record: required field "id" is missing',
  );
});

test('repeated: packed, unpacked and mixed, as arrays and as jsonb', () => {
  const proto = `syntax = "proto3";
    message M { repeated sint32 n = 1; repeated string s = 2; repeated I i = 3; message I { int32 v = 1; } }`;
  const columns = { n: 'int[]', s: 'text[]', i: 'jsonb' };
  const value = { n: [1, -2, 3], s: ['a', '', 'b'], i: [{ v: 1 }, {}] };
  const wanted = ['{1,-2,3}', '{a,"",b}', '[{"v": 1}, {"v": 0}]'];
  assert.deepEqual(decoded(proto, columns, [encoded(proto, value)]), [wanted]);
  assert.deepEqual(
    protobufColumns(parseProtobufSchema(proto), null).map(
      ({ type }) => type.element?.id ?? type.id,
    ),
    ['int4', 'text', 'jsonb'],
  );
  const mixed = hex('08 02 0a 02 03 06 08 08');
  assert.deepEqual(decoded(proto, { n: 'bigint[]' }, [mixed]), [['{1,-2,3,4}']]);
  assert.deepEqual(decoded(proto, { n: 'jsonb', s: 'jsonb' }, [mixed]), [['[1, -2, 3, 4]', '[]']]);
});

test('maps, nested messages, enums and wrappers as jsonb', () => {
  const proto = `syntax = "proto3";
    import "google/protobuf/wrappers.proto";
    message M { map<int64, Inner> m = 1; map<string, bytes> y = 2; map<bool, double> b = 3; Inner i = 4; }
    message Inner {
      Kind kind = 1; optional int32 o = 2; repeated int64 l = 3; Inner next = 4; map<string, int32> m = 5;
      oneof c { string x = 6; int32 z = 7; } google.protobuf.Int64Value w = 8;
    }
    enum Kind { NONE = 0; SOME = 1; }`;
  const inner = { kind: 1, o: 0, l: ['9007199254740993'], next: { x: 'a"b' }, m: { k: 1 } };
  const value = { m: { '-5': inner }, y: { a: Buffer.from([1]) }, b: { true: NaN }, i: { z: 3 } };
  const rest = '"l": [], "m": {}';
  const jsons = { m: 'jsonb', y: 'jsonb', b: 'jsonb', i: 'jsonb' };
  assert.deepEqual(decoded(proto, jsons, [encoded(proto, value)]), [
    [
      `{"-5": {"l": [9007199254740993], "m": {"k": 1}, "o": 0, "kind": "SOME", "next": {${rest}, "x": "a\\"b", "kind": "NONE"}}}`,
      '{"a": "\\\\x01"}',
      '{"true": "NaN"}',
      `{${rest}, "z": 3, "kind": "NONE"}`,
    ],
  ]);
  // An entry without key and value, one with a key only, and the last of two equal keys.
  const entries = hex('0a00 0a02 0805 0a04 0805 1200 0a06 0805 1202 0801');
  assert.deepEqual(decoded(proto, { m: 'jsonb' }, [entries]), [
    [`{"0": {${rest}, "kind": "NONE"}, "5": {${rest}, "kind": "SOME"}}`],
  ]);
  // The wrapper's zero is a value.
  assert.deepEqual(decoded(proto, { i: 'jsonb' }, [hex('2202 4200')]), [
    [`{${rest}, "w": 0, "kind": "NONE"}`],
  ]);
});

test('well-known messages', () => {
  const proto = `syntax = "proto3";
    import public "google/protobuf/timestamp.proto";
    message M {
      google.protobuf.Timestamp at = 1; .google.protobuf.Duration took = 2; google.type.Date day = 3;
      google.type.TimeOfDay time = 4; google.type.Decimal price = 5; confluent.type.Decimal exact = 6;
      google.protobuf.StringValue name = 7; google.protobuf.Struct data = 8; google.protobuf.Value v = 9;
      repeated google.protobuf.Timestamp times = 10; google.protobuf.BoolValue flag = 11;
    }`;
  const schema = parseProtobufSchema(proto);
  const columns = protobufColumns(schema, null);
  assert.deepEqual(
    columns.map(({ type }) => type.element?.id ?? type.id),
    [
      ...[
        'timestamptz',
        'interval',
        'date',
        'time',
        'numeric',
        'numeric',
        'text',
        'jsonb',
        'jsonb',
      ],
      ...['timestamptz', 'bool'],
    ],
  );
  const message = hex(
    '0a0c 08 e8bfefac06 10 808ce4c601' + // 416,876,032 ns
      '1202 0861' + // 97 s
      '1a07 08e80f 1002 181d' + // 2024-02-29
      '2206 080a 1014 181e' + // 10:20:30
      '2a06 0a04 312e3530' + // 1.50
      '3206 0a02 ff38 1802' + // -2.00
      '3a00' + // ''
      '4a02 0800' + // null
      '5202 0801 5200' +
      '5a02 0801',
  );
  const types = Object.fromEntries(
    columns.map(({ name, type }) => [
      name,
      type.element === null ? type.id : `${type.element.id}[]`,
    ]),
  );
  assert.deepEqual(decoded(proto, types, [message, Buffer.alloc(0)]), [
    [
      ...[
        '2024-01-08 11:43:36.416876+00',
        '00:01:37',
        '2024-02-29',
        '10:20:30',
        '1.50',
        '-2.00',
        '',
      ],
      ...[null, 'null', '{"1970-01-01 00:00:01+00","1970-01-01 00:00:00+00"}', 't'],
    ],
    [null, null, null, null, null, null, null, null, null, '{}', null],
  ]);
  const struct = `syntax = "proto3"; package google.protobuf;
    message M { Struct data = 8; } message Struct { map<string, Value> fields = 1; }
    message Value { oneof kind { int32 null_value = 1; double number_value = 2; string string_value = 3;
      bool bool_value = 4; Struct struct_value = 5; ListValue list_value = 6; } }
    message ListValue { repeated Value values = 1; }`;
  const data = {
    fields: {
      n: { number_value: 1.5 },
      l: { list_value: { values: [{ null_value: 0 }, { string_value: 'x' }, {}] } },
      s: { struct_value: { fields: { b: { bool_value: false } } } },
      e: { list_value: {} },
    },
  };
  const type = protobuf.parse(struct, { keepCase: true }).root.resolveAll();
  const M = type.lookupType('google.protobuf.M');
  const bytes = M.encode(M.fromObject({ data })).finish();
  assert.deepEqual(decoded(proto, { data: 'jsonb' }, [bytes]), [
    ['{"e": [], "l": [null, "x", null], "n": 1.5, "s": {"b": false}}'],
  ]);
  const out = decoded(proto, { at: 'timestamp' }, [hex('0a06 10 ffffffff0f'), hex('0a00')]);
  assert.match(String(out[0]), /^22008 .*column "at": timestamp out of range/);
  assert.deepEqual(out[1], ['1970-01-01 00:00:00']);
  checkProtobufColumns(schema, null, columnsOf({ flag: 'boolean' }), DEFAULT_SETTINGS);
});

test('the last of several counts, messages are merged, a oneof has one', () => {
  const proto = `syntax = "proto3";
    message M { int32 a = 1; I i = 2; string s = 3; oneof c { string x = 4; I m = 5; int32 n = 6; I p = 7; } }
    message I { int32 v = 1; repeated int32 l = 2; I i = 3; oneof c { int32 x = 4; I y = 5; } }`;
  const columns = { a: 'int', i: 'jsonb', s: 'text', x: 'text', m: 'jsonb', n: 'int' };
  const wrap = (tag: string, body: string) =>
    `${tag}${hex(body).length.toString(16).padStart(2, '0')}${body}`;
  const message = (text: string) => decoded(proto, columns, [hex(text)])[0];
  assert.deepEqual(message('0801 1a0161 0802 1a03626262'), ['2', null, 'bbb', null, null, null]);
  const parts = `${wrap('12', '08011001')}${wrap('12', '1002')}${wrap('12', wrap('1a', '0805'))}${wrap('12', wrap('1a', '1007'))}`;
  assert.deepEqual(message(parts), [
    ...['0', '{"i": {"l": [7], "v": 5}, "l": [1, 2], "v": 1}', '', null, null, null],
  ]);
  assert.deepEqual(message('220161 3005'), ['0', null, '', null, null, '5']);
  assert.deepEqual(message('2a020801 220161'), ['0', null, '', 'a', null, null]);
  assert.deepEqual(message('220161 2a020801 2a020802'), [
    '0',
    null,
    '',
    null,
    '{"l": [], "v": 2}',
    null,
  ]);
  // A member that no column takes counts too.
  assert.deepEqual(message('220161 3a00'), ['0', null, '', null, null, null]);
  assert.deepEqual(message(wrap('12', '2005 2a020801')), [
    ...['0', '{"l": [], "v": 0, "y": {"l": [], "v": 1}}', '', null, null, null],
  ]);
});

test('unknown fields of every wire type are skipped, groups with what is in them', () => {
  const proto = 'syntax = "proto3"; message M { int32 a = 1; }';
  const unknown = `1005 19 0000000000000000 2203 616263 2d 00000000 33 3805 3b 3c 34 c2f504 02 0102`;
  assert.deepEqual(decoded(proto, { a: 'int' }, [hex(`${unknown} 0807 ${unknown}`)]), [['7']]);
});

test('broken bytes are told with their offset', () => {
  const proto = `syntax = "proto3"; message M { int32 a = 1; string s = 2; I i = 3; repeated int32 r = 4; }
    message I { int32 v = 1; }`;
  const columns = { a: 'int', s: 'text', i: 'jsonb', r: 'int[]' };
  const read = (text: string) => decoded(proto, columns, [hex(text)])[0];
  const deep = 'syntax = "proto3"; message M { M m = 1; int32 v = 2; }';
  const cases: readonly (readonly [string, string])[] = [
    ['08', '22P03 at 1: column "a": invalid Protobuf record: it ends too early'],
    ['0880', '22P03 at 1: column "a": invalid Protobuf record: it ends too early'],
    [
      '08ffffffffffffffffffff01',
      '22P03 at 1: column "a": invalid Protobuf record: a number of more than 64 bits',
    ],
    ['0805 1205 61', '22P03 at 3: column "s": invalid Protobuf record: it ends too early'],
    ['12ffffffffff0f', '22P03 at 1: column "s": invalid Protobuf record: it ends too early'],
    [
      '0d00000000',
      '22P03 at 1: column "a": invalid Protobuf record: wire type 5 where 0 is expected',
    ],
    ['0001', '22P03 at 0: invalid Protobuf record: a field of number 0'],
    ['0f', '22P03 at 0: invalid Protobuf record: wire type 7'],
    ['34', '22P03 at 1: invalid Protobuf record: the end of a group that did not begin'],
    ['33 3c', '22P03 at 2: invalid Protobuf record: the end of another group'],
    ['1202c328', '22021 at 4: column "s": invalid byte sequence for encoding "UTF8": 0xc3 0x28'],
    ['1a020880', '22P03 at 3: column "i": invalid Protobuf record: it ends too early'],
    ['2203 01 8080', '22P03 at 3: column "r": invalid Protobuf record: it ends too early'],
  ];
  assert.deepEqual(
    cases.map(([text]) => read(text)),
    cases.map(([, error]) => error),
  );
  // The next message is read as if nothing had been.
  assert.deepEqual(decoded(proto, columns, [hex('2201058'.slice(0, 6) + '08'), hex('0801')])[1], [
    ...['1', '', null, '{}'],
  ]);
  let nested = Buffer.alloc(0);
  for (let i = 0; i < 150; i += 1) {
    const head = new ByteWriter();
    head.u8(0x0a);
    head.varint(nested.length);
    nested = Buffer.concat([head.written, nested]);
  }
  assert.match(String(decoded(deep, { m: 'jsonb' }, [nested])[0]), /^54001 .*nested too deeply/);
  assert.match(String(decoded(deep, { v: 'int' }, [Buffer.alloc(300, 0x1b)])[0]), /^54001/);
});

test('framed messages: ids, paths to types, evolution, references', () => {
  const columns = { id: 'bigint', name: 'text', late: 'int', total: 'numeric' };
  const decoder = new ProtobufDecoder(
    columnsOf(columns),
    { schema: null, isFramed: true, message: null },
    DEFAULT_SETTINGS,
  );
  const learn = (id: number, text: string, references: string[] = [], type = 'PROTOBUF') =>
    decoder.learnSchema(id, { type, text, references });
  learn(1, 'syntax = "proto3"; message M { int32 id = 1; string name = 2; }');
  learn(
    2,
    `syntax = "proto3"; package p; import "money.proto";
     message Other { message In { map<int32, int32> m = 1; message Deep { string name = 9; } int32 id = 3; } }
     message M { int64 id = 1; optional int32 late = 3; shared.Money price = 4; string total = 5; }`,
    ['syntax = "proto3"; package shared; message Money { int64 units = 1; }'],
  );
  learn(3, '{}', [], 'AVRO');
  learn(4, 'message {');
  const framed = (id: number, path: string, body: string) =>
    hex(`00000000${`0${id}`.slice(-2)}${path}${body}`);
  const messages = [
    framed(1, '00', '0805 120161'),
    framed(2, '0202', '0807 1801 2a03312e35'),
    framed(2, '040000', '1809'),
    framed(2, '06000000', '4a0162'),
    framed(1, '0200', '0805'),
    framed(1, '00', '0806'),
    framed(9, '00', ''),
    framed(3, '00', ''),
    framed(4, '00', ''),
    framed(1, '0208', ''),
    framed(1, '01', ''),
    hex('7b7d'),
  ];
  assert.deepEqual(results(decoder, columns, messages), [
    ['5', 'a', null, null],
    ['7', null, '1', '1.5'],
    ['9', null, null, null],
    [null, 'b', null, null],
    ['5', '', null, null],
    ['6', '', null, null],
    '22P03 at 0: schema 9 is not in the schema registry',
    '42804 at 0: schema 3 is AVRO, not PROTOBUF',
    '22023 at 0: invalid Protobuf schema: line 1: a name is expected, not "{"',
    '22P03 at 7: invalid Protobuf record: schema 1 has no message 4',
    '22P03 at 6: invalid Protobuf record: -1 message indexes',
    '22P03 at 0: invalid Protobuf record: it does not begin with 0, a schema id and message indexes',
  ]);
});

test('the message that is named, and columns that do not fit', () => {
  const proto = `syntax = "proto3"; package shop;
    message First { int32 a = 1; } message Order { message Line { bool b = 1; } string s = 2; }`;
  const schema = parseProtobufSchema(proto);
  const names = (message: string | null) =>
    protobufColumns(schema, message).map(({ name }) => name);
  assert.deepEqual(
    [names(null), names('Order'), names('shop.Order.Line'), names('Line')],
    [['a'], ['s'], ['b'], ['b']],
  );
  assert.throws(() => names('None'), { message: 'the Protobuf schema has no message "None"' });
  const check = (type: string) =>
    checkProtobufColumns(schema, 'Order', columnsOf({ S: type, other: 'int' }), DEFAULT_SETTINGS);
  check('numeric');
  assert.throws(() => check('integer'), {
    sqlstate: '42804',
    message: 'column "S": Protobuf string does not fit type integer',
  });
  const options = { schema: null, isFramed: true, message: 'Order' };
  const decoder = new ProtobufDecoder(columnsOf({ s: 'int' }), options, DEFAULT_SETTINGS);
  decoder.learnSchema(1, { type: 'PROTOBUF', text: proto, references: [] });
  assert.deepEqual(
    results(decoder, { s: 'int' }, [hex('000000000100'), hex('00000000010202120161')]),
    [
      '42804 at 6: Protobuf message "shop.First" is not "Order"',
      '42804 at 8: column "s": Protobuf string does not fit type integer',
    ],
  );
});
