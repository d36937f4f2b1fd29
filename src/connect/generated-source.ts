/**
 * A source whose records are functions of their number: one split, a position is the number of the next record. Nexmark and
 * datagen are made of it; replay is the same call as poll.
 */

import { assert } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { BATCH_ROWS_MAX, type Column, type DeltaBatch } from '../batch/delta-batch.ts';
import { Pace } from './pace.ts';
import type { Json, SourceChunk, SourceContext, SourceReader } from './source.ts';

export interface RecordGenerator {
  /** Numbers below this are made; null: without end. */
  readonly recordsMax: number | null;
  /** Records per second at which a paced source gives them; null: as fast as it can. */
  readonly perSecond: number | null;
  /**
   * Puts into `rows` the numbers of the records from `from` on that give a row, at most `rowsMax`, none at or beyond `limit`.
   * Returns their count and the number behind the last one looked at.
   */
  choose(from: number, limit: number, rowsMax: number, rows: Float64Array): [number, number];
  /** Wanted columns of the given records. */
  columns(rows: Float64Array, count: number): Column[];
}

const SPLIT = '0';

export class GeneratedSource implements SourceReader {
  readonly splits = [SPLIT];
  readonly #generator: RecordGenerator;
  readonly #context: SourceContext;
  readonly #pace: Pace;
  readonly #rows = new Float64Array(BATCH_ROWS_MAX);
  #next = 0;
  #hasTold = false;

  constructor(generator: RecordGenerator, context: SourceContext) {
    this.#generator = generator;
    this.#context = context;
    this.#pace = new Pace(context.clock, generator.perSecond);
  }

  start(positions: ReadonlyMap<string, Json>): void {
    const position = positions.get(SPLIT);
    this.#next = position === undefined ? 0 : parsePosition(position);
    this.#pace.start(this.#next);
  }

  poll(rowsMax: number): SourceChunk | null {
    const end = this.#generator.recordsMax ?? Number.POSITIVE_INFINITY;
    if (this.#next >= end) {
      if (this.#hasTold) return null;
      this.#hasTold = true;
      return this.#chunk(this.#next, this.#next, null, true, true);
    }
    const limit = Math.min(end, this.#pace.due);
    if (limit <= this.#next) return null;
    const from = this.#next;
    const rowLimit = Math.min(rowsMax, BATCH_ROWS_MAX);
    const [count, next] = this.#generator.choose(from, limit, rowLimit, this.#rows);
    this.#next = next;
    const isEnded = next >= end;
    this.#hasTold = isEnded;
    return this.#chunk(from, next, this.#batch(count), next >= limit, isEnded);
  }

  *replay(split: string, from: Json, to: Json): Generator<SourceChunk> {
    assert(split === SPLIT, `a generated source has no split ${split}`);
    const end = parsePosition(to);
    for (let at = parsePosition(from); at < end; ) {
      const [count, next] = this.#generator.choose(at, end, BATCH_ROWS_MAX, this.#rows);
      yield this.#chunk(at, next, this.#batch(count), false, false);
      at = next;
    }
  }

  nextDueUs(): bigint | null {
    const end = this.#generator.recordsMax ?? Number.POSITIVE_INFINITY;
    return this.#next >= end ? null : this.#pace.dueAtUs(this.#next);
  }

  lag(): number | null {
    const due = Math.min(this.#generator.recordsMax ?? Number.POSITIVE_INFINITY, this.#pace.due);
    return Number.isFinite(due) ? Math.max(0, due - this.#next) : null;
  }

  close(): void {
    this.#hasTold = true;
  }

  #batch(count: number): DeltaBatch | null {
    if (count === 0) return null;
    const columns = this.#generator.columns(this.#rows, count);
    const { memory } = this.#context;
    return { memory, rowCount: count, columns, weights: 0, rowWatermarks: 0 };
  }

  #chunk(
    from: number,
    to: number,
    batch: DeltaBatch | null,
    isAtEnd: boolean,
    isEnded: boolean,
  ): SourceChunk {
    return { split: SPLIT, from, to, batch, rejected: [], isAtEnd, isEnded };
  }
}

function parsePosition(position: Json): number {
  if (typeof position === 'number' && Number.isSafeInteger(position) && position >= 0) {
    return position;
  }
  throw new SqlError('XX001', `not a position of a generated source: ${JSON.stringify(position)}`);
}
