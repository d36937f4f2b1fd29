/**
 * AvroEncoder: rows as Avro records of a schema that is made of their columns, each message behind a zero byte and the id that
 * the schema has in a registry (int32, big-endian).
 *
 * Every field is a union of null and its type. Cost: one pass, no object per record; a value object for numeric and arrays.
 */

import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { isNull, readValue } from '../../batch/read-value.ts';
import type { ArrayValue } from '../../types/array.ts';
import type { DataType } from '../../types/data-type.ts';
import { applyNumericTypmod, type Decimal, FINITE } from '../../types/decimal.ts';
import type { ValueSettings } from '../../types/value.ts';
import { type ByteWriter, highHalf, lowHalf } from '../byte-writer.ts';
import { finiteDay, finiteInstant } from '../finite-times.ts';
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
import { JSON_CONNECT_NAME } from './schema.ts';

type Columns = readonly { readonly name: string; readonly type: DataType }[];

/** The schema's JSON. `name`: of the record, with its namespace. 42602 where a column's name cannot be a field's. */
export function avroSchemaOf(columns: Columns, name: string): string {
  return JSON.stringify(avroRecordOf(columns, name));
}

/** As `avroSchemaOf`: a part of a schema. */
export function avroRecordOf(columns: Columns, name: string): object {
  checkSchemaNames('an Avro', 'record', name, columns);
  const fields = columns.map((column) => ({
    name: column.name,
    type: ['null', avroType(column.type)],
    default: null,
  }));
  return { type: 'record', name, fields };
}

function avroType(type: DataType): unknown {
  switch (type.id) {
    case 'bool':
      return 'boolean';
    case 'int2':
    case 'int4':
      return 'int';
    case 'int8':
      return 'long';
    case 'float4':
      return 'float';
    case 'float8':
      return 'double';
    case 'bytea':
      return 'bytes';
    case 'numeric': {
      const decimal = decimalOf(type);
      return decimal === null ? 'string' : { type: 'bytes', logicalType: 'decimal', ...decimal };
    }
    case 'date':
      return { type: 'int', logicalType: 'date' };
    case 'time':
      return { type: 'long', logicalType: 'time-micros' };
    case 'timestamp':
      return { type: 'long', logicalType: 'local-timestamp-micros' };
    case 'timestamptz':
      return { type: 'long', logicalType: 'timestamp-micros' };
    case 'uuid':
      return { type: 'string', logicalType: 'uuid' };
    case 'json':
    case 'jsonb':
      return { type: 'string', 'connect.name': JSON_CONNECT_NAME };
    case 'array':
      return { type: 'array', items: ['null', avroType(type.element!)] };
    default:
      return 'string';
  }
}

/** Precision and scale that Avro can have; null: a numeric without them, or with a scale that Avro has not. */
function decimalOf({ typmod }: DataType): { precision: number; scale: number } | null {
  if (typmod === -1) return null;
  const precision = (typmod - 4) >> 16;
  const scale = (typmod - 4) & 0x7ff;
  return scale <= precision ? { precision, scale } : null;
}

export const NULL_BRANCH = 0;
/** Branch 1, zigzag. */
export const VALUE_BRANCH = 2;

export class AvroEncoder implements MessageEncoder {
  readonly #columns: readonly EncodedColumn[];
  readonly #schemaId: number | null;
  readonly #writers: readonly ColumnWriter[];

  /** `schemaId` null: messages are bare, as parts of others are. */
  constructor(columns: readonly EncodedColumn[], schemaId: number | null, settings: ValueSettings) {
    this.#columns = columns;
    this.#schemaId = schemaId;
    this.#writers = columns.map(({ type }) => columnWriter(type, settings));
  }

