/** RateMeter: how many a second, over the last ten seconds. Cost: O(1) an addition, O(10) a reading. */

const SECONDS = 10;

export class RateMeter {
  /** Counts by second modulo SECONDS. */
  readonly #counts = new Float64Array(SECONDS);
  #second = 0;

  /** `nowUs` is monotonic time. */
  add(count: number, nowUs: bigint): void {
    this.#advance(nowUs);
    this.#counts[this.#second % SECONDS]! += count;
  }

  perSecond(nowUs: bigint): number {
    this.#advance(nowUs);
    return this.#counts.reduce((sum, count) => sum + count, 0) / SECONDS;
  }

  /** Seconds that went by without an addition count as empty. */
  #advance(nowUs: bigint): void {
    const second = Number(nowUs / 1_000_000n);
    if (second - this.#second >= SECONDS) this.#counts.fill(0);
    else while (this.#second < second) this.#counts[++this.#second % SECONDS] = 0;
    this.#second = second;
  }
}
