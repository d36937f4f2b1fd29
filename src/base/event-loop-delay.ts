/** EventLoopDelay: how long this thread's event loop keeps timers waiting, over the last while. */

import { monitorEventLoopDelay } from 'node:perf_hooks';

type IntervalHistogram = ReturnType<typeof monitorEventLoopDelay>;

/** Seconds. JSON. */
export interface EventLoopDelays {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const RESOLUTION_MS = 10;
/** Readings tell of at least this long, and of twice as long at most. */
const WINDOW_MS = 30_000;
const NANOSECONDS = 1e9;

export class EventLoopDelay {
  #before: IntervalHistogram | null = null;
  #current = started();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#turn(), WINDOW_MS).unref();
  }

  #turn(): void {
    this.#current.disable();
    this.#before = this.#current;
    this.#current = started();
  }

  /** The window before this one and what there is of this one; the greater of both. */
  read(): EventLoopDelays {
    const both = this.#before === null ? [this.#current] : [this.#before, this.#current];
    // The monitor notes how far apart its ticks were.
    const tick = RESOLUTION_MS / 1000;
    const most = (of: (histogram: IntervalHistogram) => number) =>
      Math.max(0, ...both.map((histogram) => of(histogram) / NANOSECONDS - tick));
    return {
      p50: most((histogram) => histogram.percentile(50)),
      p99: most((histogram) => histogram.percentile(99)),
      max: most((histogram) => histogram.max),
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#current.disable();
  }
}

function started(): IntervalHistogram {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return histogram;
}
