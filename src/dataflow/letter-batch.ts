/**
 * An epoch's dead letters as a batch of DEAD_LETTERS.
 *
 * Cost: O(1) a letter, and a copy of what it keeps; what it has in common with the letter before is not encoded again.
 */

import { ColumnBuilder } from '../batch/column-builder.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { Value } from '../types/data-type.ts';
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

/** Texts that differ from letter to letter. */
const OWN_TEXTS: ReadonlySet<string> = new Set(['position', 'reason', 'context']);

const COLUMNS = DEAD_LETTERS.map(({ name, type }) => {
  const of = VALUES[name as keyof typeof VALUES];
  return { type, of, isOwn: OWN_TEXTS.has(name) };
});

/** The letters, numbered from `firstId` on, of the epoch of instant `nowUs`. */
export function letterBatch(
  letters: readonly DeadLetter[],
  firstId: number,
  nowUs: bigint,
  scratch: Scratch,
): DeltaBatch {
  const { memory } = scratch;
  const builders = COLUMNS.map(({ type, of, isOwn }) => {
    const builder = new ColumnBuilder(memory, scratch, type, letters.length);
    return { of, values: isOwn ? new TextValues(builder) : new RunValues(builder) };
  });
  // Letter by letter: what belongs to one lies together, too.
  for (const [i, letter] of letters.entries()) {
    for (const { of, values } of builders) values.add(of(letter, firstId + i, nowUs));
  }
  const columns = builders.map(({ values }) => values.build());
  return { memory, rowCount: letters.length, columns, weights: 0, rowWatermarks: 0 };
}

/** Values of which equal ones follow each other. */
class RunValues {
  readonly #builder: ColumnBuilder;
  #last: Value | undefined;
  /** How often the last one is to be repeated. */
  #repeats = 0;

  constructor(builder: ColumnBuilder) {
    this.#builder = builder;
  }

  add(value: Value): void {
    if (value === this.#last) {
      this.#repeats += 1;
      return;
    }
    this.#flush();
    this.#builder.appendValue(value);
    this.#last = value;
  }

  #flush(): void {
    if (this.#repeats === 0) return;
    this.#builder.appendAgain(this.#repeats);
    this.#repeats = 0;
  }

  build(): Column {
    this.#flush();
    return this.#builder.build();
  }
}

/** Texts that are encoded together. */
class TextValues {
  readonly #builder: ColumnBuilder;
  readonly #texts: (string | null)[] = [];

  constructor(builder: ColumnBuilder) {
    this.#builder = builder;
  }

  add(value: Value): void {
    this.#texts.push(value as string | null);
  }

  build(): Column {
    this.#builder.appendTexts(this.#texts);
    return this.#builder.build();
  }
}
