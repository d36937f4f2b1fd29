/** The requests whose bytes are written and read here and not by the library: Fetch and Produce. */

import { createAPI, type Reader, Writer } from '@platformatic/kafka';
import { answerBuffers } from './buffer-pool.ts';
import { type FetchRequest, fetchRequest } from './fetch.ts';

/** Batches for one partition, as bytes of the log format. */
export interface ProducedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly records: Buffer;
}

export interface ProducedResult {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset: bigint;
}

/** acks = all */
const ALL_IN_SYNC = -1;
const FETCH_KEY = 1;
const FETCH_VERSION = 13;

/** A whole request, its length and header (version 2) before it. */
export function fetchMessage(
  correlationId: number,
  clientId: string,
  request: FetchRequest,
): Buffer {
  const writer = Writer.create()
    .appendInt16(FETCH_KEY)
    .appendInt16(FETCH_VERSION)
    .appendInt32(correlationId)
    .appendString(clientId, false)
    .appendTaggedFields();
  return fetchRequest(writer, request).prependLength().buffer;
}

export const FETCH = createAPI<[FetchRequest], Buffer>(
  FETCH_KEY,
  FETCH_VERSION,
  (request: FetchRequest) => fetchRequest(Writer.create(), request),
  (_id, _key, _version, reader) => gathered(reader.buffer.subarray(reader.position)),
);

/** One buffer, of the pool, of the pieces that came. */
function gathered({ buffers, length }: Reader['buffer']): Buffer {
  const { buffer, byteOffset } = answerBuffers.take(length);
  const result = Buffer.from(buffer, byteOffset, length);
  let at = 0;
  for (const piece of buffers) {
    result.set(piece, at);
    at += piece.length;
  }
  return result;
}

export const PRODUCE = createAPI<
  [string | null, number, readonly ProducedPartition[]],
  ProducedResult[]
>(
  0,
  8,
  (transactionalId: string | null, timeoutMs: number, all: readonly ProducedPartition[]) => {
    const topics = [...Map.groupBy(all, ({ topic }) => topic)];
    return Writer.create()
      .appendString(transactionalId, false)
      .appendInt16(ALL_IN_SYNC)
      .appendInt32(timeoutMs)
      .appendArray(
        topics,
        (writer, [topic, partitions]) => {
          writer.appendString(topic, false).appendArray(
            partitions,
            (inner, { partition, records }) => {
              inner.appendInt32(partition).appendInt32(records.length).append(records);
            },
            false,
            false,
          );
        },
        false,
        false,
      );
  },
  (_id, _key, _version, reader) =>
    reader
      .readArray(
        (outer) => {
          const topic = outer.readString(false);
          return outer.readArray(
            (inner) => {
              const partition = inner.readInt32();
              const errorCode = inner.readInt16();
              const baseOffset = inner.readInt64();
              // log_append_time, log_start_offset, record_errors, error_message
              inner.skip(16);
              inner.readArray((one) => one.skip(4).readNullableString(false), false, false);
              inner.readNullableString(false);
              return { topic, partition, errorCode, baseOffset };
            },
            false,
            false,
          );
        },
        false,
        false,
      )
      .flat(),
  false,
  false,
);
