/** Envelopes of changes: what we write our decoders of change events read back; avsc reads the same. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode as decodeMessagePack } from '@msgpack/msgpack';
import avro from 'avsc';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { buildBatch } from '../batch/build-batch.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { ArrayValue } from '../types/array.ts';
import { Decimal } from '../types/decimal.ts';
import { DEFAULT_SETTINGS } from '../types/value.ts';
import { AvroEncoder } from './avro/avro-encoder.ts';
import { AvroEnvelopeWriter, avroEnvelopeSchemaOf } from './avro/avro-envelope.ts';
import { openDebeziumAvro } from './avro/debezium-avro.ts';
import { ByteWriter } from './byte-writer.ts';
import { type ChangeDecoder, DELETE, UPSERT } from './change-decoder.ts';
import { type ChangeEncoder, type ChangeOp, JsonEnvelopeWriter } from './change-envelope.ts';
import { readChanges } from './change-fixture.ts';
import { openDebeziumJson } from './debezium-json.ts';
import { JsonEncoder } from './json-encoder.ts';
import type { MessageDecoder } from './message-decoder.ts';
import type { EncodedColumn, MessageEncoder } from './message-encoder.ts';
import { assertAnyRoundTrip, COMMON_TYPES, columnsOf, encodeMessages } from './message-fixture.ts';
import { openDebeziumMessagePack } from './msgpack/debezium-msgpack.ts';
import { MessagePackEncoder } from './msgpack/msgpack-encoder.ts';
import { MessagePackEnvelopeWriter } from './msgpack/msgpack-envelope.ts';
import { openDebeziumProtobuf } from './protobuf/debezium-protobuf.ts';
import { ProtobufEncoder, protobufEnvelopeSchemaOf } from './protobuf/protobuf-encoder.ts';
import { ProtobufEnvelopeWriter } from './protobuf/protobuf-envelope.ts';

/** What a format has for changes. */
interface ChangeFormat {
  encoder(columns: readonly EncodedColumn[]): ChangeEncoder;
  decoder(columns: readonly EncodedColumn[], key: readonly number[]): ChangeDecoder;
  /** Types that do not come back as they were. */
  readonly without: readonly string[];
}

const ID = 258;
const NAMES = { envelope: 'shop.Order', row: 'shop.OrderValue' };

const FORMATS: Readonly<Record<string, ChangeFormat>> = {
  JSON: {
    encoder: (columns) => ({
      row: new JsonEncoder(columns, DEFAULT_SETTINGS),
      envelope: new JsonEnvelopeWriter(),
    }),
    decoder: (columns, key) => openDebeziumJson(columns, key, DEFAULT_SETTINGS),
    // Debezium writes JSON inside of strings.
    without: ['j'],
  },
  AVRO: {
    encoder: (columns) => ({
      row: new AvroEncoder(columns, null, DEFAULT_SETTINGS),
      envelope: new AvroEnvelopeWriter(ID),
    }),
    decoder: (columns, key) => {
      const decoder = openDebeziumAvro(columns, key, null, DEFAULT_SETTINGS);
      const text = avroEnvelopeSchemaOf(columns, NAMES);
      decoder.learnSchema(ID, { type: 'AVRO', text, references: [] });
      return decoder;
    },
    without: [],
  },
  PROTOBUF: {
    encoder: (columns) => ({
      row: new ProtobufEncoder(columns, null, DEFAULT_SETTINGS),
      envelope: new ProtobufEnvelopeWriter(ID),
    }),
    decoder: (columns, key) => {
      const options = { schema: null, isFramed: true, message: null };
      const decoder = openDebeziumProtobuf(columns, key, options, DEFAULT_SETTINGS);
      const text = protobufEnvelopeSchemaOf(columns, NAMES);
      decoder.learnSchema(ID, { type: 'PROTOBUF', text, references: [] });
      return decoder;
    },
    // Repeated fields hold no nulls, and an empty one is not there.
    without: ['ai', 'al', 'at', 'an'],
  },
  MSGPACK: {
    encoder: (columns) => ({
      row: new MessagePackEncoder(columns, DEFAULT_SETTINGS),
      envelope: new MessagePackEnvelopeWriter(),
    }),
    decoder: (columns, key) => openDebeziumMessagePack(columns, key, DEFAULT_SETTINGS),
    // Numbers inside of JSON may be doubles.
    without: ['j'],
  },
};

/** Writes each row as the one after a change, whose before it is, too. */
function asChanges({ row, envelope }: ChangeEncoder): MessageEncoder {
  const bytes = new ByteWriter();
  return {
    append: (batch, index, out) => {
      bytes.clear();
      row.append(batch, index, bytes);
      const { written } = bytes;
      envelope.append({ op: 'u', before: written, after: written, timeMs: 1 }, out);
    },
  };
}

function asMessages(decoder: ChangeDecoder): MessageDecoder {
  return {
    append: (bytes, start, end, builders) => {
      const value = { valueStart: start, valueLength: end - start };
      const op = decoder.append({ bytes, keyStart: 0, keyLength: -1, ...value }, builders);
      if (typeof op !== 'number') return op;
      assert.equal(op, UPSERT);
      return null;
    },
    get errorOffset() {
      return decoder.errorOffset;
    },
  };
}

for (const [name, format] of Object.entries(FORMATS)) {
  test(`${name}: rows of every type come back as they were`, () => {
    const types = Object.entries(COMMON_TYPES).filter(([type]) => !format.without.includes(type));
    const columns = columnsOf(Object.fromEntries(types));
    const decoderOf = () => asMessages(format.decoder(columns, []));
    assertAnyRoundTrip(columns, asChanges(format.encoder(columns)), decoderOf, 50);
  });
}

