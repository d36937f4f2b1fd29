import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import type { SqlError } from '../../base/sql-error.ts';
import { type Frame, recordSize, writeRecord } from '../spool/spool-frame.ts';
import { KafkaClient, type TopicMetadata } from './client.ts';
import { KAFKA_CODES } from './kafka-error.ts';
import { partitionOf } from './partitioner.ts';
import { visibleRecords } from './record-batch.ts';
import { RECORD_CODECS } from './record-codecs.ts';
import type { ProducedPartition, ProducedResult } from './requests.ts';
import { TopicWriter } from './topic-writer.ts';

const KIB = 1024;
const CONFIG = {
  brokers: [],
  clientId: 'test',
  tls: null,
  sasl: null,
  requestTimeoutMs: 1000,
  connectTimeoutMs: 1000,
};

/** A topic of two partitions that keeps batches uncompressed (compression.type), and takes none beyond a limit. */
class Uncompressing extends KafkaClient {
  /** Records that came, by partition. */
  readonly counts = [0, 0];
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    super(CONFIG);
    this.#bytesMax = bytesMax;
  }

  override metadata(): Promise<TopicMetadata[]> {
    const partitions = [0, 1].map((partition) => ({ partition, leader: 1, leaderEpoch: 0 }));
    const topic = { id: '', errorCode: 0, mayRead: true, mayWrite: true, partitions };
    return Promise.resolve([{ ...topic, name: 't' }]);
  }

  override produce(
    _node: number,
    _id: string | null,
    all: readonly ProducedPartition[],
  ): Promise<ProducedResult[]> {
    const results = all.map(({ topic, partition, records }) => {
      const limits = { partition: '', batchBytesMax: 2 ** 30, bytesMax: 2 ** 30 };
      const { bytes, recordCount } = visibleRecords(records, [], RECORD_CODECS, limits);
      const isTooLarge = bytes!.length > this.#bytesMax;
      if (!isTooLarge) this.counts[partition]! += recordCount;
      const errorCode = isTooLarge ? KAFKA_CODES.messageTooLarge : 0;
      return { topic, partition, errorCode, baseOffset: 0n };
    });
    return Promise.resolve(results);
  }
}

function writerTo(context: TestContext, client: KafkaClient): TopicWriter {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-writer-'));
  context.after(() => rmSync(directory, { recursive: true }));
  const contents = { directory, start: { segment: 0, offset: 0 }, end: { segment: 0, offset: 0 } };
  const options = {
    ...contents,
    lastEpoch: 1,
    config: CONFIG,
    topic: 't',
    transaction: null,
    batchBytesMax: 512 * KIB,
    compression: 'gzip',
    epochHeader: false,
  } as const;
  return new TopicWriter(client, options, new FakeClock());
}

/** A key of a partition. */
function keyOf(partition: number): Buffer {
  const keys = Array.from({ length: 100 }, (_, i) => Buffer.from(`k${i}`));
  return keys.find((key) => partitionOf(key, 2) === partition)!;
}

function frameOf(records: readonly (readonly [partition: number, value: Buffer])[]): Frame {
  const keyed = records.map(([partition, value]) => [keyOf(partition), value] as const);
  const size = keyed.reduce((sum, [key, value]) => sum + recordSize(key, value, null), 0);
  const bytes = Buffer.alloc(size);
  let at = 0;
  for (const [key, value] of keyed)
    at = writeRecord(bytes, at, { key, value, timestampMs: 0 }, null);
  const flags = { isLast: true, hasHeaders: false, isSnapshot: false };
  return { epoch: 1, timeUs: 0n, recordCount: records.length, ...flags, records: bytes, end: at };
}

/** As a SpoolDeliverer. */
async function deliver(writer: TopicWriter, frame: Frame): Promise<void> {
  for (let tries = 0; tries < 10; tries += 1) {
    await writer.start();
    try {
      await writer.send(frame);
      await writer.commit({ epoch: 1, part: null });
      return;
    } catch (error) {
      writer.explain(error);
    }
  }
  assert.fail('it is never delivered');
}

test('the batch that the topic refuses is split, be another one larger as it was sent', async (context) => {
  const client = new Uncompressing(100 * KIB);
  const rows = Array.from({ length: 400 }, () => [0, Buffer.alloc(KIB)] as const);
  const frame = frameOf([...rows, [1, randomBytes(20 * KIB)]]);
  await deliver(writerTo(context, client), frame);
  assert.ok(client.counts[0]! >= 400 && client.counts[1]! >= 1, String(client.counts));
});

test('a record alone that is too large is named, be another one larger as it was sent', async (context) => {
  const writer = writerTo(context, new Uncompressing(100 * KIB));
  const frame = frameOf([
    [0, Buffer.alloc(200 * KIB)],
    [1, randomBytes(20 * KIB)],
  ]);
  await assert.rejects(deliver(writer, frame), ({ sqlstate, message }: SqlError) => {
    assert.equal(sqlstate, '54000');
    return message.includes(`(key ${keyOf(0).toString()})`);
  });
});
