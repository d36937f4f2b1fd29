/** SegmentWear: which segments of a relation are worth rewriting: mostly retracted, or so old that their stamps run out. */

import { SEGMENT_AGE_MAX, survivorsIfWorn } from './compaction.ts';
import { SEGMENT_ROWS_MAX, type Segment } from './segment.ts';
import type { SegmentDirectory } from './segment-directory.ts';

const AGE_CHECK_EPOCHS = 2 ** 24;
/** Segments that are rewritten at once. */
const SEGMENTS_MAX = 8;

export class SegmentWear {
  readonly #directory: SegmentDirectory;
  /** Slots. */
  readonly #worn = new Set<number>();
  #ageCheckedAt = 0;

  constructor(directory: SegmentDirectory) {
    this.#directory = directory;
  }

  get isEmpty(): boolean {
    return this.#worn.size === 0;
  }

  /** Notes a full segment that is mostly retracted. */
  note(segment: Segment): void {
    if (segment.retractedRows * 2 < segment.writtenRows) return;
    if (!this.#directory.isActive(segment) && !this.#goesFromFront(segment)) {
      this.#worn.add(segment.slot);
    }
  }

  /**
   * The oldest segment of a relation whose oldest rows go first needs no rewriting: it will be gone as a whole. A look at two
   * rows, so that now and then another one waits until its next row goes; only one can.
   */
  #goesFromFront(segment: Segment): boolean {
    const { retractedRows } = segment;
    if (retractedRows === segment.writtenRows || !this.#directory.isOldest(segment)) return false;
    return segment.isLive(retractedRows) && !segment.isLive(retractedRows - 1);
  }

  /** Epoch `epoch` begins. Stamps are relative to a segment's base: old segments are rewritten long before they run out. */
  begin(epoch: number): void {
    if (epoch - this.#ageCheckedAt <= AGE_CHECK_EPOCHS) return;
    this.#ageCheckedAt = epoch;
    for (const segment of this.#directory.scanned()) {
      if (epoch - segment.base < SEGMENT_AGE_MAX) continue;
      if (this.#directory.isActive(segment)) this.#directory.seal();
      this.#worn.add(segment.slot);
    }
  }

  /** The next ones to be rewritten, and their rows that some reader at `limit` or later sees. */
  take(limit: number): { readonly worn: readonly Segment[]; readonly survivors: number } {
    const worn: Segment[] = [];
    let survivors = 0;
    for (const slot of this.#worn) {
      const segment = this.#directory.segment(slot);
      const left = survivorsIfWorn(segment, limit);
      if (left === null || survivors + left > SEGMENT_ROWS_MAX) continue;
      survivors += left;
      worn.push(segment);
      this.#worn.delete(slot);
      if (survivors > SEGMENT_ROWS_MAX / 2 || worn.length >= SEGMENTS_MAX) break;
    }
    return { worn, survivors };
  }
}
