/** Waiting for what a server brings about by itself: asked again and again instead of sleeping for a while. */

import { setTimeout as delay } from 'node:timers/promises';

/** Generous, because the machine may be busy: what is as it should be does not wait for it. */
const WITHIN_MS = 60_000;
const PAUSE_MS = 20;

/**
 * Asks until the answer `holds`, for `withinMs` at most, and gives the last answer, whichever it is: the caller asserts that
 * it is the right one, so that a failure shows it. What `ask` throws is thrown at once.
 */
export async function polled<T>(
  ask: () => T | Promise<T>,
  holds: (answer: T) => boolean,
  withinMs: number = WITHIN_MS,
  pauseMs: number = PAUSE_MS,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (holds(answer) || performance.now() > end) return answer;
    await delay(pauseMs);
  }
}
