/**
 * Which SQL types a Protobuf type goes to, and how one value of it is read.
 *
 * | Protobuf | column without a list | also |
 * |---|---|---|
 * | bool | boolean | |
 * | int32, sint32, sfixed32 | integer | the other integers (22003 beyond), real, double precision, numeric |
 * | int64, sint64, sfixed64, uint32, fixed32 | bigint | as above |
 * | uint64, fixed64 | numeric | as above |
 * | float, double | real, double precision | the other |
 * | string | text | varchar, char, bytea; numeric, uuid, date and time types, json, jsonb by their input |
 * | bytes | bytea | text, varchar, char |
 * | enum | text: the name; of a value that has none its number | varchar, char; integers: the number |
 * | Timestamp, Duration, wrappers and others | known-messages.ts | |
 * | other messages, maps | jsonb | json |
 * | repeated of one that is not jsonb | an array | jsonb, json |
 */

import { unreachable } from '../../base/assert.ts';
import {
  arrayOf,
  BOOL,
  BYTEA,
  type DataType,
  FLOAT4,
  FLOAT8,
  INT4,
  INT8,
  JSONB,
  NUMERIC,
  TEXT,
  type Value,
} from '../../types/data-type.ts';
import { coerceTypmod, inputValue, type ValueSettings } from '../../types/value.ts';
import {
  checkTextBytes,
  copyOf,
  fromFloat,
  fromInteger,
  fromIntegerToInteger,
  fromText,
  TEXT_TYPES,
} from '../typed-value.ts';
import { FIXED32, FIXED64, ProtobufCursor, SIZED, VARINT } from './cursor.ts';
import { defaultBytes } from './default-bytes.ts';
import { knownMessage } from './known-messages.ts';
import type { ProtoEnum, ProtoField, ProtoMessage, ProtoType, ScalarKind } from './schema.ts';
import { WRAPPERS } from './well-known.ts';

/** Reads the value behind a tag; it is not NULL. */
export type ScalarReader = (cursor: ProtobufCursor) => NonNullable<Value>;

/** The type that a column of this field gets where none is said. */
export function sqlTypeOf({ type, presence }: ProtoField): DataType {
  const one = elementTypeOf(type);
  if (presence !== 'repeated') return one;
  return one.id === 'jsonb' ? JSONB : (arrayOf(one) ?? JSONB);
}

export function elementTypeOf(type: ProtoType): DataType {
  switch (type.kind) {
    case 'bool':
      return BOOL;
    case 'int32':
    case 'sint32':
    case 'sfixed32':
      return INT4;
    case 'int64':
    case 'sint64':
    case 'sfixed64':
    case 'uint32':
    case 'fixed32':
      return INT8;
    case 'uint64':
    case 'fixed64':
      return NUMERIC;
    case 'float':
      return FLOAT4;
    case 'double':
      return FLOAT8;
    case 'bytes':
      return BYTEA;
    case 'string':
    case 'enum':
      return TEXT;
    case 'message': {
      const inner = wrappedType(type);
      return inner === null ? (knownMessage(type)?.type ?? JSONB) : elementTypeOf(inner);
    }
    default:
      return unreachable(type);
  }
}

/** Of google.protobuf.Int32Value and the like: what they wrap; null: another message. */
export function wrappedType(message: ProtoMessage): ProtoType | null {
  return WRAPPERS.has(message.name) ? message.fields[0]!.type : null;
}

/** How values of the type lie behind their tag. */
export function wireTypeOf({ kind }: ProtoType): number {
  switch (kind) {
    case 'double':
    case 'fixed64':
    case 'sfixed64':
      return FIXED64;
    case 'float':
    case 'fixed32':
    case 'sfixed32':
      return FIXED32;
    case 'string':
    case 'bytes':
    case 'message':
      return SIZED;
    default:
      return VARINT;
  }
}

/** How one value of the Protobuf type becomes one of the SQL type, which is neither json nor an array; null: it does not. */
export function scalarReader(
  proto: ProtoType,
  type: DataType,
  settings: ValueSettings,
): ScalarReader | null {
  const reader = plainReader(proto, type, settings);
  if (reader === null || type.typmod === -1) return reader;
  return (cursor) => coerceTypmod(type, reader(cursor), false);
}

function plainReader(
  proto: ProtoType,
  type: DataType,
  settings: ValueSettings,
): ScalarReader | null {
  switch (proto.kind) {
    case 'bool':
      return type.id === 'bool' ? readBool : null;
    case 'float':
    case 'double':
      return floatReader(proto.kind, type);
    case 'string':
      return textReader(type, settings);
    case 'bytes':
      if (type.id === 'bytea') return readBytes;
      return TEXT_TYPES.has(type.id) ? readText : null;
    case 'enum':
      return enumReader(proto, type);
    case 'message':
      return messageReader(proto, type, settings);
    default:
      return integerReader(proto.kind, type);
  }
}

export function readBool(cursor: ProtobufCursor): boolean {
  cursor.varint64();
  return cursor.low !== 0 || cursor.high !== 0;
}

