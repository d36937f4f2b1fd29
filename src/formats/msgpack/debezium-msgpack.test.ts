/** Change events as MessagePack: what each does, and what is refused; @msgpack/msgpack encodes, as the witness. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { DEFAULT_SETTINGS } from '../../types/value.ts';
import { DELETE, NO_CHANGE, TRUNCATE, UPSERT } from '../change-decoder.ts';
import { readChanges } from '../change-fixture.ts';
import { columnsOf } from '../message-fixture.ts';
import { openDebeziumMessagePack } from './debezium-msgpack.ts';

const COLUMNS = columnsOf({ id: 'int', name: 'text', raw: 'bytea', tags: 'text[]' });
const message = (value: unknown) => Buffer.from(encode(value));

function read(messages: readonly (Buffer | null)[]) {
  return readChanges(openDebeziumMessagePack(COLUMNS, [0], DEFAULT_SETTINGS), COLUMNS, messages);
}

test('what a record does', () => {
  const ada = { ID: 1, name: 'Ada', more: { x: [1, 2] } };
  const rest = { source: { lsn: 7, snapshot: null }, ts_ms: 1 };
  const found = read([
    message({ before: null, after: ada, op: 'c', ...rest }),
    message({ ...rest, op: 'u', after: ada, before: { id: 0 } }),
    message({ op: 'd', before: { id: 2, name: 'a default' }, after: null }),
    message({ op: 't', before: null, after: null }),
    message({ op: 'm' }),
    null,
  ]);
  const none = { unavailable: [] };
  assert.deepEqual(found, [
    { op: UPSERT, row: ['1', 'Ada', null, null], ...none },
    { op: UPSERT, row: ['1', 'Ada', null, null], ...none },
    { op: DELETE, row: ['2', null, null, null], ...none },
    { op: TRUNCATE, row: [null, null, null, null], ...none },
    { op: NO_CHANGE },
    { op: NO_CHANGE },
  ]);
});

test('values that were left out because they have not changed', () => {
  const gone = '__debezium_unavailable_value';
  const event = (after: object) => message({ op: 'u', after: { id: 1, ...after } });
  const found = read([
    event({ name: gone, raw: Buffer.from(gone), tags: [gone] }),
    event({ name: `about ${gone}`, tags: [gone, gone] }),
  ]);
  assert.deepEqual(found, [
    { op: UPSERT, row: ['1', null, null, null], unavailable: [1, 2, 3] },
    { op: UPSERT, row: ['1', `about ${gone}`, null, `{${gone},${gone}}`], unavailable: [] },
  ]);
});

test('what is refused', () => {
  const whole = message({ op: 'c', after: { id: 1 } });
  const found = read([
    message([1]),
    message({ after: { id: 1 } }),
    message({ op: 1, after: { id: 1 } }),
    message({ op: 'x', after: { id: 1 } }),
    message({ op: 'c', after: 'row' }),
    message({ op: 'd', after: { id: 1 } }),
    message({ op: 'c', after: { name: 'a' } }),
    message({ op: 'c', after: { id: 'x' } }),
    whole.subarray(0, -1),
    Buffer.concat([whole, whole]),
  ]);
  assert.deepEqual(found, [
    '22P03 invalid MessagePack record: it must be a map',
    '22P02 the record is no change of Debezium: it has no "op"',
    '22P02 the record is no change of Debezium: it has no "op"',
    '22P02 the record has an unknown "op": "x"',
    '22P02 the record has no "after"',
    '22P02 the deleting record has no "before"',
    '23502 null value in key column "id"',
    '22P02 column "id": invalid input syntax for type integer: "x"',
    '22P03 invalid MessagePack record: it is cut off',
    '22P03 invalid MessagePack record: bytes follow its map',
  ]);
});
