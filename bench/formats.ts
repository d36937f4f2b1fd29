/**
 * `bench formats`: single messages of a bid decoded into columns and encoded from them, on one thread, beside the usual
 * JavaScript library of each format, which makes an object of a message (our witness in the tests).
 *
 * Every format holds the same rows; ours are checked to come back as they were before anything is timed.
 */

import { decode as msgpackDecode, encode as msgpackEncode } from '@msgpack/msgpack';
import avro from 'avsc';
import protobuf from 'protobufjs';
import { buildBatch } from '../src/batch/build-batch.ts';
import { ColumnBuilder } from '../src/batch/column-builder.ts';
import type { DeltaBatch } from '../src/batch/delta-batch.ts';
import { AvroDecoder } from '../src/formats/avro/avro-decoder.ts';
import { AvroEncoder, avroSchemaOf } from '../src/formats/avro/avro-encoder.ts';
import { ByteWriter } from '../src/formats/byte-writer.ts';
import { JsonEncoder } from '../src/formats/json-encoder.ts';
import { JsonObjectDecoder } from '../src/formats/json-object.ts';
import type { MessageDecoder } from '../src/formats/message-decoder.ts';
import type { EncodedColumn, MessageEncoder } from '../src/formats/message-encoder.ts';
import { assertRoundTrip, columnsOf } from '../src/formats/message-fixture.ts';
import { MessagePackDecoder } from '../src/formats/msgpack/msgpack-decoder.ts';
import { MessagePackEncoder } from '../src/formats/msgpack/msgpack-encoder.ts';
import { ProtobufDecoder } from '../src/formats/protobuf/protobuf-decoder.ts';
import { ProtobufEncoder, protobufSchemaOf } from '../src/formats/protobuf/protobuf-encoder.ts';
import { Memory } from '../src/memory/memory.ts';
import { Scratch } from '../src/memory/scratch.ts';
import type { Value } from '../src/types/data-type.ts';
import { DEFAULT_SETTINGS } from '../src/types/value.ts';
import { countOf, textOf, type Values } from './arguments.ts';
import { Report } from './report.ts';

export const FORMATS_DEFAULTS = { records: '1M', json: '' };

const BATCH_ROWS = 1000;
const SCHEMA_ID = 1;
const COLUMNS = columnsOf({
  auction: 'bigint',
  bidder: 'bigint',
  price: 'bigint',
  channel: 'text',
  url: 'text',
  date_time: 'timestamptz',
  extra: 'text',
  rate: 'double precision',
});
const FRAME = { schema: null, isFramed: true, message: null };

interface Format {
  readonly name: string;
  readonly encoder: MessageEncoder;
  readonly decoder: MessageDecoder;
  /** Of the library: from and to an object. */
  readonly encode: (row: object) => Uint8Array;
  readonly decode: (message: Buffer) => unknown;
}

function rowsOf(count: number): Value[][] {
  return Array.from({ length: count }, (_, i) => [
    BigInt(1000 + (i % 997)),
    BigInt(2000 + i),
    BigInt((i * 7919) % 10_000_000),
    ['Google', 'Facebook', 'Baidu', `channel-${i}`][i % 4]!,
    `https://www.nexmark.com/${'path'.repeat(1 + (i % 5))}/item.htm?query=1`,
    1_700_000_000_000_000n + BigInt(i) * 1_000_000n,
    'x'.repeat(20 + (i % 40)),
    i / 8,
  ]);
}

function formatsOf(columns: readonly EncodedColumn[]): Format[] {
  return [
    jsonFormat(columns),
    msgpackFormat(columns),
    avroFormat(columns),
    protobufFormat(columns),
  ];
}

function jsonFormat(columns: readonly EncodedColumn[]): Format {
  return {
    name: 'json',
    encoder: new JsonEncoder(columns, DEFAULT_SETTINGS),
    decoder: new JsonObjectDecoder(columns, DEFAULT_SETTINGS),
    encode: (row) => Buffer.from(JSON.stringify(row)),
    decode: (message) => JSON.parse(message.toString()),
  };
}

function msgpackFormat(columns: readonly EncodedColumn[]): Format {
  return {
    name: 'msgpack',
    encoder: new MessagePackEncoder(columns, DEFAULT_SETTINGS),
    decoder: new MessagePackDecoder(columns, DEFAULT_SETTINGS),
    encode: (row) => msgpackEncode(row),
    decode: (message) => msgpackDecode(message),
  };
}

