/**
 * Writes record batches (magic 2): records are appended as bytes, `take` closes the batch. Uncompressed, or compressed as a
 * whole. Source: Kafka protocol guide, "Record Batch".
 *
 * Cost: O(bytes); one buffer that grows and is used again.
 */

import { BATCH_HEADER_SIZE } from './record-batch.ts';

const CAPACITY_MIN = 16 * 1024;
/** Length, deltas and lengths of key and value of one record, at most. */
const RECORD_OVERHEAD_MAX = 64;
const TRANSACTIONAL = 0x10;

/** How a batch is marked. */
export interface BatchOptions {
  /** -1n: no producer. */
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Number of its first record among those of the producer for the partition; -1: no producer. */
  readonly baseSequence: number;
  readonly isTransactional: boolean;
}

export const PLAIN_BATCH: BatchOptions = Object.freeze({
  producerId: -1n,
  producerEpoch: -1,
  baseSequence: -1,
  isTransactional: false,
});

/** Kafka's names of compressions. */
export const COMPRESSION_NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type CompressionName = (typeof COMPRESSION_NAMES)[number];

export interface BatchCodec {
  crc32c(bytes: Buffer): number;
  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly codec: number;
  compress(bytes: Buffer): Buffer;
}

export class RecordBatchWriter {
  #bytes = Buffer.allocUnsafeSlow(CAPACITY_MIN);
  #at = BATCH_HEADER_SIZE;
  #recordCount = 0;
  #baseTimestamp = 0;
  #maxTimestamp = 0;

  get recordCount(): number {
    return this.#recordCount;
  }

  /** Of the batch as it would be now, before compression. */
  get size(): number {
    return this.#at;
  }

  /** Adds a record; key null: no key, value null: a tombstone. */
  append(
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly (readonly [name: string, value: Uint8Array | null])[] = [],
  ): void {
    if (this.#recordCount === 0) this.#baseTimestamp = this.#maxTimestamp = timestampMs;
    const timestampDelta = timestampMs - this.#baseTimestamp;
    this.#maxTimestamp = Math.max(this.#maxTimestamp, timestampMs);
    const names = headers.map(([name]) => Buffer.from(name));
    const length =
      1 +
      varintSize(timestampDelta) +
      varintSize(this.#recordCount) +
      bytesSize(key) +
      bytesSize(value) +
      varintSize(headers.length) +
      headers.reduce((sum, [, one], i) => sum + bytesSize(names[i]!) + bytesSize(one), 0);
    this.#reserve(length + RECORD_OVERHEAD_MAX);
    this.#varint(length);
    this.#bytes[this.#at++] = 0;
    this.#varint(timestampDelta);
    this.#varint(this.#recordCount);
    this.#sized(key);
    this.#sized(value);
    this.#varint(headers.length);
    headers.forEach(([, one], i) => {
      this.#sized(names[i]!);
      this.#sized(one);
    });
    this.#recordCount += 1;
  }

  /** The batch, in a buffer of its own; the writer is empty again. */
  take(options: BatchOptions, codec: BatchCodec): Buffer {
    const records = this.#bytes.subarray(BATCH_HEADER_SIZE, this.#at);
    const body = codec.codec === 0 ? records : codec.compress(records);
    const batch = Buffer.allocUnsafe(BATCH_HEADER_SIZE + body.length);
    body.copy(batch, BATCH_HEADER_SIZE);
    batch.writeBigInt64BE(0n, 0);
    batch.writeInt32BE(batch.length - 12, 8);
    batch.writeInt32BE(-1, 12);
    batch.writeInt8(2, 16);
    batch.writeInt16BE(codec.codec | (options.isTransactional ? TRANSACTIONAL : 0), 21);
    batch.writeInt32BE(this.#recordCount - 1, 23);
    batch.writeBigInt64BE(BigInt(this.#baseTimestamp), 27);
    batch.writeBigInt64BE(BigInt(this.#maxTimestamp), 35);
    batch.writeBigInt64BE(options.producerId, 43);
    batch.writeInt16BE(options.producerEpoch, 51);
    batch.writeInt32BE(options.baseSequence, 53);
    batch.writeInt32BE(this.#recordCount, 57);
    batch.writeUInt32BE(codec.crc32c(batch.subarray(21)) >>> 0, 17);
    this.#at = BATCH_HEADER_SIZE;
    this.#recordCount = 0;
    return batch;
  }

  #reserve(byteCount: number): void {
    const needed = this.#at + byteCount;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  #sized(bytes: Uint8Array | null): void {
    this.#varint(bytes === null ? -1 : bytes.length);
    if (bytes === null) return;
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Zigzag; exact below 2^52. */
  #varint(value: number): void {
    let rest = zigzag(value);
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = zigzag(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}

function bytesSize(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : varintSize(bytes.length) + bytes.length;
}
