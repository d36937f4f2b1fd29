/**
 * RowKey: which of a row's columns are its key, and their builders among those of the row. What decoders of changes have in
 * common: a key has no NULLs, and of a row that is gone there is nothing but its key.
 *
 * Cost: builders are parted once, and again only when others are given.
 */

import { must } from '../base/assert.ts';
import { type DataError, SqlError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import type { DecodedColumn } from './csv.ts';

export class RowKey {
  /** In the key's order. */
  readonly columns: readonly DecodedColumn[];
  readonly #key: readonly number[];
  readonly #rest: readonly number[];
  #row: readonly ColumnBuilder[] = [];
  #builders: readonly ColumnBuilder[] = [];
  #others: readonly ColumnBuilder[] = [];

  /** `key`: numbers of the key's columns among `columns`. */
  constructor(columns: readonly DecodedColumn[], key: readonly number[]) {
    this.columns = key.map((column) => must(columns[column]));
    this.#key = key;
    this.#rest = [...columns.keys()].filter((column) => !key.includes(column));
  }

  /** Of the key's columns. */
  get builders(): readonly ColumnBuilder[] {
    return this.#builders;
  }

  /** Of the other columns. */
  get others(): readonly ColumnBuilder[] {
    return this.#others;
  }

  /** Takes the builders of all columns, whose rows come next. */
  part(row: readonly ColumnBuilder[]): void {
    if (row === this.#row) return;
    this.#row = row;
    this.#builders = this.#key.map((column) => must(row[column]));
    this.#others = this.#rest.map((column) => must(row[column]));
  }

  /** 23502 where a column of the key was given NULL; null: none was. */
  violation(): DataError | null {
    const i = this.#builders.findIndex((builder) => builder.isLastNull);
    if (i < 0) return null;
    return new SqlError('23502', `null value in key column "${must(this.columns[i]).name}"`);
  }

  /** Completes a row that is gone, behind its key. */
  appendNullOthers(): void {
    for (const builder of this.#others) builder.appendNull();
  }
}
