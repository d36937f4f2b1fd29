/** Debezium's change events as Avro, as its connectors describe them; avsc encodes, as the witness. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import avro from 'avsc';
import type { SqlError } from '../../base/sql-error.ts';
import { ColumnBuilder } from '../../batch/column-builder.ts';
import { readValue } from '../../batch/read-value.ts';
import { Memory } from '../../memory/memory.ts';
import { Scratch } from '../../memory/scratch.ts';
import { DEFAULT_SETTINGS, formatValue, parseTypeName } from '../../types/value.ts';
import { DELETE, NO_CHANGE, TRUNCATE, UPSERT } from '../change-decoder.ts';
import { checkDebeziumColumns, DebeziumAvroDecoder } from './debezium-avro.ts';
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

const EVENT = avro.Type.forSchema(ENVELOPE as avro.Schema, { wrapUnions: 'never' });
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
const COLUMNS = Object.entries(TYPES).map(([name, text]) => ({ name, type: parseTypeName(text) }));
const NOTHING = { name: null, price: null, at: null, day: null, seen: null, doc: null, tags: null };

function event(op: string, before: object | null, after: object | null): Buffer {
  const row = (fields: object | null) => (fields === null ? null : { ...NOTHING, ...fields });
  return EVENT.toBuffer({
    before: row(before),
    after: row(after),
    source: { lsn: 7 },
    op,
    ts_ms: 1,
  });
}

function read(messages: readonly (Buffer | null)[], isFramed = false) {
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  const schema = isFramed ? null : parseAvroSchema(JSON.stringify(ENVELOPE));
  const decoder = new DebeziumAvroDecoder(COLUMNS, [0], schema, DEFAULT_SETTINGS);
  decoder.learnSchema(3, { type: 'AVRO', text: JSON.stringify(ENVELOPE), references: [] });
  decoder.learnSchema(4, { type: 'AVRO', text: '"string"', references: [] });
  return messages.map((message) => {
    const builders = COLUMNS.map(({ type }) => new ColumnBuilder(memory, scratch, type, 16));
    const bytes = Buffer.concat([Buffer.from('...'), message ?? Buffer.alloc(0)]);
    const valueLength = message === null ? -1 : message.length;
    const record = { bytes, keyStart: 0, keyLength: -1, valueStart: 3, valueLength };
    try {
      const op = decoder.append(record, builders);
      if (op === NO_CHANGE) return { op };
      const row = builders.map((builder, i) => {
        const { type } = COLUMNS[i]!;
        const one = readValue(memory, builder.build(), type, 0);
        return one === null ? null : formatValue(type, one, DEFAULT_SETTINGS);
      });
      return { op, row, unavailable: decoder.unavailable };
    } catch (error) {
      const { sqlstate, message: text } = error as SqlError;
      return `${sqlstate} ${text}`;
    }
  });
}

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
  const found = read([
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
  const found = read([
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
  const framed = (id: number, body: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, 0, id]), body]);
  const found = read(
    [
      framed(3, event('c', null, FULL)),
      framed(3, event('x', null, FULL)),
      framed(3, event('c', null, null)),
      framed(3, event('d', null, null)),
      framed(3, event('c', null, FULL).subarray(0, 20)),
      framed(4, Buffer.from([2, 65])),
      framed(9, event('c', null, FULL)),
      event('c', null, FULL),
    ],
    true,
  );
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
  checkDebeziumColumns(schema, COLUMNS, DEFAULT_SETTINGS);
  const wrong = [{ name: 'price', type: parseTypeName('int[]') }];
  assert.throws(() => checkDebeziumColumns(schema, wrong, DEFAULT_SETTINGS), /column "price"/);
});
