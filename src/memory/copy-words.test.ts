import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyWords } from './copy-words.ts';

test('copies any length from any address, and nothing before the target', () => {
  const source = Uint8Array.from({ length: 2048 }, (_, i) => (i * 37 + (i >>> 3)) & 0xff);
  for (const length of [0, 1, 3, 4, 5, 13, 64, 67, 511, 512, 513, 900]) {
    for (const from of [0, 1, 2, 3, 4, 7, 1024, 2048 - length]) {
      if (from < 0) continue;
      const target = new Uint8Array(1024).fill(7);
      copyWords(new Uint32Array(source.buffer), from, new Uint32Array(target.buffer), 16, length);
      assert.deepEqual(target.slice(16, 16 + length), source.slice(from, from + length));
      assert.ok(target.subarray(0, 16).every((byte) => byte === 7));
      const end = 16 + Math.ceil(length / 4) * 4;
      assert.ok(target.subarray(end).every((byte) => byte === 7));
    }
  }
});
