/** ENCODE of sources whose records come one by one (Kafka, webhook): checks of the options, and decoders. */

import { unreachable } from '../base/assert.ts';
import { notSupported, SqlError } from '../base/sql-error.ts';
import { CsvDecoder, type CsvOptions, type DecodedColumn } from '../formats/csv.ts';
import type { MessageDecoder, WriterSchema } from '../formats/message-decoder.ts';
import { MessagePackDecoder } from '../formats/msgpack/msgpack-decoder.ts';
import { PlainBytesDecoder } from '../formats/plain-bytes.ts';
import { SingleRecordDecoder } from '../formats/single-record.ts';
import type { ValueSettings } from '../types/settings.ts';
import { checkCsv } from './csv-options.ts';
import { checkJson, defaultsOf, type JsonEncoding, openJson } from './json-options.ts';
import { checkOptions, OptionError, refuseDefaults, unknownName } from './options.ts';
import type { RegistryConfig } from './schema-registry/registry-client.ts';
import {
  checkSchemaSource,
  openSchemaDecoder,
  type SchemaSourceEncoding,
} from './schema-registry/source-schema.ts';
import type { SourceColumn } from './source.ts';

/** JSON: what a decoder is opened with. */
export type MessageEncoding =
  | JsonEncoding
  | { readonly kind: 'csv'; readonly csv: CsvOptions }
  | SchemaSourceEncoding
  | { readonly kind: 'bytes' }
  | { readonly kind: 'msgpack'; readonly defaults: Readonly<Record<string, string>> };

const ENCODINGS = ['json', 'avro', 'protobuf', 'csv', 'bytes', 'msgpack'] as const;
type EncodingName = (typeof ENCODINGS)[number];

/** `columns`: the fields of a message; `schema`: what the options name (connectors.ts, fetchMessageSchema). */
export function checkMessageEncoding(
  encode: string | null,
  options: ReadonlyMap<string, string>,
  columns: readonly SourceColumn[],
  schema: WriterSchema | null,
  settings: ValueSettings,
): MessageEncoding {
  const name = checkEncodingName(encode);
  switch (name) {
    case 'json':
      return checkJson(options, columns);
    case 'avro':
    case 'protobuf':
      refuseDefaults(`ENCODE ${name.toUpperCase()}`, columns);
      return checkSchemaSource(name, options, columns, schema, settings);
    case 'csv':
      refuseDefaults('ENCODE CSV', columns);
      return { kind: 'csv', csv: checkCsv(options, false) };
    case 'msgpack':
      checkOptions('ENCODE MSGPACK', {}, options);
      return { kind: 'msgpack', defaults: defaultsOf(columns) };
    case 'bytes':
      checkOptions('ENCODE BYTES', {}, options);
      checkBytesColumn(columns);
      refuseDefaults('ENCODE BYTES', columns);
      return { kind: 'bytes' };
    default:
      return unreachable(name);
  }
}

/** What ENCODE says, in lower case; 22023 unless it is known. */
export function checkEncodingName(encode: string | null): EncodingName {
  if (encode === null) {
    throw new SqlError('22023', 'the encoding is not given', {
      hint: 'Say FORMAT PLAIN ENCODE JSON.',
    });
  }
  const found = ENCODINGS.find((name) => name === encode);
  if (found !== undefined) return found;
  throw unknownName('encoding', encode, ENCODINGS, { clause: 'encode' });
}

/** 0A000 unless change events (FORMAT DEBEZIUM) can be of this encoding. */
export function checkEnvelopes(encoding: EncodingName): void {
  if (encoding !== 'csv' && encoding !== 'bytes') return;
  const feature = `FORMAT DEBEZIUM ENCODE ${encoding.toUpperCase()}`;
  const { sqlstate, message, fields } = notSupported(feature);
  throw new OptionError(sqlstate, message, { clause: 'encode' }, fields.hint);
}

export function checkBytesColumn(columns: readonly DecodedColumn[]): void {
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
      return openJson(encoding, columns, settings);
    case 'csv': {
      const names = columns.map(({ name }) => name);
      return new SingleRecordDecoder(new CsvDecoder(encoding.csv, columns, names, settings));
    }
    case 'avro':
    case 'protobuf':
      return openSchemaDecoder(encoding, columns, settings);
    case 'msgpack':
      return new MessagePackDecoder(columns, settings, encoding.defaults);
    case 'bytes':
      return new PlainBytesDecoder(columns[0]!.type.id === 'text');
    default:
      return unreachable(encoding);
  }
}

/** Where the schemas are whose ids the messages carry; null: they carry none. */
export function registryOf(encoding: MessageEncoding): RegistryConfig | null {
  return 'registry' in encoding ? encoding.registry : null;
}
