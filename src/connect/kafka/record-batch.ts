/**
 * Kafka's record batches (magic 2), read without an object for a record.
 *
 * `visibleRecords` takes one partition's part of a Fetch answer: it checks each batch (CRC32C), leaves out what a
 * read_committed reader must not see (control batches, aborted transactions), decompresses, and gives the rest as one buffer
 * of uncompressed batches. `RecordWalker` steps through the records of such a buffer.
 *
 * Correctness of the filter: the broker's list of aborted transactions is sorted by their ends. Sorted by first offset, a
 * producer is hidden from the batch on that holds its first offset, until its abort marker; the marker is known by the control
 * bit, never by its key. Offsets have gaps (markers, compaction): the position behind a batch is base + lastOffsetDelta + 1.
 * Source: Kafka protocol guide, "Record Batch"; KIP-98.
 */

import { SqlError } from '../../base/sql-error.ts';
import { copyBytes } from '../../memory/copy-bytes.ts';
import { recordBuffers } from './buffer-pool.ts';

export const BATCH_HEADER_SIZE = 61;
const LENGTH_AT = 8;
/** Bytes of a batch that its length does not count. */
const LENGTH_OFFSET = 12;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_DELTA_AT = 23;
const BASE_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_AT = 43;
const COUNT_AT = 57;

const COMPRESSION_BITS = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const ABORT_MARKER = 0;

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** What comes from the library: checksums and decompression. */
export interface RecordCodecs {
  crc32c(bytes: Buffer): number;
  /** `codec`: 1 gzip, 2 snappy, 3 lz4, 4 zstd; null: the result would be larger than `sizeMax`. */
  decompress(codec: number, bytes: Buffer, sizeMax: number): Buffer | null;
}

/** What is taken of an answer. */
export interface RecordLimits {
  /** As errors call it. */
  readonly partition: string;
  /** A larger batch is an error; uncompressed. */
  readonly batchBytesMax: number;
  /** With so many bytes no further batch is begun; uncompressed. */
  readonly bytesMax: number;
}

export interface VisibleRecords {
  /** Uncompressed batches, one behind the other; null: none is visible. */
  readonly bytes: Uint8Array<SharedArrayBuffer> | null;
  /** Records in them. */
  readonly recordCount: number;
  /** The offset behind the last whole batch; null: there was no whole batch. */
  readonly nextOffset: number | null;
}

interface Part {
  readonly header: Buffer;
  readonly records: Buffer;
}

/**
 * The first batches in `bytes` (cut off at the end perhaps) that a read_committed reader sees. 58030 where the very first one is
 * damaged, 54000 where it is too large; they end before a later one that is.
 */
export function visibleRecords(
  bytes: Buffer,
  aborted: readonly AbortedTransaction[],
  codecs: RecordCodecs,
  limits: RecordLimits,
): VisibleRecords {
  const hidden = new HiddenProducers(aborted);
  const parts: Part[] = [];
  let byteCount = 0;
  let nextOffset: number | null = null;
  for (let at = 0; at + BATCH_HEADER_SIZE <= bytes.length && byteCount < limits.bytesMax; ) {
    const length = LENGTH_OFFSET + bytes.readInt32BE(at + LENGTH_AT);
    // A length that is damaged may be anything; with the wrong one the checksum is wrong.
    const end = at + Math.max(length, BATCH_HEADER_SIZE);
    if (end > bytes.length) break;
    const batch = bytes.subarray(at, end);
    try {
      const part = visiblePart(batch, hidden, codecs, limits);
      if (part !== null) parts.push(part);
      byteCount += part?.records.length ?? 0;
    } catch (error) {
      if (nextOffset === null) throw error;
      break;
    }
    nextOffset = Number(lastOffsetOf(batch)) + 1;
    at = end;
  }
  const recordCount = parts.reduce((sum, { header }) => sum + header.readInt32BE(COUNT_AT), 0);
  return { bytes: joined(parts), recordCount, nextOffset };
}

/** Whose batches belong to transactions that were aborted, batch by batch. */
class HiddenProducers {
  readonly #pending: AbortedTransaction[];
  readonly #hidden = new Set<bigint>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#pending = [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  }

  /** Whether the next batch is hidden. */
  passes(batch: Buffer, attributes: number): boolean {
    const lastOffset = lastOffsetOf(batch);
    while (this.#pending.length > 0 && this.#pending[0]!.firstOffset <= lastOffset) {
      this.#hidden.add(this.#pending.shift()!.producerId);
    }
    const producerId = batch.readBigInt64BE(PRODUCER_AT);
    if ((attributes & CONTROL) !== 0) {
      if (markerType(batch) === ABORT_MARKER) this.#hidden.delete(producerId);
      return false;
    }
    return (attributes & TRANSACTIONAL) === 0 || !this.#hidden.has(producerId);
  }
}

