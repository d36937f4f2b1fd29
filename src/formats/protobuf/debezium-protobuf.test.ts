/** Change events as Protobuf: what each does, schemas that change, and what is refused; protobufjs encodes, as the witness. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { DEFAULT_SETTINGS } from '../../types/value.ts';
import { DELETE, NO_CHANGE, TRUNCATE, UPSERT } from '../change-decoder.ts';
import { readChanges } from '../change-fixture.ts';
import { columnsOf } from '../message-fixture.ts';
import { debeziumRowSchema, openDebeziumProtobuf } from './debezium-protobuf.ts';
import { protobufColumns } from './protobuf-decoder.ts';
import { parseProtobufSchema } from './schema.ts';

const envelope = (row: string) => `syntax = "proto3";
package cdc;
message Other { string x = 1; }
message Envelope {
  message Value { ${row} }
  Value before = 1;
  Value after = 2;
  Source source = 3;
  string op = 4;
  optional int64 ts_ms = 5;
  message Source { int64 lsn = 1; }
}
`;
const FIRST = envelope('int32 id = 1; optional string name = 2; repeated string tags = 3;');
const SECOND = envelope('optional int64 more = 1; optional string NAME = 7; int32 id = 9;');
const COLUMNS = columnsOf({ id: 'int', name: 'text', tags: 'text[]', more: 'bigint' });
const SCHEMAS: Readonly<Record<number, string>> = {
  1: FIRST,
  2: SECOND,
  3: FIRST.replace('string op', 'int32 op'),
  4: FIRST.replace('Value after', 'Source after'),
};

/** `path`: of the message, behind the id. */
function event(id: number, value: object, path: readonly number[] = [2, 2]): Buffer {
  const type = protobuf.parse(SCHEMAS[id]!, { keepCase: true }).root.lookupType('cdc.Envelope');
  return Buffer.from([0, 0, 0, 0, id, ...path, ...type.encode(type.fromObject(value)).finish()]);
}

function read(messages: readonly (Buffer | null)[], message: string | null = null) {
  const options = { schema: null, isFramed: true, message };
  const decoder = openDebeziumProtobuf(COLUMNS, [0], options, DEFAULT_SETTINGS);
  for (const [id, text] of Object.entries(SCHEMAS)) {
    decoder.learnSchema(Number(id), { type: 'PROTOBUF', text, references: [] });
  }
  return readChanges(decoder, COLUMNS, messages);
}

test('what a record does; a schema that changes amid the stream', () => {
  const rest = { source: { lsn: 7 }, ts_ms: 1 };
  const found = read([
    event(1, { after: { id: 1, name: 'Ada', tags: ['a', 'b'] }, op: 'c', ...rest }),
    event(2, { before: { id: 1 }, after: { id: 1, NAME: 'Ada', more: 5 }, op: 'u', ...rest }),
    event(1, { before: { id: 2, name: 'a default' }, op: 'd' }),
    event(1, { op: 't' }),
    event(1, { op: 'm' }),
    null,
  ]);
  const none = { unavailable: [] };
  assert.deepEqual(found, [
    { op: UPSERT, row: ['1', 'Ada', '{a,b}', null], ...none },
    { op: UPSERT, row: ['1', 'Ada', null, '5'], ...none },
    { op: DELETE, row: ['2', null, null, null], ...none },
    { op: TRUNCATE, row: [null, null, null, null], ...none },
    { op: NO_CHANGE },
    { op: NO_CHANGE },
  ]);
});

test('values that were left out because they have not changed', () => {
  const gone = '__debezium_unavailable_value';
  const found = read([
    event(1, { op: 'u', after: { id: 1, name: gone, tags: [gone] } }),
    event(1, { op: 'u', after: { id: 1, name: `about ${gone}`, tags: [gone, gone] } }),
  ]);
  const both = `{${gone},${gone}}`;
  assert.deepEqual(found, [
    { op: UPSERT, row: ['1', null, null, null], unavailable: [1, 2] },
    { op: UPSERT, row: ['1', `about ${gone}`, both, null], unavailable: [] },
  ]);
});

test('what is refused', () => {
  const one = { op: 'c', after: { id: 1 } };
  const none =
    '42804 the Protobuf message is none of Debezium: it needs "before", "after" and "op"';
  const found = read([
    event(1, { after: { id: 1 } }),
    event(1, { op: 'x', after: { id: 1 } }),
    event(1, { op: 'c' }),
    event(1, { op: 'd' }),
    event(1, one).subarray(0, -1),
    event(1, one, [0]),
    event(3, { op: 1 }),
    event(4, { op: 'c' }),
    Buffer.from([0, 0, 0, 0, 9, 0]),
    Buffer.from('{"op": "c"}'),
  ]);
  assert.deepEqual(found, [
    '22P02 the record is no change of Debezium: it has no "op"',
    '22P02 the record has an unknown "op": "x"',
    '22P02 the record has no "after"',
    '22P02 the deleting record has no "before"',
    '22P03 invalid Protobuf record: it ends too early',
    none,
    none,
    none,
    '22P03 schema 9 is not in the schema registry',
    '22P03 invalid Protobuf record: it does not begin with 0, a schema id and message indexes',
  ]);
  assert.deepEqual(read([event(1, one)], 'cdc.Other'), [
    '42804 Protobuf message "cdc.Envelope" is not "cdc.Other"',
  ]);
});

test('columns of the row', () => {
  const row = debeziumRowSchema(parseProtobufSchema(SECOND), 'Envelope');
  assert.deepEqual(
    protobufColumns(row, null).map(({ name, type }) => [name, type.id]),
    [
      ['more', 'int8'],
      ['NAME', 'text'],
      ['id', 'int4'],
    ],
  );
  assert.throws(() => debeziumRowSchema(parseProtobufSchema(SECOND), null), { sqlstate: '42804' });
});
