/** ENCODE of sources whose records come one by one (Kafka, webhook): checks of the options, and decoders. */

import { unreachable } from '../base/assert.ts';
import { notSupported, SqlError } from '../base/sql-error.ts';
import { CsvDecoder, type CsvOptions, type DecodedColumn } from '../formats/csv.ts';
import { JsonObjectDecoder } from '../formats/json-object.ts';
import type { MessageDecoder } from '../formats/message-decoder.ts';
import { PlainBytesDecoder } from '../formats/plain-bytes.ts';
import { SingleRecordDecoder } from '../formats/single-record.ts';
import type { ValueSettings } from '../types/settings.ts';
import { checkCsv } from './csv-options.ts';
import { checkOptions, unknownName } from './options.ts';

/** JSON: what a decoder is opened with. */
export type MessageEncoding =
  | { readonly kind: 'json' }
  | { readonly kind: 'csv'; readonly csv: CsvOptions }
  | { readonly kind: 'bytes' };

const ENCODINGS = ['json', 'avro', 'protobuf', 'csv', 'bytes', 'msgpack'];

/** `columns`: the fields of a message. */
export function checkMessageEncoding(
  encode: string | null,
  options: ReadonlyMap<string, string>,
  columns: readonly DecodedColumn[],
): MessageEncoding {
  if (encode === null) {
    throw new SqlError('22023', 'the encoding is not given', {
      hint: 'Say FORMAT PLAIN ENCODE JSON.',
    });
  }
  if (!ENCODINGS.includes(encode)) throw unknownName('encoding', encode, ENCODINGS);
  switch (encode) {
    case 'json':
      checkOptions('ENCODE JSON', {}, options);
      return { kind: 'json' };
    case 'csv':
      return { kind: 'csv', csv: checkCsv(options, false) };
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
      return new JsonObjectDecoder(columns, settings);
    case 'csv': {
      const names = columns.map(({ name }) => name);
      return new SingleRecordDecoder(new CsvDecoder(encoding.csv, columns, names, settings));
    }
    case 'bytes':
      return new PlainBytesDecoder(columns[0]!.type.id === 'text');
    default:
      return unreachable(encoding);
  }
}