/** null: nothing of the batch is visible. */
function visiblePart(
  batch: Buffer,
  hidden: HiddenProducers,
  codecs: RecordCodecs,
  limits: RecordLimits,
): Part | null {
  checkBatch(batch, codecs, limits);
  const attributes = batch.readInt16BE(ATTRIBUTES_AT);
  if (!hidden.passes(batch, attributes) || batch.readInt32BE(COUNT_AT) === 0) return null;
  return uncompressed(batch, attributes, codecs, limits);
}

function lastOffsetOf(batch: Buffer): bigint {
  return batch.readBigInt64BE(0) + BigInt(batch.readInt32BE(LAST_DELTA_AT));
}

/** As errors call it. */
function nameOf(batch: Buffer, { partition }: RecordLimits): string {
  return `record batch at offset ${batch.readBigInt64BE(0)} of ${partition}`;
}

function checkBatch(batch: Buffer, codecs: RecordCodecs, limits: RecordLimits): void {
  const magic = batch.readInt8(MAGIC_AT);
  if (magic !== 2) {
    throw new SqlError('0A000', `${nameOf(batch, limits)} has format ${magic}`, {
      hint: 'Formats before 2 (Kafka 0.11) are not read.',
    });
  }
  if (codecs.crc32c(batch.subarray(ATTRIBUTES_AT)) >>> 0 !== batch.readUInt32BE(CRC_AT)) {
    throw new SqlError('58030', `${nameOf(batch, limits)} is damaged: wrong checksum`);
  }
}

/** Of a control batch: 0 abort, 1 commit. Its one record's key is a version and the type, both int16. */
function markerType(batch: Buffer): number {
  const cursor = new Cursor(batch, BATCH_HEADER_SIZE);
  cursor.varint();
  cursor.at += 1;
  cursor.skipVarint();
  cursor.varint();
  cursor.varint();
  return batch.readInt16BE(cursor.at + 2);
}

function uncompressed(
  batch: Buffer,
  attributes: number,
  codecs: RecordCodecs,
  limits: RecordLimits,
): Part {
  const header = batch.subarray(0, BATCH_HEADER_SIZE);
  const bytes = batch.subarray(BATCH_HEADER_SIZE);
  const { batchBytesMax } = limits;
  const codec = attributes & COMPRESSION_BITS;
  let records: Buffer | null = bytes.length > batchBytesMax ? null : bytes;
  try {
    if (codec !== 0) records = codecs.decompress(codec, bytes, batchBytesMax);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SqlError('58030', `${nameOf(batch, limits)} cannot be decompressed: ${reason}`);
  }
  if (records !== null) return { header, records };
  throw new SqlError('54000', `${nameOf(batch, limits)} has more than ${batchBytesMax} bytes`, {
    hint: 'To read it, drop the source and create it again with a larger properties.message.max.bytes.',
  });
}

/** One buffer of its own, so that it can be given to another thread; lengths and codecs are put right. */
function joined(parts: readonly Part[]): Uint8Array<SharedArrayBuffer> | null {
  if (parts.length === 0) return null;
  const size = parts.reduce((sum, part) => sum + BATCH_HEADER_SIZE + part.records.length, 0);
  const result = recordBuffers.take(size);
  const view = new DataView(result.buffer);
  let at = 0;
  for (const { header, records } of parts) {
    result.set(header, at);
    copyBytes(records, 0, records.length, result, at + BATCH_HEADER_SIZE);
    const length = BATCH_HEADER_SIZE + records.length;
    view.setInt32(at + LENGTH_AT, length - LENGTH_OFFSET);
    view.setInt16(at + ATTRIBUTES_AT, view.getInt16(at + ATTRIBUTES_AT) & ~COMPRESSION_BITS);
    at += length;
  }
  return result;
}

/** Reads varints (zigzag) from a place in a buffer. */
class Cursor {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** At most 5 bytes: lengths and offset deltas. */
  varint(): number {
    const { bytes } = this;
    let byte = bytes[this.at++]!;
    let value = byte & 0x7f;
    for (let shift = 7; (byte & 0x80) !== 0 && shift < 35; shift += 7) {
      byte = bytes[this.at++]!;
      value |= (byte & 0x7f) << shift;
    }
    return (value >>> 1) ^ -(value & 1);
  }

