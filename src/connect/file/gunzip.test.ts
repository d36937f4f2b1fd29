import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Gunzip } from './gunzip.ts';

test('members of a gzip file in pieces of any size', () => {
  const text = 'hello, gunzip\n'.repeat(5000);
  const packed = Buffer.concat([gzipSync(text), gzipSync('the second member')]);
  for (const size of [1, 7, 1000, 1 << 20]) {
    const gunzip = new Gunzip();
    const parts: Buffer[] = [];
    for (let at = 0; at < packed.length; at += size) {
      parts.push(gunzip.push(packed.subarray(at, at + size)));
    }
    parts.push(gunzip.finish());
    gunzip.close();
    assert.equal(Buffer.concat(parts).toString(), `${text}the second member`, String(size));
  }
});

test('cut or damaged data is an error', () => {
  const packed = gzipSync('some text that is long enough to have a body');
  const cut = new Gunzip();
  cut.push(packed.subarray(0, packed.length - 9));
  assert.throws(() => cut.finish(), /unexpected end of file/);
  const damaged = new Gunzip();
  packed[packed.length - 6] = packed[packed.length - 6]! ^ 1;
  assert.throws(() => damaged.push(packed), /incorrect data check/);
});
