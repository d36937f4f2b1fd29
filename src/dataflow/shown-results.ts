/**
 * ShownResults: what the groups that an epoch touches showed before it, kept from their first change to the epoch's end, so
 * that a group's row need not hold its result as well. One entry for each touched group, in the order of touching.
 *
 * State: a RowTable of results; empty between epochs, so that no checkpoint holds any.
 * Cost: O(results kept); nothing for groups that showed nothing.
 */

import type { Column } from '../batch/delta-batch.ts';
import { RowTable } from '../kernels/row-table.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { Storage } from '../types/data-type.ts';
import { RowList } from './rows.ts';

export class ShownResults {
  readonly #memory: Memory;
  readonly #table: RowTable;
  /** For each touched group its row in the table; 0: it showed nothing. */
  readonly #entries = new RowList();

  constructor(memory: Memory, cell: number, storages: readonly Storage[]) {
    this.#memory = memory;
    this.#table = RowTable.open(memory, cell, { storages, keyCount: 0, extraBytes: 0 });
  }

  /** The next touched group shows nothing. */
  pushNone(): void {
    this.#entries.push(0);
  }

  /** The next n touched groups show these results. */
  push(results: readonly Column[], n: number, scratch: Scratch): void {
    const rows = scratch.alloc(n * 4 + 16);
    this.#table.append(results, n, rows);
    for (let i = 0; i < n; i++) this.#entries.push(this.#memory.u32[(rows >>> 2) + i]!);
  }

  /**
   * The results that entries [from, from + n) showed, without gaps, and `places`: address of n u32, where in them each
   * entry's are (of no meaning where it showed nothing).
   */
  take(from: number, n: number, scratch: Scratch): { columns: Column[]; places: number } {
    const places = scratch.alloc(n * 4 + 16);
    const rows = scratch.alloc(n * 4 + 16);
    const { u32 } = this.#memory;
    let count = 0;
    for (let i = 0; i < n; i++) {
      u32[(places >>> 2) + i] = count;
      const row = this.#entries.at(from + i);
      if (row !== 0) u32[(rows >>> 2) + count++] = row;
    }
    const columns = this.#table.spec.storages.map((_, column) =>
      this.#table.gather(rows, count, column, scratch),
    );
    return { columns, places };
  }

  /** The epoch's end. */
  clear(): void {
    this.#entries.clear();
    if (this.#table.rowCount > 0) this.#table.clear();
  }
}
