/** Where a field's values go: for each pair of a Protobuf field and a column's type, into the column's builder. */

import { SqlError } from '../../base/sql-error.ts';
import type { ColumnBuilder } from '../../batch/column-builder.ts';
import { ArrayValue } from '../../types/array.ts';
import type { DataType, Value } from '../../types/data-type.ts';
import { plainTypeName } from '../../types/type-name.ts';
import { inputValue, type ValueSettings } from '../../types/value.ts';
import { checkTextBytes } from '../typed-value.ts';
import { ProtobufCursor } from './cursor.ts';
import { defaultBytes } from './default-bytes.ts';
import { JsonReaders, listText } from './json-text.ts';
import { appendTimestamp } from './known-messages.ts';
import { MessageParts } from './message-parts.ts';
import { int32Reader, isInt32, readBool, readHalves, scalarReader, wireTypeOf } from './scalar.ts';
import { fieldTypeName, type ProtoField, type ProtoType } from './schema.ts';

/** Takes the values of one field of a message; then exactly one of `finish` and `reset` is called. */
export interface ValueTarget {
  /**
   * The value behind a tag; of a field that is not repeated, whose wire type is right. `isAgain`: it was taken before, the last
   * one counts.
   */
  take(cursor: ProtobufCursor, builder: ColumnBuilder, isAgain: boolean): void;
  /** The message is over: the column has its value then. `isTaken`: `take` was called. */
  finish(cursor: ProtobufCursor, builder: ColumnBuilder, isTaken: boolean): void;
  /** What was taken does not count: another field of its oneof came, or the message is broken. */
  reset(): void;
}

type Append = (cursor: ProtobufCursor, builder: ColumnBuilder) => void;

/** 42804 where no value of the field fits the type. */
export function checkTarget(field: ProtoField, type: DataType, settings: ValueSettings): void {
  if (valueTarget(field, type, settings) === null) throw misfit(field, type);
}

/** null where no value of the field fits the type. */
export function valueTarget(
  field: ProtoField,
  type: DataType,
  settings: ValueSettings,
): ValueTarget | null {
  if (field.presence === 'repeated') return repeatedTarget(field, type, settings);
  const append = appender(field, type, settings);
  if (append === null) return null;
  const missing = missingAppender(field, append);
  return field.type.kind === 'message'
    ? new MessageTarget(append, missing)
    : new ScalarTarget(append, missing);
}

/** Appends at once. */
class ScalarTarget implements ValueTarget {
  readonly take: (cursor: ProtobufCursor, builder: ColumnBuilder, isAgain: boolean) => void;
  readonly #missing: (builder: ColumnBuilder) => void;

  constructor(append: Append, missing: (builder: ColumnBuilder) => void) {
    this.#missing = missing;
    this.take = (cursor, builder, isAgain) => {
      if (isAgain) builder.truncate(builder.rowCount - 1);
      append(cursor, builder);
    };
  }

  finish(_: ProtobufCursor, builder: ColumnBuilder, isTaken: boolean): void {
    if (!isTaken) this.#missing(builder);
  }

  reset(): void {}
}

/** Its parts are merged. */
class MessageTarget implements ValueTarget {
  readonly #parts = new MessageParts();
  readonly #append: Append;
  readonly #missing: (builder: ColumnBuilder) => void;

  constructor(append: Append, missing: (builder: ColumnBuilder) => void) {
    this.#append = append;
    this.#missing = missing;
  }

  take(cursor: ProtobufCursor): void {
    this.#parts.add(cursor);
  }

  finish(cursor: ProtobufCursor, builder: ColumnBuilder, isTaken: boolean): void {
    if (!isTaken) this.#missing(builder);
    else this.#parts.read(cursor, this.#append, builder);
    this.reset();
  }

  reset(): void {
    this.#parts.clear();
  }
}

/** Collects items. */
class RepeatedTarget<T> implements ValueTarget {
  readonly #wireType: number;
  readonly #takeOne: (cursor: ProtobufCursor) => void;
  readonly #build: (items: T[], builder: ColumnBuilder) => void;
  #items: T[] = [];

  constructor(
    wireType: number,
    read: (cursor: ProtobufCursor) => T,
    build: (items: T[], builder: ColumnBuilder) => void,
  ) {
    this.#wireType = wireType;
    this.#takeOne = (cursor) => this.#items.push(read(cursor));
    this.#build = build;
  }

