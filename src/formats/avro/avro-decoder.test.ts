/** Avro messages as rows; avsc encodes, as the witness. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import avro from 'avsc';
import * as fc from 'fast-check';
import type { DataType } from '../../types/data-type.ts';
import { DEFAULT_SETTINGS, parseTypeName } from '../../types/value.ts';
import { decodeMessages, jsonValueOf } from '../message-fixture.ts';
import { AvroDecoder, avroColumns, checkAvroColumns } from './avro-decoder.ts';
import { parseAvroSchema } from './schema.ts';

type Columns = Readonly<Record<string, string>>;

function columnsOf(columns: Columns): { name: string; type: DataType }[] {
  return Object.entries(columns).map(([name, type]) => ({ name, type: parseTypeName(type) }));
}

const record = (fields: readonly object[]) => ({ type: 'record', name: 'R', fields });

/** Rows (or error texts) of bare messages of a schema. */
function decoded(schema: unknown, columns: Columns, messages: readonly Buffer[]): unknown[] {
  const wanted = columnsOf(columns);
  const options = {
    schema: parseAvroSchema(JSON.stringify(schema)),
    isFramed: false,
    message: null,
  };
  const decoder = new AvroDecoder(wanted, options, DEFAULT_SETTINGS);
  const types = wanted.map(({ type }) => type);
  return decodeMessages(decoder, types, messages).map(
    ({ row, error }) => row ?? `${error!.sqlstate} at ${error!.offset}: ${error!.text}`,
  );
}

/** One record's row through avsc and back. */
function roundTrip(schema: avro.Schema, columns: Columns, value: unknown): unknown {
  const type = avro.Type.forSchema(schema, { wrapUnions: true });
  return decoded(schema, columns, [type.toBuffer(value)])[0];
}

/** An Avro long. */
function long(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

const field = (name: string, type: unknown, more: object = {}) => ({ name, type, ...more });

test('scalars, enums, fixed, arrays, and what nobody wants', () => {
  const schema = record([
    field('b', 'boolean'),
    field('i', 'int'),
    field('skipped', { type: 'map', values: { type: 'array', items: 'string' } }),
    field('l', 'long'),
    field('f', 'float'),
    field('d', 'double'),
    field('s', 'string'),
    field('y', 'bytes'),
    field('e', { type: 'enum', name: 'E', symbols: ['RED', 'BLUE'] }),
    field('x', { type: 'fixed', name: 'F', size: 2 }),
    field('a', { type: 'array', items: ['null', 'string'] }),
    field('n', ['null', 'int']),
  ]) as avro.Schema;
  const columns = {
    n: 'int',
    b: 'boolean',
    i: 'bigint',
    l: 'bigint',
    f: 'real',
    d: 'double precision',
    s: 'text',
    y: 'bytea',
    e: 'text',
    x: 'bytea',
    a: 'text[]',
    absent: 'int',
  };
  const value = {
    b: true,
    i: -5,
    skipped: { p: ['q', 'r'], t: [] },
    l: 2 ** 50,
    f: 1.5,
    d: -2.25,
    s: 'grün, längerer Text',
    y: Buffer.from([0, 255]),
    e: 'BLUE',
    x: Buffer.from([1, 2]),
    a: [{ string: 'x' }, null],
    n: null,
  };
  assert.deepEqual(roundTrip(schema, columns, value), [
    ...[null, 't', '-5', '1125899906842624', '1.5', '-2.25', 'grün, längerer Text', '\\x00ff'],
    ...['BLUE', '\\x0102', '{x,NULL}', null],
  ]);
});

test('longs of 64 bits are exact; a bigint too small for a smaller column is refused', () => {
  const schema = record([field('v', 'long')]);
  const values = [0n, -1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), -(2n ** 31n), 2n ** 31n];
  const messages = values.map(long);
  assert.deepEqual(
    decoded(schema, { v: 'bigint' }, messages),
    values.map((value) => [String(value)]),
  );
  assert.deepEqual(
    decoded(schema, { v: 'numeric' }, messages),
    values.map((value) => [String(value)]),
  );
  assert.deepEqual(decoded(schema, { v: 'int' }, messages.slice(5)), [
    ['-2147483648'],
    '22003 at 5: column "v": integer out of range',
  ]);
});

