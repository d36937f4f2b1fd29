/** ENCODE JSON and ENCODE CSV of the file connector: their options, and the decoders and encoders that they ask for. */

import { notSupported, SqlError } from '../../base/sql-error.ts';
import {
  CHANGE_FIELDS,
  type ChangeEncoder,
  csvChangeEncoder,
  jsonChangeEncoder,
} from '../../formats/change-lines.ts';
import { CsvDecoder, type CsvOptions, type DecodedColumn } from '../../formats/csv.ts';
import { JsonLinesDecoder } from '../../formats/json-lines.ts';
import type { RecordDecoder } from '../../formats/record-decoder.ts';
import type { ValueSettings } from '../../types/value.ts';
import { checkCsv } from '../csv-options.ts';
import { checkJson, type JsonEncoding, openJson } from '../json-options.ts';
import { unknownName } from '../options.ts';
import type { SourceColumn } from '../source.ts';

export type FileEncoding = JsonEncoding | { readonly kind: 'csv'; readonly csv: CsvOptions };

const ENCODINGS = ['json', 'csv'];
const KNOWN_ELSEWHERE = ['avro', 'protobuf', 'bytes', 'msgpack', 'parquet'];

/** The encoding that was asked for, or that the file's name tells; 22023 where neither says. */
export function checkEncoding(
  encode: string | null,
  encodeOptions: ReadonlyMap<string, string>,
  path: string,
  columns: readonly SourceColumn[],
): FileEncoding {
  const kind = encode ?? encodingOfName(path);
  if (kind === null) {
    throw new SqlError('22023', `the encoding of "${path}" is not given`, {
      hint: 'Say FORMAT PLAIN ENCODE JSON or ENCODE CSV.',
    });
  }
  if (KNOWN_ELSEWHERE.includes(kind)) throw notSupported(`ENCODE ${kind.toUpperCase()} of files`);
  if (!ENCODINGS.includes(kind))
    throw unknownName('encoding', kind, ENCODINGS, { clause: 'encode' });
  if (kind === 'json') {
    return checkJson(encodeOptions, columns);
  }
  return { kind: 'csv', csv: checkCsv(encodeOptions, true) };
}

function encodingOfName(path: string): string | null {
  if (/\.csv(\.gz)?$/i.test(path)) return 'csv';
  return /\.(json|jsonl|ndjson)(\.gz)?$/i.test(path) ? 'json' : null;
}

export function hasHeader(encoding: FileEncoding): boolean {
  return encoding.kind === 'csv' && encoding.csv.hasHeader;
}

/** A decoder into builders of these columns, which are all fields of a file without a header. */
export function openDecoder(
  encoding: FileEncoding,
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): RecordDecoder {
  if (encoding.kind === 'json') return new JsonLinesDecoder(openJson(encoding, columns, settings));
  const names = columns.map((column) => column.name);
  return new CsvDecoder(encoding.csv, columns, names, settings);
}

/** Checks that lines of these columns can be told apart from the fields in front of them. */
export function checkChangeColumns(
  encoding: FileEncoding,
  columns: readonly DecodedColumn[],
): void {
  const taken = new Set(encoding.kind === 'json' ? CHANGE_FIELDS : []);
  for (const { name } of columns) {
    if (taken.has(name)) {
      throw new SqlError('42701', `column name "${name}" would be twice in a line of the sink`, {
        hint: `Each line has ${CHANGE_FIELDS.join(', ')} and the columns: rename it with AS.`,
      });
    }
    taken.add(name);
  }
}

export function openEncoder(
  encoding: FileEncoding,
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): ChangeEncoder {
  return encoding.kind === 'json'
    ? jsonChangeEncoder(columns, settings)
    : csvChangeEncoder(columns, encoding.csv, settings);
}
