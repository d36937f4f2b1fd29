/** Options of ENCODE AVRO and PROTOBUF: where the schema comes from, and what is refused. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { TEXT } from '../../types/data-type.ts';
import { DEFAULT_SETTINGS } from '../../types/settings.ts';
import { temporaryDirectory } from '../source-fixture.ts';
import { checkSchemaSource, fetchSourceSchema, schemaSourceColumns } from './source-schema.ts';

const SCHEMA = '{"type": "record", "name": "R", "fields": [{"name": "id", "type": "long"}]}';

const fetchSchema = (options: Readonly<Record<string, string>>, fileRoots: string[] = []) =>
  fetchSourceSchema('avro', new Map(Object.entries(options)), 'topic', {
    fileRoots,
    clock: new FakeClock(),
  });

test('a schema file inside the roots', async (context) => {
  const root = temporaryDirectory(context);
  writeFileSync(join(root, 'r.avsc'), SCHEMA);
  const schema = await fetchSchema({ 'schema.location': 'r.avsc' }, [root]);
  assert.deepEqual(schema, { type: 'AVRO', text: SCHEMA, references: [] });
  const columns = schemaSourceColumns('avro', new Map([['schema.location', 'r.avsc']]), schema);
  assert.deepEqual(
    columns.map(({ name, type }) => [name, type.id]),
    [['id', 'int8']],
  );
  const location = (path: string) => fetchSchema({ 'schema.location': path }, [root]);
  await assert.rejects(location('none.avsc'), { sqlstate: '58P01' });
  await assert.rejects(location('/etc/passwd'), { sqlstate: '42501' });
});

test('options that do not go together, or mean nothing', async () => {
  const refused = (options: Readonly<Record<string, string>>, message: RegExp) =>
    assert.rejects(fetchSchema(options), { sqlstate: '22023', message });
  await refused({}, /needs one of the options schema.registry, schema, schema.location$/);
  await refused({ schema: SCHEMA, 'schema.registry': 'http://h' }, /needs one of/);
  await refused({ 'schema.registry': 'ftp://h' }, /invalid value for option "schema.registry"/);
  await refused({ 'schema.registry': 'http://me:pw@h' }, /invalid value/);
  await refused(
    { 'schema.registry': 'http://h', 'schema.registry.name.strategy': 'record_name' },
    /record_name needs the option "message"$/,
  );
});

test('what is checked is JSON; columns are judged where the schema is known', () => {
  const options = new Map([
    ['schema.registry', 'https://h/v7/'],
    ['schema.registry.token', 't'],
  ]);
  assert.deepEqual(checkSchemaSource('avro', options, [], null, DEFAULT_SETTINGS), {
    kind: 'avro',
    schema: null,
    registry: { url: 'https://h/v7', authorization: 'Bearer t', timeoutMs: 10_000 },
    message: null,
  });
  const check = (type: string) => () =>
    checkSchemaSource(
      'avro',
      options,
      [{ name: 'id', type: TEXT }],
      { type, text: SCHEMA, references: [] },
      DEFAULT_SETTINGS,
    );
  assert.throws(check('AVRO'), { sqlstate: '42804' });
  assert.throws(check('PROTOBUF'), { message: 'the schema is PROTOBUF, not AVRO' });
});

test('Protobuf: the same options, the schema as .proto text', async (context) => {
  const root = temporaryDirectory(context);
  const text = 'syntax = "proto3"; message A { int64 id = 1; } message B { string id = 1; }';
  writeFileSync(join(root, 'r.proto'), text);
  const options = new Map([
    ['schema.location', 'r.proto'],
    ['message', 'B'],
  ]);
  const place = { fileRoots: [root], clock: new FakeClock() };
  const schema = await fetchSourceSchema('protobuf', options, null, place);
  assert.deepEqual(schema, { type: 'PROTOBUF', text, references: [] });
  const columns = schemaSourceColumns('protobuf', options, schema);
  assert.deepEqual(columns, [{ name: 'id', type: TEXT }]);
  assert.deepEqual(checkSchemaSource('protobuf', options, columns, schema, DEFAULT_SETTINGS), {
    kind: 'protobuf',
    schema,
    registry: null,
    message: 'B',
  });
  const avro = { type: 'AVRO', text: SCHEMA, references: [] };
  assert.throws(() => schemaSourceColumns('protobuf', options, avro), {
    message: 'the schema is AVRO, not PROTOBUF',
  });
  assert.throws(() => schemaSourceColumns('protobuf', options, null), { sqlstate: '42704' });
});
