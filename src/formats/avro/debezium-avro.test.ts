/** Debezium's change events as Avro, as its connectors describe them; avsc encodes, as the witness. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import avro from 'avsc';
import { DEFAULT_SETTINGS, parseTypeName } from '../../types/value.ts';
import { DELETE, NO_CHANGE, TRUNCATE, UPSERT } from '../change-decoder.ts';
import { readChanges } from '../change-fixture.ts';
import type { DecodedColumn } from '../csv.ts';
import { PLACEHOLDER_UUID } from '../debezium-change.ts';
import { avroColumns, checkAvroColumns } from './avro-decoder.ts';
import { debeziumRow, openDebeziumAvro } from './debezium-avro.ts';
import { parseAvroSchema } from './schema.ts';

const connect = (type: string, name: string) => ({
  type,
  'connect.version': 1,
  'connect.name': name,
});
const optional = (type: unknown) => ['null', type];

const ENVELOPE = {
  type: 'record',
  name: 'Envelope',
  namespace: 'cdc.public.items',
  fields: [
    {
      name: 'before',
      type: optional({
        type: 'record',
        name: 'Value',
        fields: [
          { name: 'id', type: 'int' },
          { name: 'name', type: optional('string'), default: null },
          {
            name: 'price',
            type: optional({ type: 'bytes', scale: 2, precision: 10, logicalType: 'decimal' }),
          },
          { name: 'at', type: optional(connect('long', 'io.debezium.time.MicroTimestamp')) },
          { name: 'day', type: optional(connect('int', 'io.debezium.time.Date')) },
          { name: 'seen', type: optional(connect('string', 'io.debezium.time.ZonedTimestamp')) },
          { name: 'doc', type: optional(connect('string', 'io.debezium.data.Json')) },
          { name: 'tags', type: optional({ type: 'array', items: optional('string') }) },
        ],
      }),
      default: null,
    },
    { name: 'after', type: optional('Value'), default: null },
    {
      name: 'source',
      type: { type: 'record', name: 'Source', fields: [{ name: 'lsn', type: 'long' }] },
    },
    { name: 'op', type: 'string' },
    { name: 'ts_ms', type: optional('long'), default: null },
  ],
};

const EVENT = eventType(ENVELOPE);
const TYPES = {
  id: 'int',
  name: 'text',
  price: 'numeric',
  at: 'timestamp',
  day: 'date',
  seen: 'timestamptz',
  doc: 'jsonb',
  tags: 'text[]',
};
const NOTHING = { name: null, price: null, at: null, day: null, seen: null, doc: null, tags: null };

function eventType(envelope: object): avro.Type {
  return avro.Type.forSchema(envelope as avro.Schema, { wrapUnions: 'never' });
}

/** An envelope whose rows have these fields. */
function envelopeOf(fields: readonly object[]): object {
  const [before, ...others] = ENVELOPE.fields;
  const row = { type: 'record', name: 'Value', fields };
  return { ...ENVELOPE, fields: [{ ...before, type: optional(row) }, ...others] };
}

function change(op: string, before: object | null, after: object | null): object {
  return { before, after, source: { lsn: 7 }, op, ts_ms: 1 };
}

function event(op: string, before: object | null, after: object | null): Buffer {
  const row = (fields: object | null) => (fields === null ? null : { ...NOTHING, ...fields });
  return EVENT.toBuffer(change(op, row(before), row(after)));
}

const columnsOf = (types: Readonly<Record<string, string>>) =>
  Object.entries(types).map(([name, text]) => ({ name, type: parseTypeName(text) }));
const COLUMNS = columnsOf(TYPES);
const SCHEMAS = { 3: ENVELOPE, 4: 'string' };

/** Reads messages (null: a tombstone) with ids of the schemas; `bare`: all are of it and have none. */
function read(
  messages: readonly (Buffer | null)[],
  schemas: Readonly<Record<number, unknown>> = SCHEMAS,
  columns: readonly DecodedColumn[] = COLUMNS,
  bare: object | null = null,
) {
  const schema = bare === null ? null : parseAvroSchema(JSON.stringify(bare));
  const decoder = openDebeziumAvro(columns, [0], schema, DEFAULT_SETTINGS);
  for (const [id, one] of Object.entries(schemas)) {
    decoder.learnSchema(Number(id), { type: 'AVRO', text: JSON.stringify(one), references: [] });
  }
  return readChanges(decoder, columns, messages);
}

