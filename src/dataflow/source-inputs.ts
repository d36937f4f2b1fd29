/** SourceInputs: what commits bring besides statements' rows, as a part of the log: posted bodies, and dead letters once more. */

import { LateReplays, type LateReplaysContext } from './late-replays.ts';
import { LetterReplays, type LetterReplaysContext } from './letter-replays.ts';
import type { CommitRequest, CommitResult, LetterReplay } from './port.ts';
import { PostedRows, type PostedRowsContext } from './posted-rows.ts';

type Inputs = Pick<CommitRequest, 'posts' | 'replays'>;

/** Whether a commit brings rows to sources, or back to views. */
export function bringsSourceRows({ posts, replays }: Inputs): boolean {
  return posts !== undefined || replays !== undefined;
}

export class SourceInputs {
  readonly #posted: PostedRows;
  readonly #records: LetterReplays;
  readonly #late: LateReplays;

  constructor(context: PostedRowsContext & LetterReplaysContext & LateReplaysContext) {
    this.#posted = new PostedRows(context);
    this.#records = new LetterReplays(context);
    this.#late = new LateReplays(context);
  }

  /** Throws where one of them cannot be taken; nothing has happened then. */
  check({ posts = [], replays = [] }: Inputs): void {
    for (const post of posts) this.#posted.check(post);
    for (const replay of replays) {
      if ('viewId' in replay) this.#late.check(replay);
      else this.#records.check(replay);
    }
  }

  /** What has to be asked of a schema registry before it can be taken; null: nothing. */
  askSchemas(request: CommitRequest): Promise<CommitRequest> | null {
    const { replays = [] } = request;
    const asked = replays.map((replay) => this.#asked(replay));
    if (!asked.some((one) => one instanceof Promise)) return null;
    return Promise.all(asked).then((complete) => ({ ...request, replays: complete }));
  }

  #asked(replay: LetterReplay): Promise<LetterReplay> | LetterReplay {
    return 'viewId' in replay ? replay : (this.#records.askSchemas(replay) ?? replay);
  }

  /** What became of each. */
  apply({ posts = [], replays = [] }: Inputs): Pick<CommitResult, 'posts' | 'replays'> {
    const results = replays.map((replay) =>
      'viewId' in replay ? this.#late.apply(replay) : this.#records.apply(replay),
    );
    return { posts: this.#posted.apply(posts), replays: results };
  }
}