test('logical types', () => {
  const logical = (type: string, logicalType: string, more: object = {}) => ({
    type,
    logicalType,
    ...more,
  });
  const schema = record([
    field('dec', logical('bytes', 'decimal', { precision: 30, scale: 3 })),
    field('fix', {
      ...logical('fixed', 'decimal', { precision: 4, scale: 2 }),
      name: 'D',
      size: 2,
    }),
    field('day', logical('int', 'date')),
    field('tm', logical('int', 'time-millis')),
    field('tu', logical('long', 'time-micros')),
    field('sm', logical('long', 'timestamp-millis')),
    field('su', logical('long', 'timestamp-micros')),
    field('lm', logical('long', 'local-timestamp-millis')),
    field('lu', logical('long', 'local-timestamp-micros')),
    field('id', logical('string', 'uuid')),
    field('bad', logical('int', 'decimal')),
  ]);
  const id = '0123abcd-89ab-cdef-0123-456789abcdef';
  const message = Buffer.concat([
    long(10n),
    Buffer.from('ff000000000000000000', 'hex'),
    Buffer.from([0xff, 0x85]),
    ...[-1n, 3_600_001n, 1n, -1n, 1_700_000_000_000_001n, 0n, 253_402_300_799_999_999n].map(long),
    ...[long(36n), Buffer.from(id), long(7n)],
  ]);
  const parsed = parseAvroSchema(JSON.stringify(schema));
  const columns = avroColumns(parsed, null);
  assert.deepEqual(
    columns.map(({ type }) => type.id),
    [
      ...['numeric', 'numeric', 'date', 'time', 'time', 'timestamptz', 'timestamptz'],
      ...['timestamp', 'timestamp', 'uuid', 'int4'],
    ],
  );
  const decoder = new AvroDecoder(
    columns,
    { schema: parsed, isFramed: false, message: null },
    DEFAULT_SETTINGS,
  );
  const types = columns.map(({ type }) => type);
  const row = [
    ...['-4722366482869645213.696', '-1.23', '1969-12-31', '01:00:00.001', '00:00:00.000001'],
    ...['1969-12-31 23:59:59.999+00', '2023-11-14 22:13:20.000001+00', '1970-01-01 00:00:00'],
    ...['9999-12-31 23:59:59.999999', id, '7'],
  ];
  assert.deepEqual(decodeMessages(decoder, types, [message]), [{ row, error: null }]);
});

test('unions take the branch that fits', () => {
  const schema = record([field('v', ['null', 'string', 'long'])]);
  const text = Buffer.concat([long(1n), long(2n), Buffer.from('ab')]);
  const messages = [long(0n), text, Buffer.concat([long(2n), long(7n)]), long(3n)];
  assert.deepEqual(decoded(schema, { v: 'bigint' }, messages), [
    [null],
    '42804 at 1: column "v": Avro string does not fit type bigint',
    ['7'],
    '22P03 at 0: column "v": invalid Avro record: branch 3 of 3',
  ]);
  assert.deepEqual(decoded(schema, { v: 'jsonb' }, messages.slice(0, 3)), [
    [null],
    ['"ab"'],
    ['7'],
  ]);
});

test('a schema that contains itself', () => {
  const schema = {
    type: 'record',
    name: 'Node',
    fields: [field('v', 'int'), field('next', ['null', 'Node'])],
  };
  const chain = (length: number) =>
    Buffer.concat([...Array.from({ length }, () => Buffer.from([2, 2])), Buffer.from([4, 0])]);
  const [row, tooDeep] = decoded(schema, { v: 'int', next: 'jsonb' }, [chain(2), chain(200)]);
  assert.deepEqual(row, ['1', '{"v": 1, "next": {"v": 2, "next": null}}']);
  assert.match(String(tooDeep), /^54001 .*nested too deeply/);
  assert.match(String(decoded(schema, { v: 'int' }, [chain(200)])[0]), /^54001/);
});

test('broken bytes are told with their offset', () => {
  const schema = record([field('i', 'int'), field('s', 'string')]);
  const ends: Buffer[] = ['', '02', '0206ab', '020261ff', '02ff', '80808080ff01', '0201'].map(
    (hex) => Buffer.from(hex, 'hex'),
  );
  assert.deepEqual(decoded(schema, { i: 'int', s: 'text' }, ends), [
    '22P03 at 0: column "i": invalid Avro record: it ends too early',
    '22P03 at 1: column "s": invalid Avro record: it ends too early',
    '22P03 at 2: column "s": invalid Avro record: it ends too early',
    '22P03 at 3: invalid Avro record: 1 bytes behind its end',
    '22P03 at 1: column "s": invalid Avro record: it ends too early',
    '22P03 at 0: column "i": invalid Avro record: an int of more than 32 bits',
    '22P03 at 1: column "s": invalid Avro record: a negative length',
  ]);
  const text = Buffer.from('0204c328', 'hex');
  assert.deepEqual(decoded(schema, { i: 'int', s: 'text' }, [text]), [
    '22021 at 4: column "s": invalid byte sequence for encoding "UTF8": 0xc3 0x28',
  ]);
});

