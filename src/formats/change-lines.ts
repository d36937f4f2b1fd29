/**
 * Lines of a change stream for sinks: each row with its weight, the epoch and the epoch's time, as NDJSON or CSV.
 *
 * NDJSON: `{"weight":1,"epoch":7,"time":"2026-01-01T00:00:00Z","id":1,...}`, values as PostgreSQL's to_json gives them (int8
 * and numeric as exact number tokens, NaN and infinities as strings). CSV: the same fields in the output form of COPY.
 * Cost: linear in the text; a value object per value (sinks write far fewer rows than views read).
 */

import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { readValue } from '../batch/read-value.ts';
import type { DataType } from '../types/data-type.ts';
import { quoteJson } from '../types/jsonb.ts';
import { formatValue, type ValueSettings } from '../types/value.ts';
import type { CsvOptions, DecodedColumn } from './csv.ts';
import { csvQuoter } from './csv-field.ts';
import { jsonFormat } from './json-value.ts';

/** Fields in front of the columns. */
export const CHANGE_FIELDS: readonly string[] = Object.freeze(['weight', 'epoch', 'time']);

export interface ChangeEncoder {
  /** What a new file starts with; '' for nothing. */
  readonly header: string;
  /** The lines of a batch, each with its line end. */
  lines(epoch: number, timeUs: bigint, batch: DeltaBatch): string;
}

export function jsonChangeEncoder(
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): ChangeEncoder {
  const names = columns.map(({ name }) => `,${quoteJson(name)}:`);
  const formats = columns.map(({ type }) => jsonFormat(type, settings));
  const encode = (batch: DeltaBatch, row: number): string => {
    let text = '';
    for (const [i, column] of batch.columns.entries()) {
      const value = readValue(batch.memory, column, columns[i]!.type, row);
      text += names[i]! + (value === null ? 'null' : formats[i]!(value));
    }
    return `${text}}\n`;
  };
  return {
    header: '',
    lines: (epoch, timeUs, batch) => {
      const head = `,"epoch":${epoch},"time":"${instantText(timeUs)}"`;
      return allRows(
        batch,
        (row) => `{"weight":${weightOf(batch, row)}${head}${encode(batch, row)}`,
      );
    },
  };
}

export function csvChangeEncoder(
  columns: readonly DecodedColumn[],
  options: CsvOptions,
  settings: ValueSettings,
): ChangeEncoder {
  const { delimiter, hasHeader } = options;
  const quote = csvQuoter(options);
  const names = [...CHANGE_FIELDS, ...columns.map(({ name }) => name)];
  const field = (batch: DeltaBatch, column: Column, type: DataType, row: number): string => {
    const value = readValue(batch.memory, column, type, row);
    return value === null ? options.nullText : quote(formatValue(type, value, settings));
  };
  return {
    header: hasHeader ? `${names.map(quote).join(delimiter)}\n` : '',
    lines: (epoch, timeUs, batch) => {
      const time = quote(instantText(timeUs));
      return allRows(batch, (row) => {
        let line = `${weightOf(batch, row)}${delimiter}${epoch}${delimiter}${time}`;
        for (const [i, column] of batch.columns.entries()) {
          line += delimiter + field(batch, column, columns[i]!.type, row);
        }
        return `${line}\n`;
      });
    },
  };
}

function allRows(batch: DeltaBatch, encode: (row: number) => string): string {
  let text = '';
  for (let row = 0; row < batch.rowCount; row += 1) {
    if (weightOf(batch, row) !== 0) text += encode(row);
  }
  return text;
}

function weightOf({ weights, memory }: DeltaBatch, row: number): number {
  return weights === 0 ? 1 : memory.i32[(weights >>> 2) + row]!;
}

/** An instant as ISO 8601 in UTC, microseconds where it has some. */
export function instantText(us: bigint): string {
  const ms = us >= 0n || us % 1000n === 0n ? us / 1000n : us / 1000n - 1n;
  const rest = Number(us - ms * 1000n);
  const text = new Date(Number(ms)).toISOString();
  if (rest !== 0) return `${text.slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
  return text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : text;
}
