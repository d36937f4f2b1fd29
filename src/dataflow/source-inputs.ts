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

  /** What has to be asked of a schema registry before it can be taken; null: nothing. */
  askSchemas(request: CommitRequest): Promise<CommitRequest> | null {
    const { replays = [] } = request;
    const asked = replays.map((replay) => this.#replays.askSchemas(replay) ?? replay);
    if (!asked.some((one) => one instanceof Promise)) return null;
    return Promise.all(asked).then((complete) => ({ ...request, replays: complete }));
  }

  /** What became of each. */
  apply({ posts = [], replays = [] }: Inputs): Pick<CommitResult, 'posts' | 'replays'> {
    return { posts: this.#posted.apply(posts), replays: this.#replays.apply(replays) };
  }
}
