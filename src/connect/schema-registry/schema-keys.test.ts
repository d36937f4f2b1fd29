/** Keys of FORMAT UPSERT by schemas of a registry: records, single values, and what is refused. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessages } from '../../formats/message-fixture.ts';
import { DEFAULT_SETTINGS, parseTypeName } from '../../types/value.ts';
import { openSchemaKey } from './schema-keys.ts';

test('a single column comes from a record or a single value; broken schemas reject their records', () => {
  const type = parseTypeName('bigint');
  const texts = [
    '{"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]}',
    '"long"',
    'long',
    '{"type": "long"}',
    '{"type"',
    '"string"',
  ];
  const decoder = openSchemaKey('avro', [{ name: 'id', type }], DEFAULT_SETTINGS);
  for (const [id, text] of texts.entries()) {
    decoder.learnSchema?.(id, { type: 'AVRO', text, references: [] });
  }
  const messages = texts.map((_, id) => Buffer.from([0, 0, 0, 0, id, 14]));
  const found = decodeMessages(decoder, [type], messages);
  assert.deepEqual(
    found.map(({ row, error }) => row?.[0] ?? error?.text),
    [
      ...['7', '7', '7', '7', 'invalid Avro schema: it is not JSON'],
      'column "id": Avro string does not fit type bigint',
    ],
  );
});
