/**
 * Reads the records of one file in order: bytes in bounded pieces, records by the decoder, offsets and lines counted.
 *
 * State: a buffer that holds the record at hand, the bytes read ahead, and the last TAIL_BYTES before it (for prints).
 * Cost: each byte is read once and looked at once, but for records that reach over the end of what was there to read.
 */

import { crc32 } from 'node:zlib';
import { type DataError, SqlError } from '../../base/sql-error.ts';
import type { ColumnBuilder } from '../../batch/column-builder.ts';
import type { CsvDecoder } from '../../formats/csv.ts';
import type { RecordDecoder } from '../../formats/record-decoder.ts';
import { type NotNullFields, rawRecord, rejectedRecord } from '../rejected.ts';
import type { RawRecord, RejectedRecord } from '../source.ts';
import type { FileBytes } from './file-bytes.ts';
import { type FilePosition, HEAD_BYTES, TAIL_BYTES } from './file-position.ts';

/** A record that is longer is rejected: a quote that never closes must not swallow a file. */
export const RECORD_BYTES_MAX = 8 * 1024 * 1024;
const BUFFER_BYTES = 256 * 1024;
const LF = 10;
const CR = 13;

/** `end`: nothing more for now (or for ever, where the end of the bytes ends the last record). */
export type CursorStep = 'row' | 'rejected' | 'end';

/** How a cursor rejects records. */
export interface Rejecting {
  readonly notNull: NotNullFields;
  /** Bytes of a rejected record that are kept. */
  readonly bytesMax: number;
}

export class FileCursor {
  readonly bytes: FileBytes;
  /** What the last step rejected. */
  rejected: RejectedRecord | null = null;
  readonly #decoder: RecordDecoder;
  #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  /** Offset in the file of buffer[0]. */
  #base: number;
  #start = 0;
  #end = 0;
  #line: number;
  #previousStart = 0;
  #previousLine = 1;
  #head: Buffer;
  /** Inside of a record that was rejected as too long: up to its line end. */
  #isSkipping = false;
  #needsHeader: boolean;
  /** Of rejected records, as JSON: names of the fields, as the first record has them; null: it has none. */
  #context: string | null = null;
  readonly #rejecting: Rejecting;
  #limit: number;
  /** Where the bytes ended when they held no whole record: nothing to look at until there are more. */
  #scannedEnd = -1;

  /**
   * Starts at the beginning of the file; `hasHeader`: its first record names the fields of a CsvDecoder. Bytes from `limit`
   * on are as if they were not there.
   */
  constructor(
    bytes: FileBytes,
    decoder: RecordDecoder,
    hasHeader: boolean,
    rejecting: Rejecting,
    limit = Number.POSITIVE_INFINITY,
  ) {
    this.bytes = bytes;
    this.#rejecting = rejecting;
    this.#limit = limit;
    this.#decoder = decoder;
    this.#needsHeader = hasHeader;
    this.#base = 0;
    this.#line = 1;
    this.#head = Buffer.alloc(0);
    bytes.seek(0);
  }

