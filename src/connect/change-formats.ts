/**
 * FORMAT of sources whose records have a key and a value (Kafka): PLAIN, each record a row of its own; UPSERT and DEBEZIUM,
 * records that change rows.
 */

import { assert, must, unreachable } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { type ChangeDecoder, PlainRecordDecoder } from '../formats/change-decoder.ts';
import { openDebeziumJson } from '../formats/debezium-json.ts';
import { timeTokens } from '../formats/json-times.ts';
import type { WriterSchema } from '../formats/message-decoder.ts';
import { openDebeziumMessagePack } from '../formats/msgpack/debezium-msgpack.ts';
import { MessagePackDecoder } from '../formats/msgpack/msgpack-decoder.ts';
import { PlainBytesDecoder } from '../formats/plain-bytes.ts';
import {
  isFramedKey,
  isMapKey,
  type KeyDecoder,
  PackedOrTextKeyDecoder,
  TextKeyDecoder,
  UpsertDecoder,
} from '../formats/upsert-decoder.ts';
import type { ValueSettings } from '../types/settings.ts';
import {
  checkEncodingName,
  checkEnvelopes,
  checkMessageEncoding,
  type MessageEncoding,
  openMessageDecoder,
} from './encodings.ts';
import { type CheckRequest, OptionError, placeOf, refuseDefaults, unknownName } from './options.ts';
import { openSchemaKey } from './schema-registry/schema-keys.ts';
import { checkSchemaChanges, openSchemaChanges } from './schema-registry/source-schema.ts';
import type { SourceColumn } from './source.ts';

/** What records are to the rows; JSON. */
export type RecordFormat =
  | { readonly kind: 'plain' }
  /** `key`: numbers of the fields that the record's key holds. */
  | { readonly kind: 'upsert'; readonly key: readonly number[] }
  /** `key`: numbers of the fields of the row's key. */
  | { readonly kind: 'debezium'; readonly key: readonly number[] };

const FORMATS = ['plain', 'upsert', 'debezium'];

/** Whether records of this FORMAT change rows, so that the newest of each key is kept. */
export function isKeyedFormat(format: string | null): boolean {
  return format === 'upsert' || format === 'debezium';
}

/** 22023 for a name that is none. */
export function checkFormatName(format: string | null): void {
  if (format !== null && !FORMATS.includes(format)) {
    throw unknownName('format', format, FORMATS, { clause: 'encode' });
  }
}

export interface RecordEncoding {
  readonly format: RecordFormat;
  readonly encoding: MessageEncoding;
}

/** FORMAT and ENCODE of records with these `fields` (numbers of the columns that come from key and value). */
export function checkRecordEncoding(
  request: CheckRequest,
  fields: readonly number[],
): RecordEncoding {
  const format = checkRecordFormat(request, fields);
  const { encode, encodeOptions, columns, settings } = request;
  const schema = request.context.schema ?? null;
  const inKey = format.kind === 'upsert' ? format.key : [];
  const inValue = fields
    .filter((_, field) => !inKey.includes(field))
    .map((column) => must(columns[column]));
  const keyColumns = inKey.map((field) => must(columns[must(fields[field])]));
  refuseDefaults('the PRIMARY KEY of FORMAT UPSERT', keyColumns);
  if (format.kind === 'debezium') {
    return { format, encoding: checkDebezium(encode, encodeOptions, inValue, schema, settings) };
  }
  const encoding = checkMessageEncoding(encode, encodeOptions, inValue, schema, settings);
  return { format, encoding };
}

/** The schema is that of the change events, not of the row. */
function checkDebezium(
  encode: string | null,
  options: ReadonlyMap<string, string>,
  columns: readonly SourceColumn[],
  schema: WriterSchema | null,
  settings: ValueSettings,
): MessageEncoding {
  refuseDefaults('FORMAT DEBEZIUM', columns);
  checkEnvelopes(checkEncodingName(encode));
  const encoding = checkMessageEncoding(encode, options, columns, null, settings);
  if (encoding.kind === 'json') {
    if (encoding.timestamps === 'iso') return encoding;
    throw new OptionError(
      '22023',
      'FORMAT DEBEZIUM takes no option "timestamp.handling"',
      placeOf('ENCODE JSON', 'timestamp.handling', 'name'),
      'What a number is as a time follows from the messages and the types of the columns.',
    );
  }
  if (!('schema' in encoding)) return encoding;
  if (schema !== null) checkSchemaChanges(encoding, schema, columns, settings);
  return { ...encoding, schema };
}

