/** Bounds, order, waiting and closing of the queue. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedQueue } from './bounded-queue.ts';
import { FakeClock } from './clock.ts';
import { Random } from './random.ts';

function queueOf(rowsMax: number, bytesMax: number, clock = new FakeClock()) {
  return new BoundedQueue<string>({ rowsMax, bytesMax }, clock);
}

test('bounds in rows and bytes; an empty queue takes anything', () => {
  const queue = queueOf(3, 100);
  assert.equal(queue.tryPush('huge', 10, 1000), true);
  assert.equal(queue.tryPush('b', 1, 1), false);
  assert.equal(queue.shift(), 'huge');
  assert.equal(queue.tryPush('b', 2, 50), true);
  assert.equal(queue.tryPush('c', 2, 1), false);
  assert.equal(queue.tryPush('c', 1, 51), false);
  assert.equal(queue.tryPush('c', 1, 50), true);
  assert.deepEqual([queue.count, queue.rows, queue.bytes, queue.peek()], [2, 3, 100, 'b']);
  assert.deepEqual([queue.shift(), queue.shift(), queue.shift()], ['b', 'c', undefined]);
  assert.deepEqual([queue.count, queue.rows, queue.bytes], [0, 0, 0]);
});

test('a producer waits for room, and its time is counted', async () => {
  const clock = new FakeClock();
  const queue = queueOf(1, 100, clock);
  assert.equal(await queue.push('a', 1, 1), true);
  const waiting = queue.push('b', 1, 1);
  clock.advanceUs(250n);
  assert.equal(queue.shift(), 'a');
  assert.equal(await waiting, true);
  assert.equal(queue.blockedUs, 250n);
  assert.equal(queue.shift(), 'b');
});

test('close wakes everybody: producers get false, consumers what is left', async () => {
  const queue = queueOf(1, 100);
  queue.tryPush('a', 1, 1);
  const waiting = queue.push('b', 1, 1);
  queue.close();
  assert.equal(await waiting, false);
  assert.equal(queue.tryPush('c', 1, 1), false);
  assert.equal(await queue.take(), 'a');
  assert.equal(await queue.take(), undefined);
  const empty = queueOf(1, 1);
  const taking = empty.take();
  empty.close();
  assert.equal(await taking, undefined);
});

test('order holds over many producers, consumers and sizes', async () => {
  const random = new Random(7);
  const queue = queueOf(10, 1000);
  const sent = Array.from({ length: 2000 }, (_, index) => String(index));
  const producing = (async () => {
    for (const item of sent) await queue.push(item, random.between(1, 5), random.below(300));
    queue.close();
  })();
  const taken: string[] = [];
  for (let item = await queue.take(); item !== undefined; item = await queue.take()) {
    taken.push(item);
    if (random.chance(0.1)) await new Promise((resolve) => setImmediate(resolve));
  }
  await producing;
  assert.deepEqual(taken, sent);
});
