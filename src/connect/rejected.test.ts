import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rawRecord } from './rejected.ts';

test('key and value are copies, each cut at the limit', () => {
  const bytes = Buffer.from('keyvalue');
  const record = () => rawRecord(bytes, { start: 0, end: 3 }, { start: 3, end: 8 }, '{"a":1}', 4);
  const { key, value, isCut, context } = record();
  bytes.fill(0);
  const texts = [key, value].map((part) => Buffer.from(part!).toString());
  assert.deepEqual([texts, isCut, context], [['key', 'valu'], true, '{"a":1}']);
  const whole = rawRecord(bytes, null, { start: 0, end: 4 }, '{}', 4);
  assert.deepEqual([whole.isCut, whole.key], [false, null]);
});
