/**
 * Pictures of batches, for tests. One line a row: `+ 1 a`, `- 2 b`, `+3 7 c` (weight 3); NULL is `.`; a text with blanks
 * stands in double quotes. A first line `int8 text` may name the types. `//` starts a comment.
 */

import type { Scratch } from '../memory/scratch.ts';
import {
  BOOL,
  DATE,
  type DataType,
  FLOAT4,
  FLOAT8,
  INT2,
  INT4,
  INT8,
  INTERVAL,
  JSONB,
  NUMERIC,
  TEXT,
  TIMESTAMP,
  TIMESTAMPTZ,
  UUID,
  type Value,
} from '../types/data-type.ts';
import { DEFAULT_SETTINGS, formatValue, parseValue } from '../types/value.ts';
import { buildBatch, readRow } from './build-batch.ts';
import { weightOf } from './concat.ts';
import type { DeltaBatch } from './delta-batch.ts';

const NAMES: ReadonlyMap<string, DataType> = new Map(
  [
    BOOL,
    DATE,
    FLOAT4,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    INTERVAL,
    JSONB,
    NUMERIC,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
  ].map((type) => [type.id as string, type]),
);

/** Types of a header line: `int8 text`. */
export function parseTypes(header: string): DataType[] {
  return header
    .trim()
    .split(/\s+/)
    .map((name) => {
      const type = NAMES.get(name);
      if (type === undefined) throw new Error(`a picture names the unknown type ${name}`);
      return type;
    });
}

/** The batch of a picture; `types` absent: its first line names them. */
export function fromPicture(
  text: string,
  scratch: Scratch,
  types?: readonly DataType[],
): DeltaBatch {
  const lines = pictureLines(text);
  const columns = types ?? parseTypes(lines.shift() ?? '');
  const rows: Value[][] = [];
  const weights: number[] = [];
  for (const line of lines) {
    const match = /^([+-])(\d*)\s*(.*)$/.exec(line);
    if (match === null) throw new Error(`not a line of a picture: ${line}`);
    weights.push((match[1] === '-' ? -1 : 1) * (match[2] === '' ? 1 : Number(match[2])));
    const fields = match[3]!.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
    if (fields.length !== columns.length) throw new Error(`wrong number of fields: ${line}`);
    rows.push(fields.map((field, c) => parseField(field, columns[c]!)));
  }
  return buildBatch(columns, rows, scratch, weights);
}

/** The picture of a batch, rows as they come (`sorted`: in text order, for unordered comparison). */
export function toPicture(batch: DeltaBatch, types: readonly DataType[], sorted = false): string {
  const lines: string[] = [];
  for (let row = 0; row < batch.rowCount; row += 1) {
    const weight = weightOf(batch, row);
    const count = Math.abs(weight) === 1 ? '' : String(Math.abs(weight));
    const fields = readRow(batch, types, row).map((value, c) => formatField(value, types[c]!));
    lines.push([(weight < 0 ? '-' : '+') + count, ...fields].join(' '));
  }
  if (sorted) lines.sort();
  return lines.join('\n');
}

/** The lines of a picture without comments and indentation. */
export function pictureLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/\/\/.*$/, '').trim())
    .filter((line) => line !== '');
}

function parseField(field: string, type: DataType): Value {
  if (field === '.') return null;
  const text = field.startsWith('"') ? (JSON.parse(field) as string) : field;
  return parseValue(type, text, DEFAULT_SETTINGS);
}

function formatField(value: Value, type: DataType): string {
  if (value === null) return '.';
  const text = formatValue(type, value, DEFAULT_SETTINGS);
  return text === '' || text === '.' || /[\s"]/.test(text) ? JSON.stringify(text) : text;
}
