/**
 * SourceSplits: which records of a source were taken in: for each split the ranges of positions, in the order in which the
 * splits came. Cost: O(1) a chunk; a range more for each jump.
 */

import { must } from '../base/assert.ts';
import { WATERMARK_NONE } from './operator.ts';
import type { Json, SplitStatus } from './port.ts';
import { isSamePosition } from './source-reading.ts';
import type { RelationWatermark } from './watermark.ts';

/** Positions [from, to) that the connector gives again exactly. */
export interface SplitRange {
  readonly from: Json;
  readonly to: Json;
}

/** JSON: a split as a checkpoint keeps it. */
export interface SplitState {
  readonly split: string;
  /** All that was taken in, in order; each begins where the one before ends, but for jumps (a truncated file). */
  readonly ranges: readonly SplitRange[];
  readonly isIdle: boolean;
  readonly running: string;
  readonly isEnded: boolean;
}

/** How far a view has taken a source's history: for each split the range and the position in it. */
export type HistoryPosition = Map<string, { readonly range: number; readonly position: Json }>;

export class SourceSplits {
  readonly #ranges = new Map<string, SplitRange[]>();

  restore(split: string, ranges: readonly SplitRange[]): void {
    this.#ranges.set(split, [...ranges]);
  }

  get count(): number {
    return this.#ranges.size;
  }

  get names(): readonly string[] {
    return [...this.#ranges.keys()];
  }

  has(split: string): boolean {
    return this.#ranges.has(split);
  }

  /** Splits are numbered as they came: a replay numbers them alike. */
  numberOf(split: string): number {
    return this.names.indexOf(split);
  }

  /** All that was taken in, in order; each begins where the one before ends, but for jumps (a truncated file). */
  rangesOf(split: string): readonly SplitRange[] {
    return must(this.#ranges.get(split));
  }

  /** Where a split stands. */
  positionOf(split: string): Json {
    return must(this.rangesOf(split).at(-1)).to;
  }

  /** Where each split stands. */
  get positions(): ReadonlyMap<string, Json> {
    return new Map(this.names.map((split) => [split, this.positionOf(split)]));
  }

  /** Where each split began. */
  get beginnings(): ReadonlyMap<string, Json> {
    return new Map(this.names.map((split) => [split, must(this.rangesOf(split)[0]).from]));
  }

  /** The split now stands at `to`. */
  move(split: string, from: Json, to: Json): void {
    const ranges = this.#ranges.get(split) ?? [];
    const last = ranges.at(-1);
    if (last !== undefined && isSamePosition(last.to, from)) {
      ranges[ranges.length - 1] = { from: last.from, to };
    } else ranges.push({ from, to });
    this.#ranges.set(split, ranges);
  }

  /** The ranges behind `taken`; each is noted there when the next is asked for. */
  *behind(
    taken: HistoryPosition,
  ): Generator<{ readonly split: string; readonly from: Json; readonly to: Json }> {
    for (const [split, ranges] of this.#ranges) {
      const start = taken.get(split) ?? { range: 0, position: must(ranges[0]).from };
      for (let range = start.range; range < ranges.length; range++) {
        const { from, to } = must(ranges[range]);
        const position = range > start.range ? from : start.position;
        if (!isSamePosition(position, to)) yield { split, from: position, to };
        taken.set(split, { range, position: to });
      }
    }
  }
}

/** Where each split stands, and its watermark. */
export function splitStatuses(splits: SourceSplits, watermark: RelationWatermark): SplitStatus[] {
  return splits.names.map((split) => {
    const { running, isIdle, isEnded } = watermark.split(split);
    const shown = running === WATERMARK_NONE ? null : String(running);
    return { split, position: splits.positionOf(split), watermark: shown, isIdle, isEnded };
  });
}
