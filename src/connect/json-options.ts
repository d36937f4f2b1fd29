/** ENCODE JSON: its options, and decoders. Where the columns lie (json.path.COLUMN = 'bid.price'), what numbers are as times. */

import { SqlError } from '../base/sql-error.ts';
import type { DecodedColumn } from '../formats/csv.ts';
import { JsonObjectDecoder } from '../formats/json-object.ts';
import { type JsonPaths, parseJsonPath } from '../formats/json-paths.ts';
import { type TimestampHandling, timeTokens } from '../formats/json-times.ts';
import type { ValueSettings } from '../types/settings.ts';
import { checkOptions, OptionError, type OptionSchema, placeOf, unknownName } from './options.ts';
import type { SourceColumn } from './source.ts';

const PATH_PREFIX = 'json.path.';
const SCHEMA: OptionSchema = {
  'timestamp.handling': {
    kind: 'choice',
    choices: ['iso', 'second', 'milli', 'micro', 'nano'],
    default: 'iso',
  },
};

/** What a decoder is opened with; JSON. */
export interface JsonEncoding {
  readonly kind: 'json';
  readonly paths: JsonPaths;
  readonly timestamps: TimestampHandling;
  /** By column: what it is where its member is missing, as an input text. */
  readonly defaults: Readonly<Record<string, string>>;
}

/** The names of options come in lower case. */
export function checkJson(
  options: ReadonlyMap<string, string>,
  columns: readonly SourceColumn[],
): JsonEncoding {
  const paths: Record<string, string> = {};
  const others = new Map(options);
  for (const [name, path] of options) {
    if (!name.startsWith(PATH_PREFIX)) continue;
    others.delete(name);
    checkPath(name, path);
    paths[columnOf(name, columns)] = path;
  }
  const checked = checkOptions('ENCODE JSON', SCHEMA, others);
  const timestamps = checked.get('timestamp.handling') as TimestampHandling;
  return { kind: 'json', paths, timestamps, defaults: defaultsOf(columns) };
}

/** DEFAULT of columns, by name. */
export function defaultsOf(columns: readonly SourceColumn[]): Record<string, string> {
  return Object.fromEntries(
    columns.flatMap(({ name, default: text = null }) => (text === null ? [] : [[name, text]])),
  );
}

/** A decoder into builders of these columns. */
export function openJson(
  { paths, timestamps, defaults }: JsonEncoding,
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): JsonObjectDecoder {
  const tokens = timeTokens(columns, timestamps, settings);
  return new JsonObjectDecoder(columns, settings, paths, tokens, defaults);
}

function checkPath(option: string, path: string): void {
  try {
    parseJsonPath(path);
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    const place = placeOf('ENCODE JSON', option, 'value');
    throw new OptionError(error.sqlstate, error.message, place, error.fields.hint);
  }
}

/** The column that json.path.COLUMN names. */
function columnOf(option: string, columns: readonly DecodedColumn[]): string {
  const wanted = option.slice(PATH_PREFIX.length);
  const place = placeOf('ENCODE JSON', option, 'name');
  const exact = columns.find(({ name }) => name === wanted);
  if (exact !== undefined) return exact.name;
  const found = columns.filter(({ name }) => name.toLowerCase() === wanted);
  if (found.length === 1) return found[0]!.name;
  if (found.length > 1) {
    throw new OptionError('42702', `column reference "${wanted}" is ambiguous`, place);
  }
  throw unknownName(
    'column of a JSON path',
    wanted,
    columns.map(({ name }) => name),
    place,
  );
}
