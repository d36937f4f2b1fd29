/** Small pieces of a source's reading: ranges again, positions compared, durations among its options. */

import type { Json, SourceChunk, SourceReader } from '../connect/source.ts';
import type { SplitProgress } from '../state/manifest.ts';

export function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((column, index) => column === b[index]);
}

/** A range again; null where it would have to wait, unless it is patient: then `onWait` is told why it stood still. */
export function* replayed(
  reader: SourceReader,
  { split, from, to }: Pick<SplitProgress, 'split' | 'from' | 'to'>,
  isPatient: boolean,
  onWait: (reason: string) => void,
): Generator<SourceChunk | null> {
  for (const chunk of reader.replay(split, from as Json, to as Json)) {
    if (chunk !== null || !isPatient) yield chunk;
    else {
      const reason = reader.standStill?.() ?? null;
      if (reason !== null) onWait(reason);
    }
  }
}

/** A duration among a source's checked options; null: it has none. */
export function optionUs(connector: Json, name: 'idleTimeoutUs' | 'maxAheadUs'): bigint | null {
  const value = (connector as { readonly [key: string]: Json } | null)?.[name] ?? null;
  return typeof value === 'string' || typeof value === 'number' ? BigInt(value) : null;
}

/** Positions are the connector's JSON. */
export function isSamePosition(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
