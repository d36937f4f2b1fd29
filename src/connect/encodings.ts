/** ENCODE of sources whose records come one by one (Kafka, webhook): checks of the options, and decoders. */

import { unreachable } from '../base/assert.ts';
import { notSupported, SqlError } from '../base/sql-error.ts';
import { CsvDecoder, type CsvOptions, type DecodedColumn } from '../formats/csv.ts';
import { JsonObjectDecoder } from '../formats/json-object.ts';
import type { JsonPaths } from '../formats/json-paths.ts';
import type { MessageDecoder, WriterSchema } from '../formats/message-decoder.ts';
import { MessagePackDecoder } from '../formats/msgpack/msgpack-decoder.ts';
import { PlainBytesDecoder } from '../formats/plain-bytes.ts';
import { SingleRecordDecoder } from '../formats/single-record.ts';
import type { ValueSettings } from '../types/settings.ts';
import { checkCsv } from './csv-options.ts';
import { checkJson } from './json-options.ts';
import { checkOptions, unknownName } from './options.ts';
import { type AvroEncoding, checkAvro, openAvro } from './schema-registry/avro-options.ts';
import type { RegistryConfig } from './schema-registry/registry-client.ts';

/** JSON: what a decoder is opened with. */
export type MessageEncoding =
  | { readonly kind: 'json'; readonly paths: JsonPaths }
  | { readonly kind: 'csv'; readonly csv: CsvOptions }
  | AvroEncoding
  | { readonly kind: 'bytes' }
  | { readonly kind: 'msgpack' };

const ENCODINGS = ['json', 'avro', 'protobuf', 'csv', 'bytes', 'msgpack'];

/** `columns`: the fields of a message; `schema`: what the options name (connectors.ts, fetchMessageSchema). */
export function checkMessageEncoding(
  encode: string | null,
  options: ReadonlyMap<string, string>,
  columns: readonly DecodedColumn[],
  schema: WriterSchema | null,
  settings: ValueSettings,
): MessageEncoding {
  if (encode === null) {
    throw new SqlError('22023', 'the encoding is not given', {
      hint: 'Say FORMAT PLAIN ENCODE JSON.',
    });
  }
  if (!ENCODINGS.includes(encode)) throw unknownName('encoding', encode, ENCODINGS);
  switch (encode) {
    case 'json':
      return { kind: 'json', paths: checkJson(options, columns) };
    case 'avro':
      return checkAvro(options, columns, schema, settings);
    case 'csv':
      return { kind: 'csv', csv: checkCsv(options, false) };
    case 'msgpack':
      checkOptions('ENCODE MSGPACK', {}, options);
      return { kind: 'msgpack' };
    case 'bytes':
      checkOptions('ENCODE BYTES', {}, options);
      checkBytesColumn(columns);
      return { kind: 'bytes' };
    default:
      throw notSupported(`ENCODE ${encode.toUpperCase()}`);
  }
}

function checkBytesColumn(columns: readonly DecodedColumn[]): void {
  const type = columns[0]?.type.id;
  if (columns.length === 1 && (type === 'bytea' || type === 'text')) return;
  throw new SqlError('42804', 'ENCODE BYTES needs a single column of type bytea or text', {
    hint: 'What stands beside the value comes by INCLUDE.',
  });
}

/** A decoder into builders of these columns. */
export function openMessageDecoder(
  encoding: MessageEncoding,
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): MessageDecoder {
  switch (encoding.kind) {
    case 'json':
      return new JsonObjectDecoder(columns, settings, encoding.paths);
    case 'csv': {
      const names = columns.map(({ name }) => name);
      return new SingleRecordDecoder(new CsvDecoder(encoding.csv, columns, names, settings));
    }
    case 'avro':
      return openAvro(encoding, columns, settings);
    case 'msgpack':
      return new MessagePackDecoder(columns, settings);
    case 'bytes':
      return new PlainBytesDecoder(columns[0]!.type.id === 'text');
    default:
      return unreachable(encoding);
  }
}

/** Where the schemas are whose ids the messages carry; null: they carry none. */
export function registryOf(encoding: MessageEncoding): RegistryConfig | null {
  return encoding.kind === 'avro' ? encoding.registry : null;
}
