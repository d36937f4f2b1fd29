/** What the dead letter of a Kafka record keeps of it. */

import { rawRecord } from '../rejected.ts';
import type { Json, RawRecord, RecordPlace } from '../source.ts';
import type { RecordWalker } from './record-batch.ts';
import { parseSplitName } from './topic-filter.ts';

/** JSON: what stands beside key and value. Absent: there are none. */
export interface RecordContext {
  readonly timestampMs: number;
  /** Names, and values in base64; null: a header without a value. */
  readonly headers?: readonly (readonly [string, string | null])[];
}

export function recordPlace(
  split: string,
  offset: number,
  more: Readonly<Record<string, number>>,
): RecordPlace {
  const { topic, partition } = parseSplitName(split);
  return { position: { topic, partition, offset, ...more }, offset, topic, partition };
}

/** The record found. */
export function rawOf(walker: RecordWalker, bytesMax: number): RawRecord {
  const { bytes, keyStart, keyLength, valueStart, valueLength, timestampMs } = walker;
  const part = (start: number, length: number) =>
    length < 0 ? null : bytes.subarray(start, start + length);
  const headers = walker
    .headers()
    .map(({ key, value }) => [key, value?.toString('base64') ?? null] as const);
  const context: RecordContext = headers.length === 0 ? { timestampMs } : { timestampMs, headers };
  const key = part(keyStart, keyLength);
  return rawRecord(key, part(valueStart, valueLength), context as unknown as Json, bytesMax);
}