function avroFormat(columns: readonly EncodedColumn[]): Format {
  const text = avroSchemaOf(columns, 'Bid');
  const decoder = new AvroDecoder(columns, FRAME, DEFAULT_SETTINGS);
  decoder.learnSchema(SCHEMA_ID, { type: 'AVRO', text, references: [] });
  const type = avro.Type.forSchema(JSON.parse(text) as avro.Schema);
  return {
    name: 'avro',
    encoder: new AvroEncoder(columns, SCHEMA_ID, DEFAULT_SETTINGS),
    decoder,
    encode: (row) => type.toBuffer(row),
    decode: (message) => type.fromBuffer(message.subarray(5)),
  };
}

function protobufFormat(columns: readonly EncodedColumn[]): Format {
  const text = protobufSchemaOf(columns, 'Bid');
  const decoder = new ProtobufDecoder(columns, FRAME, DEFAULT_SETTINGS);
  decoder.learnSchema(SCHEMA_ID, { type: 'PROTOBUF', text, references: [] });
  const { root } = protobuf.parse(text, { keepCase: true });
  root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')!.nested!);
  const type = root.resolveAll().lookupType('Bid');
  return {
    name: 'protobuf',
    encoder: new ProtobufEncoder(columns, SCHEMA_ID, DEFAULT_SETTINGS),
    decoder,
    encode: (row) => type.encode(type.create(row as Record<string, unknown>)).finish(),
    decode: (message) => type.decode(message.subarray(6)),
  };
}

/** Records a CPU-second; `work` does BATCH_ROWS of them. A first part is not counted: the code becomes fast in it. */
function rateOf(recordCount: number, work: () => void): number {
  const rounds = Math.max(1, Math.round(recordCount / BATCH_ROWS));
  for (let i = 0; i < rounds / 5; i += 1) work();
  const start = process.cpuUsage();
  for (let i = 0; i < rounds; i += 1) work();
  const { user, system } = process.cpuUsage(start);
  return (rounds * BATCH_ROWS * 1e6) / Math.max(1, user + system);
}

/** All messages behind each other, and where each begins and ends. */
function encodeAll(encoder: MessageEncoder, batch: DeltaBatch): { bytes: Buffer; ends: number[] } {
  const out = new ByteWriter();
  const ends = Array.from({ length: batch.rowCount }, (_, row) => {
    encoder.append(batch, row, out);
    return out.length;
  });
  return { bytes: Buffer.from(out.written), ends };
}

function decodeRate(
  { decoder }: Format,
  bytes: Buffer,
  ends: readonly number[],
  count: number,
): number {
  const scratch = new Scratch(Memory.create());
  return rateOf(count, () => {
    scratch.reset();
    const builders = COLUMNS.map(
      ({ type }) => new ColumnBuilder(scratch.memory, scratch, type, BATCH_ROWS),
    );
    let start = 0;
    for (const end of ends) {
      const error = decoder.append(bytes, start, end, builders);
      if (error !== null) throw error;
      start = end;
    }
  });
}

function encodeRate({ encoder }: Format, batch: DeltaBatch, count: number): number {
  const out = new ByteWriter();
  return rateOf(count, () => {
    out.clear();
    for (let row = 0; row < batch.rowCount; row += 1) encoder.append(batch, row, out);
  });
}

/** What the library takes: numbers where ours has bigint. */
function objectOf(row: readonly Value[], format: string): object {
  return Object.fromEntries(
    COLUMNS.map(({ name }, i) => {
      const value = row[i]!;
      if (name === 'date_time' && format === 'protobuf') {
        return [name, { seconds: Number((value as bigint) / 1_000_000n), nanos: 0 }];
      }
      return [name, typeof value === 'bigint' ? Number(value) : value];
    }),
  );
}

export async function benchFormats(values: Values): Promise<void> {
  const count = countOf(values, 'records');
  const report = new Report(textOf(values, 'json') || null, [
    ...['case', 'messageBytes', 'decodedPerCpuSecond', 'libraryDecodes'],
    ...['encodedPerCpuSecond', 'libraryEncodes'],
  ]);
  const rows = rowsOf(BATCH_ROWS);
  const types = COLUMNS.map(({ type }) => type);
  const batch = buildBatch(types, rows, new Scratch(Memory.create()));
  for (const format of formatsOf(COLUMNS)) {
    assertRoundTrip(COLUMNS, format.encoder, format.decoder, rows);
    const { bytes, ends } = encodeAll(format.encoder, batch);
    const messages = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
    const objects = rows.map((row) => objectOf(row, format.name));
    report.add({
      bench: 'formats',
      case: format.name,
      messageBytes: Math.round(bytes.length / ends.length),
      decodedPerCpuSecond: decodeRate(format, bytes, ends, count),
      libraryDecodes: rateOf(count, () => {
        for (const one of messages) format.decode(one);
      }),
      encodedPerCpuSecond: encodeRate(format, batch, count),
      libraryEncodes: rateOf(count, () => {
        for (const one of objects) format.encode(one);
      }),
    });
  }
}
