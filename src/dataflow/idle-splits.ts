/** IdleSplits: which splits of a source have stood at their end for so long that they are idle (semantics.md rule 17). */

import type { RelationWatermark } from './watermark.ts';

export class IdleSplits {
  readonly #watermark: RelationWatermark;
  /** null: none is ever idle. */
  readonly #timeoutUs: bigint | null;
  /** Since when (monotonic µs) the reader has stood at each split's end; null: it does not. */
  readonly #endings = new Map<string, bigint | null>();

  constructor(watermark: RelationWatermark, timeoutUs: bigint | null) {
    this.#watermark = watermark;
    this.#timeoutUs = timeoutUs;
  }

  /** Records of a split have come, the last ones for now where `isAtEnd`. */
  note(split: string, isAtEnd: boolean, nowUs: bigint): void {
    this.#endings.set(split, isAtEnd ? (this.#endings.get(split) ?? nowUs) : null);
  }

  /** As `note`, of records that were posted: all that there are. */
  notePosted(split: string, nowUs: bigint): void {
    this.#endings.set(split, nowUs);
  }

  /** Those that count as active still. */
  due(nowUs: bigint): string[] {
    return this.#ends().flatMap(([split, idleAtUs]) => (idleAtUs <= nowUs ? [split] : []));
  }

  /** When (monotonic µs) the next one is idle; null: none will be. */
  nextDueUs(): bigint | null {
    return this.#ends().reduce<bigint | null>(
      (least, [, idleAtUs]) => (least === null || idleAtUs < least ? idleAtUs : least),
      null,
    );
  }

  #ends(): [split: string, idleAtUs: bigint][] {
    const timeoutUs = this.#timeoutUs;
    if (timeoutUs === null) return [];
    return [...this.#endings].flatMap(([split, sinceUs]) => {
      // One that no epoch has begun does not begin here: a replay would not know of it.
      const watermark = this.#watermark.splits.get(split);
      if (sinceUs === null || watermark === undefined) return [];
      return watermark.isIdle || watermark.isEnded ? [] : [[split, sinceUs + timeoutUs]];
    });
  }
}
