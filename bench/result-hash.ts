/** An order-independent hash of a result: the sum of its rows' hashes, so that two results can be compared by a word. */

import { hash } from 'node:crypto';
import type pg from 'pg';
import { textRows } from './measured-server.ts';

const PAGE_ROWS = 5000;

export class ResultHash {
  #sum = 0n;
  #rowCount = 0;

  /** Adds a row of texts (or NULLs). */
  add(row: readonly (string | null)[]): void {
    const bytes = hash('sha256', JSON.stringify(row), 'buffer');
    this.#sum = BigInt.asUintN(64, this.#sum + bytes.readBigUInt64LE(0));
    this.#rowCount++;
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  toString(): string {
    return this.#sum.toString(16).padStart(16, '0');
  }
}

/** The hash of what `query` gives, fetched in pages through a cursor. */
export async function hashOfQuery(client: pg.Client, query: string): Promise<ResultHash> {
  const result = new ResultHash();
  await client.query('BEGIN');
  await client.query(`DECLARE bench_rows CURSOR FOR ${query}`);
  for (;;) {
    const rows = await textRows(client, `FETCH ${PAGE_ROWS} FROM bench_rows`);
    for (const row of rows) result.add(row);
    if (rows.length < PAGE_ROWS) break;
  }
  await client.query('COMMIT');
  return result;
}
