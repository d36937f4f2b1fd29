/** What a read_committed reader finds in a topic, from its beginning to its last stable offset. */

import assert from 'node:assert/strict';
import { must } from '../../base/assert.ts';
import { EARLIEST, KafkaClient, LATEST } from '../../connect/kafka/client.ts';
import { RecordWalker, visibleRecords } from '../../connect/kafka/record-batch.ts';
import { RECORD_CODECS } from '../../connect/kafka/record-codecs.ts';
import { polled } from '../polled.ts';

export interface CommittedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string | null>>;
}

const MIB = 1024 * 1024;
const LIMITS = { partition: 'the topic', batchBytesMax: 256 * MIB, bytesMax: 256 * MIB };

/** In the order of partitions and offsets. */
export async function committedRecords(
  bootstrap: string,
  topic: string,
): Promise<CommittedRecord[]> {
  const records: CommittedRecord[] = [];
  await eachCommittedRecord(bootstrap, topic, (record) => records.push(record));
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

/** One partition after the other; each record is forgotten then. */
export async function eachCommittedRecord(
  bootstrap: string,
  topic: string,
  visit: (record: CommittedRecord) => void,
): Promise<void> {
  await eachPartition(bootstrap, topic, (client, place) => visitPartition(client, place, visit));
}

/** Waits until no transaction is open in a topic: one that was committed is visible a little later. */
export async function awaitNoneOpen(bootstrap: string, topic: string): Promise<void> {
  await eachPartition(bootstrap, topic, async (client, { leader, partition }) => {
    const offsetOf = async (isCommitted: boolean): Promise<number> =>
      must((await client.offsets(leader, topic, [partition], LATEST, isCommitted)).get(partition))
        .offset;
    const isOpen = await polled(
      async () => (await offsetOf(true)) < (await offsetOf(false)),
      (isStillOpen) => !isStillOpen,
    );
    assert.equal(isOpen, false, `a transaction stays open in ${topic}-${partition}`);
  });
}

async function eachPartition(
  bootstrap: string,
  topic: string,
  work: (client: KafkaClient, place: Place) => Promise<void>,
): Promise<void> {
  const client = new KafkaClient({
    brokers: bootstrap.split(','),
    clientId: 'reader',
    tls: null,
    sasl: null,
    requestTimeoutMs: 30_000,
    connectTimeoutMs: 10_000,
  });
  try {
    const [found] = await client.metadata([topic]);
    const { id, partitions } = must(found);
    for (const { partition, leader } of partitions) {
      await work(client, { topic, id, partition, leader });
    }
  } finally {
    await client.close();
  }
}

interface Place {
  readonly topic: string;
  readonly id: string;
  readonly partition: number;
  readonly leader: number;
}

async function visitPartition(
  client: KafkaClient,
  { topic, id, partition, leader }: Place,
  visit: (record: CommittedRecord) => void,
): Promise<void> {
  const offsetAt = async (time: bigint): Promise<number> =>
    must((await client.offsets(leader, topic, [partition], time)).get(partition)).offset;
  const end = await offsetAt(LATEST);
  const lane = client.openLane();
  for (let offset = await offsetAt(EARLIEST); offset < end; ) {
    const wanted = [{ partition, leaderEpoch: -1, offset }];
    const limits = { waitMsMax: 100, bytesMin: 1, bytesMax: 16 * MIB, partitionBytesMax: 16 * MIB };
    const topics = [{ topicId: id, partitions: wanted }];
    const [fetched] = await client.fetch(leader, lane, { ...limits, topics });
    const { records: bytes, aborted } = must(fetched);
    const visible = visibleRecords(bytes, aborted, RECORD_CODECS, LIMITS);
    if (visible.bytes !== null) {
      for (const record of recordsIn(visible.bytes, partition, offset, end)) visit(record);
    }
    offset = visible.nextOffset ?? offset;
  }
}

function* recordsIn(
  bytes: Uint8Array,
  partition: number,
  from: number,
  end: number,
): Generator<CommittedRecord> {
  const walker = new RecordWalker(bytes);
  const text = (start: number, length: number): string | null =>
    length < 0 ? null : walker.bytes.toString('utf8', start, start + length);
  while (walker.next()) {
    const { offset, timestampMs } = walker;
    if (offset < from || offset >= end) continue;
    const headers = walker
      .headers()
      .map(({ key, value }) => [key, value?.toString('utf8') ?? null]);
    yield {
      partition,
      offset,
      timestampMs,
      key: text(walker.keyStart, walker.keyLength),
      value: text(walker.valueStart, walker.valueLength),
      headers: Object.fromEntries(headers),
    };
  }
}
