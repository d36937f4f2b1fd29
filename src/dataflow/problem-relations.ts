/** ProblemRelations: an epoch's problems as changes of the engine's own relations, of which dead letters have pages of their own. */

import { buildBatch } from '../batch/build-batch.ts';
import { negate } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { LETTER_COLUMNS } from '../connect/letters.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import { INT8, type Value } from '../types/data-type.ts';
import type { EngineParts } from './engine-parts.ts';
import type { EngineRelation } from './engine-relation.ts';
import type { StoredLetter } from './letter-page.ts';
import { LetterPages } from './letter-pages.ts';
import { DEAD_LETTERS_ID, VIEW_ERRORS_ID } from './port.ts';
import { type DeadLetter, letterBytes, VIEW_ERRORS } from './problems.ts';

/** What the running epoch offers. */
export interface ProblemTarget {
  readonly memory: Memory;
  readonly scratch: Scratch;
  /** The newest epoch that was published. */
  published(): number;
  deliver(relation: EngineRelation, batch: DeltaBatch): void;
  /** Rows of a relation that nobody reads from go, by their keys. */
  retract(relation: EngineRelation, keys: DeltaBatch): void;
  /** New letters of a source that sends them somewhere. */
  send(sourceId: number, letters: DeltaBatch): void;
}

const BATCH_ROWS = 1024;
/** Index of VIEW_ERRORS (engine-parts.ts). */
const BY_VIEW = 1;
const ERROR_TYPES = VIEW_ERRORS.map(({ type }) => type);
const ERROR_NUMBERS = VIEW_ERRORS.map((_, column) => column);
const SENT_TYPES = LETTER_COLUMNS.map(({ type }) => type);

export class ProblemRelations {
  readonly #parts: EngineParts;
  readonly #target: ProblemTarget;
  readonly #pages: LetterPages;

  constructor(parts: EngineParts, target: ProblemTarget) {
    this.#parts = parts;
    this.#target = target;
    const { memory, scratch } = target;
    const relation = () => parts.relation(DEAD_LETTERS_ID);
    this.#pages = new LetterPages({
      memory,
      scratch,
      relation,
      deliver: (batch) => target.deliver(relation(), batch),
      retract: (keys) => target.retract(relation(), keys),
    });
  }

  /** The end of the epoch of instant `nowUs`: what was noted becomes rows. */
  write(nowUs: bigint): void {
    const { scratch } = this.#target;
    const mark = scratch.mark();
    const { letters, firstId } = this.#parts.takeLetters(nowUs);
    this.#pages.append(letters, firstId, nowUs);
    this.#sendLetters(letters, firstId);
    const errors = this.#parts.problems.takeErrors();
    for (let from = 0; from < errors.length; from += BATCH_ROWS) {
      const part = errors.slice(from, from + BATCH_ROWS);
      const weights = part.map(({ weight }) => weight);
      const rows = part.map(({ values }) => values);
      this.#deliver(VIEW_ERRORS_ID, buildBatch(ERROR_TYPES, rows, scratch, weights));
    }
    scratch.release(mark);
  }

  /** Those of sources that send them to a topic. */
  #sendLetters(letters: readonly DeadLetter[], firstId: number): void {
    if (letters.length === 0) return;
    for (const [sourceId, { relation }] of this.#parts.feeds) {
      if (this.#parts.sinks.get(sourceId) === undefined) continue;
      const { name } = relation.definition;
      const rows = letters.flatMap((letter, index) =>
        letter.sourceId === sourceId ? [sentRow(letter, firstId + index, name)] : [],
      );
      for (let from = 0; from < rows.length; from += BATCH_ROWS) {
        const part = rows.slice(from, from + BATCH_ROWS);
        this.#target.send(sourceId, buildBatch(SENT_TYPES, part, this.#target.scratch));
      }
    }
  }

  #deliver(relationId: number, batch: DeltaBatch): void {
    this.#target.deliver(this.#parts.relation(relationId), batch);
  }

  /** Letters numbered below `beforeId` go. */
  trim(beforeId: number): void {
    this.#parts.letters.trim(beforeId, this.#pages.trim(beforeId));
  }

  /** Letters of epochs before, as the running one has left them, in their order. O(letters there are). */
  find(isWanted: (letter: StoredLetter) => boolean): StoredLetter[] {
    return this.#pages.find(isWanted);
  }

  /** Letters were replayed, they go; others, `renewed`, have another reason now. O(letters of their pages). */
  change(gone: readonly StoredLetter[], renewed: readonly StoredLetter[]): void {
    this.#pages.change(gone, renewed);
    this.#parts.letters.remove(gone.map((one) => ({ id: one.id, bytes: letterBytes(one) })));
  }

  /** A view is dropped: its published errors, which are its state, go with it. O(errors of the view). */
  forgetErrors(viewId: number): void {
    const { scratch } = this.#target;
    const mark = scratch.mark();
    const key = buildBatch([INT8], [[BigInt(viewId)]], scratch);
    const epoch = this.#target.published();
    const reader = this.#parts.relation(VIEW_ERRORS_ID).reader();
    for (const batch of reader.lookup(BY_VIEW, key, epoch, ERROR_NUMBERS, this.#target)) {
      this.#deliver(VIEW_ERRORS_ID, negate(batch, scratch));
    }
    scratch.release(mark);
  }
}

/** A letter of a source as it is sent, in the order of LETTER_COLUMNS. */
function sentRow(
  { reason, sqlstate, place, raw }: DeadLetter,
  id: number,
  source: string,
): Value[] {
  const offset = place === undefined ? null : BigInt(place.offset);
  const { topic = null, partition = null } = place ?? {};
  const { key = null, value = null, isCut = null, timestampMs = null, context = null } = raw ?? {};
  const time = timestampMs === null ? null : BigInt(timestampMs);
  const stood = [topic, partition, offset];
  return [BigInt(id), source, reason, sqlstate, ...stood, key, value, isCut, time, context];
}
