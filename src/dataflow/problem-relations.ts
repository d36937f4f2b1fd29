/** ProblemRelations: an epoch's problems as changes of the engine's own relations; dead letters that are trimmed or replayed. */

import { must } from '../base/assert.ts';
import { buildBatch, constantColumn, readRow } from '../batch/build-batch.ts';
import { negate } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { select } from '../batch/select.ts';
import { LETTER_COLUMNS } from '../connect/letters.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import { RelationReader } from '../state/relation-reader.ts';
import { INT8, type Value } from '../types/data-type.ts';
import type { EngineParts } from './engine-parts.ts';
import type { EngineRelation } from './engine-relation.ts';
import { letterBatch } from './letter-batch.ts';
import { DEAD_LETTERS_ID, VIEW_ERRORS_ID } from './port.ts';
import { DEAD_LETTERS, type DeadLetter, letterColumn, rowBytes, VIEW_ERRORS } from './problems.ts';

/** What the running epoch offers. */
export interface ProblemTarget {
  readonly memory: Memory;
  readonly scratch: Scratch;
  /** The newest epoch that was published. */
  published(): number;
  deliver(relation: EngineRelation, batch: DeltaBatch): void;
  /** Rows of a relation that nobody reads from go, by their keys; how many there were. */
  retract(relation: EngineRelation, keys: DeltaBatch): number;
  /** New letters of a source that sends them somewhere. */
  send(sourceId: number, letters: DeltaBatch): void;
}

const BATCH_ROWS = 1024;
/** Index of VIEW_ERRORS (engine-parts.ts). */
const BY_VIEW = 1;
const LETTER_TYPES = DEAD_LETTERS.map(({ type }) => type);
const LETTER_NUMBERS = DEAD_LETTERS.map((_, column) => column);
const ERROR_TYPES = VIEW_ERRORS.map(({ type }) => type);
const ERROR_NUMBERS = VIEW_ERRORS.map((_, column) => column);

export class ProblemRelations {
  readonly #parts: EngineParts;
  readonly #target: ProblemTarget;
  /** Published letters that are gone, or another, in the running epoch. */
  readonly #changed = new Set<bigint>();

  constructor(parts: EngineParts, target: ProblemTarget) {
    this.#parts = parts;
    this.#target = target;
  }

  /** The end of the epoch of instant `nowUs`: what was noted becomes rows. */
  write(nowUs: bigint): void {
    const { scratch } = this.#target;
    const mark = scratch.mark();
    this.#changed.clear();
    this.#writeLetters(nowUs);
    const errors = this.#parts.problems.takeErrors();
    for (let from = 0; from < errors.length; from += BATCH_ROWS) {
      const part = errors.slice(from, from + BATCH_ROWS);
      const weights = part.map(({ weight }) => weight);
      const rows = part.map(({ values }) => values);
      this.#deliver(VIEW_ERRORS_ID, buildBatch(ERROR_TYPES, rows, scratch, weights));
    }
    scratch.release(mark);
  }

