import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rawRecord } from './rejected.ts';

test('key and value are copies, each cut at the limit', () => {
  const bytes = Buffer.from('keyvalue');
  const beside = { timestampMs: 5, context: '{"a":1}' };
  const raw = rawRecord(bytes, { start: 0, end: 3 }, { start: 3, end: 8 }, beside, 4);
  const { key, value, ...others } = raw;
  bytes.fill(0);
  const texts = [key, value].map((part) => Buffer.from(part!).toString());
  assert.deepEqual([texts, others], [['key', 'valu'], { isCut: true, ...beside }]);
  const whole = rawRecord(bytes, null, { start: 0, end: 4 }, beside, 4);
  assert.deepEqual([whole.isCut, whole.key], [false, null]);
});