function checkRecordFormat(request: CheckRequest, fields: readonly number[]): RecordFormat {
  const { format } = request;
  if (format === 'upsert') return { kind: 'upsert', key: checkKey(request, fields) };
  if (format === 'debezium') return { kind: 'debezium', key: checkKey(request, fields) };
  return { kind: 'plain' };
}

/** The fields of PRIMARY KEY; none where it is the column of INCLUDE KEY. */
function checkKey({ columns, key, format }: CheckRequest, fields: readonly number[]): number[] {
  const what = `FORMAT ${must(format).toUpperCase()}`;
  if (key === null) {
    throw new SqlError('42P16', `${what} needs a PRIMARY KEY`, {
      hint:
        format === 'upsert'
          ? "Name the columns that the records' keys hold: PRIMARY KEY (id). Or INCLUDE KEY AS k, and PRIMARY KEY (k)."
          : 'Name the primary key of the table that changes: PRIMARY KEY (id).',
    });
  }
  const [only, ...others] = key.map((column) => must(columns[column]));
  const isWhole = only?.included?.kind === 'key' && others.length === 0;
  if (isWhole && format === 'upsert') return [];
  return key.map((column) => {
    const { name } = must(columns[column]);
    const field = fields.indexOf(column);
    if (field >= 0) return field;
    throw new SqlError('42P16', `column "${name}" cannot be part of the PRIMARY KEY`, {
      detail:
        format === 'upsert'
          ? "With FORMAT UPSERT its columns are fields of the record's key, or the one of INCLUDE KEY."
          : 'With FORMAT DEBEZIUM its columns are columns of the table that changes.',
    });
  });
}

/** A decoder into builders of the fields. */
export function openRecordDecoder(
  { format, encoding }: RecordEncoding,
  fields: readonly SourceColumn[],
  settings: ValueSettings,
): ChangeDecoder {
  switch (format.kind) {
    case 'plain':
      return new PlainRecordDecoder(openMessageDecoder(encoding, fields, settings));
    case 'upsert': {
      const { key } = format;
      const inKey = key.map((field) => must(fields[field]));
      const inValue = fields.filter((_, field) => !key.includes(field));
      const value = openMessageDecoder(encoding, inValue, settings);
      return new UpsertDecoder(fields, key, keyDecoder(inKey, encoding, settings), value);
    }
    case 'debezium':
      return openDebezium(encoding, fields, format.key, settings);
    default:
      return unreachable(format);
  }
}

function openDebezium(
  encoding: MessageEncoding,
  fields: readonly SourceColumn[],
  key: readonly number[],
  settings: ValueSettings,
): ChangeDecoder {
  if ('schema' in encoding) return openSchemaChanges(encoding, fields, key, settings);
  if (encoding.kind === 'msgpack') return openDebeziumMessagePack(fields, key, settings);
  assert(encoding.kind === 'json', 'change events of another encoding');
  return openDebeziumJson(fields, key, settings, encoding.paths);
}

function keyDecoder(
  columns: readonly SourceColumn[],
  encoding: MessageEncoding,
  settings: ValueSettings,
): KeyDecoder {
  const isBytes = columns.length === 1 && columns[0]!.type.id === 'bytea';
  const tokens = encoding.kind === 'json' ? timeTokens(columns, encoding.timestamps, settings) : [];
  const text = isBytes
    ? new PlainBytesDecoder(false)
    : new TextKeyDecoder(columns, settings, tokens);
  // Bytes that are the key itself may begin as a map does.
  if (encoding.kind === 'msgpack' && !isBytes) {
    return new PackedOrTextKeyDecoder(new MessagePackDecoder(columns, settings), text, isMapKey);
  }
  if (!('schema' in encoding) || encoding.registry === null) return text;
  const packed = openSchemaKey(encoding.kind, columns, settings);
  return new PackedOrTextKeyDecoder(packed, text, isFramedKey);
}
