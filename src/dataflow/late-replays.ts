/**
 * LateReplays: late rows go back to their view, and are judged again (semantics.md rule 27).
 *
 * A watermark does not go back, and yet a row need not be late for ever: a session may have come up to it since, which it
 * joins. A row is judged by the watermark of the epoch before. One that is late again keeps its
 * letter, and nothing else happens; of one that is not, the letter goes, and it counts as used.
 * Cost: one pass over all letters there are, O(1) a letter that is judged.
 */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import type { Job } from './job.ts';
import type { LateRow } from './late-rows.ts';
import { isIn } from './letter-replays.ts';
import type { LateReplay, ReplayResult } from './port.ts';
import type { ProblemRelations } from './problem-relations.ts';

export interface LateReplaysContext {
  readonly problems: ProblemRelations;
  job(id: number): Job | undefined;
}

export class LateReplays {
  readonly #context: LateReplaysContext;

  constructor(context: LateReplaysContext) {
    this.#context = context;
  }

  /** Throws where the rows cannot be judged; nothing has happened then. */
  check({ viewId }: LateReplay): void {
    const job = this.#context.job(viewId);
    if (job === undefined) throw new SqlError('42P01', 'the view was dropped');
    if (!job.isFailed) return;
    const { name } = job.definition;
    throw new SqlError(
      '55000',
      `late rows of "${name}" cannot go back: it has stopped: ${job.failure}`,
    );
  }

  apply({ viewId, ranges }: LateReplay): ReplayResult {
    const { problems } = this.#context;
    const job = must(this.#context.job(viewId), 'letters of an unknown view are replayed');
    const letters = problems.find(
      (letter) => letter.kind === 'late' && letter.viewId === viewId && isIn(ranges, letter.id),
    );
    const gone = letters.filter(({ lateRow, op }) => {
      const late = JSON.parse(must(lateRow)) as LateRow;
      return job.judgeAgain(late, op === 'delete' ? -1 : 1);
    });
    job.endStatement();
    problems.change(gone, []);
    return { replayed: gone.length, rejected: letters.length - gone.length, unreadable: 0 };
  }
}