  /** Goes to a position that the file holds (holdsPosition): the header, where there is one, is read first. */
  seek(position: FilePosition): void {
    if (position.offset === 0) return;
    this.#fill();
    while (this.#head.length < Math.min(HEAD_BYTES, position.offset) && this.#fill());
    if (this.#needsHeader) this.readHeader(true);
    const keepFrom = Math.max(0, position.offset - TAIL_BYTES);
    this.bytes.seek(keepFrom);
    this.#base = keepFrom;
    this.#start = 0;
    this.#end = 0;
    while (this.#end < position.offset - keepFrom && this.#fill());
    this.#start = position.offset - keepFrom;
    this.#line = position.line;
    this.#isSkipping = position.isSkipping === true;
  }

  /** Offset in the file of the next record. */
  get offset(): number {
    return this.#base + this.#start;
  }

  /** Offset up to which bytes were read. */
  get readOffset(): number {
    return this.#base + this.#end;
  }

  /** Bytes of a record whose end is not there yet. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  position(rotated: readonly string[]): FilePosition {
    const { path, id } = this.bytes;
    const { offset } = this;
    const head = crc32(this.#head.subarray(0, Math.min(offset, HEAD_BYTES)));
    const tailStart = Math.max(0, this.#start - TAIL_BYTES);
    const tail = crc32(this.#buffer.subarray(tailStart, this.#start));
    return {
      path,
      id,
      offset,
      line: this.#line,
      head,
      tail,
      ...(this.#isSkipping ? { isSkipping: true } : {}),
      ...(rotated.length === 0 ? {} : { rotated }),
    };
  }

  /** Bytes up to `limit` count as there from now on. */
  readUntil(limit: number): void {
    this.#limit = limit;
  }

  /** Reads no more bytes: those that come are not this file's any more. */
  stopReading(): void {
    this.#limit = this.readOffset;
  }

  /** Whether the last bytes that were read are still in the file, where they were. */
  stillHolds(): boolean {
    const expected = this.#buffer.subarray(Math.max(0, this.#end - TAIL_BYTES), this.#end);
    const found = Buffer.allocUnsafe(expected.length);
    const { readOffset } = this;
    this.bytes.seek(readOffset - expected.length);
    const count = this.bytes.read(found, 0, found.length);
    this.bytes.seek(readOffset);
    return count === found.length && found.equals(expected);
  }

  /** Reads the next record into the builders. `isLast`: the end of the bytes ends the last record. */
  next(builders: readonly ColumnBuilder[], isLast: boolean): CursorStep {
    if (this.#needsHeader && !this.readHeader(isLast)) return 'end';
    for (;;) {
      const next = this.#scan(isLast);
      if (next < 0) return 'end';
      this.#previousStart = this.#start;
      this.#previousLine = this.#line;
      if (next === this.#start) {
        this.rejected = this.#rejectLong();
        return 'rejected';
      }
      if (!this.#decoder.isBlank) return this.#append(next, builders);
      this.#advance(next);
    }
  }

  /** Takes the last step back: the record is read again. */
  unread(): void {
    this.#scannedEnd = -1;
    this.#start = this.#previousStart;
    this.#line = this.#previousLine;
  }

  close(): void {
    this.bytes.close();
  }

  /** Offset in the buffer behind the record at hand; its start: it is too long; -1: its end is not there. */
  #scan(isLast: boolean): number {
    let isAtEnd = false;
    for (;;) {
      if (this.#isSkipping) this.#skipLine();
      const ends = isLast && isAtEnd;
      const isNew = this.readOffset !== this.#scannedEnd || ends;
      if (!this.#isSkipping && this.#start < this.#end && isNew) {
        const next = this.#decoder.scan(this.#buffer, this.#start, this.#end, ends);
        if (next >= 0) return next;
        if (this.#end - this.#start > RECORD_BYTES_MAX) return this.#start;
        this.#scannedEnd = this.readOffset;
      }
      if (isAtEnd) return -1;
      isAtEnd = !this.#fill();
    }
  }

  #append(next: number, builders: readonly ColumnBuilder[]): CursorStep {
    const rowCount = builders[0]?.rowCount ?? 0;
    const wrong = this.#decoder.append(this.#buffer, builders);
    const error = wrong ?? this.#rejecting.notNull.violation(builders);
    if (error !== null) {
      for (const builder of builders) builder.truncate(rowCount);
      const errorOffset = wrong === null ? this.offset : this.#base + this.#decoder.errorOffset;
      this.rejected = this.#reject(error, errorOffset, this.#raw(next));
      this.#advance(next);
      return 'rejected';
    }
    this.#advance(next);
    return 'row';
  }

  #advance(next: number): void {
    this.#line += this.#decoder.lineCount;
    this.#start = next;
  }

  #reject(error: DataError, errorOffset: number, raw: RawRecord): RejectedRecord {
    const { offset } = this;
    const position = JSON.stringify({
      file: this.bytes.path,
      line: this.#line,
      offset,
      errorOffset,
    });
    const place = { position, offset, topic: null, partition: null, byteOffset: null };
    return rejectedRecord(place, raw, error);
  }

  /** A record beyond RECORD_BYTES_MAX: what follows its first line end is read on. */
  #rejectLong(): RejectedRecord {
    const reason = `record is longer than ${RECORD_BYTES_MAX} bytes, or a quote in it never closes`;
    const raw = { ...this.#raw(this.#end), isCut: true };
    const rejected = this.#reject(new SqlError('54000', reason), this.offset, raw);
    this.#isSkipping = true;
    this.#skipLine();
    return rejected;
  }

  /** The record at hand, without its line end. */
  #raw(next: number): RawRecord {
    let end = next;
    if (end > this.#start && this.#buffer[end - 1] === LF) end -= 1;
    if (end > this.#start && this.#buffer[end - 1] === CR) end -= 1;
    const value = { start: this.#start, end };
    const beside = { timestampMs: null, context: this.#context };
    return rawRecord(this.#buffer, null, value, beside, this.#rejecting.bytesMax);
  }

  /** Goes behind the next line end; all that is there is skipped when there is none. */
  #skipLine(): void {
    const found = this.#buffer.indexOf(LF, this.#start);
    if (found >= 0 && found < this.#end) {
      this.#start = found + 1;
      this.#line += 1;
      this.#isSkipping = false;
    } else this.#start = this.#end;
  }

  /** Reads the record with the fields' names (`next` does it too); false when it is not there yet. */
  readHeader(isLast: boolean): boolean {
    const decoder = this.#decoder as CsvDecoder;
    for (;;) {
      const next = this.#scan(isLast);
      if (next < 0) return false;
      if (next === this.#start) throw new SqlError('54000', 'the header line is too long');
      const isBlank = this.#decoder.isBlank;
      if (!isBlank) {
        const header = decoder.texts(this.#buffer);
        this.#context = JSON.stringify({ header });
        decoder.matchHeader(header);
      }
      this.#advance(next);
      if (isBlank) continue;
      this.#needsHeader = false;
      return true;
    }
  }

  /** Reads more bytes; false at the present end. */
  #fill(): boolean {
    this.#makeRoom();
    const isFirst = this.#base === 0 && this.#end === 0;
    const readOffset = this.readOffset;
    const size = Math.min(this.#buffer.length - this.#end, this.#limit - readOffset);
    const count = size > 0 ? this.bytes.read(this.#buffer, this.#end, size) : 0;
    if (readOffset < HEAD_BYTES && readOffset === this.#head.length) {
      const end = Math.min(this.#end + count, this.#end + HEAD_BYTES - readOffset);
      this.#head = Buffer.concat([this.#head, this.#buffer.subarray(this.#end, end)]);
    }
    this.#end += count;
    if (isFirst && hasByteOrderMark(this.#buffer, this.#end)) this.#start = 3;
    return count > 0;
  }

  #makeRoom(): void {
    const keepFrom = Math.max(0, this.#start - TAIL_BYTES);
    const used = this.#end - keepFrom;
    if (this.#buffer.length - this.#end >= BUFFER_BYTES / 4) return;
    const isTight = this.#buffer.length - used < BUFFER_BYTES / 4;
    const target = isTight ? Buffer.allocUnsafe(this.#buffer.length * 2) : this.#buffer;
    this.#buffer.copy(target, 0, keepFrom, this.#end);
    this.#buffer = target;
    this.#base += keepFrom;
    this.#start -= keepFrom;
    this.#end = used;
  }
}

function hasByteOrderMark(buffer: Buffer, end: number): boolean {
  return end >= 3 && buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf;
}