const COLUMNS = columnsOf({ id: 'integer', name: 'text' });

/** The envelope of a change from row to row (null: none). */
function written(
  encoder: ChangeEncoder,
  op: ChangeOp,
  before: readonly [number, string] | null,
  after: readonly [number, string] | null,
): Buffer {
  const bytesOf = (row: readonly [number, string] | null) => {
    if (row === null) return null;
    const types = COLUMNS.map(({ type }) => type);
    const out = new ByteWriter();
    encoder.row.append(buildBatch(types, [row], new Scratch(Memory.create())), 0, out);
    return Buffer.from(out.written);
  };
  const out = new ByteWriter();
  const timeMs = 1_700_000_000_123;
  encoder.envelope.append({ op, before: bytesOf(before), after: bytesOf(after), timeMs }, out);
  return Buffer.from(out.written);
}

const EVENTS = [
  ['c', null, [1, 'a']],
  ['u', [1, 'a'], [1, 'b']],
  ['d', [1, 'b'], null],
] as const;

test('JSON: the envelope is the one that is known', () => {
  const encoder = FORMATS.JSON!.encoder(COLUMNS);
  assert.deepEqual(
    EVENTS.map(([op, before, after]) => written(encoder, op, before, after).toString()),
    [
      '{"before":null,"after":{"id":1,"name":"a"},"op":"c","ts_ms":1700000000123}',
      '{"before":{"id":1,"name":"a"},"after":{"id":1,"name":"b"},"op":"u","ts_ms":1700000000123}',
      '{"before":{"id":1,"name":"b"},"after":null,"op":"d","ts_ms":1700000000123}',
    ],
  );
});

test('AVRO: another reader reads the same', () => {
  const schema = JSON.parse(avroEnvelopeSchemaOf(COLUMNS, NAMES)) as avro.Schema;
  const type = avro.Type.forSchema(schema);
  const encoder = FORMATS.AVRO!.encoder(COLUMNS);
  const row = ([id, name]: readonly [number, string]) => ({ id, name });
  for (const [op, before, after] of EVENTS) {
    const message = written(encoder, op, before, after);
    assert.deepEqual([...message.subarray(0, 5)], [0, 0, 0, 1, 2]);
    const read = JSON.parse(JSON.stringify(type.fromBuffer(message.subarray(5)))) as object;
    assert.deepEqual(read, {
      before: before === null ? null : row(before),
      after: after === null ? null : row(after),
      op,
      ts_ms: 1_700_000_000_123,
    });
  }
  assert.throws(() => avroEnvelopeSchemaOf(columnsOf({ 'a b': 'text' }), NAMES), {
    sqlstate: '42602',
  });
});

test('PROTOBUF: another reader reads the same', () => {
  const text = protobufEnvelopeSchemaOf(COLUMNS, NAMES);
  const type = protobuf.parse(text, { keepCase: true }).root.lookupType('shop.Order');
  const encoder = FORMATS.PROTOBUF!.encoder(COLUMNS);
  for (const [op, before, after] of EVENTS) {
    const message = written(encoder, op, before, after);
    assert.deepEqual([...message.subarray(0, 6)], [0, 0, 0, 1, 2, 0]);
    const read = type.toObject(type.decode(message.subarray(6)), { longs: Number });
    assert.deepEqual(read, {
      ...(before === null ? {} : { before: { id: before[0], name: before[1] } }),
      ...(after === null ? {} : { after: { id: after[0], name: after[1] } }),
      op,
      ts_ms: 1_700_000_000_123,
    });
  }
});

test('MSGPACK: another reader reads the same', () => {
  const encoder = FORMATS.MSGPACK!.encoder(COLUMNS);
  for (const [op, before, after] of EVENTS) {
    assert.deepEqual(decodeMessagePack(written(encoder, op, before, after)), {
      before: before === null ? null : { id: before[0], name: before[1] },
      after: after === null ? null : { id: after[0], name: after[1] },
      op,
      ts_ms: 1_700_000_000_123,
    });
  }
});

for (const [name, format] of Object.entries(FORMATS)) {
  test(`${name}: a deleted row is its key`, () => {
    const bytes = written(format.encoder(COLUMNS), 'd', [7, 'gone'], null);
    const found = readChanges(format.decoder(COLUMNS, [0]), COLUMNS, [bytes]);
    assert.deepEqual(found, [{ op: DELETE, row: ['7', null], unavailable: [] }]);
  });
}

for (const [name, format] of Object.entries(FORMATS)) {
  test(`${name}: bytes that were changed are read or rejected`, () => {
    const types = columnsOf({
      id: 'integer',
      name: 'text',
      n: 'numeric',
      at: 'text[]',
      j: 'jsonb',
    });
    const encoder = format.encoder(types);
    const decoder = format.decoder(types, [0]);
    const row = [1, '__debezium_unavailable_value', Decimal.ZERO, ArrayValue.of(['x']), '{"a": 1}'];
    const [whole] = encodeMessages(asChanges(encoder), types, [row]);
    const change = fc.tuple(fc.nat(whole!.length - 1), fc.nat(255));
    const changes = fc.array(change, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(changes, fc.nat(whole!.length), (changed, length) => {
        const bytes = Buffer.from(whole!);
        for (const [at, byte] of changed) bytes[at] = byte;
        const cut = bytes.subarray(0, length);
        for (const found of readChanges(decoder, types, [bytes, cut])) {
          if (typeof found === 'string') assert.match(found, /^\d[\dA-Z]{4} /);
        }
      }),
      { numRuns: 1000 },
    );
  });
}
