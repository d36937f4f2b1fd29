/** How much memory this process may use: the machine's, or the container's where that is less. */

import { totalmem } from 'node:os';

/** Bytes of the machine or of the cgroup (v1 and v2, parents included), whichever is less. */
export function availableMemoryBytes(): number {
  const machine = totalmem();
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < machine ? constrained : machine;
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
};

/** The size in the greatest unit that divides it: `64MB`. */
export function formatMemorySize(bytes: number): string {
  const units = Object.entries(UNITS).filter(([unit, size]) => unit !== '' && bytes % size === 0);
  const [unit, size] = units.at(-1)!;
  return `${bytes / size}${unit}`;
}

/**
 * Bytes meant by `512MB`, `4GB`, `1.5 gb` or a plain number (units of 1024, as in PostgreSQL); null
 * where malformed.
 */
export function parseMemorySize(text: string): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?b)?\s*$/i.exec(text);
  if (match === null) return null;
  const unit = UNITS[(match[2] ?? '').toUpperCase()] ?? 1;
  const bytes = Math.floor(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? bytes : null;
}