test('items without bytes are bounded', () => {
  const schema = record([field('a', { type: 'array', items: 'null' })]);
  const message = Buffer.concat([long(2n ** 60n), long(0n)]);
  for (const columns of [{ a: 'jsonb' }, { other: 'int' }] as Columns[]) {
    assert.match(String(decoded(schema, columns, [message])[0]), /^54000 .*empty items/);
  }
});

test('framed messages: schemas by id, evolution by names, aliases, defaults and promotions', () => {
  const reader = record([
    field('id', 'long'),
    field('full_name', ['null', 'string'], { aliases: ['name'], default: null }),
    field('level', 'int', { default: 3 }),
    field('price', 'double'),
  ]);
  const first = record([field('price', 'float'), field('name', 'string'), field('id', 'int')]);
  const second = record([
    field('id', 'long'),
    field('more', 'bytes'),
    field('title', 'string', { aliases: ['full_name'] }),
    field('level', 'int'),
    field('price', 'long'),
  ]);
  const columns = columnsOf({
    id: 'bigint',
    full_name: 'text',
    level: 'int',
    price: 'double precision',
  });
  const options = {
    schema: parseAvroSchema(JSON.stringify(reader)),
    isFramed: true,
    message: null,
  };
  const decoder = new AvroDecoder(columns, options, DEFAULT_SETTINGS);
  const schema = (json: object, type = 'AVRO') => ({
    type,
    text: JSON.stringify(json),
    references: [],
  });
  decoder.learnSchema(1, schema(first));
  decoder.learnSchema(7, schema(second));
  decoder.learnSchema(8, schema({}, 'PROTOBUF'));
  decoder.learnSchema(9, schema({ type: 'record', name: 'X' }));
  const framed = (id: number, body: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, 0, id]), body]);
  const one = avro.Type.forSchema(first as avro.Schema).toBuffer({ price: 1.5, name: 'a', id: 1 });
  const two = avro.Type.forSchema(second as avro.Schema).toBuffer({
    ...{ id: 2, more: Buffer.from('x'), title: 'b', level: 9, price: 4 },
  });
  const messages = [framed(1, one), framed(7, two), framed(1, one), framed(2, one)];
  messages.push(framed(8, one), framed(9, one), Buffer.from('{"id": 1}'), Buffer.from([0, 0]));
  const types = columns.map(({ type }) => type);
  const results = decodeMessages(decoder, types, messages).map(
    ({ row, error }) => row ?? `${error!.sqlstate} at ${error!.offset}: ${error!.text}`,
  );
  assert.deepEqual(results, [
    ['1', 'a', '3', '1.5'],
    ['2', 'b', '9', '4'],
    ['1', 'a', '3', '1.5'],
    '22P03 at 0: schema 2 is not in the schema registry',
    '42804 at 5: schema 8 is PROTOBUF, not AVRO',
    '22023 at 5: invalid Avro schema: record "X" has no fields',
    '22P03 at 0: invalid Avro record: it does not begin with 0 and a schema id',
    '22P03 at 0: invalid Avro record: it does not begin with 0 and a schema id',
  ]);
});

test('of a union of records the one that is named is read', () => {
  const branch = (name: string, type: string) => ({
    type: 'record',
    name,
    namespace: 'shop',
    fields: [field('v', type)],
  });
  const schema = parseAvroSchema(JSON.stringify([branch('A', 'int'), branch('B', 'long')]));
  const columns = columnsOf({ v: 'bigint' });
  const messages = [Buffer.from([0, 4]), Buffer.from([2, 6])];
  const options = { schema, isFramed: false, message: 'B' };
  const decoder = new AvroDecoder(columns, options, DEFAULT_SETTINGS);
  const types = columns.map(({ type }) => type);
  const read = decodeMessages(decoder, types, messages);
  assert.deepEqual(
    read.map(({ row, error }) => row ?? error!.text),
    ['Avro record "shop.A" is not the message "B"', ['3']],
  );
  assert.throws(() => avroColumns(schema, null), { sqlstate: '22023' });
  assert.throws(() => avroColumns(schema, 'C'), { message: 'the Avro schema has no record "C"' });
});

test('columns of types that do not fit are refused with both types', () => {
  const schema = parseAvroSchema(
    JSON.stringify(record([field('v', ['null', 'string']), field('w', 'double')])),
  );
  const check = (columns: Columns) => () =>
    checkAvroColumns(schema, null, columnsOf(columns), DEFAULT_SETTINGS);
  assert.throws(check({ v: 'bigint' }), {
    sqlstate: '42804',
    message: 'column "v": Avro union of null, string does not fit type bigint',
  });
  assert.throws(check({ w: 'integer' }), {
    message: 'column "w": Avro double does not fit type integer',
  });
  check({ v: 'timestamptz', w: 'real', x: 'text' })();
});

