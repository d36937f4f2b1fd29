/**
 * The files of a spool, as bytes.
 *
 * A segment `<number>-<epoch>.spool` holds frames, and is named by the last epoch before it. A frame is a header (magic, length
 * of the payload, CRC-32 of all that follows it, flags, epoch, the epoch's time in µs, count of records) and records: length of
 * the key, length of the value (NULL_LENGTH: null), time in ms (float64), key, value, and where the frame is flagged so: count of
 * headers, and of each the lengths of name and value, name, value. An epoch is one or more frames; the last one is flagged, and all of
 * those of a sink's snapshot.
 * Little-endian.
 */

import { crc32 } from 'node:zlib';

/** "MSP1" */
const MAGIC = 0x31505350;
export const FRAME_HEADER_SIZE = 40;
const LENGTH_AT = 4;
const CRC_AT = 8;
const FLAGS_AT = 12;
const EPOCH_AT = 16;
const TIME_AT = 24;
const COUNT_AT = 32;
const LAST_OF_EPOCH = 1;
const HAS_HEADERS = 2;
const SNAPSHOT = 4;

const RECORD_HEADER_SIZE = 16;
const NULL_LENGTH = 0xffff_ffff;
const HEADER_LENGTHS_SIZE = 8;

/** What stands beside a record: name and value. */
export type SpoolHeader = readonly [name: string, value: Uint8Array | null];

export interface Frame {
  readonly epoch: number;
  readonly timeUs: bigint;
  readonly recordCount: number;
  /** The epoch is whole with it. */
  readonly isLast: boolean;
  /** Its records have headers, if only none. */
  readonly hasHeaders: boolean;
  /** It belongs to what there was when the sink was made: nobody needs that at once. */
  readonly isSnapshot: boolean;
  /** Lies in the buffer that was given. */
  readonly records: Buffer;
  /** Where the next frame begins. */
  readonly end: number;
}

export interface SpoolRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestampMs: number;
  readonly headers: readonly SpoolHeader[];
}

const NO_HEADERS: readonly SpoolHeader[] = [];

/** Bytes of a record with the headers; null: its frame has none. */
export function recordSize(
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: readonly SpoolHeader[] | null,
): number {
  const size = RECORD_HEADER_SIZE + (key?.length ?? 0) + (value?.length ?? 0);
  return headers === null ? size : size + 4 + headersSize(headers);
}

function headersSize(headers: readonly SpoolHeader[]): number {
  return headers.reduce(
    (sum, [name, value]) =>
      sum + HEADER_LENGTHS_SIZE + Buffer.byteLength(name) + (value?.length ?? 0),
    0,
  );
}

/** Writes a record at `at`; gives where it ends. */
export function writeRecord(
  bytes: Buffer,
  at: number,
  { key, value, timestampMs }: Omit<SpoolRecord, 'headers'>,
  headers: readonly SpoolHeader[] | null,
): number {
  bytes.writeUInt32LE(key?.length ?? NULL_LENGTH, at);
  bytes.writeUInt32LE(value?.length ?? NULL_LENGTH, at + 4);
  bytes.writeDoubleLE(timestampMs, at + 8);
  const end = put(bytes, put(bytes, at + RECORD_HEADER_SIZE, key), value);
  return headers === null ? end : writeHeaders(bytes, end, headers);
}

function writeHeaders(bytes: Buffer, at: number, headers: readonly SpoolHeader[]): number {
  let end = bytes.writeUInt32LE(headers.length, at);
  for (const [name, value] of headers) {
    const nameBytes = Buffer.from(name);
    end = bytes.writeUInt32LE(nameBytes.length, end);
    end = bytes.writeUInt32LE(value?.length ?? NULL_LENGTH, end);
    end = put(bytes, put(bytes, end, nameBytes), value);
  }
  return end;
}

function put(bytes: Buffer, at: number, part: Uint8Array | null): number {
  if (part === null) return at;
  bytes.set(part, at);
  return at + part.length;
}

