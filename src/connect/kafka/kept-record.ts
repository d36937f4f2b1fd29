/** What the dead letter of a Kafka record keeps of it, and the record again. */

import { rawRecord } from '../rejected.ts';
import type { Json, KeptRecord, RawRecord, RecordPlace } from '../source.ts';
import type { RecordHeader, RecordWalker } from './record-batch.ts';
import { parseSplitName } from './topic-filter.ts';

/** JSON: what stands beside key and value. Absent: there are none. */
export interface RecordContext {
  readonly timestampMs: number;
  /** Names, and values in base64; null: a header without a value. */
  readonly headers?: readonly (readonly [string, string | null])[];
}

/** A record that was fetched (RecordWalker stands at it), or kept. */
export type KafkaRecord = Pick<
  RecordWalker,
  | 'bytes'
  | 'offset'
  | 'timestampMs'
  | 'keyStart'
  | 'keyLength'
  | 'valueStart'
  | 'valueLength'
  | 'headers'
>;

export function keptRecord({ offset, raw: { key, value, context } }: KeptRecord): KafkaRecord {
  const beside = context as unknown as RecordContext;
  return {
    bytes: Buffer.concat([key ?? NOTHING, value ?? NOTHING]),
    offset,
    timestampMs: beside.timestampMs,
    keyStart: 0,
    keyLength: key?.length ?? -1,
    valueStart: key?.length ?? 0,
    valueLength: value?.length ?? -1,
    headers: () => headersOf(beside).map(([name, bytes]) => ({ key: name, value: bytes })),
  };
}

const NOTHING = new Uint8Array(0);

/** A record's own headers. */
export function headersOf({
  headers = [],
}: RecordContext): (readonly [name: string, value: Buffer | null])[] {
  return headers.map(([name, value]) => [
    name,
    value === null ? null : Buffer.from(value, 'base64'),
  ]);
}

export function recordPlace(
  split: string,
  offset: number,
  more: Readonly<Record<string, number>>,
): RecordPlace {
  // Bad records often come in numbers.
  if (split !== lastSplit.name) lastSplit = { name: split, ...parseSplitName(split) };
  const { topic, partition } = lastSplit;
  return { position: { topic, partition, offset, ...more }, offset, topic, partition };
}

let lastSplit = { name: '', topic: '', partition: 0 };

function keptHeader({ key, value }: RecordHeader): readonly [string, string | null] {
  return [key, value?.toString('base64') ?? null];
}

/** The record found. */
export function rawOf(walker: KafkaRecord, bytesMax: number): RawRecord {
  const { bytes, keyStart, keyLength, valueStart, valueLength, timestampMs } = walker;
  const part = (start: number, length: number) =>
    length < 0 ? null : bytes.subarray(start, start + length);
  const headers = walker.headers();
  const context: RecordContext =
    headers.length === 0 ? { timestampMs } : { timestampMs, headers: headers.map(keptHeader) };
  const key = part(keyStart, keyLength);
  return rawRecord(key, part(valueStart, valueLength), context as unknown as Json, bytesMax);
}
