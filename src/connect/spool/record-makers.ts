/** How the changes of an epoch become records of a spool: every row, the newest row of each key, or what happened to it. */

import { assert } from '../../base/assert.ts';
import { weightOf } from '../../batch/concat.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { ByteWriter } from '../../formats/byte-writer.ts';
import type { Change, EnvelopeWriter } from '../../formats/change-envelope.ts';
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

/** What happened to the row of a key, and the row before and after. A delete is followed by a tombstone. */
export class EnvelopeMaker implements RecordMaker {
  readonly #rows: RecordSource;
  readonly #envelopes: EnvelopeWriter;
  readonly #bytes = new ByteWriter();
  /** Rows that were retracted in this epoch, and have no new one yet. */
  readonly #gone = new Map<string, { readonly key: Buffer; readonly before: Buffer }>();

  /** `rows` gives as values what `envelopes` takes as rows. */
  constructor(rows: RecordSource, envelopes: EnvelopeWriter) {
    this.#rows = rows;
    this.#envelopes = envelopes;
  }

  write(epoch: number, timeUs: bigint, batch: DeltaBatch, spool: Spool): void {
    for (let row = 0; row < batch.rowCount; row += 1) {
      const key = keyOf(this.#rows, batch, row);
      const text = key.toString('latin1');
      const value = this.#rows.value(batch, row);
      if (weightOf(batch, row) < 0) {
        this.#gone.set(text, { key: Buffer.from(key), before: Buffer.from(value) });
        continue;
      }
      const before = this.#gone.get(text)?.before ?? null;
      this.#gone.delete(text);
      const time = this.#rows.timestampMs(batch, row, timeUs);
      const op = before === null ? 'c' : 'u';
      const change = this.#envelope({ op, before, after: value, timeMs: millis(timeUs) });
      spool.append(epoch, timeUs, time, key, change);
    }
  }

  endEpoch(epoch: number, timeUs: bigint, spool: Spool): void {
    const timeMs = millis(timeUs);
    for (const { key, before } of this.#gone.values()) {
      const change = this.#envelope({ op: 'd', before, after: null, timeMs });
      spool.append(epoch, timeUs, timeMs, key, change);
      spool.append(epoch, timeUs, timeMs, key, null);
    }
    this.#gone.clear();
  }

  rollBack(): void {
    this.#gone.clear();
  }

  #envelope(change: Change): Buffer {
    this.#bytes.clear();
    this.#envelopes.append(change, this.#bytes);
    return this.#bytes.written;
  }
}

/** The key of a row that has one. */
function keyOf(rows: RecordSource, batch: DeltaBatch, row: number): Buffer {
  const key = rows.key(batch, row);
  assert(key !== null, 'a changing sink has keys');
  return key;
}

export function millis(us: bigint): number {
  return Math.floor(Number(us) / 1000);
}
