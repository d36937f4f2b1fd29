/**
 * What pages of connectors and formats have to hold: an example of each direction, and tables of options that name exactly those
 * there are, with their defaults. Both are learned as a user would: an unknown option is refused with the list of those there
 * are, and a default that is said means what is meant where nothing is said.
 */

import { tmpdir } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { FakeClock } from '../../base/clock.ts';
import { SqlError } from '../../base/sql-error.ts';
import {
  type ConnectorOptions,
  checkSinkOptions,
  checkSourceOptions,
} from '../../connect/connectors.ts';
import type { Json, SourceColumn } from '../../connect/source.ts';
import { TEXT, TIMESTAMPTZ } from '../../types/data-type.ts';
import { pageSteps } from './page-steps.ts';

type Direction = 'source' | 'sink';
type Clause = 'options' | 'encodeOptions';

/** Where options are said: in WITH or behind ENCODE of this definition, which is taken as it is. */
interface Place {
  readonly direction: Direction;
  readonly clause: Clause;
  readonly definition: ConnectorOptions;
  readonly columns: readonly SourceColumn[];
}

/** No option, connector or encoding. */
const UNKNOWN = '?';
/** Of every source, of every sink: docs/sources.md has them, and other pages may. */
const COMMON = ['watermark.idle_timeout', 'watermark.max_ahead', 'snapshot'];
const CONTEXT = { fileRoots: [tmpdir(), import.meta.dirname], clock: new FakeClock() };
const COLUMN = { name: 'COLUMN', type: TEXT };
const TIME = { name: 'TIME', type: TIMESTAMPTZ };
/** A file that is there, and one that is not. */
const OLD_FILE = { path: import.meta.filename };
const NEW_FILE = { path: 'no-such-file' };
const KAFKA = { topic: 't', 'properties.bootstrap.server': 'localhost:9092' };
const KEYED = { type: 'upsert', primary_key: 'COLUMN' };
const REGISTRY = { 'schema.registry': 'http://localhost:8081' };

function place(
  direction: Direction,
  clause: Clause,
  definition: Partial<ConnectorOptions>,
  columns: readonly SourceColumn[] = [COLUMN],
): Place {
  const nothing = {
    connector: UNKNOWN,
    options: {},
    format: null,
    encode: null,
    encodeOptions: {},
  };
  return { direction, clause, definition: { ...nothing, ...definition }, columns };
}

const ANY_SOURCE = place('source', 'options', {});
const ANY_SINK = place('sink', 'options', {});
const ANY_ENCODING = place('source', 'options', {
  connector: 'kafka',
  options: KAFKA,
  encode: UNKNOWN,
});

const CONNECTORS: Readonly<Record<string, readonly Place[]>> = {
  blackhole: [place('sink', 'options', { connector: 'blackhole' })],
  datagen: [place('source', 'options', { connector: 'datagen' })],
  file: [
    place(
      'source',
      'options',
      { connector: 'file', options: { ...OLD_FILE, 'replay.column': 'TIME' }, encode: 'json' },
      [COLUMN, TIME],
    ),
    place('sink', 'options', { connector: 'file', options: NEW_FILE, encode: 'json' }),
    place('sink', 'encodeOptions', { connector: 'file', options: NEW_FILE, encode: 'parquet' }),
  ],
  kafka: [
    place('source', 'options', {
      connector: 'kafka',
      options: { ...KAFKA, 'properties.group.id': 'g', 'dead_letter.topic': 'd' },
      encode: 'bytes',
    }),
    place('sink', 'options', {
      connector: 'kafka',
      options: { ...KAFKA, ...KEYED },
      encode: 'json',
    }),
  ],
  nexmark: [
    place(
      'source',
      'options',
      { connector: 'nexmark', options: { 'nexmark.table.type': 'bid' } },
      [],
    ),
  ],
  postgres: [
    place('sink', 'options', { connector: 'postgres', options: { table: 't', ...KEYED } }),
  ],
  print: [place('sink', 'options', { connector: 'print' })],
  webhook: [place('source', 'options', { connector: 'webhook', encode: 'json' })],
};

const ofFiles = (encode: string): Place =>
  place('source', 'encodeOptions', {
    connector: 'file',
    options: { ...NEW_FILE, follow: 'true' },
    encode,
  });

/** Encodings that have options; those of PROTOBUF are AVRO's. */
const ENCODINGS: Readonly<Record<string, readonly Place[]>> = {
  json: [ofFiles('json')],
  csv: [ofFiles('csv')],
  avro: [
    place('source', 'encodeOptions', {
      connector: 'kafka',
      options: KAFKA,
      encode: 'avro',
      encodeOptions: REGISTRY,
    }),
  ],
};
/** Those that are known by their prefix alone. */
const PREFIXED: Readonly<Record<string, readonly string[]>> = { json: ['json.path.COLUMN'] };

