import assert from 'node:assert/strict';
import test from 'node:test';
import { IdleSplits } from './idle-splits.ts';
import { RelationWatermark } from './watermark.ts';

test('a split that was polled holds no watermark back before an epoch begins it', () => {
  const watermark = new RelationWatermark();
  watermark.split('0').running = 10n;
  const idle = new IdleSplits(watermark, 5n);
  idle.note('0', true, 100n);
  idle.note('1', true, 90n);
  assert.equal(idle.nextDueUs(), 105n);
  assert.deepEqual(idle.due(200n), ['0']);
  assert.equal(watermark.advance(), true);
  assert.equal(watermark.current, 10n);
  watermark.split('1');
  assert.equal(idle.nextDueUs(), 95n);
  assert.deepEqual(idle.due(200n), ['0', '1']);
  watermark.split('0').isIdle = true;
  watermark.split('1').isEnded = true;
  assert.equal(idle.nextDueUs(), null);
});
