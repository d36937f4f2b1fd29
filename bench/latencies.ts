/** Latencies of one run: kept one by one, summed up as exact percentiles. */

export interface LatencySummary {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

export class Latencies {
  readonly #valuesMs: number[] = [];

  add(ms: number): void {
    this.#valuesMs.push(ms);
  }

  get count(): number {
    return this.#valuesMs.length;
  }

  /** The value that a part of all are at or below (nearest rank). */
  summary(): LatencySummary {
    const sorted = Float64Array.from(this.#valuesMs).sort();
    const at = (part: number): number => {
      const rank = Math.max(0, Math.ceil(part * sorted.length) - 1);
      return rounded(sorted[rank] ?? Number.NaN);
    };
    return { p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999), maxMs: at(1) };
  }
}

/** To a thousandth, as figures are printed. */
export function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
