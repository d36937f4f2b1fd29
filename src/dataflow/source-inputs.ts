/** SourceInputs: what commits bring to sources, as a part of the log: posted bodies, and rejected records again. */

import { LetterReplays, type LetterReplaysContext } from './letter-replays.ts';
import type { CommitRequest, CommitResult } from './port.ts';
import { PostedRows, type PostedRowsContext } from './posted-rows.ts';

type Inputs = Pick<CommitRequest, 'posts' | 'replays'>;

/** Whether a commit brings rows to sources. */
export function bringsSourceRows({ posts, replays }: Inputs): boolean {
  return posts !== undefined || replays !== undefined;
}

export class SourceInputs {
  readonly #posted: PostedRows;
  readonly #replays: LetterReplays;

  constructor(context: PostedRowsContext & LetterReplaysContext) {
    this.#posted = new PostedRows(context);
    this.#replays = new LetterReplays(context);
  }

  /** Throws where one of them cannot be taken; nothing has happened then. */
  check({ posts = [], replays = [] }: Inputs): void {
    for (const post of posts) this.#posted.check(post);
    for (const replay of replays) this.#replays.check(replay);
  }

  /** What became of each. */
  apply({ posts = [], replays = [] }: Inputs): Pick<CommitResult, 'posts' | 'replays'> {
    return { posts: this.#posted.apply(posts), replays: this.#replays.apply(replays) };
  }
}
