/**
 * Values as Debezium writes them into JSON, where that is not their input text: times as numbers (io.debezium.time.*), decimals
 * and bytes as base64, JSON inside of strings. What a number means comes from the schema of the message where it has one, else
 * from the column's type: of a time with a precision up to 3 milliseconds, else microseconds, as Debezium chooses them.
 *
 * https://debezium.io/documentation/reference/3.3/connectors/postgresql.html, "Data type mappings".
 */

import { SqlError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';
import type { DataType } from '../types/data-type.ts';
import { checkTimestamp } from '../types/datetime.ts';
import { shifted } from '../types/decimal.ts';
import { Interval } from '../types/interval.ts';
import { coerceTypmod, inputValue, type ValueSettings } from '../types/value.ts';
import { JsonScanner, OBJECT_START, STRING } from './json-scanner.ts';

/** What a message's schema says of a field. */
export interface FieldSchema {
  /** io.debezium.time.MicroTimestamp ...; null: none. */
  readonly name: string | null;
  /** Of a decimal; null: none. */
  readonly scale: number | null;
}

/** Appends a value from its JSON text (no null); `schema` null: the message has none. */
export type DebeziumAppender = (
  builder: ColumnBuilder,
  bytes: Buffer,
  start: number,
  end: number,
  schema: FieldSchema | null,
) => void;

const DECIMAL = 'org.apache.kafka.connect.data.Decimal';
const DAY_END = 2_147_483_493;
const DAY_MIN = -2_440_588;
const TIME_US_MAX = 86_400_000_000n;

/** The appender of a type; null: its values are written as texts and numbers anyway. */
export function debeziumAppender(type: DataType, settings: ValueSettings): DebeziumAppender | null {
  const asText = textToken(type, settings);
  switch (type.id) {
    case 'date':
      return orText(asText, (builder, number) => builder.appendI32(days(number)));
    case 'time':
      return orText(asText, (builder, number, schema) => {
        const us = microseconds(number, type, schema);
        if (us < 0n || us > TIME_US_MAX) throw new SqlError('22008', 'time out of range');
        builder.appendValue(coerceTypmod(type, us, false));
      });
    case 'timestamp':
    case 'timestamptz':
      return orText(asText, (builder, number, schema) => {
        const us = checkTimestamp(microseconds(number, type, schema));
        builder.appendValue(coerceTypmod(type, us, false));
      });
    case 'interval':
      return orText(asText, (builder, number) => {
        builder.appendValue(new Interval(0, 0, number));
      });
    case 'numeric':
      return decimal(type, asText);
    case 'bytea':
      return bytea(asText);
    case 'json':
    case 'jsonb':
      return json(type, settings);
    default:
      return null;
  }
}

const scanner = new JsonScanner();

/** The text of a JSON string, or of any other token as it stands. */
function textOf(bytes: Buffer, start: number, end: number): string {
  if (bytes[start] !== STRING) return bytes.toString('utf8', start, end);
  const length = scanner.unescape(bytes, start + 1, end - 1);
  return scanner.text.toString('utf8', 0, length);
}

function textToken(type: DataType, settings: ValueSettings): DebeziumAppender {
  return (builder, bytes, start, end) => {
    builder.appendValue(inputValue(type, textOf(bytes, start, end), settings));
  };
}

/** A whole number by `append`, anything else as text. */
function orText(
  asText: DebeziumAppender,
  append: (builder: ColumnBuilder, number: bigint, schema: FieldSchema | null) => void,
): DebeziumAppender {
  return (builder, bytes, start, end, schema) => {
    const token = bytes[start] === STRING ? '' : bytes.toString('latin1', start, end);
    if (/^-?\d{1,19}$/.test(token)) append(builder, BigInt(token), schema);
    else asText(builder, bytes, start, end, schema);
  };
}

function days(number: bigint): number {
  if (number < DAY_MIN || number >= DAY_END) throw new SqlError('22008', 'date out of range');
  return Number(number);
}

function microseconds(number: bigint, type: DataType, schema: FieldSchema | null): bigint {
  const name = schema?.name ?? null;
  if (name === null) return type.typmod >= 0 && type.typmod <= 3 ? number * 1000n : number;
  if (/Micro/.test(name)) return number;
  return /Nano/.test(name) ? number / 1000n : number * 1000n;
}

/** A string or number as text, or base64 where the schema or an object beside it has the scale. */
function decimal(type: DataType, asText: DebeziumAppender): DebeziumAppender {
  return (builder, bytes, start, end, schema) => {
    if (bytes[start] === OBJECT_START) {
      const { scale, value } = JSON.parse(bytes.toString('utf8', start, end)) as {
        scale?: unknown;
        value?: unknown;
      };
      if (!Number.isInteger(scale) || typeof value !== 'string') throw noDecimal();
      appendUnscaled(builder, type, value, scale as number);
    } else if (schema?.name === DECIMAL) {
      appendUnscaled(builder, type, textOf(bytes, start, end), schema.scale ?? 0);
    } else {
      try {
        asText(builder, bytes, start, end, schema);
      } catch (error) {
        throw error instanceof SqlError && error.sqlstate === '22P02' ? noDecimal() : error;
      }
    }
  };
}

function appendUnscaled(
  builder: ColumnBuilder,
  type: DataType,
  base64: string,
  scale: number,
): void {
  const bytes = fromBase64(base64);
  const unsigned = bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString('hex')}`);
  const isNegative = bytes.length > 0 && bytes[0]! >= 0x80;
  const unscaled = isNegative ? unsigned - (1n << BigInt(8 * bytes.length)) : unsigned;
  builder.appendValue(coerceTypmod(type, shifted(unscaled, scale), false));
}

function noDecimal(): SqlError {
  return new SqlError('22P02', 'the decimal is no number in text form', {
    hint: "Set decimal.handling.mode = 'string' in Debezium, or let its messages carry their schema.",
  });
}

function fromBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  const isBase64 = bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '');
  if (!isBase64) throw new SqlError('22023', 'invalid base64 value');
  return bytes;
}

/** Base64; a text that begins with \x, as our own sinks write it, is PostgreSQL's. */
function bytea(asText: DebeziumAppender): DebeziumAppender {
  return (builder, bytes, start, end, schema) => {
    const text = textOf(bytes, start, end);
    if (text.startsWith('\\x')) asText(builder, bytes, start, end, schema);
    else builder.appendBytes(fromBase64(text));
  };
}

/** JSON comes as a string that holds its text. */
function json(type: DataType, settings: ValueSettings): DebeziumAppender {
  return (builder, bytes, start, end) => {
    builder.appendValue(inputValue(type, textOf(bytes, start, end), settings));
  };
}
