/** What the dead letter of a Kafka record keeps of it, and the record again. */

import { rawRecord, type Span } from '../rejected.ts';
import type { KeptRecord, RawRecord, RecordPlace } from '../source.ts';
import type { RecordHeader, RecordWalker } from './record-batch.ts';
import { parseSplitName } from './topic-filter.ts';

/** What stands beside key and value. Absent: there are none. */
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
  const beside: RecordContext = JSON.parse(context);
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

/** `byteOffset`: of what is wrong, in the value; null: it is not known. */
export function recordPlace(
  split: string,
  offset: number,
  byteOffset: number | null = null,
): RecordPlace {
  if (split !== lastSplit.name) lastSplit = splitPlace(split);
  const { topic, partition, head } = lastSplit;
  const tail = byteOffset === null ? '' : `,"byteOffset":${byteOffset}`;
  return { position: `${head}${offset}${tail}}`, offset, topic, partition };
}

/** Bad records often come in numbers: what those of a split have in common. */
let lastSplit = { name: '', topic: '', partition: 0, head: '' };

function splitPlace(name: string): typeof lastSplit {
  const { topic, partition } = parseSplitName(name);
  const head = `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":`;
  return { name, topic, partition, head };
}

/** Records of a second have the same beginning: V8 takes long for the digits of such a number. */
let lastSecond = { second: Number.NaN, head: '' };

function bareContext(timestampMs: number): string {
  const second = Math.floor(timestampMs / 1000);
  if (!(second > 0 && Number.isSafeInteger(timestampMs))) return `{"timestampMs":${timestampMs}}`;
  if (second !== lastSecond.second) lastSecond = { second, head: `{"timestampMs":${second}` };
  const ms = timestampMs - second * 1000;
  return `${lastSecond.head}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}}`;
}

function keptHeader({ key, value }: RecordHeader): readonly [string, string | null] {
  return [key, value?.toString('base64') ?? null];
}

/** The record found. */
export function rawOf(walker: KafkaRecord, bytesMax: number): RawRecord {
  const { bytes, keyStart, keyLength, valueStart, valueLength, timestampMs } = walker;
  const key = spanOf(keyStart, keyLength);
  const value = spanOf(valueStart, valueLength);
  return rawRecord(bytes, key, value, contextOf(timestampMs, walker.headers()), bytesMax);
}

function spanOf(start: number, length: number): Span | null {
  return length < 0 ? null : { start, end: start + length };
}

function contextOf(timestampMs: number, headers: readonly RecordHeader[]): string {
  if (headers.length === 0) return bareContext(timestampMs);
  const context: RecordContext = { timestampMs, headers: headers.map(keptHeader) };
  return JSON.stringify(context);
}