test('broken schemas', () => {
  const reason = (text: string) => {
    try {
      parseAvroSchema(text);
      return null;
    } catch (error) {
      return (error as Error).message.replace('invalid Avro schema: ', '');
    }
  };
  assert.deepEqual(
    [
      '{',
      '"x.Y"',
      '[]',
      '{"type":"enum","name":"E"}',
      '[["null"]]',
      '{"type":"fixed","name":"F"}',
    ].map(reason),
    [
      'it is not JSON',
      'type "x.Y" is not defined',
      'a union has no branches',
      'enum "E" has no symbols',
      'a union is in a union',
      'fixed "F" has no valid size',
    ],
  );
  assert.equal(reason('['.repeat(200) + '"null"' + ']'.repeat(200)), 'it is nested too deeply');
});

/** A random schema with a value of it and the JSON that we should read. */
interface Case {
  readonly schema: object | string;
  readonly value: unknown;
  readonly json: unknown;
}

const scalar: fc.Arbitrary<Case> = fc.oneof(
  fc.boolean().map((value) => ({ schema: 'boolean', value, json: value })),
  fc.integer().map((value) => ({ schema: 'int', value, json: value })),
  // The witness loses the last bit beyond 2^52.
  fc
    .integer({ min: -(2 ** 52), max: 2 ** 52 - 1 })
    .map((value) => ({ schema: 'long', value, json: value })),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map((value) => ({ schema: 'double', value, json: value === 0 ? 0 : value })),
  fc
    .string({ unit: 'binary' })
    .map((text) => text.replaceAll('\0', '.'))
    .map((value) => ({ schema: 'string', value, json: value })),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => ({
    schema: 'bytes',
    value: Buffer.from(bytes),
    json: `\\x${Buffer.from(bytes).toString('hex')}`,
  })),
  fc.constant({ schema: 'null', value: null, json: null }),
);

/** Types are built around values: several items of one schema are copies of one. */
const { any } = fc.letrec<{ any: Case }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.tuple(tie('any'), fc.nat(3)).map(([one, n]) => ({
      schema: { type: 'array', items: one.schema },
      value: Array(n).fill(one.value),
      json: Array(n).fill(one.json),
    })),
    fc.tuple(tie('any'), fc.nat(3)).map(([one, n]) => ({
      schema: { type: 'map', values: one.schema },
      value: Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, one.value])),
      json: Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, one.json])),
    })),
    fc.array(tie('any'), { maxLength: 4 }).map(asRecord),
  ),
}));

let names = 0;
function asRecord(cases: readonly Case[]): Case {
  names += 1;
  return {
    schema: {
      type: 'record',
      name: `T${names}`,
      fields: cases.map(({ schema }, i) => field(`f${i}`, schema)),
    },
    value: Object.fromEntries(cases.map(({ value }, i) => [`f${i}`, value])),
    json: Object.fromEntries(cases.map(({ json }, i) => [`f${i}`, json])),
  };
}

test('random schemas and values: what avsc encodes is read as it was, or moved over', () => {
  fc.assert(
    fc.property(fc.array(any, { minLength: 1, maxLength: 6 }), (cases) => {
      const { schema, value } = asRecord(renamed(cases));
      const bytes = avro.Type.forSchema(schema as avro.Schema).toBuffer(value);
      const wanted = cases.map((_, i) => i).filter((i) => i % 2 === 0);
      const columns = Object.fromEntries(wanted.map((i) => [`f${i}`, 'jsonb']));
      const [row] = decoded(schema, columns, [bytes]) as [(string | null)[]];
      assert.ok(Array.isArray(row), String(row));
      const read = row.map((text) => (text === null ? null : jsonValueOf(text)));
      assert.deepEqual(read, jsonValueOf(JSON.stringify(wanted.map((i) => cases[i]!.json))));
      for (let size = 0; size < bytes.length; size += 1 + (size >> 3)) {
        const [broken] = decoded(schema, columns, [bytes.subarray(0, size)]);
        assert.match(String(broken), /^22P03 at \d+: /);
      }
    }),
    { numRuns: 300 },
  );
});

/** fast-check may use a case twice: names of records must differ. */
function renamed(cases: readonly Case[]): Case[] {
  return cases.map((one) => ({
    ...one,
    schema: JSON.parse(JSON.stringify(one.schema), (key, value) =>
      key === 'name' && String(value).startsWith('T') ? `T${++names}` : value,
    ),
  }));
}
