/**
 * The files of a spool, as bytes.
 *
 * A segment `<number>-<epoch>.spool` holds frames, and is named by the last epoch before it. A frame is a header (magic, length
 * of the payload, CRC-32 of all that follows it, flags, epoch, the epoch's time in µs, count of records) and records: length of
 * the key, length of the value (NULL_LENGTH: null), time in ms (float64), key, value. An epoch is one or more frames; the last
 * one is flagged. Little-endian.
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

export const RECORD_HEADER_SIZE = 16;
export const NULL_LENGTH = 0xffff_ffff;

export interface Frame {
  readonly epoch: number;
  readonly timeUs: bigint;
  readonly recordCount: number;
  /** The epoch is whole with it. */
  readonly isLast: boolean;
  /** Lies in the buffer that was given. */
  readonly records: Buffer;
  /** Where the next frame begins. */
  readonly end: number;
}

export interface SpoolRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestampMs: number;
}

/** Fills the header of a frame whose records lie behind it in `bytes`. */
export function sealFrame(
  bytes: Buffer,
  frame: Pick<Frame, 'epoch' | 'timeUs' | 'recordCount' | 'isLast'>,
): void {
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(bytes.length - FRAME_HEADER_SIZE, LENGTH_AT);
  bytes.writeUInt32LE(frame.isLast ? LAST_OF_EPOCH : 0, FLAGS_AT);
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
  return {
    epoch: Number(bytes.readBigUInt64LE(at + EPOCH_AT)),
    timeUs: bytes.readBigInt64LE(at + TIME_AT),
    recordCount: bytes.readUInt32LE(at + COUNT_AT),
    isLast: (bytes.readUInt32LE(at + FLAGS_AT) & LAST_OF_EPOCH) !== 0,
    records: bytes.subarray(at + FRAME_HEADER_SIZE, end),
    end,
  };
}

/** The records of a frame, one after the other; they lie in its buffer. */
export function* recordsOf({ records, recordCount }: Frame): Generator<SpoolRecord> {
  for (let i = 0, at = 0; i < recordCount; i += 1) {
    const keyLength = records.readUInt32LE(at);
    const valueLength = records.readUInt32LE(at + 4);
    const timestampMs = records.readDoubleLE(at + 8);
    const keyAt = at + RECORD_HEADER_SIZE;
    const valueAt = keyAt + (keyLength === NULL_LENGTH ? 0 : keyLength);
    at = valueAt + (valueLength === NULL_LENGTH ? 0 : valueLength);
    yield {
      key: keyLength === NULL_LENGTH ? null : records.subarray(keyAt, valueAt),
      value: valueLength === NULL_LENGTH ? null : records.subarray(valueAt, at),
      timestampMs,
    };
  }
}
