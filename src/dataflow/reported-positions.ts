/**
 * ReportedPositions: tells the other sides of sources how far those have come, where they want to know. Only what is durable is told,
 * and nobody waits for it but an orderly stop, for a while.
 */

import type { Clock } from '../base/clock.ts';
import { pause } from '../base/pause.ts';
import type { Json, PositionReports } from '../connect/source.ts';

/** How long an orderly stop waits for the last reports. */
const LAST_MS_MAX = 2000;

/** SourceFeed is one. */
export interface ReportingSource {
  /** null: nobody has to be told now. */
  readonly reports: PositionReports | null;
  /** As of the last epoch, whose manifest is in the log; a map of its own. */
  readonly positions: ReadonlyMap<string, Json>;
}

interface Turn {
  dueUs: bigint;
  /** The report that is under way. */
  running: Promise<void> | null;
}

export class ReportedPositions {
  readonly #clock: Clock;
  /** Resolves when all that is in the log is durable. */
  readonly #sync: () => Promise<void>;
  readonly #lastMsMax: number;
  readonly #turns = new WeakMap<ReportingSource, Turn>();

  constructor(clock: Clock, sync: () => Promise<void>, lastMsMax = LAST_MS_MAX) {
    this.#lastMsMax = lastMsMax;
    this.#clock = clock;
    this.#sync = sync;
  }

  /** Begins the reports that are due; one that is under way is not followed by another. */
  tellDue(sources: Iterable<ReportingSource>): void {
    for (const source of sources) {
      const { reports } = source;
      if (reports === null) continue;
      const turn = this.#turnOf(source, reports);
      const nowUs = this.#clock.monotonicUs();
      if (nowUs < turn.dueUs) continue;
      turn.dueUs = nowUs + intervalUs(reports);
      if (turn.running !== null) continue;
      turn.running = this.#tell(source, reports).finally(() => {
        turn.running = null;
      });
    }
  }

  /** When (monotonic µs) a report is due; null: none is. */
  nextDueUs(sources: Iterable<ReportingSource>): bigint | null {
    let due: bigint | null = null;
    for (const source of sources) {
      const { reports } = source;
      if (reports === null) continue;
      const { dueUs } = this.#turnOf(source, reports);
      if (due === null || dueUs < due) due = dueUs;
    }
    return due;
  }

  /** The last report of each; resolves when all are told, or it takes too long. */
  async tellLast(sources: Iterable<ReportingSource>): Promise<void> {
    const told: Promise<void>[] = [];
    for (const source of sources) {
      const { reports } = source;
      if (reports === null) continue;
      const { running } = this.#turnOf(source, reports);
      told.push(Promise.resolve(running).then(() => this.#tell(source, reports)));
    }
    if (told.length === 0) return;
    const ending = new AbortController();
    await Promise.race([Promise.all(told), pause(this.#lastMsMax, ending.signal)]);
    ending.abort();
  }

  async #tell(source: ReportingSource, reports: PositionReports): Promise<void> {
    const { positions } = source;
    try {
      await this.#sync();
    } catch {
      // Whoever writes to the log says so.
      return;
    }
    if (positions.size > 0) await reports.tell(positions);
  }

  #turnOf(source: ReportingSource, reports: PositionReports): Turn {
    const turn = this.#turns.get(source);
    if (turn !== undefined) return turn;
    const fresh = { dueUs: this.#clock.monotonicUs() + intervalUs(reports), running: null };
    this.#turns.set(source, fresh);
    return fresh;
  }
}

function intervalUs({ intervalMs }: PositionReports): bigint {
  return BigInt(intervalMs) * 1000n;
}
