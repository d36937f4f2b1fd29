/**
 * What sinks have delivered, in a compacted topic of one partition that all sinks of a cluster share: key (the sink's), value
 * {"epoch":n}, amid a snapshot {"epoch":n,"part":{"epoch":m,"frames":k}}. The record is written in the transaction that delivers all up to there
 * (semantics.md rule 30).
 */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import { NO_PROGRESS, type SpoolProgress } from '../spool/spool-deliverer.ts';
import { EARLIEST, type KafkaClient, LATEST } from './client.ts';
import { Credit } from './credit.ts';
import type { FetchedRecords, RangeOptions } from './io-port.ts';
import type { KafkaConfig } from './kafka-config.ts';
import { KAFKA_CODES, KafkaError } from './kafka-error.ts';
import { readRange } from './range-reader.ts';
import { RecordWalker } from './record-batch.ts';

export const PROGRESS_PARTITION = 0;

/** Small segments: only closed ones are compacted, and all of the topic is read at a start. */
const CONFIGS = {
  'cleanup.policy': 'compact',
  'segment.bytes': String(16 * 1024 * 1024),
  'segment.ms': String(600_000),
  'min.cleanable.dirty.ratio': '0.01',
};
const FETCH = {
  waitMsMax: 500,
  bytesMin: 1,
  bytesMax: 4 * 1024 * 1024,
  partitionBytesMax: 4 * 1024 * 1024,
  queueBytesMax: Number.MAX_SAFE_INTEGER,
  decompressedBytesMax: 64 * 1024 * 1024,
  metadataMaxAgeMs: 0,
};

const PROGRESS = /^\{"epoch":(\d{1,16})(?:,"part":\{"epoch":(\d{1,16}),"frames":(\d{1,16})\})?\}$/;
/** So long nothing more may come before the end. */
const PATIENCE_MS = 10_000;

/** Makes the topic where it is missing. */
export async function ensureProgressTopic(client: KafkaClient, topic: string): Promise<void> {
  const [found] = await client.metadata([topic]);
  if (found?.errorCode === 0) return;
  const code = await client.createTopic(topic, 1, CONFIGS);
  if (code === 0 || code === KAFKA_CODES.topicAlreadyExists) return;
  throw new KafkaError(`topic "${topic}" could not be made (Kafka's error ${code})`, code, 'TOPIC');
}

export function progressRecord({ epoch, part }: SpoolProgress): Buffer {
  return Buffer.from(JSON.stringify(part === null ? { epoch } : { epoch, part }));
}

/**
 * The progress under `key`. Everything that was written before the call counts: records behind another sink's open
 * transaction are waited for, a while; then KafkaError says so.
 */
export async function readProgress(
  client: KafkaClient,
  config: KafkaConfig,
  topic: string,
  key: string,
): Promise<SpoolProgress> {
  const [found] = await client.metadata([topic]);
  const leader = found?.partitions[0]?.leader ?? -1;
  if (found === undefined || found.errorCode !== 0 || leader < 0) {
    throw new KafkaError(`topic "${topic}" has no leader`, found?.errorCode ?? null, 'TOPIC');
  }
  const offsetAt = async (time: bigint): Promise<number> => {
    const offsets = await client.offsets(leader, topic, [PROGRESS_PARTITION], time, false);
    const { errorCode, offset } = must(offsets.get(PROGRESS_PARTITION));
    if (errorCode === 0) return offset;
    throw new KafkaError(`offsets of "${topic}" are not known`, errorCode, 'OFFSETS');
  };
  const from = await offsetAt(EARLIEST);
  const end = await offsetAt(LATEST);
  if (from >= end) return NO_PROGRESS;
  const range = { config, topic, topicId: found.id, partition: PROGRESS_PARTITION, from };
  return await readLast(client, { ...range, fetch: FETCH, registry: null }, end, key);
}

/** The progress under `key` in a range up to `end`. */
async function readLast(
  client: KafkaClient,
  range: RangeOptions,
  end: number,
  key: string,
): Promise<SpoolProgress> {
  let progress = NO_PROGRESS;
  let to = range.from;
  let trouble: string | null = null;
  const reading = new AbortController();
  const patience = setTimeout(() => reading.abort(), PATIENCE_MS);
  const events = {
    onRecords: (records: FetchedRecords): void => {
      progress = lastIn(records.bytes, key) ?? progress;
      to = records.to;
      trouble = null;
      patience.refresh();
      if (to >= end) reading.abort();
    },
    onTrouble: (reason: string | null): void => {
      trouble = reason;
    },
  };
  try {
    await readRange(client, range, events, new Credit(FETCH.queueBytesMax), reading.signal);
  } finally {
    clearTimeout(patience);
  }
  if (to >= end) return progress;
  const reason = trouble ?? `a transaction is open at offset ${to}`;
  throw new KafkaError(`"${range.topic}" cannot be read to its end: ${reason}`, null, 'PROGRESS');
}

function lastIn(bytes: Uint8Array<SharedArrayBuffer> | null, key: string): SpoolProgress | null {
  if (bytes === null) return null;
  const walker = new RecordWalker(bytes);
  let progress: SpoolProgress | null = null;
  while (walker.next()) {
    const { keyStart, keyLength, valueStart, valueLength } = walker;
    if (keyLength < 0 || valueLength < 0) continue;
    if (walker.bytes.toString('utf8', keyStart, keyStart + keyLength) !== key) continue;
    progress = parseProgress(walker.bytes.toString('utf8', valueStart, valueStart + valueLength));
  }
  return progress;
}

export function parseProgress(text: string): SpoolProgress {
  const match = PROGRESS.exec(text);
  if (match !== null) {
    const [epoch, partEpoch, frames] = match.slice(1).map(Number) as [number, number, number];
    return { epoch, part: match[2] === undefined ? null : { epoch: partEpoch, frames } };
  }
  throw new SqlError('XX001', `a sink's progress in Kafka is not ours: ${text.slice(0, 100)}`);
}