  take(cursor: ProtobufCursor): void {
    cursor.values(this.#wireType, this.#takeOne);
  }

  finish(_: ProtobufCursor, builder: ColumnBuilder): void {
    this.#build(this.#items, builder);
    this.#items = [];
  }

  reset(): void {
    this.#items = [];
  }
}

function repeatedTarget(
  field: ProtoField,
  type: DataType,
  settings: ValueSettings,
): ValueTarget | null {
  const wireType = wireTypeOf(field.type);
  if (isJson(type)) {
    const read = new JsonReaders(settings).of(field.type);
    return new RepeatedTarget(wireType, read, (items, builder) => {
      builder.appendValue(inputValue(type, listText(field, items.join(',')), settings));
    });
  }
  if (type.element === null) return null;
  const read = scalarReader(field.type, type.element, settings);
  if (read === null) return null;
  return new RepeatedTarget<Value>(wireType, read, (items, builder) => {
    builder.appendValue(ArrayValue.of(items));
  });
}

/** The default where the field has one, else NULL; a required field is missed. */
function missingAppender(field: ProtoField, append: Append): (builder: ColumnBuilder) => void {
  if (field.presence === 'required') {
    return () => {
      throw new SqlError(
        '22P03',
        `invalid Protobuf record: required field "${field.name}" is missing`,
      );
    };
  }
  if (field.presence !== 'implicit' && field.default === null) return (to) => to.appendNull();
  const bytes = defaultBytes(field.type, field.default);
  const cursor = new ProtobufCursor();
  return (builder) => {
    cursor.start(bytes, 0, bytes.length);
    append(cursor, builder);
  };
}

function appender(
  { type: proto }: ProtoField,
  type: DataType,
  settings: ValueSettings,
): Append | null {
  const fast = fastAppender(proto, type);
  if (fast !== null) return fast;
  if (isJson(type) && proto.kind !== 'string') {
    const read = new JsonReaders(settings).of(proto);
    return (cursor, builder) => builder.appendValue(inputValue(type, read(cursor), settings));
  }
  const read = scalarReader(proto, type, settings);
  return read === null ? null : (cursor, builder) => builder.appendValue(read(cursor));
}

function isJson({ id }: DataType): boolean {
  return id === 'json' || id === 'jsonb';
}

/** The commonest pairs without a JavaScript value between. */
function fastAppender(proto: ProtoType, type: DataType): Append | null {
  if (type.typmod !== -1) return null;
  const { kind } = proto;
  switch (type.id) {
    case 'int4': {
      if (!isInt32(kind)) return null;
      const read = int32Reader(kind);
      return (cursor, builder) => builder.appendI32(read(cursor));
    }
    case 'int8':
      switch (kind) {
        case 'int64':
        case 'sint64':
        case 'sfixed64':
        case 'uint32':
        case 'fixed32':
          return (cursor, builder) => {
            readHalves(kind, cursor);
            builder.appendI64Halves(cursor.low, cursor.high);
          };
        default:
          return null;
      }
    case 'float8':
      return kind === 'double' ? (cursor, builder) => builder.appendF64(cursor.double()) : null;
    case 'bool':
      return kind === 'bool' ? (cursor, builder) => builder.appendBool(readBool(cursor)) : null;
    case 'timestamp':
    case 'timestamptz':
      return isTimestamp(proto) ? appendTimestamp : null;
    case 'text':
    case 'varchar':
      return kind === 'string' ? appendText : null;
    default:
      return null;
  }
}

function isTimestamp(proto: ProtoType): boolean {
  return proto.kind === 'message' && proto.name === 'google.protobuf.Timestamp';
}

function appendText(cursor: ProtobufCursor, builder: ColumnBuilder): void {
  const start = cursor.sized();
  checkTextBytes(cursor.bytes, start, cursor.at);
  builder.appendBytes(cursor.bytes.subarray(start, cursor.at));
}

/** Of a type that no value of the field fits: a value that comes is an error. */
export function misfitTarget(field: ProtoField, type: DataType): ValueTarget {
  return new ScalarTarget(
    () => {
      throw misfit(field, type);
    },
    (builder) => {
      if (field.presence !== 'optional') throw misfit(field, type);
      builder.appendNull();
    },
  );
}

/** 42804 with both types. */
function misfit(field: ProtoField, type: DataType): SqlError {
  return new SqlError(
    '42804',
    `Protobuf ${fieldTypeName(field)} does not fit type ${plainTypeName(type)}`,
  );
}
