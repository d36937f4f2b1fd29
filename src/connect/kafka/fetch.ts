/**
 * Fetch (version 13, by topic id) as bytes: the request, and the answer cut into partitions without touching the records.
 * No fetch session; read_committed.
 */

import { SqlError } from '../../base/sql-error.ts';
import { answerBuffers } from './buffer-pool.ts';
import type { AbortedTransaction } from './record-batch.ts';

export interface FetchRequest {
  /** How long the broker waits for `bytesMin`. */
  readonly waitMsMax: number;
  readonly bytesMin: number;
  /** Of an answer; a single larger batch comes all the same. */
  readonly bytesMax: number;
  readonly partitionBytesMax: number;
  readonly topics: readonly {
    readonly topicId: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly leaderEpoch: number;
      readonly offset: number;
    }[];
  }[];
}

export interface FetchedPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly errorCode: number;
  /** Offsets below it can be read; rows behind it belong to transactions that are open. */
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Whole batches, the last one perhaps cut off. Lies in the answer's buffer. */
  readonly records: Buffer;
}

/** What the request is written with: the library's writer. */
export interface FetchWriter<W> {
  appendInt8(value: number): W;
  appendInt32(value: number): W;
  appendInt64(value: bigint): W;
  appendString(value: string): W;
  appendUUID(value: string): W;
  appendTaggedFields(): W;
  appendArray<T>(values: T[], write: (writer: W, value: T) => void): W;
}

const CONSUMER = -1;
const READ_COMMITTED = 1;
const NO_SESSION = 0;
const FINAL_EPOCH = -1;

export function fetchRequest<W extends FetchWriter<W>>(writer: W, request: FetchRequest): W {
  return writer
    .appendInt32(CONSUMER)
    .appendInt32(request.waitMsMax)
    .appendInt32(request.bytesMin)
    .appendInt32(request.bytesMax)
    .appendInt8(READ_COMMITTED)
    .appendInt32(NO_SESSION)
    .appendInt32(FINAL_EPOCH)
    .appendArray([...request.topics], (topic, { topicId, partitions }) => {
      topic.appendUUID(topicId).appendArray([...partitions], (one, partition) => {
        one
          .appendInt32(partition.partition)
          .appendInt32(partition.leaderEpoch)
          .appendInt64(BigInt(partition.offset))
          .appendInt32(-1)
          .appendInt64(-1n)
          .appendInt32(request.partitionBytesMax);
      });
    })
    .appendArray([], () => undefined)
    .appendString('')
    .appendTaggedFields();
}

/** The records of an answer are not needed any more: its buffer is used again. */
export function releaseAnswer(answer: readonly FetchedPartition[]): void {
  const buffer = answer[0]?.records.buffer;
  if (buffer instanceof ArrayBuffer) answerBuffers.give(buffer);
}

/** The partitions of an answer's body. 08P01 where it does not fit together. */
export function fetchAnswer(body: Buffer): FetchedPartition[] {
  const reader = new AnswerReader(body);
  reader.at = 4;
  const errorCode = reader.int16();
  if (errorCode !== 0) throw new SqlError('58000', `the broker refused a fetch: code ${errorCode}`);
  reader.at += 4;
  const result: FetchedPartition[] = [];
  for (let topics = reader.length(); topics > 0; topics -= 1) {
    const topicId = reader.uuid();
    for (let partitions = reader.length(); partitions > 0; partitions -= 1) {
      result.push(reader.partition(topicId));
    }
    reader.skipTags();
  }
  return result;
}

class AnswerReader {
  readonly #body: Buffer;
  at = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  int16(): number {
    this.at += 2;
    return this.#body.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.#body.readInt32BE(this.at - 4);
  }

  int64(): bigint {
    this.at += 8;
    return this.#body.readBigInt64BE(this.at - 8);
  }

  /** Of a compact array, string or bytes: one more than the count, 0 for null. */
  length(): number {
    return Math.max(0, this.#varint() - 1);
  }

  uuid(): string {
    this.at += 16;
    const hex = this.#body.toString('hex', this.at - 16, this.at);
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  partition(topicId: string): FetchedPartition {
    const partition = this.int32();
    const errorCode = this.int16();
    this.at += 8;
    const lastStableOffset = Number(this.int64());
    const logStartOffset = Number(this.int64());
    const aborted: AbortedTransaction[] = [];
    for (let count = this.length(); count > 0; count -= 1) {
      aborted.push({ producerId: this.int64(), firstOffset: this.int64() });
      this.skipTags();
    }
    this.at += 4;
    const size = this.length();
    const records = this.#body.subarray(this.at, this.at + size);
    if (records.length < size)
      throw new SqlError('08P01', 'a fetch answer is shorter than it says');
    this.at += size;
    this.skipTags();
    return { topicId, partition, errorCode, lastStableOffset, logStartOffset, aborted, records };
  }

  skipTags(): void {
    for (let count = this.#varint(); count > 0; count -= 1) {
      this.#varint();
      const size = this.#varint();
      this.at += size;
    }
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#body[this.at++]!;
      value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) break;
    }
    return value >>> 0;
  }
}
