/** Messages written into one growing buffer. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeRowDescription } from './backend-messages.ts';
import { characterPosition } from './error-response.ts';
import { MessageBuffer } from './message-buffer.ts';
import { decodeOptions } from './startup.ts';

test('a message is framed, and numbers are big-endian', () => {
  const out = new MessageBuffer(100);
  out
    .begin('x')
    .u8(255)
    .i16(-2)
    .i32(-3)
    .text('\u00e4\0b')
    .bytes(new Uint8Array([7]))
    .end();
  assert.equal(
    out.take().toString('hex'),
    '78' + '00000010' + 'ff' + 'fffe' + 'fffffffd' + 'c3a46200' + '07',
  );
  assert.equal(out.length, 0);
});

test('taken bytes stay what they were, small and large', () => {
  const out = new MessageBuffer(100);
  for (const size of [10, 2048, 2049, 100_000]) {
    out.bytes(new Uint8Array(size).fill(1));
    const taken = out.take();
    out.bytes(new Uint8Array(size).fill(2));
    assert.ok(taken.length === size && taken.every((byte) => byte === 1), String(size));
    out.take();
  }
});

test('rollback forgets a half-written message', () => {
  const out = new MessageBuffer(100);
  out.empty('a');
  out.begin('b').text('lost');
  out.rollback();
  out.rollback();
  out.empty('c');
  assert.equal(out.take().toString('latin1'), 'a\0\0\0\x04c\0\0\0\x04');
});

test('a description of no fields', () => {
  const out = new MessageBuffer(100);
  writeRowDescription(out, [], []);
  assert.equal(out.take().toString('hex'), '54000000060000');
});

test('positions count code points', () => {
  assert.equal(characterPosition('abc', 0), 1);
  assert.equal(characterPosition('\u{1f600}b', 2), 2);
  assert.equal(characterPosition('\u{1f600}b', 1), 2, 'inside of a pair');
  assert.equal(characterPosition('ab', 99), 3, 'behind the end');
});

test('options are taken apart as a shell would', () => {
  assert.deepEqual(decodeOptions('-c a=1  -cb=2 --c-d=x\\ y\\\\ '), [
    ['a', '1'],
    ['b', '2'],
    ['c_d', 'x y\\'],
  ]);
  assert.deepEqual(decodeOptions('  '), []);
  for (const bad of ['-c', '-x', 'a=1', '-c a', '--=1'])
    assert.throws(() => decodeOptions(bad), /invalid/);
});
