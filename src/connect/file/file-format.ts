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
import { checkOptions, refuseDefaults, unknownName } from '../options.ts';
import type { SourceColumn } from '../source.ts';

interface CsvEncoding {
  readonly kind: 'csv';
  readonly csv: CsvOptions;
}
export type FileEncoding = JsonEncoding | CsvEncoding;
export type LineEncoding = { readonly kind: 'json' } | CsvEncoding;

const ENCODINGS = ['json', 'csv'];
const KNOWN_ELSEWHERE = ['avro', 'protobuf', 'bytes', 'msgpack', 'parquet'];

/** Of a source: the encoding that was asked for, or that the file's name tells; 22023 where neither says. */
export function checkEncoding(
  encode: string | null,
  encodeOptions: ReadonlyMap<string, string>,
  path: string,
  columns: readonly SourceColumn[],
): FileEncoding {
  if (checkKind(encode, path) === 'json') return checkJson(encodeOptions, columns);
  refuseDefaults('ENCODE CSV', columns);
  return { kind: 'csv', csv: checkCsv(encodeOptions, true) };
}

/** Of a sink, in the same way. */
export function checkLineEncoding(
  encode: string | null,
  encodeOptions: ReadonlyMap<string, string>,
  path: string,
): LineEncoding {
  if (checkKind(encode, path) === 'csv') {
    return { kind: 'csv', csv: checkCsv(encodeOptions, true) };
  }
  checkOptions('ENCODE JSON', {}, encodeOptions);
  return { kind: 'json' };
}

function checkKind(encode: string | null, path: string): 'json' | 'csv' {
  const kind = encode ?? encodingOfName(path);
  if (kind === null) {
    throw new SqlError('22023', `the encoding of "${path}" is not given`, {
      hint: 'Say FORMAT PLAIN ENCODE JSON or ENCODE CSV.',
    });
  }
  if (KNOWN_ELSEWHERE.includes(kind)) throw notSupported(`ENCODE ${kind.toUpperCase()} of files`);
  if (kind === 'json' || kind === 'csv') return kind;
  throw unknownName('encoding', kind, ENCODINGS, { clause: 'encode' });
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
  areFieldsNamed: boolean,
  columns: readonly DecodedColumn[],
): void {
  const taken = new Set(areFieldsNamed ? CHANGE_FIELDS : []);
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
  encoding: LineEncoding,
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): ChangeEncoder {
  return encoding.kind === 'json'
    ? jsonChangeEncoder(columns, settings)
    : csvChangeEncoder(columns, encoding.csv, settings);
}
