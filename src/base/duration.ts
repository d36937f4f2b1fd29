/** Durations as texts, in the units of PostgreSQL's settings. */

/** Milliseconds of each unit. */
export const DURATION_UNITS: Readonly<Record<string, number>> = Object.freeze({
  us: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
});

/** Milliseconds meant by `30s`, `1.5h`, `7d` or a plain number; null where malformed. */
export function parseDurationMs(text: string): number | null {
  const match = /^\s*(-?\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?\s*$/.exec(text);
  if (match === null) return null;
  return Math.round(Number(match[1]) * DURATION_UNITS[match[2] ?? 'ms']!);
}
