/** Random schemas and messages that protobufjs encodes, whole and broken. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import protobuf from 'protobufjs';
import { SqlError } from '../../base/sql-error.ts';
import { DEFAULT_SETTINGS } from '../../types/value.ts';
import { columnsOf, decodeMessages, jsonValueOf } from '../message-fixture.ts';
import { ProtobufDecoder } from './protobuf-decoder.ts';
import { type ProtobufSchema, parseProtobufSchema } from './schema.ts';

/** A type, a value of it as protobufjs takes it, and the JSON that we should read. */
interface Case {
  readonly type: string;
  readonly value: unknown;
  readonly json: unknown;
  /** What a missing field is. */
  readonly zero: unknown;
}

interface Message {
  /** What stands between the braces. */
  readonly body: string;
  readonly value: Record<string, unknown>;
  readonly json: Record<string, unknown>;
}

const safe = { min: -(2 ** 53) + 1, max: 2 ** 53 - 1 };
const integers = (types: readonly string[], range: fc.IntegerConstraints): fc.Arbitrary<Case> =>
  fc.tuple(fc.constantFrom(...types), fc.maxSafeInteger()).map(([type, seed]) => ({
    type,
    value: within(seed, range),
    json: within(seed, range),
    zero: 0,
  }));

function within(seed: number, { min = safe.min, max = safe.max }: fc.IntegerConstraints): number {
  return min + (Math.abs(seed) % (max - min + 1));
}

const texts = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '.'));
const scalars: fc.Arbitrary<Case> = fc.oneof(
  integers(['int32', 'sint32', 'sfixed32'], { min: -(2 ** 31), max: 2 ** 31 - 1 }),
  integers(['uint32', 'fixed32'], { min: 0, max: 2 ** 32 - 1 }),
  integers(['int64', 'sint64', 'sfixed64'], { min: -(2 ** 52), max: 2 ** 52 - 1 }),
  integers(['uint64', 'fixed64'], { min: 0, max: 2 ** 53 - 1 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => number('double', value)),
  fc.boolean().map((value) => ({ type: 'bool', value, json: value, zero: false })),
  texts.map((value) => ({ type: 'string', value, json: value, zero: '' })),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => ({
    type: 'bytes',
    value: Buffer.from(bytes),
    json: `\\x${Buffer.from(bytes).toString('hex')}`,
    zero: '\\x',
  })),
  fc.constantFrom(['A', 0], ['B', 3], ['7', 7]).map(([json, value]) => ({
    ...{ type: 'Color', value, json, zero: 'A' },
  })),
);

function number(type: string, value: number): Case {
  return { type, value, json: value === 0 ? 0 : value, zero: 0 };
}

type Label = 'implicit' | 'optional' | 'missing' | 'repeated' | 'unpacked' | 'map' | 'oneof';
const labels = fc.constantFrom<Label>(
  ...(['implicit', 'optional', 'missing', 'repeated', 'unpacked', 'map', 'oneof'] as const),
);
const numbers = fc.uniqueArray(
  fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(536_870_911)),
  {
    minLength: 5,
    maxLength: 5,
  },
);

const { message } = fc.letrec<{ message: Message }>((tie) => ({
  message: fc
    .tuple(
      numbers,
      fc.array(
        fc.tuple(labels, fc.oneof({ depthSize: 'small' }, scalars, tie('message').map(asCase))),
        { maxLength: 5 },
      ),
    )
    .map(([numbered, fields]) => asMessage(numbered, fields)),
}));

let names = 0;

/** A message as a field: its declaration stands in the field's own message. */
function asCase(inner: Message): Case {
  return { type: `{${inner.body}}`, value: inner.value, json: inner.json, zero: undefined };
}

function asMessage(
  numbered: readonly number[],
  fields: readonly (readonly [Label, Case])[],
): Message {
  let body = '';
  const value: Record<string, unknown> = {};
  const json: Record<string, unknown> = {};
  for (const [i, [label, one]] of fields.entries()) {
    const name = `f${i}`;
    let { type } = one;
    if (type.startsWith('{')) {
      names += 1;
      body += `message N${names} ${type}\n`;
      type = `N${names}`;
    }
    body += `${declared(label, type, name, numbered[i]!, one)}\n`;
    fill(label, name, one, value, json);
  }
  return { body, value, json };
}

