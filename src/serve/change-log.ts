/**
 * ChangeLog: what a transaction did to one table, change by change in the order of its statements, for a table whose rows
 * are judged by a watermark (semantics.md rule 14): net rows would not tell when a copy came or went.
 *
 * State: a u32 for each change (the row's id, the top bit set where it went) in chunks of the write set's memory, so that
 * the memory's bound holds for it too; the statements' borders in an array. Cost: O(1) a change.
 */

import { must } from '../base/assert.ts';
import type { Memory } from '../memory/memory.ts';

/** How rows are judged: VALUES and COPY one after the other, others by the watermark before their statement. */
export type Judge = 'row' | 'statement';

/** Changes [from, to), judged alike; a TRUNCATE has none. */
export interface LoggedPart {
  readonly judge: Judge;
  readonly isTruncate: boolean;
  readonly from: number;
  to: number;
  hasRetractions: boolean;
}

const CHUNK_CHANGES = 16_384;
const RETRACTED = 0x8000_0000;

export class ChangeLog {
  readonly #memory: Memory;
  readonly #chunks: number[] = [];
  readonly #parts: LoggedPart[] = [];
  #count = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  get parts(): readonly LoggedPart[] {
    return this.#parts;
  }

  /** A statement begins. Statements that only insert, row by row, are one part. */
  begin(judge: Judge): void {
    const last = this.#parts.at(-1);
    if (last !== undefined && !last.isTruncate) {
      if (last.to === last.from) this.#parts.pop();
      else if (judge === 'row' && last.judge === 'row' && !last.hasRetractions) return;
    }
    this.#open(judge, false);
  }

  /** Rows (u32 ids at `ids`) that came (1) or went (-1), as part of the statement that has begun. */
  add(ids: number, n: number, sign: 1 | -1): void {
    for (let i = 0; i < n; i++) {
      const id = this.#memory.u32[(ids >>> 2) + i]!;
      this.#append(sign > 0 ? id : (id | RETRACTED) >>> 0);
    }
    const part = must(this.#parts.at(-1), 'a change without a statement');
    part.to = this.#count;
    if (sign < 0) part.hasRetractions = true;
  }

  /** Every row of the table goes. */
  truncate(): void {
    this.#open('statement', true);
  }

  row(change: number): number {
    return (this.#entry(change) & ~RETRACTED) >>> 0;
  }

  isRetraction(change: number): boolean {
    return this.#entry(change) >= RETRACTED;
  }

  destroy(): void {
    for (const chunk of this.#chunks) this.#memory.free(chunk, 4 * CHUNK_CHANGES);
    this.#chunks.length = 0;
    this.#parts.length = 0;
    this.#count = 0;
  }

  #open(judge: Judge, isTruncate: boolean): void {
    const at = this.#count;
    this.#parts.push({ judge, isTruncate, from: at, to: at, hasRetractions: false });
  }

  #append(entry: number): void {
    const place = this.#count % CHUNK_CHANGES;
    if (place === 0) this.#chunks.push(this.#memory.alloc(4 * CHUNK_CHANGES));
    const chunk = must(this.#chunks.at(-1));
    this.#memory.u32[(chunk >>> 2) + place] = entry;
    this.#count += 1;
  }

  #entry(change: number): number {
    const chunk = must(this.#chunks[Math.floor(change / CHUNK_CHANGES)]);
    return this.#memory.u32[(chunk >>> 2) + (change % CHUNK_CHANGES)]!;
  }
}
