import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import { LockTable } from './locks.ts';

const patient = () => ({ timeoutMs: 0, signal: new AbortController().signal });

test('a lock is given first come, first served', async () => {
  const locks = new LockTable();
  const [a, b, c] = [{ id: 1 }, { id: 2 }, { id: 3 }];
  await locks.acquire(a, 7, patient());
  const order: number[] = [];
  const waits = [b, c].map(async (owner) => {
    await locks.acquire(owner, 7, patient());
    order.push(owner.id);
    locks.releaseAll(owner);
  });
  locks.releaseAll(a);
  await Promise.all(waits);
  assert.deepEqual(order, [2, 3]);
});

test('a cycle is refused with 40P01 and the other transaction goes on', async () => {
  const locks = new LockTable();
  const [a, b] = [{ id: 1 }, { id: 2 }];
  await locks.acquire(a, 1, patient());
  await locks.acquire(b, 2, patient());
  const waiting = locks.acquire(a, 2, patient());
  await assert.rejects(
    locks.acquire(b, 1, patient()),
    (error) => error instanceof SqlError && error.sqlstate === '40P01',
  );
  locks.releaseAll(b);
  await waiting;
  assert.ok(locks.isHeldBy(a, 2));
});

test('a wait ends by lock_timeout or by cancel, and leaves no trace', async () => {
  const locks = new LockTable();
  const [a, b] = [{ id: 1 }, { id: 2 }];
  await locks.acquire(a, 1, patient());
  await assert.rejects(
    locks.acquire(b, 1, { timeoutMs: 1, signal: new AbortController().signal }),
    (error) => error instanceof SqlError && error.sqlstate === '55P03',
  );
  const controller = new AbortController();
  const wait = locks.acquire(b, 1, { timeoutMs: 0, signal: controller.signal });
  controller.abort(new SqlError('57014', 'canceling statement due to user request'));
  await assert.rejects(wait, (error) => error instanceof SqlError && error.sqlstate === '57014');
  locks.releaseAll(a);
  await locks.acquire(b, 1, patient());
  assert.ok(locks.isHeldBy(b, 1));
});
