/** Pace: how many records of a generated source are due at an instant; null rate: all of them. */

import type { Clock } from '../base/clock.ts';

export class Pace {
  readonly #clock: Clock;
  readonly #perSecond: number | null;
  #startUs = 0n;
  #startCount = 0;

  constructor(clock: Clock, perSecond: number | null) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /** Starts now at record `count`. */
  start(count: number): void {
    this.#startUs = this.#clock.monotonicUs();
    this.#startCount = count;
  }

  /** Records [0, due) may be given out now. */
  get due(): number {
    if (this.#perSecond === null) return Number.POSITIVE_INFINITY;
    const elapsedUs = Number(this.#clock.monotonicUs() - this.#startUs);
    return this.#startCount + Math.floor((elapsedUs * this.#perSecond) / 1e6) + 1;
  }

  /** Monotonic instant at which record `count` is due: now, where there is no pace. */
  dueAtUs(count: number): bigint {
    if (this.#perSecond === null) return this.#clock.monotonicUs();
    const us = Math.ceil(((count - this.#startCount) * 1e6) / this.#perSecond);
    return this.#startUs + BigInt(us);
  }
}
