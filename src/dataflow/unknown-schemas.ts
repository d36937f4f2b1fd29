/**
 * UnknownSchemas: the ids that records of a source named and its schema registry did not have. Such records are rejected, and
 * are so whenever they are read again (a recovery, a later view), whatever the registry has by then; a record that comes once
 * it has the schema, or a replay of dead letters, makes it known. What makes an id unknown or known is in the log.
 *
 * State: the ids, in the order in which they came, the newest ID_COUNT_MAX; part of checkpoints. Those forgotten (of records
 * that are no messages of a registry's user at all) count as known.
 */

import type { SchemaNews } from '../connect/source.ts';

const ID_COUNT_MAX = 10_000;

export class UnknownSchemas {
  readonly #ids: Set<number>;

  constructor(ids: readonly number[]) {
    this.#ids = new Set(ids);
  }

  /** As of now: it changes as news come. */
  get ids(): ReadonlySet<number> {
    return this.#ids;
  }

  /** The ids that became known. */
  note({ unknown, known }: SchemaNews): number[] {
    const learned = known.filter((id) => this.#ids.delete(id));
    for (const id of unknown) {
      this.#ids.add(id);
      if (this.#ids.size > ID_COUNT_MAX) this.#forgetOldest();
    }
    return learned;
  }

  #forgetOldest(): void {
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      return;
    }
  }
}
