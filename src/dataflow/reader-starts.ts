/**
 * ReaderStarts: from when on the views that read an unstored source took its records, and what of a rejected one they have:
 * so that its replay enters those views, once each, whose position has passed it (semantics.md rule 27).
 *
 * A view reads what came before its creation for itself (its history), by what the source was then. A record that was rejected
 * for NULLs is in that history exactly if those columns might be NULL by then; one that names a schema that the registry did
 * not have, if that was known by then. State: a line for each view, and the columns whose NOT NULL was dropped and the schemas
 * that became known, in that order; part of checkpoints.
 */

/** How far a source was mended. */
export interface Mends {
  /** How many columns had lost their NOT NULL. */
  readonly version: number;
  /** How many schemas had become known; absent: none. */
  readonly learned?: number;
}

/** JSON. */
export interface ReaderStart extends Mends {
  readonly jobId: number;
  /** Letters from this number on are of records that came when it was there. */
  readonly letterId: number;
}

/** JSON. */
export interface ReaderStartsState {
  readonly dropped: readonly number[];
  /** Ids; absent: none. */
  readonly learned?: readonly number[];
  readonly starts: readonly ReaderStart[];
}

export class ReaderStarts {
  readonly #dropped: number[];
  readonly #learned: number[];
  readonly #starts = new Map<number, ReaderStart>();

  constructor(state: ReaderStartsState | null) {
    this.#dropped = [...(state?.dropped ?? [])];
    this.#learned = [...(state?.learned ?? [])];
    for (const start of state?.starts ?? []) this.#starts.set(start.jobId, start);
  }

  /** How often the source was mended. */
  get version(): number {
    return this.#dropped.length + this.#learned.length;
  }

  /** Columns whose NOT NULL was dropped. */
  get droppedColumns(): readonly number[] {
    return this.#dropped;
  }

  drop(column: number): void {
    this.#dropped.push(column);
  }

  /** A schema that the registry did not have is known now. */
  learn(schemaId: number): void {
    this.#learned.push(schemaId);
  }

  note(jobId: number, letterId: number): void {
    const mends = { version: this.#dropped.length, learned: this.#learned.length };
    this.#starts.set(jobId, { jobId, letterId, ...mends });
  }

  forget(jobId: number): void {
    this.#starts.delete(jobId);
  }

  /** Since when a record is taken that has NULL in the columns of which `isNull` says so, and names schemas of these ids. */
  takenSince(isNull: (column: number) => boolean, schemaIds: readonly number[]): Mends {
    return {
      version: this.#dropped.findLastIndex((column) => isNull(column)) + 1,
      learned: this.#learned.findLastIndex((id) => schemaIds.includes(id)) + 1,
    };
  }

  /** Does a view lack the record of a letter? `since`: from when on it was taken; `isKept`: it can be read again. */
  lacks(jobId: number, letterId: number, since: Mends, isKept: boolean): boolean {
    const start = this.#starts.get(jobId);
    if (start === undefined || letterId >= start.letterId) return true;
    return isKept && (start.version < since.version || (start.learned ?? 0) < (since.learned ?? 0));
  }

  state(): ReaderStartsState {
    const starts = [...this.#starts.values()];
    return { dropped: [...this.#dropped], learned: [...this.#learned], starts };
  }
}
