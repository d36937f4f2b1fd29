import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../base/random.ts';
import { ByteSearch, findByte, findPart } from './find-bytes.ts';

test('finds what a plain search finds, at every alignment and near the ends', () => {
  const random = new Random(7);
  const u8 = new Uint8Array(64);
  const u32 = new Uint32Array(u8.buffer);
  for (let round = 0; round < 5000; round += 1) {
    for (let i = 0; i < 64; i += 1) u8[i] = random.pick([0, 1, 2, 0x80, 0xff, 0x7f]);
    const from = 8 + random.below(20);
    const end = from + random.below(28);
    const byte = random.pick([0, 1, 0x80, 0xff]);
    const plain = u8.subarray(from, end).indexOf(byte);
    assert.equal(findByte(u32, from, end, byte), plain < 0 ? -1 : from + plain);
    const length = 1 + random.below(3);
    const part = u8.slice(60, 60 + length);
    const found = Buffer.from(u8.subarray(from, end)).indexOf(part);
    const expected = found < 0 ? -1 : from + found;
    assert.equal(findPart(u8, u32, from, end, 60, length), expected);
    assert.equal(new ByteSearch([...part]).find(u8, u32, from, end), expected);
  }
});
