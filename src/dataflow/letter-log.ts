/**
 * LetterLog: which dead letters there are, by age and size, and which of them have to go (semantics.md rule 27). The letters
 * themselves are in the stored relation DEAD_LETTERS_ID (letter-pages.ts); rejected and late ones are a log and are trimmed,
 * errors of views are state and are not in it.
 *
 * Letters are numbered in the order in which they came; trimming takes the oldest. What is trimmed is decided once, and logged
 * like DDL (`trim_dead_letters`), so that a replay trims the same letters whatever the limits are then.
 * State, part of checkpoints: blocks of consecutive letters (at most about 128), counters. Cost: O(1) a letter.
 */

import { must } from '../base/assert.ts';
import type { LetterCount, LetterStatus } from './port.ts';

export interface LetterLimits {
  readonly bytesMax: number;
  readonly ageUsMax: bigint;
}

/** JSON. Consecutive letters that are trimmed together. */
interface LetterBlock {
  readonly firstId: number;
  lastId: number;
  /** Letters between that were replayed; absent: none. */
  goneCount?: number;
  bytes: number;
  /** Instants of the first and the last. */
  readonly fromUs: string;
  toUs: string;
}

/** A letter on its way in: of a source or of a view. */
export interface NewLetter extends Pick<LetterCount, 'kind'> {
  readonly sourceId: number | null;
  readonly viewId: number | null;
}

/** JSON: what a checkpoint keeps. */
export interface LetterLogState {
  readonly nextId: number;
  readonly blocks: readonly Readonly<LetterBlock>[];
  readonly counts: readonly LetterCount[];
  readonly trimmed: number;
  readonly replayed: number;
}

/** A block takes letters up to this part of the limits: by so much more than the limits at most is kept. */
const BLOCKS = 64;

export class LetterLog {
  readonly #limits: LetterLimits;
  #nextId: number;
  #blocks: LetterBlock[];
  readonly #counts = new Map<string, LetterCount>();
  #trimmed: number;
  #replayed: number;

  constructor(limits: LetterLimits, state: LetterLogState | null) {
    this.#limits = limits;
    this.#nextId = state?.nextId ?? 1;
    this.#blocks = (state?.blocks ?? []).map((block) => ({ ...block }));
    for (const count of state?.counts ?? []) this.#counts.set(countKey(count), count);
    this.#trimmed = state?.trimmed ?? 0;
    this.#replayed = state?.replayed ?? 0;
  }

  /**
   * The epoch of instant `nowUs` adds letters, numbered from the result on; `bytesOf`: about what one takes; `baseBytes`: what
   * they take together besides.
   */
  add<Letter extends NewLetter>(
    letters: readonly Letter[],
    bytesOf: (letter: Letter) => number,
    nowUs: bigint,
    baseBytes = 0,
  ): number {
    const firstId = this.#nextId;
    let block: LetterBlock | null = null;
    let from = 0;
    for (let i = 0; i < letters.length; i += 1) {
      const letter = letters[i]!;
      if (!isSameSort(letter, letters[i + 1])) {
        this.#count(letter, i + 1 - from);
        from = i + 1;
      }
      if (block === null || this.#isFull(block)) block = this.#openBlock(nowUs);
      block.lastId = this.#nextId++;
      block.bytes += bytesOf(letter) + (i === 0 ? baseBytes : 0);
    }
    return firstId;
  }

  #count({ kind, sourceId, viewId }: NewLetter, more: number): void {
    const relationId = must(sourceId ?? viewId);
    const key = countKey({ kind, relationId });
    const count = (this.#counts.get(key)?.count ?? 0) + more;
    this.#counts.set(key, { kind, relationId, count });
  }

  #isFull({ bytes }: LetterBlock): boolean {
    return bytes * BLOCKS >= this.#limits.bytesMax;
  }

