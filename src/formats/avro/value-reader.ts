/** Readers of Avro values into column builders: for each pair of a schema and a column's type. */

import { SqlError } from '../../base/sql-error.ts';
import type { ColumnBuilder } from '../../batch/column-builder.ts';
import { ArrayValue } from '../../types/array.ts';
import type { DataType, Value } from '../../types/data-type.ts';
import { plainTypeName } from '../../types/type-name.ts';
import { DEFAULT_SETTINGS, inputValue, type ValueSettings } from '../../types/value.ts';
import { checkTextBytes } from '../typed-value.ts';
import { type AvroCursor, readItems } from './cursor.ts';
import { JsonReaders } from './json-text.ts';
import { scalarReader } from './scalar.ts';
import { type AvroPrimitive, type AvroSchema, schemaName } from './schema.ts';

/** Reads one value and appends it. */
export type ValueReader = (cursor: AvroCursor, builder: ColumnBuilder) => void;
/** Reads a value or NULL. */
type ItemReader = (cursor: AvroCursor) => Value;

/** The reader; null where no value of the schema but null fits the type. */
export function valueReader(
  schema: AvroSchema,
  type: DataType,
  settings: ValueSettings,
): ValueReader | null {
  if (schema.kind === 'null') return (_, builder) => builder.appendNull();
  if (schema.kind === 'union') return unionReader(schema.branches, type, settings);
  const fast = fastReader(schema, type);
  if (fast !== null) return fast;
  const item = itemReader(schema, type, settings);
  if (item === null) return null;
  return (cursor, builder) => builder.appendValue(item(cursor));
}

/** A branch that does not fit is an error where it comes. */
function unionReader(
  branches: readonly AvroSchema[],
  type: DataType,
  settings: ValueSettings,
): ValueReader | null {
  const found = branches.map((branch) => valueReader(branch, type, settings));
  const isFit = branches.some(({ kind }, i) => kind !== 'null' && found[i] !== null);
  if (!isFit && branches.some(({ kind }) => kind !== 'null')) return null;
  const readers = found.map((reader, i) => reader ?? misfitReader(branches[i]!, type));
  return (cursor, builder) => readers[cursor.index(readers.length, 'branch')]!(cursor, builder);
}

/** The commonest pairs without a JavaScript value between. */
function fastReader(schema: AvroSchema, type: DataType): ValueReader | null {
  if (type.typmod !== -1) return null;
  if (schema.kind === 'int' && type.id === 'int4') {
    return (cursor, builder) => builder.appendI32(cursor.int());
  }
  if (schema.kind === 'long' && type.id === 'int8') {
    return (cursor, builder) => {
      cursor.long();
      builder.appendI64Halves(cursor.low, cursor.high);
    };
  }
  if (schema.kind === 'long' && isSafeTimestamp(schema, type)) return timestampReader(schema, type);
  if (schema.kind === 'double' && type.id === 'float8') {
    return (cursor, builder) => builder.appendF64(cursor.double());
  }
  if (schema.kind === 'boolean' && type.id === 'bool') {
    return (cursor, builder) => builder.appendBool(cursor.boolean());
  }
  if (schema.kind === 'string' && (type.id === 'text' || type.id === 'varchar')) {
    return (cursor, builder) => {
      const start = cursor.skipBytes();
      checkTextBytes(cursor.bytes, start, cursor.at);
      builder.appendBytes(cursor.bytes.subarray(start, cursor.at));
    };
  }
  return null;
}

function isSafeTimestamp(schema: AvroPrimitive, type: DataType): boolean {
  const kind = schema.logical?.kind ?? '';
  const isInstant = kind === 'timestamp-millis' || kind === 'timestamp-micros';
  const isLocal = kind === 'local-timestamp-millis' || kind === 'local-timestamp-micros';
  return (
    (isInstant && (type.id === 'timestamptz' || type.id === 'timestamp')) ||
    (isLocal && type.id === 'timestamp')
  );
}

/** Years 1685 to 2255, whose microseconds are exact doubles; the others take the long way. */
const EXACT_US_MAX = 9e15;

function timestampReader(schema: AvroPrimitive, type: DataType): ValueReader {
  const factor = schema.logical?.kind.endsWith('millis') === true ? 1000 : 1;
  const slow = scalarReader(schema, type, DEFAULT_SETTINGS)!;
  return (cursor, builder) => {
    const start = cursor.at;
    const us = cursor.number() * factor;
    if (us >= -EXACT_US_MAX && us <= EXACT_US_MAX) {
      builder.appendI64Number(us);
      return;
    }
    cursor.at = start;
    builder.appendValue(slow(cursor));
  };
}

function itemReader(
  schema: AvroSchema,
  type: DataType,
  settings: ValueSettings,
): ItemReader | null {
  if (type.id === 'json' || type.id === 'jsonb') {
    const text = new JsonReaders(settings).of(schema);
    return (cursor) => inputValue(type, text(cursor), settings);
  }
  if (schema.kind === 'null') return () => null;
  if (schema.kind === 'union') return unionItemReader(schema.branches, type, settings);
  if (type.element === null) return scalarReader(schema, type, settings);
  if (schema.kind !== 'array') return null;
  const item = itemReader(schema.items, type.element, settings);
  if (item === null) return null;
  return (cursor) => {
    const items: Value[] = [];
    readItems(cursor, () => items.push(item(cursor)));
    return ArrayValue.of(items);
  };
}

function unionItemReader(
  branches: readonly AvroSchema[],
  type: DataType,
  settings: ValueSettings,
): ItemReader | null {
  const found = branches.map((branch) => itemReader(branch, type, settings));
  if (!branches.some(({ kind }, i) => kind !== 'null' && found[i] !== null)) return null;
  const readers = found.map(
    (reader, i) =>
      reader ??
      (() => {
        throw misfit(branches[i]!, type);
      }),
  );
  return (cursor) => readers[cursor.index(readers.length, 'branch')]!(cursor);
}

export function misfitReader(schema: AvroSchema, type: DataType): ValueReader {
  return () => {
    throw misfit(schema, type);
  };
}

/** 42804 with both types. */
export function misfit(schema: AvroSchema, type: DataType): SqlError {
  return new SqlError(
    '42804',
    `Avro ${schemaName(schema)} does not fit type ${plainTypeName(type)}`,
  );
}