const readBare = (messages: readonly (Buffer | null)[]) => read(messages, {}, COLUMNS, ENVELOPE);
const framed = (id: number, body: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, 0, id]), body]);

const FULL = {
  id: 1,
  name: 'Ada',
  price: Buffer.from([0x00, 0x96]),
  at: 1_700_000_000_123_456,
  day: 19_000,
  seen: '2024-06-01T12:00:00Z',
  doc: '{"a": [1]}',
  tags: ['x', null],
};
const FULL_ROW = [
  ...['1', 'Ada', '1.50', '2023-11-14 22:13:20.123456', '2022-01-08', '2024-06-01 12:00:00+00'],
  ...['{"a": [1]}', '{x,NULL}'],
];
const nulls = (id: string | null) => [id, null, null, null, null, null, null, null];

test('what a record does', () => {
  const found = readBare([
    event('c', null, FULL),
    event('u', { id: 1, name: 'never read' }, FULL),
    event('d', { id: 2, name: 'a default that was never there' }, null),
    event('t', null, null),
    event('m', null, null),
    null,
  ]);
  const none = { unavailable: [] };
  assert.deepEqual(found, [
    { op: UPSERT, row: FULL_ROW, ...none },
    { op: UPSERT, row: FULL_ROW, ...none },
    { op: DELETE, row: nulls('2'), ...none },
    { op: TRUNCATE, row: nulls(null), ...none },
    { op: NO_CHANGE },
    { op: NO_CHANGE },
  ]);
});

test('values that were left out because they have not changed', () => {
  const gone = '__debezium_unavailable_value';
  const found = readBare([
    event('u', null, { id: 1, name: gone, doc: gone, tags: [gone], seen: FULL.seen }),
    event('u', null, { id: 1, name: `about ${gone}` }),
  ]);
  const row = nulls('1');
  assert.deepEqual(found, [
    { op: UPSERT, row: row.with(5, '2024-06-01 12:00:00+00'), unavailable: [1, 6, 7] },
    { op: UPSERT, row: row.with(1, `about ${gone}`), unavailable: [] },
  ]);
});

test('messages with ids of schemas, and what is refused', () => {
  const found = read([
    framed(3, event('c', null, FULL)),
    framed(3, event('x', null, FULL)),
    framed(3, event('c', null, null)),
    framed(3, event('d', null, null)),
    framed(3, event('c', null, FULL).subarray(0, 20)),
    framed(4, Buffer.from([2, 65])),
    framed(9, event('c', null, FULL)),
    event('c', null, FULL),
  ]);
  assert.deepEqual(found, [
    { op: UPSERT, row: FULL_ROW, unavailable: [] },
    '22P02 the record has an unknown "op": "x"',
    '22P02 the record has no "after"',
    '22P02 the deleting record has no "before"',
    found[4],
    '42804 the Avro schema is none of Debezium: it needs "before", "after" and "op"',
    '22P03 schema 9 is not in the schema registry',
    found[7],
  ]);
  assert.match(String(found[4]), /^22P03 /);
  assert.match(String(found[7]), /^22P03 /);
});

test('columns are checked against the row', () => {
  const schema = parseAvroSchema(JSON.stringify(ENVELOPE));
  checkAvroColumns(debeziumRow(schema), null, COLUMNS, DEFAULT_SETTINGS);
  const wrong = [{ name: 'price', type: parseTypeName('int[]') }];
  assert.throws(
    () => checkAvroColumns(debeziumRow(schema), null, wrong, DEFAULT_SETTINGS),
    /column "price"/,
  );
});