/** Pages by their paths from the root; `read` gives their texts. */
export function optionProblems(read: (page: string) => string): string[] {
  const sources = allowed(ANY_SOURCE);
  const sinks = allowed(ANY_SINK);
  const encodings = allowed(ANY_ENCODING);
  const connectors = [...new Set([...sources, ...sinks])].flatMap((connector) => {
    const directions = [
      ...(sources.includes(connector) ? (['source'] as const) : []),
      ...(sinks.includes(connector) ? (['sink'] as const) : []),
    ];
    const page = `docs/connectors/${connector}.md`;
    return [
      ...missingExamples(read, page, `connector = '${connector}'`, directions),
      ...tableProblems(read, page, CONNECTORS[connector] ?? []),
    ];
  });
  const formats = [...encodings, 'upsert', 'debezium'].flatMap((name) => {
    const clause = encodings.includes(name) ? 'ENCODE' : 'FORMAT';
    const page = `docs/formats/${name}.md`;
    return [
      ...missingExamples(read, page, `${clause} ${name.toUpperCase()}`, ['source', 'sink']),
      ...tableProblems(read, page, ENCODINGS[name] ?? [], PREFIXED[name]),
    ];
  });
  return [...connectors, ...formats, ...tableProblems(read, 'docs/sources.md', [], COMMON)];
}

/** What the refusal of the unknown name lists: of a connector or encoding, or else of an option. */
function allowed(one: Place): string[] {
  const { definition, clause } = one;
  const isOption = definition.connector !== UNKNOWN && definition.encode !== UNKNOWN;
  const refused = isOption ? withOption(definition, clause, UNKNOWN, '') : definition;
  try {
    checked({ ...one, definition: refused });
  } catch (error) {
    const hint = error instanceof SqlError ? (error.fields.hint ?? '') : '';
    const [, names] = /Allowed: (.*)\.$/.exec(hint) ?? [];
    if (names === undefined) throw error;
    return names.split(', ').filter((name) => name !== '');
  }
  throw new Error(`${JSON.stringify(refused)} was not refused`);
}

function checked({ direction, definition, columns }: Place): Json {
  if (direction === 'source') return checkSourceOptions(definition, columns, CONTEXT);
  return checkSinkOptions(definition, columns, { isAppendOnly: true, key: null }, CONTEXT);
}

function missingExamples(
  read: (page: string) => string,
  page: string,
  clause: string,
  directions: readonly Direction[],
): string[] {
  const statements = pageSteps(read(page)).flatMap((step) =>
    step.kind === 'statement' ? [step.text] : [],
  );
  const begins = { source: /^CREATE (SOURCE|TABLE)\b/, sink: /^CREATE SINK\b/ };
  const isExample = (direction: Direction) => (text: string) =>
    begins[direction].test(text) && text.includes(clause);
  return directions
    .filter((direction) => !statements.some(isExample(direction)))
    .map((direction) => `${page}: no ${direction} with ${clause}`);
}

function tableProblems(
  read: (page: string) => string,
  page: string,
  places: readonly Place[],
  others: readonly string[] = [],
): string[] {
  const rows = optionRows(read(page));
  const named = rows.map(({ name }) => name);
  const options = [...places.flatMap(allowed), ...others];
  const known = new Set([...options, ...COMMON]);
  return [
    ...options.filter((name) => !named.includes(name)).map((name) => `${page} lacks ${name}`),
    ...named.filter((name) => !known.has(name)).map((name) => `${page}: there is no ${name}`),
    ...places.flatMap((one) => defaultProblems(one, rows).map((problem) => `${page}: ${problem}`)),
  ];
}

interface OptionRow {
  readonly clause: Clause;
  readonly name: string;
  /** null: none, or said in words. */
  readonly default: string | null;
}

/** Of the tables whose first column is "option", or "option of ENCODE ..."; a row may have several with commas between. */
function optionRows(text: string): OptionRow[] {
  const tables = text.match(/^\| option\b.*\n(?:\|.*\n)*/gm) ?? [];
  return tables.flatMap((table) => {
    const clause = table.startsWith('| option of ENCODE ') ? 'encodeOptions' : 'options';
    const rows = table.trimEnd().split('\n').slice(2);
    return rows.flatMap((row) => namedIn(row).map((one) => ({ clause, ...one })));
  });
}

function namedIn(row: string): Omit<OptionRow, 'clause'>[] {
  const [, first = '', second = ''] = row.split('|');
  const names = first.split(',');
  const defaults = names.length === 1 ? [second] : second.split(',');
  return names.map((name, i) => ({
    name: name.trim(),
    default: parsedDefault((defaults[i] ?? '').trim()),
  }));
}

function parsedDefault(cell: string): string | null {
  const [, count, unit] = /^(\d+) ([KMG])iB$/.exec(cell) ?? [];
  if (count !== undefined) return String(Number(count) * 1024 ** (1 + 'KMG'.indexOf(unit!)));
  return cell === '' || cell === 'none' || cell.includes(' ') ? null : cell;
}

/** Options of the place whose default, when it is said, makes a difference. */
function defaultProblems(one: Place, rows: readonly OptionRow[]): string[] {
  const { clause, definition } = one;
  const names = allowed(one);
  const without = checked(one);
  const ofClause = rows.filter((row) => row.clause === clause);
  return ofClause.flatMap(({ name, default: value }) => {
    if (value === null || !names.includes(name) || name in definition[clause]) return [];
    const said = checked({ ...one, definition: withOption(definition, clause, name, value) });
    return isDeepStrictEqual(said, without) ? [] : [`${value} is not the default of ${name}`];
  });
}

function withOption(
  definition: ConnectorOptions,
  clause: Clause,
  name: string,
  value: string,
): ConnectorOptions {
  return { ...definition, [clause]: { ...definition[clause], [name]: value } };
}
