import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rawRecord } from './rejected.ts';

test('key and value are copies, each cut at the limit', () => {
  const bytes = Buffer.from('keyvalue');
  const record = () => rawRecord(bytes.subarray(0, 3), bytes.subarray(3), '{"a":1}', 4);
  const { key, value, isCut, context } = record();
  bytes.fill(0);
  const texts = [key, value].map((part) => Buffer.from(part!).toString());
  assert.deepEqual([texts, isCut, context], [['key', 'valu'], true, '{"a":1}']);
  assert.equal(rawRecord(null, new Uint8Array(4), '{}', 4).isCut, false);
  assert.equal(rawRecord(null, new Uint8Array(4), '{}', 4).key, null);
});
