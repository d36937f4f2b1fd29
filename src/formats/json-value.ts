/**
 * Values as JSON, as PostgreSQL's to_json writes them: int8 and numeric as exact number tokens, NaN and infinities as strings,
 * times as ISO 8601, json and jsonb as they are (on one line).
 *
 * `jsonFormat` is the meaning; `jsonWriter` writes the same bytes and takes short ways for the commonest types.
 */

import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { readValue } from '../batch/read-value.ts';
import type { ArrayValue } from '../types/array.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { quoteJson } from '../types/jsonb.ts';
import { formatValue, type ValueSettings } from '../types/value.ts';
import type { ByteWriter } from './byte-writer.ts';
import { int64Text } from './int64-text.ts';
import { type ColumnWriter, type Span, viewSpan } from './message-encoder.ts';

export type JsonFormat = (value: NonNullable<Value>) => string;

/** How PostgreSQL's to_json writes a type. */
export function jsonFormat(type: DataType, settings: ValueSettings): JsonFormat {
  const output: JsonFormat = (value) => formatValue(type, value, settings);
  switch (type.id) {
    case 'bool':
      return (value) => (value === true ? 'true' : 'false');
    case 'int2':
    case 'int4':
    case 'int8':
      return String;
    case 'float4':
    case 'float8':
    case 'numeric':
      return (value) => numberToken(output(value));
    case 'json':
    case 'jsonb':
      return (value) => (value as string).replaceAll('\n', ' ').replaceAll('\r', ' ');
    case 'array':
      return arrayFormat(type, settings);
    default: {
      const text = plainFormat(type, settings);
      return (value) => quoteJson(text(value));
    }
  }
}

/** The text of a value that JSON has no form for: PostgreSQL's output, times as ISO 8601 whatever DateStyle says. */
export function plainFormat(type: DataType, settings: ValueSettings): JsonFormat {
  if (type.id !== 'date' && type.id !== 'timestamp' && type.id !== 'timestamptz') {
    return (value) => formatValue(type, value, settings);
  }
  const iso = { ...settings, dateStyle: 'ISO, MDY' };
  const isInstant = type.id === 'timestamptz';
  return (value) => {
    const text = formatValue(type, value, iso).replace(/ (?=\d)/, 'T');
    return isInstant ? text.replace(/([+-]\d\d)$/, '$1:00') : text;
  };
}

function numberToken(text: string): string {
  return /^-?[\d.]/.test(text) ? text : quoteJson(text);
}

function arrayFormat(type: DataType, settings: ValueSettings): JsonFormat {
  const item = jsonFormat(type.element!, settings);
  return (value) => {
    const { items, dimensions } = value as ArrayValue;
    let next = 0;
    const level = (depth: number): string => {
      const parts: string[] = [];
      for (let i = 0; i < dimensions[depth]!; i += 1) {
        if (depth < dimensions.length - 1) parts.push(level(depth + 1));
        else {
          const one = items[next++]!;
          parts.push(one === null ? 'null' : item(one));
        }
      }
      return `[${parts.join(',')}]`;
    };
    return dimensions.length === 0 ? '[]' : level(0);
  };
}

/** Writes a column's values that are not NULL. */
export function jsonWriter(type: DataType, settings: ValueSettings): ColumnWriter {
  switch (type.id) {
    case 'bool':
      return writeBool;
    case 'int2':
    case 'int4':
      return writeInt32;
    case 'int8':
      return writeInt64;
    case 'text':
    case 'varchar':
    case 'bpchar':
      return writeText;
    default: {
      const format = jsonFormat(type, settings);
      return ({ memory }, column, row, out) => {
        out.text(format(readValue(memory, column, type, row)!));
      };
    }
  }
}

function writeBool({ memory }: DeltaBatch, { values }: Column, row: number, out: ByteWriter): void {
  out.ascii(memory.u8[values + row] === 0 ? 'false' : 'true');
}

function writeInt32({ memory }: DeltaBatch, column: Column, row: number, out: ByteWriter): void {
  out.ascii(String(memory.i32[(column.values >>> 2) + row]!));
}

function writeInt64({ memory }: DeltaBatch, column: Column, row: number, out: ByteWriter): void {
  out.ascii(int64Text(memory, column.values + 8 * row));
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const span: Span = { at: 0, size: 0 };

/** The bytes as they are where nothing is to be escaped. */
function writeText(batch: DeltaBatch, column: Column, row: number, out: ByteWriter): void {
  viewSpan(batch, column, row, span);
  const { u8 } = batch.memory;
  const end = span.at + span.size;
  const start = out.reserve(span.size + 2);
  const { buffer } = out;
  let to = start;
  buffer[to++] = QUOTE;
  for (let from = span.at; from < end; from += 1) {
    const byte = u8[from]!;
    if (byte < 0x20 || byte === QUOTE || byte === BACKSLASH) {
      out.truncate(start);
      out.text(quoteJson(Buffer.from(u8.slice(span.at, end)).toString('utf8')));
      return;
    }
    buffer[to++] = byte;
  }
  buffer[to] = QUOTE;
}
