/**
 * Time as a port: nothing outside base reads the machine's clocks, so that tests and simulations
 * own time.
 */

export interface Clock {
  /** Microseconds since 1970-01-01 UTC; may jump when the machine's clock is set. */
  wallUs(): bigint;
  /** Microseconds since an arbitrary start; never goes backwards. */
  monotonicUs(): bigint;
}

/** The wall clock is re-anchored once it is this far from the monotonic one plus its anchor. */
const WALL_DRIFT_MAX_US = 2000n;

/**
 * The machine's clocks. The wall clock is milliseconds from the system, refined to microseconds.
 */
export class SystemClock implements Clock {
  #anchorUs: bigint;

  constructor() {
    this.#anchorUs = systemWallUs() - systemMonotonicUs();
  }

  wallUs(): bigint {
    const coarseUs = systemWallUs();
    const fineUs = this.#anchorUs + systemMonotonicUs();
    const drift = fineUs - coarseUs;
    if (drift > WALL_DRIFT_MAX_US || drift < -WALL_DRIFT_MAX_US) {
      this.#anchorUs += coarseUs - fineUs;
      return coarseUs;
    }
    return fineUs;
  }

  monotonicUs(): bigint {
    return systemMonotonicUs();
  }
}

function systemWallUs(): bigint {
  return BigInt(Date.now()) * 1000n;
}

function systemMonotonicUs(): bigint {
  return process.hrtime.bigint() / 1000n;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #wallUs: bigint;
  #monotonicUs = 0n;

  /** Starts at 2026-01-01 00:00:00 UTC unless told otherwise. */
  constructor(wallUs = 1_767_225_600_000_000n) {
    this.#wallUs = wallUs;
  }

  wallUs(): bigint {
    return this.#wallUs;
  }

  monotonicUs(): bigint {
    return this.#monotonicUs;
  }

  /** Moves both clocks forward. */
  advanceUs(us: bigint): void {
    this.#wallUs += us;
    if (us > 0n) this.#monotonicUs += us;
  }

  /** Sets the wall clock alone, as an administrator would. */
  setWallUs(us: bigint): void {
    this.#wallUs = us;
  }
}