  /** The newest block, or a new one where that is full or old; it takes letters of instant `nowUs`. */
  #openBlock(nowUs: bigint): LetterBlock {
    const last = this.#blocks.at(-1);
    const at = String(nowUs);
    const hasRoom =
      last !== undefined &&
      !this.#isFull(last) &&
      (nowUs - BigInt(last.fromUs)) * BigInt(BLOCKS) < this.#limits.ageUsMax;
    if (hasRoom) {
      last.toUs = at;
      // Letters behind it were replayed, blocks and all.
      const gap = this.#nextId - 1 - last.lastId;
      if (gap > 0) last.goneCount = (last.goneCount ?? 0) + gap;
      return last;
    }
    const block = { firstId: this.#nextId, lastId: 0, bytes: 0, fromUs: at, toUs: at };
    this.#blocks.push(block);
    return block;
  }

  get bytes(): number {
    return this.#blocks.reduce((sum, block) => sum + block.bytes, 0);
  }

  /** Letters numbered below the result have to go; null: none has to. */
  dueBefore(nowUs: bigint): number | null {
    let excess = this.bytes - this.#limits.bytesMax;
    let before: number | null = null;
    for (const { bytes, lastId, toUs } of this.#blocks) {
      if (excess <= 0 && BigInt(toUs) + this.#limits.ageUsMax > nowUs) break;
      excess -= bytes;
      before = lastId + 1;
    }
    return before;
  }

  /** When the oldest letters are too old; null: there are none. */
  nextDueUs(): bigint | null {
    const oldest = this.#blocks[0];
    return oldest === undefined ? null : BigInt(oldest.toUs) + this.#limits.ageUsMax;
  }

  /** Letters below `beforeId` are gone, `count` of them. A block that other limits made may be cut in two. */
  trim(beforeId: number, count: number): void {
    this.#trimmed += count;
    const left = this.#kept - count;
    const later = this.#blocks.filter(({ firstId }) => firstId >= beforeId);
    const cut = this.#blocks.find((one) => one.firstId < beforeId && one.lastId >= beforeId);
    this.#blocks = later;
    if (cut === undefined) return;
    const rest = left - this.#kept;
    if (rest === 0) return;
    const bytes = Math.ceil((cut.bytes * rest) / keptOf(cut));
    const goneCount = cut.lastId - beforeId + 1 - rest;
    this.#blocks = [{ ...cut, firstId: beforeId, bytes, goneCount }, ...later];
  }

  /** Letters were replayed and are gone. O(letters + blocks). */
  remove(letters: readonly { readonly id: number; readonly bytes: number }[]): void {
    const sorted = [...letters].sort((a, b) => a.id - b.id);
    this.#replayed += sorted.length;
    let at = 0;
    for (const block of this.#blocks) {
      for (; at < sorted.length && sorted[at]!.id <= block.lastId; at++) {
        block.goneCount = (block.goneCount ?? 0) + 1;
        block.bytes = Math.max(0, block.bytes - sorted[at]!.bytes);
      }
    }
    this.#blocks = this.#blocks.filter((block) => keptOf(block) > 0);
  }

  /** The number that the next letter gets. */
  get nextId(): number {
    return this.#nextId;
  }

  /** Letters that the relation has ever had. */
  countOf(relationId: number): number {
    let all = 0;
    for (const one of this.#counts.values()) if (one.relationId === relationId) all += one.count;
    return all;
  }

  get #kept(): number {
    return this.#blocks.reduce((sum, block) => sum + keptOf(block), 0);
  }

  state(): LetterLogState {
    return {
      nextId: this.#nextId,
      blocks: this.#blocks.map((block) => ({ ...block })),
      counts: [...this.#counts.values()],
      trimmed: this.#trimmed,
      replayed: this.#replayed,
    };
  }

  status(): LetterStatus {
    return {
      counts: [...this.#counts.values()],
      kept: this.#kept,
      bytes: this.bytes,
      trimmed: this.#trimmed,
      replayed: this.#replayed,
    };
  }
}

function isSameSort({ kind, sourceId, viewId }: NewLetter, next: NewLetter | undefined): boolean {
  return next?.kind === kind && next.sourceId === sourceId && next.viewId === viewId;
}

function keptOf({ firstId, lastId, goneCount = 0 }: LetterBlock): number {
  return lastId - firstId + 1 - goneCount;
}

function countKey({ kind, relationId }: Omit<LetterCount, 'count'>): string {
  return `${kind} ${relationId}`;
}