  #writeLetters(nowUs: bigint): void {
    const { scratch } = this.#target;
    const { letters, firstId } = this.#parts.takeLetters(nowUs);
    for (let from = 0; from < letters.length; from += BATCH_ROWS) {
      const part = letters.slice(from, from + BATCH_ROWS);
      const batch = letterBatch(part, firstId + from, nowUs, scratch);
      this.#deliver(DEAD_LETTERS_ID, batch);
      this.#sendLetters(part, batch);
    }
  }

  /** Those of sources that send them to a topic: `batch` has them as rows. */
  #sendLetters(letters: readonly DeadLetter[], batch: DeltaBatch): void {
    const { memory, scratch } = this.#target;
    const sourceOf = (row: number) => letters[row]!.sourceId ?? 0;
    const sent = [...letters.keys()].filter(
      (row) => this.#parts.sinks.get(sourceOf(row)) !== undefined,
    );
    for (const [id, rows] of Map.groupBy(sent, sourceOf)) {
      const { name } = this.#parts.relation(id).definition;
      const list = scratch.alloc(Math.max(16, 4 * rows.length));
      memory.u32.set(rows, list >>> 2);
      this.#target.send(id, sentLetters(select(batch, list, rows.length, scratch), name, scratch));
    }
  }

  #deliver(relationId: number, batch: DeltaBatch): void {
    this.#target.deliver(this.#parts.relation(relationId), batch);
  }

  /** Letters numbered below `beforeId` go. O(numbers from the oldest one's to it). */
  trim(beforeId: number): void {
    const { scratch } = this.#target;
    const { letters } = this.#parts;
    const mark = scratch.mark();
    let count = 0;
    for (let from = letters.oldestId; from < beforeId; from += BATCH_ROWS) {
      const ids = Array.from({ length: Math.min(BATCH_ROWS, beforeId - from) }, (_, i) => from + i);
      count += this.#target.retract(this.#parts.relation(DEAD_LETTERS_ID), keysOf(ids, scratch));
      scratch.release(mark);
    }
    letters.trim(beforeId, count);
  }

  /** Letters that were published, and that nothing has happened to in this epoch. O(letters there are). */
  published(isWanted: (row: readonly Value[]) => boolean): Value[][] {
    const { scratch } = this.#target;
    const reader = this.#reader(DEAD_LETTERS_ID);
    const found: Value[][] = [];
    const mark = scratch.mark();
    for (const batch of reader.scan(this.#target.published(), LETTER_NUMBERS, this.#target)) {
      for (let row = 0; row < batch.rowCount; row++) {
        const values = readRow(batch, LETTER_TYPES, row);
        if (!this.#changed.has(values[0] as bigint) && isWanted(values)) found.push(values);
      }
      scratch.release(mark);
    }
    return found;
  }

  /** Published letters were replayed: they go. */
  remove(letters: readonly (readonly Value[])[]): void {
    this.#change(letters, -1);
    this.#parts.letters.remove(
      letters.map((row) => ({ id: Number(row[0]), bytes: rowBytes(row) })),
    );
  }

  /** A published letter has another reason now. */
  replace(before: readonly (readonly Value[])[], after: readonly (readonly Value[])[]): void {
    this.#change(before, -1);
    this.#change(after, 1);
  }

  #change(letters: readonly (readonly Value[])[], weight: 1 | -1): void {
    const { scratch } = this.#target;
    const mark = scratch.mark();
    for (let from = 0; from < letters.length; from += BATCH_ROWS) {
      const rows = letters.slice(from, from + BATCH_ROWS);
      const weights = rows.map(() => weight);
      this.#deliver(DEAD_LETTERS_ID, buildBatch(LETTER_TYPES, rows, scratch, weights));
      scratch.release(mark);
    }
    for (const row of letters) this.#changed.add(row[0] as bigint);
  }

  /** A view is dropped: its published errors, which are its state, go with it. O(errors of the view). */
  forgetErrors(viewId: number): void {
    const { scratch } = this.#target;
    const mark = scratch.mark();
    const key = keysOf([viewId], scratch);
    const epoch = this.#target.published();
    const reader = this.#reader(VIEW_ERRORS_ID);
    for (const batch of reader.lookup(BY_VIEW, key, epoch, ERROR_NUMBERS, this.#target)) {
      this.#deliver(VIEW_ERRORS_ID, negate(batch, scratch));
    }
    scratch.release(mark);
  }

  #reader(relationId: number): RelationReader {
    const { memory, stored } = this.#parts.relation(relationId);
    const { headerAddress, schema } = must(stored);
    return new RelationReader(must(memory).wasm, headerAddress, schema);
  }
}

function keysOf(numbers: readonly number[], scratch: Scratch): DeltaBatch {
  const rows = numbers.map((number) => [BigInt(number)]);
  return buildBatch([INT8], rows, scratch);
}

/** Letters of a source as they are sent. */
function sentLetters(letters: DeltaBatch, source: string, scratch: Scratch): DeltaBatch {
  const columns = LETTER_COLUMNS.map(({ name, type }) =>
    name === 'source'
      ? constantColumn(type, source, letters.rowCount, scratch)
      : must(letters.columns[letterColumn(name)]),
  );
  return { ...letters, columns };
}