test('a schema that changes amid the stream: columns by name', () => {
  const id = { name: 'id', type: 'int' };
  const name = { name: 'name', type: optional('string'), default: null };
  const day = { name: 'DAY', type: optional(connect('int', 'io.debezium.time.Date')) };
  const more = { name: 'more', type: optional('long'), default: null };
  const [first, second, third] = [
    [id, name],
    [id, more, name, day],
    [day, name],
  ].map(envelopeOf);
  const row = (schema: object, after: object) =>
    eventType(schema).toBuffer(change('u', null, after));
  const gone = '__debezium_unavailable_value';
  const found = read(
    [
      framed(1, row(first!, { id: 1, name: 'a' })),
      framed(2, row(second!, { id: 1, name: 'b', more: 7, DAY: 0 })),
      framed(2, row(second!, { id: 1, name: gone, more: 8, DAY: null })),
      framed(1, row(first!, { id: 2, name: null })),
      framed(3, row(third!, { DAY: 0, name: 'no key' })),
    ],
    { 1: first, 2: second, 3: third },
    columnsOf({ id: 'int', day: 'date', name: 'text', more: 'bigint' }),
  );
  const op = UPSERT;
  assert.deepEqual(found, [
    { op, row: ['1', null, 'a', null], unavailable: [] },
    { op, row: ['1', '1970-01-01', 'b', '7'], unavailable: [] },
    { op, row: ['1', null, null, '8'], unavailable: [2] },
    { op, row: ['2', null, null, null], unavailable: [] },
    '23502 null value in key column "id"',
  ]);
});

test('"op" may be null or behind the rows; what is no envelope', () => {
  const [before, after, , op] = ENVELOPE.fields;
  const named = {
    ...ENVELOPE,
    fields: [
      { ...before, name: 'after' },
      { ...op, type: optional('string') },
      { ...after, name: 'before' },
    ],
  };
  const wrong = [
    { ...ENVELOPE, fields: [before, after] },
    { ...ENVELOPE, fields: [before, op] },
    { ...ENVELOPE, fields: [before, { name: 'after', type: 'string' }, op] },
    { ...ENVELOPE, fields: [before, after, { name: 'op', type: 'int' }] },
    ['null', ENVELOPE],
  ];
  const row = { ...NOTHING, id: 1 };
  const bytes = (one: string | null) =>
    eventType(named).toBuffer({ op: one, before: null, after: row });
  const schemas = Object.fromEntries([named, ...wrong].map((schema, i) => [i + 1, schema]));
  const found = read(
    [
      framed(1, bytes('c')),
      framed(1, bytes(null)),
      ...wrong.map((_, i) => framed(i + 2, bytes('c'))),
    ],
    schemas,
  );
  assert.deepEqual(found, [
    { op: UPSERT, row: nulls('1'), unavailable: [] },
    '22P02 the record is no change of Debezium: it has no "op"',
    ...wrong.map(
      () => '42804 the Avro schema is none of Debezium: it needs "before", "after" and "op"',
    ),
  ]);
});

