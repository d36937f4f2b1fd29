/** Small pieces of a source's reading: ranges again, positions compared, durations among its options. */

import type { Json, SourceChunk, SourceReader } from '../connect/source.ts';
import type { SplitProgress } from '../state/manifest.ts';
import type { FeedContext } from './feed-context.ts';

export function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((column, index) => column === b[index]);
}

/** A wait is told of when it begins, and again each time that so long has passed. */
const TELL_WAIT_US = 30_000_000n;

/** Tells of everything that stands still until a source's records come again. */
export class WaitLog {
  readonly #context: Pick<FeedContext, 'clock' | 'warn'>;
  readonly #name: () => string;
  #toldUs: bigint | null = null;

  constructor(context: Pick<FeedContext, 'clock' | 'warn'>, name: () => string) {
    this.#context = context;
    this.#name = name;
  }

  tell(reason: string): void {
    const nowUs = this.#context.clock.monotonicUs();
    if (this.#toldUs !== null && nowUs < this.#toldUs + TELL_WAIT_US) return;
    this.#toldUs = nowUs;
    this.#context.warn(`source ${this.#name()}: its records are waited for: ${reason}`);
  }
}

/** A range again; null where it would have to wait, unless it is patient. */
export function* replayed(
  reader: SourceReader,
  { split, from, to }: Pick<SplitProgress, 'split' | 'from' | 'to'>,
  isPatient: boolean,
  waits: WaitLog,
): Generator<SourceChunk | null> {
  for (const chunk of reader.replay(split, from as Json, to as Json)) {
    if (chunk !== null || !isPatient) yield chunk;
    else {
      const reason = reader.standStill?.() ?? null;
      if (reason !== null) waits.tell(reason);
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
