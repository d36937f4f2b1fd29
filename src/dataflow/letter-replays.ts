/**
 * LetterReplays: rejected records go through their source again, and their letters with them (semantics.md rule 27).
 *
 * Correctness: a letter names a record that no view has; in the epoch that takes the record in, the letter goes, so that each
 * record enters once. What is decoded is what the letter has kept, by schemas that were asked for before and are in the log, so
 * that a replay of the epoch gives the same. A record that is rejected again keeps its letter, with the error of now. Rows of
 * a stored source enter its relation; those of any other each view that lacks them (reader-starts.ts). They are judged by the
 * watermark of their split, which they do not wake.
 * Cost: one pass over all letters there are, O(1) a letter that is replayed or lies in a page with one.
 */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { select } from '../batch/select.ts';
import type { KeptRecord, SchemaAnswer } from '../connect/source.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { StoredLetter } from './letter-page.ts';
import type { LetterRanges, RecordReplay, ReplayResult } from './port.ts';
import type { ProblemRelations } from './problem-relations.ts';
import { isValid } from './rows.ts';
import type { NamedSchemas, SourceFeed } from './source-feed.ts';
import type { Rejection } from './source-rows.ts';

export interface LetterReplaysContext {
  readonly memory: Memory;
  readonly scratch: Scratch;
  readonly problems: ProblemRelations;
  feed(id: number): SourceFeed | undefined;
  /** Rows become a part of the epoch, of the stored relation and of all views that read it. */
  deliver(feed: SourceFeed, batch: DeltaBatch): void;
  /** Rows enter one view. */
  deliverTo(jobId: number, feed: SourceFeed, batch: DeltaBatch): void;
}

/** A letter whose record is whole. */
interface WholeLetter {
  readonly letter: StoredLetter;
  readonly record: KeptRecord;
}

const RECORDS_MAX = 1024;

export class LetterReplays {
  readonly #context: LetterReplaysContext;

  constructor(context: LetterReplaysContext) {
    this.#context = context;
  }

  /** Throws where the records cannot be taken; nothing has happened then. */
  check({ sourceId }: RecordReplay): void {
    const feed = this.#context.feed(sourceId);
    if (feed === undefined) throw new SqlError('42P01', 'the source was dropped');
    feed.checkReplay();
  }

  /** The replay with the schemas that its records name, as the registry has them now; null: they name none. */
  askSchemas(replay: RecordReplay): Promise<RecordReplay> | null {
    const records = () => {
      return this.#chosen(replay)
        .flatMap(wholeOf)
        .map(({ record }) => record);
    };
    const asked = this.#context.feed(replay.sourceId)?.askSchemas(records) ?? null;
    return asked === null ? null : asked.then((schemas) => ({ ...replay, schemas }));
  }