test("Kafka Connect's and Debezium's types, with and without a list of columns", () => {
  const decimal = {
    ...connect('bytes', 'org.apache.kafka.connect.data.Decimal'),
    'connect.parameters': { scale: '-2' },
  };
  const variable = {
    ...connect('record', 'io.debezium.data.VariableScaleDecimal'),
    name: 'VariableScaleDecimal',
    namespace: 'io.debezium.data',
    fields: [
      { name: 'scale', type: 'int' },
      { name: 'value', type: 'bytes' },
    ],
  };
  const time = 'io.debezium.time';
  const ID = '00000000-0000-0000-0000-00000000000a';
  const values: [type: unknown, value: unknown, sql: string, text: string][] = [
    [decimal, Buffer.from([3]), 'numeric', '300'],
    [variable, { scale: 3, value: Buffer.from([0xff]) }, 'numeric', '-0.001'],
    [connect('long', `${time}.Timestamp`), 1500, 'timestamp', '1970-01-01 00:00:01.5'],
    [
      connect('long', `${time}.NanoTimestamp`),
      1_001_000,
      'timestamp',
      '1970-01-01 00:00:00.001001',
    ],
    [connect('int', `${time}.Time`), 1500, 'time', '00:00:01.5'],
    [connect('long', `${time}.MicroTime`), 1_000_001, 'time', '00:00:01.000001'],
    [connect('long', `${time}.NanoTime`), 1_500_000, 'time', '00:00:00.0015'],
    [connect('long', `${time}.MicroDuration`), 90_000_000, 'interval', '00:01:30'],
    [
      connect('string', `${time}.Interval`),
      'P1Y2M3DT4H',
      'interval',
      '1 year 2 mons 3 days 04:00:00',
    ],
    [
      connect('string', `${time}.ZonedTimestamp`),
      '2024-06-01T12:00:00.5Z',
      'timestamptz',
      '2024-06-01 12:00:00.5+00',
    ],
    [connect('string', `${time}.IsoDate`), '2024-06-01Z', 'date', '2024-06-01'],
    [connect('string', `${time}.IsoTime`), '12:00:00.5Z', 'time', '12:00:00.5'],
    [
      connect('string', `${time}.IsoTimestamp`),
      '2024-06-01T12:00:00Z',
      'timestamp',
      '2024-06-01 12:00:00',
    ],
    [connect('string', 'io.debezium.data.Uuid'), ID, 'uuid', ID],
    [connect('string', 'io.debezium.data.Enum'), 'OPEN', 'text', 'OPEN'],
    [connect('bytes', 'io.debezium.data.Bits'), Buffer.from([5]), 'bytea', '\\x05'],
    [{ ...connect('int', `${time}.Date`), logicalType: 'date' }, 1, 'date', '1970-01-02'],
    [
      {
        ...connect('long', 'org.apache.kafka.connect.data.Timestamp'),
        logicalType: 'timestamp-millis',
      },
      1500,
      'timestamptz',
      '1970-01-01 00:00:01.5+00',
    ],
    [{ type: 'array', items: optional('VariableScaleDecimal') }, [null], 'numeric[]', '{NULL}'],
  ];
  const fields = values.map(([type], i) => ({ name: `f${i}`, type: optional(type) }));
  fields.at(-1)!.type = optional({
    type: 'array',
    items: optional(`${variable.namespace}.${variable.name}`),
  });
  const schema = envelopeOf([{ name: 'id', type: 'int' }, ...fields]);
  const columns = avroColumns(debeziumRow(parseAvroSchema(JSON.stringify(schema))), null);
  assert.deepEqual(
    columns
      .slice(1)
      .map(({ type: { element, id } }) => (element === null ? id : `${element.id}[]`)),
    values.map(([, , sql]) => sql),
  );
  const after = { id: 1, ...Object.fromEntries(values.map(([, value], i) => [`f${i}`, value])) };
  const message = framed(1, eventType(schema).toBuffer(change('c', null, after)));
  const row = ['1', ...values.map(([, , , text]) => text)];
  assert.deepEqual(read([message], { 1: schema }, columns), [{ op: UPSERT, row, unavailable: [] }]);
});

test('arrays that were left out: numbers, dates, uuids, bytes', () => {
  const array = (type: unknown) => optional({ type: 'array', items: optional(type) });
  const types = {
    i: array('int'),
    l: array('long'),
    d: array(connect('int', 'io.debezium.time.Date')),
    u: array(connect('string', 'io.debezium.data.Uuid')),
    b: array('bytes'),
    n: { type: 'array', items: 'int' },
  };
  const fields = Object.entries(types).map(([name, type]) => ({ name, type }));
  const schema = envelopeOf([{ name: 'id', type: 'int' }, ...fields]);
  const gone = Buffer.from('__debezium_unavailable_value');
  const numbers = [...gone];
  const none = { id: 1, i: null, l: null, d: null, u: null, b: null, n: [] };
  const row = (after: object) =>
    framed(1, eventType(schema).toBuffer(change('u', null, { ...none, ...after })));
  const found = read(
    [
      row({ i: numbers, l: numbers, d: numbers, b: [gone], n: numbers }),
      row({ u: [PLACEHOLDER_UUID], i: [...numbers, 1], n: [...numbers.slice(1), 1] }),
    ],
    { 1: schema },
    columnsOf({
      id: 'int',
      i: 'int[]',
      l: 'bigint[]',
      d: 'date[]',
      u: 'uuid[]',
      b: 'bytea[]',
      n: 'int[]',
    }),
  );
  assert.deepEqual(
    found.map((one) =>
      typeof one === 'object' && 'row' in one ? [one.unavailable, ...one.row.slice(1)] : one,
    ),
    [
      [[1, 2, 3, 5, 6], null, null, null, null, null, null],
      [[4], `{${[...numbers, 1]}}`, null, null, null, null, `{${[...numbers.slice(1), 1]}}`],
    ],
  );
});
