/** ENCODE of sinks whose rows go out one by one (Kafka): checks of the options, and encoders. */

import { assert, unreachable } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { type ChangeEncoder, JsonEnvelopeWriter } from '../formats/change-envelope.ts';
import type { CsvOptions } from '../formats/csv.ts';
import { CsvEncoder } from '../formats/csv-encoder.ts';
import { JsonEncoder } from '../formats/json-encoder.ts';
import type { EncodedColumn, MessageEncoder } from '../formats/message-encoder.ts';
import { MessagePackEncoder } from '../formats/msgpack/msgpack-encoder.ts';
import { MessagePackEnvelopeWriter } from '../formats/msgpack/msgpack-envelope.ts';
import { PlainBytesEncoder } from '../formats/plain-bytes.ts';
import type { ValueSettings } from '../types/settings.ts';
import { checkCsv } from './csv-options.ts';
import { checkBytesColumn, checkEncodingName, checkEnvelopes } from './encodings.ts';
import { checkOptions } from './options.ts';
import {
  checkSchemaSink,
  type MessageTarget,
  openSchemaEncoder,
  openSchemaEnvelopes,
  registerSinkSchema,
  type SchemaSinkEncoding,
} from './schema-registry/sink-schema.ts';
import type { SinkColumn } from './sink.ts';

/** JSON: what an encoder is opened with. */
export type SinkEncoding =
  | { readonly kind: 'json' }
  | { readonly kind: 'csv'; readonly csv: CsvOptions }
  | { readonly kind: 'bytes' }
  | { readonly kind: 'msgpack' }
  | SchemaSinkEncoding;

/** `columns`: the fields of a message. The result goes to `registerSinkEncoding` before it is opened. */
export function checkSinkEncoding(
  encode: string | null,
  options: ReadonlyMap<string, string>,
  columns: readonly SinkColumn[],
  target: MessageTarget,
): SinkEncoding {
  const name = checkEncodingName(encode);
  switch (name) {
    case 'json':
      checkOptions('ENCODE JSON', {}, options);
      return { kind: 'json' };
    case 'csv':
      return { kind: 'csv', csv: checkCsv(options, false) };
    case 'msgpack':
      checkOptions('ENCODE MSGPACK', {}, options);
      return { kind: 'msgpack' };
    case 'avro':
    case 'protobuf':
      return checkSchemaSink(name, options, columns, target);
    case 'bytes':
      checkOptions('ENCODE BYTES', {}, options);
      checkBytesColumn(columns);
      return { kind: 'bytes' };
    default:
      return unreachable(name);
  }
}

/** As `checkSinkEncoding`, of envelopes: the row before and after a change. 0A000 for encodings that have none. */
export function checkEnvelopeEncoding(
  encode: string | null,
  options: ReadonlyMap<string, string>,
  columns: readonly SinkColumn[],
  topic: string,
): SinkEncoding {
  checkEnvelopes(checkEncodingName(encode));
  return checkSinkEncoding(encode, options, columns, { topic, part: 'envelope' });
}

/** Registers the schema of an encoding that has one, once, at CREATE; 08001, 28000, 42804 (sink-schema.ts). */
export async function registerSinkEncoding(
  encoding: SinkEncoding,
  clock: Clock,
): Promise<SinkEncoding> {
  return 'registry' in encoding ? registerSinkSchema(encoding, clock) : encoding;
}

/** An encoder of these columns of a batch. */
export function openMessageEncoder(
  encoding: SinkEncoding,
  columns: readonly EncodedColumn[],
  settings: ValueSettings,
): MessageEncoder {
  switch (encoding.kind) {
    case 'json':
      return new JsonEncoder(columns, settings);
    case 'csv':
      return new CsvEncoder(columns, encoding.csv, settings);
    case 'msgpack':
      return new MessagePackEncoder(columns, settings);
    case 'avro':
    case 'protobuf':
      return openSchemaEncoder(encoding, columns, settings);
    case 'bytes':
      return new PlainBytesEncoder(columns[0]!);
    default:
      return unreachable(encoding);
  }
}

/** Of what `checkEnvelopeEncoding` gave: encoders of these columns, and of the envelopes around them. */
export function openChangeEncoder(
  encoding: SinkEncoding,
  columns: readonly EncodedColumn[],
  settings: ValueSettings,
): ChangeEncoder {
  if ('schema' in encoding) return openSchemaEnvelopes(encoding, columns, settings);
  if (encoding.kind === 'msgpack') {
    const row = new MessagePackEncoder(columns, settings);
    return { row, envelope: new MessagePackEnvelopeWriter() };
  }
  assert(encoding.kind === 'json', 'envelopes of another encoding');
  return { row: new JsonEncoder(columns, settings), envelope: new JsonEnvelopeWriter() };
}
