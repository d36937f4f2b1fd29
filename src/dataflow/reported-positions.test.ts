import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import type { Json } from '../connect/source.ts';
import { ReportedPositions, type ReportingSource } from './reported-positions.ts';

/** Turns of the event loop: what waits for nothing but promises is through. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

class FakeSource implements ReportingSource {
  at = 0;
  readonly told: Json[] = [];
  answer: Promise<void> = Promise.resolve();
  isOpen = true;

  get positions(): ReadonlyMap<string, Json> {
    return new Map(this.at === 0 ? [] : [['split', this.at]]);
  }

  get reports() {
    if (!this.isOpen) return null;
    return {
      intervalMs: 5000,
      tell: (positions: ReadonlyMap<string, Json>) => {
        this.told.push(...positions.values());
        return this.answer;
      },
    };
  }
}

test('every interval, what was durable then; nothing of a source without positions or reader', async () => {
  const clock = new FakeClock();
  const reported = new ReportedPositions(clock, () => Promise.resolve());
  const source = new FakeSource();
  const other = new FakeSource();
  other.isOpen = false;
  const tell = async (ms: number) => {
    clock.advanceUs(BigInt(ms) * 1000n);
    reported.tellDue([source, other]);
    await settled();
  };
  await tell(0);
  assert.equal(reported.nextDueUs([source, other]), 5_000_000n);
  assert.equal(reported.nextDueUs([other]), null);
  await tell(5000);
  source.at = 7;
  await tell(4999);
  assert.deepEqual(source.told, []);
  await tell(1);
  assert.deepEqual(source.told, [7]);
  // Also where nothing has changed: groups forget what is old.
  await tell(5000);
  assert.deepEqual(source.told, [7, 7]);
});

test('what is not durable yet is not told, and never what came after it', async () => {
  const clock = new FakeClock();
  let durable = Promise.withResolvers<void>();
  const reported = new ReportedPositions(clock, () => durable.promise);
  const source = new FakeSource();
  source.at = 3;
  reported.tellDue([source]);
  clock.advanceUs(5_000_000n);
  reported.tellDue([source]);
  source.at = 4;
  await settled();
  assert.deepEqual(source.told, []);
  durable.resolve();
  await settled();
  assert.deepEqual(source.told, [3]);
  durable = Promise.withResolvers<void>();
  clock.advanceUs(5_000_000n);
  reported.tellDue([source]);
  durable.reject(new Error('the disk is gone'));
  await settled();
  assert.deepEqual(source.told, [3]);
});

test('reports that take long are not followed by others, and hold no stop up', async () => {
  const clock = new FakeClock();
  const reported = new ReportedPositions(clock, () => Promise.resolve(), 10);
  const source = new FakeSource();
  source.at = 1;
  const answer = Promise.withResolvers<void>();
  source.answer = answer.promise;
  reported.tellDue([source]);
  for (let turn = 0; turn < 3; turn += 1) {
    clock.advanceUs(5_000_000n);
    reported.tellDue([source]);
    await settled();
  }
  assert.deepEqual(source.told, [1]);
  assert.equal(reported.nextDueUs([source]), 20_000_000n);
  source.at = 2;
  const last = reported.tellLast([source]);
  await settled();
  assert.deepEqual(source.told, [1]);
  answer.resolve();
  await last;
  assert.deepEqual(source.told, [1, 2]);
  // One that never answers.
  source.answer = new Promise(() => {});
  await reported.tellLast([source]);
  assert.deepEqual(source.told, [1, 2, 2]);
});