function readBytes(cursor: ProtobufCursor): Uint8Array {
  const start = cursor.sized();
  return copyOf(cursor.bytes, start, cursor.at);
}

export function readText(cursor: ProtobufCursor): string {
  const start = cursor.sized();
  checkTextBytes(cursor.bytes, start, cursor.at);
  return cursor.bytes.toString('utf8', start, cursor.at);
}

function textReader(type: DataType, settings: ValueSettings): ScalarReader | null {
  if (type.id === 'bytea') return readBytes;
  if (type.id === 'json' || type.id === 'jsonb') {
    return (cursor) => inputValue(type, readText(cursor), settings);
  }
  const convert = fromText(type, settings);
  return convert === null ? null : (cursor) => convert(readText(cursor));
}

function floatReader(kind: 'float' | 'double', type: DataType): ScalarReader | null {
  const convert = fromFloat(type);
  if (convert === null) return null;
  return (cursor) => convert(kind === 'float' ? cursor.float() : cursor.double());
}

function enumReader({ values }: ProtoEnum, type: DataType): ScalarReader | null {
  if (TEXT_TYPES.has(type.id)) {
    return (cursor) => {
      const number = int32(cursor);
      return values.get(number) ?? String(number);
    };
  }
  const convert = fromIntegerToInteger(type);
  return convert === null ? null : (cursor) => convert(BigInt(int32(cursor)));
}

type IntegerKind = Exclude<ScalarKind, 'bool' | 'float' | 'double' | 'string' | 'bytes'>;

function integerReader(kind: IntegerKind, type: DataType): ScalarReader | null {
  const convert = fromInteger(type);
  if (convert === null) return null;
  if (isInt32(kind)) {
    const read = int32Reader(kind);
    return (cursor) => convert(BigInt(read(cursor)));
  }
  return (cursor) => convert(whole(kind, cursor));
}

type Int32Kind = 'int32' | 'sint32' | 'sfixed32';

export function isInt32(kind: ProtoType['kind']): kind is Int32Kind {
  return kind === 'int32' || kind === 'sint32' || kind === 'sfixed32';
}

export function int32Reader(kind: Int32Kind): (cursor: ProtobufCursor) => number {
  switch (kind) {
    case 'int32':
      return int32;
    case 'sint32':
      return (cursor) => {
        const value = cursor.varint32();
        return (value >>> 1) ^ -(value & 1);
      };
    case 'sfixed32':
      return (cursor) => cursor.fixed32();
  }
}

/** Negative ones take ten bytes: the upper half says nothing. */
function int32(cursor: ProtobufCursor): number {
  return cursor.varint32() | 0;
}

/** Leaves the two halves of a number of 64 bits, or of one from 0 to 2^32, in the cursor. */
export function readHalves(kind: IntegerKind, cursor: ProtobufCursor): void {
  switch (kind) {
    case 'uint32':
      cursor.low = cursor.varint32();
      cursor.high = 0;
      return;
    case 'fixed32':
      cursor.low = cursor.fixed32();
      cursor.high = 0;
      return;
    case 'fixed64':
    case 'sfixed64':
      cursor.fixed64();
      return;
    default:
      cursor.varint64();
  }
  if (kind !== 'sint64') return;
  const sign = -(cursor.low & 1);
  cursor.low = ((cursor.low >>> 1) | (cursor.high << 31)) ^ sign;
  cursor.high = (cursor.high >>> 1) ^ sign;
}

function whole(kind: IntegerKind, cursor: ProtobufCursor): bigint {
  readHalves(kind, cursor);
  return kind === 'uint64' || kind === 'fixed64' ? cursor.unsigned() : cursor.signed();
}

function messageReader(
  message: ProtoMessage,
  type: DataType,
  settings: ValueSettings,
): ScalarReader | null {
  const inner = wrappedType(message);
  if (inner !== null) return wrapperReader(message, type, settings);
  const known = knownMessage(message);
  return known?.fits.has(type.id) === true ? known.read : null;
}

/** What is wrapped, or its default. */
function wrapperReader(
  { fields }: ProtoMessage,
  type: DataType,
  settings: ValueSettings,
): ScalarReader | null {
  const { number, type: inner } = fields[0]!;
  const read = plainReader(inner, type, settings);
  if (read === null) return null;
  const wireType = wireTypeOf(inner);
  const zero = defaultValue(inner, null, read);
  return (cursor) => {
    const end = cursor.enter();
    let value = zero;
    while (!cursor.isAtEnd) {
      const found = cursor.tag();
      if (found === number) {
        cursor.expect(wireType);
        value = read(cursor);
      } else cursor.skip(found);
    }
    cursor.leave(end);
    return value;
  };
}

/** What a reader makes of a default; `literal`: null is zero, '' or no bytes. */
export function defaultValue<T>(
  proto: ProtoType,
  literal: string | null,
  read: (cursor: ProtobufCursor) => T,
): T {
  const bytes = defaultBytes(proto, literal);
  const cursor = new ProtobufCursor();
  cursor.start(bytes, 0, bytes.length);
  return read(cursor);
}
