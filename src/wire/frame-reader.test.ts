/**
 * Frames cut from chunks of every size, limits judged on headers, and the pause of a busy
 * consumer's socket.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../base/random.ts';
import { frame } from '../testing/raw-client.ts';
import { type FrameLimit, FrameReader } from './frame-reader.ts';

const ANY: FrameLimit = () => 1_000_000;

class FakeSocket {
  isPaused = false;
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
}

test('frames come out whole, however the bytes are cut', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed);
    const bodies = Array.from({ length: 40 }, () => Buffer.from(random.bytes(random.below(300))));
    const bytes = Buffer.concat(bodies.map((body) => frame('d', body)));
    const reader = new FrameReader(new FakeSocket());
    const seen: Buffer[] = [];
    for (let offset = 0; offset < bytes.length; ) {
      const size = random.between(1, 500);
      reader.push(bytes.subarray(offset, offset + size));
      offset += size;
      for (let next = reader.next(ANY); next !== null; next = reader.next(ANY))
        seen.push(next.body);
    }
    assert.deepEqual(seen, bodies, `seed ${seed}`);
    assert.equal(reader.bufferedBytes, 0);
  }
});

test('a busy consumer pauses the socket; a waiting one resumes it', async () => {
  const socket = new FakeSocket();
  const reader = new FrameReader(socket);
  const large = frame('d', Buffer.alloc(200_000));
  reader.push(large.subarray(0, 60_000));
  assert.equal(socket.isPaused, false);
  reader.push(large.subarray(60_000, 70_000));
  assert.equal(socket.isPaused, true);
  const read = reader.read(ANY);
  assert.equal(
    socket.isPaused,
    false,
    'the consumer waits for a frame that is larger than the buffer',
  );
  reader.push(large.subarray(70_000));
  assert.equal((await read)?.body.length, 200_000);
});

test('the limit is judged as soon as the header is there', () => {
  const reader = new FrameReader(new FakeSocket());
  const limit: FrameLimit = (type) => (type === 81 ? 10 : 5);
  reader.push(frame('Q', Buffer.alloc(0), 15).subarray(0, 5));
  assert.throws(() => reader.next(limit), { message: 'invalid message length' });
});

test('the end drops a cut-off frame; an interrupt fails the one who waits', async () => {
  const reader = new FrameReader(new FakeSocket());
  const interrupted = reader.read(ANY);
  reader.interrupt(new Error('enough'));
  await assert.rejects(interrupted, /enough/);
  reader.push(frame('Q', Buffer.from('abc')).subarray(0, 6));
  const read = reader.read(ANY);
  reader.end();
  assert.equal(await read, null);
  reader.interrupt(new Error('nobody waits'));
});