  /** The letters that there are. */
  #chosen({ sourceId, ranges }: RecordReplay): StoredLetter[] {
    return this.#context.problems.find(
      (letter) =>
        letter.kind === 'rejected' && letter.sourceId === sourceId && isIn(ranges, letter.id),
    );
  }

  apply(replay: RecordReplay): ReplayResult {
    const { sourceId, schemas = [] } = replay;
    const feed = must(this.#context.feed(sourceId), 'letters of an unknown source are replayed');
    const letters = this.#chosen(replay);
    const whole = letters.flatMap(wholeOf);
    feed.learnSchemas(schemas);
    const gone: StoredLetter[] = [];
    const again: StoredLetter[] = [];
    for (const group of groups(whole)) {
      const rejections = this.#replay(feed, group, schemas);
      for (const { letter, record } of group) {
        const rejection = rejections.get(record.offset);
        if (rejection === undefined) gone.push(letter);
        else if (isOther(letter, rejection)) again.push(renewed(letter, rejection));
      }
    }
    this.#context.problems.change(gone, again);
    const rejected = whole.length - gone.length;
    return { replayed: gone.length, rejected, unreadable: letters.length - whole.length };
  }

  /** Records of one split, each offset once; those that were rejected again, by their offsets. */
  #replay(
    feed: SourceFeed,
    letters: readonly WholeLetter[],
    schemas: readonly SchemaAnswer[],
  ): ReadonlyMap<number, Rejection> {
    const { scratch } = this.#context;
    const mark = scratch.mark();
    const split = must(must(letters[0]).letter.split);
    const records = letters.map(({ record }) => record);
    const rejections = feed.retake(split, records, schemas, (batch, offsets, named) => {
      if (feed.isStored) this.#context.deliver(feed, batch);
      else this.#deliverToViews(feed, batch, offsets, named, letters);
    });
    scratch.release(mark);
    return rejections;
  }

  /** Each view gets the rows that it lacks. */
  #deliverToViews(
    feed: SourceFeed,
    batch: DeltaBatch,
    offsets: readonly number[],
    named: NamedSchemas,
    letters: readonly WholeLetter[],
  ): void {
    const { memory } = this.#context;
    const ids = new Map(letters.map(({ letter, record }) => [record.offset, letter.id]));
    const since = offsets.map((offset, row) =>
      feed.starts.takenSince(
        (column) => !isValid(memory, must(batch.columns[column]), row),
        must(named.get(offset)),
      ),
    );
    const isKept = feed.isReadAgain;
    for (const { id: jobId } of feed.relation.readers) {
      const lacking = offsets.flatMap((offset, row) => {
        const letterId = must(ids.get(offset));
        return feed.starts.lacks(jobId, letterId, since[row]!, isKept) ? [row] : [];
      });
      if (lacking.length > 0) {
        this.#context.deliverTo(jobId, feed, this.#selected(batch, lacking));
      }
    }
  }

  #selected(batch: DeltaBatch, rows: readonly number[]): DeltaBatch {
    if (rows.length === batch.rowCount) return batch;
    const { memory, scratch } = this.#context;
    const list = scratch.alloc(Math.max(16, 4 * rows.length));
    memory.u32.set(rows, list >>> 2);
    // Columns that nobody reads are not there.
    const present = [...batch.columns.keys()].filter((column) => column in batch.columns);
    const dense = { ...batch, columns: present.map((column) => must(batch.columns[column])) };
    const selected = select(dense, list, rows.length, scratch);
    const columns = [...batch.columns];
    present.forEach((column, index) => {
      columns[column] = must(selected.columns[index]);
    });
    return { ...selected, columns };
  }
}

/** None where the record is cut, or not known. */
function wholeOf(letter: StoredLetter): readonly WholeLetter[] {
  const { place, raw } = letter;
  if (place === undefined || raw === undefined || raw.isCut) return [];
  return [{ letter, record: { offset: place.offset, raw } }];
}

/** By split, in the order in which they came; a file that was replaced has an offset twice. */
function groups(letters: readonly WholeLetter[]): readonly (readonly WholeLetter[])[] {
  const all: WholeLetter[][] = [];
  const open = new Map<
    string | null,
    { readonly letters: WholeLetter[]; readonly offsets: Set<number> }
  >();
  for (const one of letters) {
    const { offset } = one.record;
    const { split } = one.letter;
    let group = open.get(split);
    const isOver = group?.offsets.has(offset) || group?.letters.length === RECORDS_MAX;
    if (group === undefined || isOver) {
      group = { letters: [], offsets: new Set() };
      open.set(split, group);
      all.push(group.letters);
    }
    group.letters.push(one);
    group.offsets.add(offset);
  }
  return all;
}

/** Ranges in order. O(log ranges). */
export function isIn(ranges: LetterRanges, id: number): boolean {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const [first, last] = ranges[middle]!;
    if (id < first) high = middle;
    else if (id > last) low = middle + 1;
    else return true;
  }
  return false;
}

function isOther(letter: StoredLetter, { sqlstate, reason }: Rejection): boolean {
  return letter.sqlstate !== sqlstate || letter.reason !== reason;
}

/** The letter of a record that was rejected for another reason. */
function renewed(letter: StoredLetter, rejection: Rejection): StoredLetter {
  const { position, byteOffset, sqlstate, reason } = rejection;
  const place = { ...must(letter.place), byteOffset };
  return { ...letter, position, place, sqlstate, reason };
}
