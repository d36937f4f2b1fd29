/** Busy polling: who is polled for, how long, and when it stands down. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BusyPoll, RequestRhythm } from './busy-poll.ts';

/** Keeps the thread from everything else. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

function isPolling(): boolean {
  return process.getActiveResourcesInfo().includes('Immediate');
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

test('answers are polled after once several requests in a row came quickly', () => {
  let polls = 0;
  const rhythm = new RequestRhythm(1000, () => polls++);
  const exchange = () => {
    rhythm.asked();
    rhythm.answered();
  };
  rhythm.answered();
  for (let i = 0; i < 3; i++) exchange();
  assert.equal(polls, 0);
  for (let i = 0; i < 3; i++) exchange();
  assert.equal(polls, 3);
});

test('a late request ends the rhythm', () => {
  let polls = 0;
  const rhythm = new RequestRhythm(50, () => polls++);
  rhythm.answered();
  for (let i = 0; i < 4; i++) {
    rhythm.asked();
    rhythm.answered();
  }
  assert.equal(polls, 1);
  block(60);
  rhythm.asked();
  rhythm.answered();
  assert.equal(polls, 1);
});

test('a limit of 0 never polls', () => {
  const rhythm = new BusyPoll(0).rhythm();
  for (let i = 0; i < 10; i++) {
    rhythm.answered();
    rhythm.asked();
  }
  assert.ok(!isPolling());
});

test('the event loop turns until the limit has passed', async () => {
  new BusyPoll(1000).extend(performance.now());
  assert.ok(isPolling());
  while (isPolling()) await turn();
});

test('a long turn ends polling for a while', async () => {
  const poll = new BusyPoll(1000);
  poll.extend(performance.now());
  block(4);
  while (isPolling()) await turn();
  poll.extend(performance.now());
  assert.ok(!isPolling());
});
