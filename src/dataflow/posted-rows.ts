/**
 * PostedRows: what is posted to sources becomes rows of an epoch. A body is a part of the log (semantics.md rule 7): all of
 * it enters one epoch, or nothing does. With an idempotency key the answer is kept, and a second body of that key only gets it.
 */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import type { SourceChunk } from '../connect/source.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { PostResult, SourcePost } from './port.ts';
import type { SourceFeed } from './source-feed.ts';

/** JSON: a key, when (wall µs) it came, and the answer it got. */
export interface PostKeyState {
  readonly key: string;
  readonly atUs: string;
  readonly accepted: number;
  readonly rejected: number;
}

/** How long a key is known, and how many of a source are. */
const KEPT_US = 24n * 3_600_000_000n;
const COUNT_MAX = 100_000;

/** Idempotency keys of one source. State: the newest of them, oldest first. Cost: O(1) a body. */
export class PostKeys {
  readonly #known: Map<string, PostKeyState>;

  constructor(state: readonly PostKeyState[]) {
    this.#known = new Map(state.map((one) => [one.key, one]));
  }

  /** The answer that the key got; null: it is new. */
  answerTo(key: string | null, nowUs: bigint): PostResult | null {
    const known = key === null ? undefined : this.#known.get(key);
    if (known === undefined || isOver(known, nowUs)) return null;
    return { accepted: known.accepted, rejected: known.rejected, isRepeated: true };
  }

  note(key: string, nowUs: bigint, { accepted, rejected }: PostResult): void {
    this.#known.delete(key);
    this.#known.set(key, { key, atUs: String(nowUs), accepted, rejected });
    for (const [oldest, known] of this.#known) {
      if (this.#known.size <= COUNT_MAX && !isOver(known, nowUs)) break;
      this.#known.delete(oldest);
    }
  }

  state(): readonly PostKeyState[] {
    return [...this.#known.values()];
  }
}

function isOver({ atUs }: PostKeyState, nowUs: bigint): boolean {
  return nowUs - BigInt(atUs) > KEPT_US;
}

export interface PostedRowsContext {
  readonly scratch: Scratch;
  feed(id: number): SourceFeed | undefined;
  /** A chunk of a feed becomes part of the epoch. */
  apply(feed: SourceFeed, chunk: SourceChunk): void;
  nowUs(): bigint;
}

export class PostedRows {
  readonly #context: PostedRowsContext;

  constructor(context: PostedRowsContext) {
    this.#context = context;
  }

  /** Throws where a body cannot be taken; nothing has happened then. */
  check({ sourceId, body }: SourcePost): void {
    const feed = this.#context.feed(sourceId);
    if (feed === undefined) throw new SqlError('42P01', 'the source was dropped');
    feed.checkPost(body);
  }

  apply(posts: readonly SourcePost[]): PostResult[] {
    return posts.map((post) => this.#apply(post));
  }

  #apply({ sourceId, body, key }: SourcePost): PostResult {
    const { scratch, apply, nowUs } = this.#context;
    const feed = must(this.#context.feed(sourceId), 'a body was posted to an unknown source');
    const known = feed.postKeys.answerTo(key, nowUs());
    if (known !== null) return known;
    const { rowsRead, rowsRejected } = feed.rows.counters();
    const mark = scratch.mark();
    for (const chunk of feed.received(body)) {
      apply(feed, chunk);
      scratch.release(mark);
    }
    const after = feed.rows.counters();
    const rejected = after.rowsRejected - rowsRejected;
    const accepted = after.rowsRead - rowsRead - rejected;
    const result = { accepted, rejected, isRepeated: false };
    if (key !== null) feed.postKeys.note(key, nowUs(), result);
    return result;
  }
}
