import assert from 'node:assert/strict';
import test from 'node:test';
import { WATERMARK_END, WATERMARK_NONE } from './operator.ts';
import { RelationWatermark, shiftWatermark } from './watermark.ts';

function relation(...running: bigint[]): RelationWatermark {
  const watermark = new RelationWatermark();
  running.forEach((w, i) => {
    watermark.split(String(i)).running = w;
  });
  return watermark;
}

test('W is the least of the active splits and never goes back', () => {
  const w = relation(10n, 20n);
  assert.equal(w.advance(), true);
  assert.equal(w.current, 10n);
  w.split('0').running = 15n;
  w.split('2').running = 3n;
  assert.equal(w.advance(), false, 'a new split joins, W stays');
  assert.equal(w.current, 10n);
  assert.equal(w.othersMinimum('2'), 15n);
});

test('idle splits leave the minimum; where all are idle it is the maximum', () => {
  const w = relation(10n, 20n, 30n);
  w.split('0').isIdle = true;
  w.advance();
  assert.equal(w.current, 20n);
  w.split('1').isIdle = true;
  w.split('2').isIdle = true;
  w.advance();
  assert.equal(w.current, 30n);
  w.split('0').isIdle = false;
  w.advance();
  assert.equal(w.current, 30n);
});

test('ended splits count as the end of time; when all have ended W is the end of time', () => {
  const w = relation(10n, 20n);
  w.split('0').isEnded = true;
  w.advance();
  assert.equal(w.current, 20n);
  w.split('1').isEnded = true;
  w.advance();
  assert.equal(w.current, WATERMARK_END);
});

test('the ends of time do not shift', () => {
  assert.equal(shiftWatermark(WATERMARK_NONE, 5n), WATERMARK_NONE);
  assert.equal(shiftWatermark(WATERMARK_END, -5n), WATERMARK_END);
  assert.equal(shiftWatermark(WATERMARK_END - 2n, 5n), WATERMARK_END - 1n);
});