  append(batch: DeltaBatch, row: number, out: ByteWriter): void {
    if (this.#schemaId !== null) writeFrame(this.#schemaId, out);
    let i = 0;
    try {
      for (; i < this.#columns.length; i += 1) {
        const column = batch.columns[this.#columns[i]!.index]!;
        if (isNull(batch, column, row)) out.u8(NULL_BRANCH);
        else {
          out.u8(VALUE_BRANCH);
          this.#writers[i]!(batch, column, row, out);
        }
      }
    } catch (error) {
      throw userError(error, this.#columns[i]!.name);
    }
  }
}

function columnWriter(type: DataType, settings: ValueSettings): ColumnWriter {
  switch (type.id) {
    case 'int2':
    case 'int4':
      return ({ memory }, { values }, row, out) => writeInt(memory.i32[(values >>> 2) + row]!, out);
    case 'int8':
      return ({ memory }, { values }, row, out) => {
        const word = (values >>> 2) + 2 * row;
        writeLong(memory.i32[word]!, memory.i32[word + 1]!, out);
      };
    case 'text':
    case 'varchar':
    case 'bpchar':
    case 'name':
    case 'json':
    case 'jsonb':
    case 'bytea':
      return (batch, column, row, out) => writeBytes(viewBytes(batch, column, row), out);
    default: {
      const write = valueWriter(type, settings);
      return ({ memory }, column, row, out) => write(readValue(memory, column, type, row)!, out);
    }
  }
}

function valueWriter(type: DataType, settings: ValueSettings): ValueWriter {
  switch (type.id) {
    case 'bool':
      return (value, out) => out.u8(value === true ? 1 : 0);
    case 'int2':
    case 'int4':
      return (value, out) => writeInt(value as number, out);
    case 'date':
      return (value, out) => writeInt(finiteDay(value, 'Avro'), out);
    case 'int8':
    case 'time':
      return (value, out) => writeBigInt(value as bigint, out);
    case 'timestamp':
    case 'timestamptz':
      return (value, out) => writeBigInt(finiteInstant(value, type, 'Avro'), out);
    case 'float4':
      return (value, out) => out.floatLE(value as number);
    case 'float8':
      return (value, out) => out.doubleLE(value as number);
    case 'bytea':
      return (value, out) => writeBytes(value as Uint8Array, out);
    case 'numeric':
      if (decimalOf(type) === null) return (value, out) => writeText(String(value), out);
      return (value, out) => writeBytes(decimalBytes(value as Decimal, type.typmod), out);
    case 'json':
    case 'jsonb':
      return (value, out) => writeText(value as string, out);
    case 'array':
      return arrayWriter(valueWriter(type.element!, settings));
    default: {
      const text = plainFormat(type, settings);
      return (value, out) => writeText(text(value), out);
    }
  }
}

/** Zigzag. */
function writeInt(value: number, out: ByteWriter): void {
  out.varint(((value << 1) ^ (value >> 31)) >>> 0);
}

function writeLong(low: number, high: number, out: ByteWriter): void {
  const sign = high >> 31;
  out.varint64((low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign);
}

export function writeBigInt(value: bigint, out: ByteWriter): void {
  writeLong(lowHalf(value), highHalf(value), out);
}

function writeBytes(bytes: Uint8Array, out: ByteWriter): void {
  writeInt(bytes.length, out);
  out.bytes(bytes);
}

export function writeText(text: string, out: ByteWriter): void {
  writeInt(Buffer.byteLength(text), out);
  out.text(text);
}

/** The unscaled number in two's complement, big-endian, in the fewest bytes. */
function decimalBytes(value: Decimal, typmod: number): Uint8Array {
  if (value.kind !== FINITE) throw new SqlError('22003', `Avro decimals have no ${value}`);
  const { unscaled } = applyNumericTypmod(value, typmod);
  const magnitude = unscaled < 0n ? -unscaled - 1n : unscaled;
  const size = (magnitude.toString(2).length >> 3) + 1;
  const hex = BigInt.asUintN(8 * size, unscaled).toString(16);
  return Buffer.from(hex.padStart(2 * size, '0'), 'hex');
}

/** One block of all items, then the end. */
function arrayWriter(write: ValueWriter): ValueWriter {
  return (value, out) => {
    const { items, dimensions } = value as ArrayValue;
    if (dimensions.length > 1) throw notSupported('Avro of an array of several dimensions');
    if (items.length > 0) writeInt(items.length, out);
    for (const item of items) {
      out.u8(item === null ? NULL_BRANCH : VALUE_BRANCH);
      if (item !== null) write(item, out);
    }
    out.u8(0);
  };
}
