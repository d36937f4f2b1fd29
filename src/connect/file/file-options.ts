/** Options of the file source: checks at CREATE, and opening from what was checked. */

import { SqlError } from '../../base/sql-error.ts';
import { CsvDecoder } from '../../formats/csv.ts';
import {
  type CheckRequest,
  checkOptions,
  OptionError,
  type OptionSchema,
  type OptionValue,
  placeOf,
  unknownName,
} from '../options.ts';
import { NotNullFields } from '../rejected.ts';
import type { Json, SourceColumn, SourceContext, SourceReader } from '../source.ts';
import { isGlob, listFiles, resolvePath } from './file-access.ts';
import { type Compression, FileBytes } from './file-bytes.ts';
import { FileCursor } from './file-cursor.ts';
import { checkEncoding, hasHeader, openDecoder } from './file-format.ts';
import { FileSource, type FileSourceOptions } from './file-source.ts';

const OWNER = 'connector "file"';

const SCHEMA: OptionSchema = {
  path: { kind: 'text' },
  follow: { kind: 'boolean', default: false },
  compression: { kind: 'choice', choices: ['auto', 'none', 'gzip'], default: 'auto' },
  'replay.column': { kind: 'text', default: null },
  'replay.speed': { kind: 'number', min: 0.000001, max: 1e12, default: null },
};

export function checkFileSource(request: CheckRequest): Json {
  const { columns, context } = request;
  const options = checkOptions(OWNER, SCHEMA, request.options);
  const pathText = options.get('path') as string;
  const path = resolvePath(pathText, context.fileRoots);
  const follow = options.get('follow') as boolean;
  const files = listFiles(path, context.fileRoots);
  if (!follow && files.length === 0) throw noFile(pathText, path);
  const checked: FileSourceOptions = {
    path,
    files: follow ? null : files,
    isGlob: isGlob(path) && !files.includes(path),
    compression: checkCompression(options, follow),
    encoding: checkEncoding(
      request.encode,
      request.encodeOptions,
      path,
      columns.filter(({ isGenerated }) => isGenerated !== true),
    ),
    fields: columns.flatMap(({ isGenerated }, index) => (isGenerated === true ? [] : [index])),
    replay: checkReplay(options, columns),
    settings: request.settings,
  };
  const first = files[0];
  if (first !== undefined) checkHeader(first, checked, columns, context.fileRoots);
  return checked as unknown as Json;
}

export function openFileSource(
  checked: Json,
  columns: readonly SourceColumn[],
  context: SourceContext,
): SourceReader {
  return new FileSource(checked as unknown as FileSourceOptions, columns, context);
}

function noFile(text: string, path: string): SqlError {
  const what = isGlob(path) ? 'No file matches' : 'No such file or directory';
  return new SqlError('58P01', `could not open file "${text}": ${what}`, {
    hint: "A source with follow = 'true' waits until there is one.",
  });
}

function checkCompression(options: ReadonlyMap<string, OptionValue>, follow: boolean): Compression {
  const compression = options.get('compression') as Compression;
  if (!follow) return compression;
  if (compression === 'gzip') {
    const place = placeOf(OWNER, 'follow', 'name');
    throw new OptionError('22023', 'a gzip file cannot be followed', place);
  }
  return 'none';
}

function checkReplay(
  options: ReadonlyMap<string, OptionValue>,
  columns: readonly SourceColumn[],
): FileSourceOptions['replay'] {
  const name = options.get('replay.column') as string | null;
  const speed = options.get('replay.speed') as number | null;
  if (name === null) {
    if (speed === null) return null;
    const place = placeOf(OWNER, 'replay.speed', 'name');
    const message = 'option "replay.speed" needs the option "replay.column"';
    throw new OptionError('22023', message, place);
  }
  const place = placeOf(OWNER, 'replay.column', 'value');
  const fields = columns.filter(({ isGenerated }) => isGenerated !== true);
  const column = columns.findIndex((one) => one.name === name && one.isGenerated !== true);
  if (column < 0) {
    throw unknownName(
      'replay.column',
      name,
      fields.map((one) => one.name),
      place,
    );
  }
  const { id } = columns[column]!.type;
  if (id !== 'timestamp' && id !== 'timestamptz') {
    const message = `replay.column "${name}" must be a timestamp or a timestamptz`;
    throw new OptionError('42804', message, place);
  }
  return { column, speed: speed ?? 1 };
}

/** Reads the header of a file that is there: a column that it lacks is told at CREATE, not later. */
function checkHeader(
  file: string,
  options: FileSourceOptions,
  columns: readonly SourceColumn[],
  roots: readonly string[],
): void {
  const bytes = FileBytes.open(file, roots, options.compression);
  try {
    if (!hasHeader(options.encoding)) return;
    const fields = options.fields.map((index) => columns[index]!);
    const decoder = openDecoder(options.encoding, fields, options.settings);
    if (!(decoder instanceof CsvDecoder)) return;
    const rejecting = { notNull: new NotNullFields([], [], columns), bytesMax: 0 };
    new FileCursor(bytes, decoder, true, rejecting).readHeader(true);
  } finally {
    bytes.close();
  }
}
