/** Which schemas a source does not know. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { UnknownSchemas } from './unknown-schemas.ts';

test('ids become known once', () => {
  const schemas = new UnknownSchemas([3]);
  assert.deepEqual(schemas.note({ unknown: [4, 5, 4], known: [] }), []);
  assert.deepEqual(schemas.note({ unknown: [], known: [3, 5, 9] }), [3, 5]);
  assert.deepEqual(schemas.note({ unknown: [], known: [3, 5] }), []);
  assert.deepEqual([...schemas.ids], [4]);
});

test('ids of what is no message at all do not grow for ever', () => {
  const schemas = new UnknownSchemas([]);
  for (let id = 0; id < 20_000; id++) schemas.note({ unknown: [id], known: [] });
  assert.equal(schemas.ids.size, 10_000);
  assert.deepEqual([schemas.ids.has(9999), schemas.ids.has(10_000)], [false, true]);
});
