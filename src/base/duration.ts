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

/** Microseconds of the units that a length of time is written in, the largest first. */
const WRITTEN_UNITS: readonly (readonly [string, bigint])[] = [
  ['day', 86_400_000_000n],
  ['hour', 3_600_000_000n],
  ['minute', 60_000_000n],
];

/** Microseconds as an interval with its units: `1 minute`, `1 day 12 hours`, `0.25 seconds`, `-1 minute -30 seconds`. */
export function durationText(us: bigint): string {
  const sign = us < 0n ? '-' : '';
  let rest = us < 0n ? -us : us;
  const parts: string[] = [];
  const add = (count: string, unit: string) =>
    parts.push(`${sign}${count} ${unit}${count === '1' ? '' : 's'}`);
  for (const [unit, size] of WRITTEN_UNITS) {
    if (rest >= size) add(String(rest / size), unit);
    rest %= size;
  }
  if (rest > 0n || parts.length === 0) {
    const fraction = String(rest % 1_000_000n)
      .padStart(6, '0')
      .replace(/0+$/, '');
    add(`${rest / 1_000_000n}${fraction === '' ? '' : `.${fraction}`}`, 'second');
  }
  return parts.join(' ');
}
