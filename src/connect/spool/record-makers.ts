/** How the changes of an epoch become records of a spool: every row, or the newest row of each key. */

import { assert } from '../../base/assert.ts';
import { weightOf } from '../../batch/concat.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import type { Spool } from './spool.ts';
import type { RecordMaker } from './spooled-sink.ts';

/** Key, value and time of a row's record. Bytes live until the next call. */
export interface RecordSource {
  /** null: records have none. */
  key(batch: DeltaBatch, row: number): Buffer | null;
  value(batch: DeltaBatch, row: number): Buffer;
  /** `timeUs`: the epoch's. */
  timestampMs(batch: DeltaBatch, row: number, timeUs: bigint): number;
}

/** Every inserted row is a record; retractions are left out (they were forced, or there are none). */
export class AppendMaker implements RecordMaker {
  readonly #rows: RecordSource;

  constructor(rows: RecordSource) {
    this.#rows = rows;
  }

  write(epoch: number, timeUs: bigint, batch: DeltaBatch, spool: Spool): void {
    for (let row = 0; row < batch.rowCount; row += 1) {
      const weight = weightOf(batch, row);
      if (weight <= 0) continue;
      const key = this.#rows.key(batch, row);
      const value = this.#rows.value(batch, row);
      const time = this.#rows.timestampMs(batch, row, timeUs);
      for (let i = 0; i < weight; i += 1) spool.append(epoch, timeUs, time, key, value);
    }
  }

  endEpoch(): void {}

  rollBack(): void {}
}

/** The newest row of a key; a key whose row is gone is a tombstone, at the end of the epoch. */
export class UpsertMaker implements RecordMaker {
  readonly #rows: RecordSource;
  /** Keys whose rows were retracted in this epoch, and have no new one yet. */
  readonly #gone = new Map<string, Buffer>();

  constructor(rows: RecordSource) {
    this.#rows = rows;
  }

  write(epoch: number, timeUs: bigint, batch: DeltaBatch, spool: Spool): void {
    for (let row = 0; row < batch.rowCount; row += 1) {
      const key = keyOf(this.#rows, batch, row);
      const text = key.toString('latin1');
      if (weightOf(batch, row) < 0) {
        this.#gone.set(text, Buffer.from(key));
        continue;
      }
      this.#gone.delete(text);
      const time = this.#rows.timestampMs(batch, row, timeUs);
      spool.append(epoch, timeUs, time, key, this.#rows.value(batch, row));
    }
  }

  endEpoch(epoch: number, timeUs: bigint, spool: Spool): void {
    for (const key of this.#gone.values()) spool.append(epoch, timeUs, millis(timeUs), key, null);
    this.#gone.clear();
  }

  rollBack(): void {
    this.#gone.clear();
  }
}

/** The key of a row that has one. */
export function keyOf(rows: RecordSource, batch: DeltaBatch, row: number): Buffer {
  const key = rows.key(batch, row);
  assert(key !== null, 'a changing sink has keys');
  return key;
}

export function millis(us: bigint): number {
  return Math.floor(Number(us) / 1000);
}
