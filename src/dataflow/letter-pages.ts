/**
 * LetterPages: the dead letters that there are, as rows of the stored relation DEAD_LETTERS_ID (letter-page.ts); what comes,
 * what is trimmed, what a replay takes.
 *
 * Everything is as the open epoch has it so far: what an earlier statement of the epoch took is not found again.
 * Cost: find O(letters there are), trim O(pages there are), change O(letters of the pages that are touched).
 */

import { assert, must } from '../base/assert.ts';
import { buildBatch } from '../batch/build-batch.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import { INT8, type Value } from '../types/data-type.ts';
import type { EngineRelation } from './engine-relation.ts';
import {
  LETTER_PAGES,
  lettersOf,
  PAGE_COLUMNS,
  PAGE_COUNT,
  PAGE_KEY,
  PAGES_READ,
  pageRow,
  pagesOf,
  type StoredLetter,
} from './letter-page.ts';
import type { DeadLetter } from './problems.ts';

export interface LetterPagesContext {
  readonly memory: Memory;
  readonly scratch: Scratch;
  /** The stored relation. */
  relation(): EngineRelation;
  /** Rows come. */
  deliver(batch: DeltaBatch): void;
  /** Rows go, by their keys. */
  retract(keys: DeltaBatch): void;
}

/** Keys and rows of one batch. */
const BATCH_ROWS = 1024;
const PAGE_TYPES = LETTER_PAGES.map(({ type }) => type);

export class LetterPages {
  readonly #context: LetterPagesContext;

  constructor(context: LetterPagesContext) {
    this.#context = context;
  }

  /** The letters of the epoch of instant `atUs`, numbered from `firstId` on. */
  append(letters: readonly DeadLetter[], firstId: number, atUs: bigint): void {
    const rows: Value[][] = [];
    for (const page of pagesOf(letters, firstId)) {
      rows.push(pageRow(page.key, atUs, page.letters, null));
    }
    this.#deliver(rows);
  }

  /** Letters numbered below `beforeId` go; how many there were. */
  trim(beforeId: number): number {
    let count = 0;
    const keys: number[] = [];
    for (const { memory, columns, rowCount } of this.#batches([PAGE_KEY, PAGE_COUNT], BATCH_ROWS)) {
      const key = must(columns[0]).values >>> 3;
      const letters = must(columns[1]).values >>> 2;
      for (let row = 0; row < rowCount; row += 1) {
        const page = Number(memory.i64[key + row]);
        if (page >= beforeId) continue;
        keys.push(page);
        count += memory.i32[letters + row]!;
      }
    }
    if (keys.length === 0) return 0;
    // Only the newest of them may have letters that stay.
    const newest = keys.reduce((one, other) => Math.max(one, other));
    const kept = this.#read(newest).filter(({ id }) => id >= beforeId);
    this.#retract(keys);
    if (kept.length > 0) this.#deliver([storedRow(newest, kept)]);
    return count - kept.length;
  }

  /** In the order in which they came. */
  find(isWanted: (letter: StoredLetter) => boolean): StoredLetter[] {
    const found: StoredLetter[] = [];
    for (const batch of this.#batches(PAGE_COLUMNS, PAGES_READ)) {
      for (let row = 0; row < batch.rowCount; row += 1) {
        for (const letter of lettersOf(batch, row)) if (isWanted(letter)) found.push(letter);
      }
    }
    return found.sort((one, other) => one.id - other.id);
  }

  /** Letters that are there go, others are from now on as `renewed` has them. Each page is written once. */
  change(gone: readonly StoredLetter[], renewed: readonly StoredLetter[]): void {
    const after = new Map<number, StoredLetter | null>();
    for (const { id } of gone) after.set(id, null);
    for (const letter of renewed) after.set(letter.id, letter);
    for (const page of new Set([...gone, ...renewed].map((letter) => letter.page))) {
      const kept = this.#read(page).flatMap((letter) => {
        const now = after.get(letter.id);
        return now === undefined ? [letter] : (now ?? []);
      });
      this.#retract([page]);
      if (kept.length > 0) this.#deliver([storedRow(page, kept)]);
    }
  }

  /** All pages; a batch lasts until the next one. */
  *#batches(columns: readonly number[], rowsMax: number): Generator<DeltaBatch> {
    const { scratch } = this.#context;
    const mark = scratch.mark();
    const reader = this.#context.relation().reader();
    for (const batch of reader.scanOpen(columns, this.#context, rowsMax)) {
      yield batch;
      scratch.release(mark);
    }
  }

  /** The letters of a page that is there. */
  #read(page: number): StoredLetter[] {
    const { scratch } = this.#context;
    const mark = scratch.mark();
    const reader = this.#context.relation().reader();
    const { rows } = reader.lookupOpen(this.#keys([page]), PAGE_COLUMNS, this.#context);
    assert(rows !== null, 'a page of dead letters is not there');
    const letters = [...lettersOf(rows, 0)];
    scratch.release(mark);
    return letters;
  }

  #retract(keys: readonly number[]): void {
    const { scratch } = this.#context;
    for (let from = 0; from < keys.length; from += BATCH_ROWS) {
      const mark = scratch.mark();
      this.#context.retract(this.#keys(keys.slice(from, from + BATCH_ROWS)));
      scratch.release(mark);
    }
  }

  #keys(keys: readonly number[]): DeltaBatch {
    const rows = keys.map((key) => [BigInt(key)]);
    return buildBatch([INT8], rows, this.#context.scratch);
  }

  #deliver(rows: readonly (readonly Value[])[]): void {
    const { scratch } = this.#context;
    for (let from = 0; from < rows.length; from += BATCH_ROWS) {
      const mark = scratch.mark();
      const part = rows.slice(from, from + BATCH_ROWS);
      this.#context.deliver(buildBatch(PAGE_TYPES, part, scratch));
      scratch.release(mark);
    }
  }
}

function storedRow(page: number, letters: readonly StoredLetter[]): Value[] {
  const ids = letters.map(({ id }) => id);
  return pageRow(page, letters[0]!.atUs, letters, ids);
}
