/**
 * The connector `webhook` as a source: nobody asks it for rows, they are posted to it (connect/source.ts, `PushedReader`).
 *
 * It has one split, '0'; its position is the number of records that came. State: none.
 */

import { must } from '../../base/assert.ts';
import { type DataError, SqlError } from '../../base/sql-error.ts';
import { ColumnBuilder } from '../../batch/column-builder.ts';
import { BATCH_ROWS_MAX } from '../../batch/delta-batch.ts';
import type { MessageDecoder } from '../../formats/message-decoder.ts';
import type { ValueSettings } from '../../types/settings.ts';
import { type MessageEncoding, openMessageDecoder } from '../encodings.ts';
import { NotNullFields, rawRecord, rejectedRecord } from '../rejected.ts';
import type {
  Json,
  KeptRecord,
  PostedBody,
  PushedReader,
  RecordPlace,
  RejectedRecord,
  SourceChunk,
  SourceColumn,
  SourceContext,
} from '../source.ts';
import { postedRecords } from './posted-records.ts';

/** What a webhook source is opened with; JSON. */
export interface WebhookSourceOptions {
  readonly encoding: MessageEncoding;
  /** Numbers of the columns that are members of the object. */
  readonly fields: readonly number[];
  readonly settings: ValueSettings;
}

/** For people: number of the record among all that came, and in its body. JSON. */
type WebhookPosition = {
  readonly record: number;
  readonly index: number;
  readonly byteOffset?: number;
};

/** Rows on their way, and what was rejected. */
interface PostedRows {
  readonly builders: readonly ColumnBuilder[];
  /** By row: number of its record. */
  readonly records: number[];
  readonly rejected: RejectedRecord[];
}

const SPLIT = '0';
const SPACES = [9, 10, 13, 32];

export class WebhookSource implements PushedReader {
  readonly splits = [SPLIT];
  readonly isPushed = true;
  readonly #context: SourceContext;
  readonly #fields: readonly SourceColumn[];
  /** Field of each wanted column. */
  readonly #wantedFields: readonly number[];
  readonly #decoder: MessageDecoder;
  readonly #notNull: NotNullFields;
  #position: Json = 0;
  #hasToldEnd = false;

  constructor(
    { encoding, fields, settings }: WebhookSourceOptions,
    columns: readonly SourceColumn[],
    context: SourceContext,
  ) {
    this.#context = context;
    this.#fields = fields.map((index) => must(columns[index]));
    this.#wantedFields = context.wanted.map((index) => {
      const field = fields.indexOf(index);
      return must(field < 0 ? null : field, `column ${index} is no member of the object`);
    });
    this.#decoder = openMessageDecoder(encoding, this.#fields, settings);
    this.#notNull = new NotNullFields(fields, context.notNull, columns);
  }

  start(positions: ReadonlyMap<string, Json>): void {
    this.#position = positions.get(SPLIT) ?? 0;
  }

  /** Tells once that there is a split, which stands at its end. */
  poll(): SourceChunk | null {
    if (this.#hasToldEnd) return null;
    this.#hasToldEnd = true;
    const to = this.#position;
    return { split: SPLIT, from: to, to, batch: null, rejected: [], ...AT_END };
  }

  *replay(_split: string, from: Json, to: Json): Generator<SourceChunk> {
    if (from !== to) throw new SqlError('58030', 'posted records cannot be asked for again');
    yield* [];
  }

  check({ bytes, shape }: PostedBody): void {
    postedRecords(bufferOf(bytes), shape);
  }

  *receive({ bytes, shape }: PostedBody, position: Json): Generator<SourceChunk> {
    const body = bufferOf(bytes);
    const records = postedRecords(body, shape);
    const count = records.length / 2;
    for (let first = 0; first < count; first += BATCH_ROWS_MAX) {
      const end = Math.min(count, first + BATCH_ROWS_MAX);
      yield this.#decode(body, records, first, end, Number(position));
    }
  }

  /** Records [first, end) of a body before which `before` records came. */
  #decode(
    body: Buffer,
    records: readonly number[],
    first: number,
    end: number,
    before: number,
  ): SourceChunk {
    const rows = this.#emptyRows(end - first);
    for (let index = first; index < end; index += 1) {
      const record = body.subarray(records[2 * index]!, records[2 * index + 1]!);
      this.#append(record, { record: before + index, index }, rows);
    }
    return this.#chunk(before + first, before + end, rows, before);
  }

  readonly retry = (_split: string, records: readonly KeptRecord[]): SourceChunk => {
    const rows = this.#emptyRows(records.length);
    for (const [index, { offset, raw }] of records.entries()) {
      this.#append(bufferOf(must(raw.value)), { record: offset, index }, rows);
    }
    return this.#chunk(this.#position, this.#position, rows, 0);
  };

  #emptyRows(rowsMax: number): PostedRows {
    const { memory, scratch } = this.#context;
    const builder = ({ type }: SourceColumn) => new ColumnBuilder(memory, scratch, type, rowsMax);
    return { builders: this.#fields.map(builder), records: [], rejected: [] };
  }

  #append(record: Buffer, position: WebhookPosition, rows: PostedRows): void {
    const { builders, records, rejected } = rows;
    const wrong = this.#decoder.append(record, 0, record.length, builders);
    const error = wrong ?? this.#notNull.violation(builders);
    if (error === null) records.push(position.record);
    else {
      for (const builder of builders) builder.truncate(records.length);
      const byteOffset = wrong === null ? 0 : Math.max(0, this.#decoder.errorOffset);
      rejected.push(this.#rejected(record, error, { ...position, byteOffset }));
    }
  }

  #chunk(
    from: Json,
    to: Json,
    { builders, records, rejected }: PostedRows,
    before: number,
  ): SourceChunk {
    const { memory } = this.#context;
    const columns = this.#wantedFields.map((field) => must(builders[field]).build());
    const rowCount = records.length;
    return {
      split: SPLIT,
      from,
      to,
      batch: rowCount === 0 ? null : { memory, rowCount, columns, weights: 0, rowWatermarks: 0 },
      rejected,
      places: {
        offsetOf: (row) => records[row]!,
        placeAt: (record) => placeOf({ record, index: record - before }),
      },
      ...AT_END,
    };
  }

  #rejected(record: Buffer, error: DataError, position: WebhookPosition): RejectedRecord {
    let end = record.length;
    while (end > 0 && SPACES.includes(record[end - 1]!)) end -= 1;
    const { rejectedBytesMax } = this.#context;
    const raw = rawRecord(record, null, { start: 0, end }, BARE, rejectedBytesMax);
    return rejectedRecord(placeOf(position), raw, error);
  }

  nextDueUs(): null {
    return null;
  }

  /** What waits is counted where it waits: in the HTTP port. */
  lag(): number {
    return 0;
  }

  close(): void {}
}

function placeOf(position: WebhookPosition): RecordPlace {
  return {
    position: JSON.stringify(position),
    offset: position.record,
    topic: null,
    partition: null,
    byteOffset: null,
  };
}

const BARE = { timestampMs: null, context: null };

const AT_END = { isAtEnd: true, isEnded: false } as const;

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
