import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur2, partitionOf } from './partitioner.ts';

test('keys hash as in the Java client', () => {
  // The vectors of Kafka's own UtilsTest.testMurmur2.
  const vectors: readonly (readonly [string, number])[] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];
  for (const [text, hash] of vectors) assert.equal(murmur2(Buffer.from(text)), hash, text);
});

test('a partition is never negative', () => {
  for (let i = 0; i < 1000; i += 1) {
    const partition = partitionOf(Buffer.from(`key ${i}`), 7);
    assert.ok(partition >= 0 && partition < 7);
  }
});
