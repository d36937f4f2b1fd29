/**
 * ReaderStarts: from when on the views that read an unstored source took its records, and what of a rejected one they have:
 * so that its replay enters those views, once each, whose position has passed it (semantics.md rule 27).
 *
 * A view reads what came before its creation for itself (its history), by the source's definition of that time. A record that
 * was rejected for NULLs is in that history exactly if those columns might be NULL by then. State: a line for each view, and
 * the columns whose NOT NULL was dropped, in that order; part of checkpoints.
 */

/** JSON. */
export interface ReaderStart {
  readonly jobId: number;
  /** Letters from this number on are of records that came when it was there. */
  readonly letterId: number;
  /** How many columns had lost their NOT NULL. */
  readonly version: number;
}

/** JSON. */
export interface ReaderStartsState {
  readonly dropped: readonly number[];
  readonly starts: readonly ReaderStart[];
}

export class ReaderStarts {
  readonly #dropped: number[];
  readonly #starts = new Map<number, ReaderStart>();

  constructor(state: ReaderStartsState | null) {
    this.#dropped = [...(state?.dropped ?? [])];
    for (const start of state?.starts ?? []) this.#starts.set(start.jobId, start);
  }

  /** How often the source's definition has changed. */
  get version(): number {
    return this.#dropped.length;
  }

  /** Columns whose NOT NULL was dropped. */
  get droppedColumns(): readonly number[] {
    return this.#dropped;
  }

  drop(column: number): void {
    this.#dropped.push(column);
  }

  note(jobId: number, letterId: number): void {
    this.#starts.set(jobId, { jobId, letterId, version: this.version });
  }

  forget(jobId: number): void {
    this.#starts.delete(jobId);
  }

  /** The version from which on a record was taken that has NULL in the columns of which `isNull` says so. */
  versionOf(isNull: (column: number) => boolean): number {
    return this.#dropped.findLastIndex((column) => isNull(column)) + 1;
  }

  /** Does a view lack the record of a letter? `version`: from which on it was taken; `isKept`: it can be read again. */
  lacks(jobId: number, letterId: number, version: number, isKept: boolean): boolean {
    const start = this.#starts.get(jobId);
    if (start === undefined || letterId >= start.letterId) return true;
    return isKept && start.version < version;
  }

  state(): ReaderStartsState {
    return { dropped: [...this.#dropped], starts: [...this.#starts.values()] };
  }
}
