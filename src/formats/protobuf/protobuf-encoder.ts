/**
 * ProtobufEncoder: rows as Protobuf messages of a proto3 schema that is made of their columns, each behind a zero byte, the id
 * that the schema has in a registry (int32, big-endian), and a zero: the schema's first message.
 *
 * NULL is left out: every field but the repeated ones is optional, so it is not its default. Cost: one pass, no object per
 * record; a value object for numeric and arrays.
 */

import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { isNull, readValue } from '../../batch/read-value.ts';
import type { ArrayValue } from '../../types/array.ts';
import type { DataType, Value } from '../../types/data-type.ts';
import type { ValueSettings } from '../../types/value.ts';
import { ByteWriter } from '../byte-writer.ts';
import type { EnvelopeNames } from '../change-envelope.ts';
import { finiteInstant } from '../finite-times.ts';
import { plainFormat } from '../json-value.ts';
import {
  type ColumnWriter,
  checkSchemaNames,
  type EncodedColumn,
  type MessageEncoder,
  type ValueWriter,
  viewBytes,
} from '../message-encoder.ts';
import { userError } from '../record-decoder.ts';
import { writeFrame } from '../schema-frame.ts';
import { floorDivided } from '../typed-value.ts';
import { FIXED32, FIXED64, SIZED, VARINT } from './cursor.ts';

const TIMESTAMP = 'google.protobuf.Timestamp';

type Columns = readonly { readonly name: string; readonly type: DataType }[];

/** .proto text. `name`: of the message, with its package. 42602 where a column's name cannot be a field's. */
export function protobufSchemaOf(columns: Columns, name: string): string {
  checkSchemaNames('a Protobuf', 'message', name, columns);
  return fileOf(packageOf(name), [[localName(name), ...fieldsOf(columns)]]);
}

/** As `protobufSchemaOf`, of a message in which rows before and after a change stand; both names are of one package. */
export function protobufEnvelopeSchemaOf(
  columns: Columns,
  { envelope, row }: EnvelopeNames,
): string {
  checkSchemaNames('a Protobuf', 'message', envelope, columns);
  const rowType = localName(row);
  const fields = [
    `optional ${rowType} before = ${BEFORE};`,
    `optional ${rowType} after = ${AFTER};`,
    `optional string op = ${OP};`,
    `optional int64 ts_ms = ${TIME};`,
  ];
  const messages = [
    [localName(envelope), ...fields],
    [rowType, ...fieldsOf(columns)],
  ];
  return fileOf(packageOf(envelope), messages);
}

/** Of the fields of an envelope. */
export const BEFORE = 1;
export const AFTER = 2;
export const OP = 3;
export const TIME = 4;

function packageOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')));
}

function localName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function fieldsOf(columns: Columns): string[] {
  return columns.map(({ name, type }, i) => {
    const label = type.element === null ? 'optional' : 'repeated';
    return `${label} ${protobufType(type.element ?? type)} ${name} = ${i + 1};`;
  });
}

/** `messages`: of each its name, then its fields. */
function fileOf(packageName: string, messages: readonly (readonly string[])[]): string {
  const hasTimes = messages.flat().some((field) => field.includes(` ${TIMESTAMP} `));
  const declared = messages.flatMap(([name, ...fields]) => [
    `message ${name} {`,
    ...fields.map((field) => `  ${field}`),
    '}',
  ]);
  return [
    'syntax = "proto3";',
    ...(packageName === '' ? [] : [`package ${packageName};`]),
    ...(hasTimes ? ['import "google/protobuf/timestamp.proto";'] : []),
    ...declared,
    '',
  ].join('\n');
}

function protobufType({ id }: DataType): string {
  switch (id) {
    case 'bool':
      return 'bool';
    case 'int2':
    case 'int4':
      return 'int32';
    case 'int8':
      return 'int64';
    case 'float4':
      return 'float';
    case 'float8':
      return 'double';
    case 'bytea':
      return 'bytes';
    case 'timestamp':
    case 'timestamptz':
      return TIMESTAMP;
    default:
      return 'string';
  }
}

function wireTypeOf({ id }: DataType): number {
  switch (id) {
    case 'bool':
    case 'int2':
    case 'int4':
    case 'int8':
      return VARINT;
    case 'float4':
      return FIXED32;
    case 'float8':
      return FIXED64;
    default:
      return SIZED;
  }
}

/** Writes what stands before a message of a schema's first type. */
export function writeHead(schemaId: number, out: ByteWriter): void {
  writeFrame(schemaId, out);
  out.u8(0);
}

export class ProtobufEncoder implements MessageEncoder {
  readonly #columns: readonly EncodedColumn[];
  readonly #schemaId: number | null;
  readonly #writers: readonly ColumnWriter[];

