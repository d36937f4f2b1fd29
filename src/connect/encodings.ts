/** ENCODE of sources whose records come one by one (Kafka, webhook): checks of the options, and decoders. */

import { notSupported, SqlError } from '../base/sql-error.ts';
import type { DecodedColumn } from '../formats/csv.ts';
import { JsonObjectDecoder } from '../formats/json-object.ts';
import type { MessageDecoder } from '../formats/message-decoder.ts';
import type { ValueSettings } from '../types/settings.ts';
import { checkOptions, unknownName } from './options.ts';

/** JSON: what a decoder is opened with. */
export type MessageEncoding = { readonly kind: 'json' };

const ENCODINGS = ['json', 'avro', 'protobuf', 'csv', 'bytes', 'msgpack'];

export function checkMessageEncoding(
  encode: string | null,
  options: ReadonlyMap<string, string>,
): MessageEncoding {
  if (encode === null) {
    throw new SqlError('22023', 'the encoding is not given', {
      hint: 'Say FORMAT PLAIN ENCODE JSON.',
    });
  }
  if (!ENCODINGS.includes(encode)) throw unknownName('encoding', encode, ENCODINGS);
  if (encode !== 'json') throw notSupported(`ENCODE ${encode.toUpperCase()}`);
  checkOptions('ENCODE JSON', {}, options);
  return { kind: 'json' };
}

/** A decoder into builders of these columns. */
export function openMessageDecoder(
  _encoding: MessageEncoding,
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): MessageDecoder {
  return new JsonObjectDecoder(columns, settings);
}
