/**
 * An epoch's dead letters as a batch of DEAD_LETTERS, column by column.
 *
 * Cost: O(1) a letter, and a copy of what it keeps; what it has in common with the letter before is not encoded again.
 */

import { ColumnBuilder } from '../batch/column-builder.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { DataType, Value } from '../types/data-type.ts';
import type { DEAD_LETTER_COLUMNS } from './port.ts';
import { DEAD_LETTERS, type DeadLetter } from './problems.ts';

/** A letter of the epoch of instant `nowUs` and its number. */
type ValueOf = (letter: DeadLetter, id: number, nowUs: bigint) => Value;

const VALUES: Readonly<Record<(typeof DEAD_LETTER_COLUMNS)[number], ValueOf>> = {
  id: (_letter, id) => BigInt(id),
  at: (_letter, _id, nowUs) => nowUs,
  kind: ({ kind }) => kind,
  source_id: ({ sourceId }) => int8(sourceId),
  view_id: ({ viewId }) => int8(viewId),
  split: ({ split }) => split,
  position: ({ position }) => position,
  row: ({ row }) => row,
  reason: ({ reason }) => reason,
  op: ({ op }) => op,
  sqlstate: ({ sqlstate }) => sqlstate,
  topic: ({ place }) => place?.topic ?? null,
  partition: ({ place }) => place?.partition ?? null,
  record_offset: ({ place }) => int8(place?.offset ?? null),
  key: ({ raw }) => raw?.key ?? null,
  raw: ({ raw }) => raw?.value ?? null,
  is_cut: ({ raw }) => raw?.isCut ?? null,
  context: ({ raw, lateRow = null }) => raw?.context ?? lateRow,
};

function int8(value: number | null): bigint | null {
  return value === null ? null : BigInt(value);
}

const COLUMNS = DEAD_LETTERS.map(({ name, type }) => {
  return { type, of: VALUES[name as keyof typeof VALUES] };
});

/** The letters, numbered from `firstId` on, of the epoch of instant `nowUs`. */
export function letterBatch(
  letters: readonly DeadLetter[],
  firstId: number,
  nowUs: bigint,
  scratch: Scratch,
): DeltaBatch {
  const { memory } = scratch;
  const columns = COLUMNS.map(({ type, of }) => {
    const values = letters.map((letter, i) => of(letter, firstId + i, nowUs));
    return columnOf(type, values, scratch);
  });
  return { memory, rowCount: letters.length, columns, weights: 0, rowWatermarks: 0 };
}

function columnOf(type: DataType, values: readonly Value[], scratch: Scratch): Column {
  const builder = new ColumnBuilder(scratch.memory, scratch, type, values.length);
  let last: Value | undefined;
  for (const value of values) {
    if (value === last) builder.appendAgain();
    else builder.appendValue(value);
    last = value;
  }
  return builder.build();
}