function declared(label: Label, type: string, name: string, number: number, one: Case): string {
  if (label === 'map') return `map<string, ${type}> ${name} = ${number};`;
  if (label === 'oneof') return `oneof c${name} { ${type} ${name} = ${number}; }`;
  if (label === 'repeated') return `repeated ${type} ${name} = ${number};`;
  if (label === 'unpacked') {
    const isNumber = !['string', 'bytes'].includes(type) && one.zero !== undefined;
    return `repeated ${type} ${name} = ${number}${isNumber ? ' [packed = false]' : ''};`;
  }
  return `${label === 'optional' ? 'optional ' : ''}${type} ${name} = ${number};`;
}

function fill(
  label: Label,
  name: string,
  one: Case,
  value: Record<string, unknown>,
  json: Record<string, unknown>,
): void {
  switch (label) {
    case 'map':
      value[name] = { k: one.value, '': one.value };
      json[name] = { k: one.json, '': one.json };
      return;
    case 'repeated':
    case 'unpacked':
      value[name] = [one.value, one.value];
      json[name] = [one.json, one.json];
      return;
    case 'missing':
      if (one.zero !== undefined) json[name] = one.zero;
      return;
    default:
      value[name] = one.value;
      json[name] = one.json;
  }
}

function encoded(text: string, value: Record<string, unknown>): Buffer {
  const type = protobuf.parse(text, { keepCase: true }).root.resolveAll().lookupType('M');
  return Buffer.from(type.encode(type.create(value)).finish());
}

function decoderOf(schema: ProtobufSchema, fields: readonly string[]): ProtobufDecoder {
  const columns = columnsOf(Object.fromEntries(fields.map((name) => [name, 'jsonb'])));
  const options = { schema, isFramed: false, message: null };
  return new ProtobufDecoder(columns, options, DEFAULT_SETTINGS);
}

test('what protobufjs encodes is read as it was, or skipped; cut off it is refused or shorter', () => {
  const type = columnsOf({ j: 'jsonb' })[0]!.type;
  fc.assert(
    fc.property(message, ({ body, value, json }) => {
      // A string column takes JSON text, so the fields lie one message deeper.
      const text = `syntax = "proto3"; enum Color { A = 0; B = 3; }
        message M { I i = 1; message I { ${body} } }`;
      const schema = parseProtobufSchema(text);
      const bytes = encoded(text, { i: value });
      const decoder = decoderOf(schema, ['i']);
      const [read] = decodeMessages(decoder, [type], [bytes]);
      assert.ok(read!.row !== null, `${JSON.stringify(read)} ${text}`);
      assert.deepEqual(jsonValueOf(read!.row[0]!), jsonValueOf(JSON.stringify(json)), text);
      const [skipped] = decodeMessages(decoderOf(schema, ['none']), [type], [bytes]);
      assert.deepEqual(skipped, { row: [null], error: null });
      for (let size = 1; size < bytes.length; size += 1 + (size >> 3)) {
        const [broken] = decodeMessages(decoder, [type], [bytes.subarray(0, size)]);
        assert.equal(broken!.error?.sqlstate, '22P03');
      }
    }),
    { numRuns: 300 },
  );
});

test('random bytes are read or refused, never worse', () => {
  const text = `syntax = "proto3"; enum Color { A = 0; B = 3; }
    message M {
      int32 a = 1; string s = 2; repeated sint64 l = 3; M m = 4; oneof c { double d = 5; M o = 6; }
      map<string, M> x = 7; bytes y = 8; repeated M n = 9; bool b = 10; Color e = 11; fixed32 f = 12;
    }`;
  const columns = columnsOf({
    ...{ a: 'int', s: 'text', l: 'bigint[]', m: 'jsonb', d: 'float8', o: 'jsonb', x: 'jsonb' },
    ...{ y: 'bytea', n: 'jsonb', b: 'bool', e: 'text', f: 'bigint' },
  });
  const options = { schema: parseProtobufSchema(text), isFramed: false, message: null };
  const decoder = new ProtobufDecoder(columns, options, DEFAULT_SETTINGS);
  const types = columns.map(({ type }) => type);
  const byte = fc.oneof(
    fc.constantFrom(0x08, 0x12, 0x1a, 0x22, 0x29, 0x32, 0x3a, 0x42, 0x4a, 0x50, 0x58, 0x65, 1, 2),
    fc.integer({ min: 0, max: 255 }),
  );
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 30 }), (bytes) => {
      const [read] = decodeMessages(decoder, types, [Buffer.from(bytes)]);
      if (read!.error === null) return;
      assert.match(read!.error.sqlstate, /^(22P03|22021|54001)$/);
      assert.ok(read!.error.offset >= 0 && read!.error.offset <= bytes.length);
    }),
    { numRuns: 5000 },
  );
});

