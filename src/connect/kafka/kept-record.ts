/** What the dead letter of a Kafka record keeps of it, and the record again. */

import { must } from '../../base/assert.ts';
import { rawRecord, type Span } from '../rejected.ts';
import type { KeptRecord, RawRecord, RecordPlace } from '../source.ts';
import type { RecordHeader, RecordWalker } from './record-batch.ts';
import { parseSplitName } from './topic-filter.ts';

/** JSON: what stands beside key, value and time. */
interface RecordContext {
  /** Names, and values in base64; null: a header without a value. */
  readonly headers: readonly (readonly [string, string | null])[];
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

export function keptRecord({ offset, raw }: KeptRecord): KafkaRecord {
  const { key, value, timestampMs, context } = raw;
  return {
    bytes: Buffer.concat([key ?? NOTHING, value ?? NOTHING]),
    offset,
    timestampMs: must(timestampMs),
    keyStart: 0,
    keyLength: key?.length ?? -1,
    valueStart: key?.length ?? 0,
    valueLength: value?.length ?? -1,
    headers: () => headersOf(context).map(([name, bytes]) => ({ key: name, value: bytes })),
  };
}

const NOTHING = new Uint8Array(0);

/** A record's own headers; `context`: what its letter has kept. */
export function headersOf(
  context: string | null,
): (readonly [name: string, value: Buffer | null])[] {
  if (context === null) return [];
  const { headers }: RecordContext = JSON.parse(context);
  return headers.map(([name, value]) => [
    name,
    value === null ? null : Buffer.from(value, 'base64'),
  ]);
}

/** `byteOffset`: of what is wrong, in the value; null: it is not known. */
export function recordPlace(
  split: string,
  offset: number,
  byteOffset: number | null = null,
): RecordPlace {
  if (split !== lastSplit.name) lastSplit = { name: split, ...parseSplitName(split) };
  const { topic, partition } = lastSplit;
  return { position: null, offset, topic, partition, byteOffset };
}

/** Bad records often come in numbers. */
let lastSplit = { name: '', topic: '', partition: 0 };

function keptHeader({ key, value }: RecordHeader): readonly [string, string | null] {
  return [key, value?.toString('base64') ?? null];
}

/** The record found. */
export function rawOf(walker: KafkaRecord, bytesMax: number): RawRecord {
  const { bytes, keyStart, keyLength, valueStart, valueLength, timestampMs } = walker;
  const key = spanOf(keyStart, keyLength);
  const value = spanOf(valueStart, valueLength);
  const context = contextOf(walker.headers());
  return rawRecord(bytes, key, value, { timestampMs, context }, bytesMax);
}

function spanOf(start: number, length: number): Span | null {
  return length < 0 ? null : { start, end: start + length };
}

function contextOf(headers: readonly RecordHeader[]): string | null {
  if (headers.length === 0) return null;
  const context: RecordContext = { headers: headers.map(keptHeader) };
  return JSON.stringify(context);
}
