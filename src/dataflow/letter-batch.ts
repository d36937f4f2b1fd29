/**
 * An epoch's dead letters as a batch of DEAD_LETTERS.
 *
 * Cost: O(1) a letter, and a copy of what it keeps; what it has in common with the letter before is not encoded again. Column
 * by column: letters are few among many records, so that little of what reads them is in the processor's caches before.
 */

import { ColumnBuilder } from '../batch/column-builder.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { Value } from '../types/data-type.ts';
import type { DEAD_LETTER_COLUMNS } from './port.ts';
import { DEAD_LETTERS, type DeadLetter } from './problems.ts';

type Letters = readonly DeadLetter[];

/** Appends a column's values: the letters are numbered from `firstId` on, their epoch's instant is `nowUs`. */
type Append = (to: ColumnBuilder, letters: Letters, firstId: number, nowUs: bigint) => void;

const APPEND: Readonly<Record<(typeof DEAD_LETTER_COLUMNS)[number], Append>> = {
  id: (to, letters, firstId) => {
    for (let i = 0; i < letters.length; i += 1) to.appendI64Number(firstId + i);
  },
  at: (to, { length }, _firstId, nowUs) => appendEqual(to, nowUs, length),
  kind: runs(({ kind }) => kind),
  source_id: numbers(({ sourceId }) => sourceId),
  view_id: numbers(({ viewId }) => viewId),
  split: runs(({ split }) => split),
  position: texts(({ position }) => position),
  row: runs(({ row }) => row),
  reason: texts(({ reason }) => reason),
  op: runs(({ op }) => op),
  sqlstate: runs(({ sqlstate }) => sqlstate),
  topic: runs(({ place }) => place?.topic ?? null),
  partition: runs(({ place }) => place?.partition ?? null),
  record_offset: numbers(({ place }) => place?.offset ?? null),
  key: runs(({ raw }) => raw?.key ?? null),
  raw: runs(({ raw }) => raw?.value ?? null),
  is_cut: runs(({ raw }) => raw?.isCut ?? null),
  context: texts(({ raw, lateRow = null }) => raw?.context ?? lateRow),
};

const COLUMNS = DEAD_LETTERS.map(({ name, type }) => {
  return { type, append: APPEND[name as keyof typeof APPEND] };
});

/** The letters, numbered from `firstId` on, of the epoch of instant `nowUs`. */
export function letterBatch(
  letters: Letters,
  firstId: number,
  nowUs: bigint,
  scratch: Scratch,
): DeltaBatch {
  const { memory } = scratch;
  const columns = COLUMNS.map(({ type, append }) => {
    const builder = new ColumnBuilder(memory, scratch, type, letters.length);
    append(builder, letters, firstId, nowUs);
    return builder.build();
  });
  return { memory, rowCount: letters.length, columns, weights: 0, rowWatermarks: 0 };
}

/** Values of which equal ones follow each other. */
function runs(of: (letter: DeadLetter) => Value): Append {
  return (to, letters) => {
    for (let from = 0, end = 0; from < letters.length; from = end) {
      const value = of(letters[from]!);
      for (end = from + 1; end < letters.length && of(letters[end]!) === value; ) end += 1;
      appendEqual(to, value, end - from);
    }
  };
}

function appendEqual(to: ColumnBuilder, value: Value, count: number): void {
  to.appendValue(value);
  if (count > 1) to.appendAgain(count - 1);
}

function numbers(of: (letter: DeadLetter) => number | null): Append {
  return (to, letters) => {
    for (const letter of letters) {
      const value = of(letter);
      if (value === null) to.appendNull();
      else to.appendI64Number(value);
    }
  };
}

/** Texts that differ from letter to letter. */
function texts(of: (letter: DeadLetter) => string | null): Append {
  return (to, letters) => to.appendTexts(letters.map(of));
}
