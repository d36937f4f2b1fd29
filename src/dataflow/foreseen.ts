/**
 * Foreseen: what the log that is to be replayed does to sources and sinks in the end, noted before its first epoch runs again.
 *
 * Secrets: what is read again, and delivered, needs those of now. Drops: a source that goes in the end is not read again, so
 * that nobody waits for its brokers, and the views and sinks over it, which go before it does, rest from the start.
 * Correctness: what is left after the replay is the same, because nothing that stays reads any of them (statements' rows are in
 * the log), but for one thing: dead letters outlive what they are of, and their numbers are one sequence. So a source is
 * forgotten only where neither it nor anything over it has had letters since the checkpoint, by the counts that their drops
 * carry, and none of their letters was replayed.
 */

import type { PlacedText } from '../connect/sealed-options.ts';
import type { Manifest } from '../state/manifest.ts';
import type { EngineMetadata } from './engine-state.ts';
import { scannedRelations } from './graph.ts';
import type { LoggedCommits } from './logged-commit.ts';
import type { DdlAction, LetterCount } from './port.ts';

type Jobs = ReadonlyMap<number, readonly number[]>;

export class Foreseen {
  /** By source or sink: what was altered of its options, in order. */
  readonly options = new Map<number, readonly PlacedText[]>();
  readonly #sources = new Set<number>();
  /** What each view and sink reads. */
  readonly #inputs = new Map<number, readonly number[]>();
  /** Letters that what was dropped had had by then; null: not known. */
  readonly #dropped = new Map<number, number | null>();
  readonly #replayed = new Set<number>();

  /** The next epoch of the log. */
  note({ ddl }: Manifest): void {
    for (const { ddl: actions, replays = [] } of (ddl ?? []) as LoggedCommits) {
      for (const action of actions) this.#noteAction(action);
      for (const replay of replays) {
        this.#replayed.add('viewId' in replay ? replay.viewId : replay.sourceId);
      }
    }
  }

  #noteAction(action: DdlAction): void {
    switch (action.kind) {
      case 'alter_options':
        this.options.set(action.id, [...(this.options.get(action.id) ?? []), ...action.texts]);
        break;
      case 'create_source':
        this.#sources.add(action.id);
        break;
      case 'create_view':
      case 'create_sink':
        this.#inputs.set(action.id, scannedRelations(action.plan.node));
        break;
      case 'drop':
        this.#dropped.set(action.id, action.letterCount ?? null);
        break;
    }
  }

  /** All epochs are noted: sources that nobody needs to read again, and what reads them. */
  forgotten(checkpoint: EngineMetadata | null): ReadonlySet<number> {
    const sources = (checkpoint?.sources ?? []).map(({ definition }) => definition.id);
    const jobs = new Map(this.#inputs);
    for (const { definition } of checkpoint?.jobs ?? []) {
      jobs.set(definition.id, scannedRelations(definition.plan.node));
    }
    const counts = countsOf(checkpoint?.letters.counts ?? []);
    const isQuiet = (id: number) =>
      this.#dropped.get(id) === (counts.get(id) ?? 0) && !this.#replayed.has(id);
    const forgotten = new Set<number>();
    for (const source of [...sources, ...this.#sources]) {
      const all = [source, ...readersOf(source, jobs)];
      if (!all.every(isQuiet)) continue;
      for (const id of all) forgotten.add(id);
    }
    return forgotten;
  }
}

/** Views and sinks that read the source, or what reads it. */
function readersOf(source: number, jobs: Jobs): number[] {
  const found = new Set([source]);
  for (const id of found) {
    for (const [job, inputs] of jobs) if (inputs.includes(id)) found.add(job);
  }
  found.delete(source);
  return [...found];
}

function countsOf(letters: readonly LetterCount[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { relationId, count } of letters) {
    counts.set(relationId, (counts.get(relationId) ?? 0) + count);
  }
  return counts;
}
