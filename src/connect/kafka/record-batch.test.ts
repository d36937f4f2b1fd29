/** Batches written by our writer, with markers made by hand, read as a read_committed reader does. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type AbortedTransaction, RecordWalker, visibleRecords } from './record-batch.ts';
import { type BatchCodec, PLAIN_BATCH, RecordBatchWriter } from './record-batch-writer.ts';
import { BATCH_CODECS, RECORD_CODECS } from './record-codecs.ts';

const SIZE_MAX = 1024 * 1024;
const LIMITS = { partition: 'a-0', batchBytesMax: SIZE_MAX, bytesMax: 4 * SIZE_MAX };
const NONE: BatchCodec = { crc32c: RECORD_CODECS.crc32c, codec: 0, compress: (bytes) => bytes };
const GZIP: BatchCodec = { ...NONE, codec: 1, compress: (bytes) => gzipSync(bytes) };
const ZSTD: BatchCodec = { ...NONE, codec: 4, compress: (bytes) => zstdCompressSync(bytes) };

/** A log under construction: batches at consecutive offsets. */
class Log {
  readonly #batches: Buffer[] = [];
  #offset = 0;

  rows(producer: bigint | null, values: readonly string[], codec = NONE, key = 'k'): this {
    const writer = new RecordBatchWriter();
    for (const value of values)
      writer.append(1000 + this.#offset, Buffer.from(key), Buffer.from(value));
    const options =
      producer === null
        ? PLAIN_BATCH
        : { producerId: producer, producerEpoch: 0, baseSequence: 0, isTransactional: true };
    return this.#add(writer.take(options, codec), values.length);
  }

  marker(producer: bigint, isCommit: boolean): this {
    const writer = new RecordBatchWriter();
    writer.append(0, Buffer.from([0, 0, 0, isCommit ? 1 : 0]), Buffer.alloc(6));
    const options = {
      producerId: producer,
      producerEpoch: 0,
      baseSequence: -1,
      isTransactional: true,
    };
    const batch = writer.take(options, NONE);
    batch.writeInt16BE(batch.readInt16BE(21) | 0x20, 21);
    batch.writeUInt32BE(RECORD_CODECS.crc32c(batch.subarray(21)) >>> 0, 17);
    return this.#add(batch, 1);
  }

  #add(batch: Buffer, count: number): this {
    batch.writeBigInt64BE(BigInt(this.#offset), 0);
    this.#batches.push(batch);
    this.#offset += count;
    return this;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#batches);
  }
}

function read(bytes: Buffer, aborted: readonly (readonly [bigint, number])[] = []): string[] {
  const list: AbortedTransaction[] = aborted.map(([producerId, first]) => ({
    producerId,
    firstOffset: BigInt(first),
  }));
  const visible = visibleRecords(bytes, list, RECORD_CODECS, LIMITS);
  const values: string[] = [];
  if (visible.bytes !== null) {
    const walker = new RecordWalker(visible.bytes);
    while (walker.next()) {
      const { valueStart, valueLength } = walker;
      values.push(
        `${walker.offset}:${walker.bytes.toString('utf8', valueStart, valueStart + valueLength)}`,
      );
    }
  }
  assert.equal(values.length, visible.recordCount);
  return values;
}

test('records of every shape come back as they were written', () => {
  const writer = new RecordBatchWriter();
  writer.append(1_700_000_000_123, null, null);
  writer.append(1_700_000_000_000, Buffer.alloc(0), Buffer.alloc(0));
  const large = Buffer.alloc(100_000, 7);
  writer.append(1_700_009_999_999, Buffer.from('key'), large, [
    ['a', Buffer.from('1')],
    ['a', null],
    ['ä', Buffer.alloc(0)],
  ]);
  const { bytes, recordCount, nextOffset } = visibleRecords(
    writer.take(PLAIN_BATCH, NONE),
    [],
    RECORD_CODECS,
    LIMITS,
  );
  assert.equal(recordCount, 3);
  assert.equal(nextOffset, 3);
  const walker = new RecordWalker(bytes!);
  assert.ok(walker.next());
  const { offset, timestampMs, keyLength, valueLength } = walker;
  assert.deepEqual([offset, timestampMs, keyLength, valueLength], [0, 1_700_000_000_123, -1, -1]);
  assert.ok(walker.next());
  assert.deepEqual([walker.timestampMs, walker.keyLength], [1_700_000_000_000, 0]);
  assert.deepEqual(walker.headers(), []);
  assert.ok(walker.next());
  assert.equal(walker.timestampMs, 1_700_009_999_999);
  assert.ok(
    walker.bytes.subarray(walker.valueStart, walker.valueStart + walker.valueLength).equals(large),
  );
  assert.deepEqual(walker.headers(), [
    { key: 'a', value: Buffer.from('1') },
    { key: 'a', value: null },
    { key: 'ä', value: Buffer.alloc(0) },
  ]);
  assert.equal(walker.next(), false);
});

test('compressed batches', () => {
  const log = new Log().rows(null, ['a', 'b'], GZIP).rows(null, ['c'], ZSTD).rows(null, ['d']);
  assert.deepEqual(read(log.bytes), ['0:a', '1:b', '2:c', '3:d']);
});

test('aborted transactions are hidden, in all layouts', () => {
  const oneProducer = new Log()
    .rows(1n, ['no'])
    .marker(1n, false)
    .rows(1n, ['yes'])
    .marker(1n, true);
  assert.deepEqual(read(oneProducer.bytes, [[1n, 0]]), ['2:yes']);

  const twice = new Log()
    .rows(1n, ['no1'])
    .marker(1n, false)
    .rows(1n, ['no2'])
    .marker(1n, false)
    .rows(1n, ['yes'])
    .marker(1n, true);
  assert.deepEqual(
    read(twice.bytes, [
      [1n, 0],
      [1n, 2],
    ]),
    ['4:yes'],
  );

  // The broker lists B before A, because B ended first.
  const nested = new Log()
    .rows(1n, ['noA'])
    .rows(2n, ['noB'])
    .marker(2n, false)
    .rows(null, ['plain'])
    .marker(1n, false);
  assert.deepEqual(
    read(nested.bytes, [
      [2n, 1],
      [1n, 0],
    ]),
    ['3:plain'],
  );

  // Larger than a fetch: the first part has no marker, the second one begins in the middle.
  const large = new Log().rows(1n, ['no1']).rows(1n, ['no2']).marker(1n, false).rows(null, ['yes']);
  const half = new Log().rows(1n, ['no1']).bytes.length;
  assert.deepEqual(read(large.bytes.subarray(0, half), [[1n, 0]]), []);
  assert.deepEqual(read(large.bytes.subarray(half), [[1n, 0]]), ['3:yes']);

  // A key of four zero bytes is no marker.
  const zeroKey = new Log()
    .rows(1n, ['no1'], NONE, '\0\0\0\0')
    .rows(1n, ['no2'], NONE, '\0\0\0\0')
    .marker(1n, false);
  assert.deepEqual(read(zeroKey.bytes, [[1n, 0]]), []);
});

test('the position goes behind what is hidden; a batch that is cut off waits', () => {
  const log = new Log().rows(1n, ['a', 'b']).marker(1n, false);
  const whole = visibleRecords(
    log.bytes,
    [{ producerId: 1n, firstOffset: 0n }],
    RECORD_CODECS,
    LIMITS,
  );
  assert.deepEqual([whole.bytes, whole.nextOffset], [null, 3]);
  const cut = visibleRecords(log.bytes.subarray(0, 65), [], RECORD_CODECS, LIMITS);
  assert.deepEqual([cut.bytes, cut.nextOffset], [null, null]);
});

test('damage is told: checksum, format, size after decompression', () => {
  const damaged = new Log().rows(null, ['abc']).bytes;
  damaged[damaged.length - 2]! ^= 1;
  assert.throws(() => read(damaged), { sqlstate: '58030', message: /offset 0 of a-0 is damaged/ });
  for (const length of [-12, -1000, 0, 10]) {
    const short = new Log().rows(null, ['abc']).bytes;
    // The checksum does not count it.
    short.writeInt32BE(length, 8);
    assert.throws(() => read(short), { sqlstate: '58030', message: /0 of a-0 is damaged/ });
  }
  const old = new Log().rows(null, ['abc']).bytes;
  old.writeInt8(1, 16);
  assert.throws(() => read(old), { sqlstate: '0A000', message: /has format 1/ });
  for (const codec of [NONE, GZIP, ZSTD, BATCH_CODECS.lz4]) {
    const bomb = new Log().rows(null, ['x'.repeat(2 * SIZE_MAX)], codec).bytes;
    const message = 'record batch at offset 0 of a-0 has more than 1048576 bytes';
    assert.throws(() => read(bomb), { sqlstate: '54000', message });
  }
});

test('what comes before a damaged batch is read, and a large answer is read by parts', () => {
  const log = new Log().rows(null, ['a', 'b']).rows(null, ['c']).rows(null, ['d']);
  const half = new Log().rows(null, ['a', 'b']).bytes.length;
  const damaged = Buffer.from(log.bytes);
  damaged[damaged.length - 2]! ^= 1;
  assert.deepEqual(read(damaged), ['0:a', '1:b', '2:c']);
  const limits = { ...LIMITS, bytesMax: 1 };
  const { nextOffset } = visibleRecords(log.bytes, [], RECORD_CODECS, limits);
  assert.equal(nextOffset, 2);
  const rest = visibleRecords(log.bytes.subarray(half), [], RECORD_CODECS, limits);
  assert.deepEqual([rest.nextOffset, rest.recordCount], [3, 1]);
});
