/** What a reader's decoder knows of its registry, and what the reader tells of it. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { ChangeDecoder } from '../../formats/change-decoder.ts';
import type { KafkaRecord } from './kept-record.ts';
import { KnownSchemas } from './known-schemas.ts';

const SCHEMA = { type: 'AVRO', text: '"long"', references: [] };

/** Remembers what it was taught. */
class TaughtDecoder implements ChangeDecoder {
  readonly unavailable = [];
  readonly errorOffset = 0;
  readonly ids: number[] = [];

  append(): number {
    throw new Error('nothing is decoded here');
  }

  learnSchema(id: number): void {
    this.ids.push(id);
  }
}

function framed(id: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeInt32BE(id, 1);
  return bytes;
}

function record(key: Buffer | null, value: Buffer | null): KafkaRecord {
  return {
    bytes: Buffer.concat([key ?? Buffer.alloc(0), value ?? Buffer.alloc(0)]),
    offset: 0,
    timestampMs: 0,
    keyStart: 0,
    keyLength: key?.length ?? -1,
    valueStart: key?.length ?? 0,
    valueLength: value?.length ?? -1,
    headers: () => [],
  };
}

test('news: ids that the decoder lacks, and unknown ones that it has; told once', () => {
  const unknown = new Set([7, 8]);
  const known = new KnownSchemas(true, unknown);
  const decoder = new TaughtDecoder();
  for (const id of [5, 7]) known.learn(id, SCHEMA, decoder);
  known.note(record(framed(5), framed(7)));
  known.note(record(framed(5), framed(7)));
  known.note(record(framed(9), framed(8)));
  known.note(record(null, null));
  known.note(record(Buffer.from('text'), Buffer.from('{}')));
  assert.deepEqual(known.takeNews(), { unknown: [8, 9], known: [7] });
  assert.equal(known.takeNews(), null);
  known.note(record(framed(9), framed(5)));
  assert.deepEqual(known.takeNews(), { unknown: [9], known: [] });
});

test('keys count where they are decoded', () => {
  const bytes = { key: framed(1), value: framed(2), isCut: false };
  const raw = { ...bytes, timestampMs: 0, context: null };
  assert.deepEqual(new KnownSchemas(true, new Set()).idsOf({ offset: 0, raw }), [2, 1]);
  const known = new KnownSchemas(false, new Set());
  assert.deepEqual(known.idsOf({ offset: 0, raw }), [2]);
  assert.deepEqual(known.idsOf({ offset: 0, raw: { ...raw, value: null } }), []);
  known.note(record(framed(1), framed(2)));
  assert.deepEqual(known.takeNews(), { unknown: [2], known: [] });
});

test('what is decoded again knows what was known then', () => {
  const unknown = new Set([7]);
  const known = new KnownSchemas(false, unknown);
  const first = new TaughtDecoder();
  const opened: TaughtDecoder[] = [];
  const matched = (decoder: ChangeDecoder) =>
    known.matched(decoder, () => {
      opened.push(new TaughtDecoder());
      return opened.at(-1)!;
    });
  known.keep(5, SCHEMA);
  known.keep(7, SCHEMA);
  assert.equal(matched(first), first);
  assert.deepEqual(first.ids, [5]);
  unknown.delete(7);
  assert.equal(matched(first), first);
  assert.deepEqual(first.ids, [5, 7]);
  unknown.add(5);
  const second = matched(first);
  assert.deepEqual([second === first, opened.length], [false, 1]);
  assert.deepEqual(opened[0]!.ids, [7]);
});
