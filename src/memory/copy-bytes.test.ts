import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyBytes } from './copy-bytes.ts';

const LENGTH = 300;

function filled(buffer: ArrayBuffer | SharedArrayBuffer): Uint8Array {
  return new Uint8Array(buffer).map((_, i) => (i * 37 + 1) & 0xff);
}

test('copies what TypedArray.set copies, of shared memory and other, whole or in part', () => {
  const buffers = [() => new ArrayBuffer(LENGTH), () => new SharedArrayBuffer(LENGTH)];
  for (const from of buffers) {
    for (const to of buffers) {
      const source = new Uint8Array(from());
      source.set(filled(from()));
      for (const [start, end, at] of [
        [0, 0, 0],
        [0, 1, 299],
        [0, 300, 0],
        [3, 259, 44],
        [299, 300, 7],
      ] as const) {
        const target = new Uint8Array(to());
        const expected = new Uint8Array(LENGTH);
        expected.set(source.subarray(start, end), at);
        copyBytes(source, start, end, target, at);
        assert.deepEqual([...target], [...expected]);
      }
    }
  }
  const view = new Uint8Array(new SharedArrayBuffer(LENGTH)).subarray(5, 9);
  const target = new Uint8Array(new SharedArrayBuffer(1));
  view[0] = 200;
  copyBytes(view.subarray(0, 1), 0, 1, target, 0);
  assert.equal(target[0], 200);
});

test('source and target may overlap', () => {
  for (const [start, end, at] of [
    [0, 300, 0],
    [0, 290, 10],
    [10, 300, 0],
  ] as const) {
    const bytes = new Uint8Array(new SharedArrayBuffer(LENGTH));
    bytes.set(filled(new ArrayBuffer(LENGTH)));
    const expected = Uint8Array.from(bytes);
    expected.copyWithin(at, start, end);
    copyBytes(bytes, start, end, bytes, at);
    assert.deepEqual([...bytes], [...expected]);
  }
});
