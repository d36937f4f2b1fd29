import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLAIN_BATCH, RecordBatchWriter } from './record-batch-writer.ts';
import { BATCH_CODECS } from './record-codecs.ts';
import { RecordFinder } from './record-finder.ts';
import { arrivalOf } from './records-again.ts';

/** Records `from` to `to` - 1, whose values are their offsets. */
function arrival(from: number, to: number) {
  const writer = new RecordBatchWriter();
  for (let offset = from; offset < to; offset += 1) {
    writer.append(0, null, Buffer.from(`${offset}`));
  }
  const batch = writer.take(PLAIN_BATCH, BATCH_CODECS.none);
  batch.writeBigInt64BE(BigInt(from), 0);
  const bytes = new Uint8Array(new SharedArrayBuffer(batch.length));
  bytes.set(batch);
  const records = { split: 't-0', topicId: '', from, to, bytes, recordCount: to - from, end: to };
  return arrivalOf(records);
}

test('records by offset, in any order, over several arrivals', () => {
  const none = { ...arrival(0, 1).records, bytes: null };
  const finder = new RecordFinder([arrival(0, 5), arrivalOf(none), arrival(7, 9), arrival(9, 12)]);
  const textAt = (offset: number) => {
    const { bytes, valueStart, valueLength } = finder.find(offset);
    return bytes.toString('utf8', valueStart, valueStart + valueLength);
  };
  for (const offset of [1, 4, 8, 11, 9, 9, 0, 10]) assert.equal(textAt(offset), `${offset}`);
  assert.throws(() => finder.find(6), { message: 'a record is not where it was' });
});
