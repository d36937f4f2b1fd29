/** Reads the records of a partition again from an offset on, however often the brokers fail meanwhile. */

import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaClient } from './client.ts';
import type { FetchLane } from './connections.ts';
import type { Credit } from './credit.ts';
import { releaseAnswer } from './fetch.ts';
import { type FetchedRecords, type RangeOptions, recordLimits } from './io-port.ts';
import { isStaleMetadata, KAFKA_CODES, KafkaError } from './kafka-error.ts';
import { outOfRange, recreated } from './lost-records.ts';
import { visibleRecords } from './record-batch.ts';
import { RECORD_CODECS } from './record-codecs.ts';
import { splitName } from './topic-filter.ts';

const RETRY_MS = 200;

export interface RangeReaderEvents {
  onRecords(records: FetchedRecords): void;
  onTrouble(reason: string | null): void;
}

/** Resolves when `signal` says so; throws a SqlError where it is not there any more. */
export async function readRange(
  client: KafkaClient,
  options: RangeOptions,
  events: RangeReaderEvents,
  credit: Credit,
  signal: AbortSignal,
): Promise<void> {
  const lane = client.openLane();
  try {
    await readOn(client, lane, options, events, credit, signal);
  } finally {
    client.closeLane(lane);
  }
}

async function readOn(
  client: KafkaClient,
  lane: FetchLane,
  options: RangeOptions,
  events: RangeReaderEvents,
  credit: Credit,
  signal: AbortSignal,
): Promise<void> {
  for (let from = options.from, leader = -1; !signal.aborted; ) {
    await credit.room();
    try {
      if (leader < 0) leader = await leaderOf(client, options);
      const records = await fetchPart(client, lane, options, leader, from);
      if (records === null) leader = -1;
      else {
        if (records.to === from) continue;
        from = records.to;
        credit.use(records.bytes?.length ?? 0);
        events.onRecords(records);
        continue;
      }
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      if (error.isAuthentication) throw error.toSqlError('Kafka refused the login');
      leader = -1;
      events.onTrouble(error.message);
    }
    await delay(RETRY_MS);
  }
}

async function leaderOf(client: KafkaClient, options: RangeOptions): Promise<number> {
  const [topic] = await client.metadata([options.topic]);
  if (topic === undefined || topic.errorCode !== 0) {
    throw new KafkaError(
      `topic "${options.topic}" is not there`,
      topic?.errorCode ?? null,
      'TOPIC',
    );
  }
  if (topic.id !== options.topicId) {
    throw recreated(options.topic);
  }
  const found = topic.partitions.find(({ partition }) => partition === options.partition);
  return found?.leader ?? -1;
}

/** null: somebody else leads the partition. */
async function fetchPart(
  client: KafkaClient,
  lane: FetchLane,
  options: RangeOptions,
  leader: number,
  from: number,
): Promise<FetchedRecords | null> {
  const { topicId, topic, partition } = options;
  const { waitMsMax, bytesMin, bytesMax, partitionBytesMax } = options.fetch;
  const limits = { waitMsMax, bytesMin, bytesMax, partitionBytesMax };
  const wanted = [{ partition, leaderEpoch: -1, offset: from }];
  const topics = [{ topicId, partitions: wanted }];
  const answer = await client.fetch(leader, lane, { ...limits, topics });
  const [fetched] = answer;
  if (fetched === undefined || isStaleMetadata(fetched.errorCode)) return null;
  const split = splitName(topic, partition);
  const { errorCode, lastStableOffset: end } = fetched;
  if (errorCode === KAFKA_CODES.offsetOutOfRange) {
    throw await outOfRange(client, leader, { topic, partition, offset: from });
  }
  if (errorCode !== 0) throw new KafkaError(`${split} cannot be read`, errorCode, 'FETCH');
  const bounds = recordLimits(split, options.fetch);
  const visible = visibleRecords(fetched.records, fetched.aborted, RECORD_CODECS, bounds);
  releaseAnswer(answer);
  const { nextOffset, bytes, recordCount } = visible;
  return { split, topicId, from, to: Math.max(from, nextOffset ?? from), bytes, recordCount, end };
}