/** Fills the header of a frame whose records lie behind it in `bytes`. */
export function sealFrame(bytes: Buffer, frame: Omit<Frame, 'records' | 'end'>): void {
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(bytes.length - FRAME_HEADER_SIZE, LENGTH_AT);
  const flags =
    (frame.isLast ? LAST_OF_EPOCH : 0) |
    (frame.hasHeaders ? HAS_HEADERS : 0) |
    (frame.isSnapshot ? SNAPSHOT : 0);
  bytes.writeUInt32LE(flags, FLAGS_AT);
  bytes.writeBigUInt64LE(BigInt(frame.epoch), EPOCH_AT);
  bytes.writeBigInt64LE(frame.timeUs, TIME_AT);
  bytes.writeUInt32LE(frame.recordCount, COUNT_AT);
  bytes.writeUInt32LE(0, COUNT_AT + 4);
  bytes.writeUInt32LE(crc32(bytes.subarray(FLAGS_AT)), CRC_AT);
}

/** The bytes of the frame at `at`; null: there are not enough to know. */
export function frameSize(bytes: Buffer, at: number): number | null {
  if (at + FRAME_HEADER_SIZE > bytes.length) return null;
  return FRAME_HEADER_SIZE + bytes.readUInt32LE(at + LENGTH_AT);
}

/** The frame at `at`; null: it is cut off or damaged. */
export function readFrame(bytes: Buffer, at: number): Frame | null {
  const size = frameSize(bytes, at);
  if (size === null || at + size > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return null;
  const end = at + size;
  if (crc32(bytes.subarray(at + FLAGS_AT, end)) !== bytes.readUInt32LE(at + CRC_AT)) return null;
  const flags = bytes.readUInt32LE(at + FLAGS_AT);
  return {
    epoch: Number(bytes.readBigUInt64LE(at + EPOCH_AT)),
    timeUs: bytes.readBigInt64LE(at + TIME_AT),
    recordCount: bytes.readUInt32LE(at + COUNT_AT),
    isLast: (flags & LAST_OF_EPOCH) !== 0,
    hasHeaders: (flags & HAS_HEADERS) !== 0,
    isSnapshot: (flags & SNAPSHOT) !== 0,
    records: bytes.subarray(at + FRAME_HEADER_SIZE, end),
    end,
  };
}

/** The records of a frame, one after the other; they lie in its buffer. */
export function* recordsOf({ records, recordCount, hasHeaders }: Frame): Generator<SpoolRecord> {
  for (let i = 0, at = 0; i < recordCount; i += 1) {
    const key = partAt(records, at + RECORD_HEADER_SIZE, records.readUInt32LE(at));
    const value = partAt(records, key.end, records.readUInt32LE(at + 4));
    const timestampMs = records.readDoubleLE(at + 8);
    const { headers, end } = hasHeaders
      ? readHeaders(records, value.end)
      : { headers: NO_HEADERS, end: value.end };
    at = end;
    yield { key: key.part, value: value.part, timestampMs, headers };
  }
}

function readHeaders(
  bytes: Buffer,
  at: number,
): { readonly headers: readonly SpoolHeader[]; readonly end: number } {
  const headers: SpoolHeader[] = [];
  let end = at + 4;
  for (let left = bytes.readUInt32LE(at); left > 0; left -= 1) {
    const nameAt = end + HEADER_LENGTHS_SIZE;
    const valueAt = nameAt + bytes.readUInt32LE(end);
    const value = partAt(bytes, valueAt, bytes.readUInt32LE(end + 4));
    headers.push([bytes.toString('utf8', nameAt, valueAt), value.part]);
    end = value.end;
  }
  return { headers, end };
}

function partAt(
  bytes: Buffer,
  at: number,
  length: number,
): { readonly part: Buffer | null; readonly end: number } {
  if (length === NULL_LENGTH) return { part: null, end: at };
  return { part: bytes.subarray(at, at + length), end: at + length };
}
