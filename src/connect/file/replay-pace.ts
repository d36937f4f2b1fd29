/** Plays history by event time: a row is due when as much time has passed as its event time is behind the first one's. */

import type { Clock } from '../../base/clock.ts';

const INFINITY_US = 9_223_372_036_854_775_807n;

export class ReplayPace {
  readonly #clock: Clock;
  readonly #speed: number;
  #anchor: { readonly eventUs: bigint; readonly monotonicUs: bigint } | null = null;

  constructor(clock: Clock, speed: number) {
    this.#clock = clock;
    this.#speed = speed;
  }

  /** The monotonic instant at which a row of this event time is due; the first one is now. Infinite times are due at once. */
  dueUs(eventUs: bigint): bigint {
    if (eventUs === INFINITY_US || eventUs === -INFINITY_US - 1n) return 0n;
    this.#anchor ??= { eventUs, monotonicUs: this.#clock.monotonicUs() };
    const passedUs = Number(eventUs - this.#anchor.eventUs) / this.#speed;
    return this.#anchor.monotonicUs + BigInt(Math.ceil(passedUs));
  }
}
