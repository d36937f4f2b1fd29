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
import type { Value } from '../types/data-type.ts';
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
  /** New letters of a source that sends them somewhere. */
  send(sourceId: number, letters: DeltaBatch): void;
}

const BATCH_ROWS = 1024;
const LETTER_TYPES = DEAD_LETTERS.map(({ type }) => type);
const ERROR_TYPES = VIEW_ERRORS.map(({ type }) => type);

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

  /** Letters that were published and are numbered below `beforeId` go. O(letters there are). */
  trim(beforeId: number): void {
    const count = this.#remove(DEAD_LETTERS_ID, LETTER_TYPES.length, (id) => id < BigInt(beforeId));
    this.#parts.letters.trim(beforeId, count);
  }

  /** Letters that were published, and that nothing has happened to in this epoch. O(letters there are). */
  published(isWanted: (row: readonly Value[]) => boolean): Value[][] {
    const { scratch } = this.#target;
    const { memory, stored } = this.#parts.relation(DEAD_LETTERS_ID);
    const { headerAddress, schema } = must(stored);
    const reader = new RelationReader(must(memory).wasm, headerAddress, schema);
    const all = LETTER_TYPES.map((_, column) => column);
    const found: Value[][] = [];
    const mark = scratch.mark();
    for (const batch of reader.scan(this.#target.published(), all, this.#target)) {
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

  /** A view is dropped: its errors, which are its state, go with it. O(errors of all views). */
  forgetErrors(viewId: number): void {
    this.#remove(VIEW_ERRORS_ID, ERROR_TYPES.length, (id) => id === BigInt(viewId));
  }

  /** Published rows whose id, the first column, says so; how many there were. */
  #remove(relationId: number, columnCount: number, isOut: (id: bigint) => boolean): number {
    const { scratch } = this.#target;
    const { memory, stored } = this.#parts.relation(relationId);
    const { headerAddress, schema } = must(stored);
    const reader = new RelationReader(must(memory).wasm, headerAddress, schema);
    const all = Array.from({ length: columnCount }, (_, column) => column);
    let count = 0;
    const mark = scratch.mark();
    for (const batch of reader.scan(this.#target.published(), all, this.#target)) {
      const out = this.#select(batch, isOut);
      count += out.rowCount;
      if (out.rowCount > 0) this.#deliver(relationId, negate(out, scratch));
      scratch.release(mark);
    }
    return count;
  }

  #select(batch: DeltaBatch, isOut: (id: bigint) => boolean): DeltaBatch {
    const { memory, scratch } = this.#target;
    const ids = must(batch.columns[0]).values >>> 3;
    const sel = scratch.alloc(batch.rowCount * 4 + 4);
    let count = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      if (isOut(memory.i64[ids + row]!)) memory.u32[(sel >>> 2) + count++] = row;
    }
    return select(batch, sel, count, scratch);
  }
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