  /** `schemaId` null: messages are bare, as parts of others are. */
  constructor(columns: readonly EncodedColumn[], schemaId: number | null, settings: ValueSettings) {
    this.#columns = columns;
    this.#schemaId = schemaId;
    this.#writers = columns.map(({ type }, i) => columnWriter(type, i + 1, settings));
  }

  append(batch: DeltaBatch, row: number, out: ByteWriter): void {
    if (this.#schemaId !== null) writeHead(this.#schemaId, out);
    let i = 0;
    try {
      for (; i < this.#columns.length; i += 1) {
        const column = batch.columns[this.#columns[i]!.index]!;
        if (!isNull(batch, column, row)) this.#writers[i]!(batch, column, row, out);
      }
    } catch (error) {
      throw userError(error, this.#columns[i]!.name);
    }
  }
}

/** Writes the tag, too. */
function columnWriter(type: DataType, number: number, settings: ValueSettings): ColumnWriter {
  if (type.element !== null) return arrayWriter(type.element, number, type, settings);
  const tag = tagOf(number, wireTypeOf(type));
  switch (type.id) {
    case 'int2':
    case 'int4':
      return ({ memory }, { values }, row, out) => {
        out.varint(tag);
        writeInt(memory.i32[(values >>> 2) + row]!, out);
      };
    case 'int8':
      return ({ memory }, { values }, row, out) => {
        const word = (values >>> 2) + 2 * row;
        out.varint(tag);
        out.varint64(memory.i32[word]!, memory.i32[word + 1]!);
      };
    case 'text':
    case 'varchar':
    case 'bpchar':
    case 'name':
    case 'json':
    case 'jsonb':
    case 'bytea':
      return (batch, column, row, out) => {
        out.varint(tag);
        out.sized(viewBytes(batch, column, row));
      };
    default: {
      const write = valueWriter(type, settings);
      return ({ memory }, column, row, out) => {
        out.varint(tag);
        write(readValue(memory, column, type, row)!, out);
      };
    }
  }
}

export function tagOf(number: number, wireType: number): number {
  return number * 8 + wireType;
}

/** Numbers are packed: one field for all. An empty array is nothing. */
function arrayWriter(
  element: DataType,
  number: number,
  type: DataType,
  settings: ValueSettings,
): ColumnWriter {
  const write = valueWriter(element, settings);
  const isPacked = wireTypeOf(element) !== SIZED;
  const tag = tagOf(number, SIZED);
  const packed = new ByteWriter();
  return ({ memory }, column, row, out) => {
    const items = itemsOf(readValue(memory, column, type, row) as ArrayValue);
    if (items.length === 0) return;
    packed.clear();
    for (const item of items) {
      if (!isPacked) out.varint(tag);
      write(item, isPacked ? packed : out);
    }
    if (!isPacked) return;
    out.varint(tag);
    out.sized(packed.written);
  };
}

function itemsOf({ items, dimensions }: ArrayValue): readonly NonNullable<Value>[] {
  if (dimensions.length > 1) throw notSupported('Protobuf of an array of several dimensions');
  if (!items.includes(null)) return items as readonly NonNullable<Value>[];
  throw new SqlError('22004', 'a repeated Protobuf field cannot hold a null');
}

function valueWriter(type: DataType, settings: ValueSettings): ValueWriter {
  switch (type.id) {
    case 'bool':
      return (value, out) => out.u8(value === true ? 1 : 0);
    case 'int2':
    case 'int4':
      return (value, out) => writeInt(value as number, out);
    case 'int8':
      return (value, out) => out.varintOf(value as bigint);
    case 'float4':
      return (value, out) => out.floatLE(value as number);
    case 'float8':
      return (value, out) => out.doubleLE(value as number);
    case 'bytea':
      return (value, out) => out.sized(value as Uint8Array);
    case 'timestamp':
    case 'timestamptz':
      return (value, out) => writeTimestamp(finiteInstant(value, type, 'Protobuf'), out);
    default: {
      const text = plainFormat(type, settings);
      return (value, out) => {
        const written = text(value);
        out.varint(Buffer.byteLength(written));
        out.text(written);
      };
    }
  }
}

/** A negative one takes ten bytes. */
function writeInt(value: number, out: ByteWriter): void {
  out.varint64(value, value >> 31);
}

const MICROS = 1_000_000n;
const SECONDS_TAG = tagOf(1, VARINT);
const NANOS_TAG = tagOf(2, VARINT);

function writeTimestamp(us: bigint, out: ByteWriter): void {
  const seconds = floorDivided(us, MICROS);
  const sizeAt = out.reserve(1);
  out.u8(SECONDS_TAG);
  out.varintOf(seconds);
  out.u8(NANOS_TAG);
  out.varint(Number(us - seconds * MICROS) * 1000);
  out.buffer[sizeAt] = out.length - sizeAt - 1;
}