  /** At most 10 bytes; exact below 2^53: timestamp deltas. */
  varlong(): number {
    const { bytes } = this;
    let low = 0;
    let high = 0;
    for (let index = 0; index < 10; index += 1) {
      const byte = bytes[this.at++]!;
      const bits = byte & 0x7f;
      if (index < 4) low |= bits << (7 * index);
      else if (index === 4) {
        low |= (bits & 0x0f) << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * index - 32);
      if ((byte & 0x80) === 0) break;
    }
    const isNegative = (low & 1) !== 0;
    const shiftedLow = ((low >>> 1) | (high << 31)) >>> 0;
    const value = (high >>> 1) * 0x1_0000_0000 + shiftedLow;
    return isNegative ? -value - 1 : value;
  }

  skipVarint(): void {
    while ((this.bytes[this.at++]! & 0x80) !== 0);
  }
}

/** A header of a record. */
export interface RecordHeader {
  readonly key: string;
  readonly value: Buffer | null;
}

/**
 * Steps through the records of uncompressed batches. `next` tells whether there is one more; the fields then describe it.
 * Throws 58030 where lengths do not fit. Cost: O(1) a record, no allocation.
 */
export class RecordWalker {
  readonly bytes: Buffer;
  /** Of the record found. */
  offset = 0;
  timestampMs = 0;
  keyStart = 0;
  /** -1: the key is null. */
  keyLength = -1;
  valueStart = 0;
  /** -1: the value is null (a tombstone). */
  valueLength = -1;
  readonly #cursor: Cursor;
  #headersAt = 0;
  #recordEnd = 0;
  #batchEnd = 0;
  #left = 0;
  #baseOffset = 0;
  #baseTimestamp = 0;
  #isLogAppendTime = false;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#cursor = new Cursor(this.bytes, 0);
  }

  next(): boolean {
    while (this.#left === 0) {
      if (!this.#nextBatch()) return false;
    }
    this.#left -= 1;
    const cursor = this.#cursor;
    const length = cursor.varint();
    this.#recordEnd = cursor.at + length;
    cursor.at += 1;
    const timestampDelta = cursor.varlong();
    if (!this.#isLogAppendTime) this.timestampMs = this.#baseTimestamp + timestampDelta;
    this.offset = this.#baseOffset + cursor.varint();
    this.keyLength = cursor.varint();
    this.keyStart = cursor.at;
    if (this.keyLength > 0) cursor.at += this.keyLength;
    this.valueLength = cursor.varint();
    this.valueStart = cursor.at;
    this.#headersAt = this.valueStart + Math.max(0, this.valueLength);
    if (length < 0 || this.#recordEnd > this.#batchEnd || this.#headersAt > this.#recordEnd) {
      throw new SqlError('58030', `record at offset ${this.offset} is damaged`);
    }
    cursor.at = this.#recordEnd;
    return true;
  }

  /** Headers of the record found, in order; a name may come several times. */
  headers(): RecordHeader[] {
    const cursor = new Cursor(this.bytes, this.#headersAt);
    const count = cursor.varint();
    const headers: RecordHeader[] = [];
    for (let i = 0; i < count; i += 1) {
      const key = this.#bytesAt(cursor)?.toString('utf8') ?? '';
      headers.push({ key, value: this.#bytesAt(cursor) });
    }
    return headers;
  }

  #bytesAt(cursor: Cursor): Buffer | null {
    const length = cursor.varint();
    const start = cursor.at;
    if (length < 0) return null;
    cursor.at += length;
    if (cursor.at > this.#recordEnd) {
      throw new SqlError('58030', `record at offset ${this.offset} has damaged headers`);
    }
    return this.bytes.subarray(start, cursor.at);
  }

  #nextBatch(): boolean {
    const at = this.#batchEnd;
    if (at + BATCH_HEADER_SIZE > this.bytes.length) return false;
    const { bytes } = this;
    this.#batchEnd = at + LENGTH_OFFSET + bytes.readInt32BE(at + LENGTH_AT);
    this.#left = bytes.readInt32BE(at + COUNT_AT);
    this.#baseOffset = Number(bytes.readBigInt64BE(at));
    this.#isLogAppendTime = (bytes.readInt16BE(at + ATTRIBUTES_AT) & LOG_APPEND_TIME) !== 0;
    this.#baseTimestamp = Number(bytes.readBigInt64BE(at + BASE_TIMESTAMP_AT));
    if (this.#isLogAppendTime) {
      this.timestampMs = Number(bytes.readBigInt64BE(at + MAX_TIMESTAMP_AT));
    }
    this.#cursor.at = at + BATCH_HEADER_SIZE;
    return true;
  }
}
