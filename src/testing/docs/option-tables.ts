/**
 * What pages of connectors and formats have to hold: an example of each direction, and tables of options that name exactly those
 * there are. Which there are is learned as a user would: an unknown one is refused with the list of them.
 */

import { tmpdir } from 'node:os';
import { SystemClock } from '../../base/clock.ts';
import { SqlError } from '../../base/sql-error.ts';
import {
  type ConnectorOptions,
  checkSinkOptions,
  checkSourceOptions,
} from '../../connect/connectors.ts';
import { TEXT } from '../../types/data-type.ts';
import { pageSteps } from './page-steps.ts';

type Direction = 'source' | 'sink';

/** No option, connector or encoding. */
const UNKNOWN = '?';
/** Of every source, of every sink: docs/sources.md has them, and other pages may. */
const COMMON = ['watermark.idle_timeout', 'watermark.max_ahead', 'snapshot'];
const CONTEXT = { fileRoots: [tmpdir()], clock: new SystemClock() };
const COLUMN = { name: 'COLUMN', type: TEXT };
const FILE = { path: 'no-such-file', follow: 'true' };
const KAFKA = { topic: 't', 'properties.bootstrap.server': 'localhost:9092' };
const NOTHING: ConnectorOptions = {
  connector: UNKNOWN,
  options: {},
  format: null,
  encode: null,
  encodeOptions: {},
};

/** Encodings that have options, where they are taken. */
const ENCODE_OPTIONS: Readonly<Record<string, readonly [Direction, string, object]>> = {
  json: ['source', 'file', FILE],
  csv: ['source', 'file', FILE],
  avro: ['source', 'kafka', KAFKA],
  protobuf: ['source', 'kafka', KAFKA],
  parquet: ['sink', 'file', { path: FILE.path }],
};

/** Pages by their paths from the root; `read` gives their texts. */
export function optionProblems(read: (page: string) => string): string[] {
  const sources = allowed('source', {});
  const sinks = allowed('sink', {});
  const encodings = allowed('source', { connector: 'kafka', options: KAFKA, encode: UNKNOWN });
  const connectors = [...new Set([...sources, ...sinks])].flatMap((connector) => {
    const directions = [
      ...(sources.includes(connector) ? (['source'] as const) : []),
      ...(sinks.includes(connector) ? (['sink'] as const) : []),
    ];
    const page = `docs/connectors/${connector}.md`;
    const own = directions.flatMap((direction) => optionsOf(direction, connector));
    const options = connector === 'file' ? [...own, ...encodeOptionsOf('parquet')] : own;
    return [
      ...missingExamples(read, page, `connector = '${connector}'`, directions),
      ...tableProblems(read, page, options),
    ];
  });
  const formats = [...encodings, 'upsert', 'debezium'].flatMap((name) => {
    const clause = encodings.includes(name) ? 'ENCODE' : 'FORMAT';
    const page = `docs/formats/${name}.md`;
    return [
      ...missingExamples(read, page, `${clause} ${name.toUpperCase()}`, ['source', 'sink']),
      // Those of PROTOBUF are AVRO's.
      ...(name === 'protobuf' ? [] : tableProblems(read, page, encodeOptionsOf(name))),
    ];
  });
  return [...connectors, ...formats, ...tableProblems(read, 'docs/sources.md', COMMON)];
}

function optionsOf(direction: Direction, connector: string): string[] {
  return allowed(direction, { connector, options: { [UNKNOWN]: '' } });
}

function encodeOptionsOf(encode: string): string[] {
  const place = ENCODE_OPTIONS[encode];
  if (place === undefined) return [];
  const [direction, connector, options] = place;
  const encodeOptions = { [UNKNOWN]: '' };
  const names = allowed(direction, { connector, options: { ...options }, encode, encodeOptions });
  // By its prefix alone.
  return encode === 'json' ? [...names, 'json.path.COLUMN'] : names;
}

/** The names that the refusal of a definition with an unknown one lists. */
function allowed(direction: Direction, given: Partial<ConnectorOptions>): string[] {
  const definition = { ...NOTHING, ...given };
  try {
    if (direction === 'source') checkSourceOptions(definition, [COLUMN], CONTEXT);
    else checkSinkOptions(definition, [COLUMN], { isAppendOnly: true, key: null }, CONTEXT);
  } catch (error) {
    const hint = error instanceof SqlError ? (error.fields.hint ?? '') : '';
    const [, names] = /Allowed: (.*)\.$/.exec(hint) ?? [];
    if (names === undefined) throw error;
    return names.split(', ').filter((name) => name !== '');
  }
  throw new Error(`${JSON.stringify(definition)} was not refused`);
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
  return directions
    .filter(
      (direction) =>
        !statements.some((text) => begins[direction].test(text) && text.includes(clause)),
    )
    .map((direction) => `${page}: no ${direction} with ${clause}`);
}

function tableProblems(
  read: (page: string) => string,
  page: string,
  options: readonly string[],
): string[] {
  const named = namedOptions(read(page));
  const known = new Set([...options, ...COMMON]);
  return [
    ...options.filter((name) => !named.includes(name)).map((name) => `${page} lacks ${name}`),
    ...named.filter((name) => !known.has(name)).map((name) => `${page}: there is no ${name}`),
  ];
}

/** First cells of the tables whose first column is "option", with commas between several names. */
function namedOptions(text: string): string[] {
  const tables = text.match(/^\| option\b.*\n(?:\|.*\n)*/gm) ?? [];
  return tables.flatMap((table) =>
    table
      .trimEnd()
      .split('\n')
      .slice(2)
      .flatMap((row) => row.split('|')[1]!.split(','))
      .map((name) => name.trim()),
  );
}