test('broken schemas', () => {
  const reason = (text: string) => {
    try {
      parseProtobufSchema(text);
      return null;
    } catch (error) {
      assert.ok(error instanceof SqlError, String(error));
      return error.message.replace('invalid Protobuf schema: ', '');
    }
  };
  assert.deepEqual(
    [
      'syntax = "proto4";',
      'message M { int32 a = 1; int32 b = 1; }',
      'message M { int32 a = 1; int32 a = 2; }',
      'message M { int32 a = 0; }',
      'message M { Unknown a = 1; }',
      'message M {}\nmessage M {}',
      '/* never\n closed',
      'message M {\n int32 a 1; }',
      'message M { int32 a = x; }',
      'message M { optional group G = 1 { int32 a = 2; } }',
      'enum E {}',
      'message M { optional int32 a = 1 [default = x]; }',
      'message M { int32 a = 1;',
      'import 5',
    ].map(reason),
    [
      'line 1: "proto4" is not expected',
      'message "M" has two fields of number 1',
      'message "M" has two fields "a"',
      'field "a" of message "M" has number 0',
      'type "Unknown" is not defined',
      'type "M" is defined twice',
      'line 1: "/" is not expected',
      'line 2: "=" is expected, not "1"',
      'line 1: a whole number is expected, not "x"',
      'a group in a Protobuf schema is not supported',
      'enum "E" has no values',
      null,
      'line 1: it ends too early',
      'line 1: it ends too early',
    ],
  );
  assert.equal(
    reason(`${'message M { '.repeat(50)}${'}'.repeat(50)}`),
    'line 1: messages are nested too deeply',
  );
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom(
          ...'message M { int32 a = 1 ; } enum oneof map < > [ ] ( ) . , "x" option'.split(' '),
        ),
        { maxLength: 20 },
      ),
      (words) => {
        reason(words.join(' '));
      },
    ),
  );
});

test('all of the language that says something about bytes', () => {
  const schema = parseProtobufSchema(`
    edition = "2023"; // a comment
    package a.b; import public "x.proto"; import weak 'y.proto';
    option java_package = "com.x"; option (my.opt).part = { a: 1 b: "}" c { d: [1, 2] } };
    option features.field_presence = IMPLICIT;
    service S { rpc Get (M) returns (stream M) { option (x) = "{"; } }
    message M {
      option deprecated = true; reserved 5, 7 to 9; reserved "q"; reserved later; extensions 100 to 200;
      enum E { option allow_alias = true; X = 0; Y = 0x10; Z = -1 [deprecated = true]; W = 020; reserved 7; }
      E e = 1; int32 i = 2 [features.field_presence = EXPLICIT, json_name = "I"];
      string r = 3 [features = { field_presence: IMPLICIT }]; .a.b.M.N n = 4; b.M m = 6;
      message N { /* nothing */ } ;
      oneof o { option (z) = 1; N on = 10; };
    }
    extend M { string more = 100; }`);
  const fields = schema.messages[0]!.message.fields;
  assert.deepEqual(
    fields.map(({ name, number, type, presence, oneof }) => [
      name,
      number,
      type.kind,
      presence,
      oneof,
    ]),
    [
      ['e', 1, 'enum', 'implicit', null],
      ['i', 2, 'int32', 'optional', null],
      ['r', 3, 'string', 'implicit', null],
      ['n', 4, 'message', 'optional', null],
      ['m', 6, 'message', 'optional', null],
      ['on', 10, 'message', 'optional', 'o'],
    ],
  );
  const [e] = fields;
  assert.deepEqual(e!.type.kind === 'enum' ? [...e!.type.values] : [], [
    [0, 'X'],
    [16, 'Y'],
    [-1, 'Z'],
  ]);
});
